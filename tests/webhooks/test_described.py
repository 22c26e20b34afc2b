"""The section `webhooks` of the OpenAPI document: every event, its examples, and what really arrives."""

from typing import Any
from uuid import UUID

import jsonschema_rs
import msgspec
import pytest

from align import __version__
from align.api_keys import api_keys
from align.organizations import organizations
from align.web import openapi
from align.webhooks import described, examples
from align.webhooks.names import EVENTS, FAMILIES
from tests.waiting import until
from tests.webhooks.office import delivering_office, hooked, new_database, receiving

BODY = "post/requestBody/content/application~1json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As it is served, deliveries alone."""
    made = openapi.document([], __version__, described.documented(), described.HEADERS)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return decoded


def problems(document: dict[str, Any], pointer: str, value: Any) -> list[str]:
    registry = jsonschema_rs.Registry([("urn:document", document)])
    schema = {"$ref": f"urn:document#/{pointer}"}
    validator = jsonschema_rs.Draft202012Validator(schema, registry=registry, validate_formats=True)
    return [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(value)]


def undocumented(document: dict[str, Any], body: dict[str, Any]) -> set[str]:
    """Members that the document does not know, which its schemas allow since more may come."""
    schemas = document["components"]["schemas"]
    title = described.body_of(body["eventName"]).__name__
    found = set(body) - set(schemas[title]["properties"])
    known = schemas[title.removesuffix("Event") + "EventState"]["properties"]
    for side in ("before", "after"):
        found |= set(body["payload"][side] or {}) - set(known)
    return found


def test_every_event_is_described_and_the_test_that_is_none(document):
    assert set(document["webhooks"]) == {*EVENTS, "webhook.test"}
    for name, item in document["webhooks"].items():
        assert list(item) == ["post"]
        assert EVENTS.get(name, "A test was asked for") in item["post"]["description"]
        assert item["post"]["security"] == []


@pytest.mark.parametrize("name", [*EVENTS, "webhook.test"])
def test_every_example_fits_and_says_nothing_that_is_not_documented(document, name):
    pointer = f"webhooks/{name}/{BODY}/schema"
    example = document["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert example["eventName"] == name
    assert problems(document, pointer, example) == []
    assert undocumented(document, example) == set()
    wrong = [
        example | {"eventName": "time.unheard_of"},
        example | {"eventName": next(each for each in EVENTS if each != name)},
        example | {"entityType": "thing"},
        example | {"entityId": "no-id"},
        example | {"schemaVersion": 2},
        example | {"occurredAt": "yesterday"},
        example | {"payload": {"before": None}},
        {member: value for member, value in example.items() if member != "id"},
    ]
    for each in wrong:
        assert problems(document, pointer, each), each


def test_the_families_are_the_types_of_entities():
    assert {name.removesuffix(".*") for name in FAMILIES} == set(described.BODIES) == set(examples.ENTITIES)
    assert set(examples.PAYLOADS) == set(described.DELIVERED)


# Nobody can subscribe before the one, and the other is of a receiver that fails for days.
NOT_DONE = {"organization.created", "webhook.disabled"}


async def test_every_real_delivery_fits_what_is_described(document, database_url, tmp_path):
    async with receiving() as receiver, delivering_office(new_database(database_url), tmp_path) as desk:
        made = await hooked(desk, receiver, *FAMILIES)
        await work(desk)
        await desk.post(f"/webhooks/{made['id']}/test", None)

        async def all_arrived() -> bool:
            names = {each.json["eventName"] for each in receiver.received}
            return names >= {*EVENTS, described.TEST_EVENT} - NOT_DONE

        await until(all_arrived, "delivery of every event")
    headers = document["webhooks"]["time.logged"]["post"]["parameters"]
    for request in receiver.received:
        name = request.json["eventName"]
        assert problems(document, f"webhooks/{name}/{BODY}/schema", request.json) == [], request.json
        assert undocumented(document, request.json) == set(), request.json
        assert request.headers["content-type"] == "application/json"
        for index, header in enumerate(headers):
            value: Any = request.headers[header["name"].lower()]
            value = int(value) if header["schema"]["type"] == "integer" else value
            assert problems(document, f"webhooks/{name}/post/parameters/{index}/schema", value) == []
    assert {each.json["eventName"] for each in receiver.received} <= set(document["webhooks"])


async def work(desk: Any) -> None:
    """Changes of every kind."""
    world = desk.world

    async def done(method: str, path: str, body: Any = None) -> Any:
        response = await desk.call(method, path, json=body)
        assert response.status_code < 300, f"{path}: {response.text}"
        return response.json() if response.content else None

    await time(done, world)
    await people_and_projects(done, world)
    key = await done("POST", "/api-keys", {"name": "another", "scope": "organization"})
    async with world.pool.acquire() as tx, tx.transaction():
        await organizations.set_strict(tx, world.organization_id, strict=True)
        await api_keys.set_rate_limit(tx, world.organization_id, UUID(key["id"]), 7)
    await done("POST", f"/api-keys/{key['id']}/rotate", {})
    await done("DELETE", f"/api-keys/{key['id']}")
    await done("PUT", "/organization/locked-until", {"date": "2024-12-31"})
    await done("PUT", "/organization/locked-until", {"date": None, "reason": "wrong"})
    hook = await done("POST", "/webhooks", {"destinationUrl": "https://example.com/", "eventNames": ["user.invited"]})
    own = f"/webhooks/{hook['id']}"
    await done("PATCH", own, {"enabled": False})
    await done("POST", f"{own}/rotate-secret")
    test = await done("POST", f"{own}/test")
    await done("POST", f"{own}/deliveries/{test['deliveryId']}/redeliver")
    await done("POST", f"{own}/replay", {"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"})
    await done("DELETE", own)


async def time(done: Any, world: Any) -> None:
    entry = await done("POST", "/integration/time-entries", world.entry(description='½ Tag ☃ "so"'))
    own = f"/time-entries/{entry['id']}"
    await done("PATCH", own, {"minutes": 60, "description": None})
    reason, reference = {"reason": "why?"}, {"reference": "2025-007"}
    for action in ("submit", "recall", "submit", "reject", "submit", "approve", "unlock", "submit", "approve", "lock"):
        await done("POST", f"{own}/{action}", reason if action in ("reject", "unlock") else {})
    await done("POST", f"{own}/invoice", reference)
    await done("POST", f"{own}/void-invoice", {})
    second = await done("POST", "/integration/time-entries", world.entry(entryId=str(world.ticket_id)))
    await done("DELETE", f"/time-entries/{second['id']}")


async def people_and_projects(done: Any, world: Any) -> None:
    project = await done("POST", "/projects", {"name": "Another"})
    await done("PATCH", f"/projects/{project['id']}", {"status": "archived"})
    members = f"/projects/{world.project_id}/members"
    await done("POST", members, {"userId": str(world.user_id)})
    await done("DELETE", f"{members}/{world.user_id}")
    ticket = await done("POST", f"/projects/{world.project_id}/entries", {"title": "A ticket"})
    await done("PATCH", f"/projects/{world.project_id}/entries/{ticket['id']}", {"title": "Another"})
    reference = {"provider": "jira", "externalType": "account", "externalId": "eve"}
    invitation = {"email": "eve@example.com", "name": "Eve", "role": "developer", "metadata": {"a": [1, 2.50]}}
    invited = await done("POST", "/users/invite", invitation | {"externalRef": reference})
    await done("PATCH", f"/users/{invited['id']}", {"role": "manager"})
    link = {"provider": "jira", "externalType": "issue", "externalId": "WEB-42"}
    made = await done("POST", "/integration-links", link | {"alignEntityType": "ticket", "alignEntityId": ticket["id"]})
    await done("DELETE", f"/integration-links/{made['id']}")
