"""Batches that meet each other, single syncs and held rows: each pair is stored once, and nobody deadlocks."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import SYNC_PATH, World, gather_released
from tests.races.conftest import blocked, hold_link, stored, sync, transaction

BATCH_PATH = f"{SYNC_PATH}/batch"
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "plain": ("", {}),
    "atomic": ("?atomic=true", {}),
    "with idempotency key": ("", {"Idempotency-Key": "KEY"}),
}
TOGETHER = {name: form for name, form in FORMS.items() if name != "plain"}
Entry = dict[str, object]


@pytest.fixture(params=FORMS.values(), ids=FORMS)
def form(request):
    """A query and headers; each batch gets a key of its own."""
    return request.param


@pytest.fixture
def client(clients):
    """Batches know one way through the server only."""
    return clients[0]


async def batch(client: httpx.AsyncClient, world: World, entries: list[Entry], form=("", {})) -> httpx.Response:
    """Send a batch in one of the forms."""
    query, headers = form
    own = {name: value.replace("KEY", str(uuid4())) for name, value in headers.items()}
    return await client.post(f"{BATCH_PATH}{query}", json={"entries": entries}, headers=world.headers | own)


def told(response: httpx.Response, entries: list[Entry]) -> dict[object, tuple[int, str]]:
    """Status and id of each pair, all of which must be accepted."""
    assert response.status_code == 200, response.text
    results = response.json()["results"]
    return {
        entry["externalId"]: (result["status"], result["entry"]["id"])
        for entry, result in zip(entries, results, strict=True)
    }


def codes(response: httpx.Response) -> list[object]:
    """Of each result its status, or the code of its error."""
    return [result.get("error", {}).get("error", result["status"]) for result in response.json()["results"]]


async def test_batches_with_the_same_pairs_in_opposite_order_store_each_once(servers, world, form):
    entries = [world.entry() for _ in range(200)]
    orders = [entries, entries[::-1]]
    # Held up together, then released together, so that they meet at the same rows.
    async with transaction(world) as holder:
        await holder.execute("lock table integration_links in share mode")
        requests = [asyncio.create_task(batch(servers[-n], world, orders[n], form)) for n in range(2)]
        await blocked(world, holder, 2)
        await holder.execute("rollback")
        answers = await asyncio.gather(*requests)
    first, second = (told(answer, order) for answer, order in zip(answers, orders, strict=True))
    assert {pair: id_ for pair, (_, id_) in first.items()} == await stored(world)
    for pair, (status, id_) in first.items():
        assert {(status, id_), second[pair]} == {(201, id_), (200, id_)}


async def test_many_overlapping_batches_in_any_order_store_each_pair_once(servers, world, form):
    entries = [world.entry() for _ in range(60)]

    async def send(index: int) -> httpx.Response:
        order = entries[index * 7 % 60 :] + entries[: index * 7 % 60]
        return await batch(servers[index % len(servers)], world, order[::-1] if index % 2 else order, form)

    answers = await gather_released(8, send)
    created = Counter(
        result["entry"]["id"] for answer in answers for result in answer.json()["results"] if result["status"] == 201
    )
    assert set(created.values()) == {1}
    assert set(created) == set((await stored(world)).values())
    assert sum(answer.json()["existing"] for answer in answers) == 7 * 60


async def test_a_batch_and_single_syncs_of_its_pairs_at_once_create_each_once(servers, world, form):
    entries = [world.entry() for _ in range(30)]

    async def send(index: int) -> httpx.Response:
        if index == 0:
            return await batch(servers[0], world, entries, form)
        return await sync(servers[index % len(servers)], world, entries[index - 1])

    whole, *singles = await gather_released(31, send)
    by_batch = told(whole, entries)
    ids = await stored(world)
    for entry, single in zip(entries, singles, strict=True):
        status, id_ = by_batch[entry["externalId"]]
        assert {status, single.status_code} == {200, 201}
        assert ids[entry["externalId"]] == id_ == single.json()["id"]


async def test_one_key_at_once_has_one_effect_and_byte_identical_answers(servers, world):
    entries = [world.entry() for _ in range(50)]
    body = {"entries": [*entries, entries[0], world.entry(minutes=0)]}

    async def send(index: int) -> httpx.Response:
        headers = world.headers | {"Idempotency-Key": "k"}
        return await servers[index % len(servers)].post(BATCH_PATH, json=body, headers=headers)

    answers = await gather_released(12, send)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotent-replayed") for answer in answers) == {None: 1, "true": 11}
    assert set(await stored(world)) == {entry["externalId"] for entry in entries}
    assert await world.count("idempotency_keys") == 1


@pytest.mark.parametrize("strict", [False, True])
async def test_other_bodies_under_one_key_at_once_store_only_the_first(servers, world, strict):
    await world.pool.execute(
        "update organizations set strict = $2 where organization_id = $1", world.organization_id, strict
    )
    entries = [world.entry() for _ in range(12)]

    async def send(index: int) -> httpx.Response:
        headers = world.headers | {"Idempotency-Key": "k"}
        return await servers[index % len(servers)].post(BATCH_PATH, json={"entries": [entries[index]]}, headers=headers)

    answers = await gather_released(12, send)
    if strict:
        assert Counter(answer.status_code for answer in answers) == {200: 1, 422: 11}
    else:
        assert len({answer.content for answer in answers}) == 1
        assert Counter(answer.headers.get("idempotency-body-mismatch") for answer in answers) == {None: 1, "true": 11}
    assert len(await stored(world)) == 1
    assert await world.count("idempotency_keys") == 1


async def test_an_expired_key_is_used_anew_once_however_many_use_it(servers, world):
    await servers[0].post(
        BATCH_PATH, json={"entries": [world.entry()]}, headers=world.headers | {"Idempotency-Key": "k"}
    )
    await world.pool.execute(
        "update idempotency_keys set expires_at = now() where organization_id = $1", world.organization_id
    )
    entries = [world.entry() for _ in range(12)]

    async def send(index: int) -> httpx.Response:
        headers = world.headers | {"Idempotency-Key": "k"}
        return await servers[index % len(servers)].post(BATCH_PATH, json={"entries": [entries[index]]}, headers=headers)

    answers = await gather_released(12, send)
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotent-replayed") for answer in answers) == {None: 1, "true": 11}
    assert len(await stored(world)) == 2


async def test_a_repeat_of_a_batch_that_still_runs_waits_and_is_then_refused(servers, world, other_world):
    entry, other = world.entry(), world.entry()
    headers = world.headers | {"Idempotency-Key": "k"}

    def send(client: httpx.AsyncClient) -> "asyncio.Task[httpx.Response]":
        return asyncio.create_task(client.post(BATCH_PATH, json={"entries": [entry, other]}, headers=headers))

    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        first = send(servers[0])  # waits for the pair, and once more when its members are asked one by one
        await blocked(world, holder)
        repeats = [send(servers[-1]) for _ in range(4)]
        # Whoever waits for the key keeps no connection that others could use.
        others = [await batch(servers[-1], other_world, [other_world.entry()]) for _ in range(3)]
        assert [answer.status_code for answer in others] == [200, 200, 200]
        assert not [repeat for repeat in repeats if repeat.done()]
        refused = await repeats[0]
        await holder.execute("rollback")
    body = refused.json()
    assert (refused.status_code, body["error"]) == (409, "idempotency_in_progress")
    assert refused.headers["retry-after"] == "1"
    accepted = await first
    assert codes(accepted) == [201, 201]
    for repeat in repeats[1:]:
        answer = await repeat
        assert answer.status_code == 409 or answer.content == accepted.content
    again = await servers[-1].post(BATCH_PATH, json={"entries": [entry, other]}, headers=headers)
    assert (again.content, again.headers["idempotent-replayed"]) == (accepted.content, "true")


async def test_a_repeat_whose_first_ends_in_time_is_a_replay(servers, world):
    entry = world.entry()
    headers = world.headers | {"Idempotency-Key": "k"}

    def send(client: httpx.AsyncClient) -> "asyncio.Task[httpx.Response]":
        return asyncio.create_task(client.post(BATCH_PATH, json={"entries": [entry]}, headers=headers))

    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        first = send(servers[0])
        await blocked(world, holder)
        repeat = send(servers[-1])
        await holder.execute("rollback")
        answers = await asyncio.gather(first, repeat)
    assert [codes(answer) for answer in answers] == [[201], [201]]
    assert answers[0].content == answers[1].content
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]


async def test_a_pair_held_too_long_is_refused_alone(client, world):
    entries = [world.entry() for _ in range(5)]
    async with transaction(world) as holder:
        await hold_link(holder, world, entries[2]["externalId"])
        answer = await batch(client, world, entries)
    assert codes(answer) == [201, 201, "idempotency_in_progress", 201, 201]
    assert codes(await batch(client, world, entries)) == [200, 200, 201, 200, 200]


async def test_a_batch_with_a_pair_held_too_long_may_be_repeated_under_its_key(client, world):
    entry = world.entry()
    headers = world.headers | {"Idempotency-Key": "k"}
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        refused = await client.post(BATCH_PATH, json={"entries": [entry]}, headers=headers)
    assert codes(refused) == ["idempotency_in_progress"]
    assert await world.count("idempotency_keys") == 0
    again = await client.post(BATCH_PATH, json={"entries": [entry]}, headers=headers)
    assert (codes(again), again.headers.get("idempotent-replayed")) == ([201], None)


async def test_a_stream_stores_the_first_line_of_a_pair_though_its_group_is_held_up(client, world):
    """The second group holds a line of the same pair; nothing but order keeps it from being stored first."""
    held, pair = world.entry(externalId="a"), world.entry(externalId="b")
    lines: list[Any] = [held, pair, *[5] * 498, {**pair, "minutes": 1}]
    content = "\n".join(str(httpx.Request("POST", "http://x", json=line).content, "utf-8") for line in lines)
    async with transaction(world) as holder:
        await hold_link(holder, world, "a")
        request = asyncio.create_task(
            client.post(BATCH_PATH, content=content, headers=world.headers | {"Content-Type": "application/x-ndjson"})
        )
        await blocked(world, holder)
        await batch(client, world, [world.entry(externalId="c")])
        await holder.execute("rollback")
        answer = await request
    rows = [httpx.Response(200, text=line).json() for line in answer.text.splitlines()]
    assert [rows[index]["status"] for index in (0, 1, 500)] == [201, 201, 200]
    assert (rows[1]["entry"]["minutes"], rows[500]["contentDiffers"]) == (150, ["minutes"])
    assert set(await stored(world)) == {"a", "b", "c"}
