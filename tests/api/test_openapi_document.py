"""The OpenAPI document: valid, complete, true to the contract's tables, and every example fits its schema."""

import re
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from align.errors import CATALOGUE
from tests.conftest import SYNC_PATH

# Sent before an operation is found, so that none can document them.
BEFORE_OPERATIONS = {"method_not_allowed", "malformed_request", "headers_too_large"}


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for item in document["paths"].values() for operation in item.values()]


def codes(operation: dict[str, Any]) -> dict[str, set[str]]:
    """The documented machine codes of an operation by status."""
    return {
        status: {
            each["properties"]["error"]["const"] for each in response["content"]["application/json"]["schema"]["oneOf"]
        }
        for status, response in operation["responses"].items()
        if not status.startswith(("2", "3"))
    }


def schemas_with_examples(node: Any, pointer: str = "#") -> list[tuple[str, list[Any]]]:
    """Every place of a schema together with examples of it: media types, headers, schemas with `examples`."""
    found = []
    if isinstance(node, dict):
        if "schema" in node:
            values = [each["value"] for each in node.get("examples", {}).values()]
            values += [node["example"]] if "example" in node else []
            found.append((f"{pointer}/schema", values))
        elif isinstance(node.get("examples"), list):
            found.append((pointer, node["examples"]))
        for name, member in node.items():
            found += schemas_with_examples(member, f"{pointer}/{quote(name.replace('~', '~0').replace('/', '~1'))}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            found += schemas_with_examples(item, f"{pointer}/{index}")
    return found


def test_the_document_is_valid_openapi_3_1(document):
    OPENAPI_31_VALIDATOR.validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_schema_is_valid_and_every_example_fits_it(document):
    checked = 0
    registry = jsonschema_rs.Registry([("urn:document", document)])
    for pointer, values in schemas_with_examples(document):
        schema = {"$ref": f"urn:document{pointer}"}
        validator = jsonschema_rs.Draft202012Validator(schema, registry=registry, validate_formats=True)
        for value in values:
            assert validator.is_valid(value), f"{pointer}: {[error.message for error in validator.iter_errors(value)]}"
            checked += 1
    assert checked > 50


def test_every_request_and_answer_has_an_example(document):
    for operation in operations(document):
        answers = operation["responses"].items()
        contents = [response["content"] for status, response in answers if status not in ("204", "304")]
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for media in (media for content in contents for media in content.values()):
            assert "example" in media or media.get("examples"), operation["operationId"]


def test_every_reference_leads_somewhere(document):
    references = set(re.findall(r'"\$ref": ?"([^"]+)"', str(document).replace("'", '"')))
    names = {reference.rsplit("/", 1)[1] for reference in references}
    assert names
    assert names <= set(document["components"]["schemas"])


def test_operations_are_named_once_described_and_secured(document):
    names = [operation["operationId"] for operation in operations(document)]
    assert len(names) == len(set(names))
    assert {"syncTimeEntry", "findSyncedTimeEntry", "getSyncedTimeEntry", "getMe"} <= set(names)
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"


def test_every_code_of_the_catalogue_is_documented_and_no_other(document):
    documented = {code for operation in operations(document) for found in codes(operation).values() for code in found}
    assert documented == set(CATALOGUE) - BEFORE_OPERATIONS


def test_codes_stand_under_their_status(document):
    for operation in operations(document):
        for status, found in codes(operation).items():
            assert {CATALOGUE[code].status for code in found} == {int(status)}


def test_every_operation_documents_what_every_key_can_meet(document):
    for operation in operations(document):
        found = codes(operation)
        assert found["401"] == {"key_missing", "key_invalid", "key_expired", "key_revoked"}
        assert {"rate_limit", "internal_error"} <= set().union(*found.values())
        for status, response in operation["responses"].items():
            assert "X-Request-Id" in response["headers"]
            assert ("Retry-After" in response["headers"]) == (
                bool(found.get(status, set()) & {"rate_limit", "overloaded", "database_unavailable"})
                or "idempotency_in_progress" in found.get(status, set())
            )


@pytest.fixture
def sync(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"][SYNC_PATH]["post"]


def test_the_sync_request_is_the_contracts_table(document, sync):
    assert sync["requestBody"]["required"] is True
    schema = document["components"]["schemas"]["SyncTimeEntry"]
    assert schema["required"] == ["projectId", "userId", "workDate", "minutes", "externalSystem", "externalId"]
    rules = ("type", "format", "minimum", "maximum", "minLength", "maxLength", "default")
    shown = {
        name: {rule: member[rule] for rule in rules if rule in member} for name, member in schema["properties"].items()
    }
    assert shown == {
        "projectId": {"type": "string", "format": "uuid"},
        "userId": {"type": "string", "format": "uuid"},
        "workDate": {"type": "string"},
        "minutes": {"type": "integer", "minimum": 1, "maximum": 1440},
        "externalSystem": {"type": "string", "minLength": 1, "maxLength": 255},
        "externalId": {"type": "string", "minLength": 1, "maxLength": 255},
        "billable": {"type": "boolean", "default": True},
        "description": {"type": "string", "maxLength": 2000},
        "entryId": {"type": "string", "format": "uuid"},
        "externalMetadata": {"type": "object"},
    }
    assert "additionalProperties" not in schema


def test_the_sync_answer_is_the_contracts_table(document, sync):
    assert set(sync["responses"]) >= {"200", "201", "400", "401", "402", "403", "404", "409", "410", "422", "429"}
    for status in ("200", "201"):
        content = sync["responses"][status]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/SyncedTimeEntry"}
        assert content["example"]["created"] is (status == "201")
    schema = document["components"]["schemas"]["SyncedTimeEntry"]
    assert sorted(schema["required"]) == sorted(schema["properties"])
    types = {name: member.get("format") or member.get("type") for name, member in schema["properties"].items()}
    assert types == {
        "id": "uuid", "organizationId": "uuid", "projectId": "uuid", "userId": "uuid", "entryId": None,
        "workDate": "date", "hours": "string", "minutes": "integer", "notes": None, "billable": "boolean",
        "source": "string", "status": None, "invoiced": "boolean", "createdAt": "date-time",
        "updatedAt": "date-time", "integrationLinkId": "uuid", "created": "boolean",
    }  # fmt: skip
    assert schema["properties"]["status"]["enum"] == sorted(
        ["draft", "submitted", "approved", "rejected", "locked", "invoiced"]
    )


def test_every_time_is_documented_as_one(document):
    """Without its time zone a time would not be RFC 3339's, and the schema would say nothing but string."""
    times = [
        member
        for schema in document["components"]["schemas"].values()
        for name, member in schema["properties"].items()
        if name.endswith("At")
    ]
    assert len(times) >= 5
    for member in times:
        assert "date-time" in [each.get("format") for each in member.get("anyOf", [member])]


def test_the_sync_documents_its_headers(sync):
    (parameter,) = [parameter for parameter in sync["parameters"] if parameter["in"] == "header"]
    assert (parameter["name"], parameter["required"]) == ("Idempotency-Key", False)
    created, existing = sync["responses"]["201"]["headers"], sync["responses"]["200"]["headers"]
    both = {"X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Ignored-Fields",
            "Idempotent-Replayed", "Idempotency-Body-Mismatch"}  # fmt: skip
    assert set(created) == both | {"Location"}
    assert set(existing) == both | {"Content-Differs"}


def test_the_plan_gates_answer_says_its_reason(sync):
    (schema,) = sync["responses"]["402"]["content"]["application/json"]["schema"]["oneOf"]
    assert schema["properties"]["reason"] == {"const": "feature_disabled"}
    assert set(schema["required"]) == {"error", "reason", "feature"}


async def test_anybody_may_read_the_document(client):
    response = await client.get("/api/v1/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
