"""Change and delete time entries: in draft and rejected only, outside locked periods, with an event for each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import UNSET

from align.access.calls import not_found
from align.db import sql
from align.errors import ApiError
from align.events import events
from align.organizations import period_lock
from align.time_entries import references
from align.time_entries.entry_bodies import UpdateTimeEntry
from align.time_entries.model import work_date
from align.time_entries.states import EDITABLE, allowed_actions
from align.web import etags

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("editing.sql"))

Sees = Callable[[UUID | None], bool]


class Fields(msgspec.Struct, frozen=True):
    """What can be changed of a time entry, in the order of the statement."""

    project_id: UUID
    user_id: UUID
    ticket_id: UUID | None
    work_date: date
    minutes: int
    description: str | None
    billable: bool


class Locked(msgspec.Struct, frozen=True):
    """A time entry that nobody else changes until the transaction ends; `json` is its wire form."""

    fields: Fields
    status: str
    version: int
    json: str


async def update(
    tx: asyncpg.Connection,
    organization_id: UUID,
    entry_id: UUID,
    change: UpdateTimeEntry,
    *,
    condition: etags.Tags | None = None,
    sees: Sees = lambda _: True,
    actor: events.Actor = events.OPERATOR,
) -> None:
    """Change what `change` holds; what it holds already is no change, and no event.

    Raises ApiError: 404, 412 for a stale `condition`, 409 where nothing may be changed, 404 and 400 for what it names.
    """
    old = await _editable(tx, organization_id, entry_id, "update", condition, sees)
    new = _changed(old.fields, change)
    if not sees(new.project_id):
        raise references.refusal("not_found", "projectId")
    if new == old.fields:
        return
    await _check_references(tx, organization_id, old.fields, new)
    await period_lock.check_open(tx, organization_id, old.fields.work_date, new.work_date)
    row = await tx.fetchrow(queries.update_entry, organization_id, entry_id, *msgspec.structs.astuple(new))
    before, after = _differing(old.json, row["json"])
    await events.record(
        tx,
        "time.updated",
        ("time_entry", entry_id),
        organization_id=organization_id,
        before=before,
        after=after,
        actor=actor,
        project_id=new.project_id,
    )


async def delete(
    tx: asyncpg.Connection,
    organization_id: UUID,
    entry_id: UUID,
    *,
    condition: etags.Tags | None = None,
    sees: Sees = lambda _: True,
    actor: events.Actor = events.OPERATOR,
) -> None:
    """Delete the time entry; a tombstone stays, so that no late sync brings it back. Raises ApiError as `update`."""
    old = await _editable(tx, organization_id, entry_id, "delete", condition, sees)
    await period_lock.check_open(tx, organization_id, old.fields.work_date)
    await tx.execute(queries.delete_entry, organization_id, entry_id)
    await events.record(
        tx,
        "time.deleted",
        ("time_entry", entry_id),
        organization_id=organization_id,
        before=msgspec.Raw(old.json.encode()),
        actor=actor,
        project_id=old.fields.project_id,
    )


async def _editable(
    tx: asyncpg.Connection,
    organization_id: UUID,
    entry_id: UUID,
    action: str,
    condition: etags.Tags | None,
    sees: Sees,
) -> Locked:
    row = await tx.fetchrow(queries.lock_entry, organization_id, entry_id)
    if row is None or not sees(row["project_id"]):
        raise not_found("time entry")
    etags.check_match(condition, row["version"], "time entry")
    if row["status"] not in EDITABLE:
        raise ApiError(
            "invalid_transition",
            f"the time entry is {row['status']}; {action} needs one of: {', '.join(sorted(EDITABLE))}",
            **{"from": row["status"]},
            action=action,
            allowedActions=allowed_actions(row["status"]),
        )
    fields = Fields(**{name: row[name] for name in Fields.__struct_fields__})
    return Locked(fields, row["status"], row["version"], row["json"])


def _changed(old: Fields, change: UpdateTimeEntry) -> Fields:
    """The fields after the change."""
    day = UNSET if change.work_date is UNSET else work_date(change.work_date)
    given = {
        "project_id": change.project_id,
        "user_id": change.user_id,
        "ticket_id": change.entry_id,
        "work_date": day,
        "minutes": change.minutes,
        "description": change.description,
        "billable": change.billable,
    }
    return msgspec.structs.replace(old, **{name: value for name, value in given.items() if value is not UNSET})


async def _check_references(tx: asyncpg.Connection, organization_id: UUID, old: Fields, new: Fields) -> None:
    """What the time entry names after the change must exist; what it names anew must take time, as for a new one."""
    found = await references.find(tx, organization_id, new.project_id, new.user_id, new.ticket_id)
    if new.user_id != old.user_id and found.user_role == "client":
        raise references.refusal("unfit", "userId")
    if new.project_id != old.project_id and found.project_status == "archived":
        raise references.refusal("project_archived")


def _differing(old: str, new: str) -> tuple[dict[str, msgspec.Raw], dict[str, msgspec.Raw]]:
    """The members of the wire form that differ, before and after, `updatedAt` aside."""
    before, after = (msgspec.json.decode(text, type=dict[str, msgspec.Raw]) for text in (old, new))
    names = [name for name in after if name != "updatedAt" and before[name] != after[name]]
    return {name: before[name] for name in names}, {name: after[name] for name in names}
