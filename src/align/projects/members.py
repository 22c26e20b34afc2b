"""Members: the users who work on a project."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from align.db import sql
from align.events import events
from align.events.events import OPERATOR, Actor
from align.ids import new_id
from align.refusals import NotFound
from align.roles import Role
from align.users import users

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("members.sql"))


class Member(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A user as a member of a project."""

    id: Annotated[UUID, Meta(description="Of the membership.")]
    project_id: UUID
    user_id: UUID
    email: Annotated[str, Meta(examples=["dora@acme.example"])]
    name: Annotated[str, Meta(examples=["Dora Developer"])]
    role: Annotated[Role, Meta(description="In the organisation.")]
    active: Annotated[bool, Meta(description="False for a deactivated user.")]
    created_at: Annotated[datetime, Meta(tz=True, description="When the user became a member. RFC 3339, UTC.")]


async def list_page(
    db: Any, organization_id: UUID, project_id: UUID, *, limit: int, offset: int
) -> tuple[int, list[Member]]:
    """How many members the project has, and some of them by email."""
    total = await db.fetchval(queries.count_members, organization_id, project_id)
    rows = await db.fetch(queries.page_of_members, organization_id, project_id, limit, offset)
    return total, [Member(**row) for row in rows]


async def add(
    tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, user_id: UUID, *, actor: Actor = OPERATOR
) -> tuple[Member, bool]:
    """Make the user a member of a project that exists; returns the member, and whether it is new. Raises NotFound."""
    if await users.read(tx, organization_id, user_id) is None:
        raise NotFound("userId", "no such user in this organisation")
    is_new = await tx.fetchval(queries.insert_member, organization_id, new_id(), project_id, user_id) is not None
    member = await _find(tx, organization_id, project_id, user_id)
    if member is None:
        raise RuntimeError("a member was there and is gone in one transaction")
    if is_new:
        await events.record(
            tx,
            "project_member.added",
            ("project_member", member.id),
            organization_id=organization_id,
            after=member,
            actor=actor,
            project_id=project_id,
        )
    return member, is_new


async def remove(
    tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, user_id: UUID, *, actor: Actor = OPERATOR
) -> None:
    """End the user's membership; hours stay. Raises NotFound for a user who is no member."""
    member = await _find(tx, organization_id, project_id, user_id)
    if member is None:
        raise NotFound("userId", "no such member in this project")
    await tx.execute(queries.delete_member, organization_id, project_id, user_id)
    await events.record(
        tx,
        "project_member.removed",
        ("project_member", member.id),
        organization_id=organization_id,
        before=member,
        actor=actor,
        project_id=project_id,
    )


async def _find(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, user_id: UUID) -> Member | None:
    row = await tx.fetchrow(queries.find_member, organization_id, project_id, user_id)
    return Member(**row) if row else None
