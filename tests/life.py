"""Time entries in any status, keys of any role, and what was written about an entry: for the tests of its life."""

import datetime
import json
from typing import Any
from uuid import UUID, uuid4

from align.users import users
from tests.conftest import World

DAY = datetime.date(2025, 1, 15)


async def stored_entry(world: World, status: str = "draft", **columns: object) -> UUID:
    """A time entry as it would be after its transitions; `columns` override."""
    values = {
        "organization_id": world.organization_id,
        "id": uuid4(),
        "project_id": world.project_id,
        "user_id": world.user_id,
        "work_date": DAY,
        "minutes": 150,
        "billable": True,
        "source": "illumera",
        "status": status,
        "status_reason": "was wrong" if status == "rejected" else None,
        "invoice_reference": "INV-1" if status == "invoiced" else None,
        **columns,
    }
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    return await world.pool.fetchval(
        f"insert into time_entries ({', '.join(values)}, created_at, updated_at) "
        f"values ({places}, now() - interval '1 day', now() - interval '1 day') returning id",
        *values.values(),
    )


async def row_of(world: World, entry_id: UUID) -> dict[str, Any]:
    """The time entry as it is stored."""
    return dict(
        await world.pool.fetchrow(
            "select * from time_entries where organization_id = $1 and id = $2", world.organization_id, entry_id
        )
    )


async def events_of(world: World, entity_id: UUID) -> list[dict[str, Any]]:
    """The events about a thing, in the order of their transactions."""
    rows = await world.pool.fetch(
        "select * from events where organization_id = $1 and entity_id = $2 order by transaction_id, id",
        world.organization_id,
        entity_id,
    )
    return [
        {**row, "before": json.loads(row["before"] or "null"), "after": json.loads(row["after"] or "null")}
        for row in rows
    ]


async def headers_of(world: World, role: str, **options: object) -> dict[str, str]:
    """A key that acts with a role; `options` as for minting."""
    async with world.pool.acquire() as tx, tx.transaction():
        user = await users.create(
            tx, world.organization_id, email=f"{uuid4()}@example.com", name=role.title(), role=role
        )
    _, text = await world.mint(created_by_user_id=user.id, **options)
    return {"Authorization": f"Bearer {text}"}
