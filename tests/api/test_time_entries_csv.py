"""CSV of lists: the same entries as JSON, safe in a spreadsheet, of any length, and never cut unnoticed."""

import asyncio
import csv
import io
from datetime import date

import h11
import pytest

from align.time_entries import search
from tests.api.conftest import nothing_stored, refusal
from tests.api.keeping_time import LIST, SUMMARY, Time, problems
from tests.waiting import until

CSV = {"Accept": "text/csv"}
TEXTS = [
    "plain", "", "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "'=1", "'", "''x", 'a "quoted" one', "a,b;c",
    "line\r\nline", " =1", "ünï ☃ 😀", '"', ",", "=\"x\"&\"y\"", "\u00a0", "x" * 2000,
]  # fmt: skip


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


def read(text: str) -> list[dict[str, str]]:
    """The lines as a reader of RFC 4180 sees them."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert all(len(row) == len(rows[0]) for row in rows)
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def unguarded(cell: str) -> str:
    """The text of a text cell, as the documentation says to have it back."""
    return cell.removeprefix("'")


async def test_csv_has_the_members_of_the_json_in_their_order(time, world):
    await time.made(description="Planning", entryId=str(world.ticket_id))
    await time.made(billable=False, workDate="2025-01-16")
    async with nothing_stored(world):
        response = await time.call("GET", LIST, headers=CSV)
    listed = (await time.call("GET", LIST)).json()["data"]
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["content-disposition"] == 'attachment; filename="time-entries.csv"'
    assert response.headers["vary"] == "Accept"
    assert response.content.count(b"\r\n") == 3
    rows = read(response.text)
    assert list(rows[0]) == list(listed[0])
    spelled = {True: "true", False: "false", None: ""}
    assert rows == [
        {name: spelled.get(value, str(value)) if not isinstance(value, int) or isinstance(value, bool) else str(value)
         for name, value in entry.items()}
        for entry in listed
    ]  # fmt: skip


async def test_an_empty_list_is_its_head(time):
    response = await time.call("GET", LIST, headers=CSV)
    assert response.text == search.CSV_HEAD


async def test_no_text_is_a_formula_and_every_text_comes_back(time):
    for number, text in enumerate(TEXTS, 1):
        await time.store(description=text, source=text[:255].strip() or "x", minutes=number)
    rows = read((await time.call("GET", LIST, headers=CSV, params={"sort": "createdAt"})).text)
    assert {int(row["minutes"]): unguarded(row["notes"]) for row in rows} == dict(enumerate(TEXTS, 1))
    for row in rows:
        for name in ("notes", "source"):
            assert row[name][:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
            assert row[name][:1] != "'" or row[name][1:2] in ("=", "+", "-", "@", "\t", "\r", "\n", "'")


async def test_no_description_is_nothing_and_an_empty_one_is_quoted(time):
    await time.store(description=None, work_date=date(2025, 1, 2))
    await time.store(description="", work_date=date(2025, 1, 1))
    first, second = (await time.call("GET", LIST, headers=CSV)).text.splitlines()[1:]
    assert ",60,,true," in first
    assert ',60,"",true,' in second


@pytest.mark.parametrize("sort", ["workDate", "-updatedAt"])
async def test_a_list_of_several_parts_is_whole_and_in_order(time, world, pool, sort):
    await pool.execute(
        """
        insert into time_entries (organization_id, id, project_id, user_id, work_date, minutes, billable, source,
            created_at, updated_at)
        select $1, gen_random_uuid(), $2, $3, date '2025-01-01' + n % 7, 1 + n % 1440, true, 'api', now(), now()
        from generate_series(1, $4) n
        """,
        world.organization_id,
        world.project_id,
        world.user_id,
        2 * search.CSV_LINES + 7,
    )
    response = await time.call("GET", LIST, headers=CSV, params={"sort": sort})
    rows = read(response.text)
    column = sort.removeprefix("-")
    keys = [(row[column], row["id"]) for row in rows]
    assert keys == sorted(keys, reverse=sort.startswith("-"))
    assert len({row["id"] for row in rows}) == 2 * search.CSV_LINES + 7


async def test_filters_and_projects_count_as_for_json(time, world):
    own = await time.made(billable=False)
    await time.made()
    await time.post(time.body(billable=False), project_id=world.second_project_id)
    path = f"/api/v1/projects/{world.project_id}/time-entries"
    response = await time.call("GET", path, headers=CSV, params={"billable": "false"}, key=world.project_key)
    assert [row["id"] for row in read(response.text)] == [own["id"]]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; header=present", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv, application/json;q=0.9", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("text/csv, application/json", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/xml", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("nonsense;;q=,", "application/json"),
    ],
)
async def test_the_form_is_what_the_client_prefers_and_json_otherwise(time, accept, media_type):
    for path in (LIST, f"{SUMMARY}?groupBy=user"):
        response = await time.call("GET", path, headers={"Accept": accept})
        assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, media_type)
        assert response.headers["vary"] == "Accept"


async def test_csv_is_no_part_of_a_list(time):
    response = await time.call("GET", f"{LIST}?page=1&pageSize=10&cursor=", headers=CSV)
    assert problems(response) == [(name, "not_with_csv") for name in ("page", "pageSize", "cursor")]


async def test_refusals_are_json_whatever_is_asked_for(time, world):
    response = await time.call("GET", f"{LIST}?billable=x", headers=CSV)
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json")
    refused = await time.call("GET", LIST, headers=CSV, key=world.project_key)
    assert refusal(refused)["error"] == "scope_violation"


async def fill_wide(world, pool, parts: int) -> None:
    """So much CSV that no buffer between server and client holds it."""
    await pool.execute(
        """
        insert into time_entries (organization_id, id, project_id, user_id, work_date, minutes, description, billable,
            source, created_at, updated_at)
        select $1, gen_random_uuid(), $2, $3, date '2025-01-01', 1, repeat('x', 2000), true, 'api', now(), now()
        from generate_series(1, $4) n
        """,
        world.organization_id,
        world.project_id,
        world.user_id,
        parts * search.CSV_LINES,
    )


async def begun(base_url: str, world) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which CSV has begun to arrive, and of which no more is read."""
    host, port = base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=2**16)
    lines = [f"GET {LIST} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {world.key}", "Accept: text/csv"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert b"200 OK" in await reader.readline()
    return reader, writer


async def list_statements(pool) -> int:
    return await pool.fetchval(
        "select count(*) from pg_stat_activity where application_name = 'align' and state <> 'idle'"
    )


async def test_a_client_that_reads_slowly_or_goes_holds_no_connection(world, pool, base_url, client):
    """More of them than the server has connections to the database."""
    await fill_wide(world, pool, 5)
    opened = [await begun(base_url, world) for _ in range(12)]

    async def none_is_busy() -> bool:
        return await list_statements(pool) == 0

    await until(none_is_busy, "moment without a busy connection")
    assert (await client.get(LIST, headers=world.headers)).status_code == 200
    for _, writer in opened:
        writer.close()
    await until(none_is_busy, "moment without a busy connection")
    assert (await client.get(LIST, headers=world.headers)).status_code == 200


async def test_a_list_that_breaks_off_has_no_end(world, pool, base_url):
    """As when the database goes away: the connection closes, and the last chunk never comes."""
    await fill_wide(world, pool, 6)
    reader, writer = await begun(base_url, world)
    # The next parts can't be read any more.
    await pool.execute("alter table time_entries rename column source to source_gone")
    try:
        received = b"HTTP/1.1 200 OK\r\n" + await reader.read(-1)
    finally:
        await pool.execute("alter table time_entries rename column source_gone to source")
        writer.close()
    assert b'"api",draft' in received
    assert not received.endswith(b"\r\n0\r\n\r\n")


async def test_a_list_that_arrives_whole_has_its_end(world, pool, base_url):
    await fill_wide(world, pool, 1)
    reader, writer = await begun(base_url, world)
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(b"HTTP/1.1 200 OK\r\n")
    length, last = 0, b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            last = (last + (received := await reader.read(2**16)))[-7:]
            connection.receive_data(received)
        elif isinstance(event, h11.Data):
            length += len(event.data)
    writer.close()
    assert last == b"\r\n0\r\n\r\n"
    assert length > 2000 * search.CSV_LINES
