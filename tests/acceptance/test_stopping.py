"""Servers are told to stop: what was accepted is finished, what was started is ended, nothing is left behind."""

import asyncio
import signal

import pytest

from tests.acceptance.sending import Senders, assert_kept, entry_of, stored, sync
from tests.waiting import until_now

SENDERS = 16


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_under_load_everything_accepted_is_answered(align, demo, workers):
    server = align.start("--workers", workers)
    senders = Senders(demo, server.ready(), repeats=False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(senders.run(SENDERS))
        await senders.reach(200)
        await asyncio.to_thread(server.stop)
        senders.enough = True
    assert align.postgres() is None
    # Connections that came too late are refused; a request that was stored got its answer.
    assert set(senders.statuses) <= {201, "connection lost"}
    align.start().ready()
    found = stored(align.database_url())
    assert set(found) == set(senders.acknowledged)
    assert_kept(senders, found)


def test_two_servers_share_a_data_directory_and_the_last_one_stops_postgres(align, demo):
    first, second = align.start(), align.start()
    urls = [first.ready(), second.ready()]
    entry = entry_of(demo)
    assert [sync(url, demo, entry).status_code for url in urls] == [201, 200]
    postgres = align.running_postgres()
    first.stop()
    assert align.running_postgres() == postgres
    assert sync(urls[1], demo, entry).status_code == 200
    second.stop()
    assert align.postgres() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_start_is_obeyed(align, demo, number):
    server = align.start()
    until_now(align.postgres, "starting PostgreSQL")
    server.stop(number)
    assert align.postgres() is None
