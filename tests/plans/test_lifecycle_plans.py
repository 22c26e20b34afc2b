"""Transitions look the time entries up by their ids, be they one or a thousand."""

import pytest

from align.ids import new_id
from align.time_entries import lifecycle
from tests.plans.explaining import check_plans, nodes


@pytest.mark.parametrize("count", [1, 1000])
async def test_time_entries_are_moved_by_their_ids(large, count):
    ids = [await large.id_of("entry", number) for number in range(count)]
    nothing = [None] * count
    events = ([new_id() for _ in ids], ["{}"] * count, ["{}"] * count)
    move = (ids, "approved", nothing, nothing, "time.approved", None, None, *events)
    for query, arguments in (
        (lifecycle.queries.lock_time_entries, (ids,)),
        (lifecycle.queries.move_time_entries, move),
    ):
        plans = await check_plans(large, query, (large.organization_id, *arguments))
        for plan in plans.values():
            conditions = [
                node["Index Cond"] for node in nodes(plan) if node.get("Index Name", "").startswith("time_entries")
            ]
            assert conditions
            assert all("id = " in condition.replace("organization_id = ", "") for condition in conditions)
