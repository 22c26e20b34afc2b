from tests.conftest import SYNC_PATH


async def test_first_sync_creates_second_returns_the_same(world, client):
    entry = world.entry()
    first = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    second = await client.post(SYNC_PATH, json=entry, headers=world.headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
