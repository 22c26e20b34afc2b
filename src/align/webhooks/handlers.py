"""The handlers of the operations on webhooks."""

import msgspec
from msgspec import UNSET

from align.access.calls import Call, ok, page
from align.errors import ApiError, Problem, invalid
from align.sealing import Sealer
from align.web.http import Answer
from align.web.query import Page, Query
from align.webhooks import deliveries, names, webhooks
from align.webhooks.deliveries import DeliveriesQuery, Queued
from align.webhooks.requests import CreatedWebhook, CreateWebhook, ReplayWebhook, Tested
from align.webhooks.webhooks import Webhook


class Handlers:
    """The handlers, given what they need beside the call."""

    def __init__(self, sealer: Sealer | None) -> None:
        self._sealer = sealer

    @property
    def _sealing(self) -> Sealer:
        if self._sealer is None:
            raise ApiError(
                "webhooks_not_configured", "this installation has no ALIGN_SECRET_KEY, which webhooks' secrets need"
            )
        return self._sealer

    async def created(self, call: Call) -> Answer:
        """The new webhook and its secret."""
        asked: CreateWebhook = call.body
        made, secret = await webhooks.create(
            call.db,
            self._sealing,
            call.organization_id,
            destination_url=asked.destination_url,
            event_names=names.checked(asked.event_names),
            description=None if asked.description is UNSET else asked.description,
            enabled=asked.enabled,
            actor=call.actor,
        )
        shown = CreatedWebhook(**msgspec.structs.asdict(made), hmac_secret=secret)
        return ok(shown, 201, f"/api/v1/webhooks/{made.id}")

    async def rotated(self, call: Call) -> Answer:
        """The webhook and its new secret."""
        old = await _named(call)
        saved, secret = await webhooks.rotate_secret(call.db, self._sealing, old, call.body.overlap_seconds, call.actor)
        return ok(CreatedWebhook(**msgspec.structs.asdict(saved), hmac_secret=secret))


async def _named(call: Call) -> Webhook:
    return await webhooks.get(call.db, call.organization_id, call.id_in_path("id", "webhook"))


async def listed(query: Query[Page], call: Call) -> Answer:
    """A page of webhooks."""
    asked = query.read(call.request)
    total = await call.db.fetchval(webhooks.queries.count_webhooks, call.organization_id)
    rows = await call.db.fetch(webhooks.queries.list_webhooks, call.organization_id, asked.page_size, asked.offset)
    return page(asked, total, [Webhook(**row) for row in rows])


async def shown(call: Call) -> Answer:
    """One webhook."""
    return ok(await webhooks.find(call.db, call.organization_id, call.id_in_path("id", "webhook")))


async def updated(call: Call) -> Answer:
    """The webhook as it is after the change."""
    old, asked = await _named(call), call.body
    new = msgspec.structs.replace(
        old,
        destination_url=old.destination_url if asked.destination_url is UNSET else asked.destination_url,
        event_names=old.event_names if asked.event_names is UNSET else sorted(set(names.checked(asked.event_names))),
        description=old.description if asked.description is UNSET else asked.description,
        enabled=old.enabled if asked.enabled is UNSET else asked.enabled,
    )
    return ok(await webhooks.update(call.db, old, new, call.actor))


async def deleted(call: Call) -> Answer:
    """The webhook is deleted."""
    await webhooks.delete(call.db, await _named(call), call.actor)
    return Answer(204, b"")


async def list_deliveries(query: Query[DeliveriesQuery], call: Call) -> Answer:
    """A page of a webhook's deliveries."""
    asked = query.read(call.request)
    webhook = await webhooks.find(call.db, call.organization_id, call.id_in_path("id", "webhook"))
    return page(asked, *await deliveries.list_page(call.db, call.organization_id, webhook.id, asked))


async def tested(call: Call) -> Answer:
    """A test is on its way."""
    webhook = await _named(call)
    return ok(Tested(delivery_id=await deliveries.send_test(call.db, webhook, call.actor)), 202)


async def redelivered(call: Call) -> Answer:
    """A delivery is on its way once more."""
    webhook, delivery_id = await _named(call), call.id_in_path("deliveryId", "delivery")
    await deliveries.redeliver(call.db, webhook, delivery_id, call.actor)
    return ok(Queued(queued=1), 202)


async def replayed(call: Call) -> Answer:
    """A span of time is on its way once more."""
    asked: ReplayWebhook = call.body
    webhook = await _named(call)
    if asked.until <= asked.since:
        raise invalid([Problem("until", "out_of_range", "must be later than since")])
    wanted = None if asked.event_names is UNSET else names.expanded(asked.event_names)
    queued = await deliveries.replay(call.db, webhook, asked.since, asked.until, wanted, call.actor)
    return ok(Queued(queued=queued), 202)
