"""Webhooks: an organisation's subscriptions to its own events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from align.db import sql
from align.events import events
from align.ids import new_id
from align.refusals import Conflict, NotFound
from align.webhooks import signing

if TYPE_CHECKING:
    import asyncpg

    from align.sealing import Sealer

queries = sql.load(Path(__file__).with_name("webhooks.sql"))

# Each event is handed to every webhook that asks for it, so their number multiplies the work.
MAXIMUM_WEBHOOKS = 100


class Webhook(msgspec.Struct, frozen=True, rename="camel"):
    """One subscription, without its secret."""

    id: UUID
    organization_id: UUID
    destination_url: str
    event_names: list[str]
    description: str | None
    enabled: bool
    disabled_reason: str | None
    failing_since: Annotated[datetime, Meta(tz=True)] | None
    previous_secret_valid_until: Annotated[datetime, Meta(tz=True)] | None
    created_by_user_id: UUID
    created_at: Annotated[datetime, Meta(tz=True)]
    updated_at: Annotated[datetime, Meta(tz=True)]


async def create(
    tx: asyncpg.Connection,
    sealer: Sealer,
    organization_id: UUID,
    *,
    destination_url: str,
    event_names: Sequence[str],
    description: str | None,
    enabled: bool,
    actor: events.Actor,
) -> tuple[Webhook, str]:
    """Store a subscription; returns it and its secret, which is shown once. Events of later changes are delivered.

    Raises Conflict for one too many.
    """
    if await tx.fetchval(queries.count_webhooks, organization_id) >= MAXIMUM_WEBHOOKS:
        text = f"an organisation has at most {MAXIMUM_WEBHOOKS} webhooks; delete one, or let one ask for more events"
        raise Conflict("too_many_webhooks", "", text)
    secret = signing.new_secret()
    row = await tx.fetchrow(
        queries.insert_webhook,
        organization_id,
        new_id(),
        destination_url,
        sorted(set(event_names)),
        description,
        enabled,
        sealer.seal(secret),
        actor.user_id,
    )
    await tx.execute(queries.insert_position, organization_id)
    created = Webhook(**row)
    await events.record(
        tx, "webhook.created", ("webhook", created.id), organization_id=organization_id, after=created, actor=actor
    )
    return created, secret


async def get(tx: asyncpg.Connection, organization_id: UUID, webhook_id: UUID) -> Webhook:
    """The webhook, locked against changes until the transaction ends. Raises NotFound."""
    row = await tx.fetchrow(queries.get_webhook, organization_id, webhook_id)
    if row is None:
        raise NotFound("webhook", "no such webhook in this organisation")
    return Webhook(**row)


async def find(db: asyncpg.Pool, organization_id: UUID, webhook_id: UUID) -> Webhook:
    """The webhook as it is. Raises NotFound."""
    row = await db.fetchrow(queries.find_webhook, organization_id, webhook_id)
    if row is None:
        raise NotFound("webhook", "no such webhook in this organisation")
    return Webhook(**row)


async def update(tx: asyncpg.Connection, old: Webhook, new: Webhook, actor: events.Actor) -> Webhook:
    """Store what differs in `new`; nothing when nothing does."""
    if old == new:
        return old
    row = await tx.fetchrow(
        queries.update_webhook,
        old.organization_id,
        old.id,
        new.destination_url,
        new.event_names,
        new.description,
        new.enabled,
    )
    saved = Webhook(**row)
    await _record(tx, "webhook.updated", old, saved, actor)
    return saved


async def rotate_secret(
    tx: asyncpg.Connection, sealer: Sealer, old: Webhook, overlap_seconds: int, actor: events.Actor
) -> tuple[Webhook, str]:
    """Give it a new secret; for the overlap the old one signs too."""
    secret = signing.new_secret()
    row = await tx.fetchrow(
        queries.rotate_secret, old.organization_id, old.id, sealer.seal(secret), float(overlap_seconds)
    )
    saved = Webhook(**row)
    await _record(tx, "webhook.secret_rotated", old, saved, actor)
    return saved, secret


async def delete(tx: asyncpg.Connection, old: Webhook, actor: events.Actor) -> None:
    """Delete it, with its deliveries."""
    await tx.execute(queries.delete_webhook, old.organization_id, old.id)
    await events.record(
        tx, "webhook.deleted", ("webhook", old.id), organization_id=old.organization_id, before=old, actor=actor
    )


async def _record(tx: asyncpg.Connection, event_name: str, old: Webhook, new: Webhook, actor: events.Actor) -> None:
    entity = ("webhook", new.id)
    await events.record_change(tx, event_name, entity, old, new, organization_id=new.organization_id, actor=actor)
