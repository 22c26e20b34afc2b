"""workDate: a calendar date, or the one written in a date and time; nothing that could be read as another day."""

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once, validation_error

MESSAGE = "must be a date of the years 1970 to 2200, written YYYY-MM-DD or as an ISO 8601 date and time"


@pytest.mark.parametrize(
    ("sent", "day"),
    [
        ("2025-01-15", "2025-01-15"),
        ("1970-01-01", "1970-01-01"),
        ("2200-12-31", "2200-12-31"),
        ("2024-02-29", "2024-02-29"),
        ("2000-02-29", "2000-02-29"),
        ("2025-01-15T10:30:00Z", "2025-01-15"),
        ("2025-01-15t10:30:00z", "2025-01-15"),
        ("2025-01-15T10:30Z", "2025-01-15"),
        ("2025-01-15T10:30:00", "2025-01-15"),
        ("2025-01-15T10:30:00.5Z", "2025-01-15"),
        ("2025-01-15T10:30:00.123456789Z", "2025-01-15"),
        # The day as written, whatever day it was in UTC by then.
        ("2025-01-15T23:59:59-12:00", "2025-01-15"),
        ("2025-01-15T00:00:00+14:00", "2025-01-15"),
        ("2025-01-15T00:30:00+0530", "2025-01-15"),
        ("2025-01-15T00:00:00-00:00", "2025-01-15"),
        ("1970-01-01T00:00:00+14:00", "1970-01-01"),
        ("2200-12-31T23:59:59-12:00", "2200-12-31"),
    ],
)
async def test_the_calendar_date_as_written_counts(shared_api, pool, sent, day):
    async with stored_once(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(workDate=sent))
    assert (response.status_code, response.json()["workDate"]) == (201, day)
    stored = await pool.fetchval(
        "select work_date::text from time_entries where organization_id = $1 and id = $2::text::uuid",
        shared_api.world.organization_id,
        response.json()["id"],
    )
    assert stored == day


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "2025",
        "2025-01",
        "2025-1-5",
        "20250115",
        "2025-015",
        "2025-W03",
        "2025-W03-3",
        "15.01.2025",
        "01/15/2025",
        "2025/01/15",
        "2025-01-15 10:30:00",
        "2025-01-15T10",
        "20250115T103000Z",
        "2025-01-15T10:30:00,5Z",
        "2025-01-15T10:30:00.Z",
        "2025-01-15T10:30:00.1234567890Z",
        "2025-00-15",
        "2025-13-15",
        "2025-01-00",
        "2025-01-32",
        "2025-02-30",
        "2025-02-29",
        "2100-02-29",
        "2200-02-29",
        "2025-04-31",
        "2025-01-15T24:00:00Z",
        "2025-01-15T23:60:00Z",
        "2025-06-30T23:59:60Z",
        "2025-01-15T10:30:00+15:00",
        "2025-01-15T10:30:00+1:00",
        "2025-01-15T10:30:00 Z",
        "2025-01-15T10:30:00[Europe/Berlin]",
        "2025-01-15Z",
        "1969-12-31",
        "2201-01-01",
        "0001-01-01",
        "9999-12-31",
        "+2025-01-15",
        "-2025-01-15",
        "12025-01-15",
        "now",
        "today",
        "infinity",
        "epoch",
        " 2025-01-15",
        "2025-01-15 ",
        "2025-01-15\n",
        "2025-01-15\u0000",
        "٢٠٢٥-٠١-١٥",
        "２０２５-01-15",
        "2025‐01‐15",
        "1736899200",
    ],
)
async def test_what_is_no_such_date_is_refused(shared_api, sent):
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(workDate=sent))
    assert response.status_code == 400
    problem = ("workDate", "invalid_date", MESSAGE)
    if "\u0000" in sent:
        problem = ("workDate", "nul_character", "holds the character U+0000, which text can't store")
    assert refusal(response) == validation_error(problem)
