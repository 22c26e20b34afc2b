"""Servers are told to stop: what was accepted is finished, what was started is ended, nothing is left behind."""

import asyncio
import signal
import socket
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.acceptance.sending import Connection, Senders, assert_kept, entry_of, stored, sync
from tests.waiting import until, until_now

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


async def test_a_request_that_still_waits_for_the_database_is_answered(align, demo):
    server = align.start()
    connection, entry, url = Connection(), entry_of(demo), server.ready()
    assert (await connection.sync(url, demo, entry_of(demo)))[0] == 201  # the connection is up, the key is known
    with psycopg.connect(align.database_url()) as other:
        other.execute(
            "insert into integration_links values (%s, gen_random_uuid(), 'illumera', 'time_entry', %s, 'time_entry', "
            "gen_random_uuid(), now())",
            [demo["organizationId"], entry["externalId"]],
        )
        request = asyncio.create_task(connection.sync(url, demo, entry))
        await until(lambda: asyncio.to_thread(waits_for, align, other.info.backend_pid), "waiting statement")
        server.process.send_signal(signal.SIGTERM)
        await until(lambda: asyncio.to_thread(refuses, url), "server that takes nothing new")
        other.rollback()
    status, answer = await request
    assert status in (201, 409)  # 409 where the machine is so slow that the lock was held for 2 s
    assert await asyncio.to_thread(server.process.wait, 60) == 0
    align.start().ready()
    kept = stored(align.database_url()).get(entry["externalId"])
    assert (kept and kept["id"]) == answer.get("id")


def waits_for(align, pid):
    """Whether a statement of the server waits for a lock of this backend."""
    with psycopg.connect(align.database_url()) as connection:
        query = (
            "select 1 from pg_stat_activity where application_name = 'align sync' and %s = any(pg_blocking_pids(pid))"
        )
        return connection.execute(query, [pid]).fetchone()


def refuses(url):
    """Whether nobody listens there any more."""
    address = urlsplit(url)
    with socket.socket() as connection:
        return connection.connect_ex((address.hostname, address.port)) != 0
