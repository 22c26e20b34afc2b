"""At least once, in order, to everybody who asked: whatever receivers and workers go through."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from uuid import UUID

from align.changes import housekeeping
from align.webhooks import deliveries, retrying, upkeep, webhooks
from align.webhooks.worker import EVENTS_AT_ONCE, IN_FLIGHT_PER_WEBHOOK
from tests.conftest import make_world
from tests.waiting import until
from tests.webhooks.delivery.conftest import subscribe, working
from tests.webhooks.receiver import answer, receiving


async def arrived(receiver, count: int) -> None:
    async def enough() -> bool:
        return len(receiver.requests) >= count

    await until(enough, f"{count} requests")


async def all_settled(hook) -> list:
    async def settled():
        rows = await hook.deliveries()
        return rows and all(row["state"] != "pending" for row in rows) and rows

    return await until(settled, "settling of all deliveries")


async def test_every_attempt_has_the_same_id_and_body_a_new_timestamp_and_a_valid_signature(hook, receiver):
    receiver.always(answer(500))
    entity = await hook.log()
    async with working(hook.world.pool):
        await hook.attempted(1)
        await hook.world.pool.execute("select pg_sleep(1.1)")  # timestamps are whole seconds
        await hook.bring_on()
        (delivery,) = await hook.attempted(2)
    first, second = receiver.requests
    for request in (first, second):
        request.verify(hook.secret)
    assert (first.id, first.body) == (second.id, second.body)
    assert first.id == str(delivery["id"])
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])
    assert (first.event["id"], first.event["entityId"]) == (str(delivery["event_id"]), str(entity))


async def test_the_schedule_is_gone_through_and_then_it_is_given_up(hook, receiver):
    receiver.always(answer(500))
    await hook.log()
    waits = []
    async with working(hook.world.pool):
        for number in range(1, len(retrying.RETRY_AFTER_SECONDS) + 1):
            (delivery,) = await hook.attempted(number)
            assert (delivery["state"], delivery["attempts"]) == ("pending", number)
            waits.append(delivery["wait"].total_seconds())
            await hook.bring_on()
        (delivery,) = await hook.attempted(number + 1)
    assert (delivery["state"], delivery["attempts"]) == ("failed", 10)
    for wait, planned in zip(waits, retrying.RETRY_AFTER_SECONDS, strict=True):
        assert planned - 5 < wait <= planned * (1 + retrying.JITTER)
    assert [attempt["number"] for attempt in await hook.attempts()] == list(range(1, 11))
    assert len(set(receiver.ids())) == 1


async def test_a_receiver_that_is_down_for_40_hours_misses_nothing(hook, receiver):
    receiver.always(answer(503))
    entities = [await hook.log() for _ in range(20)]
    async with working(hook.world.pool):
        down_for = timedelta()
        while down_for < timedelta(hours=40):
            rows = await hook.deliveries()
            attempts = sum(row["attempts"] for row in rows)
            # The last of this round has been settled: nothing is due.
            await until(lambda: none_due(hook), "a pause of the schedule")
            rows = await hook.deliveries()
            assert {row["state"] for row in rows} == {"pending"}
            assert sum(row["attempts"] for row in rows) > attempts or not down_for
            step = max(row["wait"] for row in rows)
            down_for += step
            await hook.bring_on(step)
            entities.append(await hook.log())
        receiver.always(answer(200))
        await hook.bring_on()
        rows = await all_settled(hook)
    assert {row["state"] for row in rows} == {"delivered"}
    assert {row["entity_id"] for row in rows} == set(entities)
    assert {str(row["id"]) for row in rows} == set(receiver.ids())
    assert (await hook.row())["enabled"]


async def none_due(hook) -> bool:
    rows = await hook.deliveries()
    return bool(rows) and all(row["wait"] > timedelta() and row["lease"] is None for row in rows)


async def test_five_days_of_nothing_but_failures_disable_it(hook, receiver):
    receiver.always(answer(500))
    await hook.log()
    async with working(hook.world.pool):
        await hook.attempted(1)
        await fail_since(hook, timedelta(days=4, hours=23))
        await hook.bring_on()
        await hook.attempted(2)
        assert (await hook.row())["enabled"]
        await fail_since(hook, timedelta(days=5))
        await hook.bring_on()
        await hook.attempted(3)

        async def disabled() -> bool:
            return not (await hook.row())["enabled"]

        await until(disabled, "disabling")
        await hook.log()
        await hook.bring_on()
    assert (await hook.row())["disabled_reason"] == "failing"
    assert len(receiver.requests) == 3
    after = await hook.world.pool.fetch(
        "select after from events where event_name = 'webhook.disabled' and entity_id = $1", hook.id
    )
    assert [row["after"] for row in after] == ['{"enabled":false,"disabledReason":"failing"}']


async def fail_since(hook, ago: timedelta) -> None:
    await hook.world.pool.execute(
        "update webhooks set failing_since = now() - $2::interval where id = $1", hook.id, ago
    )


async def test_one_success_ends_the_count_of_days(hook, receiver):
    receiver.always(answer(500))
    await hook.log()
    async with working(hook.world.pool):
        await hook.attempted(1)
        await fail_since(hook, timedelta(days=6))
        receiver.always(answer(200))
        await hook.bring_on()
        await all_settled(hook)
    row = await hook.row()
    assert (row["enabled"], row["failing_since"]) == (True, None)


async def test_a_slow_receiver_does_not_delay_another(hook, receiver, sealer):
    held = asyncio.Event()

    async def hold(writer):
        await held.wait()
        writer.write(answer(200))

    async with receiving() as fast:
        other = await subscribe(await make_world(hook.world.pool), sealer, fast.url)
        receiver.always(hold)
        for _ in range(IN_FLIGHT_PER_WEBHOOK + 20):
            await hook.log()
        async with working(hook.world.pool, 20):
            await arrived(receiver, IN_FLIGHT_PER_WEBHOOK)
            await other.log()
            (delivery,) = await all_settled(other)
            assert len(receiver.requests) == IN_FLIGHT_PER_WEBHOOK  # no more at a time
            held.set()
            await all_settled(hook)
    assert delivery["state"] == "delivered"


async def test_deliveries_about_an_entity_wait_for_the_earlier_and_others_do_not(hook, receiver):
    entity = await hook.log()
    await hook.log(entity, "time.updated")
    other = await hook.log()
    receiver.answers = lambda request: answer(500 if request.event["entityId"] == str(entity) else 200)
    async with working(hook.world.pool):
        await hook.attempted(2)
        await hook.log(entity, "time.submitted")  # handed over while the first waits
        another = await hook.log()
        await hook.attempted(3)
        seen = [(request.event["entityId"], request.event["eventName"]) for request in receiver.requests]
        assert sorted(seen) == sorted(
            [(str(entity), "time.logged"), *((str(each), "time.logged") for each in (other, another))]
        )
        # Those behind it are due with it, so that no look for work passes them by.
        waits = {row["event_name"]: row["due_at"] for row in await hook.deliveries() if row["entity_id"] == entity}
        assert len(waits) == 3
        assert len(set(waits.values())) == 1
        receiver.always(answer(200))
        await hook.bring_on(timedelta(hours=1))
        await all_settled(hook)
    names = [request.event["eventName"] for request in receiver.requests if request.event["entityId"] == str(entity)]
    assert names == ["time.logged", "time.logged", "time.updated", "time.submitted"]


async def test_what_waits_behind_one_that_is_given_up_goes_out(hook, receiver):
    entity = await hook.log()
    await hook.log(entity, "time.updated")
    receiver.answers = lambda request: answer(500 if request.event["eventName"] == "time.logged" else 200)
    async with working(hook.world.pool):
        await hook.attempted(1)
        await hook.world.pool.execute(
            "update webhook_deliveries set attempts = 9 where webhook_id = $1 and event_name = 'time.logged'", hook.id
        )
        await hook.world.pool.execute(
            "update webhook_deliveries set due_at = now() where webhook_id = $1 and event_name = 'time.logged'", hook.id
        )
        rows = await all_settled(hook)
    assert [row["state"] for row in rows] == ["failed", "delivered"]


async def test_two_workers_deliver_every_event_once_and_in_order(hook, receiver):
    entities = [await hook.log() for _ in range(40)]
    names = ["time.updated", "time.submitted", "time.approved"]
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(working(hook.world.pool))
        for name in names:
            for entity in entities:
                await hook.log(entity, name)
        await hook.world.pool.execute(
            """
            insert into events (organization_id, id, event_name, entity_type, entity_id, occurred_at)
            select $1, gen_random_uuid(), 'time.logged', 'time_entry', gen_random_uuid(), now()
            from generate_series(1, $2)
            """,
            hook.world.organization_id,
            3 * EVENTS_AT_ONCE,
        )
        await arrived(receiver, 4 * len(entities) + 3 * EVENTS_AT_ONCE)
        rows = await all_settled(hook)
    assert len(rows) == len(receiver.requests) == 4 * len(entities) + 3 * EVENTS_AT_ONCE
    assert set(Counter(request.event["id"] for request in receiver.requests).values()) == {1}
    for entity in entities:
        seen = [request.event["eventName"] for request in receiver.requests if request.event["entityId"] == str(entity)]
        assert seen == ["time.logged", *names]


async def test_an_event_that_commits_late_is_not_passed_by(hook, receiver):
    async with working(hook.world.pool), hook.world.pool.acquire() as late:
        transaction = late.transaction()
        await transaction.start()
        early = await hook.log()
        held = await hook.log(tx=late)
        later = [await hook.log() for _ in range(3)]
        await arrived(receiver, 1)
        await transaction.commit()
        rows = await all_settled_entities(hook, {early, held, *later})
    assert len(rows) == len(receiver.requests) == 5


async def all_settled_entities(hook, entities: set[UUID]):
    async def settled():
        rows = await hook.deliveries()
        return {row["entity_id"] for row in rows if row["state"] == "delivered"} == entities and rows

    return await until(settled, "delivery of everything")


async def test_a_worker_that_is_stopped_waits_for_what_is_in_flight(hook, receiver):
    arrived_there, go_on = asyncio.Event(), asyncio.Event()

    async def hold(writer):
        arrived_there.set()
        await go_on.wait()
        writer.write(answer(200))

    receiver.always(hold)
    await hook.log()
    async with working(hook.world.pool):
        await arrived_there.wait()
        asyncio.get_running_loop().call_later(0.2, go_on.set)  # after the worker was told to stop
    (delivery,) = await hook.deliveries()
    assert delivery["state"] == "delivered"
    assert len(await hook.attempts()) == 1


async def test_a_disabled_webhook_gets_nothing_enabled_it_begins_anew_and_a_replay_sends_the_rest(hook, receiver):
    await hook.enable(False)
    missed = [await hook.log() for _ in range(3)]
    async with working(hook.world.pool) as worker:
        await upkeep.once(hook.world.pool)
        assert await hook.deliveries() == []
        await hook.enable(True)
        later = await hook.log()
        (delivery,) = await all_settled(hook)
        assert delivery["entity_id"] == later
        async with hook.world.pool.acquire() as tx, tx.transaction():
            webhook = await webhooks.get(tx, hook.world.organization_id, hook.id)
            since, until_then = await tx.fetchrow("select now() - interval '1 hour', now() + interval '1 hour'")
            names = ["time.logged"]
            assert await deliveries.replay(tx, webhook, since, until_then, names, hook.actor) == 4
        await arrived(receiver, 5)
        rows = await all_settled(hook)
    assert worker is not None
    assert {row["entity_id"] for row in rows} == {later, *missed}
    assert Counter(receiver.ids())[str(delivery["id"])] == 2


async def test_old_deliveries_are_forgotten_and_young_and_pending_ones_are_not(hook, receiver):
    for _ in range(3):
        await hook.log()
    async with working(hook.world.pool):
        rows = await all_settled(hook)
    old, _, pending = (row["id"] for row in rows)
    ages = [(old, upkeep.KEPT + timedelta(hours=1)), (rows[1]["id"], upkeep.KEPT - timedelta(hours=1))]
    for delivery_id, age in ages:
        await hook.world.pool.execute(
            "update webhook_deliveries set settled_at = now() - $2::interval where id = $1", delivery_id, age
        )
    await hook.world.pool.execute(
        "update webhook_deliveries set state = 'pending', settled_at = null, created_at = now() - interval '1 year', "
        "due_at = now() + interval '1 hour' where id = $1",
        pending,
    )
    await upkeep.once(hook.world.pool)
    assert {row["id"] for row in await hook.deliveries()} == {rows[1]["id"], pending}
    assert {row["delivery_id"] for row in await hook.attempts()} == {rows[1]["id"], pending}


async def test_events_that_were_not_handed_over_yet_are_not_deleted(hook, receiver):
    entity = await hook.log()
    pool, organization = hook.world.pool, hook.world.organization_id
    await pool.execute(
        "update events set occurred_at = now() - interval '99 days' where organization_id = $1", organization
    )
    await housekeeping.delete_old_events(pool, 30)
    async with working(pool):
        (delivery,) = await all_settled(hook)
        assert delivery["entity_id"] == entity
    await housekeeping.delete_old_events(pool, 30)
    assert await hook.world.count("events") == 0


async def test_events_are_deleted_where_no_webhook_is_enabled(hook):
    await hook.log()
    await hook.enable(False)
    pool, organization = hook.world.pool, hook.world.organization_id
    await pool.execute(
        "update events set occurred_at = now() - interval '99 days' where organization_id = $1", organization
    )
    await housekeeping.delete_old_events(pool, 30)
    assert await hook.world.count("events") == 0
