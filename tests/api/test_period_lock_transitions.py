"""Transitions in a locked period: towards the invoice they go on, back to where hours change they do not."""

import datetime

import pytest

from align.time_entries.states import TRANSITIONS
from tests.api.conftest import refusal
from tests.api.test_period_lock import put
from tests.api.test_transitions import do
from tests.api.test_transitions_many import PATH, words
from tests.life import events_of, row_of, stored_entry

LOCKED = datetime.date(2025, 1, 31)
OPEN = datetime.date(2025, 2, 1)
FROM = {action: line.from_statuses for action, line in TRANSITIONS.items()}
CASES = [(action, status) for action, statuses in FROM.items() for status in statuses]


@pytest.mark.parametrize(("action", "status"), CASES)
async def test_an_entry_of_the_last_locked_day_moves_towards_the_invoice_only(world, client, action, status):
    entry_id = await stored_entry(world, status, work_date=LOCKED)
    await put(client, world, LOCKED.isoformat())
    before = await row_of(world, entry_id)
    response = await do(client, world, entry_id, action)
    if action in ("approve", "lock", "invoice", "void-invoice"):
        assert (response.status_code, response.json()["status"]) == (200, TRANSITIONS[action].to)
        return
    body = refusal(response)
    assert (response.status_code, body["error"], body["lockedUntil"]) == (409, "period_locked", "2025-01-31")
    assert (await row_of(world, entry_id), await events_of(world, entry_id)) == (before, [])


@pytest.mark.parametrize("action", TRANSITIONS)
async def test_the_day_after_is_open(world, client, action):
    entry_id = await stored_entry(world, FROM[action][0], work_date=OPEN)
    await put(client, world, LOCKED.isoformat())
    assert (await do(client, world, entry_id, action)).status_code == 200


async def test_a_status_that_does_not_allow_the_action_is_told_first(world, client):
    entry_id = await stored_entry(world, "approved", work_date=LOCKED)
    await put(client, world, LOCKED.isoformat())
    response = await do(client, world, entry_id, "submit")
    assert (response.status_code, refusal(response)["error"]) == (409, "invalid_transition")


async def test_of_many_only_those_of_the_locked_period_are_refused(world, client):
    ids = [await stored_entry(world, "submitted", work_date=day) for day in (LOCKED, OPEN)]
    await put(client, world, LOCKED.isoformat())
    body = {"action": "reject", "ids": [str(id_) for id_ in ids], **words("reject")}
    response = await client.post(PATH, json=body, headers=world.headers)
    locked, moved = response.json()["results"]
    assert (locked["status"], locked["error"]["error"]) == (409, "period_locked")
    assert locked["error"]["lockedUntil"] == "2025-01-31"
    assert (moved["status"], moved["entry"]["status"]) == (200, "rejected")
    assert [len(await events_of(world, id_)) for id_ in ids] == [0, 1]


async def test_once_the_period_is_open_again_so_is_the_entry(world, client):
    entry_id = await stored_entry(world, "submitted", work_date=LOCKED)
    await put(client, world, LOCKED.isoformat())
    assert (await do(client, world, entry_id, "recall")).status_code == 409
    await put(client, world, "2025-01-30", reason="Dora was ill")
    assert (await do(client, world, entry_id, "recall")).status_code == 200
