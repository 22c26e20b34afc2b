"""List, make and remove integration links, as far as they belong to what the caller may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from align.events import events
from align.links import links
from align.links.links import EntityType, ExternalRef, IntegrationLink
from align.refusals import Conflict, NotFound

if TYPE_CHECKING:
    import asyncpg

_FIND_ENTITY: dict[EntityType, str] = {
    "time_entry": links.queries.find_time_entry,
    "ticket": links.queries.find_ticket,
    "project": links.queries.find_project,
    "user": links.queries.find_user,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which links a list is of; None leaves it open. `project_id`: only what belongs to that project."""

    provider: str | None = None
    external_type: str | None = None
    external_id: str | None = None
    align_entity_type: EntityType | None = None
    align_entity_id: UUID | None = None
    project_id: UUID | None = None


class Belonging(msgspec.Struct, frozen=True):
    """What a linked thing belongs to: its project, if any, and for a time entry its source."""

    project_id: UUID | None
    source: str | None


def queries_for(wanted: Wanted) -> tuple[str, str]:
    """The queries that count the wanted links and read a page of them, by the narrowest index."""
    queries = links.queries
    if None not in (wanted.provider, wanted.external_type, wanted.external_id):
        return queries.count_links_of_reference, queries.page_of_links_of_reference
    if wanted.align_entity_id is not None:
        return queries.count_links_of_entity, queries.page_of_links_of_entity
    return queries.count_links, queries.page_of_links


def parameters(organization_id: UUID, wanted: Wanted) -> tuple[object, ...]:
    """The first parameters of these queries."""
    return (organization_id, *msgspec.structs.astuple(wanted))


async def list_page(
    db: Any, organization_id: UUID, wanted: Wanted, *, limit: int, offset: int
) -> tuple[int, list[IntegrationLink]]:
    """How many links are wanted, and some of them, oldest first. `db` is a pool or a connection."""
    count, page = queries_for(wanted)
    given = parameters(organization_id, wanted)
    total = await db.fetchval(count, *given)
    return total, [IntegrationLink(**row) for row in await db.fetch(page, *given, limit, offset)]


async def add(
    tx: asyncpg.Connection,
    organization_id: UUID,
    ref: ExternalRef,
    entity: tuple[EntityType, UUID],
    *,
    only_project: UUID | None = None,
    actor: events.Actor = events.OPERATOR,
) -> tuple[IntegrationLink, bool]:
    """Link a checked reference to a thing that exists; returns the link, and whether it is new.

    Raises NotFound for a thing that is not there or not of `only_project`, Conflict for a reference that names
    something else, ApiError 400 for a reference that only time entries may have.
    """
    belonging = await _visible(tx, organization_id, entity, only_project)
    if belonging is None:
        raise NotFound("alignEntityId", f"no such {entity[0].replace('_', ' ')} in this organisation")
    found = await links.find(tx, organization_id, ref)
    if found is None:
        if ref.external_type == "time_entry" and entity[0] != "time_entry":
            raise links.reserved("externalType")
        return await links.link(tx, organization_id, ref, entity, actor=actor, project_id=belonging.project_id), True
    if (found.align_entity_type, found.align_entity_id) != entity:
        raise Conflict("external_ref_conflict", "externalId", "the reference names something else already")
    return found, False


async def remove(
    tx: asyncpg.Connection,
    organization_id: UUID,
    link_id: UUID,
    *,
    only_project: UUID | None = None,
    actor: events.Actor = events.OPERATOR,
) -> None:
    """Remove a link. Raises NotFound, also for what is not of `only_project`, and Conflict for a sync's own link."""
    row = await tx.fetchrow(links.queries.get_link, organization_id, link_id)
    link = IntegrationLink(**row) if row else None
    entity = (link.align_entity_type, link.align_entity_id) if link else None
    belonging = await _visible(tx, organization_id, entity, only_project) if entity else None
    if link is None or belonging is None:
        raise NotFound("id", "no such integration link in this organisation")
    if link.external_type == "time_entry" and link.provider == belonging.source:
        text = "the link is the time entry's own: syncs find the entry by it, so it lives as long as the entry"
        raise Conflict("link_protected", "id", text)
    await tx.execute(links.queries.delete_link, organization_id, link.provider, link.external_type, link.external_id)
    await events.record(
        tx,
        "integration_link.deleted",
        ("integration_link", link.id),
        organization_id=organization_id,
        before=link,
        actor=actor,
        project_id=belonging.project_id,
    )


async def _visible(
    tx: asyncpg.Connection, organization_id: UUID, entity: tuple[EntityType, UUID], only_project: UUID | None
) -> Belonging | None:
    """What a thing belongs to; None when it is not there or not of `only_project`."""
    entity_type, entity_id = entity
    row = await tx.fetchrow(_FIND_ENTITY[entity_type], organization_id, entity_id)
    if row is None or only_project not in (None, row["project_id"]):
        return None
    return Belonging(**row)
