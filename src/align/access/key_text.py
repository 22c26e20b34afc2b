"""The text of an API key: prefix, random part, checksum.

`ako_` (organisation) or `akp_` (project), 32 characters of base 62 (190 random bits), then 6 characters of
base 62 that carry the CRC-32 of what stands before them. The prefix lets people and secret scanners recognise
a key; the checksum refuses typing errors and guesses before the database is asked. It is no secret.
"""

import hashlib
import hmac
import secrets
import string
import zlib
from typing import Literal

import msgspec

Scope = Literal["organization", "project"]

PREFIXES: dict[Scope, str] = {"organization": "ako_", "project": "akp_"}
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 32
CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
KEY_LENGTH = 4 + RANDOM_LENGTH + CHECKSUM_LENGTH
# What of a key is shown again, so that people can tell their keys apart.
SHOWN_LENGTH = 10


class NewKey(msgspec.Struct, frozen=True):
    """A key just made: its whole text, to be shown once, and what is stored of it."""

    text: str
    prefix: str
    digest: bytes


def make(scope: Scope) -> NewKey:
    """A new random key for `scope`."""
    body = PREFIXES[scope] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    text = body + _checksum(body)
    return NewKey(text=text, prefix=text[:SHOWN_LENGTH], digest=digest(text))


def digest(text: str) -> bytes:
    """SHA-256 of the key: enough for 190 random bits, where a slow hash would add nothing but load."""
    return hashlib.sha256(text.encode()).digest()


def is_well_formed(text: str) -> bool:
    """Whether prefix, length and checksum are those of a key of ours."""
    if len(text) != KEY_LENGTH or not text.isascii() or not text.startswith(tuple(PREFIXES.values())):
        return False
    return hmac.compare_digest(_checksum(text[:-CHECKSUM_LENGTH]), text[-CHECKSUM_LENGTH:])


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, remainder = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[remainder])
    return "".join(reversed(digits))
