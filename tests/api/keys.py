"""What the tests of API keys share: keys of other users and roles, and what was recorded about a key."""

import json
from typing import Any
from uuid import UUID, uuid4

from align.users import users
from tests.conftest import World

PATH = "/api/v1/api-keys"


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def person(world: World, role: str, *, member_of: UUID | None = None) -> UUID:
    """A user with this role, perhaps a member of a project."""
    async with world.pool.acquire() as tx, tx.transaction():
        made = await users.create(
            tx, world.organization_id, email=f"{uuid4()}@example.com", name=role.title(), role=role
        )
        if member_of is not None:
            await tx.execute(
                "insert into project_members (organization_id, project_id, user_id) values ($1, $2, $3)",
                world.organization_id,
                member_of,
                made.id,
            )
    return made.id


async def key_of(world: World, role: str, *, member_of: UUID | None = None, **options: object) -> str:
    """The text of a key of a new user with this role."""
    user_id = await person(world, role, member_of=member_of)
    return (await world.mint(created_by_user_id=user_id, **options))[1]


async def events_of(world: World, key_id: object) -> list[dict[str, Any]]:
    """What was recorded about a key, oldest first."""
    rows = await world.pool.fetch(
        "select event_name, actor_user_id, actor_api_key_id, project_id, before, after from events "
        "where organization_id = $1 and entity_type = 'api_key' and entity_id = $2 order by transaction_id, id",
        world.organization_id,
        UUID(str(key_id)),
    )
    return [
        {**row, "before": json.loads(row["before"] or "null"), "after": json.loads(row["after"] or "null")}
        for row in map(dict, rows)
    ]


async def everything_stored_of(world: World) -> str:
    """All that the tables which know of keys hold for the organisation, to look for secrets in."""
    found = []
    for table in ("api_keys", "events", "idempotency_keys"):
        rows = await world.pool.fetch(
            f"select to_jsonb(t)::text from {table} t where organization_id = $1", world.organization_id
        )
        found += [row[0] for row in rows]
    return "\n".join(found)
