"""Tickets: the pieces of work of a project. On the wire a ticket is called entry (`entryId`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align import names
from align.db import sql
from align.events import events
from align.ids import new_id
from align.refusals import NotFound

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("tickets.sql"))


class Ticket(msgspec.Struct, frozen=True, rename="camel"):
    """One ticket of one project."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    project_id: UUID,
    title: str,
    *,
    ticket_id: UUID | None = None,
) -> Ticket:
    """Store a new ticket and return it. Raises Refused for an unfit title and NotFound for the project."""
    title = names.checked("title", title)
    row = await tx.fetchrow(queries.insert_ticket, organization_id, project_id, ticket_id or new_id(), title)
    if row is None:
        raise NotFound("project", f"no project has the id {project_id}")
    created = Ticket(**row)
    await events.record(tx, "ticket.created", ("ticket", created.id), organization_id=organization_id, after=created)
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID) -> list[Ticket]:
    """The tickets of the project, oldest first."""
    return [Ticket(**row) for row in await tx.fetch(queries.list_tickets, organization_id, project_id)]


async def get(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, ticket_id: UUID) -> Ticket | None:
    """The ticket, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_ticket, organization_id, project_id, ticket_id)
    return Ticket(**row) if row else None
