"""What of an event a key may see that is limited to one project.

A time entry can move from one project to another, in one event, of which each of the two sees its half: it is gone from
the one, and new to the other.
"""

from uuid import UUID

import asyncpg
import msgspec


class Shown(msgspec.Struct, frozen=True):
    """What is shown of an event: its two objects as JSON, and whether the thing has left the reader's project."""

    before: str | None
    after: str | None
    has_left: bool = False


class _Moved(msgspec.Struct, rename="camel"):
    project_id: UUID | None = None


def shown(event: asyncpg.Record, project_id: UUID | None) -> Shown:
    """What a key of this project (None: of the organisation) sees of the event."""
    before, after = event["before"], event["after"]
    if project_id is None or event["entity_type"] != "time_entry" or before is None or after is None:
        return Shown(before, after)
    if event["project_id"] != project_id:
        return Shown(before, None, has_left=True)
    came_from = msgspec.json.decode(before, type=_Moved).project_id
    return Shown(before if came_from is None else None, after)


def as_json(text: str | None) -> msgspec.Raw | None:
    """The object as it is written into an answer."""
    return None if text is None else msgspec.Raw(text.encode())
