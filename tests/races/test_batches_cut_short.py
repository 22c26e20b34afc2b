"""Batches whose connection or transaction is lost midway: nothing is half stored, and a repeat settles it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest

from tests.conftest import World
from tests.races.conftest import blocked, hold_link, stored, transaction
from tests.races.test_batches import BATCH_PATH, FORMS, TOGETHER, Entry, batch, codes
from tests.waiting import until

TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'align sync'"


@pytest.fixture
def client(clients):
    """Batches know one way through the server only."""
    return clients[0]


def is_unknown(answer: httpx.Response) -> bool:
    """Whether the answer says that the outcome is unknown, and when to repeat."""
    return (answer.status_code, answer.json()["error"], answer.headers["retry-after"]) == (
        503,
        "database_unavailable",
        "1",
    )


async def terminated_while_blocked(request: "asyncio.Task[httpx.Response]", world: World, holder) -> httpx.Response:
    """The answer to a request whose connection is terminated when it waits for the holder."""
    (pid,) = await blocked(world, holder)
    await world.pool.execute("select pg_terminate_backend($1)", pid)
    return await request


@pytest.mark.parametrize("form", TOGETHER.values(), ids=TOGETHER)
async def test_a_transaction_cut_midway_stores_nothing_and_the_repeat_settles_it(client, world, form):
    entries = [world.entry() for _ in range(20)]
    async with transaction(world) as holder:
        await hold_link(holder, world, entries[7]["externalId"])
        request = asyncio.create_task(batch(client, world, entries, form))
        assert is_unknown(await terminated_while_blocked(request, world, holder))
    assert await stored(world) == {}
    assert await world.count("idempotency_keys") == 0
    assert codes(await batch(client, world, entries, form)) == [201] * 20


async def test_members_of_a_plain_batch_cut_midway_are_unknown_and_the_repeat_settles_them(client, world):
    entries = [world.entry() for _ in range(20)]
    refused = world.entry(minutes=0)
    async with transaction(world) as holder:
        await hold_link(holder, world, entries[7]["externalId"])
        request = asyncio.create_task(batch(client, world, [refused, *entries]))
        answer = await terminated_while_blocked(request, world, holder)
    assert codes(answer) == ["validation_error"] + ["database_unavailable"] * 20
    assert await stored(world) == {}
    assert codes(await batch(client, world, entries)) == [201] * 20


async def test_lines_cut_midway_are_unknown_and_the_stream_goes_on(client, world):
    held, late = world.entry(), world.entry()
    cut = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield line(held)
        await cut.wait()
        yield line(late)

    async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as streaming, transaction(world) as holder:
        await hold_link(holder, world, held["externalId"])
        headers = world.headers | {"Content-Type": "application/x-ndjson"}
        request = asyncio.create_task(streaming.post(BATCH_PATH, content=body(), headers=headers))
        (pid,) = await blocked(world, holder)
        await world.pool.execute("select pg_terminate_backend($1)", pid)
        cut.set()
        answer = await request
    first, second, counts = (httpx.Response(200, text=text).json() for text in answer.text.splitlines())
    assert (first["status"], first["error"]["error"]) == (503, "database_unavailable")
    assert second["status"] == 201
    assert counts == {"created": 1, "existing": 0, "failed": 1}
    assert set(await stored(world)) == {late["externalId"]}


def line(entry: Entry) -> bytes:
    return httpx.Request("POST", "http://x", json=entry).content + b"\n"


@asynccontextmanager
async def poisoned(world: World, external_id: str) -> AsyncIterator[None]:
    """The database fails every statement that stores this id, as soon as its row comes up."""
    name = f"poison_{uuid4().hex}"
    await world.pool.execute(
        f"""
        create function {name}() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$;
        create trigger {name} before insert on integration_links
            for each row when (new.external_id = '{external_id}') execute function {name}();
        """
    )
    try:
        yield
    finally:
        await world.pool.execute(f"drop function {name} cascade")


@pytest.mark.parametrize("form", TOGETHER.values(), ids=TOGETHER)
async def test_what_comes_after_the_loss_is_not_stored_on_a_new_connection(client, world, form):
    """The poison has the members asked one by one; the connection is lost at the third of them."""
    names = [f"{prefix}-{uuid4()}" for prefix in ("1", "0", "2", "3", "4")]
    entries = [world.entry(externalId=name) for name in names]
    async with poisoned(world, names[1]), transaction(world) as holder:
        await hold_link(holder, world, names[2])
        request = asyncio.create_task(batch(client, world, entries, form))
        answer = await terminated_while_blocked(request, world, holder)
        assert is_unknown(answer)
        assert await stored(world) == {}
    assert codes(await batch(client, world, entries, form)) == [201] * 5


async def test_batches_under_terminations_lose_and_double_nothing(servers, world):
    batches = [[world.entry() for _ in range(20)] for _ in range(24)]
    ids: dict[object, set[str]] = {entry["externalId"]: set() for entries in batches for entry in entries}
    seen: Counter[object] = Counter()

    async def send(index: int) -> None:
        entries, form = batches[index], list(FORMS.values())[index % 3]
        while [entry for entry in entries if not ids[entry["externalId"]]]:
            answer = await batch(servers[index % len(servers)], world, entries, form)
            answered.put_nowait(answer)
            if answer.status_code != 200:
                seen[answer.status_code] += 1
                assert is_unknown(answer)
                continue
            for entry, result in zip(entries, answer.json()["results"], strict=True):
                seen[result["status"]] += 1
                assert result["status"] in (200, 201, 503)
                if "entry" in result:
                    ids[entry["externalId"]].add(result["entry"]["id"])

    for wave in range(6):
        answered: asyncio.Queue[httpx.Response] = asyncio.Queue()
        async with asyncio.TaskGroup() as senders:
            for index in range(wave * 4, wave * 4 + 4):
                senders.create_task(send(index))
            for _ in range(wave % 4):  # each wave meets the loss a little later
                await answered.get()
            await world.pool.execute(TERMINATE)
    assert seen[503] > 0
    assert {external_id: {entry} for external_id, entry in (await stored(world)).items()} == ids


async def test_transactions_that_deadlock_are_settled_without_a_fault(servers, world):
    """The first holds z and wants c, the other holds c and wants z: a pair refused at first comes up again later."""
    c, y, z = (world.entry(externalId=name) for name in "cyz")
    refused = {**c, "projectId": str(world.organization_id)}
    async with transaction(world) as holder:
        await hold_link(holder, world, "zz")
        first = asyncio.create_task(
            batch(servers[0], world, [refused, z, world.entry(externalId="zz"), c], FORMS["with idempotency key"])
        )
        (pid,) = await blocked(world, holder)
        other = asyncio.create_task(batch(servers[-1], world, [z, y, c], FORMS["with idempotency key"]))
        await blocked_by(world, pid)
        await holder.execute("rollback")
        answers = await asyncio.gather(first, other)
    statuses = [codes(answer) for answer in answers]
    assert statuses[0][0] == "not_found"
    told = {*statuses[0][1:], *statuses[1]}
    assert told <= {200, 201, "idempotency_in_progress"}
    for entries, form in (([c, y, z], FORMS["plain"]), ([z, c, y], FORMS["atomic"])):
        assert set(codes(await batch(servers[0], world, entries, form))) <= {200, 201}
    assert set(await stored(world)) == {"c", "y", "z", "zz"}


async def test_transactions_that_deadlock_member_by_member_cost_one_member_not_a_fault(servers, world):
    """Both ask for their members one by one, since each has a poisoned one, and want what the other one holds."""
    names = [f"{prefix}-{uuid4()}" for prefix in "012345"]
    bad, worse, p, q, gate, other_gate = (world.entry(externalId=name) for name in names)
    orders = ([bad, p, gate, q], [worse, q, other_gate, p])
    async with (
        poisoned(world, names[0]),
        poisoned(world, names[1]),
        transaction(world) as holder,
        transaction(world) as other_holder,
    ):
        await hold_link(holder, world, names[4])
        await hold_link(other_holder, world, names[5])
        requests = []
        for server, entries, waited_for in zip((servers[0], servers[-1]), orders, (holder, other_holder), strict=True):
            requests.append(asyncio.create_task(batch(server, world, entries, FORMS["with idempotency key"])))
            await blocked(world, waited_for)
        await holder.execute("rollback")
        await other_holder.execute("rollback")
        answers = await asyncio.gather(*requests)
    statuses = [codes(answer) for answer in answers]
    assert [each[:3] for each in statuses] == [["internal_error", 201, 201]] * 2
    # One of the two gives way, the other one finds what the first had stored.
    assert sorted(map(str, (each[3] for each in statuses))) == ["200", "idempotency_in_progress"]
    for entries in orders:
        assert set(codes(await batch(servers[0], world, entries))) <= {200, 201}
    assert set(await stored(world)) == set(names)


async def blocked_by(world: World, pid: int) -> None:
    """Wait until another session waits for the one with this process id."""

    async def waiting() -> bool:
        return await world.pool.fetchval(
            "select count(*) > 0 from pg_stat_activity where $1 = any(pg_blocking_pids(pid))", pid
        )

    await until(waiting, "session that waits for the first batch")
