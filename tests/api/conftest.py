"""One client that checks every answer against the documentation, and the two ways a sync can take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from tests.api.documented import Documented
from tests.api.office import Office
from tests.api.one_write import OneWrite
from tests.conftest import SYNC_PATH, World, make_world

# Everything that a sync stores.
TABLES = ("time_entries", "integration_links", "events", "idempotency_keys")


@pytest.fixture(scope="session")
def document(base_url: str) -> dict[str, Any]:
    """The OpenAPI document as served."""
    return httpx.get(f"{base_url}/api/v1/openapi.json").json()


@pytest.fixture(scope="session")
async def client(base_url: str, document: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Every answer that it gets must be documented."""
    documented = Documented(document)

    async def check(response: httpx.Response) -> None:
        await response.aread()
        documented.check(response)

    async with httpx.AsyncClient(base_url=base_url, transport=OneWrite(), event_hooks={"response": [check]}) as made:
        yield made


def refusal(response: httpx.Response) -> dict[str, Any]:
    """The body of a refusal without its request id, which must be the header's."""
    body = response.json()
    assert body.pop("requestId") == response.headers["x-request-id"]
    return body


def validation_error(*problems: tuple[str, str, str]) -> dict[str, Any]:
    """The body of a 400 with these problems: path, code, message."""
    path, _, message = problems[0]
    summary = f"{path}: {message}" if path else message
    if len(problems) > 1:
        summary += f" (and {len(problems) - 1} more)"
    details = [dict(zip(("path", "code", "message"), problem, strict=True)) for problem in problems]
    return {"error": "validation_error", "message": summary, "details": details}


async def stored(world: World) -> dict[str, int]:
    """How much the organisation has stored, by table."""
    return {table: await world.count(table) for table in TABLES}


@asynccontextmanager
async def nothing_stored(world: World) -> AsyncIterator[None]:
    """Fails when the block stored anything for the organisation."""
    before = await stored(world)
    yield
    assert await stored(world) == before


@asynccontextmanager
async def stored_once(world: World, *, idempotency_keys: int = 0) -> AsyncIterator[None]:
    """Fails unless the block stored exactly one entry with its link and event."""
    before = await stored(world)
    yield
    after = await stored(world)
    grown = {table: after[table] - before[table] for table in TABLES}
    assert grown == {
        "time_entries": 1,
        "integration_links": 1,
        "events": 1,
        "idempotency_keys": idempotency_keys,
    }


@dataclass
class Api:
    """Sends syncs of one organisation one way: `ordinary` (ASGI) or `quick` (see align.web.quick)."""

    world: World
    client: httpx.AsyncClient
    way: str

    async def sync(self, entry: dict[str, object] | None = None, **headers: str) -> httpx.Response:
        """Send an entry (a new one by default); keyword arguments are headers, `_` for `-`."""
        return await self.post(json=self.world.entry() if entry is None else entry, headers=self._headers(headers))

    async def send(self, content: bytes | str, **headers: str) -> httpx.Response:
        """Send a body as it is, declared as JSON."""
        return await self.post(content=content, headers=self._headers({"content-type": "application/json", **headers}))

    def _headers(self, more: dict[str, str]) -> httpx.Headers:
        headers = httpx.Headers(self.world.headers)
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        return headers

    async def post(self, **options: Any) -> httpx.Response:
        """Any POST to the operation."""
        # A target with a query is not the one that the quick way is laid for.
        path = SYNC_PATH if self.way == "quick" else f"{SYNC_PATH}?way=ordinary"
        return await self.client.post(path, **options)


@pytest.fixture(params=["ordinary", "quick"])
def way(request: pytest.FixtureRequest) -> str:
    """The two ways must not differ in anything but speed."""
    return request.param


@pytest.fixture
async def api(world: World, client: httpx.AsyncClient, way: str) -> Api:
    """Syncs of a fresh organisation."""
    return await warmed(Api(world, client, way))


@pytest.fixture(scope="module")
async def shared_world(pool: asyncpg.Pool) -> World:
    """One organisation for a whole module: for tables of inputs, which leave its settings alone."""
    return await make_world(pool)


@pytest.fixture
async def shared_api(shared_world: World, client: httpx.AsyncClient, way: str) -> Api:
    """Syncs of the module's organisation."""
    return await warmed(Api(shared_world, client, way))


async def warmed(api: Api) -> Api:
    """Have the server remember the key, without which the quick way is not taken."""
    assert (await api.send(b"")).status_code == 400
    return api


@pytest.fixture
def office(world: World, client: httpx.AsyncClient) -> Office:
    """Calls of a fresh organisation."""
    return Office(world, client)
