"""Connections for everything but the sync path, which keeps its own (see time_entries/writer.py)."""

import asyncpg

from align.settings import Settings

# Longer than any statement of ours takes on a healthy server, shorter than a sender's patience.
STATEMENT_TIMEOUT_MILLISECONDS = 10_000
# A change that waits longer for another one (an advisory lock, a row) is refused; its sender may repeat it.
LOCK_TIMEOUT_MILLISECONDS = 2_000
# What the connections of the sync path call themselves; everything else is `align`.
SYNC_APPLICATION_NAME = "align sync"


async def open_pool(database_url: str, settings: Settings) -> asyncpg.Pool:
    """A pool of `settings.database_connections` connections; the caller closes it."""
    return await asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=settings.database_connections,
        server_settings={
            "application_name": "align",
            "statement_timeout": str(STATEMENT_TIMEOUT_MILLISECONDS),
            "lock_timeout": str(LOCK_TIMEOUT_MILLISECONDS),
            "timezone": "UTC",
        },
    )
