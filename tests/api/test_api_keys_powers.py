"""What a key's permissions, its source binding and its creator's state do to calls, syncs above all."""

import json

import httpx
import pytest

from align.users import users
from tests.api.batch.conftest import BATCH_PATH, lines_of, stored_more
from tests.api.conftest import Api, nothing_stored, refusal, stored_once, warmed
from tests.api.keys import PATH, bearer, key_of
from tests.conftest import SYNC_PATH

SYNC_PERMISSION = "write:time_entries"


async def sender_with(world, client, way, **options):
    """Syncs with a key of its own, remembered by the server, so that the quick way is taken."""
    _, text = await world.mint(**options)
    sender = await warmed(Api(world, client, way))
    await sender.send(b"", authorization=f"Bearer {text}")
    return sender, f"Bearer {text}"


@pytest.fixture
async def stream_client(base_url):
    async with httpx.AsyncClient(base_url=base_url, timeout=30) as made:
        yield made


async def test_a_key_with_the_permission_syncs(world, client, way):
    sender, authorization = await sender_with(world, client, way, permissions=[SYNC_PERMISSION])
    async with stored_once(world):
        response = await sender.sync(authorization=authorization)
    assert response.status_code == 201


async def test_a_key_without_the_permission_syncs_nothing(world, client, way):
    sender, authorization = await sender_with(world, client, way, permissions=["read:time_entries"])
    async with nothing_stored(world):
        response = await sender.sync(authorization=authorization)
    body = refusal(response)
    assert (response.status_code, body["error"], body["requiredPermission"]) == (
        403,
        "permission_violation",
        SYNC_PERMISSION,
    )


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
async def test_batches_and_streams_ask_for_the_permission_as_a_whole(world, client, media_type):
    _, key = await world.mint(permissions=["read:time_entries"])
    entries = [world.entry(), world.entry()]
    content = json.dumps({"entries": entries}).encode() if "ndjson" not in media_type else lines_of(entries)
    async with nothing_stored(world):
        response = await client.post(BATCH_PATH, content=content, headers={**bearer(key), "content-type": media_type})
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, SYNC_PERMISSION)


async def test_permissions_that_are_given_later_count_at_once_for_a_remembered_key(world, client, way, pool):
    sender, authorization = await sender_with(world, client, way, permissions=["read:time_entries"])
    assert (await sender.sync(authorization=authorization)).status_code == 403
    await pool.execute(
        "update api_keys set permissions = array[$2] where organization_id = $1 and permissions is not null",
        world.organization_id,
        SYNC_PERMISSION,
    )
    assert (await sender.sync(authorization=authorization)).status_code == 201


async def test_reads_ask_for_their_own_permission(world, client):
    entry = (await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)).json()
    _, writer = await world.mint(permissions=[SYNC_PERMISSION])
    _, reader = await world.mint(permissions=["read:time_entries"])
    path = f"{SYNC_PATH}/{entry['id']}"
    answers = [await client.get(path, headers=bearer(key)) for key in (writer, reader)]
    assert [response.status_code for response in answers] == [403, 200]
    assert refusal(answers[0])["requiredPermission"] == "read:time_entries"


async def test_a_bound_key_syncs_as_its_source_only(world, client, way):
    sender, authorization = await sender_with(world, client, way, source_binding="jira")
    async with stored_once(world):
        own = await sender.sync(world.entry(externalSystem="jira"), authorization=authorization)
    assert (own.status_code, own.json()["source"]) == (201, "jira")
    for other in ("illumera", "JIRA", "jira "):
        async with nothing_stored(world):
            response = await sender.sync(world.entry(externalSystem=other), authorization=authorization)
        body = refusal(response)
        assert (response.status_code, body["error"], body["sourceBinding"]) == (403, "source_violation", "jira")


async def test_the_source_is_compared_in_unicode_nfc(world, client, way):
    sender, authorization = await sender_with(world, client, way, source_binding="Zoe\u0308")
    for spelling in ("Zo\u00eb", "Zoe\u0308"):
        response = await sender.sync(world.entry(externalSystem=spelling), authorization=authorization)
        assert (response.status_code, response.json()["source"]) == (201, "Zo\u00eb")


async def test_another_source_does_not_learn_what_exists(world, client, way):
    """A pair that another system synced is refused as a new one is."""
    sender, authorization = await sender_with(world, client, way, source_binding="jira")
    known = world.entry(externalSystem="harvest")
    assert (await sender.sync(known)).status_code == 201
    answers = [
        refusal(await sender.sync(entry, authorization=authorization))
        for entry in (known, world.entry(externalSystem="harvest"))
    ]
    assert answers[0] == answers[1]
    assert answers[0]["error"] == "source_violation"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ("update api_keys set revoked_at = now()", 401, "key_revoked"),
        ("update users set deactivated_at = now()", 401, "key_revoked"),
        ("update organizations set features = '{}'", 402, "payment_required"),
    ],
    ids=["key revoked", "creator deactivated", "plan"],
)
async def test_what_comes_before_the_source_is_told_first(world, client, way, pool, change, status, code):
    sender, authorization = await sender_with(world, client, way, source_binding="jira")
    await pool.execute(f"{change} where organization_id = $1", world.organization_id)
    response = await sender.sync(world.entry(externalSystem="harvest"), authorization=authorization)
    assert (response.status_code, refusal(response)["error"]) == (status, code)


async def test_members_of_a_batch_are_judged_by_their_source_each_on_its_own(world, client):
    _, key = await world.mint(source_binding="jira")
    entries = [world.entry(externalSystem=system) for system in ("jira", "harvest", "jira")]
    async with stored_more(world, 2):
        response = await client.post(BATCH_PATH, json={"entries": entries}, headers=bearer(key))
    body = response.json()
    assert (response.status_code, body["created"], body["failed"]) == (200, 2, 1)
    assert [each["status"] for each in body["results"]] == [201, 403, 201]
    error = body["results"][1]["error"]
    assert (error["error"], error["sourceBinding"]) == ("source_violation", "jira")


async def test_an_atomic_batch_with_a_foreign_source_stores_nothing(world, client):
    _, key = await world.mint(source_binding="jira")
    entries = [world.entry(externalSystem=system) for system in ("jira", "harvest")]
    async with nothing_stored(world):
        response = await client.post(f"{BATCH_PATH}?atomic=true", json={"entries": entries}, headers=bearer(key))
    results = response.json()["results"]
    assert response.status_code == 409
    assert [(each["status"], each["error"]["error"]) for each in results] == [
        (424, "batch_rejected"),
        (403, "source_violation"),
    ]


async def test_lines_of_a_stream_are_judged_by_their_source_each_on_its_own(world, stream_client):
    _, key = await world.mint(source_binding="jira")
    entries = [world.entry(externalSystem=system) for system in ("jira", "harvest", "jira")]
    headers = {**bearer(key), "content-type": "application/x-ndjson"}
    async with stored_more(world, 2):
        response = await stream_client.post(BATCH_PATH, content=lines_of(entries), headers=headers)
    *results, end = map(json.loads, response.text.splitlines())
    assert [each["status"] for each in results] == [201, 403, 201]
    assert results[1]["error"]["error"] == "source_violation"
    assert end == {"created": 2, "existing": 0, "failed": 1}


async def test_a_key_rests_while_its_creator_is_deactivated(world, client, way, pool):
    sender, authorization = await sender_with(world, client, way, created_by_user_id=world.user_id)
    assert (await sender.sync(authorization=authorization)).status_code == 201
    await set_active(pool, world, active=False)
    async with nothing_stored(world):
        answers = [
            await sender.sync(authorization=authorization),
            await sender.send(b"{", authorization=authorization),
            await client.get("/api/v1/me", headers={"authorization": authorization}),
            await client.get(PATH, headers={"authorization": authorization}),
        ]
    for response in answers:
        body = refusal(response)
        assert (response.status_code, body["error"]) == (401, "key_revoked")
        assert "deactivated" in body["message"]
    await set_active(pool, world, active=True)
    assert (await sender.sync(authorization=authorization)).status_code == 201


async def test_an_unreadable_body_of_a_remembered_key_whose_creator_is_deactivated(world, client, way, pool):
    sender, authorization = await sender_with(world, client, way, created_by_user_id=world.user_id)
    await set_active(pool, world, active=False)
    response = await sender.send(b"{", authorization=authorization)
    assert (response.status_code, refusal(response)["error"]) == (401, "key_revoked")


async def test_keys_of_others_go_on_when_a_user_is_deactivated(world, client, way, pool):
    sender, authorization = await sender_with(world, client, way)
    await set_active(pool, world, active=False)
    response = await sender.sync(authorization=authorization)
    assert (response.status_code, response.json()["userId"]) == (201, str(world.user_id))


async def test_a_key_acts_with_its_creators_role_of_now(world, client, pool):
    text = await key_of(world, "manager")
    assert (await client.get(PATH, headers=bearer(text))).status_code == 200
    await pool.execute(
        "update users set role = 'user' where organization_id = $1 and role = 'manager'", world.organization_id
    )
    response = await client.get(PATH, headers=bearer(text))
    assert (response.status_code, refusal(response)["role"]) == (403, "user")


async def set_active(pool, world, *, active):
    async with pool.acquire() as tx, tx.transaction():
        await users.set_active(tx, world.organization_id, world.user_id, active=active)
