"""POST /projects/{id}/time-entries: one time entry with its event; refusals name every problem and store nothing."""

from datetime import date
from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import LIST, Time, problems


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def test_a_time_entry_is_created_as_it_was_sent(time, world):
    body = time.body(
        workDate="2025-01-15T23:30:00-05:00",
        minutes=100,
        description="Planning – ünï",
        billable=False,
        entryId=str(world.ticket_id),
        source="ui",
    )
    response = await time.post(body)
    assert response.status_code == 201
    created = response.json()
    assert response.headers["location"] == f"{LIST}/{created['id']}"
    assert response.headers["etag"] == '"1"'
    assert created["createdAt"] == created["updatedAt"]
    assert created == {
        "id": created["id"],
        "organizationId": str(world.organization_id),
        "projectId": str(world.project_id),
        "userId": str(world.user_id),
        "entryId": str(world.ticket_id),
        "workDate": "2025-01-15",
        "hours": "1.75",
        "minutes": 100,
        "notes": "Planning – ünï",
        "billable": False,
        "source": "ui",
        "status": "draft",
        "invoiced": False,
        "createdAt": created["createdAt"],
        "updatedAt": created["updatedAt"],
        "created": True,
    }


async def test_what_is_left_out_has_its_default(time):
    created = await time.made()
    assert (created["billable"], created["source"], created["notes"], created["entryId"]) == (True, "api", None, None)
    nulls = await time.made(description=None, entryId=None, externalRef=None)
    assert (nulls["notes"], nulls["entryId"]) == (None, None)


async def test_one_event_says_who_created_what(time, world):
    created = await time.made(description="Planning")
    (event,) = await time.events(created["id"])
    assert (event["event_name"], event["entity_type"]) == ("time.logged", "time_entry")
    assert (event["actor_user_id"], event["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert (event["before"], event["after"], event["project_id"]) == (None, created, world.project_id)
    assert await world.count("integration_links") == 0


async def test_a_projects_key_creates_in_its_project_only(time, world):
    assert (await time.post(time.body(), key=world.project_key)).status_code == 201
    unknown = await time.post(time.body(), project_id=uuid4(), key=world.project_key)
    async with nothing_stored(world):
        other = await time.post(time.body(), project_id=world.second_project_id, key=world.project_key)
    assert (other.status_code, refusal(other)) == (404, refusal(unknown))


@pytest.mark.parametrize(
    ("sent", "minutes"),
    [
        ({"minutes": ..., "hours": 2.5}, 150),
        ({"minutes": ..., "hours": "2.5"}, 150),
        ({"minutes": ..., "hours": 2}, 120),
        ({"minutes": ..., "hours": 1.1}, 66),
        ({"minutes": ..., "hours": "0.05"}, 3),
        ({"minutes": ..., "hours": 24}, 1440),
        ({"minutes": 100, "hours": 1.6666666666666667}, 100),
        ({"minutes": 100, "hours": "2"}, 100),
    ],
)
async def test_hours_are_exact_and_minutes_win(time, sent, minutes):
    assert (await time.made(**sent))["minutes"] == minutes


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"minutes": ...}, [("minutes", "required"), ("hours", "required")]),
        ({"minutes": ..., "hours": 1.67}, [("hours", "not_whole_minutes")]),
        ({"minutes": ..., "hours": "1.67"}, [("hours", "not_whole_minutes")]),
        ({"minutes": ..., "hours": 0}, [("hours", "out_of_range")]),
        ({"minutes": ..., "hours": 24.05}, [("hours", "out_of_range")]),
        ({"minutes": ..., "hours": "-1"}, [("hours", "invalid_decimal")]),
        ({"minutes": ..., "hours": "NaN"}, [("hours", "invalid_decimal")]),
        ({"minutes": ..., "hours": "2,5"}, [("hours", "invalid_decimal")]),
        ({"minutes": ..., "hours": None}, [("hours", "wrong_type")]),
        ({"minutes": ..., "hours": True}, [("hours", "wrong_type")]),
        ({"minutes": ..., "hours": [2]}, [("hours", "wrong_type")]),
        ({"minutes": 60, "hours": "x"}, [("hours", "invalid_decimal")]),
        ({"minutes": 0}, [("minutes", "out_of_range")]),
        ({"minutes": 1441}, [("minutes", "out_of_range")]),
        ({"minutes": 1.5, "hours": 2}, [("minutes", "wrong_type")]),
        ({"minutes": None}, [("minutes", "wrong_type")]),
        ({"userId": ...}, [("userId", "required")]),
        ({"userId": "me"}, [("userId", "invalid_uuid")]),
        ({"workDate": "15.01.2025"}, [("workDate", "invalid_date")]),
        ({"workDate": "1969-12-31"}, [("workDate", "invalid_date")]),
        ({"description": "x" * 2001}, [("description", "too_long")]),
        ({"billable": "yes"}, [("billable", "wrong_type")]),
        ({"source": "jira"}, [("source", "unknown_value")]),
        ({"entryId": 7}, [("entryId", "wrong_type")]),
        ({"externalRef": {"provider": "jira"}}, [("externalRef.externalType", "required"),
                                                 ("externalRef.externalId", "required")]),
        ({"externalRef": {"provider": "\t", "externalType": "x", "externalId": " "}},
         [("externalRef.provider", "control_character"), ("externalRef.externalId", "blank")]),
    ],
)  # fmt: skip
async def test_a_body_that_does_not_fit_is_refused_with_every_problem(time, world, sent, expected):
    async with nothing_stored(world):
        response = await time.post(time.body(**sent))
    assert (response.status_code, problems(response)) == (400, expected)


async def test_problems_of_several_members_come_together(time, world):
    async with nothing_stored(world):
        response = await time.post({"userId": "x", "workDate": "x", "hours": "1.67", "source": "x"})
    assert {path for path, _ in problems(response)} == {"userId", "workDate", "hours", "source"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"minutes":1,"minutes":2}', b'{"hours":1e4000}'])
async def test_what_is_no_object_is_refused(time, world, content):
    async with nothing_stored(world):
        response = await time.call(
            "POST",
            f"/api/v1/projects/{world.project_id}/time-entries",
            content=content,
            headers={"content-type": "application/json"},
        )
    assert (response.status_code, refusal(response)["error"]) == (400, "validation_error")


async def test_what_is_named_must_exist_as_for_a_sync(time, world, other_world):
    cases = [
        ({"userId": str(uuid4())}, 404, [("userId", "not_found")]),
        ({"userId": str(other_world.user_id)}, 404, [("userId", "not_found")]),
        ({"userId": str(world.client_user_id)}, 400, [("userId", "role_without_time")]),
        ({"entryId": str(world.second_ticket_id)}, 400, [("entryId", "not_of_project")]),
        ({"entryId": str(other_world.ticket_id)}, 400, [("entryId", "not_of_project")]),
    ]
    async with nothing_stored(world):
        for sent, status, expected in cases:
            response = await time.post(time.body(**sent))
            assert (response.status_code, problems(response)) == (status, expected)


async def test_a_project_that_is_not_there_is_not_found(time, world, other_world):
    async with nothing_stored(world):
        answers = [await time.post(time.body(), project_id=id_) for id_ in (uuid4(), other_world.project_id, "x")]
    assert {answer.status_code for answer in answers} == {404}
    assert {refusal(answer)["error"] for answer in answers} == {"not_found"}


async def test_an_archived_project_takes_no_new_time(time, world):
    async with nothing_stored(world):
        response = await time.post(time.body(), project_id=world.archived_project_id)
    assert (response.status_code, refusal(response)["error"]) == (409, "project_archived")


async def test_nothing_is_created_in_a_locked_period(time, world):
    await time.lock_until(date(2025, 1, 15))
    async with nothing_stored(world):
        response = await time.post(time.body(workDate="2025-01-15"))
    assert (response.status_code, refusal(response)["error"]) == (409, "period_locked")
    assert response.json()["lockedUntil"] == "2025-01-15"
    assert (await time.post(time.body(workDate="2025-01-16"))).status_code == 201


async def test_a_deactivated_users_time_is_taken(time, world, pool):
    await pool.execute("update users set deactivated_at = now() where organization_id = $1", world.organization_id)
    await pool.execute(
        "update users set deactivated_at = null where organization_id = $1 and id = $2",
        world.organization_id,
        world.admin_id,
    )
    assert (await time.post(time.body())).status_code == 201


async def test_an_idempotency_key_gets_the_first_answer_again(time, world):
    body, headers = time.body(), {"Idempotency-Key": "k-1"}
    first = await time.post(body, headers=headers)
    again = await time.post(body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("location", "etag"):
        assert again.headers[name] == first.headers[name]
    assert await world.count("time_entries") == 1


async def test_who_may_not_write_time_creates_none(time, world, pool):
    _, reader = await world.mint(permissions=["read:time_entries"])
    client_key = await time.key_of("client")
    async with nothing_stored(world):
        lacking = await time.post(time.body(), key=reader)
        client_role = await time.post(time.body(), key=client_key)
        await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
        without_plan = await time.post(time.body())
    assert (lacking.status_code, refusal(lacking)["error"]) == (403, "permission_violation")
    assert (client_role.status_code, refusal(client_role)["error"]) == (403, "role_violation")
    assert (without_plan.status_code, refusal(without_plan)["reason"]) == (402, "feature_disabled")


async def test_a_new_time_entry_is_read_like_a_synced_one(time, world):
    created = await time.made(entryId=str(world.ticket_id))
    response = await time.call("GET", f"/api/v1/integration/time-entries/{created['id']}")
    assert response.json() == {**created, "externalMetadata": None, "integrationLinks": []}
