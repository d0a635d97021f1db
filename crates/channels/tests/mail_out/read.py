"""Reads mails as Python's own parser does, and verifies their signatures by dkimpy.

    read.py FOLDER RECORDS

Prints, for each FOLDER/*.eml in the order of their names, one line of JSON. RECORDS is a JSON object of what the DNS
says: texts by name.
"""

import hashlib
import json
import pathlib
import sys
from email import policy
from email.parser import BytesParser

import dkim

folder, records = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())


def text_at(name, timeout=5):
    record = records.get(name.decode().rstrip("."))
    return record.encode() if record else None


for path in sorted(folder.glob("*.eml")):
    raw = path.read_bytes()
    mail = BytesParser(policy=policy.default).parsebytes(raw)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    signatures = len(mail.get_all("DKIM-Signature", []))
    verifier = dkim.DKIM(raw)
    verdicts = []
    for at in range(signatures):
        try:
            verdicts.append(verifier.verify(idx=at, dnsfunc=text_at))
        except dkim.DKIMException:
            verdicts.append(False)
    print(json.dumps({
        "defects": [type(defect).__name__ for part in mail.walk() for defect in part.defects],
        "subject": mail["Subject"],
        "from": [address.addr_spec for address in mail["From"].addresses],
        "to": [address.addr_spec for address in mail["To"].addresses],
        "name": mail["From"].addresses[0].display_name,
        "message_id": mail["Message-ID"],
        "in_reply_to": mail["In-Reply-To"],
        "references": (mail["References"] or "").split(),
        "plain": plain.get_content() if plain else None,
        "html": html.get_content() if html else None,
        "files": [
            [part.get_filename(), part.get_content_type(),
             hashlib.sha256(part.get_payload(decode=True)).hexdigest()]
            for part in mail.iter_attachments()
        ],
        "dkim": verdicts,
    }))
