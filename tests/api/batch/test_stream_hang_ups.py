"""Clients that hang up in the middle of a batch: what is stored is whole, and nothing of the server stays behind."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from align.settings import Settings
from align.web import application
from tests.api.batch.conftest import BATCH_PATH, lines_of, written
from tests.api.batch.live import LiveStream, live_stream
from tests.conftest import RunningServer, World
from tests.waiting import until

HANG_UPS = 12


class OwnServer:
    """A server of this module alone, whose tasks can be counted."""

    def __init__(self, running: RunningServer, base_url: str) -> None:
        self._running = running
        self.base_url = base_url

    async def tasks(self) -> Counter[str]:
        """How many tasks of which kind there are in the server."""
        loop = self._running._server.servers[0].get_loop()

        async def names() -> Counter[str]:
            return Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())

        found = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(names(), loop))
        # The one that counts.
        return found - Counter({"OwnServer.tasks.<locals>.names": 1})


@pytest.fixture(scope="module")
def own_server(database_url: str, data_dir: Path) -> Iterator[OwnServer]:
    running = RunningServer(database_url, Settings(data_dir=data_dir))
    with running as base_url:
        yield OwnServer(running, base_url)


@pytest.fixture(autouse=True)
def nothing_logged_as_a_fault(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails when the server or a task of its loop failed."""
    yield
    assert faults(caplog) == []


def faults(caplog: pytest.LogCaptureFixture) -> list[tuple[str, type[BaseException] | None]]:
    """What was logged as a fault during the test, and which exception was its cause."""
    return [
        (record.getMessage().strip(), record.exc_info[0] if record.exc_info else None)
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR
    ]


@asynccontextmanager
async def nothing_left_behind(server: OwnServer, world: World) -> AsyncIterator[None]:
    """Fails when the block left a task in the server, a transaction in the database or half an entry."""
    before = await server.tasks()
    yield

    async def all_as_before() -> bool:
        busy = "select count(*) from pg_stat_activity where application_name = 'align sync' and state <> 'idle'"
        return await server.tasks() == before and await world.pool.fetchval(busy) == 0

    await until(all_as_before, f"return to the tasks {before} and idle connections")
    assert await halves(world) == 0


async def halves(world: World) -> int:
    """Entries, links and events that are not there together."""
    return await world.pool.fetchval(
        """
        select count(*)
        from (select id from time_entries where organization_id = $1) e
        full join (select align_entity_id from integration_links where organization_id = $1) l
            on l.align_entity_id = e.id
        full join (select entity_id from events where organization_id = $1 and event_name = 'time.logged') v
            on v.entity_id = coalesce(e.id, l.align_entity_id)
        where e.id is null or l.align_entity_id is null or v.entity_id is null
        """,
        world.organization_id,
    )


async def external_ids(world: World) -> set[str]:
    """What is stored."""
    rows = await world.pool.fetch(
        "select external_id from integration_links where organization_id = $1", world.organization_id
    )
    return {row["external_id"] for row in rows}


async def works(server: OwnServer, world: World) -> None:
    """More batches than there are connections for them, all at once, are answered rightly."""

    async def one() -> None:
        async with live_stream(server.base_url, world) as stream:
            await stream.send(world.entry() for _ in range(3))
            await stream.end()
            assert (await stream.answered(4))[-1] == {"created": 3, "existing": 0, "failed": 0}

    async with asyncio.TaskGroup() as tasks:
        for _ in range(6):
            tasks.create_task(one())


async def after_the_head(stream: LiveStream, world: World) -> None:
    """Nothing of the body was sent."""


async def inside_a_line(stream: LiveStream, world: World) -> None:
    await stream.send_text(lines_of(world.entry() for _ in range(3))[:-30])


async def with_results_unread(stream: LiveStream, world: World) -> None:
    await stream.send(world.entry() for _ in range(1200))


async def with_some_results_read(stream: LiveStream, world: World) -> None:
    await stream.send(world.entry() for _ in range(1200))
    assert len(await stream.answered(10)) == 10


async def after_the_end_of_the_body(stream: LiveStream, world: World) -> None:
    await stream.send(world.entry() for _ in range(1200))
    await stream.end()


MOMENTS = [
    after_the_head,
    inside_a_line,
    with_results_unread,
    with_some_results_read,
    after_the_end_of_the_body,
]


@pytest.mark.parametrize("moment", MOMENTS, ids=[moment.__name__ for moment in MOMENTS])
async def test_a_client_may_hang_up_at_any_moment(own_server, world, moment):
    async def one() -> None:
        async with live_stream(own_server.base_url, world) as stream:
            await moment(stream, world)
            stream.hang_up()

    async with nothing_left_behind(own_server, world), asyncio.TaskGroup() as tasks:
        for _ in range(HANG_UPS):
            tasks.create_task(one())
    await works(own_server, world)


async def test_a_client_that_ends_its_side_in_the_middle_gets_no_counts(own_server, world):
    async with nothing_left_behind(own_server, world), live_stream(own_server.base_url, world) as stream:
        await stream.send(world.entry() for _ in range(3))
        assert len(await stream.answered(3)) == 3
        stream.writer.write_eof()
        assert await stream.answered_until_cut() == []
    assert len(await external_ids(world)) == 3
    await works(own_server, world)


async def test_a_json_batch_cut_inside_its_body_stores_nothing(own_server, world):
    body = b'{"entries":[' + b",".join(written(world.entry()) for _ in range(50)) + b"]}"
    async with nothing_left_behind(own_server, world):
        for length in (0, 1, len(body) // 2, len(body) - 1):
            writer = await post(own_server.base_url, world, body, length)
            writer.transport.abort()
    assert await external_ids(world) == set()
    await works(own_server, world)


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["each on its own", "in one transaction"])
async def test_a_json_batch_whose_sender_leaves_before_the_answer_is_stored_whole(own_server, world, headers):
    entries = [world.entry() for _ in range(500)]
    body = b'{"entries":[' + b",".join(map(written, entries)) + b"]}"
    async with nothing_left_behind(own_server, world):
        (await post(own_server.base_url, world, body, len(body), headers)).close()

        async def is_stored() -> bool:
            return await world.count("time_entries") > 0

        await until(is_stored, "entry of the batch")
    assert await external_ids(world) == {entry["externalId"] for entry in entries}
    await works(own_server, world)


async def post(base_url: str, world: World, body: bytes, length: int, more: dict[str, str] | None = None):
    """Begin a batch and send only so much of its body; returns the connection."""
    parts = urlsplit(base_url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = httpx.Request("POST", f"{base_url}{BATCH_PATH}", content=body, headers={**world.headers, **(more or {})})
    request.headers["content-type"] = "application/json"
    head = [f"POST {BATCH_PATH} HTTP/1.1".encode(), *(b"%s: %s" % header for header in request.headers.raw)]
    writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body[:length])
    await writer.drain()
    return writer


async def test_a_client_that_never_reads_is_given_up(own_server, world, monkeypatch, caplog):
    monkeypatch.setattr(application, "UNREAD_PATIENCE_SECONDS", 0.2)
    before = await own_server.tasks()

    async def given_up() -> bool:
        return await own_server.tasks() == before

    async with nothing_left_behind(own_server, world), live_stream(own_server.base_url, world) as stream:
        # The results are more than all buffers on the way hold.
        await stream.send_text(b"5\n" * 100_000)
        await until(given_up, "end of the request of a client that never reads")
        results = await stream.answered_until_cut()
    # Raising is the only way for an ASGI application to end a connection.
    assert faults(caplog) == [("Exception in ASGI application", TimeoutError)]
    caplog.clear()
    assert 0 < len(results) < 100_000
    assert [result["index"] for result in results] == list(range(len(results)))
    await works(own_server, world)
