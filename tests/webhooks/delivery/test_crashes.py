"""`align worker` is killed at each step: the event arrives nevertheless, with the same webhook-id."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.waiting import until
from tests.webhooks.delivery.conftest import SECRET_KEY, Hook, subscribe, working
from tests.webhooks.receiver import answer, receiving

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
async def start(webhooks_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the real command; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")}
    environment |= {
        "ALIGN_DATABASE_URL": webhooks_url,
        "ALIGN_SECRET_KEY": SECRET_KEY,
        "ALIGN_WEBHOOK_ALLOW_HTTP": "true",
        "ALIGN_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    }

    def one() -> "subprocess.Popen[bytes]":
        with (tmp_path / "log").open("ab") as log:
            started.append(subprocess.Popen([sys.executable, "-m", "align", "worker"], env=environment, stderr=log))
        return started[-1]

    yield one
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(30)
    print((tmp_path / "log").read_text())


async def leased(hook: Hook) -> bool:
    return any(row["lease"] is not None for row in await hook.deliveries())


@asynccontextmanager
async def settling_held(hook: Hook) -> AsyncIterator[Callable]:
    """A lock on the delivery, for which the statement that settles it waits; what it gives ends those that wait."""
    async with hook.world.pool.acquire() as holder:
        transaction = holder.transaction()
        await transaction.start()
        assert await holder.fetch("select from webhook_deliveries where webhook_id = $1 for update", hook.id)
        pid = holder.get_server_pid()

        async def end_those_that_wait() -> bool:
            ended = await hook.world.pool.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))", pid
            )
            return bool(ended)

        try:
            yield end_those_that_wait
        finally:
            await transaction.rollback()


async def is_sent_again(hook: Hook, receiver, sealer, before: int) -> None:
    """By another worker, under the same id, and not before the lease ends."""
    receiver.always(answer(200))
    (crashed,) = await hook.deliveries()
    assert (crashed["state"], crashed["attempts"]) == ("pending", 0)
    assert crashed["lease"] is not None
    async with receiving() as healthy, working(hook.world.pool):
        other = await subscribe(hook.world, sealer, healthy.url, ("project.*",))
        await other.log(name="project.created")
        await other.attempted(1)  # so the worker has looked for work
        assert len(receiver.requests) == before
        await hook.bring_on()
        (delivery,) = await hook.attempted(1)
    assert (delivery["state"], delivery["id"]) == ("delivered", crashed["id"])
    assert receiver.ids() == [str(crashed["id"])] * (before + 1)
    receiver.requests[-1].verify(hook.secret)


async def test_killed_when_it_has_claimed(hook, receiver, sealer, start):
    listening, killed = receiver.port, asyncio.Event()

    async def never_read(_reader, writer):
        await killed.wait()
        writer.close()

    async with await asyncio.start_server(never_read, "127.0.0.1", 0) as blocked:
        await point_to(hook, blocked.sockets[0].getsockname()[1])
        process = start()
        await hook.log()
        await until(lambda: leased(hook), "claim")
        process.kill()
        process.wait(30)
        killed.set()
    await point_to(hook, listening)
    await is_sent_again(hook, receiver, sealer, 0)


async def point_to(hook: Hook, port: int) -> None:
    await hook.world.pool.execute(
        "update webhooks set destination_url = $2 where id = $1", hook.id, f"http://127.0.0.1:{port}/hook"
    )


async def test_killed_when_the_receiver_has_it(hook, receiver, sealer, start):
    got_it = asyncio.Event()

    async def hold(_writer):
        got_it.set()
        await asyncio.sleep(3600)

    receiver.always(hold)
    process = start()
    await hook.log()
    await asyncio.wait_for(got_it.wait(), 30)
    process.kill()
    process.wait(30)
    await is_sent_again(hook, receiver, sealer, 1)


async def test_killed_when_it_was_answered_and_not_settled(hook, receiver, sealer, start):
    got_it, go_on = asyncio.Event(), asyncio.Event()

    async def hold(writer):
        got_it.set()
        await go_on.wait()
        writer.write(answer(200))

    receiver.always(hold)
    process = start()
    await hook.log()
    await asyncio.wait_for(got_it.wait(), 30)
    async with settling_held(hook) as end_those_that_wait:
        go_on.set()
        await until(lambda: waits(hook), "settling that waits")
        process.kill()
        process.wait(30)
        await until(end_those_that_wait, "end of the statement that settles")
    await is_sent_again(hook, receiver, sealer, 1)


async def waits(hook: Hook) -> bool:
    return bool(await hook.world.pool.fetchval("select exists (select from pg_locks where not granted)"))


async def test_a_worker_that_is_stopped_in_order_settles_what_is_in_flight(hook, receiver, start):
    got_it, go_on = asyncio.Event(), asyncio.Event()

    async def hold(writer):
        got_it.set()
        await go_on.wait()
        writer.write(answer(200))

    receiver.always(hold)
    process = start()
    await hook.log()
    await asyncio.wait_for(got_it.wait(), 30)
    process.terminate()
    go_on.set()
    assert await asyncio.to_thread(process.wait, 30) == 0
    (delivery,) = await hook.deliveries()
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
