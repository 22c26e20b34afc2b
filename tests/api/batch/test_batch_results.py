"""A batch in order: one result for each member, in the order of the request, as the single operation answers."""

import json

import pytest

from tests.api.batch.conftest import BATCH_PATH, results_of, statuses, stored_more
from tests.conftest import SYNC_PATH


async def test_a_batch_of_one_creates_it_and_answers_as_the_single_operation(batches):
    entry = batches.world.entry(description='é "quoted"\n🙂', entryId=str(batches.world.ticket_id), billable=False)
    async with stored_more(batches.world, 1):
        response = await batches.sync(entry)
    single = await batches.single(entry)
    assert single.status_code == 200
    # Byte for byte, but for what is different: the single call came second.
    shown = single.text.replace('"created":false', '"created":true')
    assert response.status_code == 200
    assert response.text == (
        f'{{"created":1,"existing":0,"failed":0,"results":[{{"index":0,"status":201,"entry":{shown}}}]}}'
    )


async def test_an_entry_created_singly_exists_in_a_batch(batches):
    entry = batches.world.entry()
    single = await batches.single(entry)
    async with stored_more(batches.world, 0):
        response = await batches.sync(entry)
    shown = single.text.replace('"created":true', '"created":false')
    assert response.text == (
        f'{{"created":0,"existing":1,"failed":0,"results":[{{"index":0,"status":200,"entry":{shown}}}]}}'
    )


async def test_created_existing_and_failed_members_are_answered_in_order_and_counted(batches):
    world = batches.world
    known, new, broken = world.entry(), world.entry(), world.entry(minutes=0)
    await batches.single(known)
    async with stored_more(world, 1):
        response = await batches.sync(broken, known, new)
    body = response.json()
    assert list(body) == ["created", "existing", "failed", "results"]
    assert (body["created"], body["existing"], body["failed"]) == (1, 1, 1)
    results = results_of(response)
    assert statuses(results) == [400, 200, 201]
    assert results[1]["entry"]["created"] is False
    assert results[2]["entry"]["created"] is True
    assert (await batches.single(new)).json() == {**results[2]["entry"], "created": False}


async def test_a_thousand_members_are_stored_in_order(batches):
    entries = [batches.world.entry(minutes=number % 1440 + 1) for number in range(1000)]
    async with stored_more(batches.world, 1000):
        results = await batches.results(*entries)
    assert statuses(results) == [201] * 1000
    links = await batches.world.pool.fetch(
        "select l.external_id, l.id::text as link, e.id::text as entry, e.minutes from integration_links l "
        "join time_entries e on e.organization_id = l.organization_id and e.id = l.align_entity_id "
        "where l.organization_id = $1",
        batches.world.organization_id,
    )
    by_external_id = {row["external_id"]: (row["link"], row["entry"], row["minutes"]) for row in links}
    for entry, result in zip(entries, results, strict=True):
        answered = result["entry"]
        found = (answered["integrationLinkId"], answered["id"], answered["minutes"])
        assert found == by_external_id[entry["externalId"]]
        assert answered["minutes"] == entry["minutes"]


@pytest.mark.parametrize("count", [0, 1001])
async def test_too_few_or_too_many_members_are_refused_as_a_whole(batches, count):
    async with stored_more(batches.world, 0):
        response = await batches.sync(*[batches.world.entry() for _ in range(count)])
    body = response.json()
    del body["requestId"]
    assert response.status_code == 400
    message = "must be an array of 1 to 1000 time entries"
    assert body == {
        "error": "validation_error",
        "message": f"entries: {message}",
        "details": [{"path": "entries", "code": "out_of_range", "message": message}],
    }


async def test_the_operation_also_answers_without_the_prefix(batches):
    response = await batches.client.post(
        BATCH_PATH.removeprefix("/api/v1"), json={"entries": [batches.world.entry()]}, headers=batches.world.headers
    )
    assert statuses(results_of(response)) == [201]


async def test_differing_content_is_named_and_nothing_changes(batches):
    entry = batches.world.entry(externalMetadata={"a": 1})
    first = (await batches.single(entry)).json()
    other = {**entry, "minutes": 151, "workDate": "2025-01-16", "externalMetadata": {"a": 2}, "description": "x"}
    (result,) = await batches.results(other)
    assert result == {
        "index": 0,
        "status": 200,
        "entry": {**first, "created": False},
        "contentDiffers": ["workDate", "minutes", "description", "externalMetadata"],
    }
    (again,) = await batches.results(entry)
    assert again == {"index": 0, "status": 200, "entry": {**first, "created": False}}


async def test_unknown_members_are_ignored_and_named_for_each_member(batches):
    plain, odd = batches.world.entry(), batches.world.entry(billabel=False, größe=1)
    results = await batches.results(plain, odd, odd)
    assert statuses(results) == [201, 201, 200]
    assert [result.get("ignoredFields") for result in results] == [None, ["billabel", "größe"], ["billabel", "größe"]]
    assert [result["entry"]["billable"] for result in results] == [True, True, True]


async def test_a_strict_organisation_refuses_members_with_unknown_fields_alone(batches):
    await batches.be_strict()
    world = batches.world
    async with stored_more(world, 1):
        results = await batches.results(
            world.entry(billabel=False, hours=1), world.entry(), world.entry(x=1, minutes=0)
        )
    assert statuses(results) == [400, 201, 400]
    unknown = "is not a member of this request"
    assert results[0] == {
        "index": 0,
        "status": 400,
        "error": {
            "error": "validation_error",
            "message": f"billabel: {unknown} (and 1 more)",
            "details": [{"path": name, "code": "unknown_field", "message": unknown} for name in ("billabel", "hours")],
        },
    }
    assert [problem["path"] for problem in results[2]["error"]["details"]] == ["minutes", "x"]


@pytest.mark.parametrize(
    "metadata",
    [
        '{"z":1,"a":2,"m":3}',
        '{"amount":1.50,"b":1E+2,"c":-0,"big":18446744073709551616}',
        '{  "spaced" :\t[ 1 , 2 ] }',
        '{"escaped":"\\u00e9\\/\\ud83d\\ude42","plain":"é/🙂"}',
        '{"looks":"]}, {\\"entries\\":["}',
    ],
)
@pytest.mark.parametrize("form", ["json", "lines", "with idempotency key"])
async def test_metadata_comes_back_character_by_character(shared_batches, metadata, form):
    world = shared_batches.world
    entry = world.entry()
    member = (json.dumps(entry)[:-1] + f', "externalMetadata": {metadata}}}').encode()
    if form == "lines":
        await shared_batches.stream(world.entry(), member, world.entry())
    else:
        headers = {"idempotency_key": entry["externalId"]} if form != "json" else {}
        await shared_batches.results(world.entry(), member, world.entry(), **headers)
    found = await shared_batches.client.get(
        SYNC_PATH, params={"externalSystem": "illumera", "externalId": entry["externalId"]}, headers=world.headers
    )
    assert f'"externalMetadata":{metadata},' in found.text


async def test_organisations_do_not_see_each_others_pairs(batches, other_world, client, stream_client):
    entry = batches.world.entry()
    foreign = {**entry, "projectId": str(other_world.project_id), "userId": str(other_world.user_id)}
    (result,) = await batches.results(entry)
    other = await client.post(BATCH_PATH, json={"entries": [foreign]}, headers=other_world.headers)
    assert statuses(results_of(other)) == [201]
    assert other.json()["results"][0]["entry"]["id"] != result["entry"]["id"]


async def test_every_created_member_has_its_event_with_the_key_and_its_creator(batches):
    results = await batches.results(batches.world.entry(), batches.world.entry(minutes=0), batches.world.entry())
    rows = await batches.world.pool.fetch(
        "select event_name, entity_type, entity_id::text, actor_user_id, actor_api_key_id, after from events "
        "where organization_id = $1 and event_name = 'time.logged' order by id",
        batches.world.organization_id,
    )
    entries = [result["entry"] for result in results if "entry" in result]
    assert [row["entity_id"] for row in rows] == [entry["id"] for entry in entries]
    for row, entry in zip(rows, entries, strict=True):
        assert (row["event_name"], row["entity_type"]) == ("time.logged", "time_entry")
        assert (row["actor_user_id"], row["actor_api_key_id"]) == (batches.world.admin_id, batches.world.key_id)
        kept = json.loads(row["after"])
        assert kept == {name: entry[name] for name in kept}
        assert kept["minutes"] == 150
