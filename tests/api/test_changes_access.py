"""GET /changes and GET /audit-events: who may read which events."""

import pytest

from align.organizations import organizations
from tests.api.conftest import refusal
from tests.api.following import CHANGES, follow, latest
from tests.conftest import SYNC_PATH

AUDIT = "/api/v1/audit-events"
BOTH = pytest.mark.parametrize("path", [CHANGES, AUDIT])


async def synced(client, world, project_id) -> str:
    entry = world.entry(projectId=str(project_id))
    response = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    assert response.status_code == 201
    return response.json()["id"]


async def test_a_project_key_sees_the_events_of_its_project_only(client, world):
    mine, other = [await synced(client, world, each) for each in (world.project_id, world.second_project_id)]
    changes = await follow(client, world, key=world.project_key)
    assert all(each["entity"] is not None for each in changes if each["entityType"] in ("project", "ticket"))
    seen = {each["entityId"] for each in changes}
    assert mine in seen
    assert other not in seen
    rows = await world.pool.fetch(
        "select id from events where organization_id = $1 and project_id = $2", world.organization_id, world.project_id
    )
    assert {each["id"] for each in changes} == {str(row["id"]) for row in rows}
    audit = await client.get(AUDIT, params={"pageSize": 100}, headers={"X-API-Key": world.project_key})
    assert {each["id"] for each in audit.json()["data"]} == {str(row["id"]) for row in rows}
    assert audit.json()["total"] == len(rows)


async def test_an_entry_that_moves_is_gone_from_one_project_and_new_to_the_other(client, world):
    _, second_key = await world.mint(scoped_project_id=world.second_project_id)
    first_start, second_start = [await latest(client, world, key) for key in (world.project_key, second_key)]
    entry_id = await synced(client, world, world.project_id)
    moved = await client.patch(
        f"/api/v1/time-entries/{entry_id}",
        json={"projectId": str(world.second_project_id), "description": "Moved."},
        headers=world.headers,
    )
    assert moved.status_code == 200, moved.text
    _, gone = await follow(client, world, first_start, key=world.project_key)
    assert (gone["eventName"], gone["change"], gone["entity"], gone["after"]) == ("time.updated", "delete", None, None)
    assert gone["before"]["projectId"] == str(world.project_id)
    (came,) = await follow(client, world, second_start, key=second_key)
    assert (came["eventName"], came["change"], came["before"]) == ("time.updated", "upsert", None)
    assert came["entity"]["notes"] == came["after"]["notes"] == "Moved."
    whole = (await follow(client, world))[-1]
    assert (whole["before"]["notes"], whole["after"]["notes"], whole["change"]) == (None, "Moved.", "upsert")
    for key, of, hidden in ((world.project_key, gone, world.second_project_id), (second_key, came, world.project_id)):
        audit = await client.get(AUDIT, params={"entityId": entry_id}, headers={"X-API-Key": key})
        newest = audit.json()["data"][0]
        assert (newest["metadata"]["before"], newest["metadata"]["after"]) == (of["before"], of["after"])
        assert str(hidden) not in audit.text


@BOTH
async def test_a_key_that_acts_for_a_client_is_refused(client, world, path):
    _, text = await world.mint(created_by_user_id=world.client_user_id)
    response = await client.get(path, headers={"X-API-Key": text})
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")


@BOTH
async def test_a_key_needs_the_permission(client, world, path):
    _, without = await world.mint(permissions=["read:time_entries"])
    _, with_it = await world.mint(permissions=["read:events"])
    response = await client.get(path, headers={"X-API-Key": without})
    body = refusal(response)
    assert (response.status_code, body["error"]) == (403, "permission_violation")
    assert body["requiredPermission"] == "read:events"
    assert (await client.get(path, headers={"X-API-Key": with_it})).status_code == 200


@BOTH
async def test_events_need_no_feature_of_the_plan(client, world, path):
    async with world.pool.acquire() as tx, tx.transaction():
        await organizations.set_feature(tx, world.organization_id, "time_tracking", on=False)
    assert (await client.get(path, headers=world.headers)).status_code == 200


@BOTH
async def test_no_key_no_events(client, path):
    response = await client.get(path)
    assert (response.status_code, refusal(response)["error"]) == (401, "key_missing")


async def test_no_event_holds_a_secret(client, world):
    _, bearer = await world.mint()
    made = await client.post(
        "/api/v1/api-keys", json={"name": "New", "scope": "organization"}, headers={"X-API-Key": bearer}
    )
    assert made.status_code == 201, made.text
    secrets = [made.json()["key"]]
    rotated = await client.post(f"/api/v1/api-keys/{made.json()['id']}/rotate", headers={"X-API-Key": bearer})
    assert rotated.status_code in (200, 201), rotated.text
    secrets.append(rotated.json()["key"])
    rows = await world.pool.fetch(
        "select digest, previous_digest from api_keys where organization_id = $1", world.organization_id
    )
    digests = [digest.hex() for row in rows for digest in row if digest is not None]
    assert len(digests) >= 4
    feed = (await client.get(CHANGES, params={"limit": 1000}, headers=world.headers)).text
    audit = (await client.get(AUDIT, params={"pageSize": 100}, headers=world.headers)).text
    names = [each["eventName"] for each in await follow(client, world)]
    assert names[-2:] == ["api_key.created", "api_key.rotated"]
    for text in (feed, audit):
        assert not any(secret in text or secret[12:] in text for secret in (*secrets, bearer, world.key))
        assert not any(digest in text for digest in digests)
