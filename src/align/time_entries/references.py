"""What a time entry names must exist: the rules and refusals of the sync, for every other way to write one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align.db import sql
from align.errors import ApiError
from align.time_entries import refusing
from align.time_entries.rows import Outcome

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("references.sql"))


class Found(msgspec.Struct, frozen=True):
    """What there is of a project, a user and a ticket; None for what is unknown."""

    project_status: str | None
    user_role: str | None


async def find(
    tx: asyncpg.Connection, organization_id: UUID, project_id: UUID, user_id: UUID, ticket_id: UUID | None
) -> Found:
    """Look them up. Raises ApiError 404 for an unknown project or user, 400 for a ticket that is not the project's."""
    row = await tx.fetchrow(queries.find_references, organization_id, project_id, user_id, ticket_id)
    found = {"projectId": row["project_status"], "userId": row["user_role"]}
    if missing := [name for name, value in found.items() if value is None]:
        raise refusal("not_found", *missing)
    if ticket_id is not None and not row["has_ticket"]:
        raise refusal("unfit", "entryId")
    return Found(row["project_status"], row["user_role"])


def refusal(outcome: str, *fields: str) -> ApiError:
    """As the sync refuses it."""
    nothing = Outcome(*[None] * len(Outcome._fields))  # type: ignore[arg-type]
    error = refusing.of_outcome(nothing._replace(outcome=outcome, fields=list(fields)), [])
    if error is None:
        raise ValueError(f"{outcome} is no refusal")
    return error
