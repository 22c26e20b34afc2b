"""What the server does for the change feed on its own: tells how far behind it is, and deletes old events."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import structlog

from align.db import sql
from align.web.metrics import CHANGES_DELAY_SECONDS

log = structlog.get_logger()

_queries = sql.load(Path(__file__).with_name("housekeeping.sql"))

DELAY_PAUSE_SECONDS = 5
RETENTION_PAUSE_SECONDS = 60
# Of one organisation in one transaction: so that it never holds much, or for long.
DELETED_AT_ONCE = 1000


class Delay:
    """How long the feed has been held back by the transaction that holds it back now.

    When a transaction of another role began is not told to an ordinary one. So it is also noted since when the same
    transaction has been the oldest.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._horizon = 0
        self._since = 0.0

    async def measure(self) -> float:
        """Renew the metric; returns the seconds."""
        row = await self._pool.fetchrow(_queries.oldest_writer)
        if not row["is_held"] or row["horizon"] != self._horizon:
            self._horizon, self._since = row["horizon"], time.monotonic()
        seconds = max(row["seconds"], time.monotonic() - self._since) if row["is_held"] else 0.0
        CHANGES_DELAY_SECONDS.set(seconds)
        return seconds


async def delete_old_events(pool: asyncpg.Pool, days: int) -> int:
    """Delete the events of all organisations that are older than `days`; returns how many there were."""
    total = 0
    for row in await pool.fetch(_queries.organizations_with_old_events, days):
        deleted = DELETED_AT_ONCE
        while deleted == DELETED_AT_ONCE:
            arguments = (row["organization_id"], days, DELETED_AT_ONCE)
            deleted = await pool.fetchval(_queries.delete_old_events, *arguments) or 0
            total += deleted
    return total


def tasks(pool: asyncpg.Pool, retention_days: int) -> list[asyncio.Task[None]]:
    """What a running server does for the feed, until it is cancelled."""

    async def forget() -> None:
        if deleted := await delete_old_events(pool, retention_days):
            log.info("events older than the retention deleted", events=deleted)

    started = [asyncio.create_task(_repeat(Delay(pool).measure, DELAY_PAUSE_SECONDS))]
    if retention_days:
        started.append(asyncio.create_task(_repeat(forget, RETENTION_PAUSE_SECONDS)))
    return started


async def _repeat(work: Callable[[], Awaitable[object]], pause_seconds: float) -> None:
    while True:
        try:
            await work()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("housekeeping of events failed; it is tried again", reason=type(error).__name__)
        await asyncio.sleep(pause_seconds)
