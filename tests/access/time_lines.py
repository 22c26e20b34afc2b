"""The lines of time entries, their life and the period lock."""

import datetime
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

from tests.access.line import ADMINS, ALL_BUT_CLIENTS, MANAGERS, Asked, Line, Place
from tests.life import stored_entry


async def _entry(place: Place, status: str = "draft", **columns: object) -> UUID:
    return await stored_entry(place.world, status, project_id=place.project_id, **columns)


async def create(place: Place) -> Asked:
    ids = {"id": place.project_id, "userId": place.world.user_id, "entryId": place.ticket_id}
    body = {"userId": str(ids["userId"]), "entryId": str(ids["entryId"]), "workDate": "2025-01-15", "minutes": 90}
    return Asked(ids, body)


async def list_of_project(place: Place) -> Asked:
    source = str(uuid4())
    made = await _entry(place, source=source)
    return Asked({"id": place.project_id}, query={"source": source}, shows=str(made))


async def list_all(place: Place) -> Asked:
    source = str(uuid4())
    made = await _entry(place, source=source)
    query = {"projectId": place.project_id, "userId": place.world.user_id, "source": source}
    ids = {"projectId": place.project_id, "userId": place.world.user_id}
    return Asked(ids, query=query, shows=str(made))


async def summary(place: Place) -> Asked:
    await _entry(place)
    query = {"groupBy": "project", "projectId": place.project_id}
    return Asked({"projectId": place.project_id}, query=query, shows=str(place.project_id))


async def read(place: Place) -> Asked:
    made = await _entry(place)
    return Asked({"id": made}, shows=str(made))


async def update(place: Place) -> Asked:
    return Asked({"id": await _entry(place)}, {"minutes": 45})


async def delete(place: Place) -> Asked:
    return Asked({"id": await _entry(place)})


def moved(status: str, **body: str) -> Callable[[Place], Awaitable[Asked]]:
    """An action on a time entry in this status."""

    async def asked(place: Place) -> Asked:
        return Asked({"id": await _entry(place, status)}, body or None)

    return asked


def many_moved(status: str, action: str) -> Callable[[Place], Awaitable[Asked]]:
    """The same, through the operation for many."""

    async def asked(place: Place) -> Asked:
        made = await _entry(place, status)
        return Asked({"id": made}, {"action": action, "ids": [str(made)]})

    return asked


async def _locked_until(place: Place, day: int) -> None:
    await place.fetchval(
        "update organizations set locked_until = $2 where organization_id = $1", datetime.date(1990, 1, day)
    )


async def lock_period(place: Place) -> Asked:
    await _locked_until(place, 1)
    return Asked(body={"date": "1990-01-02"})


async def open_period(place: Place) -> Asked:
    await _locked_until(place, 3)
    return Asked(body={"date": "1990-01-02", "reason": "A late correction."})


READ = {"keys": "any", "roles": ALL_BUT_CLIENTS, "permission": "read:time_entries", "plan": True}
WRITE = {**READ, "permission": "write:time_entries"}
APPROVE = {**READ, "permission": "approve:time_entries", "roles": MANAGERS}
LOCK = {"keys": "organization", "roles": MANAGERS, "permission": "write:organization", "plan": True}
ACTION = "POST /time-entries/{id}/"
MANY = "POST /time-entries/transitions"
PERIOD = "PUT /organization/locked-until"

LINES = (
    Line(operation="POST /projects/{id}/time-entries", asked=create, success=201, events=("time.logged",), **WRITE),
    Line(operation="GET /projects/{id}/time-entries", asked=list_of_project, **READ),
    Line(operation="GET /time-entries", asked=list_all, strangers="own", **{**READ, "keys": "organization"}),
    Line(operation="GET /time-entries/summary", asked=summary, strangers="own", **READ),
    Line(operation="GET /time-entries/{id}", asked=read, **READ),
    Line(operation="PATCH /time-entries/{id}", asked=update, events=("time.updated",), **WRITE),
    Line(operation="DELETE /time-entries/{id}", asked=delete, success=204, events=("time.deleted",), **WRITE),
    Line(operation=f"{ACTION}submit", asked=moved("draft"), events=("time.submitted",), **WRITE),
    Line(operation=f"{ACTION}recall", asked=moved("submitted"), events=("time.recalled",), **WRITE),
    Line(operation=f"{ACTION}approve", asked=moved("submitted"), events=("time.approved",), **APPROVE),
    Line(operation=f"{ACTION}reject", asked=moved("submitted", reason="Why?"), events=("time.rejected",), **APPROVE),
    Line(operation=f"{ACTION}lock", asked=moved("approved"), events=("time.locked",), **APPROVE),
    Line(operation=f"{ACTION}unlock", asked=moved("locked", reason="Wrong."), events=("time.unlocked",), **APPROVE),
    Line(operation=f"{ACTION}invoice", asked=moved("locked", reference="I-1"), events=("time.invoiced",), **APPROVE),
    Line(operation=f"{ACTION}void-invoice", asked=moved("invoiced"), events=("time.invoice_voided",), **APPROVE),
    Line(
        operation=MANY,
        case="submit",
        asked=many_moved("draft", "submit"),
        events=("time.submitted",),
        strangers="members",
        roles_at_all=ALL_BUT_CLIENTS,
        **WRITE,
    ),
    Line(
        operation=MANY,
        case="approve",
        asked=many_moved("submitted", "approve"),
        events=("time.approved",),
        strangers="members",
        roles_at_all=ALL_BUT_CLIENTS,
        **APPROVE,
    ),
    Line(
        operation=PERIOD,
        case="forward",
        asked=lock_period,
        events=("organization.period_locked",),
        strangers="own",
        **LOCK,
    ),
    Line(
        operation=PERIOD,
        case="back",
        asked=open_period,
        events=("organization.period_unlocked",),
        strangers="own",
        roles_at_all=MANAGERS,
        **{**LOCK, "roles": ADMINS},
    ),
)
