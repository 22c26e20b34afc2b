"""`PUT /organization/locked-until`: closes a period, or opens it again."""

import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from align.access.admission import check
from align.access.calls import Call, Calls, ok
from align.organizations import period_lock
from align.reasons import Reason, reason_problem
from align.roles import ADMINS, MANAGERS
from align.web.body import Body
from align.web.http import Answer
from align.web.operation import Access, Operation, Success

ACCESS = Access(scope="organization", roles=MANAGERS, permission="write:organization", feature="time_tracking")
# Who may open days that are locked.
OPENING = msgspec.structs.replace(ACCESS, roles=ADMINS)

FIRST_DAY = datetime.date(1970, 1, 1)
LAST_DAY = datetime.date(2200, 12, 31)


class LockPeriod(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `PUT /organization/locked-until`."""

    date: Annotated[
        datetime.date | None,
        Meta(
            description="The last locked day, 1970 to 2200; null opens everything.",
            examples=["2025-01-31"],
            extra_json_schema={"pattern": "^(19[7-9][0-9]|2[01][0-9][0-9]|2200)-[0-9]{2}-[0-9]{2}$"},
        ),
    ]
    reason: Annotated[Reason | None, Meta(description="Required to move the day back or to clear it.")] = None


class LockedPeriod(msgspec.Struct, rename="camel", kw_only=True):
    """The organisation's period lock."""

    locked_until: Annotated[
        datetime.date | None, Meta(description="The last locked day, or null.", examples=["2025-01-31"])
    ]


def _day_problem(value: str, _raw: bytes) -> tuple[str, str] | None:
    if FIRST_DAY.isoformat() <= value <= LAST_DAY.isoformat():
        return None
    return "out_of_range", "must be a day of the years 1970 to 2200"


_BODY = Body(LockPeriod, {"date": _day_problem, "reason": reason_problem})


def operations(calls: Calls) -> list[Operation]:
    """The operation, with its handler."""
    return [
        calls.changing(
            _lock,
            access=ACCESS,
            body=_BODY,
            # Only after that does the lock keep its promise for syncs too; the turn of changes has passed on by then.
            after_commit=period_lock.wait_for_older_syncs,
            method="PUT",
            path="/organization/locked-until",
            name="lockPeriod",
            tag="Organization",
            summary="Lock a period",
            description=(
                "Nothing dated on or before the day is created, synced, changed or deleted any more: 409 "
                "`period_locked`. Once this is answered, that holds for every request, those under way included. "
                "Time entries of the period can still be approved, locked and invoiced. Managers move the day "
                "forward; only admins move it back or clear it, and say why."
            ),
            request_example={"date": "2025-01-31"},
            successes=(Success(200, "The period lock as it is now.", LockedPeriod, {"lockedUntil": "2025-01-31"}),),
        )
    ]


async def _lock(call: Call) -> Answer:
    if await period_lock.opens_days(call.db, call.organization_id, call.body.date):
        check(call.caller, OPENING)
    await period_lock.move(call.db, call.organization_id, call.body.date, reason=call.body.reason, actor=call.actor)
    return ok(LockedPeriod(locked_until=call.body.date))
