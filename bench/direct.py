"""The statement of a sync called directly, without a server: the database's own limit for it.

`python -m bench.direct DATABASE_URL ORGANIZATION ROWS_PER_STATEMENT CONNECTIONS ROWS IDS TOKEN` prints the seconds.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from uuid import UUID

import asyncpg
import uvloop

from align.access.authentication import Caller
from align.time_entries import decoding, rows
from align.time_entries.rows import Outcome, SyncRow
from align.time_entries.writer import Writer
from bench.processes import Failed
from bench.world import entry, external_id


async def measure(
    database_url: str,
    organization_id: UUID,
    rows_per_statement: int,
    connections: int,
    total: int,
    ids: str,
    token: str,
) -> float:
    """Seconds to store `total` rows. They are made before the clock starts; every outcome is checked."""
    caller = await _caller(database_url, organization_id)
    made = [_row(caller, number, external_id(ids, token, number)) for number in range(total)]
    statements = iter([made[start : start + rows_per_statement] for start in range(0, total, rows_per_statement)])
    writer = Writer(database_url, connections)
    await writer.open()
    started = time.perf_counter()
    await asyncio.gather(*(_run(writer, statements) for _ in range(connections)))
    seconds = time.perf_counter() - started
    await writer.close()
    return seconds


async def _run(writer: Writer, statements: Iterator[list[SyncRow]]) -> None:
    for statement in statements:
        for outcome in await writer.run(statement):
            if not isinstance(outcome, Outcome) or outcome.outcome != "created":
                raise Failed(f"a row was not created: {outcome!r}")


def _row(caller: Caller, number: int, name: str) -> SyncRow:
    decoded, _unknown = decoding.decode(json.dumps(entry(number, name)).encode())
    return rows.row(caller, decoded, False)


async def _caller(database_url: str, organization_id: UUID) -> Caller:
    connection = await asyncpg.connect(database_url)
    try:
        key = await connection.fetchrow(
            "select id, name, prefix, created_by_user_id from api_keys "
            "where organization_id = $1 and scope = 'organization' and revoked_at is null and expires_at is null "
            "limit 1",
            organization_id,
        )
    finally:
        await connection.close()
    return Caller(
        organization_id=organization_id,
        api_key_id=key["id"],
        key_name=key["name"],
        key_prefix=key["prefix"],
        scope="organization",
        scoped_project_id=None,
        permissions=None,
        source_binding=None,
        rate_limit_per_minute=None,
        created_by_user_id=key["created_by_user_id"],
        role="admin",
        features=frozenset({"time_tracking"}),
        strict=False,
        last_used_at=None,
        secret_number=1,
    )


def main() -> None:
    """Measure once and print one JSON object."""
    database_url, organization_id, rows_per_statement, connections, total, ids, token = sys.argv[1:]
    work = measure(
        database_url, UUID(organization_id), int(rows_per_statement), int(connections), int(total), ids, token
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"seconds": runner.run(work)}))


if __name__ == "__main__":
    main()
