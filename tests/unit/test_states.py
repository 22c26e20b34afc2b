"""The table of states against decision 12 of the contract, every status with every action."""

from itertools import product

import pytest

from align.roles import MANAGERS, TIME_KEEPERS
from align.time_entries import states
from align.time_entries.states import STATUSES, TRANSITIONS

# Decision 12, line by line: from, action, to.
DECIDED = {
    ("draft", "submit"): "submitted",
    ("rejected", "submit"): "submitted",
    ("submitted", "approve"): "approved",
    ("submitted", "reject"): "rejected",
    ("submitted", "recall"): "draft",
    ("approved", "lock"): "locked",
    ("approved", "unlock"): "draft",
    ("locked", "unlock"): "draft",
    ("approved", "invoice"): "invoiced",
    ("locked", "invoice"): "invoiced",
    ("invoiced", "void-invoice"): "locked",
}


@pytest.mark.parametrize(("status", "action"), list(product(STATUSES, TRANSITIONS)))
def test_a_status_allows_an_action_as_decided(status, action):
    assert states.is_allowed(status, action) == ((status, action) in DECIDED)
    assert (action in states.allowed_actions(status)) == ((status, action) in DECIDED)
    if (status, action) in DECIDED:
        assert TRANSITIONS[action].to == DECIDED[status, action]


def test_the_table_has_a_line_for_every_action_and_every_status_is_reached():
    assert set(TRANSITIONS) == {action for _, action in DECIDED}
    assert all(line.action == action for action, line in TRANSITIONS.items())
    assert {line.to for line in TRANSITIONS.values()} == set(STATUSES)
    assert {status for status, _ in DECIDED} == set(STATUSES)


def test_reasons_and_references_are_asked_for_as_decided():
    assert {action: line.needs for action, line in TRANSITIONS.items() if line.needs} == {
        "reject": "reason",
        "unlock": "reason",
        "invoice": "reference",
    }


def test_managers_decide_and_everybody_with_time_submits():
    managed = {"approve", "reject", "lock", "unlock", "invoice", "void-invoice"}
    assert {action for action, line in TRANSITIONS.items() if line.roles == MANAGERS} == managed
    assert {action for action, line in TRANSITIONS.items() if line.permission == "approve:time_entries"} == managed
    assert {action for action, line in TRANSITIONS.items() if line.roles == TIME_KEEPERS} == {"submit", "recall"}


def test_fields_change_in_draft_and_rejected_only():
    assert [status for status in STATUSES if status in states.EDITABLE] == ["draft", "rejected"]


def test_what_a_locked_period_allows_never_leads_to_where_fields_change():
    """Nor does any number of such steps: a closed month is never opened by its entries."""
    allowed = {action for action, line in TRANSITIONS.items() if line.in_locked_period}
    assert allowed == {"approve", "lock", "invoice", "void-invoice"}
    assert {TRANSITIONS[action].to for action in allowed} & states.EDITABLE == set()


def test_events_have_names_of_their_own():
    names = [line.event_name for line in TRANSITIONS.values()]
    assert len(set(names)) == len(names)
    assert {"time.submitted", "time.approved", "time.rejected", "time.unlocked"} <= set(names)
