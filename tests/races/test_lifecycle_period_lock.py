"""Once a period lock is answered, nothing dated in the period is stored any more: syncs under way included."""

import asyncio

import asyncpg
import httpx
import pytest

from align.db.pool import SYNC_APPLICATION_NAME
from align.organizations import period_lock
from tests.races.conftest import blocked, hold_link, sync, transaction
from tests.waiting import until

LOCKED, OPEN = "2025-01-15", "2025-01-16"
SENDERS = 6
BEFORE = 5


async def put(client: httpx.AsyncClient, world, date: str | None = LOCKED, **more: object) -> httpx.Response:
    path = "/api/v1/organization/locked-until"
    return await client.put(path, json={"date": date, **more}, headers=world.headers)


async def committed(world) -> bool:
    return await world.pool.fetchval(
        "select locked_until is not null from organizations where organization_id = $1", world.organization_id
    )


async def days_stored(world) -> int:
    return await world.pool.fetchval(
        "select count(*) from time_entries where organization_id = $1 and work_date <= $2::text::date",
        world.organization_id,
        LOCKED,
    )


async def test_the_lock_is_answered_after_the_syncs_that_began_before_it(client, world):
    entry = world.entry(workDate=LOCKED)
    await sync(client, world, world.entry(workDate=OPEN))
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        first = asyncio.create_task(sync(client, world, entry))
        await blocked(world, holder)
        lock = asyncio.create_task(put(client, world))
        await until(lambda: committed(world), "commit of the lock")
        # Later syncs see it already, and by the time they are answered the lock would be, if it did not wait.
        for _ in range(3):
            late = await sync(client, world, world.entry(workDate=LOCKED))
            assert (late.status_code, late.json()["error"]) == (409, "period_locked")
            assert (await sync(client, world, world.entry(workDate=OPEN))).status_code == 201
        assert not lock.done()
        await holder.execute("rollback")
        assert (await lock).status_code == 200
        stored = await days_stored(world)
    assert (await first).status_code == 201  # its statement began before the lock
    assert (stored, await days_stored(world)) == (1, 1)


async def test_other_changes_go_on_while_the_lock_waits(client, world):
    entry = world.entry(workDate=LOCKED)
    await sync(client, world, world.entry(workDate=OPEN))
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        first = asyncio.create_task(sync(client, world, entry))
        await blocked(world, holder)
        lock = asyncio.create_task(put(client, world))
        await until(lambda: committed(world), "commit of the lock")
        body = {"action": "submit", "ids": [str(world.user_id)]}
        change = await client.post("/api/v1/time-entries/transitions", json=body, headers=world.headers)
        assert (change.status_code, lock.done()) == (200, False)
        await holder.execute("rollback")
        assert (await lock).status_code == 200
        assert (await first).status_code == 201


async def test_under_traffic_nothing_is_stored_after_the_answer(servers, world):
    for server in servers:
        assert (await sync(server, world, world.entry(workDate=OPEN))).status_code == 201
    before: list[int] = []
    after: list[tuple[int, str]] = []
    answered = asyncio.Event()

    async def send(index: int) -> None:
        sent_after = 0
        while sent_after < 3:
            is_after = answered.is_set()
            answer = await sync(servers[index % len(servers)], world, world.entry(workDate=LOCKED))
            if is_after:
                sent_after += 1
                after.append((answer.status_code, answer.json().get("error")))
            else:
                before.append(answer.status_code)

    async def enough() -> bool:
        return before.count(201) >= SENDERS * BEFORE

    async with asyncio.TaskGroup() as senders:
        for index in range(SENDERS):
            senders.create_task(send(index))
        await until(enough, "traffic")
        assert (await put(servers[-1], world)).status_code == 200
        stored = await days_stored(world)
        answered.set()
    assert set(after) == {(409, "period_locked")}
    assert set(before) <= {201, 409}
    assert await days_stored(world) == stored == before.count(201)


@pytest.mark.parametrize("name", [SYNC_APPLICATION_NAME, "align", "psql"])
async def test_only_syncs_are_waited_for_and_not_for_ever(client, world, database_url, monkeypatch, name):
    """A list that is read for minutes, or a backup, must not hold a lock up."""
    monkeypatch.setattr(period_lock, "PATIENCE_SECONDS", 0.3)
    connection = await asyncpg.connect(database_url, server_settings={"application_name": name})
    try:
        async with connection.transaction():
            await connection.execute("select 1")
            answer = await put(client, world)
            if name != SYNC_APPLICATION_NAME:
                assert answer.status_code == 200
                return
            assert (answer.status_code, answer.json()["error"]) == (503, "database_unavailable")
            assert answer.headers["retry-after"] == "1"
            # It is set all the same, and the same call again waits on.
            assert (await sync(client, world, world.entry(workDate=LOCKED))).status_code == 409
            assert (await put(client, world)).status_code == 503
        assert (await put(client, world)).status_code == 200
    finally:
        await connection.close()


async def test_of_two_who_move_the_day_at_once_both_are_heard_in_turn(servers, world):
    answers = await asyncio.gather(*(put(servers[-1], world, date) for date in (LOCKED, OPEN)))
    final = await world.pool.fetchval(
        "select locked_until::text from organizations where organization_id = $1", world.organization_id
    )
    # The later one may have to open a day, for which it gave no reason.
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 400])
    assert final == OPEN
