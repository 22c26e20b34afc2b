"""A second server on the same database, and what the tests look at in it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from align.access.authentication import Caller
from align.settings import Settings
from align.time_entries import rows
from align.time_entries.decoding import decode
from align.time_entries.rows import SyncRow
from align.web.idempotency import fingerprint
from tests.api.one_write import OneWrite
from tests.conftest import SYNC_PATH, RunningServer, World
from tests.waiting import until


@pytest.fixture(scope="session")
def second_base_url(database_url: str, data_dir: Path) -> Iterator[str]:
    with RunningServer(database_url, Settings(data_dir=data_dir, webhook_worker=False)) as url:
        yield url


@asynccontextmanager
async def both_ways(url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two clients of a server: the requests of one go the quick way through it, those of the other the ordinary way.

    httpx sends the body after the headers, in a write of its own; the quick way takes what arrives whole.
    """
    limits = httpx.Limits(max_connections=200)
    async with (
        httpx.AsyncClient(base_url=url, transport=OneWrite()) as quick,
        httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as ordinary,
    ):
        yield [quick, ordinary]


@pytest.fixture(scope="session")
async def clients(base_url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with both_ways(base_url) as made:
        yield made


@pytest.fixture(scope="session")
async def second_clients(second_base_url: str) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with both_ways(second_base_url) as made:
        yield made


@pytest.fixture(scope="session", params=["quick", "ordinary"])
def client(request: pytest.FixtureRequest, clients: list[httpx.AsyncClient]) -> httpx.AsyncClient:
    """The same test runs both ways through the server."""
    return clients[request.param == "ordinary"]


@pytest.fixture(params=["one server", "two servers"])
def servers(
    request: pytest.FixtureRequest, clients: list[httpx.AsyncClient], second_clients: list[httpx.AsyncClient]
) -> list[httpx.AsyncClient]:
    """The same test runs against one server and against two on one database, both ways through each."""
    return clients if request.param == "one server" else [*clients, *second_clients]


async def sync(client: httpx.AsyncClient, world: World, entry: dict[str, object], **headers: str) -> httpx.Response:
    """Send a sync; the header names are written with underscores."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(SYNC_PATH, json=entry, headers=world.headers | more)


async def stored(world: World) -> dict[str, str]:
    """Ids of the entries of an organisation by external id; every part of every entry must be there once."""
    rows = await world.pool.fetch(
        """
        select e.id::text as entry, l.external_id,
            (select count(*) from events v where v.organization_id = e.organization_id and v.entity_id = e.id) as events
        from time_entries e
        left join integration_links l on l.organization_id = e.organization_id and l.align_entity_id = e.id
        where e.organization_id = $1
        """,
        world.organization_id,
    )
    assert all(row["events"] == 1 for row in rows)
    assert await world.count("integration_links") == len(rows)
    found = {row["external_id"]: row["entry"] for row in rows}
    assert len(found) == len(rows)
    assert None not in found
    return found


@asynccontextmanager
async def transaction(world: World) -> AsyncIterator[asyncpg.Connection]:
    """A connection with an open transaction, as of another program; rolled back unless the test commits."""
    async with world.pool.acquire() as connection:
        await connection.execute("begin")
        try:
            yield connection
        finally:
            await connection.execute("rollback" if connection.is_in_transaction() else "select 1")


async def blocked(world: World, by: asyncpg.Connection, count: int = 1) -> list[int]:
    """Process ids of the sync connections that wait for `by`, once there are `count`."""
    holder = by.get_server_pid()

    async def waiting() -> list[int]:
        rows = await world.pool.fetch(
            "select pid from pg_stat_activity "
            "where application_name = 'align sync' and $1 = any(pg_blocking_pids(pid))",
            holder,
        )
        return [row["pid"] for row in rows] if len(rows) >= count else []

    return await until(waiting, "sync statement that waits for the open transaction")


async def hold_link(holder: asyncpg.Connection, world: World, external_id: str, entry_id: UUID | None = None) -> None:
    """Insert the link of an external id in an open transaction."""
    await holder.execute(
        "insert into integration_links (organization_id, id, provider, external_type, external_id, "
        "align_entity_type, align_entity_id, created_at) "
        "values ($1, gen_random_uuid(), 'illumera', 'time_entry', $2, 'time_entry', $3, now())",
        world.organization_id,
        external_id,
        entry_id or uuid4(),
    )


async def hold_idempotency_key(holder: asyncpg.Connection, world: World, key: str) -> None:
    """Insert the row of an idempotency key in an open transaction, as a request does that has not ended yet."""
    await holder.execute(
        "insert into idempotency_keys (organization_id, api_key_id, method, path, key, body_digest, status, response, "
        "expires_at) values ($1, $2, 'POST', $3, $4, 'digest', 201, 'kept', now() + interval '1 day')",
        world.organization_id,
        world.key_id,
        SYNC_PATH,
        key,
    )


def row_of(caller: Caller, entry: dict[str, object], idempotency_key: str | None = None) -> SyncRow:
    """A sync as a row of the statement, for tests that decide themselves what goes down together."""
    body = json.dumps(entry).encode()
    decoded, _ = decode(body)
    return rows.row(caller, decoded, False, idempotency_key, idempotency_key and fingerprint(body))
