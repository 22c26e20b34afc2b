"""A long transaction elsewhere holds the feed back, visibly; nothing is lost by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from align.changes.housekeeping import Delay
from tests.api.following import follow, latest, piece
from tests.races.conftest import sync
from tests.waiting import until

# Longer than any transaction of the servers and tests beside this one.
LONG_SECONDS = 3


async def delay(base_url: str) -> float:
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{base_url}/metrics")).text
    (line,) = [line for line in text.splitlines() if line.startswith("align_changes_delay_seconds ")]
    return float(line.split(" ")[1])


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[asyncpg.Connection]:
    """An open transaction that has a transaction id, as one that has written."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("begin")
        await connection.fetchval("select pg_current_xact_id()")
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("database", ["align", "postgres"])
async def test_a_long_transaction_shows_in_the_metric_and_delays_but_loses_nothing(
    clients, world, base_url, database_url, database
):
    client = clients[0]
    start = await latest(client, world)
    async with writing(database_url.replace("/align?", f"/{database}?")) as holder:
        entries = [(await sync(client, world, world.entry())).json()["id"] for _ in range(3)]

        async def shown() -> bool:
            return await delay(base_url) > LONG_SECONDS

        await until(shown, "delay in the metric")
        assert (await piece(client, world, after=start))["data"] == []
        entries.append((await sync(client, world, world.entry())).json()["id"])  # syncs do not mind
        await holder.execute("commit")
    assert [each["entityId"] for each in await follow(client, world, start)] == entries

    async def over() -> bool:
        return await delay(base_url) < LONG_SECONDS

    await until(over, "end of the delay in the metric")


async def test_a_transaction_that_only_reads_delays_nothing(clients, world, database_url):
    start = await latest(clients[0], world)
    connection = await asyncpg.connect(database_url)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.fetchval("select count(*) from organizations")
        entry = (await sync(clients[0], world, world.entry())).json()
        assert [each["entityId"] for each in await follow(clients[0], world, start)] == [entry["id"]]
    await connection.close()


async def test_the_delay_by_another_roles_transaction_is_noticed_without_being_told(pool, database_url):
    """An ordinary role is not told when the transactions of others began."""
    await pool.execute(
        "do $$ begin create role watcher login; exception when duplicate_object or unique_violation then end $$"
    )
    watcher_url = database_url.replace("//postgres:@", "//watcher@").replace("//postgres@", "//watcher@")
    async with asyncpg.create_pool(watcher_url, min_size=1, max_size=1) as watcher:
        assert await watcher.fetchval("select current_user") == "watcher"
        measured = Delay(watcher)
        async with writing(database_url):
            first = await measured.measure()
            await asyncio.sleep(0.2)
            assert await measured.measure() >= first + 0.2
