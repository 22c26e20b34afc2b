"""A change that waits for its turn is asked about its key once more when the turn comes."""

import asyncio

import pytest

from align.api_keys import api_keys
from align.users import users
from tests.api.keys import PATH, bearer
from tests.races.conftest import transaction
from tests.waiting import until


async def revoke(tx, world, key_id):
    await api_keys.revoke(tx, world.organization_id, key_id)


async def rotate(tx, world, key_id):
    await tx.execute(
        "update api_keys set digest = sha256(digest), previous_digest = digest, previous_valid_until = now(), "
        "secret_number = secret_number + 1 where organization_id = $1 and id = $2",
        world.organization_id,
        key_id,
    )


async def deactivate(tx, world, _key_id):
    await users.set_active(tx, world.organization_id, world.user_id, active=False)


async def demote(tx, world, _key_id):
    await users.set_role(tx, world.organization_id, world.user_id, "user")


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (revoke, 401, "key_revoked"),
        (rotate, 401, "key_revoked"),
        (deactivate, 401, "key_revoked"),
        (demote, 403, "role_violation"),
    ],
)
async def test_a_key_that_ended_while_its_change_waited_changes_nothing(world, clients, pool, end, status, code):
    async with pool.acquire() as tx, tx.transaction():
        await users.set_role(tx, world.organization_id, world.user_id, "admin")
    made, text = await world.mint(created_by_user_id=world.user_id)
    keys = await world.count("api_keys")

    async with transaction(world) as turn:
        await turn.execute("select pg_advisory_xact_lock(hashtextextended($1, 1))", str(world.organization_id))
        waiting = asyncio.create_task(
            clients[1].post(PATH, json={"name": "more", "scope": "organization"}, headers=bearer(text))
        )

        async def blocked() -> bool:
            return await pool.fetchval(
                "select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))",
                turn.get_server_pid(),
            )

        await until(blocked, "change that waits for its turn")
        async with pool.acquire() as tx, tx.transaction():
            await end(tx, world, made.id)
        await turn.execute("commit")
        response = await waiting
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert await world.count("api_keys") == keys
