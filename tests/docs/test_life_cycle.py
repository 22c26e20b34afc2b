"""The table and the diagram of the life of a time entry are those of the program."""

import re

from align.roles import EVERYBODY, MANAGERS, ROLES, TIME_KEEPERS
from align.time_entries import states
from align.time_entries.states import TRANSITIONS
from tests.docs.markdown import ROOT, blocks, section, table

PAGE = ROOT / "docs" / "life-cycle.md"
ROLES_AS_WRITTEN = {TIME_KEEPERS: "all but client", MANAGERS: ", ".join(role for role in ROLES if role in MANAGERS)}


def test_the_table_is_that_of_the_program():
    shown = table(section(PAGE, "## Statuses and actions"))
    assert shown == [
        [
            line.action,
            ", ".join(line.from_statuses),
            line.to,
            ROLES_AS_WRITTEN[line.roles],
            line.needs or "",
            line.permission,
            line.event_name,
            "yes" if line.in_locked_period else "no",
        ]
        for line in TRANSITIONS.values()
    ]
    assert EVERYBODY - {"client"} == TIME_KEEPERS


def test_the_diagram_shows_every_transition_and_no_other():
    (diagram,) = [block.text for block in blocks(PAGE) if block.language == "mermaid"]
    kind, *lines = diagram.splitlines()
    assert kind == "stateDiagram-v2"
    arrows = [re.fullmatch(r"    (\S+) --> (\w+)(?:: (\S+))?", line).groups() for line in lines]
    assert arrows == [
        ("[*]", states.INITIAL, None),
        *((status, line.to, line.action) for line in TRANSITIONS.values() for status in line.from_statuses),
    ]


def test_the_text_names_where_fields_change():
    first = section(PAGE, "# The life of a time entry").split("\n\n")[0]
    for status in states.STATUSES:
        assert (f"`{status}`" in first.replace("\n", " ")) == (status in states.EDITABLE)
