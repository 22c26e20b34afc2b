"""GET /api-keys: who sees which keys."""

from uuid import uuid4

import pytest

from align.api_keys import api_keys
from align.roles import KEY_MINTERS, ROLES
from align.users import users
from tests.api.conftest import refusal
from tests.api.keys import PATH, bearer, key_of, person


async def ids(client, key, **parameters):
    response = await client.get(PATH, headers=bearer(key), params=parameters)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()["data"]]


async def test_a_key_is_listed_with_everything_but_its_text(world, client):
    made, text = await world.mint(name="illumera – prod", permissions=["write:time_entries"], source_binding="jira")
    response = await client.get(PATH, headers=world.headers)
    body = response.json()
    assert {name: body[name] for name in ("page", "pageSize", "total")} == {"page": 1, "pageSize": 25, "total": 3}
    assert body["data"][-1] == {
        "id": str(made.id),
        "organizationId": str(world.organization_id),
        "name": "illumera – prod",
        "prefix": text[:10],
        "scope": "organization",
        "scopedProjectId": None,
        "permissions": ["write:time_entries"],
        "sourceBinding": "jira",
        "rateLimitPerMinute": None,
        "createdByUserId": str(world.admin_id),
        "createdAt": made.created_at.isoformat().replace("+00:00", "Z"),
        "expiresAt": None,
        "revokedAt": None,
        "previousValidUntil": None,
        "lastUsedAt": None,
    }
    assert text not in response.text


async def test_pages_go_through_all_keys_once_oldest_first(world, client):
    made = [str((await world.mint(name=f"key {number}"))[0].id) for number in range(5)]
    pages = [await ids(client, world.key, page=page, pageSize=3) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [each for page in pages for each in page][2:] == made
    last = await client.get(PATH, headers=world.headers, params={"page": 4, "pageSize": 3})
    assert last.json()["total"] == 7


@pytest.mark.parametrize("role", sorted(KEY_MINTERS - {"admin"}))
async def test_others_than_admins_see_the_keys_of_their_user_only(world, client, role):
    user_id = await person(world, role)
    key, text = await world.mint(created_by_user_id=user_id)
    second, _ = await world.mint(created_by_user_id=user_id, scoped_project_id=world.project_id)
    assert await ids(client, text) == [str(key.id), str(second.id)]
    assert {str(world.key_id), str(key.id), str(second.id)} < set(await ids(client, world.key))


async def test_a_projects_key_sees_the_keys_of_its_project_only(world, client):
    same, _ = await world.mint(scoped_project_id=world.project_id)
    other, other_text = await world.mint(scoped_project_id=world.second_project_id)
    seen = await ids(client, world.project_key)
    assert len(seen) == 2
    assert seen[1] == str(same.id)
    assert await ids(client, other_text) == [str(other.id)]
    assert await ids(client, world.project_key, projectId=str(world.second_project_id)) == []
    assert await ids(client, world.project_key, scope="organization") == []


async def test_another_organisations_keys_are_not_there(world, other_world, client):
    assert set(await ids(client, world.key)).isdisjoint(await ids(client, other_world.key))
    assert await ids(client, world.key, projectId=str(other_world.project_id)) == []


async def test_filters_by_scope_and_project(world, client):
    second, _ = await world.mint(scoped_project_id=world.second_project_id)
    of_projects = await ids(client, world.key, scope="project")
    assert len(of_projects) == 2
    assert await ids(client, world.key, scope="organization") == [str(world.key_id)]
    assert await ids(client, world.key, projectId=str(world.second_project_id)) == [str(second.id)]
    assert await ids(client, world.key, projectId=str(uuid4())) == []


async def test_active_keys_are_those_that_work_now(world, client, pool):
    revoked, _ = await world.mint(name="revoked")
    expired, _ = await world.mint(name="expired")
    resting, resting_text = await world.mint(name="resting", created_by_user_id=world.user_id)
    async with pool.acquire() as tx, tx.transaction():
        await api_keys.revoke(tx, world.organization_id, revoked.id)
        await tx.execute(
            "update api_keys set expires_at = now() where organization_id = $1 and id = $2",
            world.organization_id,
            expired.id,
        )
        await users.set_active(tx, world.organization_id, world.user_id, active=False)
    assert (await client.get("/api/v1/me", headers=bearer(resting_text))).status_code == 401
    ended = {str(key.id) for key in (revoked, expired, resting)}
    assert set(await ids(client, world.key, active="false")) == ended
    active = await ids(client, world.key, active="true")
    assert str(world.key_id) in active
    assert ended.isdisjoint(active)
    assert len(await ids(client, world.key)) == len(active) + len(ended)


@pytest.mark.parametrize("role", sorted(set(ROLES) - KEY_MINTERS))
async def test_roles_that_mint_no_keys_see_none(world, client, role):
    response = await client.get(PATH, headers=bearer(await key_of(world, role)))
    assert response.status_code == 403
    body = refusal(response)
    assert (body["error"], body["role"], body["requiredRoles"]) == ("role_violation", role, sorted(KEY_MINTERS))


async def test_a_key_with_permissions_needs_this_one(world, client):
    _, lacking = await world.mint(permissions=["write:api_keys", "read:users"])
    response = await client.get(PATH, headers=bearer(lacking))
    assert response.status_code == 403
    assert (refusal(response)["error"], response.json()["requiredPermission"]) == (
        "permission_violation",
        "read:api_keys",
    )
    _, having = await world.mint(permissions=["read:api_keys"])
    assert len(await ids(client, having)) == 4


async def test_every_problem_of_the_query_is_named(world, client):
    response = await client.get(
        PATH, headers=world.headers, params={"scope": "all", "projectId": "x", "active": "yes", "page": 0, "name": "a"}
    )
    assert response.status_code == 400
    problems = {(each["path"], each["code"]) for each in refusal(response)["details"]}
    assert problems == {
        ("scope", "unknown_value"),
        ("projectId", "invalid_uuid"),
        ("active", "wrong_type"),
        ("page", "out_of_range"),
        ("name", "unknown_parameter"),
    }
