"""POST /integration/reconcile: a sender's list in, what differs out."""

import json

import pytest

from tests.api.conftest import refusal, stored
from tests.api.reconciliation.reconciling import (
    JANUARY,
    RECONCILE_PATH,
    differences,
    kinds,
    lines_of,
    listed,
    post_list,
    synced,
)

NOBODY = "7b1e2c3d-0000-0000-0000-00000000abcd"


async def test_equal_lists_have_no_differences(world, client, plain):
    entries = [world.entry(externalId=f"same {number}") for number in range(3)]
    await synced(world, client, entries)
    found, summary = differences(await post_list(world, plain, map(listed, entries)))
    assert found == []
    assert summary == {
        "received": 3, "same": 3, "different": 0, "missing": 0, "extra": 0, "invalid": 0, "duplicate": 0,
    }  # fmt: skip


async def test_the_lines_of_a_batch_fit_as_they_are(world, client, plain):
    entry = world.entry(
        description="Planning, “quoted” \\ and\nbroken",
        billable=False,
        entryId=str(world.ticket_id),
        externalMetadata={"task": "x"},
        workDate="2025-01-15T23:00:00+02:00",
    )
    await synced(world, client, [entry])
    response = await post_list(world, plain, [entry])
    assert differences(response)[0] == []
    assert "ignored-fields" not in response.headers


async def test_what_is_not_in_the_list_is_extra_and_comes_whole(world, client, plain):
    extra = world.entry(externalId="of nobody")
    [entry_id] = await synced(world, client, [extra])
    [found], _ = differences(await post_list(world, plain, []))
    read = (await client.get(f"/api/v1/integration/time-entries/{entry_id}", headers=world.headers)).json()
    del read["externalMetadata"], read["integrationLinks"]
    assert found == {"kind": "extra", "externalId": "of nobody", "entry": read}


async def test_what_is_not_here_is_missing(world, plain):
    [found], _ = differences(await post_list(world, plain, [b"", world.entry(externalId="lost")]))
    assert found == {"kind": "missing", "externalId": "lost", "line": 1, "deleted": False}


async def test_what_was_deleted_here_is_missing_and_says_so(world, client, plain, pool):
    entry = world.entry()
    [entry_id] = await synced(world, client, [entry])
    await pool.execute(
        "update time_entries set deleted_at = '2025-02-01T10:00:00.5Z' where organization_id = $1",
        world.organization_id,
    )
    [found], _ = differences(await post_list(world, plain, [entry]))
    assert found == {
        "kind": "missing",
        "externalId": entry["externalId"],
        "line": 1,
        "deleted": True,
        "id": entry_id,
        "deletedAt": "2025-02-01T10:00:00.500000Z",
    }


async def test_what_differs_is_named_member_by_member(world, client, plain):
    entry = world.entry(description="ours")
    [entry_id] = await synced(world, client, [entry])
    theirs = {
        "workDate": "2025-01-14",
        "minutes": 151,
        "projectId": NOBODY,
        "userId": str(world.admin_id),
        "entryId": str(world.ticket_id),
        "billable": False,
        "description": "theirs",
        "status": "approved",
    }
    ours = {**entry, "entryId": None, "billable": True, "status": "draft"}
    [found], _ = differences(await post_list(world, plain, [listed(entry) | theirs]))
    assert found == {
        "kind": "different",
        "externalId": entry["externalId"],
        "line": 1,
        "id": entry_id,
        "fields": {name: {"theirs": theirs[name], "ours": ours[name]} for name in theirs},
    }


async def test_null_says_that_there_is_none(world, client, plain):
    entry = world.entry(description="text", entryId=str(world.ticket_id))
    await synced(world, client, [entry])
    [found], _ = differences(await post_list(world, plain, [listed(entry, description=None, entryId=None)]))
    assert found["fields"] == {
        "entryId": {"theirs": None, "ours": str(world.ticket_id)},
        "description": {"theirs": None, "ours": "text"},
    }


async def test_members_that_were_not_sent_are_not_compared(world, client, plain):
    entry = world.entry(description="x", billable=False, entryId=str(world.ticket_id))
    await synced(world, client, [entry])
    assert differences(await post_list(world, plain, [listed(entry)]))[0] == []


async def test_an_entry_outside_the_range_here_differs_in_its_day(world, client, plain):
    entry = world.entry(workDate="2025-02-01")
    await synced(world, client, [entry])
    [found], _ = differences(await post_list(world, plain, [listed(entry, workDate="2025-01-31")]))
    assert (found["kind"], found["fields"]) == (
        "different", {"workDate": {"theirs": "2025-01-31", "ours": "2025-02-01"}},
    )  # fmt: skip
    # And where it lies, it is extra only while it is not listed.
    assert differences(await post_list(world, plain, [entry]))[0] == []
    february = {"startDate": "2025-02-01", "endDate": "2025-02-28"}
    assert kinds(differences(await post_list(world, plain, [], **february))[0]) == {("extra", entry["externalId"])}


async def test_other_systems_and_organisations_are_not_looked_at(world, other_world, client, plain):
    mine, jiras, others = world.entry(), world.entry(externalSystem="jira"), other_world.entry()
    await synced(world, client, [mine, jiras])
    await synced(other_world, client, [others])
    found, summary = differences(await post_list(world, plain, map(listed, [mine, jiras, others])))
    assert summary["same"] == 1
    assert kinds(found) == {("missing", jiras["externalId"]), ("missing", others["externalId"])}


async def test_external_ids_are_compared_as_in_a_sync(world, client, plain):
    await synced(world, client, [world.entry(externalId="Caf\u00e9")])
    spelled = [world.entry(externalId="Cafe\u0301"), world.entry(externalId="caf\u00e9")]
    found, summary = differences(await post_list(world, plain, map(listed, spelled)))
    assert (summary["same"], kinds(found)) == (1, {("missing", "caf\u00e9")})


async def test_a_repeated_id_is_named_and_its_first_line_counts(world, client, plain):
    entry = world.entry(externalId="é")
    await synced(world, client, [entry])
    again = listed(entry, externalId="e\u0301", minutes=1)
    found, summary = differences(await post_list(world, plain, [world.entry(), entry, again]))
    assert {"kind": "duplicate", "externalId": "é", "line": 3, "firstLine": 2} in found
    assert (summary["same"], summary["different"], summary["duplicate"]) == (1, 0, 1)


INVALID = [
    (b"{", None, [("", "invalid_json")]),
    (b'\xef\xbb\xbf{"externalId":"x"}', None, [("", "invalid_encoding")]),
    (b'{"externalId":"\xff"}', None, [("", "invalid_encoding")]),
    (b"[]", None, [("", "wrong_type")]),
    (b'{"externalId":"x","minutes":1,"minutes":1}', None, [("minutes", "duplicate_member")]),
    (b'{"externalId":"x","workDate":"2025-01-15","minutes":150.0}', "x", [("minutes", "wrong_type")]),
    (b'{"externalId":"x","workDate":"2025-01-15","minutes":15e1}', "x", [("minutes", "wrong_type")]),
    ({}, None, [("externalId", "required"), ("workDate", "required"), ("minutes", "required")]),
    (
        {"externalId": "x", "workDate": "2025-02-30", "minutes": 0, "status": "done", "projectId": "A", "billable": 1},
        "x",
        [
            ("workDate", "invalid_date"),
            ("minutes", "out_of_range"),
            ("projectId", "invalid_uuid"),
            ("billable", "wrong_type"),
            ("status", "unknown_value"),
        ],
    ),
    ({"externalId": "x", "workDate": "2025-01-15", "minutes": None}, "x", [("minutes", "wrong_type")]),
    ({"externalId": "x\t", "workDate": "2025-01-15", "minutes": 150}, None, [("externalId", "control_character")]),
    (
        {"externalId": "x", "workDate": "2025-01-15", "minutes": 150, "externalSystem": "Illumera"},
        "x",
        [("externalSystem", "unknown_value")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "external_id", "problems"), INVALID)
async def test_a_line_that_can_not_be_read_is_named_with_every_problem(
    world, client, plain, line, external_id, problems
):
    await synced(world, client, [world.entry(externalId="x"), world.entry(externalId="y")])
    found, summary = differences(await post_list(world, plain, [world.entry(externalId="y"), line]))
    invalid = next(each for each in found if each["kind"] == "invalid")
    assert (invalid["line"], invalid.get("externalId")) == (2, external_id)
    assert invalid["error"]["error"] == "validation_error"
    assert [(each["path"], each["code"]) for each in invalid["error"]["details"]] == problems
    # What stands in a line that names it is not called extra.
    assert (summary["same"], summary["invalid"], summary["extra"]) == (1, 1, external_id is None)


async def test_a_line_that_is_too_long_is_refused_alone(world, client, plain):
    await synced(world, client, [world.entry(externalId="y")])
    long = world.entry(externalId="x", description="x" * 70_000)
    found, summary = differences(await post_list(world, plain, [long, world.entry(externalId="y")]))
    assert [(each["kind"], each["line"], each["error"]["error"]) for each in found] == [
        ("invalid", 1, "payload_too_large")
    ]
    assert summary["same"] == 1


async def test_unknown_members_are_named_and_refused_only_in_strict_mode(world, client, plain, pool):
    entry = world.entry()
    await synced(world, client, [entry])
    lines = [entry | {"billabel": 1}, world.entry(hours="2.5")]
    response = await post_list(world, plain, lines)
    assert response.headers["ignored-fields"] == "billabel, hours"
    assert differences(response)[1]["same"] == 1
    await pool.execute("update organizations set strict = true where organization_id = $1", world.organization_id)
    response = await post_list(world, plain, lines)
    found, _ = differences(response)
    assert [each["error"]["details"][0]["code"] for each in found if each["kind"] == "invalid"] == ["unknown_field"] * 2
    assert "ignored-fields" not in response.headers


async def test_a_last_line_without_end_and_windows_line_ends_count(world, client, plain):
    entries = [world.entry(), world.entry()]
    await synced(world, client, entries)
    content = lines_of(map(listed, entries)).replace(b"\n", b"\r\n").rstrip()
    response = await plain.post(
        RECONCILE_PATH.removeprefix("/api/v1"),
        params=JANUARY,
        content=content,
        headers={"Content-Type": "application/x-ndjson; charset=utf-8", **world.headers},
    )
    assert differences(response)[1]["same"] == 2


async def test_it_changes_nothing_and_ignores_an_idempotency_key(world, client, plain):
    entry = world.entry()
    await synced(world, client, [entry])
    before = await stored(world)
    for minutes in (1, 150):
        response = await post_list(world, plain, [listed(entry, minutes=minutes)], headers={"Idempotency-Key": "k"})
        assert differences(response)[1]["same"] == (minutes == 150)
    assert await stored(world) == before


async def test_every_line_of_an_answer_is_documented(world, client, plain, document):
    import jsonschema_rs

    entry, extra = world.entry(), world.entry()
    await synced(world, client, [entry, extra])
    different = listed(entry, minutes=1)
    response = await post_list(world, plain, [different, different, world.entry(), b"{"])
    content = document["paths"][RECONCILE_PATH]["post"]["responses"]["200"]["content"]
    schema = content["application/x-ndjson"]["schema"] | {"components": document["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    lines = [json.loads(line) for line in response.text.splitlines()]
    for line in lines:
        validator.validate(line)
    assert {line["kind"] for line in lines} == {"different", "duplicate", "missing", "extra", "invalid", "summary"}
    schemas = document["components"]["schemas"]
    of_kind = {schemas[each["$ref"].rsplit("/", 1)[1]]["properties"]["kind"]["enum"][0] for each in schema["oneOf"]}
    assert of_kind == {line["kind"] for line in lines}


async def test_who_may_ask_and_in_which_form(world, client, pool):
    async def refused(headers, **parameters):
        response = await post_list(world, client, [], headers=headers, **parameters)
        return response.status_code, refusal(response)["error"]

    assert await refused({"Authorization": "Bearer x"}) == (401, "key_invalid")
    assert await refused({"Authorization": f"Bearer {world.project_key}"}) == (403, "scope_violation")
    assert await refused({"Content-Type": "application/json"}) == (415, "unsupported_media_type")
    assert await refused({"Content-Encoding": "gzip"}) == (415, "unsupported_media_type")
    assert await refused({}, endDate="2024-12-31") == (400, "validation_error")
    key, text = await world.mint()
    bound = {"Authorization": f"Bearer {text}"}
    await pool.execute(
        "update api_keys set source_binding = 'jira', permissions = '{read:time_entries}' "
        "where organization_id = $1 and id = $2",
        world.organization_id,
        key.id,
    )
    assert await refused(bound) == (403, "source_violation")
    await pool.execute(
        "update api_keys set permissions = '{write:time_entries}' where organization_id = $1 and id = $2",
        world.organization_id,
        key.id,
    )
    assert await refused(bound) == (403, "permission_violation")
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    assert await refused({}) == (402, "payment_required")
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.admin_id
    )
    assert await refused({}) == (403, "role_violation")
