"""Create a time entry of a project, once per external reference: a sync of the same pair at the same moment or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import UNSET

from align.db import sql
from align.errors import ApiError
from align.events import events
from align.ids import new_id
from align.links import links
from align.organizations import period_lock
from align.refusals import Conflict
from align.time_entries import references
from align.time_entries.entry_bodies import CreateTimeEntry
from align.time_entries.model import work_date

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("creating.sql"))

# One more than a reference can need: it is known, or it is free, or a sync took it meanwhile and it is known then.
_ATTEMPTS = 3


class Created(msgspec.Struct, frozen=True):
    """The time entry, new or known; `json` is the answer, `differs` names what a known one has otherwise."""

    id: UUID
    json: str
    version: int
    created: bool
    differs: str | None = None


async def create(
    tx: asyncpg.Connection,
    organization_id: UUID,
    project_id: UUID,
    new: CreateTimeEntry,
    *,
    sees: Callable[[UUID | None], bool] = lambda _: True,
    actor: events.Actor = events.OPERATOR,
) -> Created:
    """Store the time entry with its link and event, or return the one that its reference names already.

    `sees`: which projects the caller may see. Raises ApiError as the sync does, and Conflict when the reference names
    something else.
    """
    values = _values(project_id, new)
    found = await references.find(tx, organization_id, project_id, new.user_id, values[-1])
    ref = links.checked(new.external_ref) if new.external_ref else None
    entry_id = new_id()
    for _ in range(_ATTEMPTS):
        if ref is not None and (known := await _known(tx, organization_id, ref, values, sees)):
            return known
        await _check_new(tx, organization_id, found, new)
        if ref is None or await _take(tx, organization_id, ref, entry_id):
            source = "api" if new.source is UNSET else new.source
            return await _insert(tx, organization_id, entry_id, values, source, actor)
    raise ApiError(
        "overloaded", "the reference is being used by others; nothing was done, repeat", headers={"Retry-After": "1"}
    )


def _values(project_id: UUID, new: CreateTimeEntry) -> tuple[UUID, UUID, object, object, bool, str | None, UUID | None]:
    """In the order of the statements: project, user, day, minutes, billable, description, ticket."""
    return (
        project_id,
        new.user_id,
        work_date(new.work_date),
        new.minutes,
        True if new.billable is UNSET else new.billable,
        None if new.description is UNSET else new.description,
        None if new.entry_id is UNSET else new.entry_id,
    )


async def _known(
    tx: asyncpg.Connection,
    organization_id: UUID,
    ref: links.ExternalRef,
    values: tuple[object, ...],
    sees: Callable[[UUID | None], bool],
) -> Created | None:
    row = await tx.fetchrow(queries.find_linked, organization_id, *msgspec.structs.astuple(ref), *values)
    if row is None:
        return None
    if row["id"] is None or not sees(row["project_id"]):
        raise Conflict("external_ref_conflict", "externalRef", "the reference names something else already")
    if row["deleted"]:
        raise references.refusal("time_entry_deleted")
    return Created(row["id"], row["json"], row["version"], False, row["differs"])


async def _check_new(
    tx: asyncpg.Connection, organization_id: UUID, found: references.Found, new: CreateTimeEntry
) -> None:
    if found.user_role == "client":
        raise references.refusal("unfit", "userId")
    if found.project_status == "archived":
        raise references.refusal("project_archived")
    day = work_date(new.work_date)
    if day is not None:
        await period_lock.check_open(tx, organization_id, day)


async def _take(tx: asyncpg.Connection, organization_id: UUID, ref: links.ExternalRef, entry_id: UUID) -> bool:
    """Link the reference, which decides who creates its time entry; False when another has done so.

    It is part of the time entry, as in a sync, so it has no event of its own.
    """
    entity = ("time_entry", entry_id)
    row = await tx.fetchrow(
        links.queries.insert_link, organization_id, new_id(), *msgspec.structs.astuple(ref), *entity
    )
    return row is not None


async def _insert(
    tx: asyncpg.Connection,
    organization_id: UUID,
    entry_id: UUID,
    values: tuple[object, ...],
    source: str,
    actor: events.Actor,
) -> Created:
    project_id, user_id, day, minutes, billable, description, ticket_id = values
    row = await tx.fetchrow(
        queries.insert_entry,
        organization_id,
        entry_id,
        project_id,
        user_id,
        ticket_id,
        day,
        minutes,
        description,
        billable,
        source,
        new_id(),
        actor.user_id,
        actor.api_key_id,
    )
    return Created(entry_id, row["json"], row["version"], True)
