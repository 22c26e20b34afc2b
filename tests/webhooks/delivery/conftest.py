"""A database of these tests' own, so that no other server delivers; a real receiver; workers that a test starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID, uuid4

import asyncpg
import psycopg
import pytest

from align.db import migrate
from align.events import events
from align.sealing import Sealer
from align.webhooks import webhooks
from align.webhooks.sender import Sender
from align.webhooks.worker import IN_FLIGHT, Worker
from tests.conftest import World
from tests.waiting import until
from tests.webhooks.receiver import Receiver, receiving

SECRET_KEY = "4f" * 32  # of the tests alone
LOCAL = (ip_network("127.0.0.0/8"),)


@pytest.fixture(scope="session")
def webhooks_url(database_url: str) -> str:
    """Beside the database of the other tests, whose server delivers too."""
    name = f"webhooks_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = database_url.replace("/align?", f"/{name}?")
    assert url != database_url
    migrate.migrate(url)
    return url


@pytest.fixture(scope="session")
async def pool(webhooks_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(webhooks_url, min_size=1, max_size=10) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SECRET_KEY)


@dataclass
class Hook:
    """A subscription of a world, its secret, and what the tests look at."""

    world: World
    id: UUID
    secret: str

    async def log(self, entity_id: UUID | None = None, name: str = "time.logged", tx=None) -> UUID:
        """An event that the hook asked for; returns the entity's id."""
        entity = entity_id or uuid4()
        arguments = (name, ("time_entry", entity))
        members = {"organization_id": self.world.organization_id, "after": {"minutes": 30}}
        if tx is not None:
            await events.record(tx, *arguments, **members)
            return entity
        async with self.world.pool.acquire() as own, own.transaction():
            await events.record(own, *arguments, **members)
        return entity

    async def deliveries(self) -> list[asyncpg.Record]:
        """In the order in which they were handed over; `wait` is how long until the next attempt."""
        return await self.world.pool.fetch(
            "select *, due_at - now() as wait from webhook_deliveries where webhook_id = $1 "
            "order by feed_epoch, transaction_id, event_id",
            self.id,
        )

    async def attempts(self) -> list[asyncpg.Record]:
        return await self.world.pool.fetch(
            "select a.* from webhook_attempts a join webhook_deliveries d on d.id = a.delivery_id "
            "where d.webhook_id = $1 order by a.attempted_at, a.number",
            self.id,
        )

    async def row(self) -> asyncpg.Record:
        return await self.world.pool.fetchrow("select * from webhooks where id = $1", self.id)

    async def attempted(self, count: int = 1) -> list[asyncpg.Record]:
        """The deliveries, once that many attempts are settled."""

        async def enough() -> bool:
            return len(await self.attempts()) >= count

        await until(enough, f"{count} settled attempts")
        return await self.deliveries()

    async def bring_on(self, by: timedelta = timedelta(days=30)) -> None:
        """As if that much time had passed for what waits to be tried again."""
        await self.world.pool.execute(
            "update webhook_deliveries set due_at = due_at - $2::interval where webhook_id = $1 and state = 'pending'",
            self.id,
            by,
        )

    async def enable(self, enabled: bool) -> None:
        async with self.world.pool.acquire() as tx, tx.transaction():
            old = await webhooks.get(tx, self.world.organization_id, self.id)
            await webhooks.update(tx, old, type(old)(**{**_members(old), "enabled": enabled}), self.actor)

    @property
    def actor(self) -> events.Actor:
        return events.Actor(self.world.admin_id, self.world.key_id)


def _members(struct) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


async def subscribe(world: World, sealer: Sealer, url: str, event_names: tuple[str, ...] = ("time.*",)) -> Hook:
    """A webhook of the world's organisation."""
    actor = events.Actor(world.admin_id, world.key_id)
    async with world.pool.acquire() as tx, tx.transaction():
        made, secret = await webhooks.create(
            tx,
            sealer,
            world.organization_id,
            destination_url=url,
            event_names=event_names,
            description=None,
            enabled=True,
            actor=actor,
        )
    return Hook(world, made.id, secret)


@pytest.fixture
async def hook(world: World, sealer: Sealer, receiver: Receiver) -> AsyncIterator[Hook]:
    made = await subscribe(world, sealer, receiver.url)
    yield made
    await world.pool.execute("delete from webhooks where organization_id = $1", world.organization_id)


@asynccontextmanager
async def working(pool: asyncpg.Pool, timeout_seconds: float = 10) -> AsyncIterator[Worker]:
    """A worker that runs in the block, and has ended in order after it."""
    async with Sender(allow_http=True, allowed=LOCAL, connections=IN_FLIGHT, timeout_seconds=timeout_seconds) as sender:
        stop = asyncio.Event()
        made = Worker(pool, sender, Sealer(SECRET_KEY))
        task = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            await task
