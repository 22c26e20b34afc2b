"""API keys: minted for a user, shown once, stored as a digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from align import names
from align.access import key_text
from align.db import sql
from align.events import events
from align.external_names import external_name_problem, nfc
from align.ids import new_id
from align.projects import projects
from align.refusals import Conflict, NotFound, Refused
from align.roles import PERMISSIONS
from align.users import users

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("api_keys.sql"))

MAXIMUM_RATE_LIMIT = 10_000_000
# How long the old secret stays valid after a rotation.
OVERLAP = timedelta(days=1)
MAXIMUM_OVERLAP = timedelta(days=30)


class ApiKey(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of a key after it was minted: everything but its text and digest."""

    id: UUID
    organization_id: UUID
    name: Annotated[str, Meta(description="What it is for.", examples=["illumera"])]
    prefix: Annotated[str, Meta(description="The first characters of the key.", examples=["ako_4fGh2k"])]
    scope: key_text.Scope
    scoped_project_id: UUID | None
    permissions: Annotated[list[str] | None, Meta(description="`action:resource`; null means all of its scope.")]
    source_binding: Annotated[str | None, Meta(description="The only externalSystem it may sync as, if any.")]
    rate_limit_per_minute: Annotated[int | None, Meta(description="null means no limit.")]
    created_by_user_id: Annotated[UUID, Meta(description="With this user's role it acts.")]
    created_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    expires_at: Annotated[datetime, Meta(tz=True)] | None
    revoked_at: Annotated[datetime, Meta(tz=True)] | None
    previous_valid_until: (
        Annotated[datetime, Meta(tz=True, description="When the secret before the last rotation ends or ended.")] | None
    )
    last_used_at: Annotated[datetime, Meta(tz=True, description="To the minute.")] | None


async def mint(
    tx: asyncpg.Connection,
    organization_id: UUID,
    *,
    name: str,
    created_by_user_id: UUID,
    scoped_project_id: UUID | None = None,
    permissions: Sequence[str] | None = None,
    source_binding: str | None = None,
    expires_at: datetime | None = None,
    rate_limit_per_minute: int | None = None,
    actor: events.Actor = events.OPERATOR,
) -> tuple[ApiKey, str]:
    """Store a new key that acts with the role of its creator; returns it and its text, which is kept nowhere.

    With `scoped_project_id` it reaches that project only, else the organisation; `permissions` None means all of that,
    `rate_limit_per_minute` None no limit. Raises Refused for unfit input or a deactivated creator, NotFound for user
    and project.
    """
    name = names.checked("name", name)
    _check_rate_limit(rate_limit_per_minute)
    await _check_creator(tx, organization_id, created_by_user_id)
    if scoped_project_id and await projects.get(tx, organization_id, scoped_project_id) is None:
        raise NotFound("scopedProjectId", f"no project has the id {scoped_project_id}")
    scope: key_text.Scope = "project" if scoped_project_id else "organization"
    made = key_text.make(scope)
    row = await tx.fetchrow(
        queries.insert_api_key,
        organization_id,
        new_id(),
        name,
        made.prefix,
        made.digest,
        scope,
        scoped_project_id,
        created_by_user_id,
        expires_at,
        rate_limit_per_minute,
        _checked_permissions(permissions),
        _checked_source(source_binding),
    )
    minted = ApiKey(**row)
    await events.record(
        tx,
        "api_key.created",
        ("api_key", minted.id),
        organization_id=organization_id,
        after=minted,
        actor=actor,
        project_id=scoped_project_id,
    )
    return minted, made.text


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[ApiKey]:
    """The keys of the organisation, oldest first, revoked and expired ones too."""
    return [ApiKey(**row) for row in await tx.fetch(queries.list_api_keys, organization_id)]


async def list_page(
    db: asyncpg.Pool, asked_for: tuple[object, ...], *, limit: int, offset: int
) -> tuple[int, list[ApiKey]]:
    """How many keys there are, and some of them, oldest first.

    `asked_for`: organisation, then what else they must have, None where it does not matter: creator, project that the
    reader is bound to, scope, project, whether they work now.
    """
    rows = await db.fetch(queries.list_api_keys_page, *asked_for, limit, offset)
    return await db.fetchval(queries.count_api_keys, *asked_for), [ApiKey(**row) for row in rows]


async def find(tx: asyncpg.Connection, organization_id: UUID, text: str) -> ApiKey:
    """The key with this id, shown prefix or whole text (as found in a leak). Raises NotFound or Ambiguous."""
    text = names.checked("key", text)
    digest = key_text.digest(text) if key_text.is_well_formed(text) else None
    rows = await tx.fetch(queries.find_api_keys, organization_id, names.parse_id(text), text, digest)
    # Messages get logged: they repeat no more of a key than its prefix.
    shown = text[: key_text.SHOWN_LENGTH] + "…" if text.startswith(tuple(key_text.PREFIXES.values())) else text
    return names.only("key", "key", shown, [ApiKey(**row) for row in rows])


async def get(tx: asyncpg.Connection, organization_id: UUID, api_key_id: UUID) -> ApiKey | None:
    """The key, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_api_key, organization_id, api_key_id)
    return ApiKey(**row) if row else None


async def rotate(
    tx: asyncpg.Connection,
    organization_id: UUID,
    api_key_id: UUID,
    overlap: timedelta = OVERLAP,
    *,
    actor: events.Actor = events.OPERATOR,
) -> tuple[ApiKey, str]:
    """Give the key a new secret, and return it and that; the one before stays valid for `overlap`.

    At most two secrets are valid: a second rotation ends the oldest at once. Raises Refused, NotFound, and Conflict for
    a key that is revoked or has expired.
    """
    if not timedelta(0) <= overlap <= MAXIMUM_OVERLAP:
        raise Refused("overlapSeconds", f"the overlap must be 0 to {MAXIMUM_OVERLAP // timedelta(seconds=1)} seconds")
    old = await _existing(tx, organization_id, api_key_id)
    made = key_text.make(old.scope)
    row = await tx.fetchrow(queries.rotate_api_key, *_key(old), made.prefix, made.digest, overlap)
    if row is None:
        raise Conflict("key_ended", "id", "the key is revoked or has expired; mint another")
    return await _record_change(tx, "api_key.rotated", old, row, actor), made.text


async def revoke(
    tx: asyncpg.Connection, organization_id: UUID, api_key_id: UUID, *, actor: events.Actor = events.OPERATOR
) -> ApiKey:
    """Refuse the key for good, from the commit on; a second time changes nothing. Raises NotFound."""
    old = await _existing(tx, organization_id, api_key_id)
    if old.revoked_at is not None:
        return old
    row = await tx.fetchrow(queries.revoke_api_key, *_key(old))
    return await _record_change(tx, "api_key.revoked", old, row, actor)


async def set_rate_limit(
    tx: asyncpg.Connection, organization_id: UUID, api_key_id: UUID, rate_limit_per_minute: int | None
) -> ApiKey:
    """Allow the key so many requests a minute; None lifts the limit. Raises Refused and NotFound."""
    _check_rate_limit(rate_limit_per_minute)
    old = await _existing(tx, organization_id, api_key_id)
    if old.rate_limit_per_minute == rate_limit_per_minute:
        return old
    row = await tx.fetchrow(queries.set_rate_limit, *_key(old), rate_limit_per_minute)
    return await _record_change(tx, "api_key.updated", old, row)


def _key(api_key: ApiKey) -> tuple[UUID, UUID]:
    return api_key.organization_id, api_key.id


async def _existing(tx: asyncpg.Connection, organization_id: UUID, api_key_id: UUID) -> ApiKey:
    found = await get(tx, organization_id, api_key_id)
    if found is None:
        raise NotFound("key", f"no key has the id {api_key_id}")
    return found


async def _record_change(
    tx: asyncpg.Connection,
    event_name: str,
    old: ApiKey,
    row: asyncpg.Record,
    actor: events.Actor = events.OPERATOR,
) -> ApiKey:
    new = ApiKey(**row)
    await events.record_change(
        tx,
        event_name,
        ("api_key", new.id),
        old,
        new,
        organization_id=new.organization_id,
        actor=actor,
        project_id=new.scoped_project_id,
    )
    return new


async def _check_creator(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID) -> None:
    creator = await users.get(tx, organization_id, user_id)
    if creator is None:
        raise NotFound("user", f"no user has the id {user_id}")
    if creator.deactivated_at is not None:
        raise Refused("user", f"{creator.email} is deactivated; keys are minted for active users")


def _check_rate_limit(rate_limit_per_minute: int | None) -> None:
    if rate_limit_per_minute is not None and not 1 <= rate_limit_per_minute <= MAXIMUM_RATE_LIMIT:
        raise Refused(
            "rateLimitPerMinute",
            f"the rate limit must be 1 to {MAXIMUM_RATE_LIMIT} requests a minute, or unlimited",
        )


def _checked_permissions(permissions: Sequence[str] | None) -> list[str] | None:
    """Each once, in the order of the list of all. An empty list would be a key that may do nothing."""
    if permissions is None:
        return None
    unknown = [each for each in permissions if each not in PERMISSIONS]
    if unknown or not permissions:
        found = f"no permission is called '{unknown[0]}'" if unknown else "no permission is named"
        raise Refused("permissions", f"{found}; there are: {', '.join(PERMISSIONS)}")
    return [each for each in PERMISSIONS if each in permissions]


def _checked_source(source_binding: str | None) -> str | None:
    if source_binding is None:
        return None
    if problem := external_name_problem(source_binding) if source_binding else ("too_short", "must not be empty"):
        raise Refused("sourceBinding", f"the source {problem[1]}")
    return nfc(source_binding)
