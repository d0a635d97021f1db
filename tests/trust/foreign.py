#!/usr/bin/env python3
"""Mails as others sign them, and what others say of them: dkimpy (DKIM and ARC) and pyspf.

Prints one JSON object: `records`, the TXT records of the zone, by name; and `mails`, each with its bytes (base64), how it
came (`ip`, `helo`, `sender`), what the others make of it (`dkim`, `spf`, `arc`), and whether its sender is proven, with and
without belief in the forwarder `list.test`.
"""

import base64
import json

import dkim
import spf
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from nacl.signing import SigningKey

INSIDE, OUTSIDE, LIST = "192.0.2.1", "203.0.113.9", "198.51.100.7"
HEADERS = [b"From", b"To", b"Subject", b"Date", b"Message-ID"]

rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
rsa_pem = rsa_key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
rsa_public = base64.b64encode(
    rsa_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
ed_key = SigningKey.generate()
ed_private = base64.b64encode(bytes(ed_key))
ed_public = base64.b64encode(bytes(ed_key.verify_key)).decode()

RSA, ED = "v=DKIM1; k=rsa; p=" + rsa_public, "v=DKIM1; k=ed25519; p=" + ed_public
records = {
    "a.test": ["v=spf1 ip4:192.0.2.0/28 -all"],
    "_dmarc.a.test": ["v=DMARC1; p=reject"],
    "rsa._domainkey.a.test": [RSA],
    "ed._domainkey.a.test": [ED],
    "b.test": ["v=spf1 include:a.test ~all"],
    "rsa._domainkey.b.test": [RSA],
    "c.test": ["v=spf1 exists:%{i}.never.test redirect=a.test"],
    "rsa._domainkey.list.test": [RSA],
    "list.test": ["v=spf1 ip4:198.51.100.7 -all"],
    "mx.a.test": ["v=spf1 ip4:192.0.2.1 -all"],
}


def txt(name, timeout=5):
    found = records.get(name.decode().rstrip(".").lower())
    return "".join(found).encode() if found else None


def dns_lookup(name, qtype, tcpfallback=True, timeout=20):
    name = name.rstrip(".").lower()
    if qtype == "TXT":
        return [((name, "TXT"), (text.encode(),)) for text in records.get(name, [])]
    return []


spf.DNSLookup = dns_lookup


def mail(sender, body="My parcel has not come.\r\n", subject="Order 4711"):
    head = (
        f"From: Ann <{sender}>\r\nTo: support@us.test\r\nSubject: {subject}\r\n"
        "Date: Mon, 16 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@a.test>\r\n"
    )
    return (head + "\r\n" + body).encode()


def signed(raw, domain="a.test", selector="rsa", how=(b"relaxed", b"relaxed"), **more):
    ed = selector == "ed"
    signature = dkim.sign(
        raw,
        selector.encode(),
        domain.encode(),
        ed_private if ed else rsa_pem,
        canonicalize=how,
        include_headers=HEADERS,
        signature_algorithm=b"ed25519-sha256" if ed else b"rsa-sha256",
        **more,
    )
    return signature + raw


def through_list(raw, results):
    """A list writes its name into the subject and seals what it found before."""
    raw = raw.replace(b"Subject: ", b"Subject: [list] ").replace(b"\r\n\r\n", b"\r\n\r\nSent to all.\r\n", 1)
    raw = f"Authentication-Results: list.test; {results}\r\n".encode() + raw
    added = dkim.arc_sign(raw, b"rsa", b"list.test", rsa_pem, b"list.test", include_headers=HEADERS)
    return b"".join(added) + raw


mails = []


def case(name, raw, proven, ip=OUTSIDE, helo="mx.other.test", sender="ann@a.test", believed=None):
    verdict, _, _ = dkim.arc_verify(raw, dnsfunc=txt)
    checked = spf.query(ip, sender, helo).check() if sender else spf.query(ip, "", helo).check()
    mails.append(
        {
            "name": name,
            "raw": base64.b64encode(raw).decode(),
            "ip": ip,
            "helo": helo,
            "sender": sender,
            "dkim": b"DKIM-Signature" in raw and dkim.verify(raw, dnsfunc=txt),
            "spf": checked[0],
            "arc": verdict == dkim.CV_Pass,
            "proven": proven,
            "believed": proven if believed is None else believed,
        }
    )


ann = mail("ann@a.test")
case("signed by RSA", signed(ann), True)
case("signed by Ed25519", signed(ann, selector="ed"), True)
case("signed, nothing relaxed", signed(ann, how=(b"simple", b"simple")), True)
case("signed and folded anew", signed(ann).replace(b"Order 4711", b"Order\r\n 4711"), True)
case("signed twice", signed(signed(ann), selector="ed"), True)
case("its body altered", signed(ann).replace(b"parcel", b"money"), False)
case("its body lengthened", signed(ann) + b"Send it elsewhere.\r\n", False)
case("its subject altered", signed(ann).replace(b"4711", b"4712"), False)
case("its signature of another domain", signed(ann, domain="b.test"), False)
case("another sender put in", signed(ann).replace(b"ann@a.test", b"bob@a.test"), False)
case("another sender put above", b"From: bob@a.test\r\n" + signed(ann), False)
case("another sender put below", signed(ann).replace(b"\r\n\r\n", b"\r\nFrom: bob@a.test\r\n\r\n", 1), False)
case("signed up to a length", signed(ann, length=True) + b"Send it elsewhere.\r\n", False)
case("unsigned from its server", ann, True, ip=INSIDE)
case("unsigned from elsewhere", ann, False)
case("from its server for another return path", ann, False, ip=INSIDE, sender="ann@c.test", helo="x.test")
case("of a domain without DMARC, from its server", mail("ann@b.test"), True, ip=INSIDE, sender="ann@b.test")
case("of a domain without DMARC, from elsewhere", mail("ann@b.test"), False, sender="ann@b.test")
case("of a domain without DMARC, signed", signed(mail("ann@b.test"), domain="b.test"), True, sender="x@y.test")
case("from a name below, signed by the domain", signed(mail("ann@sub.b.test"), domain="b.test"), True, sender="x@y.test")
case("from a domain, signed by a name below", signed(mail("ann@test"), domain="b.test"), False, sender="x@y.test")
case("with an empty return path, from its server", ann, False, ip=INSIDE, sender="", helo="mx.b.test")
case("by way of redirect and exists", mail("ann@c.test"), True, ip=INSIDE, sender="ann@c.test")

found = "dmarc=pass header.from=a.test; dkim=pass header.d=a.test"
forwarded = through_list(signed(ann), found)
bounce = dict(ip=LIST, helo="list.test", sender="bounces@list.test")
case("by a list", forwarded, False, believed=True, **bounce)
case("by a list, and altered since", forwarded.replace(b"parcel", b"money"), False, **bounce)
case("by a list that found nothing", through_list(ann, "dmarc=fail header.from=a.test"), False, **bounce)
case("by a list that found another sender", through_list(ann, "dmarc=pass header.from=b.test"), False, **bounce)

print(json.dumps({"records": records, "mails": mails}))
