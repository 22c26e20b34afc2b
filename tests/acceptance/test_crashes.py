"""Processes are killed in the middle of everything: what was acknowledged is there, once, as it was acknowledged."""

import asyncio
from contextlib import suppress

import httpx
import psutil

from tests.acceptance.align import has_ended
from tests.acceptance.sending import Senders, assert_kept, entry_of, stored, sync
from tests.waiting import until_now

SENDERS = 12


async def test_a_server_killed_under_load_loses_and_doubles_nothing(align, demo):
    server = align.start()
    senders = Senders(demo, server.ready(), repeats=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(senders.run(SENDERS))
        for round_number in (1, 2):
            await senders.reach(round_number * 100)
            server.kill()
            server = await asyncio.to_thread(restarted, align, senders)
        await senders.reach(300)
        senders.enough = True
    assert set(senders.acknowledged) == set(senders.sent)
    found = stored(align.database_url())
    assert set(found) == set(senders.sent)
    assert_kept(senders, found)


def restarted(align, senders):
    """A new server, to which the senders turn."""
    server = align.start()
    senders.url = server.ready()
    return server


async def test_postgres_killed_under_load_loses_and_doubles_nothing(align, demo):
    server = align.start()
    senders = Senders(demo, server.ready(), repeats=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(senders.run(SENDERS))
        await senders.reach(100)
        postmaster = align.running_postgres()
        postmaster.kill()
        await senders.reach_unknown()
        server.stop()
        server = await asyncio.to_thread(restarted, align, senders)
        await senders.reach(200)
        senders.enough = True
    assert senders.statuses[500] == 0
    found = stored(align.database_url())
    assert set(found) == set(senders.sent)
    assert_kept(senders, found)


def test_the_postgres_of_a_killed_server_is_taken_over_and_stopped_by_the_next(align, demo):
    first = align.start()
    entry = entry_of(demo)
    created = sync(first.ready(), demo, entry)
    postgres = align.running_postgres()
    first.kill()
    assert postgres.is_running()
    second = align.start()
    found = sync(second.ready(), demo, entry)
    assert align.running_postgres() == postgres
    assert (found.status_code, found.json()["id"]) == (200, created.json()["id"])
    second.stop()
    gone(postgres)
    assert align.postgres() is None


def test_a_machine_that_lost_everything_at_once_recovers(align, demo):
    server = align.start()
    entry = entry_of(demo)
    created = sync(server.ready(), demo, entry)
    postgres = align.running_postgres()
    for process in [postgres, *postgres.children()]:
        with suppress(psutil.NoSuchProcess):  # the postmaster's children leave when it is gone
            process.kill()
    server.kill()
    gone(postgres)
    url = align.start().ready()
    found = sync(url, demo, entry)
    assert (found.status_code, found.json()["id"]) == (200, created.json()["id"])
    assert align.running_postgres() != postgres
    assert stored(align.database_url())[entry["externalId"]]["id"] == created.json()["id"]


def test_a_server_whose_postgres_is_gone_says_so_and_still_stops_politely(align, demo):
    server = align.start()
    url = server.ready()
    postgres = align.running_postgres()
    postgres.kill()
    gone(postgres)
    refused = httpx.get(f"{url}/api/v1/me", headers={"X-API-Key": demo["organizationKey"]})
    assert (refused.status_code, refused.json()["error"]) == (503, "database_unavailable")
    server.stop()
    events = [line["event"] for line in server.lines()]  # the driver's warnings have the same form
    assert "database unavailable" in events
    assert events[-1] == "stopped"


def gone(process: psutil.Process) -> None:
    """Wait until the process has ended."""
    until_now(lambda: has_ended(process), "end of PostgreSQL")
