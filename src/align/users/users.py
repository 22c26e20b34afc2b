"""Users: the members of one organisation, whose hours are recorded and on whose behalf keys act."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align import names
from align.db import sql
from align.events import events
from align.ids import new_id
from align.refusals import AlreadyExists, NotFound, Refused
from align.roles import ROLES, Role

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("users.sql"))

MAXIMUM_EMAIL_LENGTH = 254  # RFC 5321 leaves that much of a path
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class User(msgspec.Struct, frozen=True, rename="camel"):
    """One member of one organisation."""

    id: UUID
    organization_id: UUID
    email: str
    name: str
    role: Role
    deactivated_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    *,
    email: str,
    name: str,
    role: str = "user",
    user_id: UUID | None = None,
) -> User:
    """Store a new user and return it. Raises Refused for unfit input and AlreadyExists for a known email."""
    email, name = _checked_email(email), names.checked("name", name)
    _check_role(role)
    row = await tx.fetchrow(queries.insert_user, organization_id, user_id or new_id(), email, name, role)
    if row is None:
        raise AlreadyExists("email", f"a user with the email {email} exists already")
    created = User(**row)
    await events.record(tx, "user.invited", ("user", created.id), organization_id=organization_id, after=created)
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[User]:
    """The users of the organisation by email, deactivated ones too."""
    return [User(**row) for row in await tx.fetch(queries.list_users, organization_id)]


async def find(tx: asyncpg.Connection, organization_id: UUID, id_or_email: str) -> User:
    """The user with this id or email, whose case does not matter. Raises NotFound."""
    text = names.checked("user", id_or_email, MAXIMUM_EMAIL_LENGTH)
    rows = await tx.fetch(queries.find_users, organization_id, names.parse_id(text), text)
    return names.only("user", "user", text, [User(**row) for row in rows])


async def get(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID) -> User | None:
    """The user, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_user, organization_id, user_id)
    return User(**row) if row else None


async def set_role(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID, role: str) -> User:
    """Give the user another role. Raises Refused for an unknown role and NotFound."""
    _check_role(role)
    old = await _existing(tx, organization_id, user_id)
    return await _save(tx, old, role=role, active=old.deactivated_at is None)


async def set_active(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID, *, active: bool) -> User:
    """Deactivate the user, or activate it again; its hours stay. Raises NotFound."""
    old = await _existing(tx, organization_id, user_id)
    return await _save(tx, old, role=old.role, active=active)


async def _existing(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID) -> User:
    user = await get(tx, organization_id, user_id)
    if user is None:
        raise NotFound("user", f"no user has the id {user_id}")
    return user


async def _save(tx: asyncpg.Connection, old: User, *, role: str, active: bool) -> User:
    if (role, active) == (old.role, old.deactivated_at is None):
        return old
    saved = User(**await tx.fetchrow(queries.update_user, old.organization_id, old.id, role, not active))
    entity = ("user", old.id)
    await events.record_change(tx, "user.updated", entity, old, saved, organization_id=old.organization_id)
    return saved


def _checked_email(text: str) -> str:
    text = names.checked("email", text, MAXIMUM_EMAIL_LENGTH)
    if not _EMAIL.fullmatch(text):
        raise Refused("email", f"email '{text}' is not an address such as ada@example.com")
    return text


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Refused("role", f"no role is called '{role}'; there are: {', '.join(ROLES)}")
