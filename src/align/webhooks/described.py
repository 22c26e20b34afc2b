"""What is delivered, for the OpenAPI document: a struct for each type of entity, and an example of every event."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.api_keys.api_keys import ApiKey
from align.links.links import IntegrationLink
from align.organizations.organizations import Organization
from align.projects.members import Member
from align.projects.projects import Project
from align.tickets.tickets import Ticket
from align.time_entries.model import TimeEntry
from align.users.users import User
from align.web import openapi_webhooks
from align.web.operation import Header
from align.webhooks import examples
from align.webhooks.names import EVENTS
from align.webhooks.webhooks import Webhook

TEST_EVENT = "webhook.test"
# Everything that is delivered: the events, and the test that is asked for.
DELIVERED = {**EVENTS, TEST_EVENT: "A test was asked for (`POST /webhooks/{id}/test`); no event, and nobody else's."}

HEADERS = (
    Header(
        "webhook-id",
        "The same for every attempt and every redelivery: what a receiver knows it has seen already.",
        {"type": "string", "format": "uuid"},
    ),
    Header("webhook-timestamp", "When this attempt was signed, in seconds since 1970.", {"type": "integer"}),
    Header(
        "webhook-signature",
        "Standard Webhooks: `v1,` and the base64 of HMAC-SHA-256 over `{webhook-id}.{webhook-timestamp}.{body}`, with "
        "the bytes that the secret's base64 after `whsec_` stands for. After a rotation two, separated by a space.",
        {"type": "string", "pattern": r"^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)?$"},
    ),
    Header(
        "X-Align-Signature",
        "The simple form: `sha256=` and the hex of HMAC-SHA-256 over the body alone, with the same bytes of the newest "
        "secret. It does not cover the time, so it does not tell a repeated request from a first one.",
        {"type": "string", "pattern": r"^sha256=[0-9a-f]{64}$"},
    ),
)


class Kind(msgspec.Struct, frozen=True):
    """A type of entity: how its events begin, how its schemas are called, what is known of it."""

    family: str
    title: str
    entity: type[msgspec.Struct]
    # What some events say beside members of the entity.
    more: dict[str, Any] = {}


_Text = Annotated[str | None, Meta(description="Null when there is none.")]
KINDS = {
    "time_entry": Kind("time", "TimeEntry", TimeEntry, {"status_reason": _Text, "invoice_reference": _Text}),
    "project": Kind("project", "Project", Project),
    "project_member": Kind("project_member", "Member", Member),
    "ticket": Kind("ticket", "Ticket", Ticket),
    "user": Kind("user", "User", User),
    "integration_link": Kind("integration_link", "IntegrationLink", IntegrationLink),
    "organization": Kind("organization", "Organization", Organization, {"reason": str}),
    "api_key": Kind("api_key", "ApiKey", ApiKey),
    "webhook": Kind(
        "webhook",
        "Webhook",
        Webhook,
        {
            "delivery_id": Annotated[UUID, Meta(description="Of the test or the redelivery.")],
            "since": Annotated[datetime, Meta(tz=True)],
            "until": Annotated[datetime, Meta(tz=True)],
            "queued": Annotated[int, Meta(description="How many deliveries a replay sent.")],
            "message": str,
        },
    ),
}


class Delivered(msgspec.Struct, rename="camel", kw_only=True):
    """The body of a delivery."""

    id: Annotated[UUID, Meta(description="Of the event, the same for every webhook that gets it.")]
    event_name: str
    schema_version: Annotated[Literal[1], Meta(description="Members may be added without a new version.")]
    entity_type: str
    entity_id: UUID
    occurred_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    actor_user_id: Annotated[
        UUID | None, Meta(description="Who did it: the user whose key it was. Null: the installation's operator.")
    ]


def _state(title: str, kind: Kind) -> type[msgspec.Struct]:
    """A struct of the entity's members, any of which may be left out."""
    members = {field.name: field.type for field in msgspec.structs.fields(kind.entity)} | kind.more
    return msgspec.defstruct(
        f"{title}State",
        [(name, _timed(type_) | UnsetType, UNSET) for name, type_ in members.items()],
        rename="camel",
        kw_only=True,
        namespace={"__doc__": "What changed, or all of it when it was made or deleted."},
    )


def _timed(type_: Any) -> Any:
    """Times of structs that are no answers are documented as times here, too."""
    return Annotated[datetime, Meta(tz=True)] if type_ is datetime else type_


def _payload(title: str, kind: Kind) -> type[msgspec.Struct]:
    state = _state(title, kind)
    return msgspec.defstruct(
        f"{title}Payload",
        [
            ("before", Annotated[state | None, Meta(description="As it was; null when it was made.")]),
            ("after", Annotated[state | None, Meta(description="As it is; null when it was deleted.")]),
        ],
        kw_only=True,
        namespace={"__doc__": "The members that changed; all of them of what was made or deleted."},
    )


def _delivered(entity_type: str, kind: Kind) -> type[msgspec.Struct]:
    title = f"{kind.title}Event"
    names = tuple(name for name in DELIVERED if name.split(".")[0] == kind.family)
    return msgspec.defstruct(
        title,
        [
            ("event_name", Literal[names]),
            ("entity_type", Literal[entity_type]),
            ("payload", _payload(title, kind)),
        ],
        bases=(Delivered,),
        rename="camel",
        kw_only=True,
        namespace={"__doc__": f"The body of deliveries about things of the type `{entity_type}`."},
    )


# By the beginning of the event's name.
BODIES = {kind.family: _delivered(entity_type, kind) for entity_type, kind in KINDS.items()}
_ENTITY_TYPES = {kind.family: entity_type for entity_type, kind in KINDS.items()}


def body_of(event_name: str) -> type[msgspec.Struct]:
    """The struct that describes deliveries of the event."""
    return BODIES[event_name.split(".")[0]]


def example_of(event_name: str) -> dict[str, Any]:
    """A delivery of the event as it may be."""
    family = event_name.split(".")[0]
    before, after = examples.PAYLOADS[event_name]
    return {
        "id": "2c3f2f0e-0000-0000-0000-000000000007",
        "eventName": event_name,
        "schemaVersion": 1,
        "entityType": _ENTITY_TYPES[family],
        "entityId": examples.ENTITIES[family]["id"],
        "occurredAt": "2025-01-15T10:30:00.000000Z",
        "actorUserId": None if event_name in examples.BY_OPERATOR else examples.USER_ID,
        "payload": {"before": before, "after": after},
    }


def documented() -> list[openapi_webhooks.Delivered]:
    """Every kind of delivery, as the OpenAPI document takes it."""
    return [
        openapi_webhooks.Delivered(name, description, body_of(name), example_of(name))
        for name, description in DELIVERED.items()
    ]
