"""The connection to the database is lost at the worst moments: an answer is never a lie, and a repeat settles it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from align.settings import Settings
from tests.api.one_write import OneWrite
from tests.conftest import RunningServer
from tests.races.conftest import blocked, hold_link, stored, sync, transaction
from tests.races.proxy import Proxy
from tests.waiting import until

TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'align sync'"
WAVE = 15


def is_unknown(answer: httpx.Response) -> bool:
    """Whether the answer says that the outcome is unknown, and when to repeat."""
    return (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (
        503,
        "database_unavailable",
        "1",
    )


async def test_connections_terminated_under_load_lose_and_double_nothing(client, world):
    entries = [world.entry() for _ in range(300)]
    statuses: Counter[int] = Counter()
    ids: dict[str, set[str]] = {entry["externalId"]: set() for entry in entries}

    async def send(entry) -> None:
        while not ids[entry["externalId"]]:
            answer = await sync(client, world, entry, idempotency_key=entry["externalId"])
            statuses[answer.status_code] += 1
            answered.put_nowait(answer)
            if answer.is_success:
                ids[entry["externalId"]].add(answer.json()["id"])
            else:
                assert is_unknown(answer)

    for wave in range(len(entries) // WAVE):
        answered: asyncio.Queue[httpx.Response] = asyncio.Queue()
        async with asyncio.TaskGroup() as senders:
            for entry in entries[wave * WAVE : (wave + 1) * WAVE]:
                senders.create_task(send(entry))
            for _ in range(wave % WAVE):  # each wave meets the loss a little later
                await answered.get()
            await world.pool.execute(TERMINATE)
    assert set(statuses) <= {200, 201, 503}
    assert statuses[503] > 0
    assert {external_id: {entry} for external_id, entry in (await stored(world)).items()} == ids
    assert (await sync(client, world, world.entry())).is_success


async def test_a_connection_terminated_inside_a_statement_is_told_as_unknown(client, world):
    entry = world.entry()
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        request = asyncio.create_task(sync(client, world, entry))
        (pid,) = await blocked(world, holder)
        await world.pool.execute("select pg_terminate_backend($1)", pid)
        assert is_unknown(await request)
    assert await stored(world) == {}
    assert (await sync(client, world, entry)).status_code == 201


async def test_a_connection_terminated_inside_the_commit_is_told_as_unknown(client, world):
    entry, name = world.entry(), f"slow_{uuid4().hex}"
    await world.pool.execute(
        f"""
        create function {name}() returns trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock(77); return null; end $$;
        create constraint trigger {name} after insert on integration_links deferrable initially deferred
            for each row when (new.external_id = '{entry["externalId"]}') execute function {name}();
        """
    )
    async with transaction(world) as holder:
        await holder.execute("select pg_advisory_xact_lock(77)")
        request = asyncio.create_task(sync(client, world, entry))
        (pid,) = await blocked(world, holder)
        await world.pool.execute("select pg_terminate_backend($1)", pid)
        assert is_unknown(await request)
    await world.pool.execute(f"drop function {name} cascade")
    assert await stored(world) == {}
    assert (await sync(client, world, entry)).status_code == 201


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(database_url).running() as made:
        yield made


@pytest.fixture
async def distant_client(proxy: Proxy, data_dir: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that reaches the database through the proxy."""
    server = RunningServer(proxy.url, Settings(data_dir=data_dir, webhook_worker=False))
    url = await asyncio.to_thread(server.__enter__)
    async with httpx.AsyncClient(base_url=url, transport=OneWrite()) as made:
        yield made
    await asyncio.to_thread(server.__exit__)


async def test_an_answer_lost_after_the_commit_is_settled_by_the_repeat(distant_client, proxy, world):
    entry = world.entry()
    assert (await sync(distant_client, world, world.entry(externalId="first"))).status_code == 201
    proxy.cut_at_answer = True
    assert is_unknown(await sync(distant_client, world, entry, idempotency_key="mine"))
    proxy.cut_at_answer = False
    assert proxy.cuts == 1
    ids = await stored(world)
    assert set(ids) == {"first", entry["externalId"]}
    again = await sync(distant_client, world, entry, idempotency_key="mine")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert again.json()["id"] == ids[entry["externalId"]]
    assert (await stored(world)) == ids


async def test_a_statement_lost_before_it_arrived_is_settled_by_the_repeat(distant_client, proxy, world):
    entry = world.entry()
    assert (await sync(distant_client, world, world.entry(externalId="first"))).status_code == 201
    proxy.cut_at_statement = True
    assert is_unknown(await sync(distant_client, world, entry))
    proxy.cut_at_statement = False
    assert set(await stored(world)) == {"first"}
    assert (await sync(distant_client, world, entry)).status_code == 201


async def test_while_the_database_is_out_of_reach_nothing_is_accepted_and_then_all_is_well(
    distant_client, proxy, world
):
    _, unknown_key = await world.mint()
    assert (await sync(distant_client, world, world.entry(externalId="first"))).status_code == 201
    proxy.refuse = True
    proxy.cut()
    for headers in (world.headers, {"X-API-Key": unknown_key}):
        answers = [await distant_client.post("/api/v1/integration/time-entries", json=world.entry(), headers=headers)]
        answers.append(await distant_client.get("/api/v1/me", headers=headers))
        assert [is_unknown(answer) for answer in answers] == [True, True]
    assert (await distant_client.get("/readyz")).status_code == 503
    assert (await distant_client.get("/livez")).status_code == 200
    proxy.refuse = False

    async def accepted() -> bool:
        return (await sync(distant_client, world, world.entry(externalId="second"))).is_success

    await until(accepted, "sync after the database came back")
    assert set(await stored(world)) == {"first", "second"}
