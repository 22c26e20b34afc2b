"""GET /integration-links: what things are called elsewhere, filtered and in pages; what is not yours does not exist."""

from uuid import uuid4

import pytest

from tests.api.conftest import refusal, validation_error
from tests.conftest import SYNC_PATH

PATH = "/api/v1/integration-links"


async def make(client, world, entity_type="project", entity_id=None, **members):
    """A link, made by the API."""
    body = {
        "provider": "jira",
        "externalType": "board",
        "externalId": f"x-{uuid4()}",
        "alignEntityType": entity_type,
        "alignEntityId": str(entity_id or world.project_id),
        **members,
    }
    response = await client.post(PATH, json=body, headers=world.headers)
    assert response.status_code == 201, response.text
    return {name: value for name, value in response.json().items() if name != "created"}


async def listed(client, world, key=None, **filters):
    """The links of an answer to the organisation's key, or another."""
    headers = {"X-API-Key": key} if key else world.headers
    response = await client.get(PATH, params=filters, headers=headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def links(world, client):
    """Links of one thing of each kind: by kind, and `entry` for a synced time entry's own."""
    made = {
        "project": await make(client, world),
        "other project": await make(client, world, entity_id=world.second_project_id),
        "ticket": await make(client, world, "ticket", world.ticket_id, externalType="issue"),
        "other ticket": await make(client, world, "ticket", world.second_ticket_id, externalType="issue"),
        "user": await make(client, world, "user", world.user_id, provider="illumera", externalType="person"),
    }
    for name, project_id in (("entry", world.project_id), ("other entry", world.second_project_id)):
        entry = world.entry(projectId=str(project_id))
        synced = (await client.post(SYNC_PATH, json=entry, headers=world.headers)).json()
        made[name] = {"id": synced["integrationLinkId"], "entry": synced, "externalId": entry["externalId"]}
    return made


async def test_all_links_are_listed_oldest_first(world, client, links):
    found = await listed(client, world)
    assert [link["id"] for link in found["data"]] == [link["id"] for link in links.values()]
    assert (found["page"], found["pageSize"], found["total"]) == (1, 25, len(links))
    assert found["data"][2] == links["ticket"]
    own = found["data"][5]
    assert own == {
        "id": links["entry"]["id"],
        "organizationId": str(world.organization_id),
        "provider": "illumera",
        "externalType": "time_entry",
        "externalId": links["entry"]["externalId"],
        "alignEntityType": "time_entry",
        "alignEntityId": links["entry"]["entry"]["id"],
        "createdAt": links["entry"]["entry"]["createdAt"],
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (lambda it: {"provider": "illumera"}, ["user", "entry", "other entry"]),
        (lambda it: {"externalType": "issue"}, ["ticket", "other ticket"]),
        (lambda it: {"provider": "illumera", "externalType": "person"}, ["user"]),
        (lambda it: {"externalId": it["ticket"]["externalId"]}, ["ticket"]),
        (lambda it: {name: it["user"][name] for name in ("provider", "externalType", "externalId")}, ["user"]),
        (
            lambda it: (
                {name: it["user"][name] for name in ("provider", "externalType", "externalId")}
                | {"alignEntityType": "ticket"}
            ),
            [],
        ),
        (lambda it: {"alignEntityType": "ticket"}, ["ticket", "other ticket"]),
        (lambda it: {"alignEntityId": it["project"]["alignEntityId"]}, ["project"]),
        (lambda it: {"alignEntityId": it["project"]["alignEntityId"], "alignEntityType": "user"}, []),
        (lambda it: {"provider": "ILLUMERA"}, []),
        (lambda it: {"alignEntityId": str(uuid4())}, []),
    ],
)
async def test_filters_narrow_the_list(world, client, links, filters, expected):
    found = await listed(client, world, **filters(links))
    assert [link["id"] for link in found["data"]] == [links[name]["id"] for name in expected]
    assert found["total"] == len(expected)


async def test_names_are_looked_up_in_unicode_nfc(world, client):
    made = await make(client, world, externalId="caf\u00e9")
    assert [link["id"] for link in (await listed(client, world, externalId="cafe\u0301"))["data"]] == [made["id"]]


async def test_pages_hold_every_link_once(world, client, links):
    pages = [await listed(client, world, page=number, pageSize=3) for number in (1, 2, 3, 4)]
    assert [len(page["data"]) for page in pages] == [3, 3, 1, 0]
    assert [link["id"] for page in pages for link in page["data"]] == [link["id"] for link in links.values()]
    assert {page["total"] for page in pages} == {len(links)}


async def test_a_projects_key_sees_the_links_of_its_project_tickets_and_entries(world, client, links):
    found = await listed(client, world, world.project_key)
    assert [link["id"] for link in found["data"]] == [links[name]["id"] for name in ("project", "ticket", "entry")]
    assert found["total"] == 3
    for name in ("other ticket", "user"):
        by_entity = await listed(client, world, world.project_key, alignEntityId=links[name]["alignEntityId"])
        reference = {member: links[name][member] for member in ("provider", "externalType", "externalId")}
        by_reference = await listed(client, world, world.project_key, **reference)
        assert by_entity["data"] == by_reference["data"] == []
        assert by_entity["total"] == by_reference["total"] == 0


async def test_links_of_deleted_entries_are_left_out(world, client, links, pool):
    await pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1 and id = $2::text::uuid",
        world.organization_id,
        links["entry"]["entry"]["id"],
    )
    for key in (world.key, world.project_key):
        found = await listed(client, world, key)
        assert links["entry"]["id"] not in [link["id"] for link in found["data"]]
        assert found["total"] == len(found["data"])
    assert (await listed(client, world, externalId=links["entry"]["externalId"]))["total"] == 0


async def test_another_organisations_links_are_not_seen(world, other_world, client, links):
    assert await listed(client, other_world) == {"data": [], "page": 1, "pageSize": 25, "total": 0}
    assert (await listed(client, other_world, alignEntityId=links["user"]["alignEntityId"]))["total"] == 0


async def test_every_problem_of_the_query_is_named(world, client):
    response = await client.get(
        PATH,
        params={"alignEntityType": "invoice", "alignEntityId": "7", "pageSize": "101", "provder": "x"},
        headers=world.headers,
    )
    assert response.status_code == 400
    assert [(problem["path"], problem["code"]) for problem in response.json()["details"]] == [
        ("pageSize", "out_of_range"),
        ("alignEntityType", "unknown_value"),
        ("alignEntityId", "invalid_uuid"),
        ("provder", "unknown_parameter"),
    ]


async def test_names_that_can_not_be_are_refused(world, client):
    response = await client.get(PATH, params={"provider": " ", "externalId": "a\x00b"}, headers=world.headers)
    assert response.status_code == 400
    assert refusal(response) == validation_error(
        ("provider", "blank", "must hold more than white space"),
        ("externalId", "control_character", "must hold no control characters"),
    )


@pytest.mark.parametrize("plan", ["with", "without"])
async def test_the_plan_does_not_matter_but_the_role_does(world, client, pool, plan):
    if plan == "without":
        await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    assert (await listed(client, world))["total"] == 0
    _, text = await world.mint(created_by_user_id=world.client_user_id)
    response = await client.get(PATH, headers={"X-API-Key": text})
    assert (response.status_code, refusal(response)["error"]) == (403, "role_violation")
    assert "user" in response.json()["requiredRoles"]


async def test_a_key_needs_the_permission(world, client, pool):
    key, text = await world.mint()
    await pool.execute(
        "update api_keys set permissions = '{read:projects}' where organization_id = $1 and id = $2",
        world.organization_id,
        key.id,
    )
    response = await client.get(PATH, headers={"X-API-Key": text})
    assert (response.status_code, refusal(response)["requiredPermission"]) == (403, "read:integration_links")
