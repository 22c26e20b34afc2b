"""Size, key, rate, scope, replay, plan, body: of several things wrong, the first in this order is said."""

from itertools import combinations
from typing import Any

import pytest

from tests.api.batch.conftest import BATCH_PATH, Batches, results_of, statuses, stored_more, written

STREAM = "application/x-ndjson"
SAID = {
    "size": (413, "payload_too_large"),
    "key": (401, "key_invalid"),
    "rate": (429, "rate_limit"),
    "scope": (403, "scope_violation"),
    "idempotency_key": (400, "idempotency_key_invalid"),
    "plan": (402, "payment_required"),
    "body": (400, "validation_error"),
}
# A stream has no size that could be looked at first.
SAID_OF_STREAMS = [fault for fault in SAID if fault != "size"]


async def prepared(batches: Batches, faults: tuple[str, ...], media_type: str) -> dict[str, Any]:
    """A batch with these faults, as the options of a request."""
    world = batches.world
    limit = {"rate_limit_per_minute": 1} if "rate" in faults else {}
    scope = {"scoped_project_id": world.project_id} if "scope" in faults else {}
    _, text = await world.mint(**limit, **scope)
    if "rate" in faults:
        await batches.stream_client.get("/api/v1/me", headers={"X-API-Key": text})
    if "plan" in faults:
        await world.pool.execute(
            "update organizations set features = '{}' where organization_id = $1", world.organization_id
        )
    headers = {"Authorization": f"Bearer {'ako_nonsense' if 'key' in faults else text}", "content-type": media_type}
    if "idempotency_key" in faults:
        headers["Idempotency-Key"] = "a b"
    if media_type == STREAM:
        query = "?atomic=true" if "body" in faults else ""
        return {"url": BATCH_PATH + query, "headers": headers, "content": written(world.entry())}
    content = b'{"entries":[' + written(world.entry()) + (b"]" if "body" in faults else b"]}")
    if "size" in faults:
        content = content.replace(b"[", b"[" + b" " * 4 * 1024 * 1024)
    return {"url": BATCH_PATH, "headers": headers, "content": content}


@pytest.mark.parametrize("faults", [(), *((fault,) for fault in SAID), *combinations(SAID, 2), tuple(SAID)])
async def test_of_several_faults_of_a_batch_the_first_is_said(batches, faults):
    request = await prepared(batches, faults, "application/json")
    async with stored_more(batches.world, 0 if faults else 1):
        response = await batches.client.post(**request)
    if faults:
        assert (response.status_code, response.json()["error"]) == SAID[faults[0]]
    else:
        assert statuses(results_of(response)) == [201]


@pytest.mark.parametrize(
    "faults", [*((fault,) for fault in SAID_OF_STREAMS), *combinations(SAID_OF_STREAMS, 2), tuple(SAID_OF_STREAMS)]
)
async def test_of_several_faults_of_a_stream_the_first_is_said(batches, faults):
    request = await prepared(batches, faults, STREAM)
    async with stored_more(batches.world, 0):
        response = await batches.client.post(**request)
    assert (response.status_code, response.json()["error"]) == SAID[faults[0]]


async def test_the_role_client_is_refused_with_the_scope_before_the_plan_and_the_body(batches):
    world = batches.world
    _, text = await world.mint(created_by_user_id=world.client_user_id)
    await world.pool.execute(
        "update organizations set features = '{}' where organization_id = $1", world.organization_id
    )
    for response in (
        await batches.send(b"{", authorization=f"Bearer {text}"),
        await batches.stream(world.entry(), authorization=f"Bearer {text}"),
    ):
        assert (response.status_code, response.json()["error"]) == (403, "role_violation")


async def test_a_replay_is_refused_to_a_key_over_its_limit_or_of_a_client_by_now(batches):
    world, entry = batches.world, batches.world.entry()
    _, text = await world.mint(rate_limit_per_minute=3)
    sent = {"authorization": f"Bearer {text}", "idempotency_key": "k"}
    assert statuses(await batches.results(entry, entry, **sent)) == [201, 200]
    assert (await batches.sync(entry, entry, **sent)).status_code == 429
    await world.pool.execute("update users set role = 'client' where organization_id = $1", world.organization_id)
    assert (await batches.sync(entry, **sent)).status_code == 403
