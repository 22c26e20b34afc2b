"""`GET /organization`: the calling key's organisation, its features and settings."""

import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from align.access.calls import Call, Calls, not_found, ok
from align.organizations import organizations
from align.roles import EVERYBODY
from align.web.http import Answer
from align.web.operation import Access, Operation, Success


class OrganizationSettings(msgspec.Struct, rename="camel", kw_only=True):
    """What an organisation decides for all of its callers."""

    strict: Annotated[bool, Meta(description="Whether unknown members and reused Idempotency-Keys are refused.")]
    locked_until: (
        Annotated[
            datetime.date, Meta(description="Nothing dated on or before this day is created, changed or deleted.")
        ]
        | None
    )


class Organization(msgspec.Struct, rename="camel", kw_only=True):
    """The calling key's organisation."""

    id: UUID
    name: Annotated[str, Meta(examples=["Acme"])]
    features: Annotated[list[str], Meta(description="What its plan includes.", examples=[["time_tracking"]])]
    settings: OrganizationSettings
    created_at: Annotated[datetime.datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    updated_at: Annotated[datetime.datetime, Meta(tz=True)]


def operations(calls: Calls) -> list[Operation]:
    """The operations of an organisation, for the table of operations."""
    return [
        calls.reading(
            _read,
            access=Access(scope="any", roles=EVERYBODY, permission=None),
            path="/organization",
            name="getOrganization",
            tag="Organization",
            summary="Describe the organisation",
            description="The calling key's organisation, the features of its plan and its settings. Any key may ask.",
            successes=(Success(200, "The organisation.", Organization, EXAMPLE),),
        )
    ]


def view(of: organizations.Organization) -> Organization:
    """An organisation as the API shows it."""
    return Organization(
        id=of.id,
        name=of.name,
        features=of.features,
        settings=OrganizationSettings(strict=of.strict, locked_until=of.locked_until),
        created_at=of.created_at,
        updated_at=of.updated_at,
    )


async def _read(call: Call) -> Answer:
    found = await organizations.read(call.db, call.organization_id)
    if found is None:
        raise not_found("organisation")
    return ok(view(found))


EXAMPLE = {
    "id": "5c0e9a7e-0000-0000-0000-000000000003",
    "name": "Acme",
    "features": ["time_tracking"],
    "settings": {"strict": False, "lockedUntil": "2024-12-31"},
    "createdAt": "2025-01-15T10:30:00Z",
    "updatedAt": "2025-01-15T10:30:00Z",
}
