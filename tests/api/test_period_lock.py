"""PUT /organization/locked-until: who may move the day where, and what is written about it."""

import datetime

import pytest

from tests.api.conftest import nothing_stored, refusal, validation_error
from tests.life import events_of, headers_of

PATH = "/api/v1/organization/locked-until"
DATE = "must be a date that exists, written YYYY-MM-DD"
REASON = "must be a string of 1 to 1000 characters"
NEEDS_REASON = validation_error(("reason", "required", "is required to open locked days: say why"))


async def put(client, world, date, headers=None, **more):
    return await client.put(PATH, json={"date": date, **more}, headers={**world.headers, **(headers or {})})


async def locked_until(world) -> str | None:
    day = await world.pool.fetchval(
        "select locked_until from organizations where organization_id = $1", world.organization_id
    )
    return None if day is None else day.isoformat()


async def lock_events(world):
    return [
        event for event in await events_of(world, world.organization_id) if "period" in event["event_name"]
    ]  # fmt: skip


async def test_a_period_is_locked_and_shown(world, client):
    response = await put(client, world, "2025-01-31")
    assert (response.status_code, response.json()) == (200, {"lockedUntil": "2025-01-31"})
    shown = (await client.get("/api/v1/organization", headers=world.headers)).json()
    assert shown["settings"]["lockedUntil"] == "2025-01-31"
    (event,) = await lock_events(world)
    assert (event["event_name"], event["entity_type"]) == ("organization.period_locked", "organization")
    assert (event["actor_user_id"], event["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert (event["before"], event["after"]) == ({"lockedUntil": None}, {"lockedUntil": "2025-01-31"})
    assert event["project_id"] is None


async def test_the_same_day_again_is_no_change(world, client):
    await put(client, world, "2025-01-31", reason="January")
    async with nothing_stored(world):
        again = await put(client, world, "2025-01-31", reason="again")
    assert (again.status_code, again.json()) == (200, {"lockedUntil": "2025-01-31"})
    (event,) = await lock_events(world)
    assert event["after"] == {"lockedUntil": "2025-01-31", "reason": "January"}


async def test_opening_nothing_when_nothing_is_locked_is_no_change(world, client):
    async with nothing_stored(world):
        response = await put(client, world, None)
    assert (response.status_code, response.json()) == (200, {"lockedUntil": None})


async def test_a_manager_moves_the_day_forward_only(world, client):
    manager = await headers_of(world, "manager")
    for day in ("2025-01-31", "2025-02-01"):
        assert (await put(client, world, day, manager)).status_code == 200
    for day in ("2025-01-31", None):
        response = await put(client, world, day, manager, reason="please")
        body = refusal(response)
        assert (response.status_code, body["error"]) == (403, "role_violation")
        assert (body["role"], body["requiredRoles"]) == ("manager", ["admin"])
    assert await locked_until(world) == "2025-02-01"
    assert len(await lock_events(world)) == 2


@pytest.mark.parametrize("day", ["2025-01-30", None])
async def test_an_admin_moves_it_back_with_a_reason(world, client, day):
    await put(client, world, "2025-01-31")
    for more in ({}, {"reason": None}):
        response = await put(client, world, day, **more)
        assert (response.status_code, refusal(response)) == (400, NEEDS_REASON)
    assert await locked_until(world) == "2025-01-31"
    response = await put(client, world, day, reason="Dora was ill")
    assert (response.status_code, response.json()) == (200, {"lockedUntil": day})
    assert await locked_until(world) == day
    event = (await lock_events(world))[-1]
    assert event["event_name"] == "organization.period_unlocked"
    assert event["before"] == {"lockedUntil": "2025-01-31"}
    assert event["after"] == {"lockedUntil": day, "reason": "Dora was ill"}
    assert len(await lock_events(world)) == 2


@pytest.mark.parametrize("role", ["user", "client", "developer", "tech_lead", "product_owner"])
async def test_others_may_not_lock(shared_world, client, role):
    key = await headers_of(shared_world, role)
    async with nothing_stored(shared_world):
        response = await put(client, shared_world, "2025-01-31", key)
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")
    assert await locked_until(shared_world) is None


async def test_a_projects_key_may_not_lock(shared_world, client):
    key = {"Authorization": f"Bearer {shared_world.project_key}"}
    response = await put(client, shared_world, "2025-01-31", key)
    assert (response.status_code, refusal(response)["error"]) == (403, "scope_violation")
    assert await locked_until(shared_world) is None


async def test_the_permission_is_that_of_the_organisation(world, client):
    wrong = await headers_of(world, "admin", permissions=["write:time_entries", "approve:time_entries"])
    response = await put(client, world, "2025-01-31", wrong)
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, "write:organization")
    right = await headers_of(world, "admin", permissions=["write:organization"])
    assert (await put(client, world, "2025-01-31", right)).status_code == 200


async def test_another_organisation_is_not_locked(world, other_world, client):
    await put(client, world, "2025-01-31")
    assert await locked_until(other_world) is None
    entry = other_world.entry(workDate="2025-01-31")
    created = await client.post("/integration/time-entries", json=entry, headers=other_world.headers)
    assert created.status_code == 201


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, [("date", "required", f"is required; {DATE}")]),
        ({"date": "31.01.2025"}, [("date", "invalid_date", DATE)]),
        ({"date": "2025-02-29"}, [("date", "invalid_date", DATE)]),
        ({"date": "2025-01-31T00:00:00Z"}, [("date", "invalid_date", DATE)]),
        ({"date": ""}, [("date", "invalid_date", DATE)]),
        ({"date": "1969-12-31"}, [("date", "out_of_range", "must be a day of the years 1970 to 2200")]),
        ({"date": "2201-01-01"}, [("date", "out_of_range", "must be a day of the years 1970 to 2200")]),
        (
            {"date": 20250131, "reason": ""},
            [("date", "wrong_type", f"{DATE}, not an integer"), ("reason", "too_short", REASON)],
        ),
        ({"date": "2025-01-31", "reason": " \n"}, [("reason", "blank", "must hold more than white space")]),
    ],
)
async def test_an_unfit_body_is_refused_with_every_problem(shared_world, client, body, problems):
    async with nothing_stored(shared_world):
        response = await client.put(PATH, json=body, headers=shared_world.headers)
    assert (response.status_code, refusal(response)) == (400, validation_error(*problems))
    assert await locked_until(shared_world) is None


@pytest.mark.parametrize("day", ["1970-01-01", "2024-02-29", "2200-12-31"])
async def test_any_day_that_can_be_worked_on_can_be_locked(world, client, day):
    assert (await put(client, world, day)).json() == {"lockedUntil": day}
    assert await locked_until(world) == day


async def test_without_the_feature_nothing_is_locked(world, client, pool):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    response = await put(client, world, "2025-01-31")
    assert (response.status_code, refusal(response)["reason"]) == (402, "feature_disabled")
    assert await locked_until(world) is None


async def test_the_organisation_counts_as_updated(world, client, pool):
    query = "select updated_at from organizations where organization_id = $1"
    before: datetime.datetime = await pool.fetchval(query, world.organization_id)
    await put(client, world, "2025-01-31")
    assert await pool.fetchval(query, world.organization_id) > before
