"""externalRef on a create: one time entry per reference, whether creates or syncs bring it, one by one or at once."""

import asyncio
from collections import Counter
from datetime import date
from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once
from tests.api.keeping_time import Time, somebody_waits_for
from tests.conftest import SYNC_PATH, gather_released


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


def ref(external_id=None, **changes):
    return {
        "provider": "harvest",
        "externalType": "time_entry",
        "externalId": external_id or f"h-{uuid4()}",
        **changes,
    }


async def test_a_new_reference_is_stored_with_its_entry_and_one_event(time, world):
    reference = ref()
    async with stored_once(world):
        created = await time.made(externalRef=reference)
    assert [event["event_name"] for event in await time.events(created["id"])] == ["time.logged"]
    (link,) = (await time.get(created["id"])).json()["integrationLinks"]
    assert {name: link[name] for name in reference} == reference
    assert (link["alignEntityType"], link["alignEntityId"]) == ("time_entry", created["id"])


@pytest.mark.parametrize("external_type", ["time_entry", "worklog"])
async def test_a_known_reference_returns_what_exists(time, world, external_type):
    reference = ref(externalType=external_type)
    created = await time.made(externalRef=reference, description="Planning")
    async with nothing_stored(world):
        again = await time.post(time.body(externalRef=reference, description="Planning"))
    assert again.status_code == 200
    assert again.json() == {**created, "created": False}
    assert again.headers["etag"] == '"1"'
    assert "content-differs" not in again.headers


async def test_what_differs_is_named_and_nothing_is_changed(time, world):
    reference = ref()
    created = await time.made(externalRef=reference)
    other = time.body(
        externalRef=reference, minutes=10, billable=False, description="x", workDate="2025-01-16",
        userId=str(world.admin_id), entryId=str(world.second_ticket_id),
    )  # fmt: skip
    async with nothing_stored(world):
        again = await time.post(other, project_id=world.second_project_id)
    assert again.json() == {**created, "created": False}
    differs = "projectId, userId, workDate, minutes, billable, description, entryId"
    assert again.headers["content-differs"] == differs


async def test_references_are_compared_in_unicode_nfc(time):
    created = await time.made(externalRef=ref("caf\u00e9"))
    again = await time.post(time.body(externalRef=ref("cafe\u0301")))
    assert (again.status_code, again.json()["id"]) == (200, created["id"])
    assert (await time.post(time.body(externalRef=ref("CAF\u00c9")))).status_code == 201


async def test_a_sync_finds_what_a_create_made_and_the_other_way_round(time, world, client):
    reference = ref()
    created = await time.made(externalRef=reference)
    entry = world.entry(externalSystem="harvest", externalId=reference["externalId"])
    synced = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    assert (synced.status_code, synced.json()["id"]) == (200, created["id"])
    entry = world.entry(externalSystem="harvest")
    synced = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    found = await time.post(time.body(externalRef=ref(entry["externalId"])))
    assert (found.status_code, found.json()["id"], found.json()["source"]) == (200, synced.json()["id"], "harvest")


async def test_a_known_reference_is_answered_where_a_new_entry_would_be_refused(time, world, pool):
    reference = ref()
    created = await time.made(externalRef=reference)
    await pool.execute("update projects set status = 'archived' where organization_id = $1", world.organization_id)
    await time.lock_until(date(2025, 12, 31))
    again = await time.post(time.body(externalRef=reference))
    assert (again.status_code, again.json()["id"]) == (200, created["id"])


async def test_the_reference_of_a_deleted_entry_stays_taken(time, world, client):
    reference = ref()
    created = await time.made(externalRef=reference)
    assert (await time.delete(created["id"])).status_code == 204
    entry = world.entry(externalSystem="harvest", externalId=reference["externalId"])
    async with nothing_stored(world):
        again = await time.post(time.body(externalRef=reference))
        synced = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    for response in (again, synced):
        assert (response.status_code, refusal(response)["error"]) == (410, "time_entry_deleted")


async def test_a_reference_of_something_else_is_in_conflict(time, world, pool):
    await pool.execute(
        "insert into integration_links values ($1, gen_random_uuid(), 'harvest', 'thing', '1', 'user', $2, now())",
        world.organization_id,
        world.user_id,
    )
    async with nothing_stored(world):
        response = await time.post(time.body(externalRef=ref("1", externalType="thing")))
    assert (response.status_code, refusal(response)["error"]) == (409, "external_ref_conflict")


async def test_a_projects_key_is_not_shown_another_projects_entry(time, world):
    reference = ref()
    created = await time.post(time.body(externalRef=reference), project_id=world.second_project_id)
    async with nothing_stored(world):
        response = await time.post(time.body(externalRef=reference), key=world.project_key)
    assert (response.status_code, refusal(response)["error"]) == (409, "external_ref_conflict")
    assert created.json()["id"] not in response.text


async def test_references_of_another_organisation_are_their_own(time, other_world, client):
    reference = ref()
    await time.made(externalRef=reference)
    other = Time(other_world, client)
    assert (await other.post(other.body(externalRef=reference))).status_code == 201


async def test_a_key_bound_to_a_source_refers_to_that_source_only(time, world):
    _, key = await world.mint(source_binding="jira")
    async with nothing_stored(world):
        response = await time.post(time.body(externalRef=ref()), key=key)
    assert (response.status_code, refusal(response)["error"]) == (403, "source_violation")
    assert (await time.post(time.body(externalRef=ref(provider="jira")), key=key)).status_code == 201


async def test_creates_and_syncs_of_one_pair_at_once_make_one_entry(time, world, client):
    for _ in range(5):
        reference = ref()
        entry = world.entry(externalSystem="harvest", externalId=reference["externalId"])

        async def send(index, reference=reference, entry=entry):
            if index % 2:
                return await client.post(SYNC_PATH, json=entry, headers=world.headers)
            return await time.post(time.body(externalRef=reference))

        async with stored_once(world):
            answers = await gather_released(12, send)
        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 11}
        assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_create_waits_for_a_sync_that_holds_the_pair_and_returns_its_entry(time, world, pool):
    """The link is taken, but not committed, when the create looks: only the insert can find out."""
    reference = ref()
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        entry_id = uuid4()
        await other.execute(
            "insert into integration_links values ($1, gen_random_uuid(), 'harvest', 'time_entry', $2, 'time_entry', "
            "$3, now())",
            world.organization_id,
            reference["externalId"],
            entry_id,
        )
        await other.execute(
            "insert into time_entries (organization_id, id, project_id, user_id, work_date, minutes, billable, source, "
            "created_at, updated_at) values ($1, $2, $3, $4, '2025-01-15', 150, true, 'harvest', now(), now())",
            world.organization_id,
            entry_id,
            world.project_id,
            world.user_id,
        )
        waiting = asyncio.create_task(time.post(time.body(externalRef=reference)))
        await somebody_waits_for(pool, other)
        await transaction.commit()
    response = await waiting
    assert (response.status_code, response.json()["id"]) == (200, str(entry_id))
    assert await world.count("time_entries") == 1
