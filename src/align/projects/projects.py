"""Projects: what hours are recorded on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from uuid import UUID

import msgspec

from align import names
from align.db import sql
from align.events import events
from align.ids import new_id
from align.refusals import NotFound, Refused

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("projects.sql"))

Status = Literal["active", "on_hold", "completed", "archived"]
STATUSES: tuple[Status, ...] = get_args(Status)


class Project(msgspec.Struct, frozen=True, rename="camel"):
    """One project of one organisation; an archived one takes no new time."""

    id: UUID
    organization_id: UUID
    name: str
    status: Status
    created_at: datetime
    updated_at: datetime


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    name: str,
    *,
    status: str = "active",
    project_id: UUID | None = None,
) -> Project:
    """Store a new project and return it; two may have the same name. Raises Refused for unfit input."""
    name = names.checked("name", name)
    _check_status(status)
    row = await tx.fetchrow(queries.insert_project, organization_id, project_id or new_id(), name, status)
    created = Project(**row)
    await events.record(tx, "project.created", ("project", created.id), organization_id=organization_id, after=created)
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[Project]:
    """The projects of the organisation by name, archived ones too."""
    return [Project(**row) for row in await tx.fetch(queries.list_projects, organization_id)]


async def find(tx: asyncpg.Connection, organization_id: UUID, id_or_name: str) -> Project:
    """The project with this id or exactly this name. Raises NotFound, or Ambiguous for several."""
    text = names.checked("project", id_or_name)
    rows = await tx.fetch(queries.find_projects, organization_id, names.parse_id(text), text)
    return names.only("project", "project", text, [Project(**row) for row in rows])


async def get(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID) -> Project | None:
    """The project, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_project, organization_id, project_id)
    return Project(**row) if row else None


async def set_status(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, status: str) -> Project:
    """Give the project another status, from any to any. Raises Refused for an unknown status and NotFound."""
    _check_status(status)
    old = await get(tx, organization_id, project_id)
    if old is None:
        raise NotFound("project", f"no project has the id {project_id}")
    if old.status == status:
        return old
    saved = Project(**await tx.fetchrow(queries.update_project, organization_id, project_id, status))
    entity = ("project", project_id)
    await events.record_change(tx, "project.updated", entity, old, saved, organization_id=organization_id)
    return saved


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise Refused("status", f"no status is called '{status}'; there are: {', '.join(STATUSES)}")
