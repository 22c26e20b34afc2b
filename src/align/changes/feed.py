"""The change feed: every event of an organisation in an order that no late commit can get ahead of.

See docs/decisions/0013-change-feed.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from align.changes import cursor, entities
from align.changes.cursor import START, Position
from align.changes.scoping import as_json, shown
from align.db import epochs, sql

if TYPE_CHECKING:
    import asyncpg

_queries = sql.load(Path(__file__).with_name("feed.sql"))

# Events that one request looks at for those of the types asked for; the cursor moves past them all.
MAXIMUM_SCANNED = 5_000
# What events of deleted things end with.
_DELETIONS = (".deleted", ".removed")

_OBJECT_OR_NULL = {"type": ["object", "null"]}


class Change(msgspec.Struct, rename="camel", kw_only=True):
    """One event, and the thing it is about."""

    cursor: Annotated[str, Meta(description="Where a reader stands who has done with this change.")]
    id: Annotated[UUID, Meta(description="Of the event.")]
    event_name: Annotated[str, Meta(examples=["time.logged"])]
    change: Annotated[Literal["upsert", "delete"], Meta(description="What the event did to the thing.")]
    entity_type: Annotated[str, Meta(examples=["time_entry"])]
    entity_id: UUID
    occurred_at: Annotated[datetime, Meta(tz=True, description="Begin of the transaction; not the order.")]
    actor_user_id: Annotated[UUID | None, Meta(description="Null: the installation's operator.")]
    actor_api_key_id: UUID | None
    before: Annotated[Any, Meta(description="Changed members before.", extra_json_schema=_OBJECT_OR_NULL)]
    after: Annotated[Any, Meta(description="Changed members after.", extra_json_schema=_OBJECT_OR_NULL)]
    entity: Annotated[
        Any,
        Meta(
            description=f"The thing as it is now ({', '.join(entities.TYPES)}); null when it is deleted by now, "
            "and for other types.",
            extra_json_schema=_OBJECT_OR_NULL,
        ),
    ]


class Changes(msgspec.Struct, rename="camel", kw_only=True):
    """A piece of the feed."""

    data: list[Change]
    next_cursor: Annotated[str, Meta(description="To be sent as `after` next.")]
    has_more: Annotated[bool, Meta(description="There is more already: ask again at once, even if `data` is empty.")]


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads what: with `project_id` the events of one project, with `types` those about things of these types."""

    organization_id: UUID
    project_id: UUID | None = None
    types: tuple[str, ...] = ()
    limit: int = 100

    @property
    def scans(self) -> int:
        """Events to look at; one more than are given out shows whether there are more."""
        return MAXIMUM_SCANNED if self.types or self.project_id else self.limit + 1


class CursorExpired(Exception):
    """The cursor stands where events have been deleted, or in another history of the database."""


async def latest(connection: asyncpg.Connection, reader: Reader) -> Changes:
    """No changes, and the cursor of one who has read everything that there is."""
    epoch = await epochs.current(connection)
    row = await connection.fetchrow(_queries.latest_position, reader.organization_id, epoch.number)
    position = START if row is None else Position(*row)
    return Changes(data=[], next_cursor=cursor.write(reader.organization_id, epoch, position), has_more=False)


async def read(connection: asyncpg.Connection, reader: Reader, after: str | None) -> Changes:
    """What comes after the cursor, or the first of what is kept.

    Raises cursor.Malformed, CursorExpired, and asyncpg.LockNotAvailableError as `epochs.current` does.
    """
    epoch = await epochs.current(connection)
    organization_id = reader.organization_id
    try:
        position = START if after is None else cursor.read(organization_id, epoch, after)
    except cursor.OfAnotherEpoch:
        raise CursorExpired from None
    rows = await connection.fetch(
        _queries.read_changes,
        organization_id,
        *position,
        epoch.number,
        list(reader.types) or None,
        reader.project_id,
        reader.limit + 1,
        reader.scans,
    )
    if after is not None and not rows[0]["is_known"]:
        raise CursorExpired
    events = [row for row in rows if row["id"] is not None]
    scanned = rows[0]["scanned"]
    has_more = len(events) > reader.limit or scanned == reader.scans
    if len(events) > reader.limit:
        events = events[: reader.limit]
        position = _position(events[-1])
    elif scanned:
        position = Position(rows[0]["farthest_epoch"], rows[0]["farthest_transaction_id"], rows[0]["farthest_id"])
    return Changes(
        data=await _changes(connection, reader, epoch, events),
        next_cursor=cursor.write(organization_id, epoch, position),
        has_more=has_more,
    )


def change_of(event_name: str) -> Literal["upsert", "delete"]:
    """What an event did to its thing."""
    return "delete" if event_name.endswith(_DELETIONS) else "upsert"


async def _changes(
    connection: asyncpg.Connection, reader: Reader, epoch: epochs.Epoch, events: Sequence[asyncpg.Record]
) -> list[Change]:
    named = [(row["entity_type"], row["entity_id"]) for row in events]
    things = await entities.find(connection, reader.organization_id, reader.project_id, named)
    parts = [shown(row, reader.project_id) for row in events]
    return [
        Change(
            cursor=cursor.write(reader.organization_id, epoch, _position(row)),
            id=row["id"],
            event_name=row["event_name"],
            change="delete" if part.has_left else change_of(row["event_name"]),
            entity_type=row["entity_type"],
            entity_id=row["entity_id"],
            occurred_at=row["occurred_at"],
            actor_user_id=row["actor_user_id"],
            actor_api_key_id=row["actor_api_key_id"],
            before=as_json(part.before),
            after=as_json(part.after),
            entity=things.get(name),
        )
        for row, name, part in zip(events, named, parts, strict=True)
    ]


def _position(row: asyncpg.Record) -> Position:
    return Position(row["feed_epoch"], row["transaction_id"], row["id"])
