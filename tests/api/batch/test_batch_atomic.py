"""With `?atomic=true` all members are stored or none."""

import pytest

from tests.api.batch.conftest import NOBODY, results_of, statuses, stored_more, without_request_id

ATOMIC = "?atomic=true"
NOT_STORED = {"error": "batch_rejected", "message": "not stored, since another member was refused"}


async def test_an_atomic_batch_in_order_is_stored_and_answered_as_any_other(batches):
    entries = [batches.world.entry() for _ in range(5)]
    await batches.single(entries[2])
    async with stored_more(batches.world, 4):
        results = await batches.results(*entries, query=ATOMIC)
    assert statuses(results) == [201, 201, 200, 201, 201]


async def test_one_refused_member_rejects_all_and_all_results_are_told(batches):
    world = batches.world
    known, fresh = world.entry(), world.entry()
    await batches.single(known)
    async with stored_more(world, 0):
        response = await batches.sync(
            fresh,
            world.entry(projectId=NOBODY),
            known,
            world.entry(minutes=0),
            fresh,
            query=ATOMIC,
            x_request_id="mine",
        )
    message = "no such project in this organisation"
    minutes = "must be an integer from 1 to 1440"
    assert response.status_code == 409
    assert response.json() == {
        "error": "batch_rejected",
        "message": "nothing was stored: 2 of 5 members were refused",
        "requestId": "mine",
        "created": 0,
        "existing": 0,
        "failed": 5,
        "results": [
            {"index": 0, "status": 424, "error": NOT_STORED},
            {
                "index": 1,
                "status": 404,
                "error": {
                    "error": "not_found",
                    "message": f"projectId: {message}",
                    "requestId": "mine",
                    "details": [{"path": "projectId", "code": "not_found", "message": message}],
                },
            },
            {"index": 2, "status": 424, "error": NOT_STORED},
            {
                "index": 3,
                "status": 400,
                "error": {
                    "error": "validation_error",
                    "message": f"minutes: {minutes}",
                    "requestId": "mine",
                    "details": [{"path": "minutes", "code": "out_of_range", "message": minutes}],
                },
            },
            {"index": 4, "status": 424, "error": NOT_STORED},
        ],
    }
    again = await batches.results(fresh, fresh, query=ATOMIC)
    assert statuses(again) == [201, 200]


@pytest.mark.parametrize("place", [0, 499, 999])
async def test_one_refused_member_of_a_thousand_is_enough(batches, place):
    entries = [batches.world.entry() for _ in range(1000)]
    entries[place] = batches.world.entry(userId=str(batches.world.client_user_id))
    async with stored_more(batches.world, 0):
        response = await batches.sync(*entries, query=ATOMIC)
    assert response.status_code == 409
    results = results_of(response)
    assert [result["index"] for result in results if result["status"] != 424] == [place]


async def test_a_rejected_batch_is_not_kept_under_its_idempotency_key(batches):
    world = batches.world
    good, bad = world.entry(), world.entry(minutes=0)
    async with stored_more(world, 0):
        rejected = await batches.sync(good, bad, query=ATOMIC, idempotency_key="k")
    assert rejected.status_code == 409
    async with stored_more(world, 2, idempotency_keys=1):
        accepted = await batches.sync(good, {**bad, "minutes": 1}, query=ATOMIC, idempotency_key="k")
    assert statuses(results_of(accepted)) == [201, 201]
    assert "idempotent-replayed" not in accepted.headers


async def test_a_deleted_pair_rejects_an_atomic_batch(batches):
    world, entry = batches.world, batches.world.entry()
    await batches.single(entry)
    await world.pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1", world.organization_id
    )
    async with stored_more(world, 0):
        response = await batches.sync(world.entry(), entry, query=ATOMIC)
    assert statuses(results_of(response)) == [424, 410]


async def test_atomic_false_is_the_default(batches):
    results = await batches.results(batches.world.entry(), batches.world.entry(minutes=0), query="?atomic=false")
    assert statuses(results) == [201, 400]


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("?atomic=yes", "atomic", "wrong_type"),
        ("?atomic=True", "atomic", "wrong_type"),
        ("?atomic=", "atomic", "wrong_type"),
        ("?atomic=true&atomic=true", "atomic", "duplicate_parameter"),
        ("?atomik=true", "atomik", "unknown_parameter"),
    ],
)
async def test_another_query_is_refused_as_a_whole(batches, query, path, code):
    async with stored_more(batches.world, 0):
        response = await batches.sync(batches.world.entry(), query=query)
    body = without_request_id(response.json(), response)
    assert (response.status_code, body["error"]) == (400, "validation_error")
    assert [(problem["path"], problem["code"]) for problem in body["details"]] == [(path, code)]
