"""Whatever differs between two sides is named, and nothing else; and syncs meanwhile never tear the picture."""

import asyncio
import random
from uuid import UUID, uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.reconciliation.reconciling import differences, kinds, listed, post_list, synced

ANY = settings(deadline=None, derandomize=True, max_examples=25, suppress_health_check=list(HealthCheck))
FATES = ("same", "minutes", "workDate", "moved", "missing", "deleted", "extra", "invalid", "duplicate")
CHANGES = {"minutes": {"minutes": 149}, "workDate": {"workDate": "2025-02-01"}, "invalid": {"minutes": 0}}
KINDS = {**dict.fromkeys(("minutes", "workDate", "moved"), "different"), "deleted": "missing"}
WITH_LINE = {"different", "missing", "invalid", "duplicate"}


async def plant(world, client, fates):
    """Store entries and return the list that differs from them as the fates say, and the names that stand for each."""
    system = f"system {uuid4()}"
    entries = [
        world.entry(externalSystem=system, externalId=f"{number} {fate} é𝔞", workDate=f"2025-01-{number % 31 + 1:02}")
        for number, fate in enumerate(fates)
    ]
    stored = [entry for entry, fate in zip(entries, fates, strict=True) if fate != "missing"]
    ids = dict(zip((entry["externalId"] for entry in stored), await synced(world, client, stored), strict=True))
    lines, expected = [], set()
    changes = {"deleted": "deleted_at = now()", "moved": "work_date = '2025-03-01'"}
    for entry, fate in zip(entries, fates, strict=True):
        name = entry["externalId"]
        if fate in changes:
            await world.pool.execute(
                f"update time_entries set {changes[fate]} where organization_id = $1 and id = $2",
                world.organization_id,
                UUID(ids[name]),
            )
        line = {"minutes": {"minutes": 149}, "workDate": {"workDate": "2025-02-01"}, "invalid": {"minutes": 0}}.get(
            fate, {}
        )
        lines += {"extra": [], "duplicate": [listed(entry)] * 2}.get(fate, [listed(entry, **line)])
        kind = {"minutes": "different", "workDate": "different", "moved": "different", "deleted": "missing"}.get(
            fate, fate
        )
        expected |= set() if kind == "same" else {(kind, name)}
    return system, lines, expected


@ANY
@given(fates=st.lists(st.sampled_from(FATES), max_size=60), seed=st.integers(0, 9))
async def test_the_planted_differences_are_named_and_nothing_else(world, client, plain, fates, seed):
    system, lines, expected = await plant(world, client, fates)
    random.Random(seed).shuffle(lines)
    found, summary = differences(await post_list(world, plain, lines, externalSystem=system))
    assert kinds(found) == expected
    assert len(found) == len(expected)
    assert summary["received"] == len(lines)
    assert summary["same"] == fates.count("same") + fates.count("duplicate")
    for each in found:
        assert ("line" in each) == (each["kind"] in WITH_LINE)
        if "line" in each:
            assert lines[each["line"] - 1]["externalId"] == each["externalId"]
        if each["kind"] == "missing":
            assert each["deleted"] == ("deleted" in each["externalId"])
        if each["kind"] == "different":
            assert set(each["fields"]) == {"minutes" if "minutes" in each["externalId"] else "workDate"}


async def test_a_list_of_many_groups_is_compared_to_its_end(world, client, plain):
    """More than the rows and ids that are looked at together, and more than stays in memory."""
    entries = [world.entry(externalId=f"{number} {'x' * 200}", minutes=number % 1440 + 1) for number in range(3000)]
    await synced(world, client, entries[:2000])
    lines = [listed(entry, minutes=entry["minutes"] % 1440 + 1) for entry in entries[1000:]]
    found, summary = differences(await post_list(world, plain, lines))
    assert summary == {
        "received": 2000, "same": 0, "different": 1000, "missing": 1000, "extra": 1000, "invalid": 0, "duplicate": 0,
    }  # fmt: skip
    assert kinds(found) == {
        *(("extra", entry["externalId"]) for entry in entries[:1000]),
        *(("different", entry["externalId"]) for entry in entries[1000:2000]),
        *(("missing", entry["externalId"]) for entry in entries[2000:]),
    }


async def test_changes_meanwhile_are_seen_everywhere_or_nowhere(world, client, plain):
    """Of two entries exactly one lives at any time; the days between them keep the comparison busy."""
    many = [world.entry(workDate="2025-01-10") for _ in range(1000)]
    first, second = world.entry(workDate="2025-01-01"), world.entry(workDate="2025-01-31")
    *_, first_id, second_id = await synced(world, client, [*many, first, second])
    done = asyncio.Event()
    flips = 0

    async def flip() -> None:
        nonlocal flips
        while not done.is_set():
            flips += 1
            await world.pool.execute(
                "update time_entries set deleted_at = case when (id = $2) = $4 then now() end "
                "where organization_id = $1 and id in ($2, $3)",
                world.organization_id,
                UUID(first_id),
                UUID(second_id),
                flips % 2 == 0,
            )

    flipping = asyncio.create_task(flip())
    pictures = []
    try:
        for _ in range(15):
            found, summary = differences(await post_list(world, plain, map(listed, [*many, first, second])))
            pictures.append((summary["same"], kinds(found)))
    finally:
        done.set()
        await flipping
    both = {"missing": {(1001, frozenset({("missing", each["externalId"])})) for each in (first, second)}}
    assert {(same, frozenset(found)) for same, found in pictures[1:]} <= both["missing"]
    assert flips > len(pictures)
