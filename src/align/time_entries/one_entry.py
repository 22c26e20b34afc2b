"""One time entry with all that is known of it, as reads and changes answer it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from align.db import sql

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("one_entry.sql"))


class OneEntry(msgspec.Struct, frozen=True):
    """A time entry as it is answered; `version` makes its ETag."""

    project_id: UUID
    version: int
    json: str


async def find(db: asyncpg.Connection | asyncpg.Pool, organization_id: UUID, entry_id: UUID) -> OneEntry | None:
    """The time entry, or None when there is none (any more)."""
    row: Any = await db.fetchrow(queries.find_entry, organization_id, entry_id)
    return None if row is None else OneEntry(**row)
