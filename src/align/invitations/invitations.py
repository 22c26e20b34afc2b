"""Invite people: a known email or external reference gives the user who exists, anything else a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from uuid import UUID

from msgspec import UNSET

from align.errors import ApiError, Problem
from align.events.events import OPERATOR, Actor
from align.invitations.model import InviteUser
from align.links import links
from align.projects import members, projects
from align.refusals import Conflict, NotFound
from align.users import users
from align.users.users import User

if TYPE_CHECKING:
    import asyncpg


async def invite(
    tx: asyncpg.Connection, organization_id: UUID, invitation: InviteUser, *, actor: Actor = OPERATOR
) -> tuple[User, Literal["invited", "existing", "linked"]]:
    """The user, and how it came about. A user who exists is not changed, but may get the external reference.

    Raises ApiError 404 for unknown projects, Conflict for a reference that names something or somebody else.
    """
    await _check_projects(tx, organization_id, invitation)
    ref, known_id = await links.named(tx, organization_id, invitation.external_ref, "user")
    found = await users.by_email(tx, organization_id, invitation.email)
    if known_id is not None:
        if found is not None and found.id != known_id:
            text = "the reference names another user than the one with this email"
            raise Conflict("external_ref_conflict", "externalRef", text)
        found = found or await users.read(tx, organization_id, known_id)
        if found is None:
            raise NotFound("externalRef", "the reference names a user who is not there")
        return found, "existing"
    status: Literal["invited", "existing", "linked"] = "existing" if ref is None else "linked"
    if found is None:
        found, status = await _create(tx, organization_id, invitation, actor), "invited"
    if ref is not None:
        await links.link(tx, organization_id, ref, ("user", found.id), actor=actor)
    return found, status


async def _create(tx: asyncpg.Connection, organization_id: UUID, invitation: InviteUser, actor: Actor) -> User:
    made = await users.create(
        tx,
        organization_id,
        email=invitation.email,
        name=invitation.name,
        role="user" if invitation.role is UNSET else invitation.role,
        metadata=None if invitation.metadata is UNSET else bytes(invitation.metadata).decode(),
        actor=actor,
    )
    for project_id in dict.fromkeys(_project_ids(invitation)):
        await members.add(tx, organization_id, project_id, made.id, actor=actor)
    return made


async def _check_projects(tx: asyncpg.Connection, organization_id: UUID, invitation: InviteUser) -> None:
    sent = _project_ids(invitation)
    missing = await projects.missing(tx, organization_id, set(sent))
    message = "no such project in this organisation"
    details = [
        Problem(f"projectIds[{index}]", "not_found", message)
        for index, project_id in enumerate(sent)
        if project_id in missing
    ]
    if details:
        raise ApiError("not_found", f"{details[0].path}: {message}", details=details)


def _project_ids(invitation: InviteUser) -> list[UUID]:
    return [] if invitation.project_ids is UNSET else invitation.project_ids
