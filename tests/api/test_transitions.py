"""POST /time-entries/{id}/<action>: every status with every action, and what a transition leaves behind."""

from itertools import product
from uuid import uuid4

import pytest

from align.time_entries import states
from align.time_entries.states import STATUSES, TRANSITIONS
from tests.api.conftest import refusal
from tests.life import events_of, row_of, stored_entry

WORDS = {None: None, "reason": {"reason": "wrong ticket"}, "reference": {"reference": "INV-2"}}


async def move(client, world, entry_id, action, body=None, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    options = {} if body is None else {"json": body}
    path = f"/api/v1/time-entries/{entry_id}/{action}"
    return await client.post(path, headers={**world.headers, **names}, **options)


async def do(client, world, entry_id, action, **headers):
    """The action with what it needs."""
    return await move(client, world, entry_id, action, WORDS[TRANSITIONS[action].needs], **headers)


@pytest.mark.parametrize(("status", "action"), list(product(STATUSES, TRANSITIONS)))
async def test_an_action_moves_the_entry_or_says_what_is_allowed(shared_world, client, status, action):
    entry_id = await stored_entry(shared_world, status)
    before = await row_of(shared_world, entry_id)
    response = await do(client, shared_world, entry_id, action)
    after = await row_of(shared_world, entry_id)
    if states.is_allowed(status, action):
        assert (response.status_code, response.json()["status"]) == (200, TRANSITIONS[action].to)
        assert (after["status"], after["version"]) == (TRANSITIONS[action].to, before["version"] + 1)
        assert [event["event_name"] for event in await events_of(shared_world, entry_id)] == [
            TRANSITIONS[action].event_name
        ]
    else:
        body = refusal(response)
        assert (response.status_code, body["error"]) == (409, "invalid_transition")
        assert (body["from"], body["action"]) == (status, action)
        assert body["allowedActions"] == states.allowed_actions(status)
        assert after == before
        assert await events_of(shared_world, entry_id) == []


async def test_the_answer_is_the_entry_as_it_is_read(world, client):
    synced = (await client.post("/integration/time-entries", json=world.entry(), headers=world.headers)).json()
    response = await do(client, world, synced["id"], "submit")
    body = response.json()
    read = (await client.get(f"/integration/time-entries/{synced['id']}", headers=world.headers)).json()
    assert {name: value for name, value in read.items() if name in body} == {
        name: value for name, value in body.items() if name not in ("statusReason", "invoiceReference")
    }
    assert (body["statusReason"], body["invoiceReference"], body["invoiced"]) == (None, None, False)
    assert response.headers["etag"] == '"2"'
    assert body["createdAt"] == synced["createdAt"]
    assert body["updatedAt"] > synced["updatedAt"]


async def test_a_whole_life_from_draft_to_invoice_and_back(world, client):
    entry_id = await stored_entry(world)
    path = [
        ("submit", "submitted"), ("recall", "draft"), ("submit", "submitted"), ("reject", "rejected"),
        ("submit", "submitted"), ("approve", "approved"), ("unlock", "draft"), ("submit", "submitted"),
        ("approve", "approved"), ("lock", "locked"), ("invoice", "invoiced"), ("void-invoice", "locked"),
        ("unlock", "draft"), ("submit", "submitted"), ("approve", "approved"), ("invoice", "invoiced"),
    ]  # fmt: skip
    for version, (action, status) in enumerate(path, 2):
        response = await do(client, world, entry_id, action)
        assert (response.status_code, response.json()["status"]) == (200, status)
        assert response.json()["invoiced"] == (status == "invoiced")
        assert response.headers["etag"] == f'"{version}"'
    events = await events_of(world, entry_id)
    assert [event["after"]["status"] for event in events] == [status for _, status in path]
    assert [event["before"]["status"] for event in events] == ["draft", *(status for _, status in path[:-1])]


async def test_a_reason_is_shown_until_the_next_submit(world, client):
    entry_id = await stored_entry(world, "submitted")
    rejected = (await move(client, world, entry_id, "reject", {"reason": "Which ticket?\nAsk Åse."})).json()
    assert rejected["statusReason"] == "Which ticket?\nAsk Åse."
    assert (await do(client, world, entry_id, "submit")).json()["statusReason"] is None
    await do(client, world, entry_id, "approve")
    unlocked = (await move(client, world, entry_id, "unlock", {"reason": "rate changed"})).json()
    assert (unlocked["status"], unlocked["statusReason"]) == ("draft", "rate changed")


async def test_a_reference_is_shown_while_the_entry_is_on_the_invoice(world, client):
    entry_id = await stored_entry(world, "approved")
    invoiced = (await move(client, world, entry_id, "invoice", {"reference": "Rechnung/2025-A\u030a"})).json()
    assert (invoiced["invoiceReference"], invoiced["invoiced"]) == ("Rechnung/2025-\u00c5", True)
    voided = (await do(client, world, entry_id, "void-invoice")).json()
    assert (voided["invoiceReference"], voided["invoiced"], voided["status"]) == (None, False, "locked")


async def test_the_event_names_actor_project_and_what_changed(world, client):
    entry_id = await stored_entry(world, "locked", status_reason="of an earlier time")
    response = await do(client, world, entry_id, "invoice")
    (event,) = await events_of(world, entry_id)
    assert (event["event_name"], event["entity_type"], event["entity_id"]) == ("time.invoiced", "time_entry", entry_id)
    assert (event["actor_user_id"], event["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert event["project_id"] == world.project_id
    assert event["before"] == {"status": "locked", "invoiced": False, "invoiceReference": None}
    assert event["after"] == {"status": "invoiced", "invoiced": True, "invoiceReference": "INV-2"}
    row = await row_of(world, entry_id)
    assert row["updated_at"] == event["occurred_at"]
    assert response.json()["statusReason"] == row["status_reason"] == "of an earlier time"


async def test_nothing_but_the_life_changes(world, client):
    entry_id = await stored_entry(world, ticket_id=world.ticket_id, description="Ünï", external_metadata='{"b":1.0}')
    before = await row_of(world, entry_id)
    await do(client, world, entry_id, "submit")
    after = await row_of(world, entry_id)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"status", "version", "updated_at"}


async def test_a_repeat_with_its_idempotency_key_is_the_first_answer(world, client):
    entry_id = await stored_entry(world, "submitted")
    first = await move(client, world, entry_id, "reject", {"reason": "no"}, idempotency_key="once")
    await do(client, world, entry_id, "submit")
    again = await move(client, world, entry_id, "reject", {"reason": "no"}, idempotency_key="once")
    assert (again.status_code, again.content, again.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert again.headers["idempotent-replayed"] == "true"
    assert (await row_of(world, entry_id))["status"] == "submitted"
    assert len(await events_of(world, entry_id)) == 2


async def test_a_refused_transition_is_not_kept(world, client):
    entry_id = await stored_entry(world)
    assert (await do(client, world, entry_id, "approve", idempotency_key="later")).status_code == 409
    await do(client, world, entry_id, "submit")
    assert (await do(client, world, entry_id, "approve", idempotency_key="later")).status_code == 200


@pytest.mark.parametrize("tag", ['"7"', "*", '"1", "7"', '"x" , "7"'])
async def test_a_matching_tag_lets_the_transition_happen(shared_world, client, tag):
    entry_id = await stored_entry(shared_world, version=7)
    response = await do(client, shared_world, entry_id, "submit", if_match=tag)
    assert (response.status_code, response.headers["etag"]) == (200, '"8"')


@pytest.mark.parametrize("tag", ['"6"', '"8"', 'W/"7"', '"70"', '"1", "2"'])
@pytest.mark.parametrize("action", ["submit", "approve"])
async def test_a_stale_tag_is_told_before_the_status_is_looked_at(shared_world, client, tag, action):
    entry_id = await stored_entry(shared_world, version=7)
    before = await row_of(shared_world, entry_id)
    response = await do(client, shared_world, entry_id, action, if_match=tag)
    assert (response.status_code, refusal(response)["error"]) == (412, "precondition_failed")
    assert await row_of(shared_world, entry_id) == before


async def test_what_is_no_tag_is_refused_and_an_unknown_entry_stays_unknown(world, client):
    entry_id = await stored_entry(world)
    response = await do(client, world, entry_id, "submit", if_match="7")
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in refusal(response)["details"]] == [
        ("If-Match", "invalid_etag")
    ]
    assert (await do(client, world, uuid4(), "submit", if_match="*")).status_code == 404
    assert (await row_of(world, entry_id))["status"] == "draft"
