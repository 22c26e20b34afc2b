"""POST /api-keys: a new key, shown once."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from align.roles import KEY_MINTERS, PERMISSIONS, ROLES
from tests.api.conftest import nothing_stored, refusal, validation_error
from tests.api.keys import PATH, bearer, events_of, everything_stored_of, key_of, person
from tests.conftest import SYNC_PATH

ORGANIZATION = {"name": "illumera", "scope": "organization"}


def of_project(project_id, **more):
    return {"name": "for a project", "scope": "project", "scopedProjectId": str(project_id), **more}


async def mint(client, key, body, **headers):
    return await client.post(PATH, json=body, headers={**bearer(key), **headers})


async def refused(client, world, key, body):
    """The refusal of a mint that must leave nothing behind."""
    keys = await world.count("api_keys")
    async with nothing_stored(world):
        response = await mint(client, key, body)
    assert await world.count("api_keys") == keys
    return response.status_code, refusal(response)


async def test_the_answer_has_the_key_and_all_that_was_asked_for(world, client):
    expires_at = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    response = await mint(
        client,
        world.key,
        {
            **of_project(world.project_id),
            "name": "  Zoë's key ",
            "permissions": ["write:time_entries", "read:time_entries", "write:time_entries"],
            "expiresAt": expires_at.astimezone().isoformat(),
            "rateLimitPerMinute": 7,
            "sourceBinding": "Zoe\u0308",
        },
    )
    assert response.status_code == 201
    body = response.json()
    text = body.pop("key")
    created_at = datetime.fromisoformat(body.pop("createdAt"))
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1)
    assert text.startswith("akp_")
    assert body == {
        "id": body["id"],
        "organizationId": str(world.organization_id),
        "name": "Zoë's key",
        "prefix": text[:10],
        "scope": "project",
        "scopedProjectId": str(world.project_id),
        "permissions": ["read:time_entries", "write:time_entries"],
        "sourceBinding": "Zoë",
        "rateLimitPerMinute": 7,
        "createdByUserId": str(world.admin_id),
        "expiresAt": expires_at.isoformat().replace("+00:00", "Z"),
        "revokedAt": None,
        "previousValidUntil": None,
        "lastUsedAt": None,
    }
    me = (await client.get("/api/v1/me", headers=bearer(text))).json()
    assert (me["apiKeyId"], me["scopedProjectId"]) == (body["id"], str(world.project_id))
    listed = (await client.get(PATH, headers=world.headers)).json()["data"][-1]
    assert {**listed, "lastUsedAt": None} == {**body, "createdAt": listed["createdAt"]}


async def test_without_more_it_may_do_all_of_its_scope_at_the_servers_rate(world, client):
    response = await mint(client, world.key, ORGANIZATION)
    body = response.json()
    assert response.status_code == 201
    assert body["key"].startswith("ako_")
    assert [body[name] for name in ("permissions", "sourceBinding", "expiresAt", "rateLimitPerMinute")] == [
        None,
        None,
        None,
        600,
    ]
    created = await client.post(SYNC_PATH, json=world.entry(), headers=bearer(body["key"]))
    assert (created.status_code, created.headers["x-ratelimit-limit"]) == (201, "600")


async def test_one_event_tells_who_minted_what(world, client):
    body = (await mint(client, world.key, of_project(world.project_id))).json()
    text = body.pop("key")
    (event,) = await events_of(world, body["id"])
    assert event == {
        "event_name": "api_key.created",
        "actor_user_id": world.admin_id,
        "actor_api_key_id": world.key_id,
        "project_id": world.project_id,
        "before": None,
        "after": body,
    }
    stored = await everything_stored_of(world)
    assert text[10:] not in stored
    assert hashlib.sha256(text.encode()).hexdigest() in stored


async def test_a_repeat_gets_the_same_key_which_is_kept_sealed(world, client):
    first = await mint(client, world.key, ORGANIZATION, **{"Idempotency-Key": "mint-1"})
    async with nothing_stored(world):
        again = await mint(client, world.key, ORGANIZATION, **{"Idempotency-Key": "mint-1"})
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json()["key"][10:] not in await everything_stored_of(world)


async def test_another_keys_repeat_is_another_key(world, client):
    _, second = await world.mint()
    texts = {
        (await mint(client, key, ORGANIZATION, **{"Idempotency-Key": "mint-1"})).json()["key"]
        for key in (world.key, second)
    }
    assert len(texts) == 2


@pytest.mark.parametrize("role", sorted(KEY_MINTERS - {"admin"}))
async def test_others_than_admins_mint_keys_of_the_projects_they_are_members_of(world, client, role):
    user_id = await person(world, role, member_of=world.project_id)
    _, key = await world.mint(created_by_user_id=user_id)
    response = await mint(client, key, of_project(world.project_id))
    assert response.status_code == 201
    assert response.json()["createdByUserId"] == str(user_id)

    status, body = await refused(client, world, key, of_project(world.second_project_id))
    assert (status, body["error"], body["role"], body["requiredRoles"]) == (403, "role_violation", role, ["admin"])
    status, body = await refused(client, world, key, ORGANIZATION)
    assert (status, body["error"], body["role"], body["requiredRoles"]) == (403, "role_violation", role, ["admin"])


@pytest.mark.parametrize("role", sorted(set(ROLES) - KEY_MINTERS))
async def test_other_roles_mint_none(world, client, role):
    key = await key_of(world, role, member_of=world.project_id)
    status, body = await refused(client, world, key, of_project(world.project_id))
    assert (status, body["error"], body["requiredRoles"]) == (403, "role_violation", sorted(KEY_MINTERS))


@pytest.mark.parametrize("role", ["admin", "developer"])
async def test_unknown_and_foreign_projects_are_the_same_nothing(world, other_world, client, role):
    key = world.key if role == "admin" else await key_of(world, role)
    answers = []
    for project_id in (uuid4(), other_world.project_id):
        status, body = await refused(client, world, key, of_project(project_id))
        assert (status, [each["path"] for each in body["details"]]) == (404, ["scopedProjectId"])
        answers.append(str(body).replace(str(project_id), "…"))
    assert answers[0] == answers[1]


async def test_a_projects_key_mints_for_its_project_only(world, client):
    response = await mint(client, world.project_key, of_project(world.project_id))
    assert (response.status_code, response.json()["scopedProjectId"]) == (201, str(world.project_id))
    status, body = await refused(client, world, world.project_key, ORGANIZATION)
    assert (status, body["error"]) == (403, "scope_violation")
    answers = []
    for project_id in (world.second_project_id, uuid4()):
        status, body = await refused(client, world, world.project_key, of_project(project_id))
        answers.append((status, str(body).replace(str(project_id), "…")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("wanted", [None, ["write:api_keys", "write:time_entries"], ["read:users"]])
async def test_a_key_with_permissions_gives_no_others(world, client, wanted):
    _, key = await world.mint(permissions=["write:api_keys", "read:time_entries"])
    status, body = await refused(client, world, key, {**ORGANIZATION, "permissions": wanted})
    lacking = PERMISSIONS[0] if wanted is None else wanted[-1]
    assert (status, body["error"], body["requiredPermission"]) == (403, "permission_violation", lacking)


async def test_a_key_with_permissions_gives_its_own(world, client):
    _, key = await world.mint(permissions=["write:api_keys", "read:time_entries"])
    response = await mint(client, key, {**ORGANIZATION, "permissions": ["read:time_entries"]})
    assert (response.status_code, response.json()["permissions"]) == (201, ["read:time_entries"])
    status, body = await refused(
        client, world, response.json()["key"], {**ORGANIZATION, "permissions": ["read:time_entries"]}
    )
    assert (status, body["error"], body["requiredPermission"]) == (403, "permission_violation", "write:api_keys")


@pytest.mark.parametrize("wanted", [None, "harvest", "JIRA"])
async def test_a_bound_key_gives_its_binding(world, client, wanted):
    _, key = await world.mint(source_binding="jira")
    status, body = await refused(client, world, key, {**ORGANIZATION, "sourceBinding": wanted})
    assert (status, body["error"], body["sourceBinding"]) == (403, "source_violation", "jira")
    response = await mint(client, key, {**ORGANIZATION, "sourceBinding": "jira"})
    assert (response.status_code, response.json()["sourceBinding"]) == (201, "jira")


async def test_a_binding_in_another_unicode_form_is_the_same(world, client):
    _, key = await world.mint(source_binding="Zoë")
    response = await mint(client, key, {**ORGANIZATION, "sourceBinding": "Zoe\u0308"})
    assert (response.status_code, response.json()["sourceBinding"]) == (201, "Zoë")


async def test_every_problem_of_the_body_is_named(world, client):
    status, body = await refused(
        client,
        world,
        world.key,
        {
            "name": "\u0007",
            "scope": "project",
            "permissions": ["read:users", "fly:moon"],
            "expiresAt": "2025-01-15T10:30:00Z",
            "rateLimitPerMinute": 0,
            "sourceBinding": "  ",
        },
    )
    assert (status, body["error"]) == (400, "validation_error")
    assert [(each["path"], each["code"]) for each in body["details"]] == [
        ("name", "control_character"),
        ("permissions[1]", "unknown_value"),
        ("expiresAt", "out_of_range"),
        ("rateLimitPerMinute", "out_of_range"),
        ("sourceBinding", "blank"),
        ("scopedProjectId", "required"),
    ]
    message = body["details"][1]["message"]
    assert all(permission in message for permission in PERMISSIONS)


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ({"name": "  "}, "name", "blank"),
        ({"name": "x" * 201}, "name", "too_long"),
        ({"scope": "world"}, "scope", "unknown_value"),
        ({"scopedProjectId": "7b1e2c3d-0000-0000-0000-000000000001"}, "scopedProjectId", "not_with_scope"),
        ({"scope": "project"}, "scopedProjectId", "required"),
        ({"scope": "project", "scopedProjectId": "x"}, "scopedProjectId", "invalid_uuid"),
        ({"permissions": []}, "permissions", "too_short"),
        ({"permissions": "read:users"}, "permissions", "wrong_type"),
        ({"expiresAt": "2125-01-15"}, "expiresAt", "invalid_date"),
        ({"expiresAt": "2125-01-15T10:30:00"}, "expiresAt", "invalid_date"),
        ({"expiresAt": "9999-12-31T23:59:59-23:00"}, "expiresAt", "invalid_date"),
        ({"expiresAt": "0001-01-01T00:00:00+23:00"}, "expiresAt", "invalid_date"),
        ({"rateLimitPerMinute": 10_000_001}, "rateLimitPerMinute", "out_of_range"),
        ({"rateLimitPerMinute": "600"}, "rateLimitPerMinute", "wrong_type"),
        ({"sourceBinding": ""}, "sourceBinding", "too_short"),
        ({"sourceBinding": "a\u0000"}, "sourceBinding", None),
    ],
)
async def test_what_does_not_fit_is_refused(shared_world, client, change, path, code):
    status, body = await refused(client, shared_world, shared_world.key, {**ORGANIZATION, **change})
    assert (status, body["error"]) == (400, "validation_error")
    (problem,) = body["details"]
    assert problem["path"] == path
    assert code in (None, problem["code"])


async def test_a_strict_organisation_refuses_unknown_members(world, client, pool):
    ignored = await mint(client, world.key, {**ORGANIZATION, "colour": "red"})
    assert (ignored.status_code, ignored.headers["ignored-fields"]) == (201, "colour")
    await pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    status, body = await refused(client, world, world.key, {**ORGANIZATION, "colour": "red"})
    assert (status, body) == (400, validation_error(("colour", "unknown_field", "is not a member of this request")))


async def test_a_key_without_the_permission_mints_none(world, client):
    _, key = await world.mint(permissions=["read:api_keys"])
    status, body = await refused(client, world, key, {**ORGANIZATION, "permissions": ["read:api_keys"]})
    assert (status, body["error"], body["requiredPermission"]) == (403, "permission_violation", "write:api_keys")
