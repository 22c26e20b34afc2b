"""GET /time-entries and GET /projects/{id}/time-entries: filters, orders, pages; nothing of others."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import LIST, Time, problems

STATUSES = ("draft", "submitted", "approved", "rejected", "locked", "invoiced")
SOURCES = ("api", "jira", "caf\u00e9")
NOON = datetime.fromisoformat("2025-01-15T12:00:00Z")


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def rows_of_all_kinds(time: Time) -> list[dict]:
    """24 entries that differ in everything that lists filter by."""
    world, rows = time.world, []
    for number in range(24):
        is_first = number % 2 == 0
        row = {
            "project_id": world.project_id if is_first else world.second_project_id,
            "ticket_id": (world.ticket_id if is_first else world.second_ticket_id) if number % 3 == 0 else None,
            "user_id": world.user_id if number % 5 else world.admin_id,
            "work_date": date(2025, 1, 1) + timedelta(days=number // 2),
            "status": STATUSES[number % 6],
            "billable": number % 4 != 0,
            "source": SOURCES[number % 3],
            "created_at": NOON - timedelta(minutes=number % 7),
            "updated_at": NOON + timedelta(microseconds=number // 4),
        }
        row["id"] = await time.store(**row)
        rows.append(row)
    await time.set(await time.store(), deleted_at=NOON)
    return rows


FILTERS = [
    ({}, lambda _row, _world: True),
    ({"startDate": "2025-01-05"}, lambda row, _: row["work_date"] >= date(2025, 1, 5)),
    ({"endDate": "2025-01-05"}, lambda row, _: row["work_date"] <= date(2025, 1, 5)),
    (
        {"startDate": "2025-01-04", "endDate": "2025-01-04"},
        lambda row, _: row["work_date"] == date(2025, 1, 4),
    ),
    ({"startDate": "2025-01-05", "endDate": "2025-01-04"}, lambda _row, _world: False),
    ({"status": "draft"}, lambda row, _: row["status"] == "draft"),
    ({"status": ["draft", "rejected"]}, lambda row, _: row["status"] in ("draft", "rejected")),
    ({"status[]": ["draft", "locked"]}, lambda row, _: row["status"] in ("draft", "locked")),
    ({"billable": "true"}, lambda row, _: row["billable"]),
    ({"billable": "false"}, lambda row, _: not row["billable"]),
    ({"invoiced": "true"}, lambda row, _: row["status"] == "invoiced"),
    ({"invoiced": "false", "billable": "true"}, lambda row, _: row["status"] != "invoiced" and row["billable"]),
    ({"source": "jira"}, lambda row, _: row["source"] == "jira"),
    ({"source": "cafe\u0301"}, lambda row, _: row["source"] == "caf\u00e9"),
    ({"source": "JIRA"}, lambda _row, _world: False),
    (
        {"updatedSince": "2025-01-15T12:00:00.000003Z"},
        lambda row, _: row["updated_at"] >= NOON + timedelta(microseconds=3),
    ),
    (
        {"updatedSince": "2025-01-15T14:00:00.000003+02:00"},
        lambda row, _: row["updated_at"] >= NOON + timedelta(microseconds=3),
    ),
    ({"userId": "{user}"}, lambda row, world: row["user_id"] == world.user_id),
    ({"entryId": "{ticket}"}, lambda row, world: row["ticket_id"] == world.ticket_id),
]


async def test_each_filter_leaves_what_it_says_in_both_lists_and_both_ways(time, world, other_world, client):
    rows = await rows_of_all_kinds(time)
    await Time(other_world, client).store()
    own = f"/api/v1/projects/{world.project_id}/time-entries"
    for parameters, keeps in FILTERS:
        sent = {
            name: value.format(user=world.user_id, ticket=world.ticket_id) if isinstance(value, str) else value
            for name, value in parameters.items()
        }
        expected = {str(row["id"]) for row in rows if keeps(row, world)}
        of_project = {str(row["id"]) for row in rows if keeps(row, world) and row["project_id"] == world.project_id}
        for path, ids in ((LIST, expected), (own, of_project)):
            response = (await time.call("GET", path, params={**sent, "pageSize": 100})).json()
            assert ({entry["id"] for entry in response["data"]}, response["total"]) == (ids, len(ids)), parameters
            assert set(await time.ids(path, **sent, pageSize=100, cursor="start")) == ids
    of_project = {str(row["id"]) for row in rows if row["project_id"] == world.project_id}
    assert set(await time.ids(projectId=str(world.project_id), pageSize=100)) == of_project


async def test_ids_of_nothing_and_of_others_leave_nothing(time, world, other_world):
    await time.made()
    for name in ("userId", "projectId", "entryId"):
        for id_ in (uuid4(), other_world.user_id, other_world.project_id):
            assert await time.ids(**{name: str(id_)}) == []


@pytest.mark.parametrize("name", ["workDate", "createdAt", "updatedAt"])
async def test_each_order_is_followed_with_the_id_for_equal_ones(time, name):
    rows = await rows_of_all_kinds(time)
    column = {"workDate": "work_date", "createdAt": "created_at", "updatedAt": "updated_at"}[name]
    ascending = [str(row["id"]) for row in sorted(rows, key=lambda row: (row[column], row["id"]))]
    for sort, expected in ((name, ascending), (f"-{name}", ascending[::-1])):
        assert await time.ids(sort=sort, pageSize=100) == expected
        paged = [id_ for page in (1, 2, 3) for id_ in await time.ids(sort=sort, page=page, pageSize=10)]
        assert paged == expected


async def test_the_newest_day_comes_first_and_a_page_has_25(time):
    rows = await rows_of_all_kinds(time)
    extra = [await time.store(work_date=date(2026, 1, 1)) for _ in range(3)]
    response = (await time.call("GET", LIST)).json()
    assert (response["page"], response["pageSize"], response["total"]) == (1, 25, len(rows) + 3)
    assert [entry["id"] for entry in response["data"]][:3] == [str(id_) for id_ in extra[::-1]]
    assert len(response["data"]) == 25


async def test_a_page_behind_the_end_is_empty_and_still_counts(time):
    await time.made()
    response = (await time.call("GET", LIST, params={"page": 10_000_000, "pageSize": 100})).json()
    assert (response["data"], response["total"]) == ([], 1)


async def test_a_listed_entry_is_what_was_answered(time, world):
    created = await time.made(description='Say "hi",\n=1', entryId=str(world.ticket_id))
    async with nothing_stored(world):
        response = await time.call("GET", LIST)
    assert response.json()["data"] == [created]
    assert response.headers["vary"] == "Accept"


async def test_a_project_key_lists_its_project_and_nothing_else(time, world):
    own = await time.made()
    await time.post(time.body(), project_id=world.second_project_id)
    key = world.project_key
    response = await time.call("GET", f"/api/v1/projects/{world.project_id}/time-entries", key=key)
    assert [entry["id"] for entry in response.json()["data"]] == [own["id"]]
    other = await time.call("GET", f"/api/v1/projects/{world.second_project_id}/time-entries", key=key)
    unknown = await time.call("GET", f"/api/v1/projects/{uuid4()}/time-entries", key=key)
    assert (other.status_code, refusal(other)) == (404, refusal(unknown))
    whole = await time.call("GET", LIST, key=key)
    assert (whole.status_code, refusal(whole)["error"]) == (403, "scope_violation")


async def test_unknown_and_foreign_projects_are_not_found(time, other_world):
    for id_ in (uuid4(), other_world.project_id, "x"):
        response = await time.call("GET", f"/api/v1/projects/{id_}/time-entries")
        assert (response.status_code, refusal(response)["error"]) == (404, "not_found")


async def test_an_archived_projects_entries_are_listed(time, world):
    id_ = await time.store(project_id=world.archived_project_id)
    assert await time.ids(f"/api/v1/projects/{world.archived_project_id}/time-entries") == [str(id_)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("startDate=15.1.2025&endDate=2025-02-30", [("startDate", "invalid_date"), ("endDate", "invalid_date")]),
        ("status=open&status=draft", [("status[0]", "unknown_value")]),
        ("billable=1&invoiced=no", [("billable", "wrong_type"), ("invoiced", "wrong_type")]),
        ("userId=me&entryId=1", [("userId", "invalid_uuid"), ("entryId", "invalid_uuid")]),
        ("updatedSince=2025-01-15", [("updatedSince", "invalid_date")]),
        ("updatedSince=2025-01-15T00:00:00", [("updatedSince", "invalid_date")]),
        ("sort=minutes", [("sort", "unknown_value")]),
        ("page=0&pageSize=101", [("page", "out_of_range"), ("pageSize", "out_of_range")]),
        ("source=", [("source", "too_short")]),
        ("source=%00", [("source", "control_character")]),
        ("source=%20", [("source", "blank")]),
        ("startdate=2025-01-15", [("startdate", "unknown_parameter")]),
        ("billable=true&billable=true", [("billable", "duplicate_parameter")]),
    ],
)
async def test_parameters_that_do_not_fit_are_refused_with_every_problem(time, query, expected):
    response = await time.call("GET", f"{LIST}?{query}")
    assert (response.status_code, problems(response)) == (400, expected)


async def test_a_projects_list_is_of_that_project(time, world):
    response = await time.call("GET", f"/api/v1/projects/{world.project_id}/time-entries?projectId={world.project_id}")
    assert problems(response) == [("projectId", "unknown_parameter")]


async def test_who_may_not_read_time_lists_none(time, world):
    _, writer = await world.mint(permissions=["write:time_entries"])
    client_key = await time.key_of("client")
    for path in (LIST, f"/api/v1/projects/{world.project_id}/time-entries"):
        assert refusal(await time.call("GET", path, key=writer))["error"] == "permission_violation"
        assert refusal(await time.call("GET", path, key=client_key))["error"] == "role_violation"
