"""A sync as a row of the statement, and what comes back for it."""

import datetime
from collections.abc import Hashable, Sequence
from typing import NamedTuple
from uuid import UUID

from msgspec import UNSET

from align.access.authentication import Caller
from align.ids import new_row_id
from align.time_entries.model import SyncTimeEntry, work_date

# The scope of an Idempotency-Key: the operation, whichever of its two paths was called.
PATH = "/api/v1/integration/time-entries"


class SyncRow(NamedTuple):
    """The parameters of one row, in the order of the statement."""

    organization_id: UUID
    api_key_id: UUID
    project_id: UUID
    user_id: UUID
    ticket_id: UUID | None
    work_date: datetime.date
    minutes: int
    billable: bool
    description: str | None
    source: str
    external_id: str
    external_metadata: str | None
    has_unknown_members: bool
    id: UUID
    link_id: UUID
    event_id: UUID
    idempotency_key: str | None
    body_digest: bytes | None
    secret_number: int

    @property
    def lane(self) -> Hashable:
        """Organisations take turns."""
        return self.organization_id

    @property
    def exclusive_keys(self) -> tuple[Hashable, ...]:
        """The pair, and the idempotency key where there is one."""
        pair = (self.organization_id, self.source, self.external_id)
        if self.idempotency_key is None:
            return (pair,)
        return (pair, (self.api_key_id, self.idempotency_key))


class Outcome(NamedTuple):
    """What became of a row. `fields` are the members that a refusal is about."""

    position: int | None
    outcome: str
    status: int | None
    response: str | None
    location: str | None
    content_differs: str | None
    body_differs: bool | None
    fields: list[str] | None


def row(
    caller: Caller,
    entry: SyncTimeEntry,
    has_unknown_members: bool,
    idempotency_key: str | None = None,
    body_digest: bytes | None = None,
) -> SyncRow:
    """The row that syncs `entry` for `caller`; its ids are made here, so that one statement is enough."""
    date = work_date(entry.work_date)
    if date is None:
        raise ValueError("the decoder lets no other dates pass")
    return SyncRow(
        caller.organization_id,
        caller.api_key_id,
        entry.project_id,
        entry.user_id,
        None if entry.entry_id is UNSET else entry.entry_id,
        date,
        entry.minutes,
        True if entry.billable is UNSET else entry.billable,
        None if entry.description is UNSET else entry.description,
        entry.external_system,
        entry.external_id,
        None if entry.external_metadata is UNSET else bytes(entry.external_metadata).decode(),
        has_unknown_members,
        new_row_id(),
        new_row_id(),
        new_row_id(),
        idempotency_key,
        body_digest,
        caller.secret_number,
    )


def columns(rows: Sequence[SyncRow]) -> list[tuple[object, ...]]:
    """The rows as the arrays that the statement takes."""
    return list(zip(*rows, strict=True))
