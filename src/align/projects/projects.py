"""Projects: what hours are recorded on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import Meta

from align import names
from align.db import sql
from align.events import events
from align.events.events import OPERATOR, Actor
from align.ids import new_id
from align.refusals import NotFound, Refused

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("projects.sql"))

Status = Literal["active", "on_hold", "completed", "archived"]
STATUSES: tuple[Status, ...] = get_args(Status)


class Project(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One project of one organisation; an archived one takes no new time and no new tickets."""

    id: UUID
    organization_id: UUID
    name: Annotated[str, Meta(examples=["Website relaunch"])]
    status: Status
    created_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]
    updated_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    name: str,
    *,
    status: str = "active",
    project_id: UUID | None = None,
    actor: Actor = OPERATOR,
) -> Project:
    """Store a new project and return it; two may have the same name. Raises Refused for unfit input."""
    name = names.checked("name", name)
    _check_status(status)
    row = await tx.fetchrow(queries.insert_project, organization_id, project_id or new_id(), name, status)
    created = Project(**row)
    await events.record(
        tx,
        "project.created",
        ("project", created.id),
        organization_id=organization_id,
        after=created,
        actor=actor,
        project_id=created.id,
    )
    return created


async def list_all(tx: asyncpg.Connection, organization_id: UUID) -> list[Project]:
    """The projects of the organisation by name, archived ones too."""
    return [Project(**row) for row in await tx.fetch(queries.list_projects, organization_id)]


async def list_page(
    db: Any,
    organization_id: UUID,
    *,
    only_project: UUID | None,
    statuses: list[Status] | None,
    name: str | None,
    limit: int,
    offset: int,
) -> tuple[int, list[Project]]:
    """How many projects there are of these statuses and this name, and some of them by name."""
    parameters = (organization_id, only_project, statuses, name)
    total = await db.fetchval(queries.count_projects, *parameters)
    return total, [Project(**row) for row in await db.fetch(queries.page_of_projects, *parameters, limit, offset)]


async def find(tx: asyncpg.Connection, organization_id: UUID, id_or_name: str) -> Project:
    """The project with this id or exactly this name. Raises NotFound, or Ambiguous for several."""
    text = names.checked("project", id_or_name)
    rows = await tx.fetch(queries.find_projects, organization_id, names.parse_id(text), text)
    return names.only("project", "project", text, [Project(**row) for row in rows])


async def get(tx: asyncpg.Connection, organization_id: UUID, project_id: UUID) -> Project | None:
    """The project, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_project, organization_id, project_id)
    return Project(**row) if row else None


async def read(db: Any, organization_id: UUID, project_id: UUID) -> Project | None:
    """The project as it is now, or None."""
    row = await db.fetchrow(queries.read_project, organization_id, project_id)
    return Project(**row) if row else None


async def missing(tx: asyncpg.Connection, organization_id: UUID, project_ids: Collection[UUID]) -> set[UUID]:
    """Which of the ids are no project of the organisation."""
    rows = await tx.fetch(queries.existing_projects, organization_id, list(project_ids)) if project_ids else []
    return set(project_ids) - {row["id"] for row in rows}


async def set_status(
    tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, status: str, *, actor: Actor = OPERATOR
) -> Project:
    """Give the project another status, from any to any. Raises as `update`."""
    return await update(tx, organization_id, project_id, status=status, actor=actor)


async def update(
    tx: asyncpg.Connection,
    organization_id: UUID,
    project_id: UUID,
    *,
    name: str | None = None,
    status: str | None = None,
    actor: Actor = OPERATOR,
) -> Project:
    """Change what is not None. Raises Refused for unfit input and NotFound."""
    if status is not None:
        _check_status(status)
    old = await get(tx, organization_id, project_id)
    if old is None:
        raise NotFound("project", f"no project has the id {project_id}")
    name = old.name if name is None else names.checked("name", name)
    if (name, status or old.status) == (old.name, old.status):
        return old
    row = await tx.fetchrow(queries.update_project, organization_id, project_id, name, status or old.status)
    saved = Project(**row)
    await events.record_change(
        tx,
        "project.updated",
        ("project", project_id),
        old,
        saved,
        organization_id=organization_id,
        actor=actor,
        project_id=project_id,
    )
    return saved


def _check_status(status: str) -> None:
    if status not in STATUSES:
        raise Refused("status", f"no status is called '{status}'; there are: {', '.join(STATUSES)}")
