"""GET /users and GET /users/{id}: the people of an organisation, for its own keys."""

from uuid import uuid4

import pytest

from align.roles import ROLES, TIME_KEEPERS
from align.users import users
from tests.api.conftest import refusal, validation_error
from tests.api.office import Office


@pytest.fixture
async def people(world, pool):
    """A few more users, one of them deactivated; ids by email."""
    async with pool.acquire() as tx, tx.transaction():
        for name, role in (("Zoe", "developer"), ("bert", "manager"), ("Carl", "user")):
            await users.create(tx, world.organization_id, email=f"{name}@example.com", name=name, role=role)
        carl = await users.find(tx, world.organization_id, "carl@example.com")
        await users.set_active(tx, world.organization_id, carl.id, active=False)
        return {user.email: user for user in await users.list_all(tx, world.organization_id)}


async def emails(office, **filters):
    found = await office.listed("/users", **filters)
    assert found["total"] == len(found["data"])
    return [user["email"] for user in found["data"]]


async def test_all_users_are_listed_by_email_whatever_its_case(office, people):
    assert await emails(office) == [
        "admin@example.com",
        "bert@example.com",
        "Carl@example.com",
        "client@example.com",
        "dev@example.com",
        "Zoe@example.com",
    ]


async def test_a_user_is_shown_whole(office, world, people):
    zoe, carl = people["Zoe@example.com"], people["Carl@example.com"]
    response = await office.get(f"/users/{zoe.id}")
    assert response.status_code == 200
    assert response.json() == {
        "id": str(zoe.id),
        "organizationId": str(world.organization_id),
        "email": "Zoe@example.com",
        "name": "Zoe",
        "role": "developer",
        "active": True,
        "deactivatedAt": None,
        "metadata": None,
        "createdAt": zoe.created_at.isoformat().replace("+00:00", "Z"),
        "updatedAt": zoe.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert (await office.listed("/users", email="zoe@EXAMPLE.com"))["data"] == [response.json()]
    deactivated = (await office.get(f"/users/{carl.id}")).json()
    assert deactivated["active"] is False
    assert deactivated["deactivatedAt"] == carl.deactivated_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"role": "manager"}, ["bert@example.com"]),
        ({"role": ["manager", "admin"]}, ["admin@example.com", "bert@example.com"]),
        ({"active": "false"}, ["Carl@example.com"]),
        ({"active": "true", "role": "user"}, []),
        ({"email": "CARL@example.com"}, ["Carl@example.com"]),
        ({"email": "carl@example.com", "active": "true"}, []),
        ({"email": "carl@example.com", "role": "user", "active": "false"}, ["Carl@example.com"]),
        ({"email": "zoe@example.com", "role": "manager"}, []),
        ({"email": "nobody@example.com"}, []),
    ],
)
async def test_filters_narrow_the_list(office, people, filters, expected):
    assert await emails(office, **filters) == expected


async def test_pages_hold_every_user_once(office, people):
    pages = [await office.listed("/users", page=number, pageSize=4) for number in (1, 2, 3)]
    assert [[user["email"] for user in page["data"]] for page in pages] == [
        ["admin@example.com", "bert@example.com", "Carl@example.com", "client@example.com"],
        ["dev@example.com", "Zoe@example.com"],
        [],
    ]
    assert {(page["pageSize"], page["total"]) for page in pages} == {(4, 6)}
    second = await office.listed("/users", email="zoe@example.com", page=2)
    assert (second["data"], second["total"]) == ([], 1)


async def test_every_problem_of_the_query_is_named(office):
    response = await office.get("/users", role="boss", active="yes", page=0, mail="x")
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in response.json()["details"]] == [
        ("page", "out_of_range"),
        ("role[0]", "unknown_value"),
        ("active", "wrong_type"),
        ("mail", "unknown_parameter"),
    ]


async def test_an_unknown_a_foreign_and_a_malformed_id_get_the_same_answer(office, other_world, client):
    foreign = other_world.user_id
    assert (await Office(other_world, client).get(f"/users/{foreign}")).status_code == 200
    for text in (uuid4(), foreign, "me"):
        response = await office.get(f"/users/{text}")
        assert response.status_code == 404
        assert refusal(response) == {"error": "not_found", "message": "no such user in this organisation"}
    assert str(foreign) not in [user["id"] for user in (await office.listed("/users"))["data"]]


async def test_a_projects_key_is_refused(office, world):
    for path in ("/users", f"/users/{world.user_id}"):
        response = await office.get(path, key=world.project_key)
        assert (response.status_code, refusal(response)["error"]) == (403, "scope_violation")


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_but_clients_may_read(office, world, role):
    key = await office.key_for(role)
    statuses = {(await office.get(path, key=key)).status_code for path in ("/users", f"/users/{world.user_id}")}
    assert statuses == ({200} if role in TIME_KEEPERS else {403})


async def test_the_permission_is_needed_and_the_plan_is_not(office, world, pool):
    _, text = await world.mint(permissions=["read:projects"])
    response = await office.get("/users", key=text)
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, "read:users")
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    _, text = await world.mint(permissions=["read:users"])
    assert (await office.get("/users", key=text)).status_code == 200


@pytest.mark.parametrize(
    ("email", "code", "message"),
    [
        ("x" * 255, "too_long", "must be a string of 3 to 254 characters"),
        ("dora", "invalid_email", "must be an address such as ada@example.com"),
        ("no\x00body@example.com", "invalid_email", "must be an address such as ada@example.com"),
    ],
)
async def test_an_email_that_can_not_be_one_is_refused(office, email, code, message):
    response = await office.get("/users", email=email)
    assert response.status_code == 400
    assert refusal(response) == validation_error(("email", code, message))
