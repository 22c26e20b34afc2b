"""A locked period takes no new time by a sync, and a known pair is answered as ever."""

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once
from tests.api.test_period_lock import put

REFUSED = {
    "error": "period_locked",
    "message": "workDate: everything up to 2025-01-31 is locked; nothing dated there is created, changed or deleted",
    "lockedUntil": "2025-01-31",
}


@pytest.mark.parametrize("day", ["1970-01-01", "2025-01-30", "2025-01-31", "2025-01-31T23:59:59-12:00"])
async def test_nothing_dated_up_to_the_last_locked_day_is_stored(api, day):
    await put(api.client, api.world, "2025-01-31")
    async with nothing_stored(api.world):
        response = await api.sync(api.world.entry(workDate=day), idempotency_key="k")
    assert (response.status_code, refusal(response)) == (409, REFUSED)


@pytest.mark.parametrize("day", ["2025-02-01", "2025-02-01T00:00:00+14:00", "2200-12-31"])
async def test_the_day_after_is_open(api, day):
    await put(api.client, api.world, "2025-01-31")
    async with stored_once(api.world):
        response = await api.sync(api.world.entry(workDate=day))
    assert response.status_code == 201


async def test_a_known_pair_is_answered_as_ever(api):
    entry = api.world.entry(workDate="2025-01-31")
    created = await api.sync(entry, idempotency_key="first")
    await put(api.client, api.world, "2025-01-31")
    async with nothing_stored(api.world):
        known = await api.sync(entry)
        moved = await api.sync(entry | {"workDate": "2025-02-01"})
        replayed = await api.sync(entry, idempotency_key="first")
    assert (known.status_code, known.json()) == (200, created.json() | {"created": False})
    assert (moved.status_code, moved.headers["content-differs"]) == (200, "workDate")
    assert (replayed.status_code, replayed.content) == (201, created.content)


async def test_a_known_pair_of_an_open_day_is_found_under_a_locked_one(api):
    """Its own day counts for nothing: a sync never changes what is there."""
    entry = api.world.entry(workDate="2025-02-01")
    await api.sync(entry)
    await put(api.client, api.world, "2025-01-31")
    async with nothing_stored(api.world):
        response = await api.sync(entry | {"workDate": "2025-01-15"})
    assert (response.status_code, response.headers["content-differs"]) == (200, "workDate")
    assert response.json()["workDate"] == "2025-02-01"


async def test_a_deleted_pair_stays_deleted_in_a_locked_period(api, pool):
    entry = api.world.entry(workDate="2025-01-15")
    await api.sync(entry)
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1", api.world.organization_id
    )
    await put(api.client, api.world, "2025-01-31")
    response = await api.sync(entry)
    assert (response.status_code, refusal(response)["error"]) == (410, "time_entry_deleted")


async def test_once_the_period_is_open_again_the_same_call_stores(api):
    await put(api.client, api.world, "2025-01-31")
    entry = api.world.entry(workDate="2025-01-31")
    assert (await api.sync(entry, idempotency_key="k")).status_code == 409
    await put(api.client, api.world, "2025-01-30", reason="late")
    async with stored_once(api.world, idempotency_keys=1):
        assert (await api.sync(entry, idempotency_key="k")).status_code == 201
