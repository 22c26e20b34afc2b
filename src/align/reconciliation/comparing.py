"""Compares a sender's list with what is stored, on one snapshot of the database."""

import asyncio
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple
from uuid import UUID

import asyncpg
from msgspec import UNSET

from align.db import sql
from align.errors import body
from align.reconciliation import lines, period
from align.reconciliation.differences import (
    Differences,
    DifferentEntry,
    DuplicateLine,
    InvalidLine,
    MissingEntry,
    Values,
)
from align.reconciliation.lines import ListedEntry
from align.reconciliation.period import Period

queries = sql.load(Path(__file__).with_name("reconcile.sql"))

# Twice what a list may hold: beyond that, the two sides don't speak of the same range.
MAXIMUM_ENTRIES = 200_000
# Read, compared or looked up before other requests get their turn.
LINES_PER_TURN = 50
ROWS_PER_TURN = 500

# What is compared: the member of a line, its field, the column.
_COMPARED = (
    ("workDate", "day", "work_date"),
    ("minutes", "minutes", "minutes"),
    ("projectId", "project_id", "project_id"),
    ("userId", "user_id", "user_id"),
    ("entryId", "entry_id", "ticket_id"),
    ("billable", "billable", "billable"),
    ("description", "description", "description"),
    ("status", "status", "status"),
)


class Place(NamedTuple):
    """Where a line of the list stands."""

    line: int
    offset: int


class List:
    """A sender's list: its lines in a file, and where each external id stands in it.

    In memory is only the place of each, so some 200 bytes a line.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.places: dict[str, Place] = {}
        # Of lines that can't be compared: what is here under these ids is not extra.
        self.unread: set[str] = set()
        # Names of members that are not known.
        self.unknown: dict[str, None] = {}
        self._file = file

    def entry(self, place: Place) -> ListedEntry:
        """What a line says that was found fit."""
        self._file.seek(place.offset)
        return lines.known(self._file.readline())

    async def read(self, system: str, request_id: str, found: Differences, *, strict: bool) -> None:
        """Look at all lines; those that can't be compared, and repeated ones, are differences."""
        self._file.seek(0)
        offset = 0
        for number, text in enumerate(self._file, 1):
            entry, unknown = lines.read(text.rstrip(b"\n"), system, strict=strict)
            self.unknown.update(dict.fromkeys(unknown))
            if isinstance(entry, lines.Refused):
                found.add(
                    "invalid",
                    InvalidLine(
                        line=number, external_id=entry.external_id or UNSET, error=body(entry.error, request_id)
                    ),
                )
                if entry.external_id:
                    self.unread.add(entry.external_id)
            elif first := self.places.get(entry.external_id):
                found.add("duplicate", DuplicateLine(external_id=entry.external_id, line=number, first_line=first.line))
            else:
                self.places[entry.external_id] = Place(number, offset)
            offset += len(text)
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)


async def compare(
    tx: asyncpg.Connection,
    organization_id: UUID,
    wanted: Period,
    listed: List,
    found: Differences,
    maximum: int = MAXIMUM_ENTRIES,
) -> None:
    """Add what differs. Raises ApiError 400 when more than `maximum` entries are here.

    `tx` sees one snapshot: a sync that runs meanwhile is seen everywhere or nowhere.
    """
    seen = 0
    cursor = await tx.cursor(
        queries.entries_of_period, organization_id, wanted.external_system, wanted.start_date, wanted.end_date
    )
    while rows := await cursor.fetch(ROWS_PER_TURN):
        seen += len(rows)
        if seen > maximum:
            raise period.too_many(maximum)
        extra = [row for row in rows if not _compare(row, listed, found)]
        await _add_extra(tx, organization_id, extra, found)
    await _look_up(tx, organization_id, wanted, listed, found)
    found.end()


def _compare(row: asyncpg.Record, listed: List, found: Differences) -> bool:
    """Whether an entry that is here is in the list, too."""
    place = listed.places.pop(row["external_id"], None)
    if place is None:
        return row["external_id"] in listed.unread
    fields = _fields(listed.entry(place), row)
    if fields:
        found.add(
            "different", DifferentEntry(external_id=row["external_id"], line=place.line, id=row["id"], fields=fields)
        )
    else:
        found.count_same()
    return True


def _fields(theirs: ListedEntry, ours: asyncpg.Record) -> dict[str, Values]:
    return {
        name: Values(theirs=value, ours=ours[column])
        for name, field, column in _COMPARED
        if (value := getattr(theirs, field)) is not UNSET and value != ours[column]
    }


async def _add_extra(
    tx: asyncpg.Connection, organization_id: UUID, rows: list[asyncpg.Record], found: Differences
) -> None:
    if not rows:
        return
    ids = {row["id"] for row in rows}
    texts = {row["id"]: row["json"] for row in await tx.fetch(queries.json_of_entries, organization_id, ids)}
    for row in rows:
        found.add_extra(row["external_id"], texts[row["id"]])


async def _look_up(
    tx: asyncpg.Connection, organization_id: UUID, wanted: Period, listed: List, found: Differences
) -> None:
    """What is in the list but not here in the range: perhaps it lies on another day, or was deleted."""
    for external_ids in _chunks(list(listed.places)):
        rows = await tx.fetch(queries.entries_of_external_ids, organization_id, wanted.external_system, external_ids)
        here = {row["external_id"]: row for row in rows}
        for external_id in external_ids:
            row = here.get(external_id)
            if row is not None and row["deleted_at"] is None:
                _compare(row, listed, found)
            else:
                found.add("missing", _missing(external_id, listed.places[external_id], row))


def _missing(external_id: str, place: Place, deleted: asyncpg.Record | None) -> MissingEntry:
    missing = MissingEntry(external_id=external_id, line=place.line, deleted=deleted is not None)
    if deleted is not None:
        missing.id, missing.deleted_at = deleted["id"], deleted["deleted_at"]
    return missing


def _chunks(ids: list[str]) -> Iterable[list[str]]:
    left = iter(ids)
    while chunk := list(islice(left, ROWS_PER_TURN)):
        yield chunk
