"""Reading the change feed, as a sender that keeps a copy does."""

from typing import Any

import httpx

from tests.conftest import World
from tests.waiting import until

CHANGES = "/api/v1/changes"


async def ask(client: httpx.AsyncClient, world: World, key: str | None = None, **parameters: Any) -> httpx.Response:
    """One request."""
    headers = world.headers if key is None else {"X-API-Key": key}
    return await client.get(CHANGES, params=parameters, headers=headers)


async def piece(client: httpx.AsyncClient, world: World, key: str | None = None, **parameters: Any) -> dict[str, Any]:
    """One piece of the feed."""
    response = await ask(client, world, key, **parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def latest(client: httpx.AsyncClient, world: World, key: str | None = None) -> str:
    """A cursor after everything that the organisation's own events are by now."""
    await settled(world)
    return (await piece(client, world, key, after="latest"))["nextCursor"]


async def follow(
    client: httpx.AsyncClient, world: World, after: str | None = None, key: str | None = None, **parameters: Any
) -> list[dict[str, Any]]:
    """Everything after the cursor, once all that is committed can be read."""
    await settled(world)
    found = []
    while True:
        given = parameters if after is None else {**parameters, "after": after}
        part = await piece(client, world, key, **given)
        found += part["data"]
        after = part["nextCursor"]
        if not part["hasMore"]:
            return found


async def settled(world: World) -> None:
    """Wait until no transaction that still runs is older than the organisation's newest event."""

    async def done() -> bool:
        return await world.pool.fetchval(
            "select coalesce(max(transaction_id) < pg_snapshot_xmin(pg_current_snapshot()), true) "
            "from events where organization_id = $1 and feed_epoch = (select max(epoch) from feed_epochs)",
            world.organization_id,
        )

    await until(done, "end of the transactions that hold the feed back")
