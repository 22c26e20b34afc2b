"""DELETE /api-keys/{id}: an end for good."""

from uuid import uuid4

import pytest

from align.roles import KEY_MINTERS, ROLES
from tests.api.conftest import nothing_stored, refusal
from tests.api.keys import PATH, bearer, events_of, person


async def revoke(client, key, key_id):
    return await client.delete(f"{PATH}/{key_id}", headers=bearer(key))


async def is_revoked(world, key_id):
    return await world.pool.fetchval(
        "select revoked_at is not null from api_keys where organization_id = $1 and id = $2",
        world.organization_id,
        key_id,
    )


async def test_from_then_on_the_key_is_refused(world, client):
    made, text = await world.mint(scoped_project_id=world.project_id)
    assert (await client.get("/api/v1/me", headers=bearer(text))).status_code == 200
    response = await revoke(client, world.key, made.id)
    assert (response.status_code, response.content) == (204, b"")
    refused = await client.get("/api/v1/me", headers=bearer(text))
    assert (refused.status_code, refusal(refused)["error"]) == (401, "key_revoked")
    _, event = await events_of(world, made.id)
    revoked_at = event["after"].pop("revokedAt")
    assert event == {
        "event_name": "api_key.revoked",
        "actor_user_id": world.admin_id,
        "actor_api_key_id": world.key_id,
        "project_id": world.project_id,
        "before": {"revokedAt": None},
        "after": {},
    }
    listed = (await client.get(PATH, headers=world.headers)).json()["data"][-1]
    assert (listed["id"], listed["revokedAt"]) == (str(made.id), revoked_at)


async def test_revoking_again_changes_nothing(world, client):
    made, _ = await world.mint()
    await revoke(client, world.key, made.id)
    before = await client.get(PATH, headers=world.headers, params={"active": "false"})
    async with nothing_stored(world):
        assert (await revoke(client, world.key, made.id)).status_code == 204
    assert (await client.get(PATH, headers=world.headers, params={"active": "false"})).json() == before.json()


async def test_a_remembered_key_syncs_no_more_at_once(api, client):
    made, text = await api.world.mint()
    accepted = await api.sync(authorization=f"Bearer {text}")
    again = await api.sync(authorization=f"Bearer {text}")
    assert (accepted.status_code, again.status_code) == (201, 201)
    await revoke(client, api.world.key, made.id)
    async with nothing_stored(api.world):
        refused = await api.sync(authorization=f"Bearer {text}")
    assert (refused.status_code, refusal(refused)["error"]) == (401, "key_revoked")


async def test_a_key_may_end_itself(world, client):
    made, text = await world.mint()
    assert (await revoke(client, text, made.id)).status_code == 204
    assert (await revoke(client, text, made.id)).status_code == 401
    assert len(await events_of(world, made.id)) == 2


@pytest.mark.parametrize("role", sorted(KEY_MINTERS - {"admin"}))
async def test_others_than_admins_revoke_the_keys_of_their_user_only(world, client, role):
    user_id = await person(world, role)
    _, key = await world.mint(created_by_user_id=user_id)
    own, _ = await world.mint(created_by_user_id=user_id, scoped_project_id=world.project_id)
    assert (await revoke(client, key, own.id)).status_code == 204
    foreign, absent = await revoke(client, key, world.key_id), await revoke(client, key, uuid4())
    assert foreign.status_code == 404
    assert refusal(foreign) == refusal(absent)
    assert await is_revoked(world, own.id)
    assert not await is_revoked(world, world.key_id)


async def test_what_the_key_may_not_see_is_absent(world, other_world, client):
    second, _ = await world.mint(scoped_project_id=world.second_project_id)
    absent = await revoke(client, world.key, uuid4())
    answers = [
        await revoke(client, world.project_key, second.id),
        await revoke(client, world.project_key, world.key_id),
        await revoke(client, world.key, other_world.key_id),
        await revoke(client, world.key, "not-a-uuid"),
    ]
    assert {response.status_code for response in answers} == {404}
    bodies = [refusal(response) for response in (absent, *answers)]
    assert all(body == bodies[0] for body in bodies)
    assert not await is_revoked(world, second.id)
    assert not await is_revoked(other_world, other_world.key_id)


@pytest.mark.parametrize("role", sorted(set(ROLES) - KEY_MINTERS))
async def test_other_roles_revoke_none(world, client, role):
    user_id = await person(world, role)
    made, key = await world.mint(created_by_user_id=user_id)
    response = await revoke(client, key, made.id)
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")
    assert not await is_revoked(world, made.id)


async def test_a_key_with_permissions_needs_this_one(world, client):
    made, key = await world.mint(permissions=["read:api_keys"])
    response = await revoke(client, key, made.id)
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, "write:api_keys")
    assert not await is_revoked(world, made.id)
