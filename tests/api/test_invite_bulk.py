"""POST /users/bulk-invite: up to 50 people, each on their own."""

import json
from uuid import uuid4

import pytest

from tests.api.conftest import refusal, validation_error
from tests.api.office import ref

PATH = "/users/bulk-invite"


def invitation(name, **changes):
    return {"email": f"{name}@example.com", "name": name.title(), **changes}


async def results(office, *members, **options):
    response = await office.post(PATH, {"users": list(members)}, **options)
    assert response.status_code == 200, response.text
    assert response.json()["inviteSent"] is False
    found = response.json()["results"]
    assert [result["index"] for result in found] == list(range(len(members)))
    return found


async def test_each_member_gets_its_own_result_in_order(office, world):
    known = await office.made("/users/invite", invitation("known", externalRef=ref("known")))
    found = await results(
        office,
        invitation("new", externalRef=ref("new"), projectIds=[str(world.project_id)]),
        invitation("known"),
        invitation("dev", externalRef=ref("dev")),
        invitation("boss", role="admin"),
        invitation("moved", externalRef=ref("known")),
        invitation("dev", externalRef=ref("known")),
        invitation("lost", projectIds=[str(uuid4())]),
        invitation("last"),
    )
    assert [result["status"] for result in found] == [
        "invited", "existing", "linked", "error", "existing", "error", "error", "invited",
    ]  # fmt: skip
    assert [result["email"].split("@")[0] for result in found] == [
        "new", "known", "dev", "boss", "moved", "dev", "lost", "last",
    ]  # fmt: skip
    shown = {name: value for name, value in known.items() if name not in ("created", "inviteSent")}
    assert found[1]["user"] == found[4]["user"] == shown
    assert found[2]["user"]["id"] == str(world.user_id)
    assert found[0]["user"] == (await office.get(f"/users/{found[0]['user']['id']}")).json()
    assert [result["error"]["error"] for result in found if "error" in result] == [
        "validation_error",
        "external_ref_conflict",
        "not_found",
    ]
    assert all(("user" in result) != ("error" in result) for result in found)
    assert found[3]["error"]["details"][0]["path"] == "role"
    assert found[6]["error"]["details"][0]["path"] == "projectIds[0]"


async def test_what_a_refused_member_began_is_undone_and_its_neighbours_stay(office, world):
    await office.made("/projects", {"name": "P", "externalRef": ref("taken")})
    expected = [("user.invited", None, {"email": f"{name}@example.com"}) for name in ("first", "last")]
    async with office.recorded(*expected):
        found = await results(
            office, invitation("first"), invitation("bad", externalRef=ref("taken")), invitation("last")
        )
    assert [result["status"] for result in found] == ["invited", "error", "invited"]
    assert (await office.listed("/users", email="bad@example.com"))["total"] == 0


async def test_a_person_who_occurs_twice_is_invited_once(office):
    found = await results(
        office,
        invitation("twice", externalRef=ref("t")),
        invitation("TWICE"),
        invitation("other", externalRef=ref("t")),
        invitation("twice", externalRef=ref("t-2")),
    )
    assert [result["status"] for result in found] == ["invited", "existing", "existing", "linked"]
    assert len({result["user"]["id"] for result in found}) == 1


async def test_a_member_that_can_not_be_read_is_its_own_fault(office):
    found = await results(office, {"email": "x"}, "nobody", None, {"email": 7, "name": "N"}, invitation("good"))
    assert [result["status"] for result in found] == ["error"] * 4 + ["invited"]
    assert [result["email"] for result in found] == ["x", None, None, None, "good@example.com"]
    problems = [[(problem["path"], problem["code"]) for problem in result["error"]["details"]] for result in found[:4]]
    assert problems == [
        [("email", "too_short"), ("name", "required")],
        [("", "wrong_type")],
        [("", "wrong_type")],
        [("email", "wrong_type")],
    ]


async def test_repeating_a_request_changes_nothing(office, world):
    members = [invitation(f"u{n}", externalRef=ref(f"u{n}"), projectIds=[str(world.project_id)]) for n in range(5)]
    first = await results(office, *members)
    async with office.nothing_changed():
        again = await results(office, *members)
    assert {result["status"] for result in again} == {"existing"}
    assert [result["user"] for result in again] == [result["user"] for result in first]


async def test_fifty_are_taken_and_neither_none_nor_more(office):
    assert len(await results(office, *(invitation(f"n{n}") for n in range(50)))) == 50
    message = "must be an array of 1 to 50 members"
    for members, code in (([], "too_short"), ([invitation(f"m{n}") for n in range(51)], "too_long")):
        async with office.nothing_changed():
            response = await office.post(PATH, {"users": members})
        assert response.status_code == 400
        assert refusal(response) == validation_error(("users", code, message))


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "users", "required"),
        ({"users": {}}, "users", "wrong_type"),
        ([], "", "wrong_type"),
        ('{"users": [', "", "invalid_json"),
        ('{"users": [{"email": "a@b", "email": "c@d"}]}', "email", "duplicate_member"),
    ],
)
async def test_a_body_that_is_no_list_of_people_is_refused_whole(office, body, path, code):
    content = body if isinstance(body, str) else json.dumps(body)
    async with office.nothing_changed():
        response = await office.call("POST", PATH, content=content, headers={"content-type": "application/json"})
    assert response.status_code == 400
    (problem,) = refusal(response)["details"]
    assert (problem["code"], problem["path"].endswith(path)) == (code, True)


async def test_unknown_members_are_named_and_refused_where_the_organisation_is_strict(office, world, pool):
    body = {"users": [invitation("a"), invitation("b", nick="B")], "dry": True}
    response = await office.post(PATH, body)
    assert (response.status_code, response.headers["ignored-fields"]) == (200, "dry, users%5B1%5D.nick")
    await pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    body = {"users": [invitation("c"), invitation("d", nick="D")]}
    async with office.nothing_changed():
        response = await office.post(PATH, body)
    assert response.status_code == 400
    assert [(it["path"], it["code"]) for it in refusal(response)["details"]] == [("users[1].nick", "unknown_field")]


async def test_a_repeat_with_the_idempotency_key_gets_the_first_answer(office):
    headers = {"Idempotency-Key": "bulk-1"}
    first = await office.post(PATH, {"users": [invitation("a")]}, headers=headers)
    again = await office.post(PATH, {"users": [invitation("a")]}, headers=headers)
    assert again.content == first.content
    assert again.json()["results"][0]["status"] == "invited"
    assert again.headers["idempotent-replayed"] == "true"


async def test_who_may_not_invite_one_may_not_invite_many(office, world):
    _, text = await world.mint(permissions=["read:users"])
    for key, code in (
        (world.project_key, "scope_violation"),
        (text, "permission_violation"),
        (await office.key_for("tech_lead"), "role_violation"),
    ):
        async with office.nothing_changed():
            response = await office.post(PATH, {"users": [invitation("a")]}, key=key)
        assert (response.status_code, refusal(response)["error"]) == (403, code)
