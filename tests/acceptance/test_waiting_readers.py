"""Readers of the change feed that wait while their server stops get an answer, and don't hold it up."""

import asyncio

import httpx
import psycopg
import pytest

from tests.waiting import until

WAIT_SECONDS = 30

# Each look at the feed reads the table of epochs; nothing else of a running server does.
LOOKS = "select seq_scan + coalesce(idx_scan, 0) from pg_stat_user_tables where relname = 'feed_epochs'"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_stopping_server_answers_those_who_wait(align, demo, workers):
    server = align.start("--workers", workers, ALIGN_SHUTDOWN_GRACE_SECONDS=str(2 * WAIT_SECONDS))
    async with httpx.AsyncClient(
        base_url=server.ready(), headers={"X-API-Key": demo["organizationKey"]}, timeout=3 * WAIT_SECONDS
    ) as client:
        with psycopg.connect(align.database_url(), autocommit=True) as other:
            start = (await client.get("/api/v1/changes", params={"after": "latest"})).json()["nextCursor"]
            before = other.execute(LOOKS).fetchone()[0]
            parameters = {"after": start, "wait": WAIT_SECONDS}
            waiting = asyncio.create_task(client.get("/api/v1/changes", params=parameters))

            async def looked() -> bool:
                return other.execute(LOOKS).fetchone()[0] > before + 1  # the one before may be counted late

            await until(looked, "look of the waiting request")
        begun = asyncio.get_running_loop().time()
        await asyncio.to_thread(server.stop)
        answer = await waiting
    assert answer.json() == {"data": [], "nextCursor": start, "hasMore": False}
    # A reader that is not told holds the server up for as long as it waits.
    assert asyncio.get_running_loop().time() - begun < WAIT_SECONDS - 5
    assert align.postgres() is None
