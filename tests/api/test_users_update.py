"""PATCH /users/{id}: managers rename, admins do the rest, and somebody always stays admin."""

from uuid import uuid4

import pytest

from align.users import users
from tests.api.conftest import refusal
from tests.conftest import gather_released


async def test_a_change_answers_the_user_as_it_is_now_and_records_what_changed(office, world):
    path = f"/users/{world.user_id}"
    before = (await office.get(path)).json()
    changes = {"name": "Dora Developer", "email": "Dora@example.com", "role": "tech_lead"}
    old = {name: before[name] for name in changes}
    async with office.recorded(("user.updated", old, changes)):
        response = await office.patch(path, changes)
    assert response.status_code == 200
    now = response.json()
    assert now["updatedAt"] > before["updatedAt"]
    assert now == before | changes | {"updatedAt": now["updatedAt"]}
    assert (await office.get(path)).json() == now


async def test_a_user_is_deactivated_and_comes_back(office, world):
    path = f"/users/{world.user_id}"
    gone = (await office.patch(path, {"active": False})).json()
    assert (gone["active"], gone["deactivatedAt"]) == (False, gone["updatedAt"])
    change = ({"active": False, "deactivatedAt": gone["deactivatedAt"]}, {"active": True, "deactivatedAt": None})
    async with office.recorded(("user.updated", *change)):
        back = (await office.patch(path, {"active": True})).json()
    assert (back["active"], back["deactivatedAt"]) == (True, None)


async def test_what_changes_nothing_records_nothing(office, world):
    path = f"/users/{world.user_id}"
    user = (await office.get(path)).json()
    async with office.nothing_changed():
        for changes in ({}, {"active": True}, {name: user[name] for name in ("name", "email", "role")}):
            assert (await office.patch(path, changes)).json() == user


async def test_metadata_stays_as_it_was_sent(office, world, pool):
    text = '{"b": 1.50, "a":\t[]}'
    await pool.execute(
        "update users set metadata = $3 where organization_id = $1 and id = $2",
        world.organization_id,
        world.user_id,
        text,
    )
    response = await office.patch(f"/users/{world.user_id}", {"name": "Other"})
    assert f'"metadata":{text}' in response.text


async def test_every_problem_is_named_and_nothing_changes(office, world):
    async with office.nothing_changed():
        response = await office.patch(
            f"/users/{world.user_id}", {"name": " ", "email": "dora", "role": "boss", "active": None}
        )
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in refusal(response)["details"]] == [
        ("name", "blank"),
        ("email", "invalid_email"),
        ("role", "unknown_value"),
        ("active", "wrong_type"),
    ]


async def test_an_email_of_another_user_is_refused_whatever_its_case(office, world):
    async with office.nothing_changed():
        response = await office.patch(f"/users/{world.user_id}", {"email": "ADMIN@example.com", "name": "X"})
    assert response.status_code == 409
    assert refusal(response) == {
        "error": "already_exists",
        "message": "a user with the email ADMIN@example.com exists already",
        "path": "email",
    }


async def test_the_case_of_ones_own_email_can_change(office, world):
    response = await office.patch(f"/users/{world.user_id}", {"email": "DEV@example.com"})
    assert (response.status_code, response.json()["email"]) == (200, "DEV@example.com")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"role": "manager"}, "role"), ({"active": False}, "active"), ({"role": "client", "active": False}, "active")],
)
async def test_the_last_active_admin_stays_one(office, world, changes, field):
    async with office.nothing_changed():
        response = await office.patch(f"/users/{world.admin_id}", {"name": "Renamed", **changes})
    assert (response.status_code, refusal(response)["error"], response.json()["path"]) == (409, "last_admin", field)


async def test_a_deactivated_admin_does_not_count_but_a_second_active_one_does(office, world):
    second = world.user_id
    assert (await office.patch(f"/users/{second}", {"role": "admin", "active": False})).status_code == 200
    assert (await office.patch(f"/users/{world.admin_id}", {"role": "user"})).status_code == 409
    assert (await office.patch(f"/users/{second}", {"active": True})).status_code == 200
    assert (await office.patch(f"/users/{world.admin_id}", {"role": "manager"})).status_code == 200


async def test_of_all_admins_who_step_back_at_once_one_stays(office, world, pool):
    async with pool.acquire() as tx, tx.transaction():
        more = [
            await users.create(tx, world.organization_id, email=f"a{n}@example.com", name="A", role="admin")
            for n in range(5)
        ]
    # A key of somebody who stays admin throughout would change what is asked.
    ids = [world.admin_id, *(user.id for user in more)]
    keys = [(await world.mint(created_by_user_id=user_id))[1] for user_id in ids]

    async def step_back(index):
        return await office.patch(f"/users/{ids[index]}", {"role": "user"}, key=keys[index])

    answers = await gather_released(len(ids), step_back)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [409]
    assert (
        await pool.fetchval(
            "select count(*) from users where organization_id = $1 and role = 'admin' and deactivated_at is null",
            world.organization_id,
        )
        == 1
    )


async def test_managers_may_rename_and_nothing_else(office, world):
    key = await office.key_for("manager")
    path = f"/users/{world.user_id}"
    response = await office.patch(path, {"name": "Renamed"}, key=key)
    assert (response.status_code, response.json()["name"]) == (200, "Renamed")
    for changes in ({"role": "tester"}, {"active": False}, {"email": "x@example.com"}, {"name": "X", "active": True}):
        async with office.nothing_changed():
            response = await office.patch(path, changes, key=key)
        assert (response.status_code, refusal(response)["requiredRoles"]) == (403, ["admin"])


@pytest.mark.parametrize("role", ["user", "client", "developer", "tech_lead", "product_owner"])
async def test_others_may_not_even_rename(office, world, role):
    key = await office.key_for(role)
    async with office.nothing_changed():
        response = await office.patch(f"/users/{world.user_id}", {"name": "Renamed"}, key=key)
    assert (response.status_code, refusal(response)["requiredRoles"]) == (403, ["admin", "manager"])


async def test_a_projects_key_and_one_without_the_permission_are_refused(office, world):
    _, text = await world.mint(permissions=["read:users"])
    for key, code in ((world.project_key, "scope_violation"), (text, "permission_violation")):
        async with office.nothing_changed():
            response = await office.patch(f"/users/{world.user_id}", {"name": "X"}, key=key)
        assert (response.status_code, refusal(response)["error"]) == (403, code)


async def test_unknown_foreign_and_malformed_ids_are_not_found(office, other_world):
    for text in (uuid4(), other_world.user_id, "7"):
        response = await office.patch(f"/users/{text}", {"name": "X"})
        assert response.status_code == 404
        assert refusal(response) == {"error": "not_found", "message": "no such user in this organisation"}
    name = "select name from users where organization_id = $1 and id = $2"
    assert await other_world.pool.fetchval(name, other_world.organization_id, other_world.user_id) == "Dev Eloper"
