"""What a request needs is held by the open transaction of another program: it waits, but not for ever."""

import asyncio

from align.access.authentication import Authentication
from align.time_entries.coalescer import StillBusy
from align.time_entries.writer import Writer
from tests.races.conftest import blocked, hold_idempotency_key, hold_link, row_of, stored, sync, transaction


async def test_a_key_held_too_long_is_refused_and_its_neighbours_are_not(client, world):
    entry = world.entry()
    neighbours = [world.entry() for _ in range(20)]
    await sync(client, world, world.entry(externalId="first"))
    async with transaction(world) as holder:
        await hold_idempotency_key(holder, world, "held")
        answers = await asyncio.gather(
            *(sync(client, world, each) for each in neighbours[:10]),
            sync(client, world, entry, idempotency_key="held"),
            *(sync(client, world, each, idempotency_key=each["externalId"]) for each in neighbours[10:]),
        )
        refused = answers.pop(10)
        assert (refused.status_code, refused.json()["error"]) == (409, "idempotency_in_progress")
        assert refused.headers["retry-after"] == "1"
        assert {answer.status_code for answer in answers} == {201}
    assert set(await stored(world)) == {"first", *(each["externalId"] for each in neighbours)}
    again = await sync(client, world, entry, idempotency_key="held")
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (201, None)


async def test_a_key_released_in_time_without_commit_is_used(client, world):
    entry = world.entry()
    async with transaction(world) as holder:
        await hold_idempotency_key(holder, world, "held")
        request = asyncio.create_task(sync(client, world, entry, idempotency_key="held"))
        await blocked(world, holder)
        await holder.execute("rollback")
        answer = await request
    assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (201, None)
    assert await stored(world) == {entry["externalId"]: answer.json()["id"]}


async def test_a_key_committed_in_time_is_replayed_and_nothing_else_is_stored(client, world):
    async with transaction(world) as holder:
        await hold_idempotency_key(holder, world, "held")
        request = asyncio.create_task(sync(client, world, world.entry(), idempotency_key="held"))
        await blocked(world, holder)
        await holder.execute("commit")
        answer = await request
    assert (answer.status_code, answer.text, answer.headers["idempotent-replayed"]) == (201, "kept", "true")
    assert await stored(world) == {}
    assert await world.count("time_entries") == 0


async def test_a_pair_whose_holder_rolls_back_is_created(client, world):
    entry = world.entry()
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        request = asyncio.create_task(sync(client, world, entry))
        await blocked(world, holder)
        await holder.execute("rollback")
        answer = await request
    assert answer.status_code == 201
    assert await stored(world) == {entry["externalId"]: answer.json()["id"]}


async def test_a_pair_whose_holder_commits_is_the_holders_entry(client, world):
    entry = world.entry()
    async with transaction(world) as holder:
        entry_id = await holder.fetchval(
            "insert into time_entries (organization_id, id, project_id, user_id, work_date, minutes, billable, source, "
            "created_at, updated_at) "
            "values ($1, gen_random_uuid(), $2, $3, '2025-01-15', 30, true, 'illumera', now(), now()) returning id",
            world.organization_id,
            world.project_id,
            world.user_id,
        )
        await hold_link(holder, world, entry["externalId"], entry_id)
        request = asyncio.create_task(sync(client, world, entry, idempotency_key="mine"))
        await blocked(world, holder)
        await holder.execute("commit")
        answer = await request
    assert (answer.status_code, answer.json()["id"], answer.json()["minutes"]) == (200, str(entry_id), 30)
    assert answer.headers["content-differs"] == "minutes"
    assert await world.count("time_entries") == 1
    assert (
        await world.pool.fetchval(
            "select count(*) from events where event_name = 'time.logged' and organization_id = $1",
            world.organization_id,
        )
        == 0
    )


async def test_a_pair_held_too_long_is_refused_and_nothing_of_it_is_stored(client, world):
    entry = world.entry()
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        answer = await sync(client, world, entry, idempotency_key="mine")
        assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    assert await stored(world) == {}
    assert (await sync(client, world, entry, idempotency_key="mine")).status_code == 201


async def test_in_one_statement_only_the_row_that_must_wait_is_refused(world, database_url):
    position = 2
    caller = await Authentication(world.pool).caller(world.key)
    entries = [world.entry() for _ in range(5)]
    batch = [row_of(caller, entry, f"key-{number}") for number, entry in enumerate(entries)]
    writer = Writer(database_url, 1)
    async with transaction(world) as holder:
        await hold_idempotency_key(holder, world, f"key-{position}")
        outcomes = await writer.run(batch)
    assert isinstance(outcomes.pop(position), StillBusy)
    assert {outcome.outcome for outcome in outcomes} == {"created"}
    entries.pop(position)
    assert set(await stored(world)) == {entry["externalId"] for entry in entries}
    await writer.close()


async def test_statements_that_can_not_see_each_other_agree_on_pair_and_key(world, database_url):
    caller = await Authentication(world.pool).caller(world.key)
    shared, others = world.entry(externalId="a"), [world.entry(externalId="b"), world.entry(externalId="c")]
    writers = [Writer(database_url, 1), Writer(database_url, 1)]
    async with transaction(world) as holder:
        # Both take their snapshots, then wait for the same pair: from here on neither sees what the other does.
        await hold_link(holder, world, "a")
        running = asyncio.gather(
            *(
                writer.run([row_of(caller, shared), row_of(caller, other, "batch-1")])
                for writer, other in zip(writers, others, strict=True)
            )
        )
        await blocked(world, holder, 2)
        await holder.execute("rollback")
        answers = await running
    pairs, keyed = zip(*answers, strict=True)
    assert {outcome.outcome for outcome in pairs} == {"created", "existing"}
    assert {outcome.outcome for outcome in keyed} == {"created", "replayed"}
    assert keyed[0].response == keyed[1].response
    winner = others[[outcome.outcome for outcome in keyed].index("created")]
    assert set(await stored(world)) == {"a", winner["externalId"]}
    for writer in writers:
        await writer.close()
