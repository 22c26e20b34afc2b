"""What a list may cost: lines, bytes, requests, entries of the range."""

import asyncio
import http.client
import tempfile
from contextlib import closing
from datetime import date
from urllib.parse import urlsplit

import pytest

from align.errors import ApiError
from align.reconciliation import checksum, comparing
from align.reconciliation.checksum import ChecksumQuery
from align.reconciliation.comparing import List
from align.reconciliation.differences import Differences
from align.reconciliation.period import Period
from align.reconciliation.reconcile import COMPARISONS_AT_ONCE, MAXIMUM_BYTES, MAXIMUM_LINES
from tests.api.conftest import refusal
from tests.api.reconciliation.reconciling import JANUARY, RECONCILE_PATH, differences, post_list, synced


async def limited(world, requests):
    """Headers with a key of so many requests a minute."""
    _, text = await world.mint(rate_limit_per_minute=requests)
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(("lines", "cost"), [(0, 1), (1, 1), (1000, 1), (1001, 2), (3000, 3), (3001, 4)])
async def test_a_request_counts_as_one_and_one_more_for_each_further_thousand_lines(world, plain, lines, cost):
    response = await post_list(world, plain, [b"0"] * lines, headers=await limited(world, 60))
    assert differences(response)[1]["invalid"] == lines
    assert response.headers["x-ratelimit-remaining"] == str(60 - cost)


async def test_a_list_that_costs_too_much_is_refused_whole(world, client):
    response = await post_list(world, client, [b"0"] * 3001, headers=await limited(world, 3))
    assert (response.status_code, refusal(response)["error"]) == (429, "rate_limit")
    assert int(response.headers["retry-after"]) > 0


async def test_too_many_lines_are_refused_whole(world, client):
    response = await post_list(world, client, [b"0"] * (MAXIMUM_LINES + 1))
    body = refusal(response)
    assert (response.status_code, body["error"], body["maximumBytes"]) == (413, "payload_too_large", MAXIMUM_BYTES)


async def test_too_many_bytes_are_refused_whole(world, plain):
    line = b" " * 60_000 + b"0"
    response = await post_list(world, plain, [line] * (MAXIMUM_BYTES // len(line) + 1))
    assert (response.status_code, refusal(response)["error"]) == (413, "payload_too_large")


async def test_the_connection_serves_on_after_a_refused_list(world, plain):
    response = await post_list(world, plain, [b"0"] * (MAXIMUM_LINES + 1))
    assert response.status_code == 413
    assert differences(await post_list(world, plain, []))[1]["received"] == 0


async def test_lists_that_still_arrive_hold_up_nobody(world, plain):
    """More lists than are compared at once have begun and stall; another one is answered all the same."""
    go_on = asyncio.Event()

    async def slow():
        yield b"0\n"
        await go_on.wait()
        yield b"0\n"

    async def post_slowly():
        headers = {"Content-Type": "application/x-ndjson", **world.headers}
        return await plain.post(RECONCILE_PATH, params=JANUARY, content=slow(), headers=headers)

    stalled = [asyncio.create_task(post_slowly()) for _ in range(4 * COMPARISONS_AT_ONCE + 8)]
    try:
        for _ in range(3):
            assert differences(await post_list(world, plain, [b"0"]))[1]["invalid"] == 1
    finally:
        go_on.set()
    for response in await asyncio.gather(*stalled):
        assert differences(response)[1]["invalid"] == 2


async def test_a_range_with_too_many_entries_is_refused(world, client, pool):
    await synced(world, client, [world.entry() for _ in range(3)])
    names = {"external_system": "illumera", "start_date": date(2025, 1, 1), "end_date": date(2025, 1, 31)}
    org = world.organization_id
    assert (await checksum.checksum(pool, org, ChecksumQuery(**names), maximum=3)).total.count == 3
    with pytest.raises(ApiError, match="more than 2 entries"):
        await checksum.checksum(pool, org, ChecksumQuery(**names), maximum=2)
    for maximum in (3, 2):
        with tempfile.TemporaryFile() as file:
            found = Differences()
            async with pool.acquire() as tx, tx.transaction():
                comparison = comparing.compare(tx, org, Period(**names), List(file), found, maximum=maximum)
                if maximum == 3:
                    await comparison
                    assert b"".join([chunk async for chunk in found.chunks()]).count(b'"extra"') == 4
                else:
                    with pytest.raises(ApiError, match="more than 2 entries"):
                        await comparison
                    found.close()


@pytest.mark.parametrize("fault", ["key", "parameters", "lines"])
def test_a_sender_that_closes_learns_why_it_is_refused(world, base_url, fault):
    """It sends all of a long list, and only then reads, as Python's urllib does."""
    headers = {"Content-Type": "application/x-ndjson", "Connection": "close", **world.headers}
    query = "externalSystem=x&startDate=2025-01-01&endDate=2025-01-31"
    lines = 200_000
    match fault:
        case "key":
            headers["Authorization"] = "Bearer ako_x"
        case "parameters":
            query = "externalSystem=x"
        case "lines":
            assert lines > MAXIMUM_LINES
    body = b'{"externalId": "somewhat long"}\n' * lines
    connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=30)
    with closing(connection):
        connection.request("POST", f"{RECONCILE_PATH}?{query}", body, headers)
        assert connection.getresponse().status == {"key": 401, "parameters": 400, "lines": 413}[fault]
