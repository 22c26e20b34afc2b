"""The rate limit of a key: exact headers on every answer, 429 at the limit, and nothing stored for a refused call."""

import asyncio
import math
import time

import pytest

from tests.api.conftest import Api, nothing_stored, refusal, stored_once, warmed
from tests.conftest import SYNC_PATH

WINDOW_SECONDS = 60
# No test needs longer; one that would cross into the next minute waits for it, since there the counts shift.
TEST_SECONDS = 5


@pytest.fixture(autouse=True)
async def one_window():
    left = WINDOW_SECONDS - time.time() % WINDOW_SECONDS
    if left < TEST_SECONDS:
        await asyncio.sleep(left)


async def limited(world, client, way: str, limit: int) -> tuple[Api, dict[str, str]]:
    """The operation with a key of `limit` requests a minute, one of which was used to have it remembered."""
    _, text = await world.mint(rate_limit_per_minute=limit)
    api = Api(world, client, way)
    headers = {"Authorization": f"Bearer {text}"}
    await api.send(b"", **headers)
    return api, headers


def allowance(response) -> tuple[int, int]:
    return int(response.headers["x-ratelimit-limit"]), int(response.headers["x-ratelimit-remaining"])


async def test_every_answer_counts_down_by_one_and_the_limit_is_a_429(world, client, way):
    api, headers = await limited(world, client, way, 4)
    entry = world.entry()
    async with stored_once(world):
        allowed = [await api.sync(entry, **headers) for _ in range(3)]
        refused = [await api.sync(world.entry(), **headers, idempotency_key="k") for _ in range(2)]
    assert [response.status_code for response in allowed] == [201, 200, 200]
    assert [allowance(response) for response in allowed] == [(4, 2), (4, 1), (4, 0)]
    for response in refused:
        seconds = int(response.headers["retry-after"])
        assert response.status_code == 429
        assert allowance(response) == (4, 0)
        assert response.headers["x-ratelimit-reset"] == response.headers["retry-after"]
        assert refusal(response) == {
            "error": "rate_limit",
            "message": f"more than 4 requests a minute; repeat after {seconds} s",
            "retryAfterSeconds": seconds,
        }


async def test_retry_after_points_to_the_end_of_the_window(world, client, way):
    api, headers = await limited(world, client, way, 1)
    earliest = WINDOW_SECONDS - time.time() % WINDOW_SECONDS
    response = await api.sync(**headers)
    latest = WINDOW_SECONDS - time.time() % WINDOW_SECONDS
    assert response.status_code == 429
    assert math.ceil(latest) <= int(response.headers["retry-after"]) <= math.ceil(earliest)


UNFIT = {
    "created": ({}, {}, 201),
    "malformed body": ({"content": b"{"}, {}, 400),
    "unfit body": ({"minutes": 0}, {}, 400),
    "unknown member": ({"billabel": True}, {}, 201),
    "escaped text": ({"description": 'a "quoted" word'}, {}, 201),
    "wrong media type": ({"content": b"{}"}, {"content-type": "text/plain"}, 415),
    "unfit idempotency key": ({}, {"idempotency-key": "a b"}, 400),
    "idempotency key": ({}, {"idempotency-key": "k"}, 201),
    "unknown user": ({"userId": "7b1e2c3d-0000-0000-0000-000000000001"}, {}, 404),
}


@pytest.mark.parametrize(("changes", "more", "status"), UNFIT.values(), ids=UNFIT)
async def test_a_request_counts_once_whatever_becomes_of_it(world, client, way, changes, more, status):
    api, headers = await limited(world, client, way, 100)
    if "content" in changes:
        response = await api.send(changes["content"], **headers, **more)
    else:
        response = await api.sync(world.entry(**changes), **headers, **more)
    assert response.status_code == status
    assert allowance(response) == (100, 98)


async def test_all_operations_of_a_key_share_one_limit(world, client):
    _, text = await world.mint(rate_limit_per_minute=4)
    headers = {"X-API-Key": text}
    answers = [
        await client.get("/api/v1/me", headers=headers),
        await client.post(SYNC_PATH, json=world.entry(), headers=headers),
        await client.get(SYNC_PATH, headers=headers, params={"externalSystem": "a", "externalId": "b"}),
        await client.get(f"{SYNC_PATH}/x", headers=headers),
        await client.get("/api/v1/me", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [200, 201, 404, 404, 429]
    assert [allowance(answer) for answer in answers] == [(4, 3), (4, 2), (4, 1), (4, 0), (4, 0)]


async def test_one_keys_limit_is_not_anothers(world, client, way):
    exhausted, headers = await limited(world, client, way, 1)
    other, other_headers = await limited(world, client, way, 3)
    assert (await exhausted.sync(**headers)).status_code == 429
    response = await other.sync(**other_headers)
    assert (response.status_code, allowance(response)) == (201, (3, 1))


async def test_an_exhausted_key_stores_nothing_not_even_replays(world, client, way):
    api, headers = await limited(world, client, way, 2)
    entry = world.entry()
    assert (await api.sync(entry, **headers, idempotency_key="k")).status_code == 201
    async with nothing_stored(world):
        response = await api.sync(entry, **headers, idempotency_key="k")
    assert response.status_code == 429
    assert "idempotent-replayed" not in response.headers


async def test_a_key_without_a_limit_has_no_limit_headers(world, client, way):
    response = await (await warmed(Api(world, client, way))).sync()
    assert response.status_code == 201
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


async def test_refused_keys_are_not_counted(world, client, way):
    _, text = await world.mint(rate_limit_per_minute=1)
    api = Api(world, client, way)
    for _ in range(3):
        response = await api.sync(Authorization=f"Bearer {text[:-1]}{'a' if text[-1] != 'a' else 'b'}")
        assert response.status_code == 401
    assert (await api.sync(Authorization=f"Bearer {text}")).status_code == 201
