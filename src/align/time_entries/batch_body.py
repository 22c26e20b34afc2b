"""Reads a batch: from one JSON object with many members, or from a stream of lines."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.api_keys.authentication import Caller
from align.errors import ApiError, Problem, invalid
from align.time_entries import decoding, rows
from align.time_entries.model import SyncedTimeEntry, SyncTimeEntry
from align.time_entries.rows import SyncRow
from align.web import body as bodies
from align.web import strict_json
from align.web.http import MAXIMUM_BODY_BYTES, Request, too_large

MAXIMUM_MEMBERS = 1000
# A member of a batch is a few hundred bytes; a thousand with long descriptions still fit.
MAXIMUM_BATCH_BYTES = 4 * 1024 * 1024


class SyncTimeEntries(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /integration/time-entries/batch`."""

    entries: Annotated[
        list[SyncTimeEntry], Meta(min_length=1, max_length=MAXIMUM_MEMBERS, description="In the order of the results.")
    ]


class SyncResult(msgspec.Struct, rename="camel", kw_only=True):
    """What became of one member of a batch: `entry` with status 201 or 200, `error` with any other."""

    index: Annotated[int, Meta(ge=0, description="Place of the member in the batch, from 0.")]
    status: Annotated[int, Meta(description="The status that the single operation would have answered.")]
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


class _Members(msgspec.Struct):
    entries: list[msgspec.Raw]


class Member(NamedTuple):
    """One member of a batch: the row that syncs it, or the error that refuses it."""

    row: SyncRow | None
    error: ApiError | None
    unknown: list[str]


_DECODER = msgspec.json.Decoder(_Members)
_HEAD = re.compile(rb'\s*\{\s*"entries"\s*:\s*\[')
_TAIL = re.compile(rb"\s*\]\s*\}\s*")


def members(text: bytes) -> tuple[list[bytes], list[str]]:
    """The members of a JSON batch, each as its own text, and the names of unknown members beside `entries`.

    Raises ApiError 400 when the body as a whole is not a batch; what is wrong inside a member is not looked at.
    """
    try:
        found = [bytes(raw) for raw in _DECODER.decode(text).entries]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    unknown: list[str] = []
    if found is None or not _is_plain(text, found):
        unknown = _check_thoroughly(text)
    if found is None or not 1 <= len(found) <= MAXIMUM_MEMBERS:
        raise invalid([_EXPECTED])
    return found, unknown


_EXPECTED = Problem("entries", "out_of_range", f"must be an array of 1 to {MAXIMUM_MEMBERS} time entries")


def _is_plain(text: bytes, found: list[bytes]) -> bool:
    """Whether nothing but `{"entries": [member, member, ...]}` stands in the text: no second member of that name."""
    head = _HEAD.match(text)
    if head is None:
        return False
    position = head.end()
    for index, member in enumerate(found):
        start = text.index(member, position)
        if text[position:start].strip(b" \t\r\n") != (b"," if index else b""):
            return False
        position = start + len(member)
    return _TAIL.fullmatch(text, position) is not None


def _check_thoroughly(text: bytes) -> list[str]:
    try:
        value = strict_json.parse(text)
    except strict_json.Malformed as error:
        raise invalid(error.problems) from None
    if not isinstance(value, dict):
        raise invalid([Problem("", "wrong_type", "must be an object with the member entries")])
    if not isinstance(value.get("entries"), list):
        raise invalid([_EXPECTED])
    return [name for name in value if name != "entries"]


def member(caller: Caller, text: bytes) -> Member:
    """Read one member of a batch, as the single operation reads its body."""
    if len(text) > MAXIMUM_BODY_BYTES:
        return Member(None, too_large(MAXIMUM_BODY_BYTES), [])
    try:
        entry, unknown = decoding.decode(text)
    except bodies.Unfit as unfit:
        problems = unfit.problems + (bodies.unknown_problems(unfit.unknown) if caller.strict else [])
        return Member(None, invalid(problems), unfit.unknown)
    return Member(rows.row(caller, entry, bool(unknown)), None, unknown)


async def lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of a streamed body, without blank ones; one longer than a body may be comes cut, to be refused."""
    rest = b""
    async for part in request.parts():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > MAXIMUM_BODY_BYTES:
            rest = rest[: MAXIMUM_BODY_BYTES + 1]
    if rest.strip():
        yield rest
