"""DELETE /time-entries/{id}: the entry is gone from every read, and its tombstone keeps it away."""

from uuid import UUID

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import LIST, SUMMARY, Time
from tests.conftest import SYNC_PATH, gather_released


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def test_a_deleted_entry_leaves_a_tombstone_and_one_event(time, world, pool):
    created = await time.made(description="Gone")
    response = await time.delete(created["id"], headers={"If-Match": '"1"'})
    assert (response.status_code, response.content) == (204, b"")
    row = await pool.fetchrow(
        "select * from time_entries where organization_id = $1 and id = $2", world.organization_id, UUID(created["id"])
    )
    assert row["deleted_at"] is not None
    assert row["version"] == 2
    _, event = await time.events(created["id"])
    assert (event["event_name"], event["before"], event["after"]) == ("time.deleted", created, None)
    assert (event["actor_api_key_id"], event["project_id"]) == (world.key_id, world.project_id)


async def test_a_deleted_entry_is_in_no_read_list_sum_or_count(time, world):
    kept, gone = await time.made(), await time.made()
    await time.delete(gone["id"])
    for path in (f"{LIST}/{gone['id']}", f"{SYNC_PATH}/{gone['id']}"):
        assert (await time.call("GET", path)).status_code == 404
    listed = (await time.call("GET", LIST)).json()
    assert ([entry["id"] for entry in listed["data"]], listed["total"]) == ([kept["id"]], 1)
    assert await time.ids(f"/api/v1/projects/{world.project_id}/time-entries") == [kept["id"]]
    assert await time.ids(cursor="start") == [kept["id"]]
    assert gone["id"] not in (await time.call("GET", LIST, headers={"Accept": "text/csv"})).text
    totals = (await time.call("GET", SUMMARY, params={"groupBy": "user"})).json()["totals"]
    assert (totals["count"], totals["minutes"]) == (1, 150)


async def test_a_second_delete_and_a_change_find_nothing(time, world):
    created = await time.made()
    await time.delete(created["id"])
    async with nothing_stored(world):
        answers = [await time.delete(created["id"]), await time.patch(created["id"], {"minutes": 1})]
    assert {(answer.status_code, refusal(answer)["error"]) for answer in answers} == {(404, "not_found")}


async def test_a_late_sync_does_not_bring_it_back(time, world, client):
    entry = world.entry()
    synced = (await client.post(SYNC_PATH, json=entry, headers=world.headers)).json()
    await time.delete(synced["id"])
    async with nothing_stored(world):
        late = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    assert (late.status_code, refusal(late)["error"]) == (410, "time_entry_deleted")


async def test_deleted_at_once_it_is_deleted_once(time):
    created = await time.made()
    answers = await gather_released(8, lambda _: time.delete(created["id"]))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    names = [event["event_name"] for event in await time.events(created["id"])]
    assert names == ["time.logged", "time.deleted"]
