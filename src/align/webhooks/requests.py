"""What the operations on webhooks take and answer."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.web.body import Body
from align.webhooks import names
from align.webhooks.webhooks import Webhook

DEFAULT_OVERLAP_SECONDS = 24 * 3600
MAXIMUM_OVERLAP_SECONDS = 30 * 24 * 3600

_Url = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=2048,
        description="Where deliveries are posted to: https, an address of the public internet.",
        examples=["https://example.com/align"],
        extra_json_schema={"format": "uri"},
    ),
]
# Other names are refused by a code of their own, so the type takes any text.
_EventName = Annotated[str, Meta(extra_json_schema={"enum": [*names.EVENTS, *names.FAMILIES]})]
_EventNames = Annotated[
    list[_EventName],
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
    description: _Description | UnsetType | None = UNSET
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
    event_names: _EventNames | UnsetType = UNSET


# What is wrong with a URL, or None.
UrlProblem = Callable[[str], str | None]


class Bodies:
    """The bodies that name a destination, given the rules for one."""

    def __init__(self, url_problem: UrlProblem) -> None:
        def destination_problem(value: str, _raw: bytes) -> tuple[str, str] | None:
            problem = url_problem(value)
            return ("invalid_url", problem) if problem is not None else None

        self.create = Body(CreateWebhook, {"destinationUrl": destination_problem})
        self.update = Body(UpdateWebhook, {"destinationUrl": destination_problem})


ROTATE = Body(RotateWebhookSecret, may_be_absent=True)
REPLAY = Body(ReplayWebhook)


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


EXAMPLE = {
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
WITH_SECRET = {**EXAMPLE, "hmacSecret": "whsec_" + "c2VjcmV0" * 5 + "c2U="}
DELIVERY_EXAMPLE = {
    "id": "1b3f2f0e-0000-0000-0000-000000000006",
    "webhookId": EXAMPLE["id"],
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
