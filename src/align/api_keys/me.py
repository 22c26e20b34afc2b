"""`GET /me`: what the calling key is."""

import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from align.access.authentication import Caller
from align.access.calls import Call, Calls, ok
from align.roles import EVERYBODY
from align.web.http import Answer
from align.web.operation import Access, Operation, Success


class Me(msgspec.Struct, rename="camel", kw_only=True):
    """The calling API key (contract, section 2)."""

    api_key_id: UUID
    key_name: str
    key_prefix: Annotated[str, Meta(description="The first characters of the key.", examples=["ako_4fGh2k"])]
    organization_id: UUID
    scope: Literal["organization", "project"]
    scoped_project_id: UUID | None
    permissions: Annotated[list[str] | None, Meta(description="`action:resource`; null means all of its scope.")]
    source_binding: Annotated[str | None, Meta(description="The only externalSystem it may sync as, if any.")]
    created_by_user_id: UUID
    last_used_at: Annotated[datetime.datetime, Meta(tz=True, description="To the minute.")] | None


def operation(calls: Calls) -> Operation:
    """`GET /me` for the table of operations."""

    async def me(call: Call) -> Answer:
        return ok(_me(call.caller))

    return calls.reading(
        me,
        access=Access(scope="any", roles=EVERYBODY, permission=None),
        path="/me",
        name="getMe",
        tag="Keys",
        summary="Describe the calling API key",
        description="What the key is and may do. Any key may ask; a good first call of a new integration.",
        successes=(Success(200, "The calling key.", Me, _EXAMPLE),),
    )


def _me(caller: Caller) -> Me:
    return Me(
        api_key_id=caller.api_key_id,
        key_name=caller.key_name,
        key_prefix=caller.key_prefix,
        organization_id=caller.organization_id,
        scope=caller.scope,
        scoped_project_id=caller.scoped_project_id,
        permissions=caller.permissions,
        source_binding=caller.source_binding,
        created_by_user_id=caller.created_by_user_id,
        last_used_at=caller.last_used_at,
    )


_EXAMPLE = {
    "apiKeyId": "0c6a2f0e-0000-0000-0000-000000000004",
    "keyName": "illumera",
    "keyPrefix": "ako_4fGh2k",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "scope": "organization",
    "scopedProjectId": None,
    "permissions": None,
    "sourceBinding": None,
    "createdByUserId": "9a8b7c6d-0000-0000-0000-000000000002",
    "lastUsedAt": "2025-01-15T10:30:00Z",
}
