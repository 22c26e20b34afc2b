"""Tickets: the pieces of work of a project. On the wire a ticket is called entry (`entryId`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from align import names
from align.db import sql
from align.events import events
from align.events.events import OPERATOR, Actor
from align.ids import new_id
from align.refusals import NotFound

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("tickets.sql"))

Status = Literal["open", "closed"]


class Ticket(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One ticket of one project."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    title: Annotated[str, Meta(examples=["Sketch the start page"])]
    status: Status
    created_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    updated_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    project_id: UUID,
    title: str,
    *,
    status: Status = "open",
    ticket_id: UUID | None = None,
    actor: Actor = OPERATOR,
) -> Ticket:
    """Store a new ticket and return it. Raises Refused for an unfit title and NotFound for the project."""
    title = names.checked("title", title)
    row = await tx.fetchrow(queries.insert_ticket, organization_id, project_id, ticket_id or new_id(), title, status)
    if row is None:
        raise NotFound("project", f"no project has the id {project_id}")
    created = Ticket(**row)
    await events.record(
        tx,
        "ticket.created",
        ("ticket", created.id),
        organization_id=organization_id,
        after=created,
        actor=actor,
        project_id=project_id,
    )
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID) -> list[Ticket]:
    """The tickets of the project, oldest first."""
    return [Ticket(**row) for row in await tx.fetch(queries.list_tickets, organization_id, project_id)]


async def list_page(
    db: Any, organization_id: UUID, project_id: UUID, *, status: Status | None, limit: int, offset: int
) -> tuple[int, list[Ticket]]:
    """How many tickets of this status the project has, and some of them, oldest first."""
    total = await db.fetchval(queries.count_tickets, organization_id, project_id, status)
    rows = await db.fetch(queries.page_of_tickets, organization_id, project_id, status, limit, offset)
    return total, [Ticket(**row) for row in rows]


async def get(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, ticket_id: UUID) -> Ticket | None:
    """The ticket, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_ticket, organization_id, project_id, ticket_id)
    return Ticket(**row) if row else None


async def read(db: Any, organization_id: UUID, project_id: UUID, ticket_id: UUID) -> Ticket | None:
    """The ticket as it is now, or None."""
    row = await db.fetchrow(queries.read_ticket, organization_id, project_id, ticket_id)
    return Ticket(**row) if row else None


async def update(
    tx: asyncpg.Connection,
    old: Ticket,
    *,
    title: str | None = None,
    status: Status | None = None,
    actor: Actor = OPERATOR,
) -> Ticket:
    """Change what is not None of a ticket that `get` returned. Raises Refused for an unfit title."""
    title = old.title if title is None else names.checked("title", title)
    status = status or old.status
    if (title, status) == (old.title, old.status):
        return old
    row = await tx.fetchrow(queries.update_ticket, old.organization_id, old.project_id, old.id, title, status)
    saved = Ticket(**row)
    await events.record_change(
        tx,
        "ticket.updated",
        ("ticket", old.id),
        old,
        saved,
        organization_id=old.organization_id,
        actor=actor,
        project_id=old.project_id,
    )
    return saved
