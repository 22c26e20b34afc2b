"""One picture of the data for everything that is compared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from align.db import sql

queries = sql.load(Path(__file__).with_name("planning.sql"))


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that sees what was committed before its first statement, and changes nothing."""
    async with pool.acquire() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        await tx.execute(queries.forbid_scans)
        yield tx
