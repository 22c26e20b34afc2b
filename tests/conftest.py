"""Real parts for every test: an embedded PostgreSQL, the real server on a real port, fresh organisations."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import structlog
import uvicorn

from align.api_keys import api_keys
from align.app import Server
from align.db import embedded, migrate
from align.organizations import organizations
from align.projects import projects
from align.server import uvicorn_config
from align.settings import Settings
from align.tickets import tickets
from align.users import users

SYNC_PATH = "/api/v1/integration/time-entries"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary files where no other test run changes permissions.

    pytest's own parent directory is closed to other users by every run that starts; as root, the embedded PostgreSQL is
    another user, and would lose its data directory to a run beside this one.
    """
    if config.option.basetemp is None:
        parent = Path(tempfile.mkdtemp(prefix="align-tests-"))
        config.option.basetemp = str(parent / "run")
        config.add_cleanup(lambda: shutil.rmtree(parent, ignore_errors=True))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def database_url(data_dir: Path) -> Iterator[str]:
    """A migrated database of the embedded PostgreSQL, one per test process."""
    with embedded.running(data_dir) as url:
        migrate.migrate(url)
        yield url


@pytest.fixture(scope="session", autouse=True)
def _log_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The log goes to a file: pytest rewinds its standard streams, which crashes Python while a thread writes."""
    with (tmp_path_factory.mktemp("log") / "server.log").open("w") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        yield
        structlog.reset_defaults()


class RunningServer:
    """The real application under the real uvicorn, in a thread of this process."""

    def __init__(self, database_url: str, settings: Settings) -> None:
        self.application = Server(database_url, settings)
        config = uvicorn_config(settings, self.application)
        config.host, config.port = "127.0.0.1", 0
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            self._thread.join(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture(scope="session")
def base_url(database_url: str, data_dir: Path) -> Iterator[str]:
    # Without a worker: tests of deliveries have workers of their own on the same database.
    with RunningServer(database_url, Settings(data_dir=data_dir, webhook_worker=False)) as url:
        yield url


@pytest.fixture(scope="session")
async def client(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits) as made:
        yield made


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Direct access to the tables, to see what was really stored."""
    async with asyncpg.create_pool(database_url, min_size=1, max_size=10) as made:
        yield made


@dataclass
class World:
    """A fresh organisation with one of everything; its keys have no rate limit."""

    organization_id: UUID
    project_id: UUID
    second_project_id: UUID
    archived_project_id: UUID
    admin_id: UUID
    user_id: UUID
    client_user_id: UUID
    ticket_id: UUID
    second_ticket_id: UUID
    key: str
    key_id: UUID
    project_key: str
    pool: asyncpg.Pool = field(repr=False)

    def entry(self, **changes: object) -> dict[str, object]:
        """A valid sync of a pair that is new; a change to None leaves the member out."""
        members: dict[str, object | None] = {
            "projectId": str(self.project_id),
            "userId": str(self.user_id),
            "workDate": "2025-01-15",
            "minutes": 150,
            "externalSystem": "illumera",
            "externalId": f"te-{uuid4()}",
            **changes,
        }
        return {name: value for name, value in members.items() if value is not None}

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def mint(self, **options: object) -> tuple[api_keys.ApiKey, str]:
        """Another key of this organisation, and its text."""
        async with self.pool.acquire() as tx, tx.transaction():
            return await api_keys.mint(
                tx, self.organization_id, **{"name": "test", "created_by_user_id": self.admin_id, **options}
            )

    async def count(self, table: str) -> int:
        """Rows of this organisation in a table."""
        return await self.pool.fetchval(
            f"select count(*) from {table} where organization_id = $1", self.organization_id
        )


@pytest.fixture
async def world(pool: asyncpg.Pool) -> World:
    return await make_world(pool)


@pytest.fixture
async def other_world(pool: asyncpg.Pool) -> World:
    """Another organisation, which must never see the first one's data."""
    return await make_world(pool)


async def make_world(pool: asyncpg.Pool) -> World:
    async with pool.acquire() as tx, tx.transaction():
        organization = await organizations.create(tx, f"Test {uuid4()}")
        org = organization.id
        admin = await users.create(tx, org, email="admin@example.com", name="Ada Admin", role="admin")
        user = await users.create(tx, org, email="dev@example.com", name="Dev Eloper", role="developer")
        client_user = await users.create(tx, org, email="client@example.com", name="Cli Ent", role="client")
        first, second, archived = [await projects.create(tx, org, name) for name in ("First", "Second", "Archived")]
        await projects.set_status(tx, org, archived.id, "archived")
        ticket = await tickets.create(tx, org, first.id, "A ticket")
        second_ticket = await tickets.create(tx, org, second.id, "A ticket of the second project")
        key, key_text = await api_keys.mint(tx, org, name="organisation", created_by_user_id=admin.id)
        _, project_key_text = await api_keys.mint(
            tx, org, name="project", created_by_user_id=admin.id, scoped_project_id=first.id
        )
    return World(
        organization_id=org,
        project_id=first.id,
        second_project_id=second.id,
        archived_project_id=archived.id,
        admin_id=admin.id,
        user_id=user.id,
        client_user_id=client_user.id,
        ticket_id=ticket.id,
        second_ticket_id=second_ticket.id,
        key=key_text,
        key_id=key.id,
        project_key=project_key_text,
        pool=pool,
    )


async def gather_released(count: int, call) -> list[httpx.Response]:
    """Run `call(index)` `count` times, all released by one barrier."""
    barrier = asyncio.Barrier(count)

    async def one(index: int) -> httpx.Response:
        await barrier.wait()
        return await call(index)

    return await asyncio.gather(*(one(index) for index in range(count)))
