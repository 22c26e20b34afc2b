"""How many statements a request costs, as the database itself logs them."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from align.settings import Settings
from tests.api.batch.conftest import BATCH_PATH, lines_of
from tests.api.one_write import OneWrite
from tests.conftest import SYNC_PATH, RunningServer, World
from tests.races.conftest import blocked, transaction

_LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]+): (.*?)(?=\n\S|\Z)", re.DOTALL)
# What the statements of a batch are recognised by.
_KINDS = {
    "insert into integration_links": "sync",
    "k.digest = $1": "identify",
    "pg_advisory_xact_lock": "lock",
    "select status, response, location": "find",
    "insert into idempotency_keys": "keep",
    # The driver's pool tidies a connection up when it comes back.
    "pg_advisory_unlock_all": "reset",
}
# How the batch looks its key up.
KEY = {"identify": 1, "reset": 1}


class Watched:
    """A server whose database connections log every statement."""

    def __init__(self, client: httpx.AsyncClient, log: Path) -> None:
        self.client = client
        self._log = log

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Counter[str]]:
        """Counts the statements of the block by kind; filled when the block ends."""
        start, found = self._log.stat().st_size, Counter()
        yield found
        with self._log.open(encoding="utf-8") as log:
            log.seek(start)
            found.update(kind_of(text) for text in _LOGGED.findall(log.read()))


def kind_of(text: str) -> str:
    """What a statement is for; transaction control is its own first word."""
    return next((kind for mark, kind in _KINDS.items() if mark in text), text.split()[0].strip(";").lower())


@pytest.fixture(scope="module")
async def watched(database_url: str, data_dir: Path) -> AsyncIterator[Watched]:
    server = RunningServer(f"{database_url}&log_statement=all", Settings(data_dir=data_dir, webhook_worker=False))
    base_url = await asyncio.to_thread(server.__enter__)
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits) as client:
        yield Watched(client, data_dir / "postgres" / "log")
    await asyncio.to_thread(server.__exit__)


async def sync(watched: Watched, world: World, entry: dict[str, object], **headers: str) -> httpx.Response:
    return await watched.client.post(SYNC_PATH, json=entry, headers=world.headers | headers)


async def batch(watched: Watched, world: World, count: int, **headers: str) -> httpx.Response:
    return await watched.client.post(
        BATCH_PATH, json={"entries": [world.entry() for _ in range(count)]}, headers=world.headers | headers
    )


async def warm(watched: Watched, world: World) -> None:
    """Connect all sessions, and have the key remembered."""
    await asyncio.gather(*(batch(watched, world, 1) for _ in range(4)))
    assert (await sync(watched, world, world.entry())).status_code == 201


async def test_one_sync_is_exactly_one_statement(watched, world):
    await warm(watched, world)
    entry = world.entry()
    for repeat in (entry, entry, world.entry()):
        async with watched.statements() as statements:
            assert (await sync(watched, world, repeat)).is_success
        assert statements == {"sync": 1}


async def test_a_sync_with_an_idempotency_key_is_exactly_one_statement_and_so_is_its_replay(watched, world):
    await warm(watched, world)
    entry = world.entry()
    for replayed in (None, "true"):
        async with watched.statements() as statements:
            answer = await sync(watched, world, entry, **{"Idempotency-Key": "k"})
        assert answer.headers.get("idempotent-replayed") == replayed
        assert statements == {"sync": 1}


async def test_many_syncs_at_once_share_a_few_statements(watched, world):
    count = 120
    await warm(watched, world)
    async with httpx.AsyncClient(base_url=watched.client.base_url, transport=OneWrite()) as client:
        await asyncio.gather(*(client.get("/livez") for _ in range(count)))  # all connections are open now
        async with watched.statements() as statements, transaction(world) as holder:
            # While statements are held up by somebody else's lock, the other requests gather.
            await holder.execute("lock table integration_links in share mode")
            requests = [
                asyncio.create_task(client.post(SYNC_PATH, json=world.entry(), headers=world.headers))
                for _ in range(count)
            ]
            await blocked(world, holder, 1)
            # The server reads what was written before this.
            await watched.client.get("/livez")
            await holder.execute("rollback")
            answers = await asyncio.gather(*requests)
    assert {answer.status_code for answer in answers} == {201}
    assert statements["sync"] <= 5
    assert set(statements) == {"sync"}


async def test_a_batch_of_a_thousand_fresh_members_is_one_statement_beside_the_keys(watched, world):
    await warm(watched, world)
    async with watched.statements() as statements:
        answer = await batch(watched, world, 1000)
    assert answer.json()["created"] == 1000
    assert statements == KEY | {"sync": 1}


async def test_a_batch_with_an_idempotency_key_is_one_transaction(watched, world):
    await warm(watched, world)
    async with watched.statements() as statements:
        answer = await batch(watched, world, 1000, **{"Idempotency-Key": "k"})
    assert answer.json()["created"] == 1000
    assert statements == KEY | {
        "begin": 1,
        "lock": 1,
        "find": 1,
        "savepoint": 1,
        "sync": 1,
        "release": 1,
        "keep": 1,
        "commit": 1,
    }


async def test_a_stream_of_thousands_of_lines_takes_few_statements(watched, world):
    count = 3000
    await warm(watched, world)
    content = lines_of(world.entry() for _ in range(count))
    async with watched.statements() as statements:
        answer = await watched.client.post(
            BATCH_PATH, content=content, headers=world.headers | {"content-type": "application/x-ndjson"}
        )
    assert answer.text.splitlines()[-1] == f'{{"created":{count},"existing":0,"failed":0}}'
    assert statements == KEY | {"sync": statements["sync"]}
    assert count // 500 <= statements["sync"] <= count // 50


@pytest.mark.parametrize("times", [2, 5])
async def test_a_pair_that_occurs_several_times_takes_as_many_statements_whatever_the_size(watched, world, times):
    await warm(watched, world)
    entries = [world.entry() for _ in range(100)]
    async with watched.statements() as statements:
        answer = await watched.client.post(BATCH_PATH, json={"entries": entries * times}, headers=world.headers)
    assert (answer.json()["created"], answer.json()["existing"]) == (100, 100 * (times - 1))
    assert statements == KEY | {"sync": times}


async def test_a_refused_batch_takes_no_statement_but_the_keys(watched, world):
    await warm(watched, world)
    async with watched.statements() as statements:
        answer = await watched.client.post(
            BATCH_PATH, json={"entries": [world.entry(minutes=0)] * 100}, headers=world.headers
        )
    assert answer.json()["failed"] == 100
    assert statements == KEY
