"""One row that the database refuses fails alone, and nothing is answered before its COMMIT."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from align.access.authentication import Authentication
from align.time_entries.rows import Outcome
from align.time_entries.writer import Writer
from tests.conftest import gather_released
from tests.races.conftest import blocked, row_of, stored, sync, transaction

FAILED_STATEMENTS = "align_sync_retried_statements_total"
Poison = Callable[[str], AbstractAsyncContextManager[None]]


@pytest.fixture(params=["statement", "commit"])
def poison(request: pytest.FixtureRequest, pool: asyncpg.Pool) -> Poison:
    """Makes the statement, or only its commit, fail for one external id while the block runs."""
    name = f"poison_{uuid4().hex}"
    kind, timing = {
        "statement": ("trigger", "after insert on integration_links"),
        "commit": ("constraint trigger", "after insert on integration_links deferrable initially deferred"),
    }[request.param]

    @asynccontextmanager
    async def poisoned(external_id: str) -> AsyncIterator[None]:
        await pool.execute(
            f"""
            create function {name}() returns trigger language plpgsql as
                $$ begin raise exception 'poison'; end $$;
            create {kind} {name} {timing}
                for each row when (new.external_id = '{external_id}') execute function {name}();
            """
        )
        try:
            yield
        finally:
            await pool.execute(f"drop function {name} cascade")

    return poisoned


async def test_the_culprit_fails_alone_whatever_it_came_with(client, world, poison):
    entries = [world.entry() for _ in range(30)]
    culprit = entries[7]
    async with poison(culprit["externalId"]):
        answers = await gather_released(len(entries), lambda index: sync(client, world, entries[index]))
        failed = answers.pop(7)
        assert (failed.status_code, failed.json()["error"]) == (500, "internal_error")
        assert {answer.status_code for answer in answers} == {201}
        assert await stored(world) == {
            entry["externalId"]: answer.json()["id"]
            for entry, answer in zip(entries[:7] + entries[8:], answers, strict=True)
        }
    assert (await sync(client, world, culprit)).status_code == 201


async def test_in_one_statement_the_culprit_fails_alone(world, database_url, poison):
    caller = await Authentication(world.pool).caller(world.key)
    entries = [world.entry() for _ in range(9)]
    writer = Writer(database_url, 1)
    async with poison(entries[4]["externalId"]):
        outcomes = await writer.run([row_of(caller, entry, entry["externalId"]) for entry in entries])
    assert isinstance(outcomes.pop(4), asyncpg.RaiseError)
    assert [outcome.outcome for outcome in outcomes if isinstance(outcome, Outcome)] == ["created"] * 8
    assert set(await stored(world)) == {entry["externalId"] for entry in entries[:4] + entries[5:]}
    assert await world.count("idempotency_keys") == 8
    await writer.close()


async def test_a_failed_request_may_be_repeated_under_its_idempotency_key(client, world, poison):
    entry = world.entry()
    async with poison(entry["externalId"]):
        assert (await sync(client, world, entry, idempotency_key="again")).status_code == 500
    again = await sync(client, world, entry, idempotency_key="again")
    assert (again.status_code, again.headers.get("idempotent-replayed")) == (201, None)


async def test_statements_with_the_same_rows_in_any_order_do_not_deadlock(world, database_url):
    caller = await Authentication(world.pool).caller(world.key)
    entries = [world.entry() for _ in range(60)]
    writers = [Writer(database_url, 1) for _ in range(2)]
    failed = REGISTRY.get_sample_value(FAILED_STATEMENTS)
    # Both statements are held up together, then released together, so that they meet at the same rows.
    async with transaction(world) as holder:
        await holder.execute("lock table integration_links in share mode")

        async def run(index: int) -> list[Outcome | BaseException]:
            ordered = entries if index == 0 else entries[::-1]
            return await writers[index].run([row_of(caller, entry, entry["externalId"]) for entry in ordered])

        running = asyncio.gather(run(0), run(1))
        await blocked(world, holder, 2)
        await holder.execute("rollback")
        first, second = await running
    for outcome, other in zip(first, second[::-1], strict=True):
        assert {outcome.outcome, other.outcome} == {"created", "replayed"}
        assert outcome.response == other.response
    assert REGISTRY.get_sample_value(FAILED_STATEMENTS) == failed  # a deadlock would have been mended, but late
    assert set(await stored(world)) == {entry["externalId"] for entry in entries}
    for writer in writers:
        await writer.close()
