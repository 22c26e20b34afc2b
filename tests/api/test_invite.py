"""POST /users/invite: a new user, or the one who has the email or the external reference already."""

import json
from uuid import uuid4

import pytest

from tests.api.conftest import refusal
from tests.api.office import Office, ref

PATH = "/users/invite"


def invitation(**changes):
    return {"email": "Grace@example.com", "name": "Grace", **changes}


async def test_an_invitation_creates_the_user_and_says_so(office, world):
    user = {"email": "Grace@example.com", "name": "Grace", "role": "developer", "active": True, "metadata": None}
    async with office.recorded(("user.invited", None, user)):
        response = await office.post(PATH, invitation(role="developer", sendInvite=True))
    assert response.status_code == 201
    body = response.json()
    assert response.headers["location"] == f"/api/v1/users/{body['id']}"
    assert (body.pop("created"), body.pop("inviteSent")) == (True, False)
    assert {name: body[name] for name in user} == user
    assert (await office.get(f"/users/{body['id']}")).json() == body


async def test_the_least_that_is_needed_makes_a_user_with_the_role_user(office):
    assert (await office.made(PATH, invitation()))["role"] == "user"


async def test_a_known_email_gives_the_user_who_exists_unchanged_whatever_its_case(office, world):
    first = await office.made(PATH, invitation(metadata={"a": 1}))
    more = {"role": "manager", "metadata": {"b": 2}, "projectIds": [str(world.project_id)]}
    async with office.nothing_changed():
        response = await office.post(PATH, invitation(email="grace@EXAMPLE.com", name="Other", **more))
    assert response.status_code == 200
    assert "location" not in response.headers
    assert response.json() == first | {"created": False}


async def test_a_deactivated_user_is_not_activated_by_an_invitation(office, world):
    await office.patch(f"/users/{world.user_id}", {"active": False})
    response = await office.post(PATH, invitation(email="dev@example.com"))
    assert (response.status_code, response.json()["active"]) == (200, False)


async def test_a_known_reference_gives_its_user_and_records_nothing(office):
    first = await office.made(PATH, invitation(externalRef=ref("p-1")))
    async with office.nothing_changed():
        for email in ("grace@example.com", "married@example.com"):
            response = await office.post(PATH, invitation(email=email, externalRef=ref("p-1")))
            assert (response.status_code, response.json()) == (200, first | {"created": False})


async def test_user_and_link_of_a_new_reference_are_recorded(office, world):
    link = {**ref("p-1"), "alignEntityType": "user"}
    expected = ("user.invited", None, {"email": "Grace@example.com"}), ("integration_link.created", None, link)
    async with office.recorded(*expected):
        made = await office.made(PATH, invitation(externalRef=ref("p-1")))
    links = (await office.listed("/integration-links", alignEntityId=made["id"]))["data"]
    assert [{name: found[name] for name in link} for found in links] == [link]


async def test_a_new_reference_of_a_known_email_is_linked_to_that_user(office, world):
    link = {**ref("p-1"), "alignEntityId": str(world.user_id)}
    async with office.recorded(("integration_link.created", None, link)):
        response = await office.post(PATH, invitation(email="dev@example.com", externalRef=ref("p-1")))
    assert (response.status_code, response.json()["id"]) == (200, str(world.user_id))
    again = await office.post(PATH, invitation(email="new@example.com", externalRef=ref("p-1")))
    assert (again.status_code, again.json()["id"]) == (200, str(world.user_id))


async def test_a_reference_and_an_email_of_two_users_are_refused(office, world):
    await office.made(PATH, invitation(externalRef=ref("p-1")))
    async with office.nothing_changed():
        response = await office.post(PATH, invitation(email="dev@example.com", externalRef=ref("p-1")))
    assert (response.status_code, refusal(response)["error"]) == (409, "external_ref_conflict")


async def test_projects_get_the_new_user_as_a_member_once_each(office, world):
    ids = [str(world.project_id), str(world.archived_project_id), str(world.project_id)]
    added = [
        ("project_member.added", None, {"projectId": project_id, "email": "Grace@example.com"})
        for project_id in ids[:2]
    ]
    async with office.recorded(("user.invited", None, {"name": "Grace"}), *added):
        made = await office.made(PATH, invitation(projectIds=ids))
    for project_id in ids[:2]:
        members = (await office.listed(f"/projects/{project_id}/members"))["data"]
        assert [member["userId"] for member in members] == [made["id"]]
    assert (await office.listed(f"/projects/{world.second_project_id}/members"))["total"] == 0


async def test_every_project_that_is_not_there_is_named_and_nothing_is_done(office, world, other_world):
    unknown, foreign = str(uuid4()), str(other_world.project_id)
    async with office.nothing_changed():
        response = await office.post(PATH, invitation(projectIds=[unknown, str(world.project_id), foreign]))
    assert response.status_code == 404
    message = "no such project in this organisation"
    assert refusal(response)["details"] == [
        {"path": f"projectIds[{index}]", "code": "not_found", "message": message} for index in (0, 2)
    ]


async def test_metadata_comes_back_as_the_bytes_that_were_sent(office):
    text = '{"b" : 1.50,"a":[1e2, null],  "é":"\\u00e9"}'
    body = json.dumps(invitation())[:-1] + f', "metadata": {text}}}'
    response = await office.call("POST", PATH, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 201
    assert f'"metadata":{text}' in response.text
    assert f'"metadata":{text}' in (await office.get(f"/users/{response.json()['id']}")).text
    assert f'"metadata":{text}' in (await office.get("/users")).text


@pytest.mark.parametrize(("length", "status"), [(16 * 1024, 201), (16 * 1024 + 1, 400)])
async def test_metadata_has_at_most_16_kib(office, length, status):
    metadata = {"x": "y" * (length - len('{"x": ""}'))}
    assert len(json.dumps(metadata)) == length
    body = json.dumps(invitation(metadata=metadata))
    response = await office.call("POST", PATH, content=body, headers={"content-type": "application/json"})
    assert response.status_code == status
    if status == 400:
        assert [(it["path"], it["code"]) for it in refusal(response)["details"]] == [("metadata", "too_long")]


async def test_every_problem_is_named_and_nothing_is_done(office):
    body = {
        "email": "grace",
        "name": "\u200b",
        "role": "admin",
        "projectIds": ["7"],
        "sendInvite": "yes",
        "externalRef": {"provider": " ", "externalType": "a\nb", "extra": 1},
        "metadata": [],
    }
    async with office.nothing_changed():
        response = await office.post(PATH, body)
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in refusal(response)["details"]] == [
        ("email", "invalid_email"),
        ("name", "blank"),
        ("role", "unknown_value"),
        ("projectIds[0]", "invalid_uuid"),
        ("sendInvite", "wrong_type"),
        ("externalRef.externalId", "required"),
        ("externalRef.provider", "blank"),
        ("externalRef.externalType", "control_character"),
        ("metadata", "wrong_type"),
    ]
    assert response.headers["ignored-fields"] == "externalRef.extra"


async def test_an_admin_is_not_invited_not_even_by_an_admin(office):
    async with office.nothing_changed():
        response = await office.post(PATH, invitation(role="admin"))
    assert response.status_code == 400
    (problem,) = refusal(response)["details"]
    assert (problem["path"], problem["code"]) == ("role", "unknown_value")
    assert "manager" in problem["message"]
    assert "admin" not in problem["message"]


@pytest.mark.parametrize("role", ["user", "client", "developer", "tech_lead", "product_owner", "devops_engineer"])
async def test_only_managers_and_admins_invite(office, role):
    key = await office.key_for(role)
    async with office.nothing_changed():
        response = await office.post(PATH, invitation(), key=key)
    assert (response.status_code, refusal(response)["requiredRoles"]) == (403, ["admin", "manager"])


async def test_a_manager_invites(office):
    response = await office.post(PATH, invitation(role="manager"), key=await office.key_for("manager"))
    assert (response.status_code, response.json()["role"]) == (201, "manager")


async def test_a_projects_key_and_one_without_the_permission_are_refused(office, world):
    _, text = await world.mint(permissions=["read:users", "write:projects"])
    for key, code in ((world.project_key, "scope_violation"), (text, "permission_violation")):
        async with office.nothing_changed():
            response = await office.post(PATH, invitation(), key=key)
        assert (response.status_code, refusal(response)["error"]) == (403, code)


async def test_a_repeat_with_the_idempotency_key_gets_the_first_answer(office):
    headers = {"Idempotency-Key": "invite-1"}
    first = await office.post(PATH, invitation(externalRef=ref("p-1")), headers=headers)
    again = await office.post(PATH, invitation(externalRef=ref("p-1")), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")


async def test_two_organisations_can_invite_one_person_by_one_reference(office, other_world, client):
    first = await office.made(PATH, invitation(externalRef=ref("p-1")))
    second = await Office(other_world, client).made(PATH, invitation(externalRef=ref("p-1")))
    assert first["id"] != second["id"]
