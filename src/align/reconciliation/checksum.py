"""Checksums of one system's entries by day, project or user, which a sender can compute of its own."""

from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Meta

from align.access.calls import Call, ok
from align.db import sql
from align.reconciliation import period
from align.reconciliation.period import Period
from align.reconciliation.snapshot import snapshot
from align.web.http import Answer
from align.web.query import Query

queries = sql.load(Path(__file__).with_name("checksum.sql"))

# What one statement may hold in memory: some 100 bytes for each.
MAXIMUM_ENTRIES = 250_000

GroupBy = Literal["day", "project", "user"]
_Hash = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 over the entries' lines, in the order of their external ids; see the operation.",
    ),
]


class ChecksumQuery(Period, frozen=True, rename="camel", kw_only=True):
    """The parameters of `GET /integration/checksum`."""

    group_by: Annotated[GroupBy, Meta(description="What the groups are.")] = "day"
    include_status: Annotated[
        bool, Meta(description="Whether the lines hold the status; a sender that knows none says false.")
    ] = True


class Group(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The entries of one day, project or user; only groups with entries are there."""

    key: Annotated[str, Meta(description="The day `YYYY-MM-DD`, or the id.", examples=["2025-01-15"])]
    count: Annotated[int, Meta(ge=0)]
    minutes: Annotated[int, Meta(ge=0)]
    hash: _Hash


class Total(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """All entries together."""

    count: Annotated[int, Meta(ge=0)]
    minutes: Annotated[int, Meta(ge=0)]
    hash: _Hash


class Checksum(ChecksumQuery, frozen=True, rename="camel", kw_only=True):
    """The answer: what was asked, the groups in the order of their keys, and the total."""

    groups: list[Group]
    total: Total


QUERY = Query(ChecksumQuery)


async def answer(call: Call) -> Answer:
    """`GET /integration/checksum`."""
    wanted = period.read(call, QUERY)
    async with snapshot(call.pool) as tx:
        return ok(await checksum(tx, call.organization_id, wanted))


async def checksum(
    tx: asyncpg.Connection, organization_id: UUID, wanted: ChecksumQuery, maximum: int = MAXIMUM_ENTRIES
) -> Checksum:
    """The sums. Raises ApiError 400 when there are more than `maximum` entries."""
    *groups, total = await tx.fetch(
        queries.checksum,
        organization_id,
        wanted.external_system,
        wanted.start_date,
        wanted.end_date,
        wanted.group_by,
        wanted.include_status,
        maximum + 1,
    )
    if total["count"] > maximum:
        raise period.too_many(maximum)
    return Checksum(
        **msgspec.structs.asdict(wanted),
        groups=[Group(**group) for group in groups],
        total=Total(count=total["count"], minutes=total["minutes"], hash=total["hash"]),
    )
