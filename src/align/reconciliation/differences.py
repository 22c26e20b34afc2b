"""What a comparison finds, as the lines of its answer; kept out of memory until they are sent."""

import datetime
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal, TypedDict
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.time_entries.model import TimeEntry

# What is larger lies in a temporary file.
BYTES_IN_MEMORY = 1024 * 1024
BYTES_PER_CHUNK = 64 * 1024

_LineNumber = Annotated[int, Meta(ge=1, description="Of the list, from 1; blank lines are not counted.")]


class MissingEntry(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="missing"):
    """In the list, but not here."""

    external_id: str
    line: _LineNumber
    deleted: Annotated[bool, Meta(description="Whether it was here and was deleted.")]
    id: Annotated[UUID, Meta(description="Of the deleted time entry.")] | UnsetType = UNSET
    deleted_at: Annotated[datetime.datetime, Meta(tz=True)] | UnsetType = UNSET


class ExtraEntry(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="extra"):
    """Here, on a day of the range, but not in the list."""

    external_id: str
    entry: TimeEntry


class Values(TypedDict):
    """Both sides of a member that differs."""

    theirs: Any
    ours: Any


class DifferentEntry(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="different"):
    """On both sides, but not the same."""

    external_id: str
    line: _LineNumber
    id: UUID
    fields: Annotated[
        dict[str, Values],
        Meta(
            description="The members that differ, by the names in the list: `theirs` as sent (of `workDate` the day), "
            "`ours` as stored.",
            examples=[{"minutes": {"theirs": 90, "ours": 60}}],
        ),
    ]


class InvalidLine(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="invalid"):
    """A line that could not be compared."""

    line: _LineNumber
    external_id: Annotated[str, Meta(description="If it can be read.")] | UnsetType = UNSET
    error: Annotated[dict[str, Any], Meta(description="As in the schema Error; `details` has every problem.")]


class DuplicateLine(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="duplicate"):
    """A line whose external id an earlier line had; that one was compared."""

    external_id: str
    line: _LineNumber
    first_line: _LineNumber


class ReconciliationSummary(msgspec.Struct, rename="camel", kw_only=True, tag_field="kind", tag="summary"):
    """The last line. `received` is the sum of the others but `extra`."""

    received: Annotated[int, Meta(ge=0, description="Lines of the list.")]
    same: Annotated[int, Meta(ge=0)]
    different: Annotated[int, Meta(ge=0)]
    missing: Annotated[int, Meta(ge=0)]
    extra: Annotated[int, Meta(ge=0)]
    invalid: Annotated[int, Meta(ge=0)]
    duplicate: Annotated[int, Meta(ge=0)]


Difference = MissingEntry | DifferentEntry | InvalidLine | DuplicateLine
Kind = Literal["same", "different", "missing", "extra", "invalid", "duplicate"]


class Differences:
    """The lines found so far, and how many of each kind."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(BYTES_IN_MEMORY)  # noqa: SIM115 - closed by its user
        self._counts: Counter[Kind] = Counter()

    def count_same(self) -> None:
        """One more that is the same on both sides."""
        self._counts["same"] += 1

    def add(self, kind: Kind, difference: Difference) -> None:
        """One more line."""
        self._counts[kind] += 1
        self._file.write(msgspec.json.encode(difference) + b"\n")

    def add_extra(self, external_id: str, entry: str) -> None:
        """One more entry that is not in the list, given its JSON."""
        self._counts["extra"] += 1
        self._file.write(
            b'{"kind":"extra","externalId":%s,"entry":%s}\n' % (msgspec.json.encode(external_id), entry.encode())
        )

    def end(self) -> None:
        """The last line, with the counts."""
        received = self._counts.total() - self._counts["extra"]
        counts = {
            kind: self._counts[kind] for kind in ("same", "different", "missing", "extra", "invalid", "duplicate")
        }
        self._file.write(msgspec.json.encode(ReconciliationSummary(received=received, **counts)) + b"\n")

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """All lines, in parts; then they are gone."""
        with self._file:
            self._file.seek(0)
            while chunk := self._file.read(BYTES_PER_CHUNK):
                yield chunk

    def close(self) -> None:
        """Forget all lines."""
        self._file.close()
