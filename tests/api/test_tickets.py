"""/projects/{id}/entries: the tickets of a project, called entries on the wire."""

from uuid import uuid4

import pytest

from align.roles import ROLES, TIME_KEEPERS
from tests.api.conftest import refusal
from tests.api.office import Office, ref


@pytest.fixture
def path(world):
    return f"/projects/{world.project_id}/entries"


async def titles(office, path, **options):
    found = await office.listed(path, **options)
    assert found["total"] == len(found["data"])
    return [ticket["title"] for ticket in found["data"]]


async def test_a_ticket_is_created_and_read_back(office, world, path):
    values = {"title": "Sketch – start page", "status": "closed"}
    async with office.recorded(("ticket.created", None, values), project_id=world.project_id):
        response = await office.post(path, values)
    assert response.status_code == 201
    body = response.json()
    assert body.pop("created") is True
    assert list(body) == ["id", "organizationId", "projectId", "title", "status", "createdAt", "updatedAt"]
    assert (body["organizationId"], body["projectId"]) == (str(world.organization_id), str(world.project_id))
    assert {name: body[name] for name in values} == values
    assert response.headers["location"] == f"/api/v1{path}/{body['id']}"
    assert (await office.get(f"{path}/{body['id']}")).json() == body


async def test_a_ticket_is_open_unless_said_otherwise_and_takes_time_closed_or_not(office, world, path):
    made = await office.made(path, {"title": "T"})
    assert made["status"] == "open"
    for _ in range(2):
        synced = await office.post("/integration/time-entries", world.entry(entryId=made["id"]))
        assert (synced.status_code, synced.json()["entryId"]) == (201, made["id"])
        await office.patch(f"{path}/{made['id']}", {"status": "closed"})


async def test_tickets_of_the_project_are_listed_oldest_first(office, world, path):
    for title, status in (("B", "open"), ("A", "closed")):
        await office.made(path, {"title": title, "status": status})
    assert await titles(office, path) == ["A ticket", "B", "A"]
    assert await titles(office, path, status="open") == ["A ticket", "B"]
    assert await titles(office, path, status="closed") == ["A"]
    pages = [await office.listed(path, page=number, pageSize=2) for number in (1, 2, 3)]
    assert [[ticket["title"] for ticket in page["data"]] for page in pages] == [["A ticket", "B"], ["A"], []]
    assert {page["total"] for page in pages} == {3}


async def test_a_change_records_what_changed_and_no_change_nothing(office, world, path):
    path = f"{path}/{world.ticket_id}"
    before = (await office.get(path)).json()
    new = {"title": "Renamed", "status": "closed"}
    old = {name: before[name] for name in new}
    async with office.recorded(("ticket.updated", old, new), project_id=world.project_id):
        now = (await office.patch(path, new)).json()
    assert now == before | new | {"updatedAt": now["updatedAt"]}
    assert now["updatedAt"] > before["updatedAt"]
    async with office.nothing_changed():
        for changes in ({}, new, {"status": "closed"}):
            assert (await office.patch(path, changes)).json() == now


async def test_an_archived_project_takes_no_new_tickets_but_changes_of_those_it_has(office, world, path):
    known = await office.made(path, {"title": "Known", "externalRef": ref("T-1")})
    await office.patch(f"/projects/{world.project_id}", {"status": "archived"})
    async with office.nothing_changed():
        for body in ({"title": "New"}, {"title": "New", "externalRef": ref("T-2")}):
            response = await office.post(path, body)
            assert response.status_code == 409
            assert refusal(response) == {
                "error": "project_archived",
                "message": "the project is archived and takes no new tickets",
                "path": "projectId",
            }
        repeat = await office.post(path, {"title": "Known", "externalRef": ref("T-1")})
    assert (repeat.status_code, repeat.json()) == (200, known | {"created": False})
    changed = await office.patch(f"{path}/{world.ticket_id}", {"status": "closed"})
    assert (changed.status_code, changed.json()["status"]) == (200, "closed")


@pytest.mark.parametrize("status", ["on_hold", "completed"])
async def test_projects_on_hold_or_completed_take_tickets(office, world, path, status):
    await office.patch(f"/projects/{world.project_id}", {"status": status})
    assert (await office.post(path, {"title": "T"})).status_code == 201


async def test_a_known_reference_gives_its_ticket_unchanged(office, world, path):
    link = {**ref("WEB-1"), "alignEntityType": "ticket"}
    expected = ("ticket.created", None, {"title": "T"}), ("integration_link.created", None, link)
    async with office.recorded(*expected, project_id=world.project_id):
        first = await office.made(path, {"title": "T", "externalRef": ref("WEB-1")})
    async with office.nothing_changed():
        response = await office.post(path, {"title": "Other", "status": "closed", "externalRef": ref("WEB-1")})
    assert (response.status_code, response.json()) == (200, first | {"created": False})


async def test_a_reference_of_another_projects_ticket_is_refused(office, world, path):
    other = f"/projects/{world.second_project_id}/entries"
    await office.made(other, {"title": "T", "externalRef": ref("WEB-1")})
    for key in (world.key, world.project_key):
        async with office.nothing_changed():
            response = await office.post(path, {"title": "T", "externalRef": ref("WEB-1")}, key=key)
        assert (response.status_code, refusal(response)["error"]) == (409, "external_ref_conflict")


async def test_unknown_foreign_and_malformed_ids_are_not_found(office, world, other_world, client, path):
    other = Office(other_world, client)
    theirs = f"/projects/{other_world.project_id}/entries"
    assert (await other.get(f"{theirs}/{other_world.ticket_id}")).status_code == 200
    async with office.nothing_changed():
        for ticket_id in (uuid4(), world.second_ticket_id, other_world.ticket_id, "T-1"):
            for response in (
                await office.get(f"{path}/{ticket_id}"),
                await office.patch(f"{path}/{ticket_id}", {"title": "X"}),
            ):
                assert response.status_code == 404
                assert refusal(response) == {"error": "not_found", "message": "no such ticket in this organisation"}
        for wrong in (theirs, f"/projects/{uuid4()}/entries", "/projects/first/entries"):
            for response in (await office.get(wrong), await office.post(wrong, {"title": "X"})):
                assert response.status_code == 404
                assert refusal(response) == {"error": "not_found", "message": "no such project in this organisation"}
            assert (await office.get(f"{wrong}/{world.ticket_id}")).status_code == 404
    assert await titles(other, theirs) == ["A ticket"]


async def test_a_projects_key_works_in_its_project_only(office, world, path):
    key = world.project_key
    made = await office.made(path, {"title": "T"}, key=key)
    assert await titles(office, path, key=key) == ["A ticket", "T"]
    assert (await office.patch(f"{path}/{made['id']}", {"status": "closed"}, key=key)).status_code == 200
    other = f"/projects/{world.second_project_id}/entries"
    async with office.nothing_changed():
        for response in (
            await office.get(other, key=key),
            await office.post(other, {"title": "T"}, key=key),
            await office.get(f"{other}/{world.second_ticket_id}", key=key),
            await office.patch(f"{other}/{world.second_ticket_id}", {"title": "T"}, key=key),
        ):
            assert response.status_code == 404
            assert refusal(response) == {"error": "not_found", "message": "no such project in this organisation"}


async def test_every_problem_is_named_and_nothing_changes(office, world, path):
    async with office.nothing_changed():
        responses = [
            await office.post(path, {"status": "done", "externalRef": ref("\u2028")}),
            await office.post(path, {"title": "a\u2029b", "externalRef": "WEB-1"}),
            await office.patch(f"{path}/{world.ticket_id}", {"title": "x" * 201, "status": ""}),
            await office.get(path, status="done", pageSize=0),
        ]
    assert [[(problem["path"], problem["code"]) for problem in refusal(it)["details"]] for it in responses] == [
        [("title", "required"), ("status", "unknown_value"), ("externalRef.externalId", "blank")],
        [("title", "control_character"), ("externalRef", "wrong_type")],
        [("title", "too_long"), ("status", "unknown_value")],
        [("pageSize", "out_of_range"), ("status", "unknown_value")],
    ]


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_reads_and_all_but_clients_write(office, world, path, role):
    key = await office.key_for(role)
    may = role in TIME_KEEPERS
    assert (await office.get(path, key=key)).status_code == 200
    assert (await office.get(f"{path}/{world.ticket_id}", key=key)).status_code == 200
    assert (await office.post(path, {"title": "New"}, key=key)).status_code == (201 if may else 403)
    changed = await office.patch(f"{path}/{world.ticket_id}", {"title": "Changed"}, key=key)
    assert changed.status_code == (200 if may else 403)
    assert await titles(office, path) == (["Changed", "New"] if may else ["A ticket"])


async def test_permissions_are_needed_and_the_plan_is_not(office, world, pool, path):
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    _, reader = await world.mint(permissions=["read:tickets"])
    _, writer = await world.mint(permissions=["write:tickets"])
    assert (await office.get(path, key=reader)).status_code == 200
    assert (await office.post(path, {"title": "T"}, key=writer)).status_code == 201
    one = f"{path}/{world.ticket_id}"
    async with office.nothing_changed():
        for response, permission in (
            (await office.get(path, key=writer), "read:tickets"),
            (await office.get(one, key=writer), "read:tickets"),
            (await office.post(path, {"title": "T"}, key=reader), "write:tickets"),
            (await office.patch(one, {"title": "T"}, key=reader), "write:tickets"),
        ):
            assert (response.status_code, refusal(response)["requiredPermission"]) == (403, permission)


async def test_a_repeat_with_the_idempotency_key_creates_nothing_more(office, path):
    headers = {"Idempotency-Key": "ticket-1"}
    answers = [await office.post(path, {"title": "Once"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert await titles(office, path) == ["A ticket", "Once"]
