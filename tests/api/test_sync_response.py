"""The answer of a sync: exactly the documented members, with the documented meaning."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import pytest

import align.time_entries.sync
from tests.api.conftest import stored_once

MEMBERS = [
    "id",
    "organizationId",
    "projectId",
    "userId",
    "entryId",
    "workDate",
    "hours",
    "minutes",
    "notes",
    "billable",
    "source",
    "status",
    "invoiced",
    "createdAt",
    "updatedAt",
    "integrationLinkId",
    "created",
]


async def test_the_answer_has_exactly_the_documented_members_created_or_not(api):
    entry = api.world.entry()
    assert list((await api.sync(entry)).json()) == MEMBERS
    assert list((await api.sync(entry)).json()) == MEMBERS


async def test_required_members_alone_get_the_documented_defaults(api):
    body = (await api.sync(api.world.entry())).json()
    shown = {name: body[name] for name in MEMBERS if name not in ("id", "integrationLinkId", "createdAt", "updatedAt")}
    assert shown == {
        "organizationId": str(api.world.organization_id),
        "projectId": str(api.world.project_id),
        "userId": str(api.world.user_id),
        "entryId": None,
        "workDate": "2025-01-15",
        "hours": "2.5",
        "minutes": 150,
        "notes": None,
        "billable": True,
        "source": "illumera",
        "status": "draft",
        "invoiced": False,
        "created": True,
    }


async def test_every_optional_member_comes_back(api):
    entry = api.world.entry(
        billable=False,
        description='Planning with "quotes", Ümläuts,\nlines and 🙂',
        entryId=str(api.world.ticket_id),
        externalSystem="Jira – Süd",
    )
    created = await api.sync(entry)
    existing = await api.sync(entry)
    for body in (created.json(), existing.json()):
        assert body["billable"] is False
        assert body["notes"] == 'Planning with "quotes", Ümläuts,\nlines and 🙂'
        assert body["entryId"] == str(api.world.ticket_id)
        assert body["source"] == "Jira – Süd"


async def test_an_empty_description_is_kept_apart_from_none(api):
    assert (await api.sync(api.world.entry(description=""))).json()["notes"] == ""


async def test_ids_are_new_and_differ(api):
    bodies = [(await api.sync()).json() for _ in range(3)]
    ids = [UUID(body[name]) for body in bodies for name in ("id", "integrationLinkId")]
    assert len(set(ids)) == 6


async def test_upper_case_ids_are_understood_and_answered_in_lower_case(api):
    world = api.world
    entry = world.entry(
        projectId=str(world.project_id).upper(), userId=str(world.user_id).upper(), entryId=str(world.ticket_id).upper()
    )
    body = (await api.sync(entry)).json()
    assert (body["projectId"], body["userId"]) == (str(world.project_id), str(world.user_id))
    assert body["entryId"] == str(world.ticket_id)


async def test_created_and_updated_are_now_in_utc_and_stay(api):
    entry = api.world.entry()
    body = (await api.sync(entry)).json()
    assert body["createdAt"] == body["updatedAt"]
    assert body["createdAt"].endswith("Z")
    age = datetime.now(UTC) - datetime.fromisoformat(body["createdAt"])
    assert timedelta(minutes=-1) < age < timedelta(minutes=1)
    assert (await api.sync(entry)).json()["createdAt"] == body["createdAt"]


@pytest.mark.parametrize("status", ["draft", "submitted", "approved", "rejected", "locked", "invoiced"])
async def test_a_repeat_shows_the_entrys_present_status(api, pool, status):
    entry = api.world.entry()
    created = (await api.sync(entry)).json()
    await pool.execute(
        "update time_entries set status = $2 where organization_id = $1", api.world.organization_id, status
    )
    body = (await api.sync(entry)).json()
    assert body == {**created, "status": status, "invoiced": status == "invoiced", "created": False}


@pytest.mark.parametrize(
    ("minutes", "hours"),
    [(1, "0.25"), (7, "0.25"), (10, "0.25"), (22, "0.25"), (23, "0.5"), (60, "1.0"), (100, "1.75"), (120, "2.0"),
     (150, "2.5"), (599, "10.0"), (1433, "24.0"), (1440, "24.0")],
)  # fmt: skip
async def test_hours_are_quarters_and_minutes_stay_as_sent(api, minutes, hours):
    async with stored_once(api.world):
        body = (await api.sync(api.world.entry(minutes=minutes))).json()
    assert (body["hours"], body["minutes"]) == (hours, minutes)


ENTRY_JSON = Path(align.time_entries.sync.__file__).with_name("entry_json.sql").read_text()
# One entry of every possible length.
ALL_MINUTES = f"""
    select minutes, (({ENTRY_JSON}) || '}}')::json as entry
    from (
        select minutes, gen_random_uuid() as id, null::text as description, date '2025-01-15' as work_date,
            true as billable, 'x' as source, 'draft' as status, null::uuid as ticket_id,
            timestamptz '2025-01-15 23:30:00.5-05' as created_at,
            timestamptz '2200-12-31 23:59:59.999999Z' as updated_at,
            gen_random_uuid() as organization_id, gen_random_uuid() as project_id, gen_random_uuid() as user_id
        from generate_series(1, 1440) minutes
    ) e
"""


async def test_hours_of_all_minutes_of_a_day_are_the_nearest_quarter(pool):
    rows = await pool.fetch(ALL_MINUTES)
    assert len(rows) == 1440
    for row in rows:
        # A minute is never half way between two quarters, so the nearest one is unique.
        nearest = min(range(1, 97), key=lambda quarters: abs(Fraction(quarters, 4) - Fraction(row["minutes"], 60)))
        whole, quarter = divmod(nearest, 4)
        assert json.loads(row["entry"])["hours"] == f"{whole}.{('0', '25', '5', '75')[quarter]}", row["minutes"]


@pytest.mark.parametrize("date_style", ["ISO, YMD", "German", "SQL, DMY", "Postgres, MDY"])
async def test_dates_and_times_are_written_alike_whatever_the_database_is_set_to(pool, date_style):
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local datestyle = '{date_style}'; set local timezone = 'Asia/Kathmandu'")
        entry = json.loads((await connection.fetchrow(ALL_MINUTES))["entry"])
    assert entry["workDate"] == "2025-01-15"
    assert (entry["createdAt"], entry["updatedAt"]) == ("2025-01-16T04:30:00.500000Z", "2200-12-31T23:59:59.999999Z")


async def test_answers_are_not_cached_nor_sniffed(api):
    response = await api.sync()
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
