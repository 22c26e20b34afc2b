"""The audit log: the same events as the change feed's, newest first, for people."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from align.changes.scoping import as_json, shown
from align.db import sql

if TYPE_CHECKING:
    import asyncpg

_queries = sql.load(Path(__file__).with_name("audit.sql"))

_OBJECT_OR_NULL = {"type": ["object", "null"]}


class AuditMetadata(msgspec.Struct, rename="camel", kw_only=True):
    """Who acted with what, and what was changed."""

    actor_type: Annotated[
        Literal["api_key", "user", "operator"],
        Meta(description="`operator`: whoever runs this installation, at its command line."),
    ]
    api_key_id: UUID | None
    before: Annotated[Any, Meta(description="Changed members before.", extra_json_schema=_OBJECT_OR_NULL)]
    after: Annotated[Any, Meta(description="Changed members after.", extra_json_schema=_OBJECT_OR_NULL)]


class AuditEvent(msgspec.Struct, rename="camel", kw_only=True):
    """One event (contract, section 2)."""

    id: UUID
    entity_type: Annotated[str, Meta(examples=["time_entry"])]
    action: Annotated[str, Meta(description="The name of the event.", examples=["time.logged"])]
    entity_id: UUID
    entity_name: Annotated[
        str | None, Meta(description="What the thing was called then, or else is now; of an entry, its notes.")
    ]
    actor_id: Annotated[UUID | None, Meta(description="The user; null for the operator.")]
    metadata: AuditMetadata
    created_at: Annotated[datetime, Meta(tz=True)]


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """Which events; None means any."""

    project_id: UUID | None = None
    entity_type: str | None = None
    action: str | None = None
    entity_id: UUID | None = None
    actor_id: UUID | None = None
    since: datetime | None = None
    before: datetime | None = None


async def find(
    tx: asyncpg.Connection, organization_id: UUID, filters: Filters, limit: int, offset: int
) -> tuple[int, list[AuditEvent]]:
    """How many there are, and some of them, newest first."""
    await tx.execute(_queries.plan_by_index)
    arguments = (organization_id, *msgspec.structs.astuple(filters))
    total = await tx.fetchval(_queries.count_events, *arguments)
    rows = await tx.fetch(_queries.list_events, *arguments, limit, offset)
    return total, [_event(row, filters.project_id) for row in rows]


class _Named(msgspec.Struct, rename="camel"):
    """The members of an event's object by which a thing is known to people."""

    name: str | None = None
    title: str | None = None
    email: str | None = None
    external_id: str | None = None
    notes: str | None = None

    @property
    def best(self) -> str | None:
        return self.name or self.title or self.email or self.external_id or self.notes


def _event(row: asyncpg.Record, project_id: UUID | None) -> AuditEvent:
    part = shown(row, project_id)
    return AuditEvent(
        id=row["id"],
        entity_type=row["entity_type"],
        action=row["event_name"],
        entity_id=row["entity_id"],
        entity_name=_name(part.after) or _name(part.before) or row["current_name"],
        actor_id=row["actor_user_id"],
        metadata=AuditMetadata(
            actor_type="api_key" if row["actor_api_key_id"] else "user" if row["actor_user_id"] else "operator",
            api_key_id=row["actor_api_key_id"],
            before=as_json(part.before),
            after=as_json(part.after),
        ),
        created_at=row["occurred_at"],
    )


def _name(text: str | None) -> str | None:
    return None if text is None else msgspec.json.decode(text, type=_Named).best
