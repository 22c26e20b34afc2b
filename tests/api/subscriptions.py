"""What the tests of webhooks share: calls, what was recorded, and everything that is stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.api.office import Office
from tests.conftest import World

PATH = "/webhooks"
URL = "https://hooks.example.com/align"
TABLES = ("webhooks", "webhook_deliveries", "events", "idempotency_keys")


async def subscribed(office: Office, *names: str, **members: Any) -> dict[str, Any]:
    """A new webhook with its secret."""
    return await office.made(PATH, {"destinationUrl": URL, "eventNames": list(names) or ["time.*"], **members})


def shown(made: dict[str, Any]) -> dict[str, Any]:
    """The webhook as reads show it."""
    return {name: value for name, value in made.items() if name != "hmacSecret"}


async def stored_rows(world: World) -> list[str]:
    """Every row of the organisation in the tables that webhooks are about."""
    found = []
    for table in (*TABLES, "webhook_attempts", "webhook_positions"):
        rows = await world.pool.fetch(
            f"select to_jsonb(t)::text from {table} t where organization_id = $1 order by 1", world.organization_id
        )
        found += [row[0] for row in rows]
    return found


@asynccontextmanager
async def nothing_stored(world: World) -> AsyncIterator[None]:
    """Fails when the block changed anything in those tables."""
    before = await stored_rows(world)
    yield
    assert await stored_rows(world) == before
