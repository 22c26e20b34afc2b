"""POST /time-entries/transitions: one action for many entries, each on its own account."""

from uuid import uuid4

import pytest

from align.time_entries import states
from align.time_entries.states import STATUSES, TRANSITIONS
from tests.api.conftest import refusal, validation_error
from tests.life import events_of, headers_of, row_of, stored_entry

PATH = "/api/v1/time-entries/transitions"
WORDS = {"reason": "wrong ticket", "reference": "INV-2"}


async def move(client, world, action, ids, headers=None, **more):
    body = {"action": action, "ids": [str(id_) for id_ in ids], **more}
    return await client.post(PATH, json=body, headers={**world.headers, **(headers or {})})


def words(action) -> dict[str, str]:
    needs = TRANSITIONS[action].needs
    return {needs: WORDS[needs]} if needs else {}


@pytest.mark.parametrize("action", TRANSITIONS)
async def test_each_entry_is_moved_or_refused_on_its_own(shared_world, client, action):
    ids = [await stored_entry(shared_world, status) for status in STATUSES]
    unknown = uuid4()
    response = await move(client, shared_world, action, [unknown, *reversed(ids)], **words(action))
    body = response.json()
    assert response.status_code == 200
    results = body["results"]
    assert [(result["index"], result["id"]) for result in results] == [
        (index, str(id_)) for index, id_ in enumerate([unknown, *reversed(ids)])
    ]
    assert (results[0]["status"], results[0]["error"]["error"]) == (404, "not_found")
    for result, status in zip(results[1:], reversed(STATUSES), strict=True):
        row = await row_of(shared_world, ids[STATUSES.index(status)])
        names = [event["event_name"] for event in await events_of(shared_world, row["id"])]
        if states.is_allowed(status, action):
            assert (result["status"], result["entry"]["status"]) == (200, TRANSITIONS[action].to)
            assert (row["status"], row["version"], names) == (
                TRANSITIONS[action].to, 2, [TRANSITIONS[action].event_name]
            )  # fmt: skip
        else:
            error = result["error"]
            assert (result["status"], error["error"], error["from"]) == (409, "invalid_transition", status)
            assert error["allowedActions"] == states.allowed_actions(status)
            assert error["requestId"] == response.headers["x-request-id"]
            assert (row["status"], row["version"], names) == (status, 1, [])
    allowed = len(TRANSITIONS[action].from_statuses)
    assert (body["succeeded"], body["failed"]) == (allowed, len(results) - allowed)


async def test_the_entries_and_events_are_those_of_the_single_operation(world, client):
    one, many = await stored_entry(world, "approved"), await stored_entry(world, "approved")
    single = await client.post(
        f"/api/v1/time-entries/{one}/unlock", json={"reason": WORDS["reason"]}, headers=world.headers
    )
    batch = await move(client, world, "unlock", [many], **words("unlock"))
    differing = {"id", "createdAt", "updatedAt"}
    (result,) = batch.json()["results"]
    assert {name: value for name, value in result["entry"].items() if name not in differing} == {
        name: value for name, value in single.json().items() if name not in differing
    }
    (first,), (second,) = await events_of(world, one), await events_of(world, many)
    differing = {"id", "entity_id", "occurred_at", "transaction_id"}
    assert {name: value for name, value in first.items() if name not in differing} == {
        name: value for name, value in second.items() if name not in differing
    }
    assert second["actor_api_key_id"] == world.key_id


async def test_an_id_that_occurs_twice_is_moved_once(world, client):
    entry_id = await stored_entry(world)
    response = await move(client, world, "submit", [entry_id, entry_id, str(entry_id).upper()])
    first, second, third = response.json()["results"]
    assert first["status"] == 200
    for result in (second, third):
        assert (result["status"], result["id"]) == (409, str(entry_id))
        assert (result["error"]["from"], result["error"]["allowedActions"]) == (
            "submitted",
            states.allowed_actions("submitted"),
        )
    assert (response.json()["succeeded"], response.json()["failed"]) == (1, 2)
    assert len(await events_of(world, entry_id)) == 1
    assert (await row_of(world, entry_id))["version"] == 2


async def test_a_thousand_are_moved_with_one_statement(world, client):
    ids = [await stored_entry(world) for _ in range(1000)]
    response = await move(client, world, "submit", ids)
    assert (response.status_code, response.json()["succeeded"]) == (200, 1000)
    assert [result["id"] for result in response.json()["results"]] == [str(id_) for id_ in ids]
    # Rows written by one statement carry one command number.
    for table in ("time_entries", "events"):
        written = await world.pool.fetch(
            f"select distinct xmin, cmin::text from {table} where organization_id = $1 and xmin::text = "
            "(select xmin::text from time_entries where organization_id = $1 and id = $2)",
            world.organization_id,
            ids[0],
        )
        assert len(written) == 1
    stored = await world.pool.fetch(
        "select entity_id, count(*) from events where organization_id = $1 and event_name = 'time.submitted' "
        "group by entity_id",
        world.organization_id,
    )
    assert {row["entity_id"]: row["count"] for row in stored} == dict.fromkeys(ids, 1)


async def test_all_are_committed_together(world, client):
    ids = [await stored_entry(world) for _ in range(3)]
    await move(client, world, "submit", ids)
    transactions = {(await events_of(world, id_))[0]["transaction_id"] for id_ in ids}
    assert len(transactions) == 1


async def test_a_repeat_with_its_idempotency_key_is_the_first_answer(world, client):
    ids = [await stored_entry(world), uuid4()]
    first = await move(client, world, "submit", ids, headers={"Idempotency-Key": "once"})
    again = await move(client, world, "submit", ids, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await events_of(world, ids[0])) == 1


async def test_ids_of_others_are_unknown(world, other_world, client):
    own, second = await stored_entry(world), await stored_entry(world, project_id=world.second_project_id)
    foreign = await stored_entry(other_world)
    project_key = {"Authorization": f"Bearer {world.project_key}"}
    response = await move(client, world, "submit", [own, second, foreign, uuid4()], headers=project_key)
    results = response.json()["results"]
    assert [result["status"] for result in results] == [200, 404, 404, 404]
    assert len({str(result["error"]) for result in results[1:]}) == 1
    for owner, id_ in ((world, second), (other_world, foreign)):
        assert ((await row_of(owner, id_))["status"], await events_of(owner, id_)) == ("draft", [])


@pytest.mark.parametrize("action", TRANSITIONS)
@pytest.mark.parametrize("role", ["client", "developer", "manager"])
async def test_the_role_must_fit_the_action(shared_world, client, action, role):
    entry_id = await stored_entry(shared_world, TRANSITIONS[action].from_statuses[0])
    key = await headers_of(shared_world, role)
    response = await move(client, shared_world, action, [entry_id], headers=key, **words(action))
    if role in TRANSITIONS[action].roles:
        assert (response.status_code, response.json()["succeeded"]) == (200, 1)
        return
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")
    assert await events_of(shared_world, entry_id) == []


@pytest.mark.parametrize("action", TRANSITIONS)
@pytest.mark.parametrize("permission", ["write:time_entries", "approve:time_entries"])
async def test_the_permission_must_fit_the_action(shared_world, client, action, permission):
    entry_id = await stored_entry(shared_world, TRANSITIONS[action].from_statuses[0])
    key = await headers_of(shared_world, "admin", permissions=[permission])
    response = await move(client, shared_world, action, [entry_id], headers=key, **words(action))
    if permission == TRANSITIONS[action].permission:
        assert (response.status_code, response.json()["succeeded"]) == (200, 1)
        return
    assert (response.status_code, refusal(response)["error"]) == (403, "permission_violation")
    assert await events_of(shared_world, entry_id) == []


@pytest.mark.parametrize("action", [action for action, line in TRANSITIONS.items() if line.needs])
async def test_an_action_without_its_word_is_refused_as_a_whole(shared_world, client, action):
    needs = TRANSITIONS[action].needs
    entry_id = await stored_entry(shared_world, TRANSITIONS[action].from_statuses[0])
    for more in ({}, {needs: None}):
        response = await move(client, shared_world, action, [entry_id], **more)
        expected = validation_error((needs, "required", f"is required to {action}"))
        assert (response.status_code, refusal(response)) == (400, expected)
    assert await events_of(shared_world, entry_id) == []


async def test_a_word_that_the_action_does_not_use_is_pointed_out(world, client):
    entry_id = await stored_entry(world)
    response = await move(client, world, "submit", [entry_id], reason="unheard", reference="INV", other=1)
    assert (response.status_code, response.headers["ignored-fields"]) == (200, "other, reason, reference")


async def test_a_strict_organisation_refuses_every_word_that_is_not_used(world, client, pool):
    await pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    entry_id = await stored_entry(world, "submitted")
    response = await move(client, world, "reject", [entry_id], reference="INV")
    expected = validation_error(
        ("reason", "required", "is required to reject"),
        ("reference", "unknown_field", "is not a member of this request"),
    )
    assert (response.status_code, refusal(response)) == (400, expected)
    assert await events_of(world, entry_id) == []


ACTIONS = "must be one of: " + ", ".join(sorted(TRANSITIONS))
IDS = "must be an array of 1 to 1000 members"
UUID_FORM = "must be a UUID, such as 7b1e2c3d-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, [("action", "required", f"is required; {ACTIONS}"), ("ids", "required", f"is required; {IDS}")]),
        ({"action": "void_invoice", "ids": []}, [("action", "unknown_value", ACTIONS), ("ids", "too_short", IDS)]),
        ({"action": "submit", "ids": [str(uuid4())] * 1001}, [("ids", "too_long", IDS)]),
        (
            {"action": 5, "ids": ["x", str(uuid4()), None], "reason": 1, "reference": " "},
            [
                ("action", "wrong_type", f"{ACTIONS}, not an integer"),
                ("ids[0]", "invalid_uuid", UUID_FORM),
                ("ids[2]", "wrong_type", f"{UUID_FORM}, not null"),
                ("reason", "wrong_type", "must be a string of 1 to 1000 characters, not an integer"),
                ("reference", "blank", "must hold more than white space"),
            ],
        ),
    ],
)
async def test_an_unfit_body_is_refused_with_every_problem(shared_world, client, body, problems):
    response = await client.post(PATH, json=body, headers=shared_world.headers)
    assert (response.status_code, refusal(response)) == (400, validation_error(*problems))


async def test_a_body_is_required(shared_world, client):
    response = await client.post(PATH, headers=shared_world.headers)
    assert response.status_code == 415


async def test_without_the_feature_nothing_moves(world, client, pool):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    response = await move(client, world, "submit", [await stored_entry(world)])
    assert (response.status_code, refusal(response)["reason"]) == (402, "feature_disabled")
