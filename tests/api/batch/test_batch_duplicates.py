"""A pair that occurs several times in one batch: its first fitting member creates, the others find it."""

import pytest

from tests.api.batch.conftest import NOBODY, statuses, stored_more

FORMS = {"plain": {}, "atomic": {"query": "?atomic=true"}, "with idempotency key": {"idempotency_key": "k"}}


@pytest.fixture(params=FORMS.values(), ids=FORMS)
def form(request):
    """Each member on its own account, or all in one transaction."""
    return request.param


def kept(form) -> int:
    return 1 if "idempotency_key" in form else 0


@pytest.mark.parametrize("times", [2, 3, 50])
async def test_the_first_creates_and_the_others_are_200(batches, form, times):
    entry = batches.world.entry()
    async with stored_more(batches.world, 1, idempotency_keys=kept(form)):
        results = await batches.results(*[entry] * times, **form)
    assert statuses(results) == [201] + [200] * (times - 1)
    first = results[0]["entry"]
    assert [result["entry"] for result in results[1:]] == [{**first, "created": False}] * (times - 1)


async def test_later_contents_differ_and_change_nothing(batches, form):
    entry = batches.world.entry()
    others = [{**entry, "minutes": 1}, {**entry, "description": "x", "billable": False}, entry]
    async with stored_more(batches.world, 1, idempotency_keys=kept(form)):
        results = await batches.results(entry, *others, **form)
    assert statuses(results) == [201, 200, 200, 200]
    assert [result.get("contentDiffers") for result in results] == [
        None,
        ["minutes"],
        ["billable", "description"],
        None,
    ]
    assert {result["entry"]["minutes"] for result in results} == {150}


async def test_several_pairs_mixed_keep_their_own_order(batches, form):
    a, b, c = (batches.world.entry() for _ in range(3))
    order = [a, b, {**a, "minutes": 1}, c, {**b, "minutes": 2}, {**a, "minutes": 3}, c]
    async with stored_more(batches.world, 3, idempotency_keys=kept(form)):
        results = await batches.results(*order, **form)
    assert statuses(results) == [201, 201, 200, 201, 200, 200, 200]
    ids = [result["entry"]["id"] for result in results]
    assert ids[0] == ids[2] == ids[5]
    assert ids[1] == ids[4]
    assert ids[3] == ids[6]
    assert len(set(ids)) == 3
    assert {result["entry"]["minutes"] for result in results} == {150}


async def test_a_first_member_that_is_refused_leaves_the_pair_to_the_next(batches):
    entry = batches.world.entry()
    refused = [{**entry, "projectId": NOBODY}, {**entry, "minutes": 0}]
    async with stored_more(batches.world, 1):
        results = await batches.results(*refused, entry, {**entry, "userId": NOBODY}, entry)
    assert statuses(results) == [404, 400, 201, 404, 200]


async def test_a_pair_that_existed_is_found_by_all(batches, form):
    entry = batches.world.entry()
    await batches.single(entry)
    async with stored_more(batches.world, 0, idempotency_keys=kept(form)):
        results = await batches.results(entry, {**entry, "minutes": 1}, entry, **form)
    assert statuses(results) == [200, 200, 200]
    assert [result.get("contentDiffers") for result in results] == [None, ["minutes"], None]


async def test_the_same_id_in_another_system_is_another_pair(batches, form):
    entry = batches.world.entry()
    async with stored_more(batches.world, 2, idempotency_keys=kept(form)):
        results = await batches.results(entry, {**entry, "externalSystem": "jira"}, **form)
    assert statuses(results) == [201, 201]
