"""A locked period in batches: members dated in it are refused on their own, in both forms."""

import pytest

from tests.api.batch.conftest import results_of, statuses, stored_more, streamed
from tests.api.test_period_lock import put

DAYS = ["2025-01-30", "2025-01-31", "2025-02-01"]


@pytest.fixture
async def locked(batches):
    """The batches of an organisation with January locked, and the entry that it had before."""
    known = batches.world.entry(workDate="2025-01-15")
    await batches.single(known)
    await put(batches.client, batches.world, "2025-01-31")
    return batches, known


def check(results) -> None:
    assert statuses(results) == [409, 409, 201, 200]
    for result in results[:2]:
        assert (result["error"]["error"], result["error"]["lockedUntil"]) == ("period_locked", "2025-01-31")


async def test_members_of_a_json_batch_are_refused_on_their_own(locked):
    batches, known = locked
    entries = [batches.world.entry(workDate=day) for day in DAYS]
    async with stored_more(batches.world, 1):
        check(await batches.results(*entries, known))


async def test_lines_of_a_stream_are_refused_on_their_own(locked):
    batches, known = locked
    entries = [batches.world.entry(workDate=day) for day in DAYS]
    async with stored_more(batches.world, 1):
        response = await batches.stream(*entries, known)
    results, error = streamed(response)
    assert error == {}
    check(results)


async def test_an_atomic_batch_with_one_locked_day_stores_nothing(locked):
    batches, _ = locked
    entries = [batches.world.entry(workDate=day) for day in ("2025-02-01", "2025-01-31")]
    async with stored_more(batches.world, 0):
        response = await batches.sync(*entries, query="?atomic=true")
    assert (response.status_code, response.json()["error"]) == (409, "batch_rejected")
    assert statuses(results_of(response)) == [424, 409]
