"""GET /integration/time-entries?externalSystem=&externalId=: has a sync arrived?"""

import unicodedata
from urllib.parse import quote

import pytest

from tests.api.conftest import nothing_stored, refusal, validation_error
from tests.conftest import SYNC_PATH

NOT_FOUND = {"error": "not_found", "message": "no such time entry in this organisation"}
EXPECTED = "must be a string of 1 to 255 characters"
REQUIRED = f"is required; {EXPECTED}"
KNOWN = "is unknown; known: externalId, externalSystem"


async def find(client, world, system: str = "illumera", id_: str = "", path: str = SYNC_PATH):
    query = f"externalSystem={quote(system, safe='')}&externalId={quote(id_, safe='')}"
    return await client.get(f"{path}?{query}", headers=world.headers)


@pytest.mark.parametrize("path", [SYNC_PATH, "/integration/time-entries"])
async def test_the_pair_finds_what_the_id_finds(shared_world, client, path):
    entry = shared_world.entry(externalMetadata={"a": 1})
    created = await client.post(SYNC_PATH, json=entry, headers=shared_world.headers)
    by_id = await client.get(created.headers["location"], headers=shared_world.headers)
    async with nothing_stored(shared_world):
        by_pair = await find(client, shared_world, id_=entry["externalId"], path=path)
    assert (by_pair.status_code, by_pair.content) == (200, by_id.content)


@pytest.mark.parametrize("name", ["a b", "a+b", "a&b=c#d", "ünï/cödé", "🙂", "%2F", "100%", '"', "\\", "é" * 255])
async def test_any_name_can_be_found_again(shared_world, client, name):
    entry = shared_world.entry(externalSystem=name, externalId=name)
    created = await client.post(SYNC_PATH, json=entry, headers=shared_world.headers)
    found = await find(client, shared_world, name, name)
    assert (found.status_code, found.json()["id"]) == (200, created.json()["id"])
    assert found.json()["integrationLinks"][0]["externalId"] == name


async def test_names_are_compared_as_in_a_sync(shared_world, client):
    composed, decomposed = (unicodedata.normalize(form, "Å-1") for form in ("NFC", "NFD"))
    created = await client.post(SYNC_PATH, json=shared_world.entry(externalId=composed), headers=shared_world.headers)
    found = await find(client, shared_world, id_=decomposed)
    other_case = await find(client, shared_world, id_=composed.lower())
    assert (found.status_code, found.json()["id"]) == (200, created.json()["id"])
    assert (other_case.status_code, refusal(other_case)) == (404, NOT_FOUND)


async def test_a_foreign_pair_and_an_unknown_one_get_the_same_answer(shared_world, other_world, client):
    entry = shared_world.entry()
    await client.post(SYNC_PATH, json=entry, headers=shared_world.headers)
    foreign = await find(client, other_world, id_=entry["externalId"])
    unknown = await find(client, other_world, id_="unknown")
    for response in (foreign, unknown):
        assert (response.status_code, refusal(response)) == (404, NOT_FOUND)


async def test_each_organisation_finds_its_own_entry_of_the_same_pair(shared_world, other_world, client):
    for world in (shared_world, other_world):
        await client.post(SYNC_PATH, json=world.entry(externalId="both"), headers=world.headers)
    found = [(await find(client, world, id_="both")).json() for world in (shared_world, other_world)]
    assert [body["organizationId"] for body in found] == [
        str(shared_world.organization_id),
        str(other_world.organization_id),
    ]
    assert [len(body["integrationLinks"]) for body in found] == [1, 1]


async def test_system_and_id_must_both_match(shared_world, client):
    entry = shared_world.entry()
    await client.post(SYNC_PATH, json=entry, headers=shared_world.headers)
    other_system = await find(client, shared_world, "jira", entry["externalId"])
    other_id = await find(client, shared_world, "illumera", "other")
    assert [response.status_code for response in (other_system, other_id)] == [404, 404]


async def test_a_deleted_entry_is_gone(world, client, pool):
    entry = world.entry()
    await client.post(SYNC_PATH, json=entry, headers=world.headers)
    await pool.execute("update time_entries set deleted_at = now() where organization_id = $1", world.organization_id)
    response = await find(client, world, id_=entry["externalId"])
    assert response.status_code == 410
    assert refusal(response) == {
        "error": "time_entry_deleted",
        "message": "the time entry of this external id was deleted",
    }


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ("", [("externalSystem", "required", REQUIRED), ("externalId", "required", REQUIRED)]),
        ("?externalSystem=a", [("externalId", "required", REQUIRED)]),
        ("?externalId=a", [("externalSystem", "required", REQUIRED)]),
        ("?externalSystem=&externalId=a", [("externalSystem", "too_short", EXPECTED)]),
        ("?externalSystem&externalId=a", [("externalSystem", "too_short", EXPECTED)]),
        ("?externalSystem=a&externalId=+", [("externalId", "blank", "must hold more than white space")]),
        ("?externalSystem=a&externalId=a%00", [("externalId", "control_character", "must hold no control characters")]),
        ("?externalSystem=a%0A&externalId=a",
         [("externalSystem", "control_character", "must hold no control characters")]),
        ("?externalSystem=a&externalId=" + "x" * 256,
         [("externalId", "too_long", EXPECTED)]),
        ("?externalSystem=a&externalId=b&page=1&limit=2",
         [("page", "unknown_parameter", KNOWN), ("limit", "unknown_parameter", KNOWN)]),
        ("?externalSystem=a&externalId=b&externalId=c", [("externalId", "duplicate_parameter", "occurs twice")]),
        ("?externalSystem=a&externalSystem=a&externalId=b&externalId=b",
         [("externalSystem", "duplicate_parameter", "occurs twice"),
          ("externalId", "duplicate_parameter", "occurs twice")]),
        ("?externalSystem=a&externalId=%ff", [("query", "invalid_query", "must be percent-encoded UTF-8")]),
        ("?externalSystem=a&externalId=%ED%A0%80", [("query", "invalid_query", "must be percent-encoded UTF-8")]),
        ("?%ff=a", [("query", "invalid_query", "must be percent-encoded UTF-8")]),
        ("?" + "a=1&" * 51, [("query", "invalid_query", "must be percent-encoded UTF-8")]),
    ],
)  # fmt: skip
async def test_an_unfit_query_is_refused_with_every_problem(shared_world, client, query, problems):
    response = await client.get(f"{SYNC_PATH}{query}", headers=shared_world.headers)
    assert (response.status_code, refusal(response)) == (400, validation_error(*problems))


async def test_finding_is_behind_the_plan_gate_whatever_the_query(world, client, pool):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    for query in ("?externalSystem=a&externalId=b", ""):
        response = await client.get(f"{SYNC_PATH}{query}", headers=world.headers)
        assert response.status_code == 402
        assert (refusal(response)["reason"], refusal(response)["feature"]) == ("feature_disabled", "time_tracking")


async def test_a_key_of_a_client_finds_no_time(world, client, pool):
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.admin_id
    )
    response = await find(client, world, id_="x")
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")
