"""/projects/{id}/members: who works on a project."""

from uuid import uuid4

import pytest

from align.roles import PROJECT_LEADS, ROLES, TIME_KEEPERS
from tests.api.conftest import refusal
from tests.api.office import Office


@pytest.fixture
def path(world):
    return f"/projects/{world.project_id}/members"


async def test_a_user_becomes_a_member_once(office, world, path):
    member = {"projectId": str(world.project_id), "userId": str(world.user_id)}
    async with office.recorded(("project_member.added", None, member), project_id=world.project_id):
        first = await office.post(path, {"userId": str(world.user_id)})
    assert first.status_code == 201
    body = first.json()
    assert {name: value for name, value in body.items() if name not in ("id", "createdAt")} == {
        **member,
        "email": "dev@example.com",
        "name": "Dev Eloper",
        "role": "developer",
        "active": True,
        "created": True,
    }
    async with office.nothing_changed():
        again = await office.post(path, {"userId": str(world.user_id)})
    assert (again.status_code, again.json()) == (200, body | {"created": False})


async def test_members_are_listed_by_email_in_pages(office, world, path):
    added = {
        user_id: await office.made(path, {"userId": str(user_id)})
        for user_id in (world.user_id, world.client_user_id, world.admin_id)
    }
    pages = [await office.listed(path, page=number, pageSize=2) for number in (1, 2)]
    expected = [added[user_id] for user_id in (world.admin_id, world.client_user_id, world.user_id)]
    shown = [member | {"created": True} for page in pages for member in page["data"]]
    assert shown == expected
    assert {page["total"] for page in pages} == {3}
    assert (await office.listed(f"/projects/{world.second_project_id}/members"))["total"] == 0


async def test_a_member_leaves_and_is_no_member_then(office, world, path):
    await office.made(path, {"userId": str(world.user_id)})
    member = {"projectId": str(world.project_id), "userId": str(world.user_id)}
    async with office.recorded(("project_member.removed", member, None), project_id=world.project_id):
        response = await office.delete(f"{path}/{world.user_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert (await office.listed(path))["total"] == 0
    async with office.nothing_changed():
        again = await office.delete(f"{path}/{world.user_id}")
    assert (again.status_code, refusal(again)["error"]) == (404, "not_found")
    assert (await office.post(path, {"userId": str(world.user_id)})).status_code == 201


async def test_a_deactivated_user_stays_a_member_and_is_shown_as_such(office, world, path):
    await office.made(path, {"userId": str(world.user_id)})
    await office.patch(f"/users/{world.user_id}", {"active": False})
    (member,) = (await office.listed(path))["data"]
    assert member["active"] is False


async def test_users_and_projects_that_are_not_there_or_not_yours_are_not_found(office, world, other_world, path):
    async with office.nothing_changed():
        for user_id in (uuid4(), other_world.user_id):
            response = await office.post(path, {"userId": str(user_id)})
            assert response.status_code == 404
            message = "no such user in this organisation"
            assert refusal(response)["details"] == [{"path": "userId", "code": "not_found", "message": message}]
            assert (await office.delete(f"{path}/{user_id}")).status_code == 404
        assert (await office.delete(f"{path}/me")).status_code == 404
        for project_id in (uuid4(), other_world.project_id, "first"):
            other = f"/projects/{project_id}/members"
            for response in (
                await office.get(other),
                await office.post(other, {"userId": str(world.user_id)}),
                await office.delete(f"{other}/{world.user_id}"),
            ):
                assert (response.status_code, refusal(response)["error"]) == (404, "not_found")


async def test_another_organisations_members_are_neither_seen_nor_removed(office, other_world, client):
    other = Office(other_world, client)
    path = f"/projects/{other_world.project_id}/members"
    await other.made(path, {"userId": str(other_world.user_id)})
    assert (await office.delete(f"{path}/{other_world.user_id}")).status_code == 404
    assert (await other.listed(path))["total"] == 1


async def test_a_projects_key_sees_and_changes_the_members_of_its_project_only(office, world, path):
    key = world.project_key
    assert (await office.post(path, {"userId": str(world.user_id)}, key=key)).status_code == 201
    assert (await office.listed(path, key=key))["total"] == 1
    assert (await office.delete(f"{path}/{world.user_id}", key=key)).status_code == 204
    other = f"/projects/{world.second_project_id}/members"
    await office.made(other, {"userId": str(world.user_id)})
    async with office.nothing_changed():
        for response in (
            await office.get(other, key=key),
            await office.post(other, {"userId": str(world.admin_id)}, key=key),
            await office.delete(f"{other}/{world.user_id}", key=key),
        ):
            assert response.status_code == 404


@pytest.mark.parametrize("role", ROLES)
async def test_leads_change_members_and_all_but_clients_see_them(office, world, path, role):
    key = await office.key_for(role)
    may = role in PROJECT_LEADS
    assert (await office.get(path, key=key)).status_code == (200 if role in TIME_KEEPERS else 403)
    assert (await office.post(path, {"userId": str(world.user_id)}, key=key)).status_code == (201 if may else 403)
    assert (await office.delete(f"{path}/{world.user_id}", key=key)).status_code == (204 if may else 403)


async def test_permissions_are_needed(office, world, path):
    _, reader = await world.mint(permissions=["read:projects"])
    _, writer = await world.mint(permissions=["write:projects"])
    assert (await office.get(path, key=reader)).status_code == 200
    assert (await office.post(path, {"userId": str(world.user_id)}, key=writer)).status_code == 201
    async with office.nothing_changed():
        for response, permission in (
            (await office.get(path, key=writer), "read:projects"),
            (await office.post(path, {"userId": str(world.admin_id)}, key=reader), "write:projects"),
            (await office.delete(f"{path}/{world.user_id}", key=reader), "write:projects"),
        ):
            assert (response.status_code, refusal(response)["requiredPermission"]) == (403, permission)


@pytest.mark.parametrize(
    ("body", "code"), [({}, "required"), ({"userId": "dora"}, "invalid_uuid"), ({"userId": None}, "wrong_type")]
)
async def test_a_body_without_a_user_is_refused(office, path, body, code):
    async with office.nothing_changed():
        response = await office.post(path, body)
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in refusal(response)["details"]] == [("userId", code)]


async def test_a_repeat_with_the_idempotency_key_gets_the_first_answer(office, world, path):
    headers = {"Idempotency-Key": "member-1"}
    answers = [await office.post(path, {"userId": str(world.user_id)}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
