"""On 100,000 entries, checksums and comparisons read the range's entries and look their links up, whatever the
statistics say: a plan that begins at the links instead reads all of them for every entry."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg
import msgspec
import psycopg
import pytest

from align.db import migrate
from align.reconciliation import snapshot
from align.reconciliation.checksum import queries as checksum
from align.reconciliation.comparing import queries as reconcile
from tests.conftest import World, make_world
from tests.plans.test_sync_plan import nodes

ENTRIES = 100_000
GENERATE = """
    with made as (
        insert into time_entries (
            organization_id, id, project_id, user_id, work_date, minutes, billable, source, created_at, updated_at)
        select $1, gen_random_uuid(), $2, $3, date '2023-01-01' + n % 1096, n % 1440 + 1, true, 'jira', now(), now()
        from generate_series(1, $4) n
        returning organization_id, id
    )
    insert into integration_links
    select organization_id, gen_random_uuid(), 'jira', 'time_entry', id::text, 'time_entry', id, now() from made
"""
RANGES = {
    "day": (date(2024, 5, 1), date(2024, 5, 1)),
    "month": (date(2024, 5, 1), date(2024, 5, 31)),
    "year": (date(2024, 1, 1), date(2024, 12, 31)),
}
OF_PERIOD = {"time_entries_by_day", "integration_links_by_entity"}
IDS = ["7b1e2c3d-0000-0000-0000-00000000abcd"] * 500
QUERIES = {
    "checksum": (checksum.checksum, ("day", True, 250_001), OF_PERIOD),
    "entries of period": (reconcile.entries_of_period, (), OF_PERIOD),
}


@pytest.fixture(scope="module")
async def large(database_url: str) -> AsyncIterator[tuple[str, World]]:
    """A database of its own, with nearly all entries in one organisation."""
    name = "reconciliation_plans"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = database_url.replace("/align?", f"/{name}?")
    assert url != database_url
    migrate.migrate(url)
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        world, other = await make_world(pool), await make_world(pool)
        for each, count in ((world, ENTRIES), (other, 100)):
            await pool.execute(GENERATE, each.organization_id, each.project_id, each.user_id, count)
        yield url, world


async def used(url: str, world: World, mode: str, statistics: str, query: str, *arguments: object) -> set[str]:
    """The indexes and tables that the plan reads, by the name of the index or of the table that is scanned."""
    connection = await asyncpg.connect(url, server_settings={"plan_cache_mode": f"force_{mode}_plan"})
    try:
        if statistics == "fresh":
            await connection.execute("analyze")
        async with connection.transaction():
            await connection.execute(snapshot.queries.forbid_scans)
            explain = f"explain (format json) {query}"
            text = await connection.fetchval(explain, world.organization_id, *arguments)
    finally:
        await connection.close()
    found = list(nodes(msgspec.json.decode(text)[0]["Plan"]))
    assert not [node for node in found if node["Node Type"] in ("Seq Scan", "Hash Join", "Merge Join", "Materialize")]
    assert all("Index Cond" in node for node in found if "Index Name" in node)
    return {node["Index Name"] for node in found if "Index Name" in node}


@pytest.mark.parametrize("statistics", ["none", "fresh"])
@pytest.mark.parametrize("mode", ["custom", "generic"])
async def test_each_access_goes_by_its_index(large, mode, statistics):
    for query, more, indexes in QUERIES.values():
        for days in RANGES.values():
            assert await used(*large, mode, statistics, query, "jira", *days, *more) == indexes
    look_up = await used(*large, mode, statistics, reconcile.entries_of_external_ids, "jira", IDS)
    assert look_up == {"one_entry_per_external_id", "time_entries_pkey"}
    assert await used(*large, mode, statistics, reconcile.json_of_entries, IDS) == {"time_entries_pkey"}
