"""The lines of webhooks. They are disabled, so that no worker sends anything meanwhile."""

from uuid import UUID, uuid4

from tests.access.line import MINTERS, Asked, Line, Place

_WEBHOOK = (
    "insert into webhooks (organization_id, id, destination_url, event_names, enabled, sealed_secret, from_epoch, "
    "from_transaction_id, created_by_user_id) values ($1, gen_random_uuid(), 'https://example.com/align', "
    "'{time.approved}', false, 'sealed', 1, pg_current_xact_id(), $2) returning id"
)
_DELIVERY = (
    "insert into webhook_deliveries (organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, "
    "transaction_id, body, state, settled_at) values ($1, gen_random_uuid(), $2, gen_random_uuid(), 'time.approved', "
    "gen_random_uuid(), 1, pg_current_xact_id(), '{}', 'delivered', now()) returning id"
)


async def _webhook(place: Place) -> UUID:
    return await place.fetchval(_WEBHOOK, place.caller_id)


async def _named(place: Place) -> Asked:
    return Asked({"id": await _webhook(place)})


async def listed(place: Place) -> Asked:
    first = "select id from webhooks where organization_id = $1 order by created_at, id limit 1"
    await _webhook(place)
    return Asked(shows=str(await place.fetchval(first)))


async def created(_place: Place) -> Asked:
    body = {"destinationUrl": "https://example.com/align", "eventNames": ["time.*"], "enabled": False}
    return Asked(body=body)


async def updated(place: Place) -> Asked:
    return Asked({"id": await _webhook(place)}, {"description": f"New {uuid4()}"})


async def rotated(place: Place) -> Asked:
    return Asked({"id": await _webhook(place)}, {"overlapSeconds": 60})


async def redelivered(place: Place) -> Asked:
    webhook = await _webhook(place)
    return Asked({"id": webhook, "deliveryId": await place.fetchval(_DELIVERY, webhook)})


async def replayed(place: Place) -> Asked:
    body = {"since": "2025-01-15T00:00:00Z", "until": "2025-01-16T00:00:00Z"}
    return Asked({"id": await _webhook(place)}, body)


READ = {"keys": "organization", "roles": MINTERS, "permission": "read:webhooks"}
WRITE = {"keys": "organization", "roles": MINTERS, "permission": "write:webhooks"}

LINES = (
    Line(operation="GET /webhooks", asked=listed, strangers="own", **READ),
    Line(operation="GET /webhooks/{id}", asked=_named, **READ),
    Line(operation="GET /webhooks/{id}/deliveries", asked=_named, **READ),
    Line(operation="POST /webhooks", asked=created, success=201, events=("webhook.created",), strangers="own", **WRITE),
    Line(operation="PATCH /webhooks/{id}", asked=updated, events=("webhook.updated",), **WRITE),
    Line(operation="DELETE /webhooks/{id}", asked=_named, success=204, events=("webhook.deleted",), **WRITE),
    Line(operation="POST /webhooks/{id}/rotate-secret", asked=rotated, events=("webhook.secret_rotated",), **WRITE),
    Line(operation="POST /webhooks/{id}/test", asked=_named, success=202, events=("webhook.tested",), **WRITE),
    Line(
        operation="POST /webhooks/{id}/deliveries/{deliveryId}/redeliver",
        asked=redelivered,
        success=202,
        events=("webhook.redelivered",),
        **WRITE,
    ),
    Line(operation="POST /webhooks/{id}/replay", asked=replayed, success=202, events=("webhook.replayed",), **WRITE),
)
