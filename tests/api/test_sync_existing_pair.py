"""A known pair: the entry as it is, never changed, never brought back; what differs is named."""

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once
from tests.conftest import SYNC_PATH


def changed(api, name: str) -> object:
    """Another valid value for a member of the entry that `full` sends."""
    world = api.world
    return {
        "projectId": str(world.second_project_id),
        "userId": str(world.admin_id),
        "workDate": "2025-01-16",
        "minutes": 151,
        "billable": False,
        "description": "other",
        "entryId": str(world.ticket_id),
        "externalMetadata": {"a": 2},
    }[name]


@pytest.mark.parametrize(
    "name",
    ["projectId", "userId", "workDate", "minutes", "billable", "description", "entryId", "externalMetadata"],
)
async def test_a_member_that_differs_is_named_and_the_entry_stays(api, name):
    entry = api.world.entry(description="first", externalMetadata={"a": 1})
    created = await api.sync(entry)
    async with nothing_stored(api.world):
        repeat = await api.sync({**entry, name: changed(api, name)})
    assert repeat.status_code == 200
    assert repeat.headers["content-differs"] == name
    assert repeat.json() == {**created.json(), "created": False}


async def test_all_members_that_differ_are_named(api):
    entry = api.world.entry()
    created = await api.sync(entry)
    other = api.world.entry(
        externalId=entry["externalId"],
        projectId=str(api.world.second_project_id),
        userId=str(api.world.admin_id),
        workDate="2024-02-29",
        minutes=1,
        billable=False,
        description="",
        entryId=str(api.world.second_ticket_id),
        externalMetadata={},
    )
    repeat = await api.sync(other)
    assert repeat.headers["content-differs"] == (
        "projectId, userId, workDate, minutes, billable, description, entryId, externalMetadata"
    )
    assert repeat.json() == {**created.json(), "created": False}


@pytest.mark.parametrize("name", ["description", "entryId", "externalMetadata"])
async def test_leaving_out_what_was_stored_is_a_difference(api, name):
    optional = {"description": "x", "entryId": str(api.world.ticket_id), "externalMetadata": {"a": 1}}
    entry = api.world.entry(**optional)
    await api.sync(entry)
    del entry[name]
    assert (await api.sync(entry)).headers["content-differs"] == name


@pytest.mark.parametrize(
    ("stored", "repeated"),
    [
        ({}, {}),
        ({}, {"billable": True}),
        ({"billable": True}, {}),
        ({"workDate": "2025-01-15"}, {"workDate": "2025-01-15T23:00:00-05:00"}),
    ],
)
async def test_the_same_meaning_spelled_otherwise_is_no_difference(api, stored, repeated):
    entry = api.world.entry()
    await api.sync({**entry, **stored})
    repeat = await api.sync({**entry, **repeated})
    assert (repeat.status_code, "content-differs" in repeat.headers) == (200, False)


async def test_a_deleted_entry_is_gone_and_no_repeat_brings_it_back(api, pool):
    entry = api.world.entry()
    await api.sync(entry)
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1", api.world.organization_id
    )
    async with nothing_stored(api.world):
        responses = [await api.sync(entry), await api.sync({**entry, "minutes": 1}, idempotency_key="k")]
    for response in responses:
        assert response.status_code == 410
        assert refusal(response) == {
            "error": "time_entry_deleted",
            "message": "the time entry of this external id was deleted; it is not created again",
        }


async def test_other_pairs_are_not_touched_by_a_tombstone(api, pool):
    await api.sync(api.world.entry(externalSystem="jira", externalId="1"))
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1", api.world.organization_id
    )
    assert (await api.sync(api.world.entry(externalSystem="harvest", externalId="1"))).status_code == 201


async def test_a_known_pair_of_an_archived_project_still_answers(api, pool):
    entry = api.world.entry()
    created = await api.sync(entry)
    await pool.execute(
        "update projects set status = 'archived' where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.project_id,
    )
    async with nothing_stored(api.world):
        repeat = await api.sync(entry)
    assert (repeat.status_code, repeat.json()) == (200, {**created.json(), "created": False})


async def test_a_known_pair_of_a_user_who_became_a_client_still_answers(api, pool):
    entry = api.world.entry()
    created = await api.sync(entry)
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.user_id,
    )
    async with nothing_stored(api.world):
        repeat = await api.sync(entry)
    assert (repeat.status_code, repeat.json()) == (200, {**created.json(), "created": False})


async def test_a_link_of_another_kind_with_the_same_id_is_another_thing(api, pool):
    await pool.execute(
        "insert into integration_links values ($1, gen_random_uuid(), 'illumera', 'user', 'u-1', 'user', $2, now())",
        api.world.organization_id,
        api.world.user_id,
    )
    async with stored_once(api.world):
        assert (await api.sync(api.world.entry(externalId="u-1"))).status_code == 201


async def test_a_pair_known_elsewhere_says_nothing_here(api, other_world):
    await api.client.post(SYNC_PATH, json=other_world.entry(externalId="theirs"), headers=other_world.headers)
    async with nothing_stored(other_world):
        response = await api.sync(api.world.entry(externalId="theirs", minutes=1))
    assert (response.status_code, "content-differs" in response.headers) == (201, False)
