"""The heart: a new pair is stored once, whole, and every repeat returns what is there."""

import json
from uuid import UUID

import pytest

from tests.api.conftest import nothing_stored, stored_once
from tests.conftest import SYNC_PATH


async def test_the_first_sync_creates_and_every_later_one_returns_the_same_entry(api):
    entry = api.world.entry(description="Sprint planning session.")
    async with stored_once(api.world):
        first = await api.sync(entry)
        repeats = [await api.sync(entry) for _ in range(3)]
    assert first.status_code == 201
    assert first.json()["created"] is True
    assert [repeat.status_code for repeat in repeats] == [200, 200, 200]
    for repeat in repeats:
        assert repeat.json() == {**first.json(), "created": False}


async def test_entry_link_and_event_are_stored_together_and_belong_to_each_other(api, pool):
    world = api.world
    body = (await api.sync(world.entry(externalId="te-1", entryId=str(world.ticket_id)))).json()
    entry = await pool.fetchrow(
        "select *, xmin::text as written_by from time_entries where organization_id = $1", world.organization_id
    )
    link = await pool.fetchrow(
        "select *, xmin::text as written_by from integration_links where organization_id = $1", world.organization_id
    )
    event = await pool.fetchrow(
        "select *, xmin::text as written_by from events where organization_id = $1 and event_name = 'time.logged'",
        world.organization_id,
    )
    assert (entry["id"], link["id"]) == (UUID(body["id"]), UUID(body["integrationLinkId"]))
    assert (entry["user_id"], entry["ticket_id"], entry["minutes"]) == (world.user_id, world.ticket_id, 150)
    assert (link["provider"], link["external_type"], link["external_id"]) == ("illumera", "time_entry", "te-1")
    assert (link["align_entity_type"], link["align_entity_id"]) == ("time_entry", entry["id"])
    assert (event["entity_type"], event["entity_id"]) == ("time_entry", entry["id"])
    assert entry["created_at"] == entry["updated_at"] == link["created_at"] == event["occurred_at"]
    assert entry["written_by"] == link["written_by"] == event["written_by"]  # one transaction


async def test_the_event_says_who_logged_which_entry(api, pool):
    world = api.world
    body = (await api.sync()).json()
    event = await pool.fetchrow(
        "select * from events where organization_id = $1 and event_name = 'time.logged'", world.organization_id
    )
    assert (event["actor_user_id"], event["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert event["before"] is None
    expected = {name: value for name, value in body.items() if name not in ("integrationLinkId", "created")}
    assert json.loads(event["after"]) == expected


async def test_the_idempotency_row_is_stored_in_the_same_transaction(api, pool):
    world = api.world
    async with stored_once(world, idempotency_keys=1):
        await api.sync(idempotency_key="k-1")
    entry = await pool.fetchval("select xmin::text from time_entries where organization_id = $1", world.organization_id)
    row = await pool.fetchrow(
        "select *, xmin::text as written_by from idempotency_keys where organization_id = $1", world.organization_id
    )
    assert row["written_by"] == entry
    assert (row["api_key_id"], row["method"], row["path"]) == (world.key_id, "POST", SYNC_PATH)
    assert (row["key"], row["status"]) == ("k-1", 201)


async def test_every_entry_has_one_event_and_one_link_of_its_own(api, pool):
    ids = {UUID((await api.sync()).json()["id"]) for _ in range(5)}
    events = await pool.fetch(
        "select entity_id from events where organization_id = $1 and event_name = 'time.logged'",
        api.world.organization_id,
    )
    links = await pool.fetch(
        "select align_entity_id from integration_links where organization_id = $1", api.world.organization_id
    )
    assert len(events) == len(links) == 5
    assert {row["entity_id"] for row in events} == {row["align_entity_id"] for row in links} == ids


@pytest.mark.parametrize("path", [SYNC_PATH, "/integration/time-entries"])
async def test_both_paths_of_the_operation_answer_alike(world, client, path):
    entry = world.entry()
    created = await client.post(path, json=entry, headers=world.headers)
    existing = [
        await client.post(each, json=entry, headers=world.headers) for each in (SYNC_PATH, "/integration/time-entries")
    ]
    assert [created.status_code, *(each.status_code for each in existing)] == [201, 200, 200]
    assert {each.json()["id"] for each in existing} == {created.json()["id"]}


async def test_a_created_entry_has_its_location_and_can_be_read_there(api):
    created = await api.sync()
    assert created.headers["location"] == f"{SYNC_PATH}/{created.json()['id']}"
    read = await api.client.get(created.headers["location"], headers=api.world.headers)
    assert read.status_code == 200
    assert read.json()["id"] == created.json()["id"]


async def test_an_existing_entry_is_answered_without_a_location(api):
    entry = api.world.entry()
    await api.sync(entry)
    assert "location" not in (await api.sync(entry)).headers


async def test_the_same_pair_in_another_organisation_is_another_entry(api, other_world):
    entry = api.world.entry(externalId="shared")
    first = await api.sync(entry)
    async with nothing_stored(api.world), stored_once(other_world):
        second = await api.client.post(
            SYNC_PATH, json=other_world.entry(externalId="shared"), headers=other_world.headers
        )
    assert second.status_code == 201
    assert second.json()["id"] != first.json()["id"]
    assert second.json()["organizationId"] == str(other_world.organization_id)


async def test_another_key_of_the_organisation_finds_the_same_entry(api):
    entry = api.world.entry()
    first = await api.sync(entry)
    _, text = await api.world.mint()
    second = await api.sync(entry, authorization=f"Bearer {text}")
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])


async def test_a_deactivated_users_time_is_taken_since_history_gets_imported(api, pool):
    await pool.execute(
        "update users set deactivated_at = now() where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.user_id,
    )
    assert (await api.sync()).status_code == 201


@pytest.mark.parametrize("status", ["on_hold", "completed"])
async def test_only_archived_projects_take_no_time(api, pool, status):
    await pool.execute(
        "update projects set status = $3 where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.project_id,
        status,
    )
    assert (await api.sync()).status_code == 201
