"""GET /time-entries/summary: sums that agree with the rows, by one or two keys, within what the key sees."""

import csv
import io
from collections import defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import permutations
from random import Random
from uuid import uuid4

import pytest

from align.time_entries import summary
from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import LIST, SUMMARY, Time, problems

NOON = datetime.fromisoformat("2025-01-15T12:00:00Z")
KEYS = ("project", "user", "entry", "source", "status", "day", "week", "month")
CSV = {"Accept": "text/csv"}


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def rows_of_all_kinds(time: Time, count: int = 60) -> list[dict]:
    """Entries with everything that summaries group by, around a turn of the year."""
    random, world, rows = Random(7), time.world, []
    for _ in range(count):
        is_first = random.random() < 0.5
        row = {
            "project_id": world.project_id if is_first else world.second_project_id,
            "ticket_id": random.choice([None, world.ticket_id if is_first else world.second_ticket_id]),
            "user_id": random.choice([world.user_id, world.admin_id]),
            "work_date": date(2024, 12, 20) + timedelta(days=random.randrange(25)),
            "minutes": random.randint(1, 1440),
            "status": random.choice(["draft", "approved", "invoiced"]),
            "billable": random.random() < 0.5,
            "source": random.choice(["api", "jira"]),
        }
        row["id"] = await time.store(**row)
        rows.append(row)
    await time.set(await time.store(minutes=1000), deleted_at=NOON)
    return rows


def key_of(row: dict, key: str) -> str | None:
    """The group's key as the answer has it."""
    day = row["work_date"]
    week = day.isocalendar()
    return {
        "project": str(row["project_id"]),
        "user": str(row["user_id"]),
        "entry": row["ticket_id"] and str(row["ticket_id"]),
        "source": row["source"],
        "status": row["status"],
        "day": day.isoformat(),
        "week": f"{week.year}-W{week.week:02}",
        "month": f"{day:%Y-%m}",
    }[key]


def member_of(key: str) -> str:
    return f"{key}Id" if key in ("project", "user", "entry") else key


def sums_of(rows: list[dict]) -> dict:
    billable = [row["minutes"] for row in rows if row["billable"]]
    minutes = sum(row["minutes"] for row in rows)
    return {"minutes": minutes, "billableMinutes": sum(billable), "count": len(rows), "billableCount": len(billable)}


def without_hours(sums: dict) -> dict:
    """The sums of a group, whose hours must be its minutes'."""
    exact = Fraction(sums["minutes"], 60)
    assert abs(Fraction(sums["hours"]) - exact) <= Fraction(1, 200)
    assert len(sums["hours"].partition(".")[2]) == 2
    return {name: sums[name] for name in ("minutes", "billableMinutes", "count", "billableCount")}


@pytest.mark.parametrize("keys", [(key,) for key in KEYS] + list(permutations(KEYS, 2))[::7], ids=",".join)
async def test_the_groups_are_those_of_the_rows(time, keys):
    rows = await rows_of_all_kinds(time)
    response = (await time.call("GET", SUMMARY, params={"groupBy": ",".join(keys)})).json()
    expected = defaultdict(list)
    for row in rows:
        expected[tuple(key_of(row, key) for key in keys)].append(row)
    found = {tuple(group[member_of(key)] for key in keys): without_hours(group) for group in response["groups"]}
    assert found == {key: sums_of(of_key) for key, of_key in expected.items()}
    assert len(response["groups"]) == len(found)
    assert without_hours(response["totals"]) == sums_of(rows)
    assert response["groupBy"] == list(keys)


async def test_a_group_says_names_and_the_start_of_the_week(time, world):
    await time.store(work_date=date(2024, 12, 31), ticket_id=world.ticket_id, minutes=100)
    for keys, expected in (
        ("project,entry", {"projectId": str(world.project_id), "projectName": "First",
                           "entryId": str(world.ticket_id), "entryTitle": "A ticket"}),
        ("user,week", {"userId": str(world.user_id), "userName": "Dev Eloper",
                       "week": "2025-W01", "weekStart": "2024-12-30"}),
        ("day,month", {"day": "2024-12-31", "month": "2024-12"}),
        ("source,status", {"source": "api", "status": "draft"}),
    ):  # fmt: skip
        (group,) = (await time.call("GET", SUMMARY, params={"groupBy": keys})).json()["groups"]
        sums = {"minutes": 100, "hours": "1.67", "billableMinutes": 100, "count": 1, "billableCount": 1}
        assert group == {**expected, **sums}


async def test_hours_are_of_the_sum_and_no_sum_of_rounded_hours(time):
    for _ in range(3):
        await time.store(minutes=10)
    totals = (await time.call("GET", SUMMARY, params={"groupBy": "user"})).json()["totals"]
    assert (totals["minutes"], totals["hours"]) == (30, "0.50")


async def test_entries_without_a_ticket_are_a_group_at_the_end(time, world):
    await time.store(minutes=1)
    await time.store(minutes=2, ticket_id=world.ticket_id)
    groups = (await time.call("GET", SUMMARY, params={"groupBy": "entry"})).json()["groups"]
    assert [(group["entryTitle"], group["minutes"]) for group in groups] == [("A ticket", 2), (None, 1)]
    assert groups[1]["entryId"] is None


async def test_groups_are_in_the_order_of_names_and_days(time, pool, world):
    await rows_of_all_kinds(time)
    await pool.execute("update projects set name = 'zweites' where id = $1", world.project_id)
    await pool.execute("update projects set name = 'Anfang' where id = $1", world.second_project_id)
    groups = (await time.call("GET", SUMMARY, params={"groupBy": "project,day"})).json()["groups"]
    assert [group["projectName"] for group in groups] == sorted(group["projectName"] for group in groups)
    days = [(group["projectName"], group["day"]) for group in groups]
    assert days == sorted(days)


async def test_nothing_to_sum_is_no_group_and_zeros(time):
    response = (await time.call("GET", SUMMARY, params={"groupBy": "day"})).json()
    zeros = {"minutes": 0, "hours": "0.00", "billableMinutes": 0, "count": 0, "billableCount": 0}
    assert response == {"groupBy": ["day"], "groups": [], "totals": zeros}


@pytest.mark.parametrize(
    "filters",
    [
        {"startDate": "2024-12-28", "endDate": "2025-01-03"},
        {"status": ["draft", "approved"]},
        {"billable": "true"},
        {"invoiced": "false", "source": "jira"},
        {"userId": "{user}", "projectId": "{project}"},
        {"entryId": "{ticket}"},
        {"updatedSince": "2025-01-15T10:00:00.000001Z"},
    ],
)
async def test_filters_leave_what_they_leave_in_lists(time, world, filters):
    await rows_of_all_kinds(time)
    ids = {"user": world.user_id, "project": world.project_id, "ticket": world.ticket_id}
    sent = {name: value.format(**ids) if isinstance(value, str) else value for name, value in filters.items()}
    listed = (await time.call("GET", LIST, params={**sent, "pageSize": 100})).json()
    totals = (await time.call("GET", SUMMARY, params={**sent, "groupBy": "month"})).json()["totals"]
    assert totals["count"] == listed["total"]
    assert totals["minutes"] == sum(entry["minutes"] for entry in listed["data"])


async def test_a_projects_key_sums_its_project_whatever_it_asks_for(time, world):
    rows = await rows_of_all_kinds(time)
    own = [row for row in rows if row["project_id"] == world.project_id]
    for more, expected in (
        ({}, own),
        ({"projectId": str(world.project_id)}, own),
        ({"projectId": str(world.second_project_id)}, []),
        ({"projectId": str(uuid4())}, []),
    ):
        response = await time.call("GET", SUMMARY, params={"groupBy": "project", **more}, key=world.project_key)
        assert without_hours(response.json()["totals"]) == sums_of(expected)
        assert {group["projectId"] for group in response.json()["groups"]} <= {str(world.project_id)}


async def test_other_organisations_are_not_summed(time, other_world, client):
    other = Time(other_world, client)
    await other.store(minutes=99)
    await time.store(minutes=1)
    assert (await time.call("GET", SUMMARY, params={"groupBy": "user"})).json()["totals"]["minutes"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [("groupBy", "required")]),
        ("groupBy=", [("groupBy", "unknown_value")]),
        ("groupBy=year", [("groupBy", "unknown_value")]),
        ("groupBy=day,week,month", [("groupBy", "too_long")]),
        ("groupBy=day,week&groupBy=month", [("groupBy", "too_long")]),
        ("groupBy=day&groupBy=week&groupBy=month", [("groupBy", "too_long")]),
        ("groupBy=day,day", [("groupBy", "duplicate_parameter")]),
        ("groupBy=day&page=1", [("page", "unknown_parameter")]),
        ("groupBy=day&billable=x", [("billable", "wrong_type")]),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(time, query, expected):
    response = await time.call("GET", f"{SUMMARY}?{query}")
    assert (response.status_code, problems(response)) == (400, expected)


async def test_two_keys_may_be_repeated_or_in_one(time):
    await rows_of_all_kinds(time, 5)
    spelled = ["groupBy=day,user", "groupBy=day&groupBy=user", "groupBy[]=day&groupBy[]=user"]
    answers = [(await time.call("GET", f"{SUMMARY}?{query}")).json() for query in spelled]
    assert answers[0]["groups"]
    assert answers[1:] == answers[:1] * 2


async def test_csv_has_the_groups_safely(time, pool, world):
    await rows_of_all_kinds(time)
    await pool.execute("update projects set name = '=cmd(\"x\"), y' where id = $1", world.project_id)
    query = {"groupBy": "project,week"}
    async with nothing_stored(world):
        response = await time.call("GET", SUMMARY, params=query, headers=CSV)
    groups = (await time.call("GET", SUMMARY, params=query)).json()["groups"]
    assert response.headers["content-disposition"] == 'attachment; filename="time-entries-summary.csv"'
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    rows = list(csv.DictReader(io.StringIO(response.text, newline=""), strict=True))
    guarded = {'=cmd("x"), y': '\'=cmd("x"), y'}
    assert rows == [{name: guarded.get(value, str(value)) for name, value in group.items()} for group in groups]
    assert {row["projectName"] for row in rows} == {'\'=cmd("x"), y', "Second"}


async def test_csv_of_no_groups_is_its_head(time):
    response = await time.call("GET", SUMMARY, params={"groupBy": "entry"}, headers=CSV)
    assert response.text == "entryId,entryTitle,minutes,hours,billableMinutes,count,billableCount\r\n"


async def test_more_groups_than_an_answer_holds_are_refused_not_cut(time, world, pool):
    async def fill(first: int, last: int) -> None:
        await pool.execute(
            """
            insert into time_entries (organization_id, id, project_id, user_id, work_date, minutes, billable, source,
                created_at, updated_at)
            select $1, gen_random_uuid(), $2, $3, '2025-01-01', 1, true, 's' || n, now(), now()
            from generate_series($4::integer, $5) n
            """,
            world.organization_id,
            world.project_id,
            world.user_id,
            first,
            last,
        )

    await fill(1, summary.MAXIMUM_GROUPS)
    response = await time.call("GET", SUMMARY, params={"groupBy": "source"})
    assert len(response.json()["groups"]) == response.json()["totals"]["count"] == summary.MAXIMUM_GROUPS
    as_csv = await time.call("GET", SUMMARY, params={"groupBy": "source"}, headers=CSV)
    assert as_csv.text.count("\r\n") == summary.MAXIMUM_GROUPS + 1
    await fill(summary.MAXIMUM_GROUPS + 1, summary.MAXIMUM_GROUPS + 1)
    for headers in ({}, CSV):
        response = await time.call("GET", SUMMARY, params={"groupBy": "source"}, headers=headers)
        assert (response.status_code, problems(response)) == (400, [("groupBy", "too_many_groups")])


async def test_who_may_not_read_time_sums_none(time, world, pool):
    _, writer = await world.mint(permissions=["write:time_entries"])
    query = {"groupBy": "user"}
    assert refusal(await time.call("GET", SUMMARY, params=query, key=writer))["error"] == "permission_violation"
    client_key = await time.key_of("client")
    assert refusal(await time.call("GET", SUMMARY, params=query, key=client_key))["error"] == "role_violation"
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    assert refusal(await time.call("GET", SUMMARY, params=query))["error"] == "payment_required"
