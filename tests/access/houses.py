"""Organisations with a key of every kind, and what is stored of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from align.access import key_text
from align.roles import PERMISSIONS
from tests.access.line import ALL, Line, Place
from tests.conftest import World

TABLES = (
    "organizations",
    "users",
    "projects",
    "project_members",
    "tickets",
    "api_keys",
    "time_entries",
    "integration_links",
    "webhooks",
    "events",
    "idempotency_keys",
)
# The time of its last use is all that a refused call may leave on a key.
_STATE = " union all ".join(
    f"select '{table}', count(*), md5(string_agg(row, ',' order by row)) from "
    f"(select (to_jsonb(t) - 'last_used_at')::text as row from {table} t where organization_id = $1) as rows"
    for table in TABLES
)
_IDS = " union ".join(
    f"select id from {table} where organization_id = $1"
    for table in TABLES
    if table not in ("organizations", "idempotency_keys")
)
_IDS_OF_PROJECT = """
with things as (
    select id from tickets where organization_id = $1 and project_id = $2
    union select id from time_entries where organization_id = $1 and project_id = $2
    union select id from project_members where organization_id = $1 and project_id = $2
    union select id from api_keys where organization_id = $1 and scoped_project_id = $2
    union select id from events where organization_id = $1 and project_id = $2
    union select $2
)
select id from things
union select id from integration_links where organization_id = $1 and align_entity_id in (select id from things)
"""
# By table: its name, number of rows, digest of the rows.
State = list[tuple[str, int, str]]
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class House:
    """An organisation; `keys` by kind, `users` by role."""

    world: World
    keys: Mapping[str, str | None] = field(default_factory=dict)
    users: Mapping[str, UUID] = field(default_factory=dict)
    # Of keys with this permission alone, and with all but this one.
    only: Mapping[str, str] = field(default_factory=dict)
    all_but: Mapping[str, str] = field(default_factory=dict)

    def place(self, role: str = "admin") -> Place:
        """The first project, for a caller with this role."""
        caller = self.users.get(role, self.world.admin_id)
        return Place(self.world, self.world.project_id, self.world.ticket_id, caller)

    def second_place(self) -> Place:
        """The second project, for an admin."""
        return Place(self.world, self.world.second_project_id, self.world.second_ticket_id, self.world.admin_id)

    def key(self, kind: str, line: Line) -> str | None:
        """The text of a key of this kind."""
        if kind == "the one permission":
            return self.world.key if line.permission is None else self.only[line.permission]
        if kind == "all permissions but the one":
            return self.keys["no permissions"] if line.permission is None else self.all_but[line.permission]
        return self.keys[kind]

    async def state(self) -> State:
        """All that is stored of the organisation: number and digest of the rows by table."""
        return await self.world.pool.fetch(_STATE, self.world.organization_id)

    async def latest_events(self, count: int) -> list[Any]:
        """The last so many events, in their order."""
        rows = await self.world.pool.fetch(
            "select event_name, actor_api_key_id, actor_user_id from events where organization_id = $1 "
            "order by transaction_id desc, id desc limit $2",
            self.world.organization_id,
            count,
        )
        return rows[::-1]

    async def actor(self, key: str) -> tuple[UUID, UUID]:
        """The ids of a key and of the user it acts for."""
        row = await self.world.pool.fetchrow(
            "select id, created_by_user_id from api_keys where organization_id = $1 and digest = $2",
            self.world.organization_id,
            key_text.digest(key),
        )
        return row["id"], row["created_by_user_id"]

    async def ids(self) -> set[str]:
        """The ids of everything that it has, and its own."""
        rows = await self.world.pool.fetch(_IDS, self.world.organization_id)
        return {str(self.world.organization_id), *(str(row["id"]) for row in rows)}

    async def ids_of_project(self) -> set[str]:
        """The ids of the first project and all that belongs to it."""
        rows = await self.world.pool.fetch(_IDS_OF_PROJECT, self.world.organization_id, self.world.project_id)
        return {str(row["id"]) for row in rows}


def count_of(table: str, state: State) -> int:
    """How many rows the table has."""
    return next(row[1] for row in state if row[0] == table)


def ids_in(text: str) -> set[str]:
    """All ids that a text holds."""
    return set(_UUID.findall(text))


async def furnish(world: World) -> House:
    """A house with all its keys."""
    users = {role: await _member(world, role) for role in ALL}
    resting = await _member(world, "admin")
    # Nobody can mint the expired one, nor the one that may do nothing.
    expired, revoked, idle = [(await world.mint(name=name))[1] for name in ("expired", "revoked", "no permissions")]
    resting_key = (await world.mint(created_by_user_id=resting))[1]
    for statement in (
        "update api_keys set expires_at = now() - interval '1 minute' where organization_id = $1 and name = 'expired'",
        "update api_keys set revoked_at = now() where organization_id = $1 and name = 'revoked'",
        "update api_keys set permissions = '{}' where organization_id = $1 and name = 'no permissions'",
    ):
        await world.pool.execute(statement, world.organization_id)
    await world.pool.execute(
        "update users set deactivated_at = now() where organization_id = $1 and id = $2",
        world.organization_id,
        resting,
    )
    _, second_project_key = await world.mint(scoped_project_id=world.second_project_id)
    for user_id in users.values():  # for the list of keys
        await world.mint(created_by_user_id=user_id, scoped_project_id=world.project_id)
    return House(
        world,
        users=users,
        keys={
            "organisation": world.key,
            "project": world.project_key,
            "another project": second_project_key,
            "another organisation": world.key,
            "without the plan": world.key,
            "no key": None,
            "unknown": key_text.make("organization").text,
            "expired": expired,
            "revoked": revoked,
            "of a deactivated user": resting_key,
            "no permissions": idle,
            **{role: (await world.mint(created_by_user_id=user_id))[1] for role, user_id in users.items()},
        },
        only={each: (await world.mint(permissions=[each]))[1] for each in PERMISSIONS},
        all_but={
            each: (await world.mint(permissions=[other for other in PERMISSIONS if other != each]))[1]
            for each in PERMISSIONS
        },
    )


async def _member(world: World, role: str) -> UUID:
    """A user with this role, who works on the first project."""
    user_id = await world.pool.fetchval(
        "insert into users (organization_id, id, email, name, role) values ($1, gen_random_uuid(), $2, $3, $3) "
        "returning id",
        world.organization_id,
        f"{role}-{uuid4()}@example.com",
        role,
    )
    await world.pool.execute(
        "insert into project_members (organization_id, project_id, user_id) values ($1, $2, $3)",
        world.organization_id,
        world.project_id,
        user_id,
    )
    return user_id
