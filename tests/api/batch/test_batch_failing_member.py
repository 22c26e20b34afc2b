"""A member whose statement the database fails is told so alone; its neighbours are stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from tests.api.batch.conftest import results_of, statuses, stored_more, streamed
from tests.conftest import World

ERRCODES = {"P0001": (500, "internal_error"), "53100": (503, "database_unavailable")}


@asynccontextmanager
async def poisoned(world: World, entry: dict[str, object], sqlstate: str = "P0001") -> AsyncIterator[None]:
    """The database fails every statement that stores this entry."""
    name = f"poison_{uuid4().hex}"
    await world.pool.execute(
        f"""
        create function {name}() returns trigger language plpgsql as
            $$ begin raise exception 'poison' using errcode = '{sqlstate}'; end $$;
        create trigger {name} after insert on integration_links
            for each row when (new.external_id = '{entry["externalId"]}') execute function {name}();
        """
    )
    try:
        yield
    finally:
        await world.pool.execute(f"drop function {name} cascade")


@pytest.fixture(params=ERRCODES)
def sqlstate(request):
    return request.param


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}], ids=["on its own", "in a transaction"])
async def test_the_member_fails_alone_and_the_same_call_again_stores_it(batches, sqlstate, headers):
    world = batches.world
    entries = [world.entry() for _ in range(9)]
    async with poisoned(world, entries[4], sqlstate), stored_more(world, 8):
        results = await batches.results(*entries, **headers)
    status, code = ERRCODES[sqlstate]
    assert statuses(results) == [201] * 4 + [status] + [201] * 4
    assert results[4]["error"]["error"] == code
    async with stored_more(world, 1, idempotency_keys=len(headers)):
        again = await batches.results(*entries, **headers)
    assert statuses(again) == [200] * 4 + [201] + [200] * 4


async def test_the_line_of_a_stream_fails_alone(batches, sqlstate):
    world = batches.world
    entries = [world.entry() for _ in range(9)]
    async with poisoned(world, entries[4], sqlstate), stored_more(world, 8):
        results, error = streamed(await batches.stream(*entries))
    assert (statuses(results), error) == ([201] * 4 + [ERRCODES[sqlstate][0]] + [201] * 4, {})


async def test_the_failure_is_written_exactly_so(batches):
    world, entry = batches.world, batches.world.entry()
    async with poisoned(world, entry):
        (result,) = await batches.results(entry, x_request_id="mine")
    assert result["error"] == {
        "error": "internal_error",
        "message": "a fault of ours; it is logged under mine. Repeating is safe.",
    }


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}], ids=["without key", "with key"])
async def test_an_atomic_batch_is_rejected_by_it(batches, sqlstate, headers):
    world = batches.world
    entries = [world.entry() for _ in range(5)]
    async with poisoned(world, entries[2], sqlstate), stored_more(world, 0):
        response = await batches.sync(*entries, query="?atomic=true", **headers)
    assert response.status_code == 409
    assert statuses(results_of(response)) == [424, 424, ERRCODES[sqlstate][0], 424, 424]
    accepted = await batches.sync(*entries, query="?atomic=true", **headers)
    assert statuses(results_of(accepted)) == [201] * 5


@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}], ids=["on its own", "in a transaction"])
async def test_every_member_of_the_pair_fails_and_the_others_keep_their_order(batches, headers):
    world = batches.world
    bad, good = world.entry(), world.entry()
    async with poisoned(world, bad), stored_more(world, 1):
        results = await batches.results(bad, good, bad, {**good, "minutes": 1}, **headers)
    assert statuses(results) == [500, 201, 500, 200]
    assert results[3]["contentDiffers"] == ["minutes"]
