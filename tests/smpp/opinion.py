"""What smpplib, a library of others' making, understands of units: one in hexadecimal a line comes in, one line of JSON goes
out for each. A line `text TEXT` asks for its own parts of a text instead."""
import json
import sys

from smpplib import gsm, smpp
from smpplib.client import SimpleSequenceGenerator


class Client:
    """All that a unit wants of one: numbers, which those it reads have already."""

    sequence_generator = SimpleSequenceGenerator()

    def next_sequence(self):
        return self.sequence_generator.next_sequence()


for line in sys.stdin:
    line = line.rstrip("\n")
    if line.startswith("text "):
        parts, encoding, _ = gsm.make_parts(json.loads(line[5:]))
        # Its parts begin with a header of six octets where there are several, with a random reference.
        told = {"encoding": encoding, "parts": [part[6 if len(parts) > 1 else 0 :].hex() for part in parts]}
    else:
        unit = smpp.parse_pdu(bytes.fromhex(line), client=Client(), allow_unknown_opt_params=True)
        octets = lambda value: value.hex() if isinstance(value, bytes) else value
        names = (
            "command sequence status source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi "
            "destination_addr esm_class registered_delivery data_coding short_message message_payload sar_msg_ref_num "
            "sar_total_segments sar_segment_seqnum system_id password system_type message_id"
        )
        told = {name: octets(getattr(unit, name, None)) for name in names.split()}
    print(json.dumps(told), flush=True)
