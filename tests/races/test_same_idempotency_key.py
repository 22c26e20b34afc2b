"""The same Idempotency-Key from many senders at once has one effect and one answer."""

from collections import Counter

from tests.conftest import SYNC_PATH, gather_released
from tests.races.conftest import stored, sync

SENDERS = 30


def answered(answers, name):
    """How often a header has which value."""
    return Counter(answer.headers.get(name) for answer in answers)


async def test_repeats_of_one_request_at_once_are_answered_byte_for_byte_alike(servers, world):
    entry = world.entry()

    async def send(index):
        return await sync(servers[index % len(servers)], world, entry, idempotency_key="batch-1")

    answers = await gather_released(SENDERS, send)
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert answered(answers, "idempotent-replayed") == {None: 1, "true": SENDERS - 1}
    assert len(answered(answers, "location")) == 1
    assert list(await stored(world)) == [entry["externalId"]]
    assert await world.count("idempotency_keys") == 1


async def test_different_pairs_under_one_key_at_once_store_only_the_first(servers, world):
    entries = [world.entry() for _ in range(SENDERS)]

    async def send(index):
        return await sync(servers[index % len(servers)], world, entries[index], idempotency_key="batch-1")

    answers = await gather_released(SENDERS, send)
    assert len({answer.content for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert answered(answers, "idempotent-replayed") == {None: 1, "true": SENDERS - 1}
    assert answered(answers, "idempotency-body-mismatch") == {None: 1, "true": SENDERS - 1}
    winner = next(index for index, answer in enumerate(answers) if "idempotent-replayed" not in answer.headers)
    assert await stored(world) == {entries[winner]["externalId"]: answers[winner].json()["id"]}
    assert await world.count("idempotency_keys") == 1


async def test_a_strict_organisation_refuses_all_other_bodies_under_one_key(servers, world):
    await world.pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    entries = [world.entry() for _ in range(SENDERS)]

    async def send(index):
        return await sync(servers[index % len(servers)], world, entries[index], idempotency_key="batch-1")

    answers = await gather_released(SENDERS, send)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: SENDERS - 1}
    refused = {answer.json()["error"] for answer in answers if answer.status_code == 422}
    assert refused == {"idempotency_key_reused"}
    assert len(await stored(world)) == 1


async def test_repeats_for_an_entry_that_exists_are_all_the_same_200(servers, world):
    entry = world.entry()
    first = await sync(servers[0], world, entry)

    async def send(index):
        return await sync(servers[index % len(servers)], world, entry, idempotency_key="batch-1")

    answers = await gather_released(SENDERS, send)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["id"] == first.json()["id"]
    assert answered(answers, "idempotent-replayed") == {None: 1, "true": SENDERS - 1}


async def test_an_expired_key_is_used_anew_once_however_many_use_it(servers, world):
    await sync(servers[0], world, world.entry(), idempotency_key="batch-1")
    await world.pool.execute(
        "update idempotency_keys set expires_at = now() where organization_id = $1", world.organization_id
    )
    entries = [world.entry() for _ in range(SENDERS)]

    async def send(index):
        return await sync(servers[index % len(servers)], world, entries[index], idempotency_key="batch-1")

    answers = await gather_released(SENDERS, send)
    assert len({answer.content for answer in answers}) == 1
    assert answered(answers, "idempotent-replayed") == {None: 1, "true": SENDERS - 1}
    assert len(await stored(world)) == 2
    assert await world.count("idempotency_keys") == 1


async def test_one_key_under_both_paths_and_spellings_is_one_key(servers, world):
    entries = [world.entry() for _ in range(SENDERS)]

    async def send(index):
        path = (SYNC_PATH, SYNC_PATH.removeprefix("/api/v1"))[index // 2 % 2]
        headers = world.headers | {"Idempotency-Key": ("batch-1", '"batch-1"')[index // 4 % 2]}
        return await servers[index % len(servers)].post(path, json=entries[index], headers=headers)

    answers = await gather_released(SENDERS, send)
    assert len({answer.content for answer in answers}) == 1
    assert len(await stored(world)) == 1


async def test_the_same_key_text_of_different_api_keys_at_once_are_different_keys(servers, world, other_world):
    _, second_key = await world.mint()
    senders = [world.headers, {"X-API-Key": second_key}, other_world.headers]

    async def send(index):
        owner = other_world if index % 3 == 2 else world
        headers = senders[index % 3] | {"Idempotency-Key": "batch-1"}
        return await servers[index % len(servers)].post(SYNC_PATH, json=owner.entry(), headers=headers)

    answers = await gather_released(SENDERS, send)
    assert len({answer.content for answer in answers}) == 3
    assert len({answer.json()["id"] for answer in answers}) == 3
    assert len(await stored(world)) == 2
    assert len(await stored(other_world)) == 1
