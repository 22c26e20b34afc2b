"""Moves time entries through their life: one statement that locks them, the table of states, one that moves them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from align.access.calls import not_found
from align.db import sql
from align.errors import ApiError
from align.events import events
from align.ids import new_id
from align.organizations import period_lock
from align.time_entries import states
from align.time_entries.model import Status
from align.time_entries.states import TRANSITIONS, Action
from align.web import etags

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("lifecycle.sql"))


class Move(msgspec.Struct, frozen=True):
    """What is asked: an action, with the reason or the reference that it needs."""

    action: Action
    reason: str | None = None
    reference: str | None = None


class Moved(msgspec.Struct, frozen=True):
    """A time entry after its move: its version, and its JSON on the wire."""

    version: int
    json: str


class _Entry(msgspec.Struct, frozen=True):
    """What decides about a move, and what it changes."""

    id: UUID
    project_id: UUID
    work_date: datetime.date
    status: Status
    version: int
    status_reason: str | None
    invoice_reference: str | None
    deleted: bool


async def move(
    tx: asyncpg.Connection,
    organization_id: UUID,
    ids: Sequence[UUID],
    asked: Move,
    *,
    actor: events.Actor = events.OPERATOR,
    project_id: UUID | None = None,
    if_match: etags.Tags | None = None,
) -> list[Moved | ApiError]:
    """Move each time entry on its own account; says in the order of `ids` what became of it or why it was not moved.

    With `project_id` time entries of other projects do not exist. An id that occurs twice is moved once; the second is
    told of the status that the first led to. The caller has seen to it that roles allow `asked`, and that it holds
    the reason or the reference that its action needs. Raises ApiError 412 when one is not what `if_match` says.
    """
    rows = await tx.fetch(queries.lock_time_entries, organization_id, list(dict.fromkeys(ids)))
    found = [_Entry(**row) for row in rows if project_id in (None, row["project_id"])]
    entries = {entry.id: entry for entry in found if not entry.deleted}
    locked_until = await period_lock.locked_until(tx, organization_id)
    to = TRANSITIONS[asked.action].to
    chosen: list[_Entry] = []
    results: list[UUID | ApiError] = []
    for id_ in ids:
        entry = entries.get(id_)
        if entry is not None:
            etags.check_match(if_match, entry.version, "time entry")
        error = _refusal(entry, asked.action, locked_until)
        results.append(error or id_)
        if entry is not None and error is None:
            chosen.append(entry)
            entries[id_] = msgspec.structs.replace(entry, status=to)
    moved = await _store(tx, organization_id, chosen, asked, actor)
    return [moved[result] if isinstance(result, UUID) else result for result in results]


def _refusal(entry: _Entry | None, action: Action, locked_until: datetime.date | None) -> ApiError | None:
    """Why the time entry is not moved, if so."""
    if entry is None:
        return not_found("time entry")
    if not states.is_allowed(entry.status, action):
        return invalid_transition(entry.status, action)
    if TRANSITIONS[action].in_locked_period:
        return None
    return period_lock.refusal(entry.work_date, locked_until)


def invalid_transition(status: str, action: str) -> ApiError:
    """409: the status does not allow the action (one of the table's, or what a sender calls its change)."""
    allowed = states.allowed_actions(status)
    members: dict[str, Any] = {"from": status, "action": action, "allowedActions": allowed}
    return ApiError(
        "invalid_transition",
        f"the time entry is {status}, which does not allow '{action}'; it allows: {', '.join(allowed)}",
        **members,
    )


async def _store(
    tx: asyncpg.Connection, organization_id: UUID, entries: Sequence[_Entry], asked: Move, actor: events.Actor
) -> dict[UUID, Moved]:
    if not entries:
        return {}
    line = TRANSITIONS[asked.action]
    new = [_after(entry, asked) for entry in entries]
    changes = [_changes(before, after) for before, after in zip(entries, new, strict=True)]
    rows = await tx.fetch(
        queries.move_time_entries,
        organization_id,
        [entry.id for entry in new],
        line.to,
        [entry.status_reason for entry in new],
        [entry.invoice_reference for entry in new],
        line.event_name,
        actor.user_id,
        actor.api_key_id,
        [new_id() for _ in new],
        [before for before, _ in changes],
        [after for _, after in changes],
    )
    return {row["id"]: Moved(row["version"], row["json"]) for row in rows}


def _after(entry: _Entry, asked: Move) -> _Entry:
    line = TRANSITIONS[asked.action]
    reason, reference = entry.status_reason, entry.invoice_reference
    if line.needs == "reason":
        reason = asked.reason
    elif asked.action == "submit":
        reason = None  # what was wrong is answered
    if line.needs == "reference":
        reference = asked.reference
    elif asked.action == "void-invoice":
        reference = None
    return msgspec.structs.replace(entry, status=line.to, status_reason=reason, invoice_reference=reference)


def _changes(old: _Entry, new: _Entry) -> tuple[str, str]:
    """The members that differ, before and after, as JSON."""
    before, after = _members(old), _members(new)
    names = [name for name in after if before[name] != after[name]]
    return _json({name: before[name] for name in names}), _json({name: after[name] for name in names})


def _members(entry: _Entry) -> dict[str, object]:
    return {
        "status": entry.status,
        "invoiced": entry.status == "invoiced",
        "statusReason": entry.status_reason,
        "invoiceReference": entry.invoice_reference,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
