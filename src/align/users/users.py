"""Users: the members of one organisation, whose hours are recorded and on whose behalf keys act."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from align import names
from align.db import sql
from align.events import events
from align.events.events import OPERATOR, Actor
from align.ids import new_id
from align.refusals import AlreadyExists, Conflict, NotFound, Refused
from align.roles import ROLES, Role

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("users.sql"))

MAXIMUM_EMAIL_LENGTH = 254  # RFC 5321 leaves that much of a path
_NOT_IN_EMAIL = r"@\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
EMAIL_PATTERN = f"^[^{_NOT_IN_EMAIL}]+@[^{_NOT_IN_EMAIL}]+$"
_EMAIL = re.compile(EMAIL_PATTERN)

Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=MAXIMUM_EMAIL_LENGTH,
        description="Unique within the organisation, whatever the case.",
        examples=["dora@acme.example"],
        extra_json_schema={"pattern": EMAIL_PATTERN},
    ),
]


class User(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One member of one organisation."""

    id: UUID
    organization_id: UUID
    email: Annotated[str, Meta(examples=["dora@acme.example"])]
    name: Annotated[str, Meta(examples=["Dora Developer"])]
    role: Role
    active: Annotated[bool, Meta(description="False for a deactivated user.")]
    deactivated_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")] | None
    metadata: Annotated[
        msgspec.Raw | None,
        Meta(
            description="Exactly as the inviting system sent it, or null.",
            extra_json_schema={"type": ["object", "null"]},
        ),
    ]
    created_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    updated_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]

    def __post_init__(self) -> None:
        """A row's metadata is text, which is written as the JSON that it is."""
        if isinstance(self.metadata, str):
            msgspec.structs.force_setattr(self, "metadata", msgspec.Raw(self.metadata))


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a user; None leaves a member as it is."""

    email: str | None = None
    name: str | None = None
    role: str | None = None
    active: bool | None = None


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    *,
    email: str,
    name: str,
    role: str = "user",
    user_id: UUID | None = None,
    metadata: str | None = None,
    actor: Actor = OPERATOR,
) -> User:
    """Store a new user and return it. Raises Refused for unfit input and AlreadyExists for a known email."""
    email, name = _checked_email(email), names.checked("name", name)
    _check_role(role)
    row = await tx.fetchrow(queries.insert_user, organization_id, user_id or new_id(), email, name, role, metadata)
    if row is None:
        raise _email_taken(email)
    created = User(**row)
    await events.record(
        tx, "user.invited", ("user", created.id), organization_id=organization_id, after=created, actor=actor
    )
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[User]:
    """The users of the organisation by email, deactivated ones too."""
    return [User(**row) for row in await tx.fetch(queries.list_users, organization_id)]


async def list_page(
    db: Any, organization_id: UUID, *, roles: list[Role] | None, active: bool | None, limit: int, offset: int
) -> tuple[int, list[User]]:
    """How many users there are of these roles and this state, and some of them by email."""
    total = await db.fetchval(queries.count_users, organization_id, roles, active)
    rows = await db.fetch(queries.page_of_users, organization_id, roles, active, limit, offset)
    return total, [User(**row) for row in rows]


async def find(tx: asyncpg.Connection, organization_id: UUID, id_or_email: str) -> User:
    """The user with this id or email, whose case does not matter. Raises NotFound."""
    text = names.checked("user", id_or_email, MAXIMUM_EMAIL_LENGTH)
    rows = await tx.fetch(queries.find_users, organization_id, names.parse_id(text), text)
    return names.only("user", "user", text, [User(**row) for row in rows])


async def by_email(db: Any, organization_id: UUID, email: str) -> User | None:
    """The user with this email, whose case does not matter, or None."""
    row = await db.fetchrow(queries.find_user_by_email, organization_id, email)
    return User(**row) if row else None


async def get(tx: asyncpg.Connection, organization_id: UUID, user_id: UUID) -> User | None:
    """The user, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_user, organization_id, user_id)
    return User(**row) if row else None


async def read(db: Any, organization_id: UUID, user_id: UUID) -> User | None:
    """The user as it is now, or None."""
    row = await db.fetchrow(queries.read_user, organization_id, user_id)
    return User(**row) if row else None


async def set_role(
    tx: asyncpg.Connection, organization_id: UUID, user_id: UUID, role: str, *, actor: Actor = OPERATOR
) -> User:
    """Give the user another role. Raises as `update`."""
    return await update(tx, organization_id, user_id, Changed(role=role), actor=actor)


async def set_active(
    tx: asyncpg.Connection, organization_id: UUID, user_id: UUID, *, active: bool, actor: Actor = OPERATOR
) -> User:
    """Deactivate the user, or activate it again; its hours stay. Raises as `update`."""
    return await update(tx, organization_id, user_id, Changed(active=active), actor=actor)


async def update(
    tx: asyncpg.Connection, organization_id: UUID, user_id: UUID, changed: Changed, *, actor: Actor = OPERATOR
) -> User:
    """Change a user. Raises Refused for unfit input, NotFound, AlreadyExists for a taken email.

    Raises Conflict when the organisation would be left without an active admin; only the operator, who can make a new
    one at any time, may do that.
    """
    takes_admin = changed.active is False or changed.role not in (None, "admin")
    admins = await tx.fetch(queries.lock_active_admins, organization_id) if takes_admin and actor != OPERATOR else []
    if changed.role is not None:
        _check_role(changed.role)
    old = await get(tx, organization_id, user_id)
    if old is None:
        raise NotFound("user", f"no user has the id {user_id}")
    if [row["id"] for row in admins] == [user_id]:
        field = "active" if changed.active is False else "role"
        raise Conflict("last_admin", field, f"{old.email} is the last active admin; make another one first")
    return await _save(tx, old, changed, actor)


async def _save(tx: asyncpg.Connection, old: User, changed: Changed, actor: Actor) -> User:
    email = old.email if changed.email is None else _checked_email(changed.email)
    name = old.name if changed.name is None else names.checked("name", changed.name)
    role = changed.role or old.role
    active = old.active if changed.active is None else changed.active
    if (email, name, role, active) == (old.email, old.name, old.role, old.active):
        return old
    row = await tx.fetchrow(queries.update_user, old.organization_id, old.id, email, name, role, active)
    if row is None:
        raise _email_taken(email)
    saved = User(**row)
    entity = ("user", old.id)
    await events.record_change(tx, "user.updated", entity, old, saved, organization_id=old.organization_id, actor=actor)
    return saved


def email_problem(value: str, _raw: bytes = b"") -> tuple[str, str] | None:
    """(code, message) when `value` can't be an email."""
    return None if _EMAIL.fullmatch(value) else ("invalid_email", "must be an address such as ada@example.com")


def _checked_email(text: str) -> str:
    text = names.checked("email", text, MAXIMUM_EMAIL_LENGTH)
    if not _EMAIL.fullmatch(text):
        raise Refused("email", f"email '{text}' is not an address such as ada@example.com")
    return text


def _email_taken(email: str) -> AlreadyExists:
    return AlreadyExists("email", f"a user with the email {email} exists already")


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise Refused("role", f"no role is called '{role}'; there are: {', '.join(ROLES)}")
