"""No list of events, and nothing that the server does with events on its own, reads a whole table."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from align.changes import audit, entities, feed, housekeeping
from align.changes.cursor import START
from tests.conftest import World, make_world

EVENTS = 100_000
TENANT_TABLES = {
    "events", "time_entries", "projects", "users", "tickets", "integration_links", "api_keys", "organizations",
}  # fmt: skip


@pytest.fixture(scope="module")
async def large(pool: asyncpg.Pool) -> World:
    """An organisation with 100,000 events, among others with fewer."""
    world = await make_world(pool)
    for organization_id, count in [(world.organization_id, EVENTS), (uuid4(), EVENTS // 2), (uuid4(), EVENTS // 4)]:
        await pool.execute(
            """
            insert into events (organization_id, id, event_name, entity_type, entity_id, occurred_at, after, project_id)
            select $1, gen_random_uuid(), 'time.logged', 'time_entry', gen_random_uuid(), now(),
                '{"minutes":1}', case when n % 2 = 0 then $2::uuid end
            from generate_series(1, $3) n
            """,
            organization_id,
            world.project_id,
            count,
        )
    await pool.execute("vacuum analyze events")
    return world


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def scanned(pool: asyncpg.Pool, query: str, arguments: tuple[object, ...], before: str = "select 1") -> set[str]:
    """The tenant tables that are read as a whole, with the plan for these values and with the one for any."""
    found = set()
    async with pool.acquire() as connection:
        for mode in ("force_custom_plan", "force_generic_plan"):
            async with connection.transaction():
                await connection.execute(f"set local plan_cache_mode = {mode}")
                await connection.execute(before)
                text = await connection.fetchval(f"explain (format json) {query}", *arguments)
            plan = msgspec.json.decode(text)[0]["Plan"]
            found |= {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    return found & TENANT_TABLES


def filters(world: World) -> list[tuple[object, ...]]:
    """None, and each alone."""
    values = (
        world.project_id, "user", "time.logged", uuid4(), world.admin_id, datetime.now(UTC), datetime.now(UTC),
    )  # fmt: skip
    alone = [tuple(value if n == index else None for n, value in enumerate(values)) for index in range(len(values))]
    return [(None,) * len(values), *alone]


async def test_the_audit_log_is_read_by_its_index(pool, large):
    for chosen in filters(large):
        arguments = (large.organization_id, *chosen)
        before = audit._queries.plan_by_index
        assert await scanned(pool, audit._queries.count_events, arguments, before) == set(), chosen
        assert await scanned(pool, audit._queries.list_events, (*arguments, 25, 50), before) == set(), chosen


@pytest.mark.parametrize("types", [None, ["user"]])
async def test_the_change_feed_is_read_by_its_index(pool, large, types):
    for project_id in (None, large.project_id):
        arguments = (large.organization_id, *START, 1, types, project_id, 101, feed.MAXIMUM_SCANNED)
        assert await scanned(pool, feed._queries.read_changes, arguments) == set()
    assert await scanned(pool, feed._queries.latest_position, (large.organization_id, 1)) == set()


@pytest.mark.parametrize("kind", entities.TYPES)
async def test_the_things_of_a_piece_are_looked_up(pool, large, kind):
    query, _ = entities._SOURCES[kind]
    assert await scanned(pool, query, (large.organization_id, [uuid4() for _ in range(100)], None)) == set()


async def test_old_events_are_found_and_deleted_by_their_index(pool, large):
    arguments = (large.organization_id, 30, housekeeping.DELETED_AT_ONCE)
    assert await scanned(pool, housekeeping._queries.delete_old_events, arguments) == set()
    # Every organisation is asked for its first event, so the organisations themselves are all read.
    found = await scanned(pool, housekeeping._queries.organizations_with_old_events, (30,))
    assert found <= {"organizations"}
