"""Sends COUNT messages to a message centre at PORT with smpplib, WINDOW under way at a time, and prints messages a second."""
import sys
import time

from smpplib.client import Client

port, count, window = map(int, sys.argv[1:])
answered = 0


def taken(pdu, **_):
    global answered
    assert pdu.status == 0, pdu.status
    answered += 1


client = Client("127.0.0.1", port, allow_unknown_opt_params=True)
client.set_message_sent_handler(taken)
client.connect()
client.bind_transceiver(system_id="python", password="secret")
began, sent = time.monotonic(), 0
while answered < count:
    while sent < count and sent - answered < window:
        text = b"Your parcel %d is on its way." % sent
        client.send_message(destination_addr="4915112345678", dest_addr_ton=1, short_message=text)
        sent += 1
    client.read_once()
print(count / (time.monotonic() - began))
