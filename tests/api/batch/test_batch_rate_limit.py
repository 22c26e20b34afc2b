"""Each member of a batch counts against the rate limit, as does each line of a stream."""

import asyncio
import time

import pytest

from tests.api.batch.conftest import (
    Batches,
    results_of,
    statuses,
    stored_more,
    streamed,
    without_request_id,
    written,
)
from tests.api.test_rate_limit import WINDOW_SECONDS

# No test needs longer; one that would cross into the next minute waits for it, since there the counts shift.
TEST_SECONDS = 8


@pytest.fixture(autouse=True)
async def one_window():
    left = WINDOW_SECONDS - time.time() % WINDOW_SECONDS
    if left < TEST_SECONDS:
        await asyncio.sleep(left)


async def limited(batches: Batches, limit: int) -> dict[str, str]:
    """The header of a key with so many requests a minute."""
    _, text = await batches.world.mint(rate_limit_per_minute=limit)
    return {"authorization": f"Bearer {text}"}


def left(response) -> tuple[int, int]:
    return int(response.headers["x-ratelimit-limit"]), int(response.headers["x-ratelimit-remaining"])


async def test_a_batch_counts_its_members_good_or_bad(batches):
    key, entry = await limited(batches, 10), batches.world.entry
    first = await batches.sync(entry(), entry(minutes=0), entry(), **key)
    second = await batches.sync(entry(), **key)
    assert (statuses(results_of(first)), left(first)) == ([201, 400, 201], (10, 7))
    assert (statuses(results_of(second)), left(second)) == ([201], (10, 6))


@pytest.mark.parametrize("query", ["", "?atomic=true"])
async def test_a_batch_larger_than_what_is_left_is_refused_as_a_whole(batches, query):
    key = await limited(batches, 5)
    entries = [batches.world.entry() for _ in range(3)]
    assert left(await batches.sync(*entries, **key)) == (5, 2)
    async with stored_more(batches.world, 0):
        refused = await batches.sync(*(batches.world.entry() for _ in range(3)), query=query, **key)
    seconds = int(refused.headers["retry-after"])
    assert (refused.status_code, left(refused)) == (429, (5, 2))
    assert without_request_id(refused.json(), refused) == {
        "error": "rate_limit",
        "message": f"more than 5 requests a minute; repeat after {seconds} s",
        "retryAfterSeconds": seconds,
    }
    assert left(await batches.sync(*entries[:2], **key)) == (5, 0)


async def test_a_batch_larger_than_the_limit_is_told_that_it_never_fits(batches):
    key = await limited(batches, 2)
    async with stored_more(batches.world, 0):
        refused = await batches.sync(*(batches.world.entry() for _ in range(3)), **key)
    assert (refused.status_code, left(refused)) == (429, (2, 2))
    message = "this counts as 3 requests and the key has 2 a minute; send fewer members at once"
    assert refused.json()["message"] == message


async def test_what_is_no_batch_counts_once(batches):
    key = await limited(batches, 10)
    for number, content in enumerate((b"{", b'{"entries":[]}', b'{"entries":[' + b"0," * 1000 + b"0]}"), 1):
        refused = await batches.send(content, **key)
        assert (refused.status_code, left(refused)) == (400, (10, 10 - number))


async def test_a_replay_counts_its_members_again(batches):
    key, entries = await limited(batches, 5), [batches.world.entry() for _ in range(2)]
    await batches.sync(*entries, idempotency_key="k", **key)
    replay = await batches.sync(*entries, idempotency_key="k", **key)
    assert (replay.headers["idempotent-replayed"], left(replay)) == ("true", (5, 1))


async def test_a_stream_counts_its_lines(batches):
    key, entry = await limited(batches, 10), batches.world.entry
    response = await batches.stream(entry(), entry(minutes=0), b"", entry(), **key)
    results, _ = streamed(response)
    # The headers go out before the lines come in: they know of the request alone.
    assert (statuses(results), left(response)) == ([201, 400, 201], (10, 9))
    assert left(await batches.sync(entry(), **key)) == (10, 6)


async def test_an_empty_stream_counts_once(batches):
    key = await limited(batches, 10)
    assert left(await batches.stream_content(b"", **key)) == (10, 9)
    assert left(await batches.sync(batches.world.entry(), **key)) == (10, 8)


@pytest.mark.parametrize(("limit", "count"), [(1, 3), (7, 20), (600, 1300), (700, 1300)])
async def test_a_stream_stores_as_many_lines_as_the_limit_lets_in_and_refuses_the_rest(batches, limit, count):
    key = await limited(batches, limit)
    entries = [batches.world.entry() for _ in range(count)]
    async with stored_more(batches.world, limit):
        response = await batches.stream(*entries, **key)
    results, error = streamed(response)
    assert statuses(results) == [201] * limit + [429] * (count - limit)
    assert error == {}
    for result in results[limit:]:
        seconds = result["error"]["retryAfterSeconds"]
        assert 1 <= seconds <= 60
        assert result["error"] == {
            "error": "rate_limit",
            "message": f"more than {limit} requests a minute; repeat after {seconds} s",
            "retryAfterSeconds": seconds,
        }
    stored = await batches.world.pool.fetch(
        "select external_id from integration_links where organization_id = $1", batches.world.organization_id
    )
    assert {row["external_id"] for row in stored} == {entry["externalId"] for entry in entries[:limit]}


async def test_a_stream_without_a_single_request_left_is_refused_as_a_whole(batches):
    key = await limited(batches, 1)
    await batches.sync(batches.world.entry(), **key)
    async with stored_more(batches.world, 0):
        refused = await batches.stream(batches.world.entry(), **key)
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limit")


async def test_a_key_without_a_limit_is_not_counted(batches):
    responses = [
        await batches.sync(*(batches.world.entry() for _ in range(700))),
        await batches.stream_content(b"\n".join(written(batches.world.entry()) for _ in range(700))),
    ]
    for response in responses:
        assert not [name for name in response.headers if name.startswith("x-ratelimit")]
