"""Deliveries as people see them, and sending them once more."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.events import events
from align.ids import new_id
from align.refusals import NotFound
from align.web.query import Page
from align.webhooks.webhooks import Webhook, queries

State = Literal["pending", "delivered", "failed"]


class DeliveryAttempt(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt: the receiver's answer, or why there was none."""

    number: int
    attempted_at: Annotated[datetime, Meta(tz=True)]
    duration_milliseconds: int
    status: Annotated[int | None, Meta(description="Of the receiver's answer.")]
    answer: Annotated[str | None, Meta(description="The first 1 KiB of it.")]
    error: str | None


class Delivery(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An event on its way to a webhook; `id` is the header `webhook-id` of every attempt."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    event_name: str
    entity_id: UUID
    state: State
    attempts: list[DeliveryAttempt]
    next_attempt_at: Annotated[datetime, Meta(tz=True)] | None
    created_at: Annotated[datetime, Meta(tz=True)]
    settled_at: Annotated[datetime, Meta(tz=True)] | None


class Deliveries(msgspec.Struct, rename="camel", kw_only=True):
    """One page of deliveries, newest first."""

    data: list[Delivery]
    page: int
    page_size: int
    total: int


class DeliveriesQuery(Page, rename="camel", kw_only=True):
    """The parameters of `GET /webhooks/{id}/deliveries`."""

    state: State | UnsetType = UNSET
    event_name: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    since: Annotated[datetime, Meta(tz=True, description="Only those made from this moment on.")] | UnsetType = UNSET
    until: Annotated[datetime, Meta(tz=True, description="Only those made up to this moment.")] | UnsetType = UNSET


class Queued(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How many deliveries are now on their way."""

    queued: int


async def list_page(
    db: asyncpg.Pool, organization_id: UUID, webhook_id: UUID, query: DeliveriesQuery
) -> tuple[int, list[Delivery]]:
    """The total, and the deliveries of one page with their attempts, all as they were at one moment."""
    asked = (query.state, query.event_name, query.since, query.until)
    filters = [None if each is UNSET else each for each in asked]
    asked_for, part = (organization_id, webhook_id, *filters), (query.page_size, query.offset)
    async with db.acquire() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        total = await tx.fetchval(queries.count_deliveries, *asked_for)
        rows = await tx.fetch(queries.list_deliveries, *asked_for, *part)
        noted = await tx.fetch(queries.list_attempts, organization_id, [row["id"] for row in rows])
    attempts: dict[UUID, list[DeliveryAttempt]] = {row["id"]: [] for row in rows}
    for found in noted:
        members = dict(found)
        attempts[members.pop("delivery_id")].append(DeliveryAttempt(**members))
    return total, [Delivery(**{**row, "attempts": attempts[row["id"]]}) for row in rows]


async def send_test(tx: asyncpg.Connection, webhook: Webhook, actor: events.Actor) -> UUID:
    """Queue a delivery of the event webhook.test, which is nobody's else; returns its id."""
    delivery_id = new_id()
    body = {
        "id": delivery_id,
        "eventName": "webhook.test",
        "schemaVersion": 1,
        "entityType": "webhook",
        "entityId": webhook.id,
        "occurredAt": await tx.fetchval(queries.now),
        "actorUserId": actor.user_id,
        "payload": {"before": None, "after": {"message": "A test of this webhook."}},
    }
    await tx.execute(
        queries.insert_test_delivery,
        webhook.organization_id,
        delivery_id,
        webhook.id,
        msgspec.json.encode(body).decode(),
    )
    record = partial(_record, tx, webhook, actor)
    await record("webhook.tested", {"deliveryId": delivery_id})
    return delivery_id


async def redeliver(tx: asyncpg.Connection, webhook: Webhook, delivery_id: UUID, actor: events.Actor) -> None:
    """Queue a delivery once more, with the same id. Raises NotFound."""
    if await tx.fetchval(queries.redeliver, webhook.organization_id, webhook.id, delivery_id) is None:
        raise NotFound("delivery", "no such delivery of this webhook")
    await _record(tx, webhook, actor, "webhook.redelivered", {"deliveryId": delivery_id})


async def replay(
    tx: asyncpg.Connection,
    webhook: Webhook,
    since: datetime,
    until: datetime,
    event_names: list[str] | None,
    actor: events.Actor,
) -> int:
    """Queue everything of the time once more, and what was not handed over then; returns how many deliveries."""
    asked = (webhook.organization_id, webhook.id, since, until, event_names)
    tags = [await tx.execute(statement, *asked) for statement in (queries.replay_known, queries.replay_missed)]
    queued = sum(int(tag.rsplit(" ", 1)[1]) for tag in tags)
    await _record(tx, webhook, actor, "webhook.replayed", {"since": since, "until": until, "queued": queued})
    return queued


async def _record(
    tx: asyncpg.Connection, webhook: Webhook, actor: events.Actor, event_name: str, after: dict[str, object]
) -> None:
    await events.record(
        tx, event_name, ("webhook", webhook.id), organization_id=webhook.organization_id, after=after, actor=actor
    )
