"""The server under test: the real `align serve` on a fresh data directory, with the demo's data and more."""

import asyncio
import json
import re
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from align.db import embedded, migrate
from bench.processes import Child, Failed, output_of, running

SYNC_PATH = "/api/v1/integration/time-entries"
# People and projects of the organisation, each entry with its own pick: with one of each, the row locks of the foreign
# keys would stand in pgbench's way (it then reached about a fifth less), and the comparison would flatter us.
PEOPLE = PROJECTS = 1000
# The highest that `align keys mint` takes: the limiter counts every request and never refuses one.
RATE_LIMIT_PER_MINUTE = 10_000_000
# Entries that are there before repeats of them are measured.
KNOWN_PAIRS = 1000
PERSON_PREFIX = "be0c0000-0000-8000-8001-"
PROJECT_PREFIX = "be0c0000-0000-8000-8002-"
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
SHOWN_SETTINGS = (*DURABLE, "server_version", "shared_buffers", "max_wal_size", "wal_compression", "wal_sync_method")
_SERVING_AT = re.compile(r'"url":\s*"(http://[^"]+)"')


class World(NamedTuple):
    """Where the server under test is, and what its requests need."""

    base_url: str
    database_url: str
    data_dir: Path
    directory: Path
    server: Child
    organization_id: UUID
    manager_id: UUID
    unlimited_key: str
    limited_key: str
    settings: dict[str, str]


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory that is gone afterwards, whatever happens."""
    directory = Path(tempfile.mkdtemp(prefix="align-bench-"))
    # The embedded PostgreSQL runs as a user of its own where the benchmark runs as root.
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def database(data_dir: Path) -> Iterator[str]:
    """The embedded PostgreSQL with default settings while the block runs; stopped whatever happens in it."""
    failure: BaseException | None = None
    with embedded.running(data_dir) as url:
        try:
            migrate.migrate(url)
            yield url
        except BaseException as error:
            failure = error  # kept back: the embedded server is stopped when its block ends normally
    if failure is not None:
        raise failure


@contextmanager
def world(directory: Path, settings_of_server: Mapping[str, str] | None = None) -> Iterator[World]:
    """The server under test while the block runs, with default settings or others; `directory` is made for it."""
    directory.mkdir()
    data_dir = directory / "data"
    with database(data_dir) as url:
        settings = asyncio.run(_settings_of(url))
        demo = json.loads(output_of(_align("demo", "--json", "--unlimited", "--data-dir", data_dir), 120))
        options = ["--name", "bench", "--created-by", demo["managerId"], "--rate-limit", str(RATE_LIMIT_PER_MINUTE)]
        mint = _align("keys", "mint", demo["organizationId"], *options, "--json", "--data-dir", data_dir)
        limited_key = json.loads(output_of(mint, 120))["key"]
        asyncio.run(_populate(url, UUID(demo["organizationId"])))
        with running(_align("serve", "--port", "0", "--data-dir", data_dir), directory, settings_of_server) as server:
            yield World(
                base_url=_await_answers(server),
                database_url=url,
                data_dir=data_dir,
                directory=directory,
                server=server,
                organization_id=UUID(demo["organizationId"]),
                manager_id=UUID(demo["managerId"]),
                unlimited_key=demo["organizationKey"],
                limited_key=limited_key,
                settings=settings,
            )


def entry(number: int, external_id: str) -> dict[str, object]:
    """The members of a sync; the same sizes as the Lua scripts and pgbench use."""
    return {
        "projectId": f"{PROJECT_PREFIX}{number % PROJECTS + 1:012}",
        "userId": f"{PERSON_PREFIX}{number % PEOPLE + 1:012}",
        "workDate": "2025-01-15",
        "minutes": 150,
        "billable": True,
        "description": "Sprint planning session.",
        "externalSystem": "illumera",
        "externalId": external_id,
    }


def known_external_id(number: int) -> str:
    """The external id of an entry that is there before repeats of it are measured."""
    return f"illumera-te-known-{number:030}"


def external_id(ids: str, token: str, number: int) -> str:
    """A new external id, like those of the Lua script."""
    return f"illumera-te-{token}-0000-{number:022}" if ids == "numbered" else f"illumera-te-{uuid4()}"


async def _settings_of(database_url: str) -> dict[str, str]:
    """The database's settings that decide how durable and how fast it is. Raises Failed unless it is durable."""
    connection = await asyncpg.connect(database_url)
    try:
        found = {name: await connection.fetchval("select current_setting($1)", name) for name in SHOWN_SETTINGS}
    finally:
        await connection.close()
    if off := [name for name in DURABLE if found[name] != "on"]:
        raise Failed(f"the database is not durable ({', '.join(off)} off): its speed would mean nothing")
    return found


def _align(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "align", *arguments]


def _await_answers(server: Child) -> str:
    server.wait_for(lambda: _SERVING_AT.search(server.output()) is not None, "align serve")
    found = _SERVING_AT.search(server.output())
    assert found is not None
    server.wait_for(lambda: _answers(f"{found[1]}/readyz"), "align serve")
    return found[1]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


async def _populate(database_url: str, organization_id: UUID) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "insert into users (organization_id, id, email, name, role) "
            "select $1, ($2 || lpad(n::text, 12, '0'))::uuid, 'bench-' || n || '@demo.example', 'Bench ' || n, "
            "'developer' from generate_series(1, $3::integer) n",
            organization_id, PERSON_PREFIX, PEOPLE,
        )  # fmt: skip
        await connection.execute(
            "insert into projects (organization_id, id, name) "
            "select $1, ($2 || lpad(n::text, 12, '0'))::uuid, 'Bench ' || n from generate_series(1, $3::integer) n",
            organization_id, PROJECT_PREFIX, PROJECTS,
        )  # fmt: skip
    finally:
        await connection.close()
