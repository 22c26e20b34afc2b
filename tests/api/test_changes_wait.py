"""GET /changes?wait=: requests that wait for a change, and what ends them."""

import asyncio
import time

import httpx
import pytest

from align.api_keys import api_keys
from align.changes import waiting
from align.settings import Settings
from tests.api.following import CHANGES, ask, latest
from tests.conftest import SYNC_PATH, RunningServer
from tests.waiting import until


async def synced(client, world) -> str:
    response = await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    assert response.status_code == 201
    return response.json()["id"]


async def waits(api_key_id, count: int = 1) -> None:
    """Once `count` requests of the key wait in the server, which runs in this process."""

    async def there() -> bool:
        return waiting._waiting[api_key_id] >= count

    await until(there, f"{count} waiting requests")


async def nobody_waits(api_key_id) -> None:
    async def gone() -> bool:
        return api_key_id not in waiting._waiting

    await until(gone, "end of the waiting")


async def test_a_waiting_request_is_answered_when_something_changes(client, world):
    start = await latest(client, world)
    request = asyncio.create_task(ask(client, world, after=start, wait=30))
    await waits(world.key_id)
    entry_id = await synced(client, world)
    answer = (await request).json()
    assert [each["entityId"] for each in answer["data"]] == [entry_id]
    await nobody_waits(world.key_id)


async def test_changes_of_other_types_do_not_end_the_waiting(client, world):
    start = await latest(client, world)
    request = asyncio.create_task(ask(client, world, after=start, wait=2, types="project"))
    await waits(world.key_id)
    await synced(client, world)
    answer = (await request).json()
    assert (answer["data"], answer["hasMore"]) == ([], False)
    assert answer["nextCursor"] == await latest(client, world)


async def test_there_is_no_waiting_where_there_is_something(client, world):
    begun = time.monotonic()
    assert (await ask(client, world, wait=30)).json()["data"]
    assert time.monotonic() - begun < 30


async def test_a_client_that_hangs_up_is_forgotten(world, base_url):
    async with httpx.AsyncClient(base_url=base_url) as client:
        start = (await ask(client, world, after="latest")).json()["nextCursor"]
        request = asyncio.create_task(ask(client, world, after=start, wait=30))
        await waits(world.key_id)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    await nobody_waits(world.key_id)


async def test_a_key_revoked_while_it_waits_gets_nothing(client, world):
    key, text = await world.mint()
    start = await latest(client, world, text)
    request = asyncio.create_task(ask(client, world, text, after=start, wait=30))
    await waits(key.id)
    async with world.pool.acquire() as tx, tx.transaction():
        await api_keys.revoke(tx, world.organization_id, key.id)
    answer = await request
    assert (answer.status_code, answer.json()["error"]) == (401, "key_revoked")


async def test_a_stopping_server_answers_those_who_wait(world, database_url, data_dir):
    server = RunningServer(database_url, Settings(data_dir=data_dir, webhook_worker=False))
    url = server.__enter__()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        start = await latest(client, world)
        request = asyncio.create_task(ask(client, world, after=start, wait=30))
        await waits(world.key_id)
        begun = time.monotonic()
        await asyncio.to_thread(server.__exit__)
        answer = await request
    assert answer.json() == {"data": [], "nextCursor": start, "hasMore": False}
    # Far less than the request would have waited and the server would have waited for it.
    assert time.monotonic() - begun < 15


async def test_those_who_wait_hold_no_connection(world, database_url, data_dir):
    settings = Settings(data_dir=data_dir, database_connections=1, webhook_worker=False)
    with RunningServer(database_url, settings) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            start = await latest(client, world)
            requests = [asyncio.create_task(ask(client, world, after=start, wait=30)) for _ in range(5)]
            await waits(world.key_id, 5)
            assert (await client.get("/api/v1/me", headers=world.headers)).status_code == 200
            entry_id = await synced(client, world)
            answers = [each.json()["data"] for each in await asyncio.gather(*requests)]
    assert [[each["entityId"] for each in data] for data in answers] == [[entry_id]] * 5


async def test_more_than_a_few_of_one_key_do_not_wait(client, world):
    start = await latest(client, world)
    few = waiting.MAXIMUM_WAITING_PER_KEY
    requests = [asyncio.create_task(ask(client, world, after=start, wait=30)) for _ in range(few)]
    await waits(world.key_id, few)
    one_more = await client.get(CHANGES, params={"after": start, "wait": 30}, headers=world.headers)
    assert one_more.json()["data"] == []
    assert not any(request.done() for request in requests)
    await synced(client, world)
    assert all(each.json()["data"] for each in await asyncio.gather(*requests))
