"""The operations on webhooks, as the table of operations has them."""

from functools import partial

from align.access.calls import Calls
from align.roles import KEY_MINTERS
from align.sealing import Sealer
from align.web.operation import Access, Header, Operation, Success
from align.web.query import Page, Query
from align.webhooks import handlers
from align.webhooks.deliveries import Deliveries, DeliveriesQuery, Queued
from align.webhooks.handlers import Handlers
from align.webhooks.requests import (
    DELIVERY_EXAMPLE,
    EXAMPLE,
    REPLAY,
    ROTATE,
    WITH_SECRET,
    Bodies,
    CreatedWebhook,
    Tested,
    UrlProblem,
    WebhookPage,
)
from align.webhooks.webhooks import MAXIMUM_WEBHOOKS, Webhook

READ = Access(scope="organization", roles=KEY_MINTERS, permission="read:webhooks")
WRITE = Access(scope="organization", roles=KEY_MINTERS, permission="write:webhooks")

_LOCATION = Header("Location", "Where the webhook can be read.")
_PAGE = Query(Page)
_DELIVERIES = Query(DeliveriesQuery)


def operations(calls: Calls, sealer: Sealer | None, url_problem: UrlProblem) -> list[Operation]:
    """The operations; without a `sealer` none that makes a secret works."""
    return [*_reading(calls), *_changing(calls, Handlers(sealer), Bodies(url_problem)), *_sending(calls)]


def _reading(calls: Calls) -> list[Operation]:
    return [
        calls.reading(
            partial(handlers.listed, _PAGE),
            access=READ,
            query=_PAGE,
            path="/webhooks",
            name="listWebhooks",
            tag="Webhooks",
            summary="List webhooks",
            description="The organisation's webhooks, oldest first, without their secrets.",
            successes=(
                Success(
                    200, "A page of webhooks.", WebhookPage, {"data": [EXAMPLE], "page": 1, "pageSize": 25, "total": 1}
                ),
            ),
        ),
        calls.reading(
            handlers.shown,
            access=READ,
            path="/webhooks/{id}",
            name="getWebhook",
            tag="Webhooks",
            summary="Read a webhook",
            description="One webhook, without its secret.",
            successes=(Success(200, "The webhook.", Webhook, EXAMPLE),),
        ),
        calls.reading(
            partial(handlers.list_deliveries, _DELIVERIES),
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
                    {"data": [DELIVERY_EXAMPLE], "page": 1, "pageSize": 25, "total": 1},
                ),
            ),
        ),
    ]


def _changing(calls: Calls, api: Handlers, bodies: Bodies) -> list[Operation]:
    return [
        calls.changing(
            api.created,
            access=WRITE,
            body=bodies.create,
            answers_secret=True,
            path="/webhooks",
            name="createWebhook",
            tag="Webhooks",
            summary="Subscribe to events",
            description=(
                "Events of later changes are posted there, signed with `hmacSecret`, each at least once. The section "
                "`webhooks` of this document describes what is posted. An organisation has at most "
                f"{MAXIMUM_WEBHOOKS} webhooks."
            ),
            request_example={"destinationUrl": "https://example.com/align", "eventNames": ["time.approved"]},
            successes=(Success(201, "The webhook and its secret.", CreatedWebhook, WITH_SECRET, (_LOCATION,)),),
            errors=("unknown_event_names", "too_many_webhooks", "webhooks_not_configured"),
        ),
        calls.changing(
            handlers.updated,
            access=WRITE,
            body=bodies.update,
            method="PATCH",
            path="/webhooks/{id}",
            name="updateWebhook",
            tag="Webhooks",
            summary="Change a webhook",
            description="Enabled again, it gets the events of later changes; a replay sends those of the time between.",
            request_example={"enabled": True},
            successes=(Success(200, "The webhook.", Webhook, EXAMPLE),),
            errors=("unknown_event_names",),
        ),
        calls.changing(
            handlers.deleted,
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
            body=ROTATE,
            answers_secret=True,
            path="/webhooks/{id}/rotate-secret",
            name="rotateWebhookSecret",
            tag="Webhooks",
            summary="Give a webhook a new secret",
            description=(
                "For the overlap both secrets sign, so a receiver may change over at any moment of it. A secret from "
                "before the last rotation signs no more."
            ),
            request_example={"overlapSeconds": 86400},
            successes=(Success(200, "The webhook and its new secret.", CreatedWebhook, WITH_SECRET),),
            errors=("webhooks_not_configured",),
        ),
    ]


def _sending(calls: Calls) -> list[Operation]:
    queued = Success(202, "How many deliveries are on their way.", Queued, {"queued": 1})
    return [
        calls.changing(
            handlers.tested,
            access=WRITE,
            path="/webhooks/{id}/test",
            name="testWebhook",
            tag="Webhooks",
            summary="Send a test to a webhook",
            description=(
                "A signed delivery of the event `webhook.test`; its outcome is among the deliveries. A disabled "
                "webhook gets it once it is enabled."
            ),
            successes=(Success(202, "On its way.", Tested, {"deliveryId": DELIVERY_EXAMPLE["id"]}),),
        ),
        calls.changing(
            handlers.redelivered,
            access=WRITE,
            path="/webhooks/{id}/deliveries/{deliveryId}/redeliver",
            name="redeliverWebhook",
            tag="Webhooks",
            summary="Send a delivery once more",
            description="With the same `webhook-id`, whatever became of it; its schedule of attempts begins anew.",
            successes=(queued,),
        ),
        calls.changing(
            handlers.replayed,
            access=WRITE,
            body=REPLAY,
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
