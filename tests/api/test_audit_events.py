"""GET /audit-events: who changed what, newest first."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from align.projects import projects
from tests.api.conftest import nothing_stored
from tests.conftest import SYNC_PATH

PATH = "/api/v1/audit-events"


async def audit(client, world, **parameters) -> dict:
    response = await client.get(PATH, params=parameters, headers=world.headers)
    assert response.status_code == 200, response.text
    return response.json()


async def synced(client, world, **changes) -> dict:
    response = await client.post(SYNC_PATH, json=world.entry(**changes), headers=world.headers)
    assert response.status_code == 201
    return response.json()


async def test_a_write_by_key_names_the_key_and_its_user(client, world):
    entry = await synced(client, world, description="Sprint planning.")
    event = (await audit(client, world))["data"][0]
    row = await world.pool.fetchrow("select id from events where entity_id = $1", entry["id"])
    after = event["metadata"].pop("after")
    assert after.items() <= entry.items()
    assert event == {
        "id": str(row["id"]),
        "entityType": "time_entry",
        "action": "time.logged",
        "entityId": entry["id"],
        "entityName": "Sprint planning.",
        "actorId": str(world.admin_id),
        "metadata": {"actorType": "api_key", "apiKeyId": str(world.key_id), "before": None},
        "createdAt": entry["createdAt"],
    }


async def test_a_change_at_the_command_line_names_the_operator_and_both_values(client, world):
    async with world.pool.acquire() as tx, tx.transaction():
        await projects.set_status(tx, world.organization_id, world.project_id, "on_hold")
    event = (await audit(client, world))["data"][0]
    assert (event["action"], event["actorId"], event["entityName"]) == ("project.updated", None, "First")
    assert event["metadata"] == {
        "actorType": "operator",
        "apiKeyId": None,
        "before": {"status": "active"},
        "after": {"status": "on_hold"},
    }


async def test_every_event_is_listed_newest_first_on_pages_of_any_size(client, world):
    for _ in range(5):
        await synced(client, world)
    whole = await audit(client, world, pageSize=100)
    stored = await world.pool.fetch(
        "select id from events where organization_id = $1 order by transaction_id desc, id desc", world.organization_id
    )
    assert [each["id"] for each in whole["data"]] == [str(row["id"]) for row in stored]
    assert (whole["page"], whole["pageSize"], whole["total"]) == (1, 100, len(stored))
    found, number = [], 1
    while part := (await audit(client, world, page=number, pageSize=3))["data"]:
        found += part
        number += 1
    assert found == whole["data"]


async def test_things_have_the_names_that_people_know(client, world):
    events = (await audit(client, world, pageSize=100))["data"]
    names = {(each["entityType"], each["entityName"]) for each in events}
    assert names >= {
        ("project", "First"),
        ("project", "Archived"),
        ("user", "Ada Admin"),
        ("ticket", "A ticket"),
        ("api_key", "organisation"),
    }
    assert all(each["entityName"] for each in events)


async def test_a_name_is_the_one_of_that_time(client, world):
    await world.pool.execute("update projects set name = 'Renamed' where id = $1", world.project_id)
    created = (await audit(client, world, entityId=str(world.project_id)))["data"][-1]
    assert (created["action"], created["entityName"]) == ("project.created", "First")


async def test_filters_choose_events_and_count_them(client, world):
    entry = await synced(client, world)
    everything = (await audit(client, world, pageSize=100))["data"]
    for name, of in {
        "entityType": lambda each: each["entityType"],
        "action": lambda each: each["action"],
        "entityId": lambda each: each["entityId"],
    }.items():
        for value in {of(each) for each in everything}:
            answer = await audit(client, world, pageSize=100, **{name: value})
            expected = [each for each in everything if of(each) == value]
            assert (answer["data"], answer["total"]) == (expected, len(expected)), (name, value)
    by_key = await audit(client, world, actorId=str(world.admin_id))
    assert [each["entityId"] for each in by_key["data"]] == [entry["id"]]
    both = await audit(client, world, entityType="user", action="project.created")
    assert (both["data"], both["total"]) == ([], 0)


async def test_times_choose_events_from_the_first_to_before_the_second(client, world):
    entry = await synced(client, world)
    at = datetime.fromisoformat(entry["createdAt"])
    just_after = (at + timedelta(microseconds=1)).isoformat()
    found = await audit(client, world, **{"from": entry["createdAt"], "to": just_after})
    assert [each["entityId"] for each in found["data"]] == [entry["id"]]
    assert (await audit(client, world, **{"from": just_after}))["total"] == 0
    assert (await audit(client, world, to=entry["createdAt"]))["total"] == await world.count("events") - 1


async def test_what_does_not_exist_is_no_error_and_nothing(client, world):
    assert (await audit(client, world, entityId=str(uuid4())))["data"] == []


async def test_another_organisations_events_are_not_there(client, world, other_world):
    entry = await synced(client, other_world)
    assert (await audit(client, world, entityId=entry["id"]))["total"] == 0
    assert (await audit(client, world))["total"] == await world.count("events")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"page": 0}, ("page", "out_of_range")),
        ({"pageSize": 101}, ("pageSize", "out_of_range")),
        ({"entityType": "invoice"}, ("entityType", "unknown_value")),
        ({"action": ""}, ("action", "too_short")),
        ({"entityId": "7"}, ("entityId", "invalid_uuid")),
        ({"actorId": "me"}, ("actorId", "invalid_uuid")),
        ({"from": "2025-01-15"}, ("from", "invalid_date")),
        ({"to": "yesterday"}, ("to", "invalid_date")),
        ({"from": "0001-01-01T00:00:00+14:00"}, ("from", "invalid_date")),
        ({"to": "9999-12-31T23:59:59-14:00"}, ("to", "invalid_date")),
        ({"since": "2025-01-15T00:00:00Z"}, ("since", "unknown_parameter")),
    ],
)
async def test_a_bad_parameter_is_named(client, world, parameters, problem):
    async with nothing_stored(world):
        response = await client.get(PATH, params=parameters, headers=world.headers)
    assert response.status_code == 400
    assert [(each["path"], each["code"]) for each in response.json()["details"]] == [problem]
