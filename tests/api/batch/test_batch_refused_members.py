"""A member that is refused is told so as by the single operation, and its neighbours are stored."""

import json
from typing import Any

import pytest

from tests.api.batch.conftest import NOBODY, Batches, results_of, statuses, stored_more, without_request_id, written
from tests.conftest import SYNC_PATH

DATE = "must be a date of the years 1970 to 2200, written YYYY-MM-DD or as an ISO 8601 date and time"


def kinds(batches: Batches, other_world) -> dict[str, tuple[dict[str, object], int, str, list[tuple[str, str]]]]:
    """By name: the member, its status, its code, and path and code of its details."""
    world, entry = batches.world, batches.world.entry
    return {
        "unknown project": (entry(projectId=NOBODY), 404, "not_found", [("projectId", "not_found")]),
        "foreign project": (
            entry(projectId=str(other_world.project_id)),
            404,
            "not_found",
            [("projectId", "not_found")],
        ),
        "unknown user": (entry(userId=NOBODY), 404, "not_found", [("userId", "not_found")]),
        "foreign user": (entry(userId=str(other_world.user_id)), 404, "not_found", [("userId", "not_found")]),
        "unknown project and user": (
            entry(projectId=NOBODY, userId=NOBODY),
            404,
            "not_found",
            [("projectId", "not_found"), ("userId", "not_found")],
        ),
        "archived project": (entry(projectId=str(world.archived_project_id)), 409, "project_archived", []),
        "user with role client": (
            entry(userId=str(world.client_user_id)),
            400,
            "validation_error",
            [("userId", "role_without_time")],
        ),
        "ticket of another project": (
            entry(entryId=str(world.second_ticket_id)),
            400,
            "validation_error",
            [("entryId", "not_of_project")],
        ),
        "unknown ticket": (entry(entryId=NOBODY), 400, "validation_error", [("entryId", "not_of_project")]),
        "several invalid fields": (
            entry(minutes=1441, workDate="2025-02-30", externalSystem="", billable="yes", projectId="x"),
            400,
            "validation_error",
            [
                ("projectId", "invalid_uuid"),
                ("workDate", "invalid_date"),
                ("minutes", "out_of_range"),
                ("externalSystem", "too_short"),
                ("billable", "wrong_type"),
            ],
        ),
        "missing fields": (
            entry(externalId=None, minutes=None),
            400,
            "validation_error",
            [("minutes", "required"), ("externalId", "required")],
        ),
        "too much metadata": (
            entry(externalMetadata={"a": "x" * 16 * 1024}),
            400,
            "validation_error",
            [("externalMetadata", "too_long")],
        ),
    }


KINDS = [
    "unknown project",
    "foreign project",
    "unknown user",
    "foreign user",
    "unknown project and user",
    "archived project",
    "user with role client",
    "ticket of another project",
    "unknown ticket",
    "several invalid fields",
    "missing fields",
    "too much metadata",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_member_is_answered_as_singly_and_alone(shared_batches, other_world, kind):
    member, status, code, details = kinds(shared_batches, other_world)[kind]
    world = shared_batches.world
    async with stored_more(world, 2):
        response = await shared_batches.sync(world.entry(), member, world.entry())
    results = results_of(response)
    assert statuses(results) == [201, status, 201]
    error = results[1]["error"]
    assert error["error"] == code
    assert [(problem["path"], problem["code"]) for problem in error.get("details", [])] == details
    single = await shared_batches.single(member)
    assert (single.status_code, without_request_id(single.json(), single)) == (status, error)


def test_the_kinds_are_all_tried():
    assert len(set(KINDS)) == 12


async def test_a_refusal_is_written_exactly_so(batches):
    world = batches.world
    response = await batches.sync(
        world.entry(workDate="x"), world.entry(projectId=str(world.archived_project_id)), x_request_id="mine"
    )
    assert response.json() == {
        "created": 0,
        "existing": 0,
        "failed": 2,
        "results": [
            {
                "index": 0,
                "status": 400,
                "error": {
                    "error": "validation_error",
                    "message": f"workDate: {DATE}",
                    "requestId": "mine",
                    "details": [{"path": "workDate", "code": "invalid_date", "message": DATE}],
                },
            },
            {
                "index": 1,
                "status": 409,
                "error": {
                    "error": "project_archived",
                    "message": "the project is archived and takes no new time",
                    "requestId": "mine",
                    "path": "projectId",
                },
            },
        ],
    }


async def test_a_deleted_pair_is_gone_and_stays_gone(batches):
    world, entry = batches.world, batches.world.entry()
    await batches.single(entry)
    await world.pool.execute(
        "update time_entries set deleted_at = now() where organization_id = $1", world.organization_id
    )
    async with stored_more(world, 1):
        results = await batches.results(entry, world.entry())
    assert statuses(results) == [410, 201]
    assert results[0]["error"] == {
        "error": "time_entry_deleted",
        "message": "the time entry of this external id was deleted; it is not created again",
    }


async def test_a_known_pair_is_answered_though_its_project_was_archived_meanwhile(batches):
    world = batches.world
    entry = world.entry(projectId=str(world.second_project_id))
    await batches.single(entry)
    await world.pool.execute(
        "update projects set status = 'archived' where organization_id = $1 and id = $2",
        world.organization_id,
        world.second_project_id,
    )
    results = await batches.results(entry, world.entry(projectId=str(world.second_project_id)))
    assert statuses(results) == [200, 409]


def raw(entry: dict[str, object], **members: str) -> bytes:
    """The entry with further members, spelled exactly so."""
    more = "".join(f', "{name}": {value}' for name, value in members.items())
    return (json.dumps(entry)[:-1] + more + "}").encode()


@pytest.mark.parametrize(
    ("member", "code"),
    [
        (lambda entry: b"5", "wrong_type"),
        (lambda entry: b"null", "wrong_type"),
        (lambda entry: b'"text"', "wrong_type"),
        (lambda entry: b"[]", "wrong_type"),
        (lambda entry: b"[" + written(entry) + b"]", "wrong_type"),
        (lambda entry: b"{}", "required"),
        (lambda entry: raw(entry, minutes="3"), "duplicate_member"),
        (lambda entry: raw(entry, description='"\\ud83d"'), "lone_surrogate"),
        (lambda entry: raw(entry, description='"\\u0000"'), "nul_character"),
        (lambda entry: raw(entry, description='"x"').replace(b'"x"', b'"\xff"'), "invalid_encoding"),
        (lambda entry: raw(entry, externalMetadata='{"a":' + "[" * 40 + "]" * 40 + "}"), "too_deep"),
        (lambda entry: raw(entry, externalMetadata='{"a":1,"a":2}'), "duplicate_member"),
        (lambda entry: raw(entry, externalMetadata='{"a":1e9999}'), "number_out_of_range"),
    ],
)
@pytest.mark.parametrize("beside", [b"", b', "sender": {"name": "x"}'])
async def test_what_is_wrong_inside_a_member_is_its_own_fault(shared_batches, member, code, beside):
    world = shared_batches.world
    parts = [written(world.entry()), member(world.entry()), written(world.entry())]
    async with stored_more(world, 2):
        response = await shared_batches.send(b'{"entries": [' + b", ".join(parts) + b"]" + beside + b"}")
    assert response.headers.get("ignored-fields") == ("sender" if beside else None)
    results = results_of(response)
    assert statuses(results) == [201, 400, 201]
    assert results[1]["error"]["error"] == "validation_error"
    assert code in [problem["code"] for problem in results[1]["error"]["details"]]


async def test_a_member_larger_than_a_single_body_may_be_is_refused_alone(batches):
    world = batches.world
    fits = raw(world.entry(), billable="true" + " " * 64 * 1024)[: 64 * 1024 - 1] + b"}"
    large = fits[:-1] + b" }"
    assert (len(fits), len(large)) == (65536, 65537)
    results = await batches.results(world.entry(), fits, large)
    assert statuses(results) == [201, 201, 413]
    assert results[2]["error"]["error"] == "payload_too_large"


async def test_names_are_compared_in_nfc_also_within_a_batch(batches):
    world = batches.world
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    results = await batches.results(
        world.entry(externalId=decomposed), world.entry(externalId=composed), world.entry(externalId=composed.upper())
    )
    assert statuses(results) == [201, 200, 201]
    assert results[0]["entry"]["id"] == results[1]["entry"]["id"]


async def test_a_key_revoked_is_refused_before_any_member(batches):
    world = batches.world
    minted, text = await world.mint()
    await world.pool.execute(
        "update api_keys set revoked_at = now() where organization_id = $1 and id = $2",
        world.organization_id,
        minted.id,
    )
    async with stored_more(world, 0):
        response = await batches.sync(world.entry(), authorization=f"Bearer {text}")
    assert (response.status_code, response.json()["error"]) == (401, "key_revoked")


async def test_a_refused_member_may_be_repeated_singly_once_it_is_right(batches) -> None:
    entry: dict[str, Any] = batches.world.entry()
    (result,) = await batches.results({**entry, "minutes": 0})
    assert result["status"] == 400
    single = await batches.client.post(SYNC_PATH, json=entry, headers=batches.world.headers)
    assert single.status_code == 201
