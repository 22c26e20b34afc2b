"""GET /time-entries/{id}: the entry with all that is known of it, and its ETag."""

from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import Time
from tests.conftest import SYNC_PATH

NOT_FOUND = {"error": "not_found", "message": "no such time entry in this organisation"}


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def test_an_entry_is_read_as_by_the_integration_with_reason_and_invoice(time, world, client):
    entry = world.entry(externalMetadata={"b": 1, "a": [1.50]}, description="Planning")
    synced = (await client.post(SYNC_PATH, json=entry, headers=world.headers)).json()
    await time.set(synced["id"], status_reason='too "long"', invoice_reference="INV-1", status="invoiced")
    async with nothing_stored(world):
        response = await time.get(synced["id"])
    as_integration = (await time.call("GET", f"{SYNC_PATH}/{synced['id']}")).json()
    assert response.status_code == 200
    assert response.json() == {**as_integration, "statusReason": 'too "long"', "invoiceReference": "INV-1"}
    assert response.json()["invoiced"] is True
    assert '"externalMetadata":{"b":1,"a":[1.5]}' in response.text


async def test_the_etag_counts_the_changes(time):
    created = await time.made()
    assert (await time.get(created["id"])).headers["etag"] == '"1"'
    changed = await time.patch(created["id"], {"minutes": 10})
    assert changed.headers["etag"] == '"2"'
    assert (await time.get(created["id"])).headers["etag"] == '"2"'


@pytest.mark.parametrize("condition", ['"1"', 'W/"1"', "*", '"7", "1"', ' "1" '])
async def test_what_the_reader_has_is_not_sent_again(time, condition):
    created = await time.made()
    response = await time.get(created["id"], headers={"If-None-Match": condition})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", '"1"')


@pytest.mark.parametrize("condition", ['"2"', 'W/"2"', '"11"'])
async def test_what_the_reader_has_not_is_sent(time, condition):
    created = await time.made()
    response = await time.get(created["id"], headers={"If-None-Match": condition})
    assert (response.status_code, response.json()["id"]) == (200, created["id"])


async def test_what_a_key_may_not_see_is_as_if_it_were_not_there(time, world, other_world, client):
    created = await time.post(time.body(), project_id=world.second_project_id)
    id_ = created.json()["id"]
    other_key = other_world.key
    answers = [
        await time.get(uuid4()),
        await time.get("x"),
        await time.get(id_, key=other_key),
        await time.get(id_, key=world.project_key),
        await time.get(id_, key=world.project_key, headers={"If-None-Match": "*"}),
    ]
    assert [(answer.status_code, refusal(answer)) for answer in answers] == [(404, NOT_FOUND)] * len(answers)
    assert all("etag" not in answer.headers for answer in answers)
    assert (await time.get(id_, key=await time.project_key(world.second_project_id))).status_code == 200


async def test_who_may_not_read_time_reads_none(time, world, pool):
    created = await time.made()
    _, writer = await world.mint(permissions=["write:time_entries"])
    assert refusal(await time.get(created["id"], key=writer))["error"] == "permission_violation"
    assert refusal(await time.get(created["id"], key=await time.key_of("client")))["error"] == "role_violation"
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    assert refusal(await time.get(created["id"]))["error"] == "payment_required"
