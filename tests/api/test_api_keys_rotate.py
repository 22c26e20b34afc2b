"""POST /api-keys/{id}/rotate: a new secret, and an overlap in which the old one is valid too."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from align.api_keys import api_keys
from align.roles import KEY_MINTERS
from tests.api.conftest import Api, nothing_stored, refusal, warmed
from tests.api.keys import PATH, bearer, events_of, everything_stored_of, person


async def rotate(client, key, key_id, body=None, **headers):
    """The request; no body at all unless one is given."""
    options = {} if body is None else {"json": body}
    return await client.post(f"{PATH}/{key_id}/rotate", headers={**bearer(key), **headers}, **options)


async def me(client, text):
    response = await client.get("/api/v1/me", headers=bearer(text))
    return response.status_code if response.status_code == 200 else refusal(response)["error"]


async def now(world):
    return await world.pool.fetchval("select now()")


async def test_both_secrets_are_valid_for_a_day_unless_asked_otherwise(world, client):
    made, old = await world.mint(name="sender", permissions=["write:time_entries"], rate_limit_per_minute=9)
    before = await now(world)
    response = await rotate(client, world.key, made.id)
    after = await now(world)
    assert response.status_code == 200
    body = response.json()
    new = body.pop("key")
    assert before <= datetime.fromisoformat(body["previousValidUntil"]) - timedelta(days=1) <= after
    assert (new != old, new.startswith("ako_"), body["prefix"]) == (True, True, new[:10])
    listed = (await client.get(PATH, headers=world.headers)).json()["data"][-1]
    assert listed == body
    unchanged = ("id", "name", "permissions", "rateLimitPerMinute", "createdByUserId", "revokedAt")
    assert [body[name] for name in unchanged] == [
        str(made.id),
        "sender",
        ["write:time_entries"],
        9,
        str(world.admin_id),
        None,
    ]
    assert [await me(client, text) for text in (old, new)] == [200, 200]


async def test_one_event_tells_of_it_and_no_secret_is_kept(world, client):
    made, old = await world.mint(scoped_project_id=world.project_id)
    body = (await rotate(client, world.key, made.id, {"overlapSeconds": 60}, **{"Idempotency-Key": "r"})).json()
    _, event = await events_of(world, made.id)
    assert event == {
        "event_name": "api_key.rotated",
        "actor_user_id": world.admin_id,
        "actor_api_key_id": world.key_id,
        "project_id": world.project_id,
        "before": {"prefix": old[:10], "previousValidUntil": None},
        "after": {"prefix": body["prefix"], "previousValidUntil": body["previousValidUntil"]},
    }
    stored = await everything_stored_of(world)
    for text in (old, body["key"]):
        assert text[10:] not in stored
        assert hashlib.sha256(text.encode()).hexdigest() in stored


async def test_a_repeat_gets_the_same_secret_and_rotates_once(world, client):
    made, old = await world.mint()
    first = await rotate(client, world.key, made.id, **{"Idempotency-Key": "rotate"})
    async with nothing_stored(world):
        again = await rotate(client, world.key, made.id, **{"Idempotency-Key": "rotate"})
    assert (again.status_code, again.content) == (200, first.content)
    assert [await me(client, text) for text in (old, first.json()["key"])] == [200, 200]


async def test_a_key_that_rotates_itself_may_repeat_with_the_secret_it_had(world, client):
    made, old = await world.mint()
    first = await rotate(client, old, made.id, **{"Idempotency-Key": "self"})
    again = await rotate(client, old, made.id, **{"Idempotency-Key": "self"})
    assert again.content == first.content
    new = first.json()["key"]
    sealed = await rotate(client, new, made.id, **{"Idempotency-Key": "self"})
    assert (sealed.status_code, refusal(sealed)["error"]) == (422, "idempotency_key_reused")
    assert await me(client, new) == 200


async def test_after_the_overlap_the_old_secret_is_over_and_said_to_be_replaced(world, client, pool):
    made, old = await world.mint()
    new = (await rotate(client, world.key, made.id, {"overlapSeconds": 60})).json()["key"]
    assert await me(client, old) == 200
    await pool.execute(
        "update api_keys set previous_valid_until = now() where organization_id = $1 and id = $2",
        world.organization_id,
        made.id,
    )
    refused = await client.get("/api/v1/me", headers=bearer(old))
    body = refusal(refused)
    assert (refused.status_code, body["error"], "rotated" in body["message"]) == (401, "key_revoked", True)
    assert await me(client, new) == 200


async def test_without_overlap_the_old_secret_ends_at_once(world, client):
    made, old = await world.mint()
    new = (await rotate(client, world.key, made.id, {"overlapSeconds": 0})).json()["key"]
    assert [await me(client, text) for text in (old, new)] == ["key_revoked", 200]


async def test_a_second_rotation_ends_the_oldest_secret_at_once(world, client):
    made, first = await world.mint()
    second = (await rotate(client, world.key, made.id)).json()["key"]
    third = (await rotate(client, world.key, made.id)).json()["key"]
    assert [await me(client, text) for text in (first, second, third)] == ["key_invalid", 200, 200]


async def test_rotations_at_once_leave_two_secrets(world, client):
    made, _ = await world.mint()
    answers = await asyncio.gather(*(rotate(client, world.key, made.id) for _ in range(4)))
    assert [response.status_code for response in answers] == [200] * 4
    states = [await me(client, response.json()["key"]) for response in answers]
    assert sorted(map(str, states)) == ["200", "200", "key_invalid", "key_invalid"]
    assert len(await events_of(world, made.id)) == 5


@pytest.fixture
async def remembered(world, client, way):
    """Syncs of an organisation, with a key and its text, which the server remembers."""
    made, text = await world.mint()
    sender = await warmed(Api(world, client, way))
    for _ in range(2):
        assert (await sender.sync(authorization=f"Bearer {text}")).status_code == 201
    return sender, made, text


async def test_a_remembered_secret_syncs_in_the_overlap(remembered, client):
    sender, made, old = remembered
    new = (await rotate(client, sender.world.key, made.id, {"overlapSeconds": 600})).json()["key"]
    for text in (old, new, old, new):
        assert (await sender.sync(authorization=f"Bearer {text}")).status_code == 201


@pytest.mark.parametrize("end", ["no overlap", "overlap over", "second rotation"])
async def test_a_remembered_secret_syncs_no_more_once_it_is_over(remembered, client, pool, end):
    sender, made, old = remembered
    world = sender.world
    await rotate(client, world.key, made.id, {"overlapSeconds": 0 if end == "no overlap" else 600})
    if end == "overlap over":
        assert (await sender.sync(authorization=f"Bearer {old}")).status_code == 201
        await pool.execute(
            "update api_keys set previous_valid_until = now() where organization_id = $1 and id = $2",
            world.organization_id,
            made.id,
        )
    if end == "second rotation":
        await rotate(client, world.key, made.id)
    async with nothing_stored(world):
        refused = await sender.sync(authorization=f"Bearer {old}")
    assert (refused.status_code, refusal(refused)["error"]) == (401, "key_revoked")


async def test_an_unreadable_body_with_a_remembered_secret_that_is_over_is_told_of_the_key(remembered, client):
    sender, made, old = remembered
    await rotate(client, sender.world.key, made.id, {"overlapSeconds": 0})
    response = await sender.send(b"{", authorization=f"Bearer {old}")
    assert (response.status_code, refusal(response)["error"]) == (401, "key_revoked")


@pytest.mark.parametrize("state", ["revoked", "expired"])
async def test_a_key_that_has_ended_gets_no_new_secret(world, client, pool, state):
    made, old = await world.mint()
    column = {"revoked": "revoked_at", "expired": "expires_at"}[state]
    await pool.execute(
        f"update api_keys set {column} = now() where organization_id = $1 and id = $2", world.organization_id, made.id
    )
    async with nothing_stored(world):
        response = await rotate(client, world.key, made.id)
    body = refusal(response)
    assert (response.status_code, body["error"], body["path"]) == (409, "key_ended", "id")
    assert await me(client, old) == f"key_{state}"


async def test_revoking_ends_both_secrets(world, client):
    made, old = await world.mint()
    new = (await rotate(client, world.key, made.id)).json()["key"]
    await client.delete(f"{PATH}/{made.id}", headers=world.headers)
    assert [await me(client, text) for text in (old, new)] == ["key_revoked", "key_revoked"]


@pytest.mark.parametrize("role", sorted(KEY_MINTERS - {"admin"}))
async def test_others_than_admins_rotate_the_keys_of_their_user_only(world, client, role):
    user_id = await person(world, role)
    made, key = await world.mint(created_by_user_id=user_id)
    foreign, absent = await rotate(client, key, world.key_id), await rotate(client, key, uuid4())
    assert foreign.status_code == 404
    assert refusal(foreign) == refusal(absent)
    assert await me(client, world.key) == 200
    assert (await rotate(client, key, made.id)).status_code == 200


async def test_what_the_key_may_not_see_is_absent(world, other_world, client):
    second, _ = await world.mint(scoped_project_id=world.second_project_id)
    answers = [
        await rotate(client, world.key, uuid4()),
        await rotate(client, world.project_key, second.id),
        await rotate(client, world.project_key, world.key_id),
        await rotate(client, world.key, other_world.key_id),
        await rotate(client, world.key, "not-a-uuid"),
    ]
    assert {response.status_code for response in answers} == {404}
    assert all(refusal(response) == refusal(answers[0]) for response in answers)
    assert len(await events_of(world, world.key_id)) == len(await events_of(world, second.id)) == 1
    assert len(await events_of(other_world, other_world.key_id)) == 1


async def test_rotation_is_no_way_to_more_permissions(world, client):
    """Who rotates a key holds it."""
    made, key = await world.mint(permissions=["write:api_keys", "read:users"])
    response = await rotate(client, key, world.key_id)
    assert (response.status_code, refusal(response)["error"]) == (403, "permission_violation")
    more, _ = await world.mint(permissions=["read:users", "write:users"])
    response = await rotate(client, key, more.id)
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, "write:users")
    fewer, _ = await world.mint(permissions=["read:users"])
    assert [(await rotate(client, key, each.id)).status_code for each in (fewer, made)] == [200, 200]


async def test_rotation_is_no_way_out_of_a_source_binding(world, client):
    made, key = await world.mint(source_binding="jira")
    response = await rotate(client, key, world.key_id)
    assert (response.status_code, refusal(response)["sourceBinding"]) == (403, "jira")
    assert await me(client, world.key) == 200
    assert (await rotate(client, key, made.id)).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"overlapSeconds": -1}, "out_of_range"),
        ({"overlapSeconds": 30 * 86400 + 1}, "out_of_range"),
        ({"overlapSeconds": "60"}, "wrong_type"),
        ({"overlapSeconds": None}, "wrong_type"),
    ],
)
async def test_an_overlap_that_does_not_fit_is_refused(world, client, body, code):
    async with nothing_stored(world):
        response = await rotate(client, world.key, world.key_id, body)
    (problem,) = refusal(response)["details"]
    assert (response.status_code, problem["path"], problem["code"]) == (400, "overlapSeconds", code)
    assert await me(client, world.key) == 200


async def test_thirty_days_are_the_longest_overlap(world, client):
    made, _ = await world.mint()
    before = await now(world)
    body = (await rotate(client, world.key, made.id, {"overlapSeconds": 30 * 86400})).json()
    assert datetime.fromisoformat(body["previousValidUntil"]) - before >= timedelta(days=30)
    assert timedelta(days=30) == api_keys.MAXIMUM_OVERLAP
