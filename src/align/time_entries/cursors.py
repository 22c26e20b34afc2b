"""Cursors of deep reads: a position in one order of one organisation's filtered list, opaque to callers."""

import binascii
import datetime
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

import msgspec

from align.errors import ApiError, Problem, invalid

# As the first cursor; an empty one means the same.
START = "start"
MAXIMUM_LENGTH = 200

Position = tuple[datetime.date | datetime.datetime, UUID]


class _Written(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    list: str
    position: str
    id: UUID


def of_list(*parts: object) -> str:
    """What a cursor is bound to, as a short text: the organisation, the filters, the order."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:20]


def write(list_: str, position: Position) -> str:
    """The cursor that continues the list after a position."""
    text = msgspec.json.encode(_Written(list_, position[0].isoformat(), position[1]))
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def read(text: str, list_: str, kind: type[datetime.date]) -> Position | None:
    """The position after which a list goes on, or None for its start. Raises ApiError 400."""
    if text in ("", START):
        return None
    try:
        written = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Written)
        position = kind.fromisoformat(written.position)
        if isinstance(position, datetime.datetime):
            position = position.astimezone(datetime.UTC)
    except (ValueError, OverflowError, binascii.Error, msgspec.MsgspecError):
        raise _invalid("is none that was given out; begin with cursor=start") from None
    if written.list != list_:
        raise _invalid("belongs to another list: send the filters and sort it was given out for, or cursor=start")
    return position, written.id


def _invalid(message: str) -> ApiError:
    return invalid([Problem("cursor", "invalid_cursor", message)])
