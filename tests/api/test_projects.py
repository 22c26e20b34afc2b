"""/projects: list, create, read and change; a project's key sees its own only."""

from uuid import uuid4

import pytest

from align.roles import PROJECT_LEADS, ROLES
from tests.api.conftest import refusal
from tests.api.office import Office, ref

STATUSES = ["active", "on_hold", "completed", "archived"]


async def names(office, **options):
    found = await office.listed("/projects", **options)
    assert found["total"] == len(found["data"])
    return [project["name"] for project in found["data"]]


async def test_a_project_is_created_and_read_back(office, world):
    values = {"name": "Website – relaunch", "status": "on_hold"}
    async with office.recorded(("project.created", None, values)):
        response = await office.post("/projects", values)
    assert response.status_code == 201
    body = response.json()
    assert body.pop("created") is True
    assert list(body) == ["id", "organizationId", "name", "status", "createdAt", "updatedAt"]
    assert {name: body[name] for name in values} == values
    assert body["organizationId"] == str(world.organization_id)
    assert response.headers["location"] == f"/api/v1/projects/{body['id']}"
    assert (await office.get(f"/projects/{body['id']}")).json() == body


async def test_a_project_is_active_unless_said_otherwise_and_names_may_repeat(office):
    made = [await office.made("/projects", {"name": "Same"}) for _ in range(2)]
    assert [project["status"] for project in made] == ["active", "active"]
    assert made[0]["id"] != made[1]["id"]
    assert await names(office, name="Same") == ["Same", "Same"]


async def test_projects_are_listed_by_name_archived_ones_too(office):
    assert await names(office) == ["Archived", "First", "Second"]
    assert await names(office, status="archived") == ["Archived"]
    assert await names(office, status=["active", "archived"]) == ["Archived", "First", "Second"]
    assert await names(office, status="completed") == []
    assert await names(office, name="First", status="active") == ["First"]
    assert await names(office, name="first") == []


async def test_pages_hold_every_project_once(office):
    pages = [await office.listed("/projects", page=number, pageSize=2) for number in (1, 2, 3)]
    assert [[project["name"] for project in page["data"]] for page in pages] == [["Archived", "First"], ["Second"], []]
    assert {(page["pageSize"], page["total"]) for page in pages} == {(2, 3)}


async def test_a_projects_key_sees_its_project_only(office, world):
    assert await names(office, key=world.project_key) == ["First"]
    assert await names(office, key=world.project_key, status="archived") == []
    assert (await office.get(f"/projects/{world.project_id}", key=world.project_key)).status_code == 200
    for project_id in (world.second_project_id, uuid4()):
        response = await office.get(f"/projects/{project_id}", key=world.project_key)
        assert response.status_code == 404
        assert refusal(response) == {"error": "not_found", "message": "no such project in this organisation"}


async def test_a_projects_key_changes_its_project_only_and_creates_none(office, world):
    changed = await office.patch(f"/projects/{world.project_id}", {"name": "Mine"}, key=world.project_key)
    assert (changed.status_code, changed.json()["name"]) == (200, "Mine")
    async with office.nothing_changed():
        other = await office.patch(f"/projects/{world.second_project_id}", {"name": "Mine"}, key=world.project_key)
        created = await office.post("/projects", {"name": "Mine"}, key=world.project_key)
    assert (other.status_code, refusal(other)["error"]) == (404, "not_found")
    assert (created.status_code, refusal(created)["error"]) == (403, "scope_violation")


async def test_unknown_foreign_and_malformed_ids_are_not_found(office, other_world, client):
    assert (await Office(other_world, client).get(f"/projects/{other_world.project_id}")).status_code == 200
    for text in (uuid4(), other_world.project_id, "website"):
        for response in (await office.get(f"/projects/{text}"), await office.patch(f"/projects/{text}", {"name": "X"})):
            assert response.status_code == 404
            assert refusal(response) == {"error": "not_found", "message": "no such project in this organisation"}
    assert await names(Office(other_world, client)) == ["Archived", "First", "Second"]


async def test_a_change_records_what_changed_and_no_change_nothing(office, world):
    path = f"/projects/{world.project_id}"
    before = (await office.get(path)).json()
    change = ({"status": "active"}, {"status": "completed"})
    async with office.recorded(("project.updated", *change), project_id=world.project_id):
        now = (await office.patch(path, {"status": "completed", "name": "First"})).json()
    assert now == before | {"status": "completed", "updatedAt": now["updatedAt"]}
    assert now["updatedAt"] > before["updatedAt"]
    async with office.nothing_changed():
        for changes in ({}, {"name": "First"}, {"status": "completed", "name": "First"}):
            assert (await office.patch(path, changes)).json() == now


@pytest.mark.parametrize("first", STATUSES)
@pytest.mark.parametrize("second", STATUSES)
async def test_any_status_follows_any_other(office, first, second):
    made = await office.made("/projects", {"name": "P", "status": first})
    response = await office.patch(f"/projects/{made['id']}", {"status": second})
    assert (response.status_code, response.json()["status"]) == (200, second)


async def test_an_archived_project_takes_no_synced_time_until_it_is_opened_again(office, world):
    path = f"/projects/{world.project_id}"
    await office.patch(path, {"status": "archived"})
    refused = await office.post("/integration/time-entries", world.entry())
    assert (refused.status_code, refusal(refused)["error"]) == (409, "project_archived")
    await office.patch(path, {"status": "active"})
    assert (await office.post("/integration/time-entries", world.entry())).status_code == 201


async def test_every_problem_is_named_and_nothing_changes(office, world):
    async with office.nothing_changed():
        created = await office.post("/projects", {"name": "a\x07b", "status": "open", "externalRef": {}})
        changed = await office.patch(f"/projects/{world.project_id}", {"name": "", "status": None})
        too_long = await office.post("/projects", {"name": "x" * 201})
        listed = await office.get("/projects", status="open", name=" ", pagesize=3)
        blank = await office.get("/projects", name="\x00")
    shown = [
        [(problem["path"], problem["code"]) for problem in refusal(response)["details"]]
        for response in (created, changed, too_long, listed, blank)
    ]
    assert shown == [
        [
            ("name", "control_character"),
            ("status", "unknown_value"),
            ("externalRef.provider", "required"),
            ("externalRef.externalType", "required"),
            ("externalRef.externalId", "required"),
        ],
        [("name", "too_short"), ("status", "wrong_type")],
        [("name", "too_long")],
        [("status[0]", "unknown_value"), ("pagesize", "unknown_parameter")],
        [("name", "control_character")],
    ]


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_reads_and_leads_create_and_change(office, world, role):
    key = await office.key_for(role)
    may = role in PROJECT_LEADS
    assert (await office.get("/projects", key=key)).status_code == 200
    assert (await office.get(f"/projects/{world.project_id}", key=key)).status_code == 200
    assert (await office.post("/projects", {"name": "New"}, key=key)).status_code == (201 if may else 403)
    changed = await office.patch(f"/projects/{world.project_id}", {"name": "New"}, key=key)
    assert changed.status_code == (200 if may else 403)
    assert ("New" in await names(office)) is may


async def test_permissions_are_needed_and_the_plan_is_not(office, world, pool):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    _, reader = await world.mint(permissions=["read:projects"])
    _, writer = await world.mint(permissions=["write:projects"])
    assert (await office.get("/projects", key=reader)).status_code == 200
    assert (await office.post("/projects", {"name": "P"}, key=writer)).status_code == 201
    async with office.nothing_changed():
        for response, permission in (
            (await office.get("/projects", key=writer), "read:projects"),
            (await office.get(f"/projects/{world.project_id}", key=writer), "read:projects"),
            (await office.post("/projects", {"name": "P"}, key=reader), "write:projects"),
            (await office.patch(f"/projects/{world.project_id}", {"name": "P"}, key=reader), "write:projects"),
        ):
            assert (response.status_code, refusal(response)["requiredPermission"]) == (403, permission)


async def test_a_repeat_with_the_idempotency_key_creates_nothing_more(office):
    headers = {"Idempotency-Key": "project-1"}
    answers = [await office.post("/projects", {"name": "Once"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert await names(office, name="Once") == ["Once"]


async def test_a_known_reference_gives_its_project_unchanged(office):
    first = await office.made("/projects", {"name": "Web", "externalRef": ref("WEB")})
    async with office.nothing_changed():
        response = await office.post("/projects", {"name": "Other", "status": "archived", "externalRef": ref("WEB")})
    assert (response.status_code, response.json()) == (200, first | {"created": False})
    assert "location" not in response.headers
