"""The append-only record of every change, written in the transaction that makes the change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args
from uuid import UUID

import msgspec

from align.db import sql
from align.ids import new_id

if TYPE_CHECKING:
    import asyncpg


class Actor(msgspec.Struct, frozen=True):
    """Who makes a change: a key on behalf of the user who created it. Neither means the installation's operator."""

    user_id: UUID | None = None
    api_key_id: UUID | None = None


OPERATOR = Actor()

# What events are about.
EntityType = Literal[
    "time_entry",
    "project",
    "project_member",
    "ticket",
    "user",
    "integration_link",
    "api_key",
    "organization",
    "webhook",
]
ENTITY_TYPES: tuple[EntityType, ...] = get_args(EntityType)

queries = sql.load(Path(__file__).with_name("events.sql"))


async def record(
    tx: asyncpg.Connection,
    event_name: str,
    entity: tuple[str, UUID],
    *,
    organization_id: UUID,
    before: object = None,
    after: object = None,
    actor: Actor = OPERATOR,
    project_id: UUID | None = None,
) -> None:
    """Write one event about `entity`, a pair of type and id.

    `before` and `after` are what msgspec writes as a JSON object, or None. They must hold no secret, since
    events are kept and shown. `project_id` is the project it belongs to: keys of that project see it.
    """
    await tx.execute(
        queries.insert_event,
        organization_id,
        new_id(),
        event_name,
        *entity,
        actor.user_id,
        actor.api_key_id,
        _json(before),
        _json(after),
        project_id,
    )


async def record_change(
    tx: asyncpg.Connection,
    event_name: str,
    entity: tuple[str, UUID],
    old: msgspec.Struct,
    new: msgspec.Struct,
    *,
    organization_id: UUID,
    actor: Actor = OPERATOR,
    project_id: UUID | None = None,
) -> None:
    """Write one event that holds the fields which differ between `old` and `new`, `updatedAt` aside."""
    before, after = _members(old), _members(new)
    names = [name for name in after if name != "updatedAt" and before[name] != after[name]]
    await record(
        tx,
        event_name,
        entity,
        organization_id=organization_id,
        before={name: before[name] for name in names},
        after={name: after[name] for name in names},
        actor=actor,
        project_id=project_id,
    )


def _members(value: msgspec.Struct) -> dict[str, msgspec.Raw]:
    """The members as they are written, metadata verbatim."""
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, msgspec.Raw])


def _json(value: object) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
