"""GET /changes: what a reader of the feed is given."""

import pytest

from align.changes import feed
from align.projects import projects
from tests.api.conftest import nothing_stored
from tests.api.following import ask, follow, latest, piece
from tests.conftest import SYNC_PATH

ENTRIES = "/api/v1/time-entries"


async def synced(client, world, **changes) -> dict:
    response = await client.post(SYNC_PATH, json=world.entry(**changes), headers=world.headers)
    assert response.status_code == 201
    return response.json()


async def test_a_synced_entry_is_one_change_with_the_entry_as_it_is_read(client, world):
    before = await latest(client, world)
    entry = await synced(client, world, externalMetadata={"task": "1.50"})
    (change,) = await follow(client, world, before)
    shown = (await client.get(f"{ENTRIES}/{entry['id']}", headers=world.headers)).json()
    event = await world.pool.fetchrow("select id, occurred_at from events where entity_id = $1", shown["id"])
    assert change.pop("cursor").startswith("cur_")
    assert change.pop("after").items() <= shown.items()
    assert change == {
        "id": str(event["id"]),
        "eventName": "time.logged",
        "change": "upsert",
        "entityType": "time_entry",
        "entityId": entry["id"],
        "occurredAt": entry["createdAt"],
        "actorUserId": str(world.admin_id),
        "actorApiKeyId": str(world.key_id),
        "before": None,
        "entity": shown,
    }


async def test_without_a_cursor_the_feed_begins_with_the_first_event(client, world):
    changes = await follow(client, world)
    assert changes[0]["eventName"] == "organization.created"
    assert changes[0]["entityId"] == str(world.organization_id)
    assert len(changes) == await world.count("events")


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pieces_of_any_size_give_the_same_feed(client, world, limit):
    for _ in range(5):
        await synced(client, world)
    whole = await follow(client, world, limit=1000)
    assert await follow(client, world, limit=limit) == whole
    assert len({each["id"] for each in whole}) == len(whole) == await world.count("events")


async def test_every_cursor_of_a_piece_can_be_gone_on_from(client, world):
    whole = await follow(client, world)
    for index, each in enumerate(whole):
        assert await follow(client, world, each["cursor"]) == whole[index + 1 :]


async def test_without_news_the_reader_stays_where_it_stands(client, world):
    start = await latest(client, world)
    assert await piece(client, world, after=start) == {"data": [], "nextCursor": start, "hasMore": False}


async def test_latest_gives_no_change_and_misses_none_that_follows(client, world):
    start = await latest(client, world)
    entry = await synced(client, world)
    assert [each["entityId"] for each in await follow(client, world, start)] == [entry["id"]]


async def test_the_entity_is_as_it_is_now_and_the_event_as_it_was(client, world):
    start = await latest(client, world)
    for status in ("on_hold", "active", "completed"):
        async with world.pool.acquire() as tx, tx.transaction():
            await projects.set_status(tx, world.organization_id, world.project_id, status)
    changes = await follow(client, world, start)
    assert [(each["before"]["status"], each["after"]["status"]) for each in changes] == [
        ("active", "on_hold"),
        ("on_hold", "active"),
        ("active", "completed"),
    ]
    project = (await client.get(f"/api/v1/projects/{world.project_id}", headers=world.headers)).json()
    assert project["status"] == "completed"
    assert [each["entity"] for each in changes] == [project] * 3


async def test_users_and_tickets_come_as_they_are_read(client, world):
    found = {each["entityId"]: each for each in await follow(client, world, types="user,ticket")}
    user = (await client.get(f"/api/v1/users/{world.user_id}", headers=world.headers)).json()
    ticket = await client.get(f"/api/v1/projects/{world.project_id}/entries/{world.ticket_id}", headers=world.headers)
    assert found[str(world.user_id)]["entity"] == user
    assert found[str(world.ticket_id)]["entity"] == ticket.json()


async def test_a_deleted_entry_is_a_deletion_and_is_no_longer_shown(client, world):
    start = await latest(client, world)
    entry = await synced(client, world)
    deleted = await client.delete(f"{ENTRIES}/{entry['id']}", headers=world.headers)
    assert deleted.status_code == 204
    logged, gone = await follow(client, world, start)
    assert (logged["eventName"], logged["change"], logged["entity"]) == ("time.logged", "upsert", None)
    assert (gone["eventName"], gone["change"], gone["entity"]) == ("time.deleted", "delete", None)


@pytest.mark.parametrize(
    "form", ["types=project,ticket", "types=project&types=ticket", "types[]=project&types[]=ticket"]
)
async def test_types_choose_events_however_they_are_written(client, world, form):
    response = await client.get(f"/api/v1/changes?{form}", headers=world.headers)
    whole = await follow(client, world)
    expected = [each for each in whole if each["entityType"] in ("project", "ticket")]
    assert len(expected) == await world.count("projects") + await world.count("tickets") + 1  # one was archived
    assert response.json()["data"] == expected


async def test_the_cursor_moves_past_events_of_other_types_in_bounded_steps(client, world, monkeypatch):
    monkeypatch.setattr(feed, "MAXIMUM_SCANNED", 3)
    start = await latest(client, world)
    entries = [await synced(client, world) for _ in range(7)]
    async with world.pool.acquire() as tx, tx.transaction():
        await projects.set_status(tx, world.organization_id, world.project_id, "on_hold")
    whole = await follow(client, world, start)
    assert len(whole) == len(entries) + 1
    after, looks = start, []
    for _ in range(3):
        part = await piece(client, world, after=after, types="project")
        looks.append(([each["eventName"] for each in part["data"]], part["hasMore"]))
        after = part["nextCursor"]
    assert looks == [([], True), ([], True), (["project.updated"], False)]
    assert after == whole[-1]["cursor"]


async def test_a_full_piece_of_some_types_ends_at_its_last_change(client, world):
    one = await piece(client, world, types="project", limit=1)
    assert one["hasMore"]
    assert one["nextCursor"] == one["data"][0]["cursor"]


async def test_bad_parameters_are_all_named_and_nothing_is_stored(client, world):
    async with nothing_stored(world):
        response = await ask(client, world, limit=0, wait=31, sort="id")
    assert response.status_code == 400
    assert {(each["path"], each["code"]) for each in response.json()["details"]} == {
        ("limit", "out_of_range"),
        ("wait", "out_of_range"),
        ("sort", "unknown_parameter"),
    }
    response = await ask(client, world, types="project,invoice")
    assert [(each["path"], each["code"]) for each in response.json()["details"]] == [("types", "unknown_value")]


@pytest.mark.parametrize("text", ["", "cur_", "now", "cur_" + "A" * 52, "cur_" + "ä" * 52, "LATEST", "x" * 5000])
async def test_what_is_no_cursor_is_refused(client, world, text):
    response = await ask(client, world, after=text)
    assert response.status_code == 400
    assert [(each["path"], each["code"]) for each in response.json()["details"]] == [("after", "invalid_cursor")]


async def test_a_changed_cursor_is_refused(client, world):
    text = await latest(client, world)
    for position in range(4, len(text)):
        changed = text[:position] + ("B" if text[position] == "A" else "A") + text[position + 1 :]
        response = await ask(client, world, after=changed)
        assert (response.status_code, response.json()["error"]) == (400, "validation_error"), changed


async def test_another_organisations_cursor_is_refused(client, world, other_world):
    response = await ask(client, world, after=await latest(client, other_world))
    assert [each["code"] for each in response.json()["details"]] == ["invalid_cursor"]


async def test_a_reader_sees_nothing_of_another_organisation(client, world, other_world):
    start = await latest(client, world)
    await synced(client, other_world)
    assert await follow(client, world, start) == []
    ids = {each["id"] for each in await follow(client, world)}
    assert ids.isdisjoint(each["id"] for each in await follow(client, other_world))
