"""Period locks: up to a day, no time is created, changed or deleted any more."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from align.db import sql
from align.db.pool import STATEMENT_TIMEOUT_MILLISECONDS, SYNC_APPLICATION_NAME
from align.errors import ApiError, Problem, invalid
from align.events import events
from align.refusals import NotFound

queries = sql.load(Path(__file__).with_name("period_lock.sql"))

# A sync's transaction lasts no longer than its statement may, but for atomic batches, which may have several.
PATIENCE_SECONDS = STATEMENT_TIMEOUT_MILLISECONDS / 1000 + 5
PAUSE_SECONDS = 0.01


async def locked_until(tx: asyncpg.Connection | asyncpg.Pool, organization_id: UUID) -> datetime.date | None:
    """The last day on which nothing is created, changed or deleted, if any.

    For API changes, which have their organisation's turn: it stays what it is until their transaction ends.
    """
    found: datetime.date | None = await tx.fetchval(queries.get_locked_until, organization_id)
    return found


def refusal(day: datetime.date, until: datetime.date | None) -> ApiError | None:
    """409 for something dated `day`, or None when the day is open."""
    return period_locked(until.isoformat()) if until is not None and day <= until else None


async def check_open(tx: asyncpg.Connection, organization_id: UUID, *days: datetime.date) -> None:
    """Raises ApiError 409 when one of the days lies in the locked period: for a change, the old day and the new."""
    until = await locked_until(tx, organization_id)
    for day in days:
        if error := refusal(day, until):
            raise error


def period_locked(until: str) -> ApiError:
    """409: the day lies on or before the last locked one."""
    return ApiError(
        "period_locked",
        f"workDate: everything up to {until} is locked; nothing dated there is created, changed or deleted",
        lockedUntil=until,
    )


async def opens_days(tx: asyncpg.Connection, organization_id: UUID, until: datetime.date | None) -> bool:
    """Whether locking up to `until` would open days that are locked now."""
    before = await locked_until(tx, organization_id)
    return before is not None and (until is None or until < before)


async def move(
    tx: asyncpg.Connection,
    organization_id: UUID,
    until: datetime.date | None,
    *,
    reason: str | None = None,
    actor: events.Actor = events.OPERATOR,
) -> None:
    """Lock everything up to `until` (None: nothing). The same day again is no change and writes no event.

    What the lock promises holds only after `wait_for_older_syncs`, once this is committed. Raises NotFound, and
    ApiError 400 when days would be opened without a reason.
    """
    row = await tx.fetchrow(queries.get_locked_until_for_change, organization_id)
    if row is None:
        raise NotFound("organization", f"no organisation has the id {organization_id}")
    before: datetime.date | None = row["locked_until"]
    if until == before:
        return
    opens = await opens_days(tx, organization_id, until)
    if opens and reason is None:
        raise invalid([Problem("reason", "required", "is required to open locked days: say why")])
    await tx.execute(queries.set_locked_until, organization_id, until)
    await events.record(
        tx,
        "organization.period_unlocked" if opens else "organization.period_locked",
        ("organization", organization_id),
        organization_id=organization_id,
        before={"lockedUntil": before},
        after={"lockedUntil": until} | ({} if reason is None else {"reason": reason}),
        actor=actor,
    )


async def wait_for_older_syncs(pool: asyncpg.Pool) -> None:
    """Wait until every sync that began before this call has ended.

    A sync takes none of the locks that changes take, and its statement sees the organisation as it was when it began.
    So after a lock is committed, statements that began earlier may still store time in the period; once they are gone,
    none can, since later ones see the lock. Raises ApiError 503 when one takes longer than a statement may.
    """
    older = await _running_syncs(pool)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while older:
                await asyncio.sleep(PAUSE_SECONDS)
                older &= await _running_syncs(pool)
    except TimeoutError:
        text = "the day is set, but a sync that began earlier is still running; repeat the call, which waits for it"
        raise ApiError("database_unavailable", text, headers={"Retry-After": "1"}) from None


async def _running_syncs(pool: asyncpg.Pool) -> set[str]:
    rows = await pool.fetch(queries.running_transactions, SYNC_APPLICATION_NAME)
    return {row["virtualtransaction"] for row in rows}
