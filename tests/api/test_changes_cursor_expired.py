"""410: cursors of a history that is not this one, or that stand where events were deleted."""

import asyncpg
import psycopg
import pytest

from align.changes import housekeeping
from align.db import epochs, migrate
from align.settings import Settings
from tests.api.conftest import refusal
from tests.api.following import ask, follow, latest, piece
from tests.conftest import SYNC_PATH, RunningServer
from tests.waiting import until


async def synced(client, world) -> str:
    response = await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    assert response.status_code == 201
    return response.json()["id"]


async def age(world, days: int, *, first: int | None = None) -> None:
    """Let events of the organisation, or its first few, be older than they are."""
    await world.pool.execute(
        """
        update events set occurred_at = occurred_at - make_interval(days => $2)
        where organization_id = $1 and id in (
            select id from events where organization_id = $1 order by feed_epoch, transaction_id, id limit $3)
        """,
        world.organization_id,
        days,
        first,
    )


async def kept(world) -> int:
    return await world.count("events")


@pytest.fixture
async def moved(database_url, pool: asyncpg.Pool):
    """Pretends, when called, that the newest epoch began elsewhere: what a restored database finds in itself."""

    async def move() -> None:
        await pool.execute(
            "update feed_epochs set cluster = 'elsewhere' where epoch = (select max(epoch) from feed_epochs)"
        )

    return move


async def test_a_cursor_from_before_a_move_is_refused(client, world, moved):
    start = await latest(client, world)
    assert (await ask(client, world, after=start)).status_code == 200
    await moved()
    response = await ask(client, world, after=start)
    body = refusal(response)
    assert (response.status_code, body["error"]) == (410, "cursor_expired")
    assert "read again from the start" in body["message"]


async def test_after_a_move_the_old_events_are_read_first_and_then_the_new(client, world, moved):
    before = [each["id"] for each in await follow(client, world)]
    await moved()
    entry_id = await synced(client, world)  # the server has not noticed yet
    first = [each["id"] for each in await follow(client, world)]
    assert first[:-1] == before
    start = await latest(client, world)
    second_id = await synced(client, world)
    assert [each["entityId"] for each in await follow(client, world, start)] == [second_id]
    whole = await follow(client, world, limit=2)
    assert [each["id"] for each in whole[:-1]] == first
    assert [each["entityId"] for each in whole[-2:]] == [entry_id, second_id]
    newest = await world.pool.fetchval("select max(epoch) from feed_epochs")
    assert newest > 1
    assert newest == await world.pool.fetchval("select feed_epoch from events where entity_id = $1", second_id)


async def test_a_start_notices_the_move(client, world, moved, database_url):
    start = await latest(client, world)
    number = await world.pool.fetchval("select max(epoch) from feed_epochs")
    migrate.migrate(database_url)
    assert await world.pool.fetchval("select max(epoch) from feed_epochs") == number
    await moved()
    migrate.migrate(database_url)
    assert await world.pool.fetchval("select max(epoch) from feed_epochs") == number + 1
    assert (await ask(client, world, after=start)).status_code == 410


def test_a_start_waits_for_writers_of_events_but_not_for_ever(database_url, monkeypatch):
    monkeypatch.setattr(epochs, "ATTEMPTS", 1)
    with psycopg.connect(database_url) as writer, psycopg.connect(database_url, autocommit=True) as other:
        writer.execute("lock table events in row exclusive mode")
        other.execute("update feed_epochs set cluster = 'elsewhere'")
        with pytest.raises(migrate.UnusableDatabase, match="stays open"):
            migrate.migrate(database_url)
        writer.rollback()
        migrate.migrate(database_url)


async def test_a_cursor_at_an_event_that_is_not_there_is_refused(client, world):
    """As after a copy of the data directory was put back: the cluster is the same, but its history is not."""
    entry_id = await synced(client, world)
    cursor = await latest(client, world)
    await world.pool.execute("delete from events where entity_id = $1", entry_id)
    await synced(client, world)
    response = await ask(client, world, after=cursor)
    assert (response.status_code, refusal(response)["error"]) == (410, "cursor_expired")


async def test_old_events_are_deleted_and_cursors_before_them_refused(client, world):
    for _ in range(4):
        await synced(client, world)
    changes = await follow(client, world)
    old = len(changes) - 3
    await age(world, 31, first=old)
    assert await housekeeping.delete_old_events(world.pool, 30) >= old
    assert await kept(world) == 3
    for change in changes[: old - 1]:
        response = await ask(client, world, after=change["cursor"])
        assert (response.status_code, refusal(response)["error"]) == (410, "cursor_expired")
    for index in range(old - 1, len(changes)):
        rest = await follow(client, world, changes[index]["cursor"])
        assert [each["id"] for each in rest] == [each["id"] for each in changes[index + 1 :]]
    assert [each["id"] for each in await follow(client, world)] == [each["id"] for each in changes[old:]]


async def test_a_reader_who_has_read_all_goes_on_after_all_was_deleted(client, world):
    start = await latest(client, world)
    await age(world, 31)
    await housekeeping.delete_old_events(world.pool, 30)
    assert await kept(world) == 0
    assert (await piece(client, world, after="latest"))["nextCursor"] == start
    assert await piece(client, world, after=start) == {"data": [], "nextCursor": start, "hasMore": False}
    entry_id = await synced(client, world)
    assert [each["entityId"] for each in await follow(client, world, start)] == [entry_id]


async def test_a_server_deletes_old_events_on_its_own_where_it_is_told_to(client, world, database_url, data_dir):
    await latest(client, world)
    await age(world, 31)
    with RunningServer(database_url, Settings(data_dir=data_dir, event_retention_days=30)):

        async def gone() -> bool:
            return await kept(world) == 0

        await until(gone, "deletion of old events")


async def test_events_of_the_retention_are_kept(client, world):
    await synced(client, world)
    await age(world, 29)
    before = await kept(world)
    await housekeeping.delete_old_events(world.pool, 30)
    assert await kept(world) == before


async def test_nothing_behind_a_younger_event_is_deleted(client, world):
    """What is deleted is always the beginning of the feed, so that one place says where it ends."""
    for _ in range(3):
        await synced(client, world)
    ids = [each["id"] for each in await follow(client, world)]
    await age(world, 31)
    await world.pool.execute("update events set occurred_at = now() where id = $1", ids[2])
    await housekeeping.delete_old_events(world.pool, 30)
    assert [each["id"] for each in await follow(client, world)] == ids[2:]


async def test_deleting_takes_as_many_steps_as_it_needs(client, world, monkeypatch):
    monkeypatch.setattr(housekeeping, "DELETED_AT_ONCE", 2)
    for _ in range(5):
        await synced(client, world)
    last = await latest(client, world)
    await age(world, 31)
    await housekeeping.delete_old_events(world.pool, 30)
    assert await kept(world) == 0
    assert (await ask(client, world, after=last)).status_code == 200


async def test_what_readers_could_not_have_read_yet_is_not_deleted(client, world, pool):
    await latest(client, world)
    async with pool.acquire() as holder:
        await holder.execute("begin")
        await holder.fetchval("select pg_current_xact_id()")
        try:
            entry_id = await synced(client, world)
            await age(world, 31)
            await housekeeping.delete_old_events(pool, 30)
            left = await pool.fetch("select entity_id from events where organization_id = $1", world.organization_id)
        finally:
            await holder.execute("rollback")
    assert [str(row["entity_id"]) for row in left] == [entry_id]
    await housekeeping.delete_old_events(pool, 30)
    assert await kept(world) == 0
