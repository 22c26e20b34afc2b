"""Transitions that are refused for what was said, or for who said it: nothing changes."""

from uuid import uuid4

import pytest

from align.time_entries.states import TRANSITIONS
from tests.api.conftest import refusal, validation_error
from tests.api.test_transitions import WORDS, do, move
from tests.life import events_of, headers_of, row_of, stored_entry

NOT_FOUND = {"error": "not_found", "message": "no such time entry in this organisation"}
FROM = {action: line.from_statuses[0] for action, line in TRANSITIONS.items()}
LENGTHS = {"reason": "must be a string of 1 to 1000 characters", "reference": "must be a string of 1 to 255 characters"}
NEEDS = [(action, line.needs) for action, line in TRANSITIONS.items() if line.needs]
ACTIONS = pytest.mark.parametrize("action", TRANSITIONS)


async def unmoved(world, entry_id, status) -> bool:
    row = await row_of(world, entry_id)
    return (row["status"], row["version"]) == (status, 1) and await events_of(world, entry_id) == []


@pytest.mark.parametrize(("action", "name"), NEEDS)
@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        (..., "required", "is required; {}"),
        (None, "wrong_type", "{}, not null"),
        (5, "wrong_type", "{}, not an integer"),
        ("", "too_short", "{}"),
        ("x" * 1001, "too_long", "{}"),
        (" \t\u3000", "blank", "must hold more than white space"),
    ],
)
async def test_a_missing_or_unfit_word_is_refused(shared_world, client, action, name, value, code, message):
    if (name, value) == ("reference", " \t\u3000"):
        code, message = "control_character", "must hold no control characters"
    entry_id = await stored_entry(shared_world, FROM[action])
    response = await move(client, shared_world, entry_id, action, {} if value is ... else {name: value})
    expected = validation_error((name, code, message.format(LENGTHS[name])))
    assert (response.status_code, refusal(response)) == (400, expected)
    assert await unmoved(shared_world, entry_id, FROM[action])


@pytest.mark.parametrize(("action", "name"), NEEDS)
async def test_no_body_at_all_lacks_the_word(shared_world, client, action, name):
    entry_id = await stored_entry(shared_world, FROM[action])
    response = await move(client, shared_world, entry_id, action)
    expected = validation_error((name, "required", f"is required; {LENGTHS[name]}"))
    assert (response.status_code, refusal(response)) == (400, expected)
    assert await unmoved(shared_world, entry_id, FROM[action])


@pytest.mark.parametrize("reason", ["\u0000", "a\u0000b"])
async def test_a_reason_holds_no_nul(shared_world, client, reason):
    entry_id = await stored_entry(shared_world, "submitted")
    response = await move(client, shared_world, entry_id, "reject", {"reason": reason})
    assert (response.status_code, refusal(response)["details"][0]["code"]) == (400, "nul_character")
    assert await unmoved(shared_world, entry_id, "submitted")


@pytest.mark.parametrize("action", [action for action, line in TRANSITIONS.items() if not line.needs])
async def test_an_action_without_words_takes_an_empty_object_and_points_out_the_rest(shared_world, client, action):
    empty, more = [await stored_entry(shared_world, FROM[action]) for _ in range(2)]
    assert (await move(client, shared_world, empty, action, {})).status_code == 200
    response = await move(client, shared_world, more, action, {"reason": "unheard"})
    assert (response.status_code, response.headers["ignored-fields"]) == (200, "reason")


async def test_a_strict_organisation_refuses_unknown_members(world, client, pool):
    await pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    entry_id = await stored_entry(world)
    response = await move(client, world, entry_id, "submit", {"reason": "unheard"})
    expected = validation_error(("reason", "unknown_field", "is not a member of this request"))
    assert (response.status_code, refusal(response)) == (400, expected)
    assert await unmoved(world, entry_id, "draft")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        ("reason=x", "application/x-www-form-urlencoded", 415),
        ("{", "application/json", 400),
        ("[]", "application/json", 400),
        (" ", "application/json", 400),
        ("{}", "text/plain", 415),
        ("", "text/plain", 200),
    ],
)
async def test_a_body_that_is_sent_must_be_json(shared_world, client, content, content_type, status):
    entry_id = await stored_entry(shared_world)
    headers = {**shared_world.headers, "content-type": content_type}
    response = await client.post(f"/api/v1/time-entries/{entry_id}/submit", content=content, headers=headers)
    assert response.status_code == status
    assert await unmoved(shared_world, entry_id, "draft") == (status != 200)


@ACTIONS
async def test_what_the_organisation_does_not_have_is_not_found(shared_world, other_world, client, action):
    deleted = await stored_entry(shared_world, FROM[action])
    await shared_world.pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1 and id = $2",
        shared_world.organization_id,
        deleted,
    )
    foreign = await stored_entry(other_world, FROM[action])
    for entry_id in (foreign, deleted, uuid4(), "x", "transitions", f"{foreign}x"):
        response = await do(client, shared_world, entry_id, action)
        assert (response.status_code, refusal(response)) == (404, NOT_FOUND)
    assert await unmoved(other_world, foreign, FROM[action])
    assert await unmoved(shared_world, deleted, FROM[action])


@ACTIONS
async def test_a_projects_key_moves_entries_of_its_project_only(shared_world, client, action):
    own = await stored_entry(shared_world, FROM[action])
    other = await stored_entry(shared_world, FROM[action], project_id=shared_world.second_project_id)
    key = {"Authorization": f"Bearer {shared_world.project_key}"}
    assert (await do(client, shared_world, own, action, **key)).status_code == 200
    response = await do(client, shared_world, other, action, **key)
    assert (response.status_code, refusal(response)) == (404, NOT_FOUND)
    assert await unmoved(shared_world, other, FROM[action])


@ACTIONS
@pytest.mark.parametrize("role", ["user", "client", "tester", "developer", "tech_lead", "manager", "admin"])
async def test_the_role_decides(shared_world, client, action, role):
    entry_id = await stored_entry(shared_world, FROM[action])
    response = await do(client, shared_world, entry_id, action, **await headers_of(shared_world, role))
    if role in TRANSITIONS[action].roles:
        assert response.status_code == 200
        return
    body = refusal(response)
    assert (response.status_code, body["error"], body["role"]) == (403, "role_violation", role)
    assert body["requiredRoles"] == sorted(TRANSITIONS[action].roles)
    assert await unmoved(shared_world, entry_id, FROM[action])


@ACTIONS
@pytest.mark.parametrize("permission", ["write:time_entries", "approve:time_entries", "read:time_entries"])
async def test_the_permission_decides(shared_world, client, action, permission):
    entry_id = await stored_entry(shared_world, FROM[action])
    key = await headers_of(shared_world, "admin", permissions=[permission])
    response = await do(client, shared_world, entry_id, action, **key)
    if permission == TRANSITIONS[action].permission:
        assert response.status_code == 200
        return
    body = refusal(response)
    assert (response.status_code, body["error"]) == (403, "permission_violation")
    assert body["requiredPermission"] == TRANSITIONS[action].permission
    assert await unmoved(shared_world, entry_id, FROM[action])


@ACTIONS
async def test_without_the_feature_nothing_moves(world, client, pool, action):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    entry_id = await stored_entry(world, FROM[action])
    response = await move(client, world, entry_id, action, WORDS[TRANSITIONS[action].needs])
    assert (response.status_code, refusal(response)["reason"]) == (402, "feature_disabled")
    assert await unmoved(world, entry_id, FROM[action])
