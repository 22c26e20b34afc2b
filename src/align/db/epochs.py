"""Epochs of the change feed.

Events are ordered by the ids of their transactions, and those begin anew, or repeat themselves, where a database is
restored into another cluster, recovered to a point in time, or taken over by a standby. Each such history is an epoch.
See docs/decisions/0013-change-feed.md.
"""

from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import psycopg
import structlog

from align.db import sql

log = structlog.get_logger()

queries = sql.load(Path(__file__).with_name("epochs.sql"))

# Each attempt waits for two seconds, and lets the others who write events pass between two.
ATTEMPTS = 15


class Epoch(msgspec.Struct, frozen=True):
    """The newest epoch. Its random id is in every cursor, so that those of other epochs are recognised."""

    number: int
    id: UUID


class EventsHeld(Exception):
    """A transaction that has written events does not end, so that no new epoch can begin."""


def check(connection: psycopg.Connection) -> None:
    """Begin a new epoch if the newest began elsewhere. Raises EventsHeld. The connection is in autocommit mode."""
    for _ in range(ATTEMPTS):
        try:
            connection.execute(queries.begin_epoch_if_elsewhere.encode())
        except psycopg.errors.LockNotAvailable:
            log.warning("a new epoch of the change feed waits for a transaction that has written events")
        else:
            return
    raise EventsHeld


async def current(connection: asyncpg.Connection) -> Epoch:
    """The newest epoch, begun now if the database has moved since the server started.

    Raises asyncpg.LockNotAvailableError when a transaction that has written events does not end.
    """
    found = await connection.fetchrow(queries.newest_epoch)
    if found is None or not found["is_here"]:
        await connection.execute(queries.begin_epoch_if_elsewhere)
        found = await connection.fetchrow(queries.newest_epoch)
        log.warning("the database has moved: a new epoch of the change feed begins", epoch=found["epoch"])
    return Epoch(found["epoch"], found["id"])
