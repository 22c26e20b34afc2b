"""The operations on webhooks, as the table of operations has them."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.access.calls import Call, Calls, ok, page
from align.errors import ApiError
from align.refusals import Refused
from align.roles import KEY_MINTERS
from align.sealing import Sealer
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import Access, Operation, Success
from align.web.query import Page, Query
from align.webhooks import deliveries, names, webhooks
from align.webhooks.deliveries import Deliveries, DeliveriesQuery, Queued
from align.webhooks.webhooks import Webhook

READ = Access(scope="organization", roles=KEY_MINTERS, permission="read:webhooks")
WRITE = Access(scope="organization", roles=KEY_MINTERS, permission="write:webhooks")
DEFAULT_OVERLAP_SECONDS = 24 * 3600
MAXIMUM_OVERLAP_SECONDS = 30 * 24 * 3600

_Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="Where deliveries are posted to: https, an address of the public internet.",
        examples=["https://example.com/align"],
    ),
]
_EventNames = Annotated[
    list[str],
    Meta(
        min_length=1,
        max_length=100,
        description="Names of events, or families such as `time.*`.",
        examples=[["time.approved", "time.rejected"]],
    ),
]
_Description = Annotated[str, Meta(max_length=2000, description="For people.")]


class CreateWebhook(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /webhooks`."""

    destination_url: _Url
    event_names: _EventNames
    description: _Description | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="False: nothing is delivered until it is enabled.")] = True


class UpdateWebhook(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `PATCH /webhooks/{id}`: what is left out stays."""

    destination_url: _Url | UnsetType = UNSET
    event_names: _EventNames | UnsetType = UNSET
    description: _Description | None | UnsetType = UNSET
    enabled: Annotated[bool, Meta(description="True also ends what disabled it.")] | UnsetType = UNSET


class RotateWebhookSecret(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /webhooks/{id}/rotate-secret`."""

    overlap_seconds: Annotated[
        int,
        Meta(ge=0, le=MAXIMUM_OVERLAP_SECONDS, description="How long the old secret signs too."),
    ] = DEFAULT_OVERLAP_SECONDS


class ReplayWebhook(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /webhooks/{id}/replay`."""

    since: Annotated[datetime, Meta(tz=True, description="Events from this moment on ...")]
    until: Annotated[datetime, Meta(tz=True, description="... and before this one.")]
    event_names: Annotated[list[str], Meta(min_length=1, max_length=100)] | UnsetType = UNSET


class CreatedWebhook(Webhook, frozen=True, rename="camel", kw_only=True):
    """A webhook with its secret, which is shown this once."""

    hmac_secret: Annotated[str, Meta(description="Verifies deliveries; Standard Webhooks has libraries for it.")]


class Tested(msgspec.Struct, rename="camel", kw_only=True):
    """The answer to `POST /webhooks/{id}/test`."""

    delivery_id: UUID


class WebhookPage(msgspec.Struct, rename="camel", kw_only=True):
    """One page of webhooks, oldest first."""

    data: list[Webhook]
    page: int
    page_size: int
    total: int


_EXAMPLE = {
    "id": "0d9f2f0e-0000-0000-0000-000000000005",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "destinationUrl": "https://example.com/align",
    "eventNames": ["time.approved", "time.rejected"],
    "description": None,
    "enabled": True,
    "disabledReason": None,
    "failingSince": None,
    "previousSecretValidUntil": None,
    "createdByUserId": "9a8b7c6d-0000-0000-0000-000000000002",
    "createdAt": "2025-01-15T10:30:00Z",
    "updatedAt": "2025-01-15T10:30:00Z",
}
_WITH_SECRET = {**_EXAMPLE, "hmacSecret": "whsec_" + "c2VjcmV0" * 5 + "c2U="}
_DELIVERY_EXAMPLE = {
    "id": "1b3f2f0e-0000-0000-0000-000000000006",
    "webhookId": _EXAMPLE["id"],
    "eventId": "2c3f2f0e-0000-0000-0000-000000000007",
    "eventName": "time.approved",
    "entityId": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "state": "delivered",
    "attempts": [
        {
            "number": 1,
            "attemptedAt": "2025-01-15T10:30:00Z",
            "durationMilliseconds": 42,
            "status": 204,
            "answer": "",
            "error": None,
        }
    ],
    "nextAttemptAt": None,
    "createdAt": "2025-01-15T10:30:00Z",
    "settledAt": "2025-01-15T10:30:00Z",
}

CheckUrl = Callable[[str], str]


class _Api:
    """The handlers, given what they need beside the call."""

    def __init__(self, sealer: Sealer | None, check_url: CheckUrl) -> None:
        self._sealer = sealer
        self._check_url = check_url

    @property
    def _sealing(self) -> Sealer:
        if self._sealer is None:
            raise ApiError(
                "webhooks_not_configured", "this installation has no ALIGN_SECRET_KEY, which webhooks' secrets need"
            )
        return self._sealer

    async def created(self, call: Call) -> Answer:
        asked: CreateWebhook = call.body
        made, secret = await webhooks.create(
            call.db,
            self._sealing,
            call.organization_id,
            destination_url=self._check_url(asked.destination_url),
            event_names=names.checked(asked.event_names),
            description=None if asked.description is UNSET else asked.description,
            enabled=asked.enabled,
            actor=call.actor,
        )
        shown = CreatedWebhook(**msgspec.structs.asdict(made), hmac_secret=secret)
        return ok(shown, 201, f"/api/v1/webhooks/{made.id}")

    async def updated(self, call: Call) -> Answer:
        old, asked = await _named(call), call.body
        new = msgspec.structs.replace(
            old,
            destination_url=(
                old.destination_url if asked.destination_url is UNSET else self._check_url(asked.destination_url)
            ),
            event_names=(
                old.event_names if asked.event_names is UNSET else sorted(set(names.checked(asked.event_names)))
            ),
            description=old.description if asked.description is UNSET else asked.description,
            enabled=old.enabled if asked.enabled is UNSET else asked.enabled,
        )
        return ok(await webhooks.update(call.db, old, new, call.actor))

    async def rotated(self, call: Call) -> Answer:
        old = await _named(call)
        saved, secret = await webhooks.rotate_secret(
            call.db, self._sealing, old, call.body.overlap_seconds, call.actor
        )
        return ok(CreatedWebhook(**msgspec.structs.asdict(saved), hmac_secret=secret))


async def _named(call: Call) -> Webhook:
    return await webhooks.get(call.db, call.organization_id, call.id_in_path("id", "webhook"))


async def _listed(query: Query[Page], call: Call) -> Answer:
    asked = query.read(call.request)
    total = await call.db.fetchval(webhooks.queries.count_webhooks, call.organization_id)
    rows = await call.db.fetch(webhooks.queries.list_webhooks, call.organization_id, asked.page_size, asked.offset)
    return page(asked, total, [Webhook(**row) for row in rows])


async def _shown(call: Call) -> Answer:
    return ok(await webhooks.find(call.db, call.organization_id, call.id_in_path("id", "webhook")))


async def _deleted(call: Call) -> Answer:
    await webhooks.delete(call.db, await _named(call), call.actor)
    return Answer(204, b"")


async def _deliveries(query: Query[DeliveriesQuery], call: Call) -> Answer:
    asked = query.read(call.request)
    webhook = await webhooks.find(call.db, call.organization_id, call.id_in_path("id", "webhook"))
    return page(asked, *await deliveries.list_page(call.db, call.organization_id, webhook.id, asked))


async def _tested(call: Call) -> Answer:
    webhook = await _named(call)
    return ok(Tested(delivery_id=await deliveries.send_test(call.db, webhook, call.actor)), 202)


async def _redelivered(call: Call) -> Answer:
    webhook, delivery_id = await _named(call), call.id_in_path("deliveryId", "delivery")
    await deliveries.redeliver(call.db, webhook, delivery_id, call.actor)
    return ok(Queued(queued=1), 202)


async def _replayed(call: Call) -> Answer:
    asked: ReplayWebhook = call.body
    webhook = await _named(call)
    if asked.until <= asked.since:
        raise Refused("until", "must be later than since")
    wanted = None if asked.event_names is UNSET else names.expanded(asked.event_names)
    queued = await deliveries.replay(call.db, webhook, asked.since, asked.until, wanted, call.actor)
    return ok(Queued(queued=queued), 202)


_PAGE = Query(Page)
_DELIVERIES = Query(DeliveriesQuery)


def operations(calls: Calls, sealer: Sealer | None, check_url: CheckUrl) -> list[Operation]:
    """The operations; without a `sealer` none that makes a secret works."""
    api = _Api(sealer, check_url)
    return [*_reading(calls), *_changing(calls, api), *_sending(calls)]


def _reading(calls: Calls) -> list[Operation]:
    return [
        calls.reading(
            partial(_listed, _PAGE),
            access=READ,
            query=_PAGE,
            path="/webhooks",
            name="listWebhooks",
            tag="Webhooks",
            summary="List webhooks",
            description="The organisation's webhooks, oldest first, without their secrets.",
            successes=(
                Success(
                    200, "A page of webhooks.", WebhookPage, {"data": [_EXAMPLE], "page": 1, "pageSize": 25, "total": 1}
                ),
            ),
        ),
        calls.reading(
            _shown,
            access=READ,
            path="/webhooks/{id}",
            name="getWebhook",
            tag="Webhooks",
            summary="Read a webhook",
            description="One webhook, without its secret.",
            successes=(Success(200, "The webhook.", Webhook, _EXAMPLE),),
        ),
        calls.reading(
            partial(_deliveries, _DELIVERIES),
            access=READ,
            query=_DELIVERIES,
            path="/webhooks/{id}/deliveries",
            name="listWebhookDeliveries",
            tag="Webhooks",
            summary="List what was sent to a webhook",
            description="Newest first, each with its attempts: when, how long, what the receiver answered.",
            successes=(
                Success(
                    200,
                    "A page of deliveries.",
                    Deliveries,
                    {"data": [_DELIVERY_EXAMPLE], "page": 1, "pageSize": 25, "total": 1},
                ),
            ),
        ),
    ]


def _changing(calls: Calls, api: _Api) -> list[Operation]:
    return [
        calls.changing(
            api.created,
            access=WRITE,
            body=Body(CreateWebhook),
            answers_secret=True,
            path="/webhooks",
            name="createWebhook",
            tag="Webhooks",
            summary="Subscribe to events",
            description="Events of later changes are posted to the destination, signed with `hmacSecret`, at least once.",
            request_example={"destinationUrl": "https://example.com/align", "eventNames": ["time.approved"]},
            successes=(Success(201, "The webhook and its secret.", CreatedWebhook, _WITH_SECRET),),
            errors=("unknown_event_names", "webhooks_not_configured"),
        ),
        calls.changing(
            api.updated,
            access=WRITE,
            body=Body(UpdateWebhook),
            method="PATCH",
            path="/webhooks/{id}",
            name="updateWebhook",
            tag="Webhooks",
            summary="Change a webhook",
            description="Enabled again, it gets the events of later changes; a replay sends those of the time between.",
            request_example={"enabled": True},
            successes=(Success(200, "The webhook.", Webhook, _EXAMPLE),),
            errors=("unknown_event_names",),
        ),
        calls.changing(
            _deleted,
            access=WRITE,
            method="DELETE",
            path="/webhooks/{id}",
            name="deleteWebhook",
            tag="Webhooks",
            summary="End a subscription",
            description="Nothing more is sent; its deliveries are deleted with it.",
            successes=(Success(204, "It is deleted."),),
        ),
        calls.changing(
            api.rotated,
            access=WRITE,
            body=Body(RotateWebhookSecret),
            answers_secret=True,
            path="/webhooks/{id}/rotate-secret",
            name="rotateWebhookSecret",
            tag="Webhooks",
            summary="Give a webhook a new secret",
            description="For the overlap both secrets sign, so a receiver may change over at any moment of it.",
            request_example={"overlapSeconds": 86400},
            successes=(Success(200, "The webhook and its new secret.", CreatedWebhook, _WITH_SECRET),),
            errors=("webhooks_not_configured",),
        ),
    ]


def _sending(calls: Calls) -> list[Operation]:
    queued = Success(202, "How many deliveries are on their way.", Queued, {"queued": 1})
    return [
        calls.changing(
            _tested,
            access=WRITE,
            path="/webhooks/{id}/test",
            name="testWebhook",
            tag="Webhooks",
            summary="Send a test to a webhook",
            description="A signed delivery of the event `webhook.test`; its outcome is among the deliveries.",
            successes=(Success(202, "On its way.", Tested, {"deliveryId": _DELIVERY_EXAMPLE["id"]}),),
        ),
        calls.changing(
            _redelivered,
            access=WRITE,
            path="/webhooks/{id}/deliveries/{deliveryId}/redeliver",
            name="redeliverWebhook",
            tag="Webhooks",
            summary="Send a delivery once more",
            description="With the same `webhook-id`, whatever became of it; its schedule of attempts begins anew.",
            successes=(queued,),
        ),
        calls.changing(
            _replayed,
            access=WRITE,
            body=Body(ReplayWebhook),
            path="/webhooks/{id}/replay",
            name="replayWebhook",
            tag="Webhooks",
            summary="Send a span of time once more",
            description=(
                "Everything that happened in the time, as far as the webhook asks for it: what was sent is sent again "
                "with the same `webhook-id`, and what was not (it was disabled, or did not exist) for the first time."
            ),
            request_example={"since": "2025-01-15T00:00:00Z", "until": "2025-01-16T00:00:00Z"},
            successes=(queued,),
            errors=("unknown_event_names",),
        ),
    ]
