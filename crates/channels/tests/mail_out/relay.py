"""A relay by aiosmtpd that does as the recipient's local part says, and keeps what it takes.

    relay.py FOLDER

Prints its port. Takes mail for anyone, as FOLDER/NUMBER.json with the envelope and what was said in it, but for

    dead@       550 5.1.1, as there is nobody
    full@       452 4.2.2
    busy@       421 4.7.0, and hangs up
    spam@       554 5.7.1, once it has read the mail
    grey-N@     450 4.2.0 for the first N times
    drop@       takes the mail, keeps it, and hangs up without an answer
    nonull@     from any sender but the empty one, which it refuses from then on
"""

import asyncio
import json
import os
import pathlib
import sys

from aiosmtpd.smtp import SMTP

folder = pathlib.Path(sys.argv[1])


class Relay:
    def __init__(self):
        self.tries, self.kept, self.connections, self.no_null = {}, 0, 0, False

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address == "<>" and self.no_null:
            return "550 5.7.1 who are you?"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        local = address.partition("@")[0]
        if local == "dead":
            return "550 5.1.1 <%s>: Recipient address rejected: User unknown" % address
        if local == "full":
            return "452 4.2.2 the mailbox is full"
        if local == "busy":
            server.transport.write(b"421 4.7.0 too many connections, slow down\r\n")
            server.transport.close()
            return "421 4.7.0 too many connections"
        if local.startswith("grey-"):
            self.tries[address] = self.tries.get(address, 0) + 1
            if self.tries[address] <= int(local[5:]):
                return "450 4.2.0 Greylisted, please try again in 120 seconds"
        if local == "nonull":
            self.no_null = True
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        locals_ = {address.partition("@")[0] for address in envelope.rcpt_tos}
        if "spam" in locals_:
            return "554 5.7.1 rejected as spam"
        self.kept += 1
        (folder / f"{self.kept:04}.json").write_text(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "connections": self.connections,
            "mail": envelope.content.decode("latin-1"),
        }))
        if "drop" in locals_:
            server.transport.close()
        return "250 2.0.0 taken"


async def main():
    relay, loop = Relay(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(relay, enable_SMTPUTF8=True), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Until whoever started it is gone.
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
