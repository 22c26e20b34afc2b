"""The table of events is what the program writes."""

import re
from pathlib import Path

import align
from align.changes import entities
from align.changes.feed import change_of
from align.events.events import ENTITY_TYPES
from align.webhooks import names
from tests.docs.markdown import ROOT, prose, section, table

DOCUMENT = ROOT / "docs" / "changes.md"
PREFIXES = {each: "time" if each == "time_entry" else each for each in ENTITY_TYPES}
# Delivered when it is asked for, never recorded: a test of a webhook.
DELIVERED_ONLY = {"webhook.test"}
NAME = re.compile(rf"""["']((?:{"|".join(PREFIXES.values())})\.[a-z_]+)["']""")


# What only names events, and writes none.
LISTS = {Path(align.__file__).parent / "webhooks" / name for name in ("names.py", "described.py", "requests.py")}


def documented() -> dict[str, list[str]]:
    rows = table(section(DOCUMENT, "## Events"))
    return {row[0]: re.findall(r"[a-z_]+\.[a-z_]+", row[1]) for row in rows}


def test_the_documented_events_are_those_in_the_source():
    found = set()
    for path in Path(align.__file__).parent.rglob("*"):
        if path.suffix in (".py", ".sql") and path not in LISTS:
            found |= set(NAME.findall(path.read_text("utf-8")))
    assert {name for names in documented().values() for name in names} == found - DELIVERED_ONLY


def test_webhooks_can_ask_for_every_event_and_for_no_other():
    assert {each for row in documented().values() for each in row} == set(names.EVENTS)


def test_every_type_has_its_events_and_their_names_begin_with_it():
    assert tuple(sorted(documented())) == tuple(sorted(ENTITY_TYPES))
    for entity_type, its_events in documented().items():
        assert all(name.startswith(f"{PREFIXES[entity_type]}.") for name in its_events)


def test_deletions_are_those_that_the_document_names():
    names = [name for names in documented().values() for name in names]
    deletions = {name for name in names if name.endswith(("deleted", "removed"))}
    assert {name for name in names if change_of(name) == "delete"} == deletions
    assert len(deletions) >= 3


def test_the_types_with_an_entity_are_named():
    shown = re.search(r"Types with an `entity`: (.+?)\.", prose(DOCUMENT), re.DOTALL)
    assert shown
    assert tuple(re.findall(r"`(\w+)`", shown[1])) == entities.TYPES
