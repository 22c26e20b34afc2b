"""GET /organization: the calling key's organisation."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.api.keys import bearer, key_of

PATH = "/api/v1/organization"


async def test_it_tells_name_features_and_settings(world, client, pool):
    await pool.execute(
        "update organizations set name = 'Bolt & Söhne', strict = true, locked_until = $2 where organization_id = $1",
        world.organization_id,
        date(2024, 12, 31),
    )
    response = await client.get(PATH, headers=world.headers)
    assert response.status_code == 200
    body = response.json()
    for name in ("createdAt", "updatedAt"):
        assert abs(datetime.now(UTC) - datetime.fromisoformat(body.pop(name))) < timedelta(minutes=5)
    assert body == {
        "id": str(world.organization_id),
        "name": "Bolt & Söhne",
        "features": ["time_tracking"],
        "settings": {"strict": True, "lockedUntil": "2024-12-31"},
    }


async def test_each_key_reads_its_own_organisation(world, other_world, client):
    for each in (world, other_world):
        body = (await client.get(PATH, headers=each.headers)).json()
        assert (body["id"], body["settings"]) == (str(each.organization_id), {"strict": False, "lockedUntil": None})


@pytest.mark.parametrize("kind", ["of a project", "of a client", "with one permission", "without the plan's feature"])
async def test_any_key_may_read_it(world, client, pool, kind):
    if kind == "of a project":
        key = world.project_key
    elif kind == "of a client":
        key = await key_of(world, "client")
    elif kind == "with one permission":
        _, key = await world.mint(permissions=["write:time_entries"])
    else:
        key = world.key
        await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    response = await client.get(PATH, headers=bearer(key))
    assert (response.status_code, response.json()["id"]) == (200, str(world.organization_id))


async def test_without_a_key_it_tells_nothing(client):
    response = await client.get(PATH)
    assert (response.status_code, response.json()["error"]) == (401, "key_missing")
