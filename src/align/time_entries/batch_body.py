"""Reads a batch: from one JSON object with many members, or from a stream of lines."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.access.admission import source_violation
from align.access.authentication import Caller
from align.errors import ApiError, Problem, invalid
from align.time_entries import decoding, rows
from align.time_entries.model import SyncedTimeEntry, SyncTimeEntry
from align.time_entries.rows import SyncRow
from align.web import body as bodies
from align.web import strict_json
from align.web.http import MAXIMUM_BODY_BYTES, Request, too_large
from align.web.query import Query

MAXIMUM_MEMBERS = 1000
# A member of a batch is a few hundred bytes; a thousand with long descriptions still fit.
MAXIMUM_BATCH_BYTES = 4 * 1024 * 1024


class SyncTimeEntriesQuery(msgspec.Struct, rename="camel", kw_only=True):
    """The parameters of `POST /integration/time-entries/batch`."""

    atomic: Annotated[bool, Meta(description="Store all members or none.")] = False


QUERY = Query(SyncTimeEntriesQuery)


class SyncTimeEntries(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /integration/time-entries/batch`."""

    entries: Annotated[
        list[SyncTimeEntry], Meta(min_length=1, max_length=MAXIMUM_MEMBERS, description="In the order of the results.")
    ]


class SyncResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one member of a batch: `entry` with status 201 or 200, `error` with any other."""

    index: Annotated[int, Meta(ge=0, description="Place of the member in the batch, from 0.")]
    status: Annotated[
        int,
        Meta(description="What the single operation would have answered; 424 when an atomic batch failed by others."),
    ]
    entry: SyncedTimeEntry | UnsetType = UNSET
    error: Annotated[dict[str, Any], Meta(description="As in the schema Error.")] | UnsetType = UNSET
    content_differs: (
        Annotated[list[str], Meta(description="Members whose values differ from the stored entry.")] | UnsetType
    ) = UNSET
    ignored_fields: Annotated[list[str], Meta(description="Members that the operation does not know.")] | UnsetType = (
        UNSET
    )


class SyncedTimeEntries(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to a batch."""

    created: Annotated[int, Meta(ge=0)]
    existing: Annotated[int, Meta(ge=0)]
    failed: Annotated[int, Meta(ge=0)]
    results: Annotated[list[SyncResult], Meta(description="In the order of the request.")]


class Member(NamedTuple):
    """One member of a batch: the row that syncs it, or the error that refuses it."""

    row: SyncRow | None
    error: ApiError | None
    unknown: list[str]


_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_UP_TO_VALUE = re.compile(rb'[ \t\r\n]*[{,][ \t\r\n]*"(?:[^"\\]|\\.)*+"[ \t\r\n]*:[ \t\r\n]*', re.DOTALL)
_UP_TO_ITEM = re.compile(rb"[ \t\r\n]*[\[,][ \t\r\n]*")
_SURROGATE = re.compile(rb"\\u[dD]([89a-fA-F])([0-9a-fA-F]{2})")
_ENTRIES = "entries"
_EXPECTATION = f"must be an array of 1 to {MAXIMUM_MEMBERS} time entries"


def members(text: bytes) -> tuple[list[bytes], list[str]]:
    """The members of a JSON batch, each as its own text, and the names of unknown members beside `entries`.

    Raises ApiError 400 when the body as a whole is not a batch; what is wrong inside a member is not looked at.
    """
    # Half a surrogate pair, as JavaScript writes it after cutting a text, is its member's fault alone; msgspec would
    # refuse the whole. Other characters of the same length show where the members begin and end just as well; U+E000
    # to U+E7FF, so that names that differ still do.
    readable = _SURROGATE.sub(lambda found: b"\\ue%x%s" % (int(found[1], 16) - 8, found[2]), text)
    try:
        outer = _OBJECT.decode(readable)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        outer = {}
    place = _place_of_entries(readable, outer)
    beside = text if place is None else text[: place.start] + b"[]" + text[place.stop :]
    if place is not None and len(beside) > MAXIMUM_BODY_BYTES:
        raise invalid([Problem("", "too_long", f"holds more than {MAXIMUM_BODY_BYTES} bytes beside entries")])
    unknown = _unknown(beside)
    try:
        found = _ARRAY.decode(outer[_ENTRIES])
    except (msgspec.MsgspecError, RecursionError):
        raise invalid([Problem(_ENTRIES, "wrong_type", _EXPECTATION)]) from None
    if place is None or not 1 <= len(found) <= MAXIMUM_MEMBERS:
        raise invalid([Problem(_ENTRIES, "out_of_range", _EXPECTATION)])
    return list(_cut(text, readable, place.start, found)), unknown


def _place_of_entries(text: bytes, outer: dict[str, msgspec.Raw]) -> slice | None:
    """Where the value of `entries` stands in the text; None when the text holds more than `outer` tells."""
    place, position = None, 0
    for name, raw in outer.items():
        value, before = bytes(raw), _UP_TO_VALUE.match(text, position)
        if before is None or not text.startswith(value, before.end()):
            return None
        position = before.end() + len(value)
        if name == _ENTRIES:
            place = slice(before.end(), position)
    return place


def _cut(text: bytes, readable: bytes, position: int, found: list[msgspec.Raw]) -> Iterator[bytes]:
    """The items of the array at `position`, as they stand in the text; `found` has their lengths."""
    for raw in found:
        before = _UP_TO_ITEM.match(readable, position)
        if before is None:
            raise ValueError("an array's items stand between commas")
        position = before.end() + len(bytes(raw))
        yield text[before.end() : position]


def _unknown(text: bytes) -> list[str]:
    """The names beside `entries`. Raises ApiError 400 unless the text is strict JSON with `entries`."""
    try:
        value = strict_json.parse(text)
    except strict_json.Malformed as error:
        raise invalid(error.problems) from None
    if not isinstance(value, dict):
        raise invalid([Problem("", "wrong_type", "must be an object with the member entries")])
    if _ENTRIES not in value:
        raise invalid([Problem(_ENTRIES, "required", f"is required; {_EXPECTATION}")])
    return [name for name in value if name != _ENTRIES]


def member(caller: Caller, text: bytes) -> Member:
    """Read one member of a batch, as the single operation reads its body."""
    if len(text) > MAXIMUM_BODY_BYTES:
        return Member(None, too_large(MAXIMUM_BODY_BYTES), [])
    try:
        entry, unknown = decoding.decode(text)
    except bodies.Unfit as unfit:
        problems = unfit.problems + (bodies.unknown_problems(unfit.unknown) if caller.strict else [])
        return Member(None, invalid(problems), unfit.unknown)
    if violation := source_violation(caller, entry.external_system):
        return Member(None, violation, unknown)
    return Member(rows.row(caller, entry, bool(unknown)), None, unknown)


async def lines(request: Request) -> AsyncIterator[list[bytes]]:
    """The lines of a streamed body as they come, without blank ones; too long ones come cut, to be refused."""
    rest = b""
    async for part in request.parts():
        *whole, rest = (rest + part).split(b"\n")
        if found := [line for line in whole if line.strip()]:
            yield found
        if len(rest) > MAXIMUM_BODY_BYTES:
            rest = rest[: MAXIMUM_BODY_BYTES + 1]
    if rest.strip():
        yield [rest]
