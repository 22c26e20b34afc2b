"""PATCH /time-entries/{id}: changes what is sent, in draft and rejected, once for each version."""

import asyncio
from collections import Counter
from datetime import date
from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import Time, problems, somebody_waits_for
from tests.conftest import gather_released


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def test_every_field_is_changed_and_one_event_has_before_and_after(time, world):
    created = await time.made(description="Before", entryId=str(world.ticket_id))
    response = await time.patch(
        created["id"],
        {
            "workDate": "2025-01-16",
            "minutes": 30,
            "description": "After",
            "billable": False,
            "userId": str(world.admin_id),
            "projectId": str(world.second_project_id),
            "entryId": str(world.second_ticket_id),
        },
    )
    assert response.status_code == 200
    changed = response.json()
    expected = {
        "workDate": "2025-01-16",
        "minutes": 30,
        "hours": "0.5",
        "notes": "After",
        "billable": False,
        "userId": str(world.admin_id),
        "projectId": str(world.second_project_id),
        "entryId": str(world.second_ticket_id),
    }
    assert {name: changed[name] for name in created} == {
        **created, **expected, "updatedAt": changed["updatedAt"]
    }  # fmt: skip
    assert changed["updatedAt"] > created["updatedAt"]
    assert changed == (await time.get(created["id"])).json()
    _, event = await time.events(created["id"])
    assert event["event_name"] == "time.updated"
    assert (event["actor_user_id"], event["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert event["project_id"] == world.second_project_id
    assert (event["before"], event["after"]) == ({name: created[name] for name in expected}, expected)


async def test_only_what_is_sent_changes(time, world):
    created = await time.made(description="Stays", entryId=str(world.ticket_id), billable=False)
    changed = (await time.patch(created["id"], {"hours": "0.35"})).json()
    assert {name for name in created if created[name] != changed[name]} == {"minutes", "hours", "updatedAt"}
    assert changed["minutes"] == 21
    _, event = await time.events(created["id"])
    assert event["after"] == {"minutes": 21, "hours": "0.25"}


async def test_null_clears_description_and_ticket(time, world):
    created = await time.made(description="Gone", entryId=str(world.ticket_id))
    changed = (await time.patch(created["id"], {"description": None, "entryId": None})).json()
    assert (changed["notes"], changed["entryId"]) == (None, None)


@pytest.mark.parametrize("status", ["draft", "rejected"])
async def test_a_change_keeps_the_status(time, status):
    created = await time.made()
    await time.set(created["id"], status=status)
    assert (await time.patch(created["id"], {"minutes": 1})).json()["status"] == status


@pytest.mark.parametrize("same", [{}, {"minutes": 150}, {"hours": 2.5}, {"workDate": "2025-01-15T12:00:00Z"}])
async def test_a_change_to_what_is_there_already_is_none(time, world, same):
    created = await time.made()
    async with nothing_stored(world):
        response = await time.patch(created["id"], same)
    assert (response.status_code, response.headers["etag"]) == (200, '"1"')
    assert response.json()["updatedAt"] == created["updatedAt"]


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        ("submitted", ["approve", "reject", "recall"]),
        ("approved", ["lock", "unlock", "invoice"]),
        ("locked", ["unlock", "invoice"]),
        ("invoiced", ["void-invoice"]),
    ],
)
async def test_in_other_statuses_nothing_is_changed_or_deleted(time, world, status, allowed):
    created = await time.made()
    await time.set(created["id"], status=status)
    async with nothing_stored(world):
        answers = {
            "update": await time.patch(created["id"], {"minutes": 1}),
            "delete": await time.delete(created["id"]),
        }
    for action, response in answers.items():
        body = refusal(response)
        assert (response.status_code, body["error"]) == (409, "invalid_transition")
        assert (body["from"], body["action"], body["allowedActions"]) == (status, action, allowed)
    assert (await time.get(created["id"])).json()["minutes"] == 150


async def test_a_period_lock_holds_for_the_old_day_and_the_new(time, world):
    before, after = await time.made(workDate="2025-01-31"), await time.made(workDate="2025-02-01")
    await time.lock_until(date(2025, 1, 31))
    async with nothing_stored(world):
        out_of_it = await time.patch(before["id"], {"workDate": "2025-02-01"})
        within = await time.patch(before["id"], {"minutes": 1})
        into_it = await time.patch(after["id"], {"workDate": "2025-01-31"})
        deleted = await time.delete(before["id"])
    for response in (out_of_it, within, into_it, deleted):
        assert (response.status_code, response.json()["lockedUntil"]) == (409, "2025-01-31")
    assert (await time.patch(after["id"], {"workDate": "2025-02-02"})).status_code == 200


async def test_what_is_named_must_exist_and_take_time(time, world, other_world):
    created = await time.made(entryId=str(world.ticket_id))
    cases = [
        ({"userId": str(uuid4())}, 404, [("userId", "not_found")]),
        ({"userId": str(other_world.user_id)}, 404, [("userId", "not_found")]),
        ({"userId": str(world.client_user_id)}, 400, [("userId", "role_without_time")]),
        ({"entryId": str(world.second_ticket_id)}, 400, [("entryId", "not_of_project")]),
        ({"projectId": str(uuid4()), "entryId": None}, 404, [("projectId", "not_found")]),
        ({"projectId": str(other_world.project_id), "entryId": None}, 404, [("projectId", "not_found")]),
        # The ticket is of the old project.
        ({"projectId": str(world.second_project_id)}, 400, [("entryId", "not_of_project")]),
    ]
    async with nothing_stored(world):
        for change, status, expected in cases:
            response = await time.patch(created["id"], change)
            assert (response.status_code, problems(response)) == (status, expected), change
        archived = await time.patch(created["id"], {"projectId": str(world.archived_project_id), "entryId": None})
    assert (archived.status_code, refusal(archived)["error"]) == (409, "project_archived")
    moved = await time.patch(created["id"], {"projectId": str(world.second_project_id), "entryId": None})
    assert moved.status_code == 200


async def test_entries_of_an_archived_project_or_a_client_can_be_corrected(time, world, pool):
    created = await time.made()
    await pool.execute("update projects set status = 'archived' where organization_id = $1", world.organization_id)
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.user_id
    )
    assert (await time.patch(created["id"], {"minutes": 1})).status_code == 200


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"minutes": 0, "workDate": "x"}, {("minutes", "out_of_range"), ("workDate", "invalid_date")}),
        ({"minutes": None}, {("minutes", "wrong_type")}),
        ({"hours": "1.67"}, {("hours", "not_whole_minutes")}),
        ({"billable": None, "userId": None}, {("billable", "wrong_type"), ("userId", "wrong_type")}),
        ({"description": "a\x00"}, {("description", "nul_character")}),
    ],
)
async def test_a_change_that_does_not_fit_is_refused_with_every_problem(time, world, change, expected):
    created = await time.made()
    async with nothing_stored(world):
        response = await time.patch(created["id"], change)
    assert (response.status_code, set(problems(response))) == (400, expected)


@pytest.mark.parametrize("condition", ['"1"', "*", '"0", "1"', 'W/"1", "1"'])
async def test_a_change_of_what_the_sender_has_seen_is_made(time, condition):
    created = await time.made()
    response = await time.patch(created["id"], {"minutes": 1}, headers={"If-Match": condition})
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')


@pytest.mark.parametrize("condition", ['"0"', '"2"', 'W/"1"', '"11"', '"x", W/"1"'])
async def test_a_change_of_what_has_changed_since_is_refused(time, world, condition):
    created = await time.made()
    async with nothing_stored(world):
        changed = await time.patch(created["id"], {"minutes": 1}, headers={"If-Match": condition})
        deleted = await time.delete(created["id"], headers={"If-Match": condition})
    for response in (changed, deleted):
        assert (response.status_code, refusal(response)["error"]) == (412, "precondition_failed")


@pytest.mark.parametrize("condition", ["1", "", '"1', '*, "1"'])
async def test_a_condition_that_is_none_is_refused_not_passed_over(time, world, condition):
    created = await time.made()
    async with nothing_stored(world):
        response = await time.patch(created["id"], {"minutes": 1}, headers={"If-Match": condition})
    assert (response.status_code, problems(response)) == (400, [("If-Match", "invalid_etag")])


async def test_a_projects_key_changes_its_projects_entries_and_moves_none_away(time, world):
    own = await time.made()
    other = (await time.post(time.body(), project_id=world.second_project_id)).json()
    key = world.project_key
    async with nothing_stored(world):
        assert refusal(await time.patch(other["id"], {"minutes": 1}, key=key)) == refusal(
            await time.patch(uuid4(), {"minutes": 1}, key=key)
        )
        assert (await time.delete(other["id"], key=key)).status_code == 404
        moved = await time.patch(own["id"], {"projectId": str(world.second_project_id)}, key=key)
        unknown = await time.patch(own["id"], {"projectId": str(uuid4())}, key=key)
    assert (moved.status_code, refusal(moved)) == (404, refusal(unknown))
    assert (await time.patch(own["id"], {"minutes": 1, "projectId": str(world.project_id)}, key=key)).status_code == 200


async def test_another_organisations_entry_is_not_there(time, other_world):
    created = await time.made()
    async with nothing_stored(time.world):
        answers = [
            await time.patch(created["id"], {"minutes": 1}, key=other_world.key),
            await time.delete(created["id"], key=other_world.key),
            await time.patch("x", {"minutes": 1}),
        ]
    assert {(answer.status_code, refusal(answer)["error"]) for answer in answers} == {(404, "not_found")}


async def test_of_changes_at_once_of_one_version_one_is_made(time):
    created = await time.made()

    async def change(index):
        return await time.patch(created["id"], {"minutes": index + 1}, headers={"If-Match": '"1"'})

    answers = await gather_released(10, change)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 9}
    winner = next(index for index, answer in enumerate(answers) if answer.status_code == 200)
    read = await time.get(created["id"])
    assert (read.json()["minutes"], read.headers["etag"]) == (winner + 1, '"2"')
    assert [event["event_name"] for event in await time.events(created["id"])] == ["time.logged", "time.updated"]


async def test_a_change_waits_for_another_program_that_holds_the_row(time, world, pool):
    """The status is looked at under the row's lock: who submits it meanwhile is not overtaken."""
    created = await time.made()
    async with pool.acquire() as other, other.transaction():
        await other.execute(
            "update time_entries set status = 'submitted', version = version + 1 where organization_id = $1 "
            "and id = $2::text::uuid",
            world.organization_id,
            created["id"],
        )
        waiting = asyncio.create_task(time.patch(created["id"], {"minutes": 1}))
        await somebody_waits_for(pool, other)
    response = await waiting
    assert (response.status_code, refusal(response)["from"]) == (409, "submitted")


async def test_who_may_not_write_time_changes_none(time, world):
    created = await time.made()
    _, reader = await world.mint(permissions=["read:time_entries"])
    client_key = await time.key_of("client")
    async with nothing_stored(world):
        for key, error in ((reader, "permission_violation"), (client_key, "role_violation")):
            changed = await time.patch(created["id"], {"minutes": 1}, key=key)
            deleted = await time.delete(created["id"], key=key)
            assert {refusal(changed)["error"], refusal(deleted)["error"]} == {error}
