"""What a worker does now and then beside delivering: counts what waits, forgets what is old."""

from datetime import timedelta
from pathlib import Path

import asyncpg

from align.db import sql
from align.web.metrics import WEBHOOK_PENDING

QUERIES = sql.load(Path(__file__).with_name("upkeep.sql"))

# How long deliveries and their attempts are shown after they were delivered or given up.
KEPT = timedelta(days=30)
DELETED_AT_ONCE = 1000


async def once(pool: asyncpg.Pool) -> None:
    """Everything, in small steps; should there be more to delete, the next time goes on."""
    WEBHOOK_PENDING.set(await pool.fetchval(QUERIES.count_pending))
    await pool.execute(QUERIES.release_followers)
    await pool.execute(QUERIES.pass_by)
    await delete_old(pool)


async def delete_old(pool: asyncpg.Pool, steps: int = 10) -> None:
    """Delete settled deliveries that are older than KEPT, with their attempts: at most `steps` times a thousand."""
    for _ in range(steps):
        tag = await pool.execute(QUERIES.delete_old_deliveries, KEPT, DELETED_AT_ONCE)
        if int(tag.removeprefix("DELETE ")) < DELETED_AT_ONCE:
            return
