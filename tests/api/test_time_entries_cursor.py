"""Deep reads: each entry that exists throughout is seen exactly once, and a cursor belongs to its list alone."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date, datetime, timedelta

import pytest

from tests.api.keeping_time import LIST, Time, problems

SORTS = ["workDate", "-workDate", "createdAt", "-createdAt", "updatedAt", "-updatedAt"]
NOON = datetime.fromisoformat("2025-01-15T12:00:00Z")


@pytest.fixture
async def time(world, client) -> Time:
    return Time(world, client)


async def fill(time: Time, count: int) -> list[str]:
    """Entries of few days and few moments, so that many are equal in every order."""
    return [
        str(
            await time.store(
                work_date=date(2025, 1, 1) + timedelta(days=number % 3),
                created_at=NOON + timedelta(microseconds=number % 4),
                updated_at=NOON + timedelta(microseconds=number % 5),
            )
        )
        for number in range(count)
    ]


async def walk(time: Time, between=None, **parameters) -> list[str]:
    """All ids by cursors; `between(page)` runs after each page."""
    seen, cursor, pages = [], "start", 0
    while cursor is not None:
        response = await time.call("GET", LIST, params={**parameters, "cursor": cursor})
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"data", "nextCursor"}
        seen += [entry["id"] for entry in response.json()["data"]]
        cursor, pages = response.json()["nextCursor"], pages + 1
        if between is not None:
            await between(pages)
    return seen


@pytest.mark.parametrize("sort", SORTS)
async def test_a_walk_sees_what_pages_show_in_the_same_order(time, sort):
    ids = await fill(time, 23)
    walked = await walk(time, sort=sort, pageSize=4)
    assert walked == await time.ids(sort=sort, pageSize=100)
    assert sorted(walked) == sorted(ids)


@pytest.mark.parametrize("count", [0, 4, 5, 8])
async def test_the_last_page_has_no_next_one(time, count):
    await fill(time, count)
    assert len(await walk(time, pageSize=4)) == count
    response = await time.call("GET", LIST, params={"cursor": "start", "pageSize": max(count, 1)})
    assert response.json()["nextCursor"] is None


async def test_an_empty_cursor_begins_too(time):
    ids = await fill(time, 3)
    assert await time.ids(cursor="", sort="createdAt") == await time.ids(cursor="start", sort="createdAt")
    assert len(ids) == len(await time.ids(cursor=""))


@pytest.mark.parametrize("sort", SORTS)
async def test_whatever_comes_and_goes_meanwhile_what_stays_is_seen_once(time, sort):
    ids = await fill(time, 40)
    doomed, staying = set(ids[::3]), set(ids) - set(ids[::3])
    left = sorted(doomed)

    async def change(_page):
        # Before, at and behind the position, whichever that is; the last one seen goes too.
        for _ in range(2):
            if left:
                await time.set(left.pop(), deleted_at=NOON)
        await fill(time, 3)

    walked = await walk(time, between=change, sort=sort, pageSize=3)
    assert len(walked) == len(set(walked))
    assert staying <= set(walked)


async def test_the_page_size_may_change_on_the_way(time):
    ids = await fill(time, 9)
    first = (await time.call("GET", LIST, params={"cursor": "start", "pageSize": 2})).json()
    rest = (await time.call("GET", LIST, params={"cursor": first["nextCursor"], "pageSize": 100})).json()
    assert sorted(entry["id"] for entry in first["data"] + rest["data"]) == sorted(ids)


async def test_a_cursor_belongs_to_its_filters_order_organisation_and_list(time, world, other_world, client):
    await fill(time, 3)
    other = Time(other_world, client)
    await fill(other, 3)
    given = {"pageSize": 1, "status": ["draft", "rejected"], "billable": "true"}
    cursor = (await time.call("GET", LIST, params={**given, "cursor": "start"})).json()["nextCursor"]
    same = {**given, "cursor": cursor, "status": ["rejected", "draft"]}
    assert (await time.call("GET", LIST, params=same)).status_code == 200
    of_project = f"/api/v1/projects/{world.project_id}/time-entries"
    refused = [
        await time.call("GET", LIST, params={"cursor": cursor}),
        await time.call("GET", LIST, params={**given, "billable": "false", "cursor": cursor}),
        await time.call("GET", LIST, params={**given, "sort": "workDate", "cursor": cursor}),
        await time.call("GET", LIST, params={**given, "startDate": "2025-01-01", "cursor": cursor}),
        await time.call("GET", of_project, params={**given, "cursor": cursor}),
        await other.call("GET", LIST, params={**given, "cursor": cursor}),
    ]
    for response in refused:
        assert (response.status_code, problems(response)) == (400, [("cursor", "invalid_cursor")])


async def test_texts_that_are_no_cursors_are_refused(time):
    await fill(time, 2)
    cursor = (await time.call("GET", LIST, params={"cursor": "start", "pageSize": 1})).json()["nextCursor"]
    parts = json.loads(urlsafe_b64decode(cursor + "=="))
    forged = [
        [parts[0], "2025-13-01", parts[2]],
        [parts[0], parts[1], "x"],
        [parts[0], parts[1]],
        {"list": parts[0]},
        [parts[0], 7, parts[2]],
    ]
    texts = ["x", "Start", "é", "%00", cursor[:-6], cursor + "AAAA", "A" * 200]
    for text in texts + [urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in forged]:
        response = await time.call("GET", LIST, params={"cursor": text})
        assert (response.status_code, problems(response)) == (400, [("cursor", "invalid_cursor")]), text
    too_long = await time.call("GET", LIST, params={"cursor": "A" * 201})
    assert problems(too_long) == [("cursor", "too_long")]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2025-01-15T12:00:00"])
async def test_a_forged_position_in_time_does_no_harm(time, moment):
    await fill(time, 2)
    query = {"cursor": "start", "pageSize": 1, "sort": "createdAt"}
    parts = json.loads(urlsafe_b64decode((await time.call("GET", LIST, params=query)).json()["nextCursor"] + "=="))
    forged = urlsafe_b64encode(json.dumps([parts[0], moment, parts[2]]).encode()).rstrip(b"=").decode()
    response = await time.call("GET", LIST, params={**query, "cursor": forged})
    assert response.status_code in (200, 400)


async def test_pages_and_cursors_do_not_go_together(time):
    response = await time.call("GET", LIST, params={"cursor": "start", "page": 1})
    assert (response.status_code, problems(response)) == (400, [("page", "not_with_cursor")])
