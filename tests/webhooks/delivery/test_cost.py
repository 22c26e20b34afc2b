"""Looking for work costs nothing while there is none, and little when there is much of it."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from align.webhooks import upkeep
from align.webhooks.worker import QUERIES
from tests.conftest import World
from tests.webhooks.delivery.conftest import subscribe, working
from tests.webhooks.receiver import answer

CLAIM = ([], [], 64, 4, 512, 30.0, uuid4())
DELIVERIES = 100_000


async def wrote(pool: asyncpg.Pool, *statements: tuple[Any, ...]) -> bool:
    """Whether the statements make a transaction that leaves something in the write-ahead log."""
    async with pool.acquire() as connection, connection.transaction():
        for statement in statements:
            await connection.execute(*statement)
        return await connection.fetchval("select pg_current_xact_id_if_assigned() is not null")


async def test_idle_polling_writes_nothing(hook, receiver):
    """Deliveries that are settled or wait, events that nobody asked for and were passed by, a disabled webhook."""
    pool = hook.world.pool
    receiver.answers = lambda request: answer(200 if request.event["eventName"] == "time.logged" else 500)
    await hook.log()
    await hook.log(name="time.updated")
    await hook.log(name="project.updated")
    async with working(pool):
        await hook.attempted(2)
    await upkeep.once(pool)
    idle = [(QUERIES.hand_over, 500), (QUERIES.claim, *CLAIM), (upkeep.QUERIES.release_followers,)]
    idle += [(upkeep.QUERIES.pass_by,), (upkeep.QUERIES.delete_old_deliveries, upkeep.KEPT, 1000)]
    assert not await wrote(pool, *idle)
    await hook.log()
    assert await wrote(pool, *idle)


async def test_a_claim_that_is_another_workers_is_not_waited_for(hook):
    await hook.log()
    pool = hook.world.pool
    async with pool.acquire() as one, one.transaction():
        await one.execute(QUERIES.hand_over, 500)
        await pool.fetch(QUERIES.hand_over, 500, timeout=5)
    async with pool.acquire() as one, one.transaction():
        assert len(await one.fetch(QUERIES.claim, *CLAIM)) == 1
        assert await pool.fetch(QUERIES.claim, *CLAIM, timeout=5) == []


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def read(connection: asyncpg.Connection, query: str, *arguments: object) -> int:
    """How many blocks a statement touches; nothing of it is kept."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        text = await connection.fetchval(f"explain (analyze, buffers, format json) {query}", *arguments)
    finally:
        await transaction.rollback()
    plan = msgspec.json.decode(text)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def fill(world: World, webhook_id, entities: int, count: int, due: str) -> None:
    await world.pool.execute(
        f"""
        insert into webhook_deliveries (
            organization_id, id, webhook_id, event_id, event_name, entity_id, feed_epoch, transaction_id, body, due_at)
        select $1, gen_random_uuid(), $2, gen_random_uuid(), 'time.logged',
            md5($2::uuid::text || n % $3)::uuid, 1, (n::text)::xid8, '{{}}', {due}
        from generate_series(1, $4::integer) n
        """,
        world.organization_id,
        webhook_id,
        entities,
        count,
    )


@pytest.mark.parametrize("when", ["when nothing was pending", "when all was"])
async def test_a_long_queue_is_not_read_as_a_whole(hook, when):
    """Whatever was pending when statistics were last taken."""
    pool = hook.world.pool
    if when == "when nothing was pending":
        await fill(hook.world, hook.id, 1000, 1000, "now()")
        await pool.execute("update webhook_deliveries set state = 'delivered', settled_at = now()")
        await pool.execute("vacuum analyze webhook_deliveries")
    await fill(hook.world, hook.id, DELIVERIES, DELIVERIES, "now()")
    if when == "when all was":
        await pool.execute("vacuum analyze webhook_deliveries")
    await hook.log()
    # 64 are claimed, which takes some twenty blocks each. To read all for each would take 64 times its size, or worse.
    async with pool.acquire() as connection:
        size = await connection.fetchval("select pg_relation_size('webhook_deliveries') / 8192")
        assert size > 2000
        for mode in ("force_custom_plan", "force_generic_plan"):
            await connection.execute(f"set plan_cache_mode = {mode}")
            assert await read(connection, QUERIES.claim, *CLAIM) < size
            assert await read(connection, QUERIES.hand_over, 500) < 500
            transaction = connection.transaction()
            await transaction.start()
            claimed = await connection.fetch(QUERIES.claim, *CLAIM)
            keys = [[row[name] for row in claimed] for name in ("organization_id", "id", "lease")]
            rest = ("pending", 5.0, 0.1, 1, 500, "", None)
            columns = [*keys, *([value] * len(claimed) for value in rest)]
            assert await read(connection, QUERIES.settle, *columns, timedelta(days=5)) < 2 * size
            await transaction.rollback()
        await connection.execute("reset plan_cache_mode")


async def test_deliveries_that_wait_behind_others_are_not_looked_at(hook, receiver):
    """A receiver that is down collects them: of a hundred about an entity one is tried, the others wait with it."""
    pool = hook.world.pool
    await fill(hook.world, hook.id, 100, 10_000, "now()")
    receiver.always(answer(500))
    async with working(pool):
        await hook.attempted(100)
    async with pool.acquire() as connection:
        left_behind = (
            "select count(*) from webhook_deliveries where due_at <= "
            "(select min(attempted_at) from webhook_attempts where organization_id = $1)"
        )
        assert await connection.fetchval(left_behind, hook.world.organization_id) == 0
        # However long the rest takes: the first are due again after 5 s.
        await connection.execute("update webhook_deliveries set due_at = due_at + interval '1 hour'")
        await connection.execute("vacuum analyze webhook_deliveries")
        assert await read(connection, QUERIES.claim, *CLAIM) < 100


async def test_the_clean_ups_look_at_the_old_alone(hook):
    pool = hook.world.pool
    await fill(hook.world, hook.id, DELIVERIES, DELIVERIES, "now()")
    await pool.execute("update webhook_deliveries set state = 'delivered', settled_at = now()")
    await pool.execute("vacuum analyze webhook_deliveries")
    async with pool.acquire() as connection:
        assert await read(connection, upkeep.QUERIES.delete_old_deliveries, upkeep.KEPT, 1000) < 100
        assert await read(connection, upkeep.QUERIES.pass_by) < 500


async def test_names_that_take_for_ever_to_resolve_delay_nobody_else(hook, receiver, sealer, monkeypatch):
    resolved, really = threading.Event(), socket.getaddrinfo

    def slow(host, *arguments, **options):
        if host == "slow.example":
            resolved.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return really(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    stuck = await subscribe(hook.world, sealer, "http://slow.example/", ("project.*",))
    for _ in range(50):
        await stuck.log(name="project.updated")
    named = await subscribe(hook.world, sealer, receiver.url.replace("127.0.0.1", "localhost"), ("time.updated",))
    async with working(hook.world.pool, 20):
        await hook.log()
        await hook.attempted(1)
        await named.log(name="time.updated")
        (delivery,) = await named.attempted(1)
        assert delivery["state"] == "delivered"
        assert await stuck.attempts() == []
        resolved.set()
        await stuck.attempted(50)
