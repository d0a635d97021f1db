"""Signs requests as Twilio does, by its own library: an object of JSON a line comes in (`token`, `url`, and `form` as pairs, or
`body` as text), its signature goes out. Of a body of JSON the URL comes back as well, with the body's hash in it."""
import json
import sys

from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict
from hashlib import sha256

for line in sys.stdin:
    request = json.loads(line)
    validator = RequestValidator(request["token"])
    url = request["url"]
    if "body" in request:
        digest = sha256(request["body"].encode()).hexdigest()
        url += ("&" if "?" in url else "?") + "bodySHA256=" + digest
        signature = validator.compute_signature(url, {})
        assert validator.validate(url, request["body"], signature)
    else:
        form = MultiDict([tuple(pair) for pair in request["form"]])
        signature = validator.compute_signature(url, form)
        assert validator.validate(url, form, signature)
    print(json.dumps({"url": url, "signature": signature}), flush=True)
