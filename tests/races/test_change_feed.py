"""The change feed passes nobody by: a reader who follows it sees each event exactly once, whenever it is committed."""

import asyncio
import random
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from align.events import events
from tests.api.following import follow, latest, piece
from tests.conftest import World
from tests.races.conftest import sync

SYNCS = 60
TRANSACTIONS = 40
THINGS = 5


@pytest.fixture
async def writers(database_url):
    """Connections of other programs."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=20) as made:
        yield made


async def write(tx: asyncpg.Connection, world: World, entity_id: UUID, number: int) -> None:
    """One event, numbered, about a thing."""
    await events.record(
        tx, "project.updated", ("project", entity_id), organization_id=world.organization_id, after={"number": number}
    )


async def test_transactions_that_commit_in_any_order_are_read_without_gaps(clients, world, writers):
    """Between any two commits the reader goes as far as it can; what commits late must not lie behind it."""
    chance = random.Random(world.organization_id.int)
    after = start = await latest(clients[0], world)
    seen = []
    async with AsyncExitStack() as open_ones:
        holders = []
        for number in range(12):
            holder = await open_ones.enter_async_context(writers.acquire())
            await holder.execute("begin")
            await write(holder, world, uuid4(), number)
            holders.append(holder)
        chance.shuffle(holders)
        for holder in holders:
            await holder.execute("commit")
            part = await piece(clients[0], world, after=after)
            seen += part["data"]
            after = part["nextCursor"]
    seen += await follow(clients[0], world, after)
    assert sorted(each["after"]["number"] for each in seen) == list(range(12))
    assert [each["id"] for each in seen] == [each["id"] for each in await follow(clients[0], world, start)]


async def test_one_open_transaction_holds_back_what_began_after_it_and_nothing_else(clients, world, writers):
    start = await latest(clients[0], world)
    first, second, third = (uuid4() for _ in range(3))
    async with writers.acquire() as one, writers.acquire() as late, writers.acquire() as two:
        await write(one, world, first, 1)
        await late.execute("begin")
        await write(late, world, second, 2)
        await write(two, world, third, 3)
        held = await piece(clients[0], world, after=start)
        await late.execute("commit")
    assert [each["entityId"] for each in held["data"]] == [str(first)]
    rest = await follow(clients[0], world, held["nextCursor"])
    assert [each["entityId"] for each in rest] == [str(second), str(third)]


async def test_a_transaction_that_is_rolled_back_leaves_no_trace(clients, world, writers):
    start = await latest(clients[0], world)
    async with writers.acquire() as holder:
        await holder.execute("begin")
        await write(holder, world, uuid4(), 1)
        entry = (await sync(clients[0], world, world.entry())).json()
        await holder.execute("rollback")
    assert [each["entityId"] for each in await follow(clients[0], world, start)] == [entry["id"]]


class Reader:
    """Follows the cursor until it is told that everything is committed, and then to the end."""

    def __init__(self, client: httpx.AsyncClient, world: World, start: str, limit: int) -> None:
        self._client, self._world, self._limit = client, world, limit
        self._after = start
        self.seen: list[dict] = []
        self.all_committed = asyncio.Event()

    async def run(self) -> None:
        while True:
            last_round = self.all_committed.is_set()
            self.seen += await self._to_the_end()
            if last_round:
                self.seen += await follow(self._client, self._world, self._after, limit=self._limit)
                return

    async def _to_the_end(self) -> list[dict]:
        found = []
        more = True
        while more:
            part = await piece(self._client, self._world, after=self._after, limit=self._limit)
            found += part["data"]
            self._after, more = part["nextCursor"], part["hasMore"]
        return found


class Writers:
    """Transactions about a few things, held open in random order; those about one thing run one after the other."""

    def __init__(self, pool: asyncpg.Pool, world: World) -> None:
        self._pool, self._world = pool, world
        self._chance = random.Random(world.organization_id.int)
        self._turns = {uuid4(): asyncio.Lock() for _ in range(THINGS)}
        # What was committed about each thing, in the order of the commits.
        self.committed: dict[str, list[int]] = {str(each): [] for each in self._turns}

    async def write(self, number: int) -> None:
        entity_id = self._chance.choice(list(self._turns))
        rolled_back = self._chance.random() < 0.2
        pauses = self._chance.randrange(40)
        async with self._pool.acquire() as tx, self._turns[entity_id]:
            await tx.execute("begin")
            await write(tx, self._world, entity_id, number)
            for _ in range(pauses):
                await tx.fetchval("select 1")
            await write(tx, self._world, entity_id, number + TRANSACTIONS)
            await tx.execute("rollback" if rolled_back else "commit")
            if not rolled_back:
                self.committed[str(entity_id)] += [number, number + TRANSACTIONS]


@pytest.mark.parametrize("limit", [1, 7, 1000])
async def test_a_reader_among_many_writers_sees_each_event_once_and_those_of_a_thing_in_order(
    servers, world, writers, limit
):
    reader = Reader(servers[-1], world, await latest(servers[0], world), limit)
    reading = asyncio.create_task(reader.run())
    others = Writers(writers, world)
    answers, _ = await asyncio.gather(
        asyncio.gather(*(sync(servers[index % len(servers)], world, world.entry()) for index in range(SYNCS))),
        asyncio.gather(*(others.write(number) for number in range(TRANSACTIONS))),
    )
    reader.all_committed.set()
    await reading
    assert len({each["id"] for each in reader.seen}) == len(reader.seen)
    logged = [each["entityId"] for each in reader.seen if each["eventName"] == "time.logged"]
    assert sorted(logged) == sorted(answer.json()["id"] for answer in answers)
    numbers: dict[str, list[int]] = {each: [] for each in others.committed}
    for each in reader.seen:
        if each["entityType"] == "project":
            numbers[each["entityId"]].append(each["after"]["number"])
    assert numbers == others.committed
    assert any(numbers.values())


async def test_changes_of_one_thing_over_the_api_come_in_the_order_they_were_made(servers, world):
    """They are answered one after the other, whoever sends them: so what one replaced is what the one before set."""
    start = await latest(servers[0], world)
    path = f"/api/v1/projects/{world.project_id}"
    names = [f"Name {number}" for number in range(20)]
    answers = await asyncio.gather(
        *(
            servers[index % len(servers)].patch(path, json={"name": name}, headers=world.headers)
            for index, name in enumerate(names)
        )
    )
    assert [answer.status_code for answer in answers] == [200] * len(names)
    changes = await follow(servers[0], world, start)
    assert sorted(each["after"]["name"] for each in changes) == sorted(names)
    before = ["First", *(each["after"]["name"] for each in changes)]
    assert [each["before"]["name"] for each in changes] == before[:-1]
    assert {each["entity"]["name"] for each in changes} == {before[-1]}
