"""Every operation, asked by every kind of key, answers as documented.

A new operation needs a line in one of the modules `*_lines.py` beside this one; `line.py` says what a line holds.
"""

import httpx
import pytest

from align.web.operation import Operation
from tests.access.asking import PREFIX, ask, members_of
from tests.access.houses import House, State, count_of, ids_in
from tests.access.kinds import DONE, KINDS, STATUS_OF, STRANGE, Told
from tests.access.line import Asked, Line
from tests.access.table import LINES
from tests.docs.markdown import ROOT, section, table


def test_every_operation_has_a_line(routes):
    missing = sorted(routes.keys() - {line.operation for line in LINES})
    assert not missing, (
        f"{', '.join(missing)}: not in the table of who may call what. Add a Line to the module of tests/access that "
        "fits: its operation, how to ask for it, and the scope, roles, permission and plan that its documentation names"
    )


def test_every_line_is_of_an_operation(routes):
    assert sorted({line.operation for line in LINES} - routes.keys()) == []


def test_the_documentation_names_the_same_keys():
    shown = table(section(ROOT / "docs" / "api.md", "## Operations"))
    documented = {f"{method} {path.removeprefix(PREFIX)}": keys for method, path, _, keys in shown}
    expected = {line.operation: line.keys for line in LINES if line.roles_at_all is None}
    assert {name: documented[name].replace("organisation", "organization") for name in expected} == expected


@pytest.mark.parametrize("line", LINES, ids=str)
def test_the_table_of_operations_says_the_same(line, routes):
    access = routes[line.operation].access
    declared = (access.scope, access.roles, access.permission, access.feature)
    documented = (line.keys, line.roles, line.permission, "time_tracking" if line.plan else None)
    if line.roles_at_all is None:
        assert declared == documented
        return
    # What the body asks for may only be narrower.
    assert access.roles == line.roles_at_all >= line.roles
    assert access.scope in ("any", line.keys)
    assert access.permission in (None, line.permission)
    assert access.feature == documented[3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("line", LINES, ids=str)
async def test_the_documented_answer(line, kind, api, routes, home, stranger, unpaid):
    operation = routes[line.operation]
    house = unpaid if kind == "without the plan" else home
    asking = stranger if kind == "another organisation" else house
    key = asking.key(kind, line)
    if asking is not house:  # who asks has such things too
        await line.asked(asking.place())
    asked = await line.asked(house.place(kind))
    before = await house.state()
    answer = await ask(api, line, asked, key)
    told = KINDS[kind](line)
    if told == DONE:
        assert_answered(line, operation, asked, answer)
        await assert_written(line, house, before, key)
        return
    if told == STRANGE:
        assert_strange(line, operation, answer)
        unseen = await (home.ids_of_project() if kind == "another project" else home.ids())
        assert ids_in(answer.text) & (unseen - asked.own_ids()) == set()
    else:
        assert_refused(operation, answer, told)
    assert await house.state() == before, "a call that was not let in changed something"


def assert_answered(line: Line, operation: Operation, asked: Asked, answer: httpx.Response) -> None:
    """The documented success."""
    assert answer.status_code == line.success, answer.text
    assert answer.status_code in {success.status for success in operation.successes}
    if asked.shows is not None:
        assert asked.shows in answer.text
    if line.strangers == "members":
        assert [found for found in members_of(answer) if "error" in found] == []


async def assert_written(line: Line, house: House, before: State, key: str) -> None:
    """The documented events, in the name of who asked; for reads nothing at all."""
    after = await house.state()
    if not line.events:
        assert after == before, "a read changed something"
        return
    written = await house.latest_events(count_of("events", after) - count_of("events", before))
    assert [row["event_name"] for row in written] == list(line.events)
    assert {(row["actor_api_key_id"], row["actor_user_id"]) for row in written} == {await house.actor(key)}


def assert_strange(line: Line, operation: Operation, answer: httpx.Response) -> None:
    """The documented answer to one who does not see what was asked for."""
    if line.strangers == "not_found":
        assert_refused(operation, answer, Told("not_found"))
        return
    assert answer.status_code == line.success, answer.text
    if line.strangers == "members":
        assert [found["error"]["error"] for found in members_of(answer)] == ["not_found"]


def assert_refused(operation: Operation, answer: httpx.Response, told: Told) -> None:
    """The documented refusal."""
    body = answer.json()
    assert (answer.status_code, body["error"]) == (STATUS_OF[told.what], told.what)
    assert {name: body[name] for name, _ in told.members} == dict(told.members)
    assert told.what in operation.errors
