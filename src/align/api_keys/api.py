"""The operations on API keys, as the table of operations has them."""

import datetime
from functools import partial

from msgspec import UNSET

from align.access.calls import Call, Calls, ok, page
from align.api_keys import api_keys, granting, me
from align.api_keys.api_keys import ApiKey
from align.api_keys.requests import MINT, QUERY, ROTATE, ApiKeys, ApiKeysQuery, MintApiKey, MintedApiKey, with_text
from align.roles import KEY_MINTERS
from align.web.http import Answer
from align.web.operation import Access, Operation, Success

READ = Access(scope="any", roles=KEY_MINTERS, permission="read:api_keys")
WRITE = Access(scope="any", roles=KEY_MINTERS, permission="write:api_keys")

_EXAMPLE = {
    "id": "0c6a2f0e-0000-0000-0000-000000000004",
    "organizationId": "5c0e9a7e-0000-0000-0000-000000000003",
    "name": "illumera",
    "prefix": "ako_4fGh2k",
    "scope": "organization",
    "scopedProjectId": None,
    "permissions": ["read:time_entries", "write:time_entries"],
    "sourceBinding": "illumera",
    "rateLimitPerMinute": 600,
    "createdByUserId": "9a8b7c6d-0000-0000-0000-000000000002",
    "createdAt": "2025-01-15T10:30:00Z",
    "expiresAt": "2026-01-15T00:00:00Z",
    "revokedAt": None,
    "previousValidUntil": None,
    "lastUsedAt": None,
}
_KEY = "ako_4fGh2kQw8ZrT1xYb6NcV3mLp9sDj7HaEu0gRiA"
_NEW_KEY = "ako_9sDj7HaEu0gRiA4fGh2kQw8ZrT1xYb6NcV3mLp"


def operations(calls: Calls, default_rate_limit: int) -> list[Operation]:
    """The operations on keys; one minted without a rate limit gets the default."""
    return [_list(calls), _mint(calls, default_rate_limit), _rotate(calls), _revoke(calls), me.operation(calls)]


def _list(calls: Calls) -> Operation:
    return calls.reading(
        _listed,
        access=READ,
        query=QUERY,
        path="/api-keys",
        name="listApiKeys",
        tag="Keys",
        summary="List API keys",
        description=(
            "Oldest first, revoked and expired ones too, without their texts, which are stored nowhere. Admins see all "
            "keys of the organisation; developers, tech leads, DevOps engineers and managers those that they created. "
            "A project's key sees its project's keys only."
        ),
        successes=(
            Success(200, "A page of keys.", ApiKeys, {"data": [_EXAMPLE], "page": 1, "pageSize": 25, "total": 1}),
        ),
    )


def _mint(calls: Calls, default_rate_limit: int) -> Operation:
    return calls.changing(
        partial(_minted, default_rate_limit),
        access=WRITE,
        body=MINT,
        answers_secret=True,
        path="/api-keys",
        name="mintApiKey",
        tag="Keys",
        summary="Mint an API key",
        description=(
            "The answer holds the key's text, `key`, which is shown only this once. The new key acts with the role of "
            "the user who created the calling key. Admins mint any key; developers, tech leads, DevOps engineers and "
            "managers mint keys of projects that they are members of. No key gives away more than it has: its "
            "project, its permissions and its source binding bind the keys it mints."
        ),
        request_example={
            "name": "illumera",
            "scope": "organization",
            "permissions": ["read:time_entries", "write:time_entries"],
            "expiresAt": "2126-01-15T00:00:00Z",
            "sourceBinding": "illumera",
        },
        successes=(Success(201, "The key, with its text.", MintedApiKey, {**_EXAMPLE, "key": _KEY}),),
        errors=("scope_violation", "source_violation", "not_found"),
    )


def _rotate(calls: Calls) -> Operation:
    return calls.changing(
        _rotated,
        access=WRITE,
        body=ROTATE,
        answers_secret=True,
        path="/api-keys/{id}/rotate",
        name="rotateApiKey",
        tag="Keys",
        summary="Give an API key a new secret",
        description=(
            "Both secrets are valid for the overlap, `overlapSeconds`, a day unless given; then the old one is over. "
            "At most two are valid: a second rotation ends the oldest at once. Everything else of the key stays. Takes "
            "the powers that minting such a key takes."
        ),
        request_example={"overlapSeconds": 3600},
        successes=(
            Success(
                200,
                "The key, with its new text.",
                MintedApiKey,
                {**_EXAMPLE, "prefix": "ako_9sDj7H", "previousValidUntil": "2025-01-16T10:30:00Z", "key": _NEW_KEY},
            ),
        ),
        errors=("source_violation", "key_ended"),
    )


def _revoke(calls: Calls) -> Operation:
    return calls.changing(
        _revoked,
        access=WRITE,
        method="DELETE",
        path="/api-keys/{id}",
        name="revokeApiKey",
        tag="Keys",
        summary="Revoke an API key",
        description="From now on it is refused, on every server, for good. Revoking it again changes nothing.",
        successes=(Success(204, "It is revoked."),),
    )


async def _listed(call: Call) -> Answer:
    query: ApiKeysQuery = QUERY.read(call.request)
    wanted = (query.scope, query.project_id, query.active)
    filters = (
        call.organization_id,
        *granting.reach(call.caller),
        *(None if each is UNSET else each for each in wanted),
    )
    total, found = await api_keys.list_page(call.db, filters, limit=query.page_size, offset=query.offset)
    return page(query, total, found)


async def _minted(default_rate_limit: int, call: Call) -> Answer:
    wanted: MintApiKey = call.body
    granting.check_powers(call.caller, wanted.permissions, wanted.source_binding)
    await granting.check_scope(call.db, call.caller, wanted.scoped_project_id)
    minted, text = await api_keys.mint(
        call.db,
        call.organization_id,
        name=wanted.name,
        created_by_user_id=call.caller.created_by_user_id,
        scoped_project_id=wanted.scoped_project_id,
        permissions=wanted.permissions,
        source_binding=wanted.source_binding,
        expires_at=wanted.expires_at,
        rate_limit_per_minute=wanted.rate_limit_per_minute or default_rate_limit,
        actor=call.actor,
    )
    return ok(with_text(minted, text), 201)


async def _rotated(call: Call) -> Answer:
    found: ApiKey = await granting.visible(call)
    # Who rotates a key holds it.
    granting.check_powers(call.caller, found.permissions, found.source_binding)
    overlap = datetime.timedelta(seconds=call.body.overlap_seconds)
    rotated, text = await api_keys.rotate(call.db, call.organization_id, found.id, overlap, actor=call.actor)
    return ok(with_text(rotated, text))


async def _revoked(call: Call) -> Answer:
    found = await granting.visible(call)
    await api_keys.revoke(call.db, call.organization_id, found.id, actor=call.actor)
    return Answer(204, b"")
