"""Whatever the entries are: both sides compute the same, and any one change is seen in its group and nowhere else."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.external_names import external_name_problem, nfc
from tests.api.reconciliation.reconciling import Entry, checksum, grouped, summed, synced
from tests.conftest import World

STATUSES = ("draft", "submitted", "approved", "rejected", "locked", "invoiced")
DAYS = [str(date(2025, 1, 30) + timedelta(days)) for days in range(4)]
RANGE = {"startDate": DAYS[0], "endDate": DAYS[-1]}
ANY = settings(deadline=None, derandomize=True, max_examples=25, suppress_health_check=list(HealthCheck))

external_ids = st.text(min_size=1, max_size=30).map(nfc).filter(lambda text: external_name_problem(text) is None)
contents = st.fixed_dictionaries(
    {
        "workDate": st.sampled_from(DAYS),
        "minutes": st.integers(1, 1440),
        "status": st.sampled_from(STATUSES),
        "project": st.booleans(),
        "user": st.booleans(),
    }
)
any_entries = st.dictionaries(external_ids, contents, min_size=1, max_size=25)


async def stored_as(
    world: World, client: httpx.AsyncClient, made: dict[str, dict[str, Any]]
) -> tuple[str, list[Entry]]:
    """Store entries of a new external system; returns its name and the entries as the sender has them."""
    system = f"system {uuid4()}"
    entries = [
        world.entry(
            externalSystem=system,
            externalId=external_id,
            workDate=content["workDate"],
            minutes=content["minutes"],
            projectId=str(world.second_project_id if content["project"] else world.project_id),
            userId=str(world.admin_id if content["user"] else world.user_id),
        )
        for external_id, content in made.items()
    ]
    ids = await synced(world, client, entries)
    entries = [
        {**entry, "id": id_, "status": content["status"]}
        for entry, id_, content in zip(entries, ids, made.values(), strict=True)
    ]
    await world.pool.executemany(
        "update time_entries set status = $3 where organization_id = $1 and id = $2",
        [(world.organization_id, UUID(entry["id"]), entry["status"]) for entry in entries],
    )
    return system, entries


@ANY
@given(made=any_entries)
async def test_both_sides_compute_the_same(world, client, made):
    system, entries = await stored_as(world, client, made)
    for group_by in ("day", "project", "user"):
        for include_status in (True, False):
            body = await checksum(
                world, client, externalSystem=system, **RANGE, groupBy=group_by, includeStatus=include_status
            )
            assert body["groups"] == grouped(entries, group_by, include_status=include_status)
            assert body["total"] == summed(entries, include_status=include_status)


async def change(world: World, client: httpx.AsyncClient, kind: str, entry: Entry) -> set[str]:
    """Change one entry here; returns the days on which the two sides differ then."""
    of_entry = "where organization_id = $1 and id = $2"
    of_link = "where organization_id = $1 and align_entity_id = $2"
    statements = {
        "minutes": f"update time_entries set minutes = minutes % 1440 + 1 {of_entry}",
        "status": "update time_entries set status = case status when 'draft' then 'submitted' else 'draft' end "
        + of_entry,
        "day": f"update time_entries set work_date = work_date + 1 {of_entry}",
        "id": f"update integration_links set external_id = external_id || '!' {of_link}",
        "deleted": f"update time_entries set deleted_at = now() {of_entry}",
    }
    if kind == "new":
        content = {name: entry[name] for name in ("externalSystem", "workDate")}
        await synced(world, client, [world.entry(**content)])
    else:
        done = await world.pool.execute(statements[kind], world.organization_id, UUID(entry["id"]))
        assert done == "UPDATE 1"
    tomorrow = str(date.fromisoformat(entry["workDate"]) + timedelta(1))
    return {entry["workDate"], tomorrow} if kind == "day" else {entry["workDate"]}


@ANY
@given(
    made=any_entries,
    kind=st.sampled_from(("minutes", "status", "day", "id", "deleted", "new")),
    which=st.integers(0, 1000),
)
async def test_one_change_is_seen_in_its_group_and_nowhere_else(world, client, made, kind, which):
    system, entries = await stored_as(world, client, made)
    wide = {"externalSystem": system, "startDate": DAYS[0], "endDate": "2025-02-10"}
    before = await checksum(world, client, **wide)
    days = await change(world, client, kind, entries[which % len(entries)])
    after = await checksum(world, client, **wide)
    old, new = ({group["key"]: group["hash"] for group in body["groups"]} for body in (before, after))
    assert {day for day in old | new if old.get(day) != new.get(day)} == days
    assert before["total"]["hash"] != after["total"]["hash"]
    without_status = await checksum(world, client, **wide, includeStatus=False)
    is_seen = without_status["total"] != summed(entries, include_status=False)
    assert is_seen == (kind != "status")


async def test_syncs_meanwhile_are_seen_everywhere_or_nowhere(world, client):
    """Each batch is one transaction of two days: no checksum may see one day of it without the other."""
    torn = []
    done = asyncio.Event()

    async def sync() -> None:
        for number in range(40):
            pair = [world.entry(externalId=f"{day} {number:03}", workDate=day) for day in DAYS[:2]]
            body = {"entries": pair}
            path = "/api/v1/integration/time-entries/batch?atomic=true"
            assert (await client.post(path, json=body, headers=world.headers)).status_code == 200
        done.set()

    async def watch() -> None:
        while not done.is_set():
            body = await checksum(world, client, **RANGE)
            counts = [group["count"] for group in body["groups"]]
            if body["groups"] and (len(counts) != 2 or counts[0] != counts[1] or sum(counts) != body["total"]["count"]):
                torn.append(body)

    await asyncio.gather(sync(), watch(), watch())
    assert torn == []
    assert (await checksum(world, client, **RANGE))["total"]["count"] == 80
