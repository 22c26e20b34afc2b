"""API keys: minted for a user, shown once, stored as a digest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align import names
from align.access import key_text
from align.db import sql
from align.events import events
from align.ids import new_id
from align.projects import projects
from align.refusals import NotFound, Refused
from align.users import users

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("api_keys.sql"))

MAXIMUM_RATE_LIMIT = 10_000_000


class ApiKey(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of a key after it was minted: everything but its text and digest."""

    id: UUID
    organization_id: UUID
    name: str
    prefix: str
    scope: key_text.Scope
    scoped_project_id: UUID | None
    permissions: list[str] | None
    rate_limit_per_minute: int | None
    created_by_user_id: UUID
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def mint(
    tx: asyncpg.Connection,
    organization_id: UUID,
    *,
    name: str,
    created_by_user_id: UUID,
    scoped_project_id: UUID | None = None,
    expires_at: datetime | None = None,
    rate_limit_per_minute: int | None = None,
) -> tuple[ApiKey, str]:
    """Store a new key that acts with the role of its creator; returns it and its text, which is kept nowhere.

    With `scoped_project_id` it reaches that project only, else the organisation; `rate_limit_per_minute` None
    means no limit. Raises Refused for unfit input or a deactivated creator, NotFound for user and project.
    """
    name = names.checked("name", name)
    _check_rate_limit(rate_limit_per_minute)
    await _check_creator(tx, organization_id, created_by_user_id)
    if scoped_project_id and await projects.get(tx, organization_id, scoped_project_id) is None:
        raise NotFound("project", f"no project has the id {scoped_project_id}")
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
    )
    minted = ApiKey(**row)
    await events.record(tx, "api_key.created", ("api_key", minted.id), organization_id=organization_id, after=minted)
    return minted, made.text


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[ApiKey]:
    """The keys of the organisation, oldest first, revoked and expired ones too."""
    return [ApiKey(**row) for row in await tx.fetch(queries.list_api_keys, organization_id)]


async def find(tx: asyncpg.Connection, organization_id: UUID, text: str) -> ApiKey:
    """The key with this id, shown prefix or whole text (as found in a leak). Raises NotFound or Ambiguous."""
    text = names.checked("key", text)
    digest = key_text.digest(text) if key_text.is_well_formed(text) else None
    rows = await tx.fetch(queries.find_api_keys, organization_id, names.parse_id(text), text, digest)
    # Messages get logged: they repeat no more of a key than its prefix.
    shown = text[: key_text.SHOWN_LENGTH] + "…" if text.startswith(tuple(key_text.PREFIXES.values())) else text
    return names.only("key", "key", shown, [ApiKey(**row) for row in rows])


async def revoke(tx: asyncpg.Connection, organization_id: UUID, api_key_id: UUID) -> ApiKey:
    """Refuse the key for good, from the commit on; a second time changes nothing. Raises NotFound."""
    old = await _existing(tx, organization_id, api_key_id)
    if old.revoked_at is not None:
        return old
    return await _record_change(tx, "api_key.revoked", old, await tx.fetchrow(queries.revoke_api_key, *_key(old)))


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
    row = await tx.fetchrow(queries.get_api_key, organization_id, api_key_id)
    if row is None:
        raise NotFound("key", f"no key has the id {api_key_id}")
    return ApiKey(**row)


async def _record_change(tx: asyncpg.Connection, event_name: str, old: ApiKey, row: asyncpg.Record) -> ApiKey:
    new = ApiKey(**row)
    entity = ("api_key", new.id)
    await events.record_change(tx, event_name, entity, old, new, organization_id=new.organization_id)
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
