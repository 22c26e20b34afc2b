"""The things that events are about, as they are now."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from align.db import sql
from align.links.links import IntegrationLink
from align.projects.projects import Project
from align.tickets.tickets import Ticket
from align.users.users import User

_queries = sql.load(Path(__file__).with_name("entities.sql"))


def _raw(row: asyncpg.Record) -> msgspec.Raw:
    return msgspec.Raw(row["json"].encode())


# How things of each type are found, and what is shown of them. Of others, the feed has the events only.
_SOURCES: dict[str, tuple[str, Callable[[asyncpg.Record], Any]]] = {
    "time_entry": (_queries.time_entries, _raw),
    "project": (_queries.projects, lambda row: Project(**row)),
    "ticket": (_queries.tickets, lambda row: Ticket(**row)),
    "user": (_queries.users, lambda row: User(**row)),
    "integration_link": (_queries.links, lambda row: IntegrationLink(**row)),
}
TYPES = tuple(_SOURCES)


async def find(
    connection: asyncpg.Connection, organization_id: UUID, project_id: UUID | None, named: Iterable[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Any]:
    """The named things that are there; with `project_id` only what that project's keys may see."""
    ids: dict[str, set[UUID]] = {}
    for entity_type, entity_id in named:
        ids.setdefault(entity_type, set()).add(entity_id)
    found = {}
    for entity_type in ids.keys() & _SOURCES.keys():
        query, shown = _SOURCES[entity_type]
        for row in await connection.fetch(query, organization_id, list(ids[entity_type]), project_id):
            found[entity_type, row["id"]] = shown(row)
    return found
