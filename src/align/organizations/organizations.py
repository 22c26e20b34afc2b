"""Organisations: the tenants, each with the features of its plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from align import names
from align.db import sql
from align.events import events
from align.ids import new_id
from align.refusals import NotFound, Refused

if TYPE_CHECKING:
    import asyncpg

queries = sql.load(Path(__file__).with_name("organizations.sql"))

# Every feature that a plan can have. New organisations get them all.
FEATURES = ("time_tracking",)


class Organization(msgspec.Struct, frozen=True, rename="camel"):
    """One tenant."""

    id: UUID
    name: str
    features: list[str]
    strict: bool
    locked_until: date | None
    created_at: datetime
    updated_at: datetime


async def create(
    tx: asyncpg.Connection,
    name: str,
    *,
    features: Sequence[str] = FEATURES,
    organization_id: UUID | None = None,
) -> Organization:
    """Store a new organisation and return it; two may have the same name. Raises Refused for unfit input."""
    name = names.checked("name", name)
    for feature in features:
        _check_feature(feature)
    row = await tx.fetchrow(queries.insert_organization, organization_id or new_id(), name, sorted(set(features)))
    created = Organization(**row)
    await events.record(
        tx, "organization.created", ("organization", created.id), organization_id=created.id, after=created
    )
    return created


async def list_all(tx: asyncpg.Connection) -> list[Organization]:
    """Every organisation, by name."""
    return [Organization(**row) for row in await tx.fetch(queries.list_organizations)]


async def find(tx: asyncpg.Connection, id_or_name: str) -> Organization:
    """The organisation with this id or exactly this name. Raises NotFound, or Ambiguous for several."""
    text = names.checked("organization", id_or_name)
    rows = await tx.fetch(queries.find_organizations, names.parse_id(text), text)
    return names.only("organization", "organisation", text, [Organization(**row) for row in rows])


async def get(tx: asyncpg.Connection, organization_id: UUID) -> Organization | None:
    """The organisation, locked against changes until the transaction ends, or None."""
    row = await tx.fetchrow(queries.get_organization, organization_id)
    return Organization(**row) if row else None


async def read(db: asyncpg.Pool, organization_id: UUID) -> Organization | None:
    """The organisation, or None."""
    row = await db.fetchrow(queries.read_organization, organization_id)
    return Organization(**row) if row else None


async def set_feature(tx: asyncpg.Connection, organization_id: UUID, feature: str, *, on: bool) -> Organization:
    """Turn one feature on or off. Raises Refused for an unknown feature and NotFound."""
    _check_feature(feature)
    old = await _existing(tx, organization_id)
    features = {*old.features, feature} if on else {*old.features} - {feature}
    return await _save(tx, old, msgspec.structs.replace(old, features=sorted(features)))


async def set_strict(tx: asyncpg.Connection, organization_id: UUID, *, strict: bool) -> Organization:
    """Have doubtful requests refused (strict) or only pointed out in headers. Raises NotFound."""
    old = await _existing(tx, organization_id)
    return await _save(tx, old, msgspec.structs.replace(old, strict=strict))


async def _existing(tx: asyncpg.Connection, organization_id: UUID) -> Organization:
    organization = await get(tx, organization_id)
    if organization is None:
        raise NotFound("organization", f"no organisation has the id {organization_id}")
    return organization


async def _save(tx: asyncpg.Connection, old: Organization, new: Organization) -> Organization:
    if new == old:
        return old
    saved = Organization(**await tx.fetchrow(queries.update_organization, old.id, new.features, new.strict))
    entity = ("organization", old.id)
    await events.record_change(tx, "organization.updated", entity, old, saved, organization_id=old.id)
    return saved


def _check_feature(feature: str) -> None:
    if feature not in FEATURES:
        raise Refused("feature", f"no feature is called '{feature}'; there is: {', '.join(FEATURES)}")
