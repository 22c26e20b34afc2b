"""The header Idempotency-Key (contract, decision 5): its value and the fingerprint of the body it comes with."""

import hashlib
import json
import re

from align.errors import ApiError
from align.web import strict_json
from align.web.http import Request

# The quoted form is the string of RFC 9651, as the IETF draft has it; "abc" and abc are one key.
_QUOTED = re.compile(r'"(?P<key>(?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_key(request: Request) -> str | None:
    """The key, or None without the header. Raises ApiError 400 `idempotency_key_invalid`."""
    if b"idempotency-key" not in request.headers:
        return None
    values = request.header_values(b"idempotency-key")
    if len(values) > 1:
        raise ApiError("idempotency_key_invalid", "Idempotency-Key was sent more than once")
    value = values[0].strip(" \t")
    quoted = _QUOTED.fullmatch(value) if value.startswith('"') else None
    key = re.sub(r"\\(.)", r"\1", quoted["key"]) if quoted else value
    if not _KEY.fullmatch(key) or (quoted is None and value.startswith('"')):
        raise ApiError(
            "idempotency_key_invalid",
            "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces, bare or quoted",
        )
    return key


def fingerprint(body: bytes) -> bytes:
    """SHA-256 of what the body says: key order and white space, which a client may write anew, do not count."""
    try:
        value = strict_json.parse(body)
    except strict_json.Malformed:
        return hashlib.sha256(b"malformed:" + body).digest()
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=lambda number: {"number": number.text})
    return hashlib.sha256(canonical.encode()).digest()
