"""Cursors of the change feed: where a reader stands, as opaque text.

`cur_` and 52 characters of base64url: version, the issuing epoch's id (its beginning), the position, and a checksum
that includes the organisation. It is no secret and no signature: what it names is looked up for the caller's
organisation only.
"""

from __future__ import annotations

import hashlib
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple
from uuid import UUID

from align.db.epochs import Epoch

PREFIX = "cur_"
PATTERN = r"^cur_[A-Za-z0-9_-]{52}$"
_FORM = re.compile(PATTERN)
_VERSION = 1
# Version, beginning of the epoch's id, position; the checksum follows.
_LAYOUT = struct.Struct(">B6siQ16s")
_CHECKSUM_BYTES = 4


class Position(NamedTuple):
    """A place in the order of events: that of one event, or START."""

    epoch: int
    transaction_id: int
    event_id: UUID


START = Position(0, 0, UUID(int=0))


class Malformed(Exception):
    """The text is no cursor of this organisation."""


class OfAnotherEpoch(Exception):
    """The cursor was given out by another history of the database."""


def write(organization_id: UUID, epoch: Epoch, position: Position) -> str:
    """The cursor of a reader who stands at `position`."""
    packed = _LAYOUT.pack(_VERSION, epoch.id.bytes[:6], *position[:2], position.event_id.bytes)
    return PREFIX + urlsafe_b64encode(packed + _checksum(organization_id, packed)).decode()


def read(organization_id: UUID, epoch: Epoch, text: str) -> Position:
    """The position in a cursor. Raises Malformed or OfAnotherEpoch."""
    if not _FORM.fullmatch(text):
        raise Malformed
    whole = urlsafe_b64decode(text.removeprefix(PREFIX))
    packed, checksum = whole[:-_CHECKSUM_BYTES], whole[-_CHECKSUM_BYTES:]
    if checksum != _checksum(organization_id, packed):
        raise Malformed
    version, epoch_id, number, transaction_id, event_id = _LAYOUT.unpack(packed)
    if version != _VERSION or epoch_id != epoch.id.bytes[:6]:
        raise OfAnotherEpoch
    return Position(number, transaction_id, UUID(bytes=event_id))


def _checksum(organization_id: UUID, packed: bytes) -> bytes:
    return hashlib.sha256(organization_id.bytes + packed).digest()[:_CHECKSUM_BYTES]
