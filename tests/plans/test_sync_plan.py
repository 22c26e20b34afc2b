"""The plan of the sync statement must not depend on luck with statistics: every access is a look-up of a whole key."""

import re
from collections.abc import Iterator
from typing import Any

import asyncpg
import msgspec
import pytest

from align.ids import new_id
from align.time_entries.rows import PATH, SyncRow, columns
from align.time_entries.session import QUERIES, SERVER_SETTINGS

# How many columns of each index make its look-up exact.
WHOLE_KEYS = {
    "api_keys_pkey": 2,
    "users_pkey": 2,
    "organizations_pkey": 1,
    "projects_pkey": 2,
    "ticket_of_one_project": 3,
    "one_entry_per_external_id": 4,
    "one_response_per_idempotency_key": 5,
    "time_entries_pkey": 2,
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


async def explain(database_url: str, rows: list[tuple[object, ...]]) -> dict[str, Any]:
    connection = await asyncpg.connect(database_url, server_settings=SERVER_SETTINGS)
    try:
        # Not analysed and so not run: only the plan is asked for.
        text = await connection.fetchval(f"explain (format json) {QUERIES.sync_time_entries}", *rows, PATH)
    finally:
        await connection.close()
    return msgspec.json.decode(text)[0]["Plan"]


@pytest.mark.parametrize("statistics", ["as they are", "fresh", "of a large organisation"])
async def test_every_access_is_a_look_up_of_a_whole_key(world, pool, database_url, statistics):
    if statistics == "of a large organisation":
        await pool.execute(
            """
            insert into users (organization_id, id, email, name, role)
            select $1, gen_random_uuid(), 'u' || n || '@example.com', 'U', 'user' from generate_series(1, 3000) n
            """,
            world.organization_id,
        )
    if statistics != "as they are":
        await pool.execute("analyze")
    row = SyncRow(
        world.organization_id, world.key_id, world.project_id, world.user_id, None, None, 1, True, None, "s", "e",
        None, False, new_id(), new_id(), new_id(), "k", b"", 1,
    )  # fmt: skip
    plan = list(nodes(await explain(database_url, columns([row]))))
    looked_up = {}
    for node in plan:
        assert node["Node Type"] not in ("Seq Scan", "Bitmap Heap Scan", "Hash Join", "Merge Join", "Materialize")
        if node["Node Type"] in ("Index Scan", "Index Only Scan"):
            looked_up[node["Index Name"]] = len(re.findall(r"\([a-z_]+ = ", node["Index Cond"]))
    assert looked_up == WHOLE_KEYS
