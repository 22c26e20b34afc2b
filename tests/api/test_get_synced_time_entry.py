"""GET /integration/time-entries/{id}: the entry with its links and metadata; what is not yours does not exist."""

from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.conftest import SYNC_PATH

NOT_FOUND = {"error": "not_found", "message": "no such time entry in this organisation"}
MEMBERS = [
    "id", "organizationId", "projectId", "userId", "entryId", "workDate", "hours", "minutes", "notes", "billable",
    "source", "status", "invoiced", "createdAt", "updatedAt", "externalMetadata", "integrationLinks",
]  # fmt: skip


@pytest.fixture
async def synced(shared_world, client):
    """The answer to a sync with everything in it."""
    world = shared_world
    entry = world.entry(
        description="Planning",
        billable=False,
        entryId=str(world.ticket_id),
        externalMetadata={"taskName": "Planning", "n": [1, None]},
    )
    response = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    assert response.status_code == 201
    return entry, response.json()


@pytest.mark.parametrize("path", [SYNC_PATH, "/integration/time-entries"])
async def test_the_entry_is_read_as_it_was_answered_with_its_link_and_metadata(shared_world, client, synced, path):
    entry, created = synced
    async with nothing_stored(shared_world):
        response = await client.get(f"{path}/{created['id']}", headers=shared_world.headers)
    assert response.status_code == 200
    body = response.json()
    assert list(body) == MEMBERS
    expected = {name: value for name, value in created.items() if name not in ("integrationLinkId", "created")}
    assert {name: body[name] for name in expected} == expected
    assert body["externalMetadata"] == entry["externalMetadata"]
    assert body["integrationLinks"] == [
        {
            "id": created["integrationLinkId"],
            "organizationId": str(shared_world.organization_id),
            "provider": "illumera",
            "externalType": "time_entry",
            "externalId": entry["externalId"],
            "alignEntityType": "time_entry",
            "alignEntityId": created["id"],
            "createdAt": created["createdAt"],
        }
    ]


async def test_all_links_of_an_entry_are_shown_oldest_first(shared_world, client, synced, pool):
    _, created = synced
    for provider, age in (("jira", "1 hour"), ("harvest", "2 hours")):
        await pool.execute(
            "insert into integration_links values ($1, gen_random_uuid(), $2, 'worklog', $3, 'time_entry', "
            "$4::text::uuid, now() - $5::text::interval)",
            shared_world.organization_id,
            provider,
            'a "quoted" id',
            created["id"],
            age,
        )
    response = await client.get(f"{SYNC_PATH}/{created['id']}", headers=shared_world.headers)
    links = response.json()["integrationLinks"]
    assert [(link["provider"], link["externalType"]) for link in links] == [
        ("harvest", "worklog"),
        ("jira", "worklog"),
        ("illumera", "time_entry"),
    ]
    assert links[0]["externalId"] == 'a "quoted" id'


async def test_a_link_of_another_organisation_is_not_shown(shared_world, other_world, client, synced, pool):
    _, created = synced
    await pool.execute(
        "insert into integration_links values ($1, gen_random_uuid(), 'x', 'time_entry', 'x', 'time_entry', "
        "$2::text::uuid, now())",
        other_world.organization_id,
        created["id"],
    )
    response = await client.get(f"{SYNC_PATH}/{created['id']}", headers=shared_world.headers)
    assert [link["provider"] for link in response.json()["integrationLinks"]] == ["illumera"]


async def test_a_foreign_id_and_an_unknown_one_get_the_same_answer(shared_world, other_world, client, synced):
    _, created = synced
    foreign = await client.get(f"{SYNC_PATH}/{created['id']}", headers=other_world.headers)
    unknown = await client.get(f"{SYNC_PATH}/{uuid4()}", headers=other_world.headers)
    ours = await client.get(f"{SYNC_PATH}/{created['id']}", headers=shared_world.headers)
    assert ours.status_code == 200
    for response in (foreign, unknown):
        assert (response.status_code, refusal(response)) == (404, NOT_FOUND)
    comparable = [
        {name: value for name, value in response.headers.items() if name not in ("x-request-id", "date")}
        for response in (foreign, unknown)
    ]
    assert comparable[0] == comparable[1]


@pytest.mark.parametrize(
    "id_", ["x", "0", "7b1e2c3d-0000-0000-0000-00000000000", "%00", "%ff", "..%2f", "'--", "null", "7b1e2c3d " * 5]
)
async def test_an_id_that_is_no_uuid_is_nobodys(shared_world, client, id_):
    response = await client.get(f"{SYNC_PATH}/{id_}", headers=shared_world.headers)
    assert (response.status_code, refusal(response)["error"]) == (404, "not_found")


@pytest.mark.parametrize("spell", ["{{{}}}".format, "urn:uuid:{}".format, "-{}-".format, " {}".format, "{}\n".format])
async def test_an_id_is_not_found_by_other_spellings(shared_world, client, synced, spell):
    _, created = synced
    response = await client.get(f"{SYNC_PATH}/{quote(spell(created['id']))}", headers=shared_world.headers)
    assert (response.status_code, refusal(response)) == (404, NOT_FOUND)


async def test_ids_of_other_things_are_no_time_entries(shared_world, client, synced):
    _, created = synced
    for id_ in (created["integrationLinkId"], created["projectId"], created["userId"], created["organizationId"]):
        response = await client.get(f"{SYNC_PATH}/{id_}", headers=shared_world.headers)
        assert (response.status_code, refusal(response)) == (404, NOT_FOUND)


async def test_an_upper_case_id_finds_the_entry(shared_world, client, synced):
    _, created = synced
    response = await client.get(f"{SYNC_PATH}/{created['id'].upper()}", headers=shared_world.headers)
    assert (response.status_code, response.json()["id"]) == (200, created["id"])


async def test_a_deleted_entry_is_not_found(shared_world, client, synced, pool):
    _, created = synced
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1 and id = $2",
        shared_world.organization_id,
        UUID(created["id"]),
    )
    response = await client.get(f"{SYNC_PATH}/{created['id']}", headers=shared_world.headers)
    assert (response.status_code, refusal(response)) == (404, NOT_FOUND)


async def test_reading_is_behind_the_plan_gate(world, client, pool):
    created = await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    for id_ in (created.json()["id"], "x"):
        response = await client.get(f"{SYNC_PATH}/{id_}", headers=world.headers)
        assert response.status_code == 402
        assert refusal(response) == {
            "error": "payment_required",
            "message": "the organisation's plan does not include time_tracking",
            "reason": "feature_disabled",
            "feature": "time_tracking",
        }


async def test_a_key_of_a_client_reads_no_time(world, client, pool):
    created = await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.admin_id
    )
    response = await client.get(f"{SYNC_PATH}/{created.json()['id']}", headers=world.headers)
    assert response.status_code == 403
    assert (response.json()["error"], response.json()["role"]) == ("role_violation", "client")
