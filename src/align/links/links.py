"""Integration links: what a thing of ours is called in another system; a reference names one thing only."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align.db import sql
from align.errors import ApiError, Problem, invalid
from align.events import events
from align.external_names import EXTERNAL_NAME_PATTERN, MAXIMUM_NAME_LENGTH, external_name_problem, nfc
from align.ids import new_id
from align.refusals import Conflict, Refused
from align.web.body import Check

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("links.sql"))

EntityType = Literal["time_entry", "ticket", "project", "user"]

ExternalName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAXIMUM_NAME_LENGTH,
        description="Compared exactly, after Unicode NFC; no control characters, not only white space.",
        extra_json_schema={"pattern": EXTERNAL_NAME_PATTERN},
    ),
]


class ExternalRef(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What another system calls a thing (contract, section 2): a create with a known one returns what exists."""

    provider: ExternalName
    external_type: ExternalName
    external_id: ExternalName


EXTERNAL_REF_EXAMPLE = {"provider": "jira", "externalType": "issue", "externalId": "WEB-42"}

# What the type of a member `externalRef` can't say, for bodies that have one.
REF_CHECKS: dict[str, Check] = {
    f"externalRef.{name}": external_name_problem for name in ("provider", "externalType", "externalId")
}


class IntegrationLink(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A foreign key into another system."""

    id: UUID
    organization_id: UUID
    provider: Annotated[str, Meta(examples=["illumera"])]
    external_type: Annotated[str, Meta(examples=["time_entry"])]
    external_id: Annotated[str, Meta(examples=["illumera-te-001"])]
    align_entity_type: Annotated[EntityType, Meta(examples=["time_entry"])]
    align_entity_id: UUID
    created_at: Annotated[datetime, Meta(tz=True, description="RFC 3339, UTC.")]


def checked(ref: ExternalRef, path: str = "externalRef.") -> ExternalRef:
    """The reference in NFC. Raises Refused for names that can't be one; `path` is where it stands in the body."""
    names = {"provider": ref.provider, "externalType": ref.external_type, "externalId": ref.external_id}
    for name, text in names.items():
        if problem := external_name_problem(text):
            raise Refused(path + name, problem[1])
    provider, external_type, external_id = map(nfc, names.values())
    return ExternalRef(provider=provider, external_type=external_type, external_id=external_id)


def reserved(path: str) -> ApiError:
    """400: the type of reference at `path` is for time entries alone."""
    message = "time_entry is kept for time entries, whose syncs look it up; choose another name"
    return invalid([Problem(path, "reserved_name", message)])


async def find(tx: asyncpg.Connection, organization_id: UUID, ref: ExternalRef) -> IntegrationLink | None:
    """The link of a checked reference, or None."""
    row = await tx.fetchrow(queries.find_link, organization_id, *msgspec.structs.astuple(ref))
    return IntegrationLink(**row) if row else None


async def known(
    tx: asyncpg.Connection, organization_id: UUID, ref: ExternalRef, entity_type: EntityType
) -> UUID | None:
    """The id of the thing a checked reference names, or None. Raises Conflict when that is of another type.

    Raises ApiError 400 for a new reference that only time entries may have.
    """
    found = await find(tx, organization_id, ref)
    if found is None:
        if ref.external_type == "time_entry" and entity_type != "time_entry":
            raise reserved("externalRef.externalType")
        return None
    if found.align_entity_type != entity_type:
        raise Conflict(
            "external_ref_conflict", "externalRef", f"the reference names a {found.align_entity_type} already"
        )
    return found.align_entity_id


async def named(
    tx: asyncpg.Connection, organization_id: UUID, sent: ExternalRef | UnsetType, entity_type: EntityType
) -> tuple[ExternalRef | None, UUID | None]:
    """For a create: the checked reference that came with it, if any, and what it names already. Raises as `known`."""
    if sent is UNSET:
        return None, None
    ref = checked(sent)
    return ref, await known(tx, organization_id, ref, entity_type)


async def link(
    tx: asyncpg.Connection,
    organization_id: UUID,
    ref: ExternalRef,
    entity: tuple[EntityType, UUID],
    *,
    actor: events.Actor = events.OPERATOR,
    project_id: UUID | None = None,
) -> IntegrationLink:
    """Link a checked reference to a thing of ours. Raises Conflict when it names something already."""
    row = await tx.fetchrow(queries.insert_link, organization_id, new_id(), *msgspec.structs.astuple(ref), *entity)
    if row is None:
        raise Conflict("external_ref_conflict", "externalRef", "the reference names something else already")
    made = IntegrationLink(**row)
    await events.record(
        tx,
        "integration_link.created",
        ("integration_link", made.id),
        organization_id=organization_id,
        after=made,
        actor=actor,
        project_id=project_id,
    )
    return made
