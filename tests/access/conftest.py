"""Three organisations for all tests of a process: one that has everything, a stranger, and one without the plan."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import asyncpg
import httpx
import pytest

from align import app
from align.settings import Settings
from align.web.operation import Operation
from tests.access.houses import House, furnish
from tests.api.documented import Documented
from tests.api.one_write import OneWrite
from tests.conftest import make_world


def route_table() -> dict[str, Operation]:
    """The table of operations, as the server builds it, by method and path. Nothing in it can be called."""
    nothing = SimpleNamespace(handle=None, admission=None)
    table = app.operations(app.Calls(nothing, nothing), nothing, nothing, Settings(), None)
    return {f"{operation.method} {operation.path}": operation for operation in table}


@pytest.fixture(scope="session")
def routes() -> dict[str, Operation]:
    return route_table()


@pytest.fixture(scope="session")
def documented(base_url: str) -> Documented:
    """The OpenAPI document as served."""
    return Documented(httpx.get(f"{base_url}/api/v1/openapi.json").json())


@pytest.fixture(scope="session")
async def api(base_url: str, documented: Documented) -> AsyncIterator[httpx.AsyncClient]:
    """Every answer that it gets must be documented."""

    async def check(response: httpx.Response) -> None:
        await response.aread()
        documented.check(response)

    async with httpx.AsyncClient(base_url=base_url, transport=OneWrite(), event_hooks={"response": [check]}) as made:
        yield made


@pytest.fixture(scope="session")
async def home(pool: asyncpg.Pool) -> House:
    return await furnish(await make_world(pool))


@pytest.fixture(scope="session")
async def stranger(pool: asyncpg.Pool) -> House:
    return await furnish(await make_world(pool))


@pytest.fixture(scope="session")
async def unpaid(pool: asyncpg.Pool) -> House:
    made = await furnish(await make_world(pool))
    statement = "update organizations set features = '{}' where organization_id = $1"
    await pool.execute(statement, made.world.organization_id)
    return made
