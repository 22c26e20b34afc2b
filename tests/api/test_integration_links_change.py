"""POST and DELETE /integration-links: a reference names one thing, and a sync's own link stays."""

from uuid import uuid4

import pytest

from align.roles import PROJECT_LEADS, ROLES
from tests.api.conftest import refusal, validation_error
from tests.api.office import Office

PATH = "/integration-links"


def link(entity_type, entity_id, external_id="X-1", **changes):
    return {
        "provider": "jira",
        "externalType": "thing",
        "externalId": external_id,
        "alignEntityType": entity_type,
        "alignEntityId": str(entity_id),
        **changes,
    }


def things(world):
    """One thing of each kind but time entries."""
    return {"project": world.project_id, "ticket": world.ticket_id, "user": world.user_id}


async def synced(office, **changes):
    entry = office.world.entry(**changes)
    return entry, await office.made("/integration/time-entries", entry)


@pytest.mark.parametrize("kind", ["project", "ticket", "user", "time_entry"])
async def test_a_thing_is_linked_once_and_the_link_removed(office, world, kind):
    entity_id = things(world).get(kind) or (await synced(office))[1]["id"]
    project_id = None if kind == "user" else world.project_id
    body = link(kind, entity_id)
    async with office.recorded(("integration_link.created", None, body), project_id=project_id):
        first = await office.post(PATH, body)
    assert first.status_code == 201
    made = first.json()
    assert {name: made[name] for name in body} == body
    assert (made["organizationId"], made["created"]) == (str(world.organization_id), True)
    async with office.nothing_changed():
        again = await office.post(PATH, body)
    assert (again.status_code, again.json()) == (200, made | {"created": False})
    async with office.recorded(("integration_link.deleted", body, None), project_id=project_id):
        removed = await office.delete(f"{PATH}/{made['id']}")
    assert (removed.status_code, removed.content) == (204, b"")
    assert (await office.listed(PATH, externalId="X-1"))["total"] == 0
    async with office.nothing_changed():
        assert (await office.delete(f"{PATH}/{made['id']}")).status_code == 404


async def test_a_thing_may_have_many_references_but_a_reference_names_one_thing(office, world):
    await office.made(PATH, link("ticket", world.ticket_id, "X-1"))
    await office.made(PATH, link("ticket", world.ticket_id, "X-2"))
    for kind, entity_id in (("ticket", world.second_ticket_id), ("project", world.project_id)):
        async with office.nothing_changed():
            response = await office.post(PATH, link(kind, entity_id, "X-1"))
        assert response.status_code == 409
        assert refusal(response) == {
            "error": "external_ref_conflict",
            "message": "the reference names something else already",
            "path": "externalId",
        }


async def test_references_are_compared_in_unicode_nfc_and_by_case(office, world):
    made = await office.made(PATH, link("ticket", world.ticket_id, "caf\u00e9"))
    again = await office.post(PATH, link("ticket", world.ticket_id, "cafe\u0301"))
    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    assert (await office.post(PATH, link("ticket", world.second_ticket_id, "CAF\u00c9"))).status_code == 201


async def test_a_removed_reference_can_name_something_else(office, world):
    made = await office.made(PATH, link("ticket", world.ticket_id))
    await office.delete(f"{PATH}/{made['id']}")
    await office.made(PATH, link("project", world.project_id))


@pytest.mark.parametrize("kind", ["project", "ticket", "user", "time_entry"])
async def test_what_is_not_there_foreign_or_of_another_kind_is_not_linked(office, other_world, client, kind):
    foreign = things(other_world).get(kind) or (await synced(Office(other_world, client)))[1]["id"]
    other_kind = office.world.archived_project_id if kind != "project" else office.world.user_id
    for entity_id in (uuid4(), foreign, other_kind):
        async with office.nothing_changed():
            response = await office.post(PATH, link(kind, entity_id))
        assert response.status_code == 404
        message = f"no such {kind.replace('_', ' ')} in this organisation"
        assert refusal(response)["details"] == [{"path": "alignEntityId", "code": "not_found", "message": message}]


async def test_a_deleted_entry_is_neither_linked_nor_parted_from_its_links(office, world, pool):
    entry, made = await synced(office)
    more = await office.made(PATH, link("time_entry", made["id"]))
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1 and id = $2::text::uuid",
        world.organization_id,
        made["id"],
    )
    async with office.nothing_changed():
        assert (await office.post(PATH, link("time_entry", made["id"], "X-2"))).status_code == 404
        for link_id in (more["id"], made["integrationLinkId"]):
            assert (await office.delete(f"{PATH}/{link_id}")).status_code == 404
    late = await office.post("/integration/time-entries", entry)
    assert (late.status_code, refusal(late)["error"]) == (410, "time_entry_deleted")


async def test_the_own_link_of_a_synced_entry_stays(office):
    entry, made = await synced(office)
    async with office.nothing_changed():
        response = await office.delete(f"{PATH}/{made['integrationLinkId']}")
    assert response.status_code == 409
    assert (refusal(response)["error"], response.json()["path"]) == ("link_protected", "id")
    again = await office.post("/integration/time-entries", entry)
    assert (again.status_code, again.json()["id"]) == (200, made["id"])


async def test_a_sync_finds_the_entry_that_was_linked_by_hand_and_not_any_more_once_it_is_parted(office, world):
    _, made = await synced(office)
    by_hand = await office.made(
        PATH, link("time_entry", made["id"], "H-1", provider="harvest", externalType="time_entry")
    )
    entry = world.entry(externalSystem="harvest", externalId="H-1")
    found = await office.post("/integration/time-entries", entry)
    assert (found.status_code, found.json()["id"]) == (200, made["id"])
    assert (await office.delete(f"{PATH}/{by_hand['id']}")).status_code == 204
    created = await office.post("/integration/time-entries", entry)
    assert (created.status_code, created.json()["created"]) == (201, True)


@pytest.mark.parametrize("kind", ["project", "ticket", "user"])
async def test_the_type_time_entry_is_kept_for_time_entries(office, world, kind):
    async with office.nothing_changed():
        response = await office.post(PATH, link(kind, things(world)[kind], externalType="time_entry"))
    assert response.status_code == 400
    message = "time_entry is kept for time entries, whose syncs look it up; choose another name"
    assert refusal(response) == validation_error(("externalType", "reserved_name", message))


async def test_a_key_bound_to_a_source_links_time_entries_of_that_source_only(office, world):
    _, made = await synced(office)
    _, key = await world.mint(source_binding="harvest")
    body = link("time_entry", made["id"], externalType="time_entry")
    async with office.nothing_changed():
        response = await office.post(PATH, body, key=key)
    assert (response.status_code, refusal(response)["sourceBinding"]) == (403, "harvest")
    assert (await office.post(PATH, body | {"provider": "harvest"}, key=key)).status_code == 201
    assert (await office.post(PATH, body | {"externalType": "worklog"}, key=key)).status_code == 201


async def test_a_projects_key_links_what_belongs_to_its_project_and_sees_nothing_else(office, world):
    key = world.project_key
    _, entry = await synced(office)
    _, other_entry = await synced(office, projectId=str(world.second_project_id))
    own = {"project": world.project_id, "ticket": world.ticket_id, "time_entry": entry["id"]}
    others = {
        "project": world.second_project_id,
        "ticket": world.second_ticket_id,
        "time_entry": other_entry["id"],
        "user": world.user_id,
    }
    for kind, entity_id in own.items():
        made = await office.made(PATH, link(kind, entity_id, f"own-{kind}"), key=key)
        assert (await office.delete(f"{PATH}/{made['id']}", key=key)).status_code == 204
    for kind, entity_id in others.items():
        made = await office.made(PATH, link(kind, entity_id, f"other-{kind}"))
        async with office.nothing_changed():
            linked = await office.post(PATH, link(kind, entity_id, f"new-{kind}"), key=key)
            removed = await office.delete(f"{PATH}/{made['id']}", key=key)
        assert (linked.status_code, removed.status_code) == (404, 404)
        assert refusal(removed) == {"error": "not_found", "message": "no such integration link in this organisation"}


async def test_links_that_are_not_there_or_not_yours_are_not_found(office, other_world, client):
    other = Office(other_world, client)
    theirs = await other.made(PATH, link("project", other_world.project_id))
    for link_id in (uuid4(), theirs["id"], "X-1"):
        response = await office.delete(f"{PATH}/{link_id}")
        assert response.status_code == 404
        assert refusal(response) == {"error": "not_found", "message": "no such integration link in this organisation"}
    assert (await other.listed(PATH))["total"] == 1


async def test_every_problem_is_named_and_nothing_changes(office):
    body = {"provider": "", "externalType": " ", "alignEntityType": "invoice", "alignEntityId": "7", "x": 1}
    async with office.nothing_changed():
        response = await office.post(PATH, body)
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in refusal(response)["details"]] == [
        ("provider", "too_short"),
        ("externalType", "blank"),
        ("externalId", "required"),
        ("alignEntityType", "unknown_value"),
        ("alignEntityId", "invalid_uuid"),
    ]
    assert response.headers["ignored-fields"] == "x"


@pytest.mark.parametrize("role", ROLES)
async def test_leads_developers_and_operations_write(office, world, role):
    may = role in PROJECT_LEADS | {"developer", "devops_engineer"}
    key = await office.key_for(role)
    made = await office.made(PATH, link("ticket", world.ticket_id))
    created = await office.post(PATH, link("project", world.project_id, "X-2"), key=key)
    assert created.status_code == (201 if may else 403)
    assert (await office.delete(f"{PATH}/{made['id']}", key=key)).status_code == (204 if may else 403)


async def test_the_permission_to_write_is_needed(office, world):
    _, key = await world.mint(permissions=["read:integration_links", "write:projects"])
    made = await office.made(PATH, link("ticket", world.ticket_id))
    async with office.nothing_changed():
        for response in (
            await office.post(PATH, link("ticket", world.ticket_id), key=key),
            await office.delete(f"{PATH}/{made['id']}", key=key),
        ):
            assert response.status_code == 403
            assert refusal(response)["requiredPermission"] == "write:integration_links"


async def test_a_repeat_with_the_idempotency_key_gets_the_first_answer(office, world):
    headers = {"Idempotency-Key": "link-1"}
    answers = [await office.post(PATH, link("user", world.user_id), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
