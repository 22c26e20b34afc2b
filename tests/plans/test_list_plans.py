"""Every list and summary of time entries uses an index, for whatever filters and however many rows there are."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from align.time_entries import creating, editing, one_entry, references, search, summary
from align.time_entries.filters import FIRST_DAY, LAST_DAY
from tests.plans.explaining import Large, check_plans, nodes

NOTHING = (FIRST_DAY, LAST_DAY, None, None, None, None, None, None, None, None)
MONTH = (date(2024, 5, 1), date(2024, 5, 31))


async def filters_of(large: Large) -> dict[str, tuple[object, ...]]:
    """Parameters of filters.sql by what they narrow to."""
    project, user, ticket = [await large.id_of(what) for what in ("project", "user", "ticket")]
    moment = datetime.now(UTC)
    return {
        "nothing": NOTHING,
        "a month": (*MONTH, *NOTHING[2:]),
        "a project": (*NOTHING[:2], project, *NOTHING[3:]),
        "a user's month": (*MONTH, None, user, *NOTHING[4:]),
        "a ticket": (*NOTHING[:4], ticket, *NOTHING[5:]),
        "the rest": (*NOTHING[:5], ["draft", "rejected"], True, False, "jira", moment),
    }


NAMES = ["nothing", "a month", "a project", "a user's month", "a ticket", "the rest"]


@pytest.mark.parametrize("narrowed_to", NAMES)
@pytest.mark.parametrize("sort", search.SORTS)
async def test_lists_in_every_order_use_an_index(large, sort, narrowed_to):
    filters = (await filters_of(large))[narrowed_to]
    order = search.SORTS[sort]
    middle = date(2024, 6, 1) if order.kind is date else datetime(2024, 6, 1, tzinfo=UTC)
    for position in (order.start, (middle, UUID(int=7))):
        for csv in (False, True):
            arguments = (large.organization_id, *filters, *position, 101, 0, csv)
            await check_plans(large, order.query, arguments)


@pytest.mark.parametrize("sort", ["workDate", "-workDate"])
async def test_the_order_of_days_is_the_indexs_and_begins_at_the_position(large, sort):
    """So a deep page costs what the first one costs."""
    order = search.SORTS[sort]
    arguments = (large.organization_id, *NOTHING, date(2025, 6, 1), UUID(int=7), 101, 0, False)
    found = await check_plans(large, order.query, arguments)
    scans = [node for node in nodes(found["own"]) if "Index Name" in node]
    assert [(scan["Index Name"], "ROW(work_date, id)" in scan["Index Cond"]) for scan in scans] == [
        ("time_entries_by_day", True)
    ]


@pytest.mark.parametrize("narrowed_to", NAMES)
async def test_counts_use_an_index(large, narrowed_to):
    filters = (await filters_of(large))[narrowed_to]
    await check_plans(large, search.queries.count_entries, (large.organization_id, *filters))


@pytest.mark.parametrize("narrowed_to", NAMES)
@pytest.mark.parametrize("keys", [("project", "week"), ("user", None), ("entry", "source"), ("day", "status")])
async def test_summaries_use_an_index(large, keys, narrowed_to):
    filters = (await filters_of(large))[narrowed_to]
    arguments = (large.organization_id, *filters, *keys, summary.MAXIMUM_GROUPS)
    await check_plans(large, summary.queries.sum_entries, arguments)


async def test_look_ups_of_one_entry_use_an_index(large):
    org, entry = large.organization_id, await large.id_of("entry")
    project, user, ticket = [await large.id_of(what) for what in ("project", "user", "ticket")]
    await check_plans(large, one_entry.queries.find_entry, (org, entry))
    await check_plans(large, editing.queries.lock_entry, (org, entry))
    await check_plans(large, editing.queries.delete_entry, (org, entry))
    fields = (project, user, ticket, date(2024, 5, 1), 60, None, True)
    await check_plans(large, editing.queries.update_entry, (org, entry, *fields))
    await check_plans(large, references.queries.find_references, (org, project, user, ticket))
    await check_plans(large, search.queries.find_project, (org, project))
    reference = (org, "illumera", "time_entry", "7")
    fields = (project, user, date(2024, 5, 1), 60, True, None, ticket)
    await check_plans(large, creating.queries.find_linked, (*reference, *fields))


async def test_a_sequential_scan_would_be_noticed(large):
    with pytest.raises(AssertionError, match="Seq Scan"):
        await check_plans(
            large, "select count(*) from time_entries where $1::uuid is not null", (large.organization_id,)
        )
