"""Two who decide about one time entry at once: one wins, the other is told; nothing is lost, nothing happens twice."""

import asyncio
from itertools import combinations

import httpx
import pytest

from align.time_entries import states
from align.time_entries.states import TRANSITIONS
from tests.conftest import gather_released
from tests.life import events_of, row_of, stored_entry
from tests.races.conftest import transaction
from tests.waiting import until

WORDS = {None: {}, "reason": {"reason": "no"}, "reference": {"reference": "INV-1"}}
ROUNDS = 5


async def move(client, world, entry_id, action, **headers) -> httpx.Response:
    body = WORDS[TRANSITIONS[action].needs]
    path = f"/api/v1/time-entries/{entry_id}/{action}"
    return await client.post(path, json=body, headers={**world.headers, **headers})


@pytest.mark.parametrize(
    ("status", "one", "other"),
    [
        (status, one, other)
        for status in states.STATUSES
        for one, other in combinations(states.allowed_actions(status), 2)
        if not states.is_allowed(TRANSITIONS[one].to, other) and not states.is_allowed(TRANSITIONS[other].to, one)
    ],
)
async def test_of_two_decisions_that_exclude_each_other_one_is_made(servers, world, status, one, other):
    ids = [await stored_entry(world, status) for _ in range(ROUNDS)]
    actions = (one, other)
    answers = await gather_released(
        2 * ROUNDS, lambda index: move(servers[index % len(servers)], world, ids[index // 2], actions[index % 2])
    )
    for round_, entry_id in enumerate(ids):
        pair = answers[2 * round_ : 2 * round_ + 2]
        assert sorted(answer.status_code for answer in pair) == [200, 409]
        won = pair[1].status_code == 200
        refused = pair[not won].json()
        assert (refused["error"], refused["from"]) == ("invalid_transition", TRANSITIONS[actions[won]].to)
        (event,) = await events_of(world, entry_id)
        row = await row_of(world, entry_id)
        assert (event["event_name"], row["status"], row["version"]) == (
            TRANSITIONS[actions[won]].event_name, TRANSITIONS[actions[won]].to, 2
        )  # fmt: skip


async def test_the_same_decision_many_times_is_made_once(servers, world):
    entry_id = await stored_entry(world, "submitted")
    answers = await gather_released(20, lambda index: move(servers[index % len(servers)], world, entry_id, "approve"))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    assert len(await events_of(world, entry_id)) == 1


async def test_of_many_with_one_tag_one_is_let_through(servers, world):
    """Each of the actions would be allowed after the other, so that the tag alone decides."""
    entry_id = await stored_entry(world, "approved")
    tag = {"If-Match": '"1"'}
    answers = await gather_released(
        10, lambda index: move(servers[index % len(servers)], world, entry_id, ("lock", "invoice")[index % 2], **tag)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    assert (await row_of(world, entry_id))["version"] == 2


async def test_overlapping_batches_move_each_entry_once(servers, world):
    ids = [str(await stored_entry(world, "submitted")) for _ in range(50)]

    async def batch(index: int) -> httpx.Response:
        action = ("approve", "reject")[index % 2]
        body = {"action": action, "ids": ids if index < 2 else ids[::-1], **WORDS[TRANSITIONS[action].needs]}
        client = servers[index % len(servers)]
        return await client.post("/api/v1/time-entries/transitions", json=body, headers=world.headers)

    answers = await gather_released(4, batch)
    assert {answer.status_code for answer in answers} == {200}
    moved = [result["id"] for answer in answers for result in answer.json()["results"] if result["status"] == 200]
    assert sorted(moved) == sorted(ids)
    events = await world.pool.fetch(
        "select entity_id::text from events where organization_id = $1 and entity_type = 'time_entry'",
        world.organization_id,
    )
    assert sorted(row["entity_id"] for row in events) == sorted(ids)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_submit_and_a_change_come_one_after_the_other(servers, world, method):
    ids = [await stored_entry(world, "draft") for _ in range(ROUNDS)]

    async def call(index: int) -> httpx.Response:
        client, entry_id = servers[index % len(servers)], ids[index // 2]
        if index % 2:
            return await move(client, world, entry_id, "submit")
        options = {"json": {"minutes": 30}} if method == "PATCH" else {}
        return await client.request(method, f"/api/v1/time-entries/{entry_id}", headers=world.headers, **options)

    answers = await gather_released(2 * ROUNDS, call)
    for round_, entry_id in enumerate(ids):
        change, submit = answers[2 * round_ : 2 * round_ + 2]
        row = await row_of(world, entry_id)
        names = [event["event_name"] for event in await events_of(world, entry_id)]
        changed = change.is_success
        if method == "DELETE":
            assert changed != submit.is_success
            assert (row["deleted_at"] is not None, row["status"]) == (changed, "draft" if changed else "submitted")
            assert names == (["time.deleted"] if changed else ["time.submitted"])
            assert {change.status_code, submit.status_code} == ({204, 404} if changed else {409, 200})
        else:
            assert submit.status_code == 200
            assert (row["status"], row["minutes"]) == ("submitted", 30 if changed else 150)
            assert names == ([*["time.updated"] * changed, "time.submitted"])


async def test_a_row_that_another_program_changes_meanwhile_is_looked_at_afterwards(client, world):
    entry_id = await stored_entry(world, "submitted")
    async with transaction(world) as holder:
        await holder.execute(
            "update time_entries set status = 'draft' where organization_id = $1 and id = $2",
            world.organization_id,
            entry_id,
        )
        request = asyncio.create_task(move(client, world, entry_id, "approve"))
        await _waits_for(world, holder)
        await holder.execute("commit")
        answer = await request
    assert (answer.status_code, answer.json()["from"]) == (409, "draft")
    assert await events_of(world, entry_id) == []


async def test_a_row_held_too_long_is_refused_and_not_moved(client, world):
    entry_id = await stored_entry(world, "submitted")
    async with transaction(world) as holder:
        await holder.execute(
            "select 1 from time_entries where organization_id = $1 and id = $2 for update",
            world.organization_id,
            entry_id,
        )
        answer = await move(client, world, entry_id, "approve")
    assert (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (503, "overloaded", "1")
    assert ((await row_of(world, entry_id))["status"], await events_of(world, entry_id)) == ("submitted", [])
    assert (await move(client, world, entry_id, "approve")).status_code == 200


async def _waits_for(world, holder) -> None:
    async def waiting() -> bool:
        return await world.pool.fetchval(
            "select exists (select from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))",
            holder.get_server_pid(),
        )

    await until(waiting, "transition that waits for the open transaction")
