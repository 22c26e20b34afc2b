"""GET /me: what the calling key is and may do."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.conftest import refusal

PATH = "/api/v1/me"


async def test_an_organisations_key_describes_itself(world, client):
    api_key, text = await world.mint(name="illumera – prod")
    response = await client.get(PATH, headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 200
    body = response.json()
    last_used = datetime.fromisoformat(body.pop("lastUsedAt"))
    assert abs(datetime.now(UTC) - last_used) < timedelta(minutes=1)
    assert body == {
        "apiKeyId": str(api_key.id),
        "keyName": "illumera – prod",
        "keyPrefix": text[:10],
        "organizationId": str(world.organization_id),
        "scope": "organization",
        "scopedProjectId": None,
        "permissions": None,
        "sourceBinding": None,
        "createdByUserId": str(world.admin_id),
    }


async def test_a_projects_key_names_its_project(world, client):
    response = await client.get(PATH, headers={"X-API-Key": world.project_key})
    assert response.status_code == 200
    assert (response.json()["scope"], response.json()["scopedProjectId"]) == ("project", str(world.project_id))
    assert response.json()["keyPrefix"] == world.project_key[:10]


async def test_permissions_are_shown_as_they_are(world, client, pool):
    await pool.execute(
        "update api_keys set permissions = '{read:time,write:time}' where organization_id = $1 and id = $2",
        world.organization_id,
        world.key_id,
    )
    response = await client.get(PATH, headers=world.headers)
    assert response.json()["permissions"] == ["read:time", "write:time"]


@pytest.mark.parametrize(("seconds_ago", "is_noted"), [(30, False), (90, True)])
async def test_the_last_use_is_noted_at_most_once_a_minute(world, client, pool, seconds_ago, is_noted):
    before = await pool.fetchval(
        "update api_keys set last_used_at = now() - $3::integer * interval '1 second' "
        "where organization_id = $1 and id = $2 returning last_used_at",
        world.organization_id,
        world.key_id,
        seconds_ago,
    )
    shown = datetime.fromisoformat((await client.get(PATH, headers=world.headers)).json()["lastUsedAt"])
    stored = await pool.fetchval(
        "select last_used_at from api_keys where organization_id = $1 and id = $2",
        world.organization_id,
        world.key_id,
    )
    assert shown == stored
    assert (stored > before) == is_noted


async def test_a_refused_key_is_not_noted_as_used(world, client, pool):
    api_key, text = await world.mint()
    await pool.execute(
        "update api_keys set revoked_at = now() where organization_id = $1 and id = $2",
        world.organization_id,
        api_key.id,
    )
    response = await client.get(PATH, headers={"X-API-Key": text})
    assert (response.status_code, refusal(response)["error"]) == (401, "key_revoked")
    assert await pool.fetchval(
        "select last_used_at is null from api_keys where organization_id = $1 and id = $2",
        world.organization_id,
        api_key.id,
    )


async def test_the_plan_and_the_creators_role_do_not_matter(world, client, pool):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.admin_id
    )
    assert (await client.get(PATH, headers=world.headers)).status_code == 200


async def test_without_the_prefix_there_is_no_such_path(world, client):
    assert (await client.get("/me", headers=world.headers)).status_code == 404
