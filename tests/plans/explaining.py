"""Plans of queries against 100,000 generated time entries, for every query that reads the tables of tenants.

To hold another query against it: a test with the fixture `large` that calls
`check_plans(large, QUERIES.some_name, arguments)`, as in `test_list_plans.py`.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

ENTRIES = 100_000
# One organisation has a fifth of all: large, but not the only one.
ENTRIES_OF_THE_LARGE = 20_000
ENTRIES_OF_A_SMALL = 1_000

FILL = """
with sizes as (
    select
        md5('organization ' || n)::uuid as organization_id,
        case when n = 0 then $1::integer else $2::integer end as size
    from generate_series(0, ($3::integer - $1) / $2) n
), o as (
    insert into organizations (organization_id, name, features)
    select organization_id, 'O', '{time_tracking}' from sizes
), u as (
    insert into users (organization_id, id, email, name, role)
    select organization_id, md5(organization_id || 'user' || n)::uuid, n || '@example.com', 'U' || n, 'developer'
    from sizes, generate_series(0, 39) n
), p as (
    insert into projects (organization_id, id, name)
    select organization_id, md5(organization_id || 'project' || n)::uuid, 'P' || n from sizes, generate_series(0, 19) n
), t as (
    insert into tickets (organization_id, project_id, id, title)
    select organization_id, md5(organization_id || 'project' || n % 20)::uuid,
        md5(organization_id || 'ticket' || n)::uuid, 'T' || n
    from sizes, generate_series(0, 99) n
), e as (
    insert into time_entries (
        organization_id, id, project_id, user_id, ticket_id, work_date, minutes, description, billable, source, status,
        created_at, updated_at, deleted_at)
    select
        organization_id, md5(organization_id || 'entry' || n)::uuid,
        md5(organization_id || 'project' || n % 20)::uuid, md5(organization_id || 'user' || n * 7 % 40)::uuid,
        case when n % 3 = 0 then md5(organization_id || 'ticket' || n % 100)::uuid end,
        date '2024-01-01' + n * 11 % 730, 1 + n % 1440, repeat('Worked. ', n % 20), n % 4 > 0,
        (array['api', 'jira', 'illumera'])[1 + n % 3],
        (array['draft', 'submitted', 'approved', 'rejected', 'locked', 'invoiced'])[1 + n % 6],
        now() - n * interval '1 minute', now() - n * interval '30 seconds', case when n % 50 = 0 then now() end
    from sizes, generate_series(0, size - 1) n
), l as (
    insert into integration_links (
        organization_id, id, provider, external_type, external_id, align_entity_type, align_entity_id, created_at)
    select
        organization_id, md5(organization_id || 'link' || n)::uuid, 'illumera', 'time_entry', n::text, 'time_entry',
        md5(organization_id || 'entry' || n)::uuid, now()
    from sizes, generate_series(0, size - 1) n
)
insert into events (
    organization_id, id, event_name, entity_type, entity_id, actor_user_id, actor_api_key_id, occurred_at, after,
    project_id)
select
    organization_id, md5(organization_id || 'event' || n)::uuid, 'time.logged', 'time_entry',
    md5(organization_id || 'entry' || n)::uuid, null, null, now(), '{}',
    md5(organization_id || 'project' || n % 20)::uuid
from sizes, generate_series(0, size - 1) n
"""


@dataclass
class Large:
    """The generated database, and things of its largest organisation."""

    connection: asyncpg.Connection
    organization_id: UUID
    tenant_tables: frozenset[str]

    async def id_of(self, what: str, number: int = 0) -> UUID:
        """The id of a generated user, project, ticket, entry, link or event."""
        return await self.connection.fetchval(
            "select md5($1::uuid || $2 || $3::integer)::uuid", self.organization_id, what, number
        )


async def fill(database_url: str) -> AsyncIterator[Large]:
    """The migrated database at the URL, with its entries and fresh statistics."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("set session_replication_role = replica")  # the ids of the data agree by their making
        await connection.execute("set timezone = 'UTC'")
        await connection.fetch(FILL, ENTRIES_OF_THE_LARGE, ENTRIES_OF_A_SMALL, ENTRIES)
        await connection.execute("vacuum analyze")
        rows = await connection.fetch(
            "select table_name from information_schema.columns where table_schema = 'public' "
            "and column_name = 'organization_id'"
        )
        organization_id = await connection.fetchval("select md5('organization 0')::uuid")
        assert await connection.fetchval("select count(*) from time_entries") >= ENTRIES
        yield Large(connection, organization_id, frozenset(row["table_name"] for row in rows))
    finally:
        await connection.close()


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def plans(large: Large, query: str, arguments: Sequence[object]) -> dict[str, dict[str, Any]]:
    """Both plans that the server may use: for these arguments, and for any."""
    own = await large.connection.fetchval(f"explain (format json) {query}", *arguments)
    await large.connection.execute(f"prepare explained as {query}")
    try:
        await large.connection.execute("set plan_cache_mode = force_generic_plan")
        nulls = ", ".join(["null"] * len(arguments))
        general = await large.connection.fetchval(f"explain (format json) execute explained({nulls})")
    finally:
        await large.connection.execute("deallocate explained; reset plan_cache_mode")
    return {name: msgspec.json.decode(text)[0]["Plan"] for name, text in (("own", own), ("general", general))}


async def check_plans(large: Large, query: str, arguments: Sequence[object]) -> dict[str, dict[str, Any]]:
    """Fail when a plan reads a whole table of tenants, or an index from end to end. Returns the plans."""
    found = await plans(large, query, arguments)
    for name, plan in found.items():
        for node in nodes(plan):
            is_of_tenants = node.get("Relation Name") in large.tenant_tables
            assert not (node["Node Type"] == "Seq Scan" and is_of_tenants), f"{name}: {msgspec.json.encode(plan)!r}"
            if "Index Name" in node:
                condition = node.get("Index Cond", "")
                assert "organization_id = " in condition, f"{name}: {node['Index Name']} is read from end to end"
    return found
