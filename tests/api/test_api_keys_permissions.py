"""The permissions that keys may be given are those that operations ask for."""

from typing import Any

from align import app
from align.access.calls import Calls
from align.roles import PERMISSIONS
from align.settings import Settings
from align.time_entries.batch import Batch
from align.time_entries.sync import Sync
from align.web.operation import Operation

# What it would allow is open to every key; it exists so that `read` goes with every resource.
ASKED_FOR_BY_NONE = {"read:organization"}
OPEN = {"getMe", "getOrganization"}
# The permission follows from the action, which the body names.
LATER = {"transitionTimeEntries"}
# A POST since its body would be too long for a query; it changes nothing.
READING_POSTS = {"reconcileTimeEntries"}


def table() -> list[Operation]:
    """The operations as the server has them, bound to no database."""
    nothing: Any = None
    sync, batch = Sync(nothing, nothing, nothing), Batch(nothing, nothing)
    return app.operations(Calls(nothing, nothing), sync, batch, Settings(), None)


def test_every_permission_is_asked_for_and_no_other():
    asked_for = {operation.access.permission for operation in table()} - {None}
    assert asked_for == set(PERMISSIONS) - ASKED_FOR_BY_NONE


def test_only_what_a_key_may_know_of_itself_takes_no_permission():
    assert {operation.name for operation in table() if operation.access.permission is None} == OPEN | LATER


def test_reads_ask_for_read_and_changes_for_more():
    for operation in table():
        if operation.access.permission is not None:
            action = operation.access.permission.split(":")[0]
            assert (action == "read") == (operation.method == "GET" or operation.name in READING_POSTS), operation.name
