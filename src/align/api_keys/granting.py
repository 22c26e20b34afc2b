"""What a calling key may give away: never more than it has itself, and as much as its creator's role allows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from align.access.admission import role_violation
from align.access.authentication import Caller
from align.access.calls import Call, not_found
from align.api_keys import api_keys
from align.api_keys.api_keys import ApiKey
from align.db import sql
from align.errors import ApiError
from align.external_names import nfc
from align.projects import projects
from align.refusals import NotFound
from align.roles import ADMINS, PERMISSIONS

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("api_keys.sql"))


def reach(caller: Caller) -> tuple[UUID | None, UUID | None]:
    """Whose keys the caller sees and of which project; None means all of the organisation's."""
    return (None if caller.role in ADMINS else caller.created_by_user_id), caller.scoped_project_id


async def visible(call: Call) -> ApiKey:
    """The key in the path, locked. Raises ApiError 404 for one that the caller may not see."""
    found = await api_keys.get(call.db, call.organization_id, call.id_in_path("id", "API key"))
    created_by, project_id = reach(call.caller)
    if (
        found is None
        or created_by not in (None, found.created_by_user_id)
        or project_id not in (None, found.scoped_project_id)
    ):
        raise not_found("API key")
    return found


async def check_scope(tx: asyncpg.Connection, caller: Caller, project_id: UUID | None) -> None:
    """Whether the caller may mint a key for the project, or for the organisation (None).

    Raises ApiError 403, and NotFound for a project that the caller may not see.
    """
    if project_id is None:
        if caller.scope != "organization":
            raise ApiError(
                "scope_violation",
                "scope: a project's key mints keys for its own project only",
                requiredScope="organization",
                scope=caller.scope,
            )
        if caller.role not in ADMINS:
            raise role_violation(caller.role, ADMINS)
        return
    if (
        caller.scoped_project_id not in (None, project_id)
        or await projects.get(tx, caller.organization_id, project_id) is None
    ):
        raise NotFound("scopedProjectId", f"no project has the id {project_id}")
    if caller.role not in ADMINS and not await tx.fetchval(
        queries.is_project_member, caller.organization_id, project_id, caller.created_by_user_id
    ):
        raise ApiError(
            "role_violation",
            f"scopedProjectId: the key acts for a {caller.role} who is no member of the project; "
            "members mint keys for it, admins for any",
            role=caller.role,
            requiredRoles=sorted(ADMINS),
        )


def check_powers(caller: Caller, permissions: Sequence[str] | None, source_binding: str | None) -> None:
    """Whether the caller itself may all that a key with these may. Raises ApiError 403."""
    if caller.permissions is not None:
        wanted = PERMISSIONS if permissions is None else permissions
        lacking = [each for each in wanted if each not in caller.permissions]
        if lacking:
            what = "all permissions (null)" if permissions is None else lacking[0]
            raise ApiError(
                "permission_violation",
                f"permissions: the calling key can't give {what}; it has: {', '.join(caller.permissions)}",
                requiredPermission=lacking[0],
            )
    source = None if source_binding is None else nfc(source_binding)
    if caller.source_binding not in (None, source):
        raise ApiError(
            "source_violation",
            f"sourceBinding: the calling key is bound to '{caller.source_binding}', and so must be those it gives out",
            sourceBinding=caller.source_binding,
        )
