"""Sums of time by project, user, ticket, source, status, day, week or month, one or two of them at once."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.db import sql
from align.errors import ApiError, Problem, invalid
from align.time_entries import csv_form, duration
from align.time_entries.filters import Filters, ProjectId
from align.time_entries.model import Status

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("summary.sql"))

Key = Literal["project", "user", "entry", "source", "status", "day", "week", "month"]
KEYS: tuple[Key, ...] = get_args(Key)
MAXIMUM_KEYS = 2
# Groups of one answer, which is made in memory.
MAXIMUM_GROUPS = 20_000
_CSV_LINES = 1000

# What a group says of each key, and whether it is text in CSV (where ids, days and statuses can't be formulas).
_MEMBERS: dict[str, tuple[str, ...]] = {
    "project": ("projectId", "projectName"),
    "user": ("userId", "userName"),
    "entry": ("entryId", "entryTitle"),
    "source": ("source",),
    "status": ("status",),
    "day": ("day",),
    "week": ("week", "weekStart"),
    "month": ("month",),
}
_TEXTS = ("projectName", "userName", "entryTitle", "source")


class Grouping(Filters, rename="camel", kw_only=True):
    """The parameters of `GET /time-entries/summary`."""

    project_id: ProjectId | UnsetType = UNSET
    group_by: Annotated[
        list[
            Annotated[
                str,
                Meta(extra_json_schema={"pattern": rf"^({'|'.join(KEYS)})(,({'|'.join(KEYS)}))?$"}),
            ]
        ],
        Meta(
            min_length=1,
            max_length=MAXIMUM_KEYS,
            description=f"One or two of {', '.join(KEYS)}: `groupBy=project,week`, or repeated.",
            examples=[["project", "week"]],
        ),
    ]


class Sums(msgspec.Struct, rename="camel", kw_only=True):
    """Sums of time entries."""

    minutes: Annotated[int, Meta(ge=0, description="The sum.", examples=[100])]
    hours: Annotated[
        str,
        Meta(
            description="The sum of minutes as hours with two decimals, half up; not a sum of the rounded `hours` of "
            "time entries.",
            pattern=r"^\d+\.\d\d$",
            examples=["1.67"],
        ),
    ]
    billable_minutes: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=0, description="Time entries.")]
    billable_count: Annotated[int, Meta(ge=0)]


class SummaryGroup(Sums, rename="camel", kw_only=True):
    """The sums of one group; it has the members of its keys only."""

    project_id: UUID | UnsetType = UNSET
    project_name: str | UnsetType = UNSET
    user_id: UUID | UnsetType = UNSET
    user_name: str | UnsetType = UNSET
    entry_id: UUID | UnsetType | None = UNSET
    entry_title: str | UnsetType | None = UNSET
    source: str | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    day: datetime.date | UnsetType = UNSET
    week: Annotated[str, Meta(description="ISO 8601 week.", examples=["2025-W03"])] | UnsetType = UNSET
    week_start: Annotated[datetime.date, Meta(description="Its Monday.")] | UnsetType = UNSET
    month: Annotated[str, Meta(examples=["2025-01"])] | UnsetType = UNSET


class Summary(msgspec.Struct, rename="camel", kw_only=True):
    """The sums of the groups in the order of their keys' names or days, and those of all together."""

    group_by: list[Key]
    groups: list[SummaryGroup]
    totals: Sums


def keys_of(texts: Sequence[str]) -> list[str]:
    """The keys that `groupBy` names, comma-separated or repeated. Raises ApiError 400."""
    names = [name for text in texts for name in text.split(",")]
    if set(names) - set(KEYS):
        raise _unfit("unknown_value", f"must be one or two of: {', '.join(KEYS)}")
    if len(names) > MAXIMUM_KEYS:
        raise _unfit("too_long", "takes one key, or two")
    if len(set(names)) < len(names):
        raise _unfit("duplicate_parameter", "names a key twice")
    return names


def _unfit(code: str, message: str) -> ApiError:
    return invalid([Problem("groupBy", code, message)])


async def summarize(
    db: asyncpg.Pool, organization_id: UUID, keys: Sequence[str], filters: tuple[object, ...]
) -> dict[str, Any]:
    """The summary as it is written. Raises ApiError 400 for too many groups."""
    both = (keys[0], keys[1] if len(keys) > 1 else None)
    total, *rows = await db.fetch(queries.sum_entries, organization_id, *filters, *both, MAXIMUM_GROUPS + 2)
    if len(rows) > MAXIMUM_GROUPS:
        text = f"makes more than {MAXIMUM_GROUPS} groups; choose fewer days, or larger groups"
        raise invalid([Problem("groupBy", "too_many_groups", text)])
    return {"groupBy": list(keys), "groups": [_group(keys, row) for row in rows], "totals": _sums(total)}


async def csv_lines(keys: Sequence[str], groups: Sequence[dict[str, Any]]) -> AsyncIterator[bytes]:
    """The groups as CSV, without the totals."""
    columns = [name for key in keys for name in _MEMBERS[key]] + list(Sums.__struct_encode_fields__)
    lines = [",".join(columns) + "\r\n"]
    for start in range(0, max(len(groups), 1), _CSV_LINES):
        lines += [
            ",".join([_cell(name, group[name]) for name in columns]) + "\r\n"
            for group in groups[start : start + _CSV_LINES]
        ]
        yield "".join(lines).encode()
        lines = []


def _group(keys: Sequence[str], row: Any) -> dict[str, Any]:
    group: dict[str, Any] = {}
    for key, value, name in zip(
        keys, (row["first_key"], row["second_key"]), (row["first_name"], row["second_name"]), strict=False
    ):
        further = week_start(value).isoformat() if key == "week" else name
        group |= dict(zip(_MEMBERS[key], (value, further), strict=False))
    return group | _sums(row)


def week_start(week: str) -> datetime.date:
    """The Monday of an ISO 8601 week such as 2025-W03."""
    year, number = week.split("-W")
    return datetime.date.fromisocalendar(int(year), int(number), 1)


def _sums(row: Any) -> dict[str, Any]:
    return {
        "minutes": row["minutes"],
        "hours": duration.hours_of(row["minutes"]),
        "billableMinutes": row["billable_minutes"],
        "count": row["entries"],
        "billableCount": row["billable_entries"],
    }


def _cell(name: str, value: object) -> str:
    if name in _TEXTS:
        return csv_form.text(value if isinstance(value, str) else None)
    return "" if value is None else str(value)
