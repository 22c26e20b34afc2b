"""Lists of time entries: pages, cursors for deep reads, and CSV of any length; all read the same six queries."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta, UnsetType

from align.db import sql
from align.time_entries import cursors
from align.time_entries.cursors import Position
from align.time_entries.filters import Filters, ProjectId
from align.web.query import MAXIMUM_PAGE_SIZE, Page

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("search.sql"))

SortName = Literal["workDate", "-workDate", "createdAt", "-createdAt", "updatedAt", "-updatedAt"]
# Lines of CSV that are read together. A list is never held in memory, however long it is.
CSV_LINES = 2000
CSV_HEAD = (
    "id,organizationId,projectId,userId,entryId,workDate,hours,minutes,notes,billable,source,status,invoiced,"
    "createdAt,updatedAt\r\n"
)


class ProjectListing(Filters, rename="camel", kw_only=True):
    """The parameters of `GET /projects/{id}/time-entries`."""

    page: Annotated[int, Meta(ge=1, le=10_000_000, description="Page, from 1.")] = 1
    page_size: Annotated[int, Meta(ge=1, le=MAXIMUM_PAGE_SIZE, description="Members of a page.")] = 25
    sort: Annotated[
        SortName, Meta(description="Order; `-` is descending. Equal ones follow by id in the same direction.")
    ] = "-workDate"
    cursor: (
        Annotated[
            str,
            Meta(
                max_length=cursors.MAXIMUM_LENGTH,
                description="For deep reads, instead of `page`: `start` (or empty), then each answer's `nextCursor` "
                "with the same filters and sort, until it is null.",
            ),
        ]
        | UnsetType
    ) = msgspec.UNSET

    def as_page(self) -> Page:
        """The page that is asked for."""
        return Page(page=self.page, page_size=self.page_size)


class Listing(ProjectListing, rename="camel", kw_only=True):
    """The parameters of `GET /time-entries`."""

    project_id: ProjectId | UnsetType = msgspec.UNSET


class Sort(msgspec.Struct, frozen=True):
    """One order: its query, the type of its positions, and a position before all others."""

    query: str
    kind: type[datetime.date]
    start: Position


def _sort(name: str) -> Sort:
    column = {"workDate": "work_date", "createdAt": "created_at", "updatedAt": "updated_at"}[name.removeprefix("-")]
    descends = name.startswith("-")
    kind = datetime.date if column == "work_date" else datetime.datetime
    moment = datetime.datetime(9000 if descends else 1900, 1, 1, tzinfo=datetime.UTC)
    start = (moment.date() if kind is datetime.date else moment, UUID(int=2**128 - 1 if descends else 0))
    return Sort(getattr(queries, f"by_{column}_{'desc' if descends else 'asc'}"), kind, start)


SORTS: dict[str, Sort] = {name: _sort(name) for name in get_args(SortName)}


class Found(msgspec.Struct, frozen=True):
    """What to list: an organisation, the parameters of filters.sql, an order."""

    organization_id: UUID
    filters: tuple[object, ...]
    sort: SortName

    @property
    def name(self) -> str:
        """What its cursors are bound to."""
        return cursors.of_list(self.organization_id, self.filters, self.sort)


async def page(db: asyncpg.Pool, found: Found, limit: int, offset: int) -> tuple[list[str], int]:
    """The wire forms of one page, and how many time entries there are in all."""
    rows = await _rows(db, found, SORTS[found.sort].start, limit, offset)
    total: int = await db.fetchval(queries.count_entries, found.organization_id, *found.filters)
    return [row["line"] for row in rows], total


async def after(db: asyncpg.Pool, found: Found, cursor: str, limit: int) -> tuple[list[str], str | None]:
    """The wire forms that follow a cursor, and the next cursor unless that was all. Raises ApiError 400."""
    sort = SORTS[found.sort]
    position = cursors.read(cursor, found.name, sort.kind) or sort.start
    rows = await _rows(db, found, position, limit + 1)
    next_cursor = None
    if len(rows) > limit:
        rows = rows[:limit]
        next_cursor = cursors.write(found.name, _position(rows[-1]))
    return [row["line"] for row in rows], next_cursor


async def csv_lines(db: asyncpg.Pool, found: Found) -> AsyncIterator[bytes]:
    """The whole list as CSV, part by part; between two parts no connection is held."""
    head, position = CSV_HEAD, SORTS[found.sort].start
    while True:
        rows = await _rows(db, found, position, CSV_LINES, csv=True)
        yield (head + "".join([row["line"] for row in rows])).encode()
        if len(rows) < CSV_LINES:
            return
        head, position = "", _position(rows[-1])


async def project_exists(db: asyncpg.Pool, organization_id: UUID, project_id: UUID) -> bool:
    """Whether the organisation has the project."""
    return await db.fetchval(queries.find_project, organization_id, project_id) is not None


async def _rows(
    db: asyncpg.Pool, found: Found, position: Position, limit: int, offset: int = 0, *, csv: bool = False
) -> list[Any]:
    query = SORTS[found.sort].query
    rows: list[Any] = await db.fetch(query, found.organization_id, *found.filters, *position, limit, offset, csv)
    return rows


def _position(row: Any) -> Position:
    return row["position"], row["id"]
