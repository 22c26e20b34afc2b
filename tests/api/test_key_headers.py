"""How a key is sent, and what is said of one that is missing, unfit, unknown or contradicted."""

import pytest

from align.access import key_text
from tests.api.conftest import nothing_stored, refusal
from tests.conftest import SYNC_PATH

MISSING = {
    "error": "key_missing",
    "message": "send an API key, as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'",
}
MALFORMED = {
    "error": "key_invalid",
    "message": "this is not an API key of Align; is it cut off or mistyped?",
}
UNKNOWN = {"error": "key_invalid", "message": "no such API key exists here"}
CONTRADICTED = {
    "error": "key_invalid",
    "message": "Authorization and X-API-Key carry different keys; send one of them",
}
READS = ["/api/v1/me", f"{SYNC_PATH}?externalSystem=a&externalId=b", f"{SYNC_PATH}/{'0' * 32}"]


async def each(client, world, headers):
    """The answers of every operation to these headers."""
    async with nothing_stored(world):
        return [
            await client.post(SYNC_PATH, json=world.entry(), headers=headers),
            *[await client.get(path, headers=headers) for path in READS],
        ]


@pytest.mark.parametrize(
    "spell",
    [
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"bearer {key}"},
        lambda key: {"Authorization": f"BEARER {key}"},
        lambda key: {"Authorization": f"Bearer   {key} "},
        lambda key: {"X-API-Key": key},
        lambda key: {"x-api-key": f" {key} "},
        lambda key: {"Authorization": f"Bearer {key}", "X-API-Key": key},
        lambda key: {"Authorization": "Basic dXNlcjpwYXNz", "X-API-Key": key},
    ],
    ids=["bearer", "lower case", "upper case", "more spaces", "x-api-key", "padded", "both alike", "beside basic"],
)
async def test_a_key_may_be_sent_either_way(shared_world, client, spell):
    created = await client.post(SYNC_PATH, json=shared_world.entry(), headers=spell(shared_world.key))
    again = await client.post(SYNC_PATH, json=shared_world.entry(), headers=spell(shared_world.key))
    me = await client.get("/api/v1/me", headers=spell(shared_world.key))
    assert (created.status_code, again.status_code, me.status_code) == (201, 201, 200)
    assert me.json()["apiKeyId"] == str(shared_world.key_id)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic dXNlcjpwYXNz"}, {"Authorization": "Token x"}, {"Authorization": ""},
     {"Authorization": "Bearer"}, {"X-Api-Token": "x"}],
)  # fmt: skip
async def test_without_a_key_every_operation_says_how_to_send_one(shared_world, client, headers):
    for response in await each(client, shared_world, headers):
        assert (response.status_code, refusal(response)) == (401, MISSING)
        assert response.headers["www-authenticate"] == 'Bearer realm="align"'


async def test_a_key_in_the_query_or_the_body_is_no_key(shared_world, client):
    query = {"api_key": shared_world.key, "access_token": shared_world.key, "key": shared_world.key}
    async with nothing_stored(shared_world):
        post = await client.post(SYNC_PATH, params=query, json={**shared_world.entry(), **query})
        get = await client.get("/api/v1/me", params=query)
    assert [(response.status_code, refusal(response)) for response in (post, get)] == [(401, MISSING)] * 2


async def test_a_key_in_a_cookie_is_no_key(shared_world, client):
    response = await client.post(SYNC_PATH, json=shared_world.entry(), headers={"Cookie": f"key={shared_world.key}"})
    assert (response.status_code, refusal(response)) == (401, MISSING)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda key: "",
        lambda key: "ako_",
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key[:10] + ("a" if key[10] != "a" else "b") + key[11:],
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key.swapcase(),
        lambda key: "akp_" + key[4:],
        lambda key: "xyz_" + key[4:],
        lambda key: key[:20] + " " + key[21:],
        lambda key: f"{key} {key}",
        lambda key: f"{key},{key}",
        lambda key: f'"{key}"',
        lambda key: key[:-1] + "\u00e9",
        lambda key: "A" * 8000,
    ],
    ids=["empty", "prefix only", "cut off", "too long", "mistyped", "wrong checksum", "other case", "other scope",
         "other prefix", "space inside", "twice", "list", "quoted", "not ascii", "endless"],
)  # fmt: skip
async def test_a_key_that_is_none_of_ours_is_refused_by_its_form(shared_world, client, mangle):
    value = mangle(shared_world.key).encode("latin-1")
    for response in await each(client, shared_world, {b"authorization": b"Bearer " + value}):
        assert (response.status_code, refusal(response)) == (401, MALFORMED)
    for response in await each(client, shared_world, {b"x-api-key": value}):
        assert (response.status_code, refusal(response)) == (401, MALFORMED)


async def test_a_well_formed_key_that_nobody_has_is_unknown(shared_world, client):
    for scope in key_text.PREFIXES:
        for response in await each(client, shared_world, {"X-API-Key": key_text.make(scope).text}):
            assert (response.status_code, refusal(response)) == (401, UNKNOWN)


async def test_two_different_keys_are_refused_whichever_is_good(world, other_world, client):
    good, other = world.key, other_world.key
    for bearer, plain in ((good, other), (other, good), (good, ""), (good, "x"), ("x", good)):
        headers = {"Authorization": f"Bearer {bearer}", "X-API-Key": plain}
        async with nothing_stored(other_world):
            for response in await each(client, world, headers):
                assert (response.status_code, refusal(response)) == (401, CONTRADICTED)


async def test_a_malformed_key_is_refused_without_asking_the_database(world, client, pool):
    """A revoked key would be called revoked if it were looked up; mistyped, it is only called mistyped."""
    api_key, text = await world.mint()
    await pool.execute(
        "update api_keys set revoked_at = now() where organization_id = $1 and id = $2",
        world.organization_id,
        api_key.id,
    )
    # The mistyped key's own digest is stored too: only its checksum stands in the way of the look-up.
    mistyped = text[:-1] + ("a" if text[-1] != "a" else "b")
    await pool.execute(
        "update api_keys set digest = $3 where organization_id = $1 and id = $2",
        world.organization_id,
        world.key_id,
        key_text.digest(mistyped),
    )
    for response in await each(client, world, {"X-API-Key": mistyped}):
        assert (response.status_code, refusal(response)) == (401, MALFORMED)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ("revoked_at = now()", "key_revoked", "the API key has been revoked"),
        ("expires_at = now() - interval '1 second'", "key_expired", "the API key has expired"),
        ("revoked_at = now(), expires_at = now()", "key_revoked", "the API key has been revoked"),
    ],
)
async def test_a_key_that_ended_is_refused_everywhere_at_once(world, client, pool, change, code, message):
    assert (await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)).status_code == 201
    await pool.execute(
        f"update api_keys set {change} where organization_id = $1 and id = $2", world.organization_id, world.key_id
    )
    for _ in range(2):
        for response in await each(client, world, world.headers):
            assert response.status_code == 401
            assert refusal(response) == {"error": code, "message": message}
            assert response.headers["www-authenticate"] == 'Bearer realm="align"'


async def test_a_project_key_is_refused_with_both_scopes_named(shared_world, client):
    headers = {"X-API-Key": shared_world.project_key}
    async with nothing_stored(shared_world):
        responses = [
            await client.post(SYNC_PATH, json=shared_world.entry(), headers=headers),
            await client.get(READS[1], headers=headers),
            await client.get(READS[2], headers=headers),
        ]
    for response in responses:
        assert response.status_code == 403
        assert refusal(response) == {
            "error": "scope_violation",
            "message": "this operation takes an organisation's key; the one sent is limited to a project",
            "requiredScope": "organization",
            "scope": "project",
        }


async def test_no_answer_repeats_the_key(shared_world, client):
    mangled = shared_world.key[:-1] + ("a" if shared_world.key[-1] != "a" else "b")
    for key in (shared_world.key, mangled):
        for response in await each(client, shared_world, {"X-API-Key": key, "Authorization": "Bearer other"}):
            assert key not in response.text
            assert key not in str(response.headers)
