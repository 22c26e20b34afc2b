"""The gauge of pending deliveries counts what workers have yet to do."""

import httpx

from align.web.metrics import WEBHOOK_PENDING
from align.webhooks import upkeep
from tests.api.subscriptions import URL
from tests.conftest import World


async def pending(world: World) -> float:
    await upkeep.once(world.pool)
    (sample,) = next(iter(WEBHOOK_PENDING.collect())).samples
    return sample.value


async def call(client: httpx.AsyncClient, world: World, method: str, path: str, body: object = None) -> dict:
    answer = await client.request(
        method, f"/api/v1/webhooks{path}", json=body, headers={"Authorization": f"Bearer {world.key}"}
    )
    assert answer.is_success, answer.text
    return answer.json()


async def test_what_waits_for_a_disabled_webhook_is_not_counted(client, world):
    webhook = await call(client, world, "POST", "", {"destinationUrl": URL, "eventNames": ["time.*"]})
    await pending(world)  # what this sets free for other tests' webhooks must not be counted below
    before = await pending(world)
    await call(client, world, "POST", f"/{webhook['id']}/test")
    assert await pending(world) == before + 1
    await call(client, world, "PATCH", f"/{webhook['id']}", {"enabled": False})
    assert await pending(world) == before
    await call(client, world, "PATCH", f"/{webhook['id']}", {"enabled": True})
    assert await pending(world) == before + 1
