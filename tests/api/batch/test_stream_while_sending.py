"""A stream is read, stored and answered at the same time: nobody waits for its end, and it is never held whole."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from align.web import http
from tests.api.batch.conftest import stored_more
from tests.api.batch.live import LiveStream, live_stream
from tests.conftest import World

COUNTED = 30_000
BYTES_OF_DESCRIPTION = 1200
# All lines together are 40 MB, all results more: holding either would be seen.
MAXIMUM_GROWTH_BYTES = 16 * 1024 * 1024


async def test_results_arrive_while_the_request_is_still_being_sent(batches, base_url):
    world = batches.world
    entries = [world.entry() for _ in range(1000)]
    async with stored_more(world, 1000), live_stream(base_url, world) as stream:
        await stream.send(entries[:600])
        first = await stream.answered(600)
        assert await world.count("time_entries") == 600
        await stream.send(entries[600:])
        await stream.end()
        rest = await stream.answered(401)
    assert stream.status == 200
    assert [result["index"] for result in first + rest[:-1]] == list(range(1000))
    assert {result["status"] for result in first + rest[:-1]} == {201}
    assert rest[-1] == {"created": 1000, "existing": 0, "failed": 0}


async def test_a_sender_may_wait_for_each_result_before_the_next_line(batches, base_url):
    world = batches.world
    async with live_stream(base_url, world) as stream:
        for index in range(20):
            await stream.send([world.entry()])
            (result,) = await stream.answered(1)
            assert (result["index"], result["status"]) == (index, 201)
            assert await world.count("time_entries") == index + 1
        await stream.end()
        assert await stream.answered(2) == [{"created": 20, "existing": 0, "failed": 0}]


async def test_a_line_counts_once_it_is_whole(batches, base_url):
    world = batches.world
    text = json.dumps(world.entry()).encode()
    async with live_stream(base_url, world) as stream:
        await stream.send([world.entry()])
        await stream.send_text(text[:50])
        assert len(await stream.answered(1)) == 1
        await stream.send_text(text[50:] + b"\n")
        (result,) = await stream.answered(1)
        assert (result["index"], result["status"]) == (1, 201)


async def test_a_stream_that_stalls_is_ended_with_what_it_got_and_why(batches, base_url, monkeypatch):
    monkeypatch.setattr(http, "BODY_PATIENCE_SECONDS", 0.3)
    world = batches.world
    async with stored_more(world, 1), live_stream(base_url, world) as stream:
        await stream.send([world.entry()])
        await stream.send_text(json.dumps(world.entry()).encode())
        result, end = await stream.answered(3)
    assert result["status"] == 201
    assert (end.pop("error")["error"], end) == ("request_timeout", {"created": 1, "existing": 0, "failed": 0})


CHANGES = {
    "a revoked key": ("update api_keys set revoked_at = now()", 401, "key_revoked"),
    "an expired key": ("update api_keys set expires_at = now()", 401, "key_expired"),
    "a replaced secret": (
        "update api_keys set previous_digest = digest, digest = sha256(digest), previous_valid_until = now(), "
        "secret_number = secret_number + 1",
        401,
        "key_revoked",
    ),
    "a deactivated creator": ("update users set deactivated_at = now()", 401, "key_revoked"),
    "a role that logs no time": ("update users set role = 'client'", 403, "role_violation"),
    "a plan without time": ("update organizations set features = '{}'", 402, "payment_required"),
}


@pytest.mark.parametrize(("change", "status", "code"), CHANGES.values(), ids=CHANGES)
async def test_a_long_stream_ends_to_be_accepted_as_soon_as_single_calls_would(batches, base_url, change, status, code):
    world = batches.world
    async with stored_more(world, 1), live_stream(base_url, world) as stream:
        await stream.send([world.entry()])
        (accepted,) = await stream.answered(1)
        await world.pool.execute(f"{change} where organization_id = $1", world.organization_id)
        await stream.send([world.entry()])
        (refused,) = await stream.answered(1)
    assert accepted["status"] == 201
    assert (refused["status"], refused["error"]["error"]) == (status, code)


async def test_streams_side_by_side_do_not_wait_for_each_other(batches, base_url):
    """More streams are open than there are connections for batches: none of them holds one while it waits."""
    world = batches.world
    async with (
        asyncio.TaskGroup() as tasks,
        live_stream(base_url, world) as slow,
        live_stream(base_url, world) as slower,
    ):
        for stream in (slow, slower):
            await stream.send([world.entry()])
            await stream.answered(1)
        for _ in range(6):
            tasks.create_task(whole_stream(base_url, world))
        for stream in (slower, slow):
            await stream.send([world.entry()])
            await stream.end()
            assert (await stream.answered(2))[-1] == {"created": 2, "existing": 0, "failed": 0}


async def whole_stream(base_url: str, world: World) -> None:
    async with live_stream(base_url, world) as stream:
        await stream.send(world.entry() for _ in range(700))
        await stream.end()
        *results, end = await stream.answered(701)
        assert [result["index"] for result in results] == list(range(700))
        assert end == {"created": 700, "existing": 0, "failed": 0}


@pytest.fixture
def own_server(database_url: str, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server in a process of its own: its URL and process id."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")}
    environment |= {"ALIGN_DATA_DIR": str(tmp_path), "ALIGN_DATABASE_URL": database_url, "ALIGN_LOG_FORMAT": "json"}
    program = Path(sys.executable).with_name("align")
    with subprocess.Popen(
        [program, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stderr:
                if (told := json.loads(line))["event"] == "serving":
                    break
            yield told["url"], process.pid
        finally:
            process.terminate()
            process.communicate(timeout=60)


def peak_bytes(pid: int) -> int:
    """The most memory that the process ever had."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's memory")
async def test_memory_stays_flat_however_long_the_stream_is(own_server, world):
    base_url, pid = own_server
    await stream_through(base_url, world, COUNTED // 10)
    before = peak_bytes(pid)
    await stream_through(base_url, world, COUNTED)
    assert peak_bytes(pid) - before < MAXIMUM_GROWTH_BYTES
    assert await world.count("time_entries") == COUNTED + COUNTED // 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's memory")
async def test_memory_stays_flat_however_long_a_line_is(own_server, world):
    base_url, pid = own_server
    await stream_through(base_url, world, 1000)
    before = peak_bytes(pid)
    async with live_stream(base_url, world) as stream:
        for _ in range(60):
            await stream.send_text(b"x" * 1024 * 1024)
        await stream.send_text(b"\n")
        await stream.send([world.entry()])
        await stream.end()
        first, second, end = await stream.answered(4)
    assert (first["status"], second["status"]) == (413, 201)
    assert end == {"created": 1, "existing": 0, "failed": 1}
    assert peak_bytes(pid) - before < MAXIMUM_GROWTH_BYTES


async def stream_through(base_url: str, world: World, count: int) -> None:
    """Send and read at the same time; every line must be stored."""
    async with live_stream(base_url, world) as stream:
        reading = asyncio.create_task(read_all(stream, count))
        for _ in range(count // 100):
            await stream.send(world.entry(description="x" * BYTES_OF_DESCRIPTION) for _ in range(100))
        await stream.end()
        assert await reading == {"created": count, "existing": 0, "failed": 0}


async def read_all(stream: LiveStream, count: int) -> dict[str, object]:
    """The last line, after `count` results."""
    for _ in range(count // 100):
        assert len(await stream.answered(100)) == 100
    (end,) = await stream.answered(2)
    return end
