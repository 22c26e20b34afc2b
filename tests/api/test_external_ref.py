"""externalRef on creates: one object per reference, whoever asks, however often and however many at once."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import permutations

import httpx
import pytest

from align.settings import Settings
from tests.api.conftest import refusal, validation_error
from tests.api.office import PREFIX, Office, ref
from tests.conftest import RunningServer, gather_released
from tests.waiting import until

KINDS = ["user", "project", "ticket"]
TABLES = {"user": "users", "project": "projects", "ticket": "tickets"}
SENDERS = 12


def create(world, kind, external_ref, number=0):
    """Path and body of a create; `number` makes what is created another."""
    path, body = {
        "user": ("/users/invite", {"email": f"p{number}@example.com", "name": "P"}),
        "project": ("/projects", {"name": f"P {number}"}),
        "ticket": (f"/projects/{world.project_id}/entries", {"title": f"T {number}"}),
    }[kind]
    return path, {**body, "externalRef": external_ref}


@pytest.fixture
async def two_servers(database_url, data_dir, base_url):
    """Clients of two servers on one database, which share no lock but the database's."""
    with RunningServer(database_url, Settings(data_dir=data_dir, webhook_worker=False)) as second:
        async with (
            httpx.AsyncClient(base_url=base_url, timeout=30) as one,
            httpx.AsyncClient(base_url=second, timeout=30) as two,
        ):
            yield [one, two]


@pytest.mark.parametrize("kind", KINDS)
async def test_creates_with_one_reference_at_the_same_time_make_one_object(world, two_servers, kind):
    before = {table: await world.count(table) for table in (TABLES[kind], "integration_links", "events")}

    async def send(index):
        path, body = create(world, kind, ref("same"), index)
        client = two_servers[index % len(two_servers)]
        return await client.post(PREFIX + path, json=body, headers=world.headers)

    answers = await gather_released(SENDERS, send)
    assert Counter((answer.status_code, answer.json()["created"]) for answer in answers) == {
        (201, True): 1,
        (200, False): SENDERS - 1,
    }
    assert len({answer.json()["id"] for answer in answers}) == 1
    grown = {table: await world.count(table) - count for table, count in before.items()}
    assert grown == {TABLES[kind]: 1, "integration_links": 1, "events": 2}


async def test_a_reference_at_the_same_time_for_things_of_all_kinds_names_one_of_them(world, two_servers):
    async def send(index):
        path, body = create(world, KINDS[index % 3], ref("same"), index)
        client = two_servers[index % len(two_servers)]
        return await client.post(PREFIX + path, json=body, headers=world.headers)

    answers = await gather_released(SENDERS, send)
    assert Counter(answer.status_code for answer in answers) == {
        201: 1,
        200: SENDERS // 3 - 1,
        409: SENDERS - SENDERS // 3,
    }
    assert await world.count("integration_links") == 1


async def test_invitations_of_one_email_at_the_same_time_make_one_user(world, two_servers):
    async def send(index):
        body = {
            "email": ("a@example.com", "A@EXAMPLE.COM")[index // 2 % 2],
            "name": "A",
            "externalRef": ref(f"p-{index}"),
        }
        return await two_servers[index % 2].post(PREFIX + "/users/invite", json=body, headers=world.headers)

    answers = await gather_released(SENDERS, send)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: SENDERS - 1}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await world.count("integration_links") == SENDERS


@pytest.mark.parametrize(("kind", "other"), list(permutations(KINDS, 2)))
async def test_a_reference_of_another_kind_of_thing_is_refused(office, world, kind, other):
    await office.made(*create(world, other, ref("X-1")))
    async with office.nothing_changed():
        response = await office.post(*create(world, kind, ref("X-1"), 1))
    assert response.status_code == 409
    assert refusal(response) == {
        "error": "external_ref_conflict",
        "message": f"the reference names a {other} already",
        "path": "externalRef",
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_the_reference_of_a_synced_entry_and_its_type_are_kept_for_time_entries(office, world, kind):
    entry = world.entry()
    await office.made("/integration/time-entries", entry)
    taken = ref(entry["externalId"], entry["externalSystem"], "time_entry")
    async with office.nothing_changed():
        refused = await office.post(*create(world, kind, taken))
        reserved = await office.post(*create(world, kind, ref("new", "illumera", "time_entry")))
    assert (refused.status_code, refusal(refused)["error"]) == (409, "external_ref_conflict")
    message = "time_entry is kept for time entries, whose syncs look it up; choose another name"
    assert reserved.status_code == 400
    assert refusal(reserved) == validation_error(("externalRef.externalType", "reserved_name", message))


@pytest.mark.parametrize("kind", KINDS)
async def test_references_are_one_in_unicode_nfc_and_differ_by_case_type_and_provider(office, world, kind):
    first = await office.made(*create(world, kind, ref("caf\u00e9")))
    again = await office.post(*create(world, kind, ref("cafe\u0301"), 1))
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    others = [ref("CAF\u00c9"), ref("caf\u00e9", "linear"), ref("caf\u00e9", external_type="other")]
    made = [await office.made(*create(world, kind, other, number)) for number, other in enumerate(others, 2)]
    assert len({first["id"], *(each["id"] for each in made)}) == 4


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reference_is_another_one_in_another_organisation(office, world, other_world, client, kind):
    first = await office.made(*create(world, kind, ref("X-1")))
    second = await Office(other_world, client).made(*create(other_world, kind, ref("X-1")))
    assert first["id"] != second["id"]


@asynccontextmanager
async def taken_late(world, external_ref, start):
    """Another program takes the reference, and commits only once the request that `start` begins waits for it.

    Yields the answer.
    """
    async with world.pool.acquire() as holder:
        transaction = holder.transaction()
        await transaction.start()
        await holder.execute(
            "insert into integration_links values ($1, gen_random_uuid(), $2, $3, $4, 'project', $5, now())",
            world.organization_id,
            *external_ref.values(),
            world.archived_project_id,
        )
        request = asyncio.create_task(start())
        blocked = "select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))"
        await until(lambda: world.pool.fetchval(blocked, holder.get_server_pid()), "create that waits for a reference")
        await transaction.commit()
        yield await request


@pytest.mark.parametrize("kind", KINDS)
async def test_a_create_whose_link_can_not_be_made_leaves_nothing(office, world, kind):
    before = await world.count(TABLES[kind])
    async with taken_late(world, ref("X-1"), lambda: office.post(*create(world, kind, ref("X-1")))) as response:
        assert (response.status_code, refusal(response)["error"]) == (409, "external_ref_conflict")
    assert await world.count(TABLES[kind]) == before
    assert await world.count("integration_links") == 1


async def test_of_many_invitations_only_the_one_whose_link_can_not_be_made_leaves_nothing(office, world):
    people = [
        {"email": f"{name}@example.com", "name": name, "projectIds": [str(world.project_id)], "externalRef": ref(name)}
        for name in ("first", "taken", "last")
    ]
    async with taken_late(
        world, ref("taken"), lambda: office.post("/users/bulk-invite", {"users": people})
    ) as response:
        results = response.json()["results"]
    assert [result["status"] for result in results] == ["invited", "error", "invited"]
    assert results[1]["error"]["error"] == "external_ref_conflict"
    stored = [user["email"] for user in (await office.listed("/users"))["data"]]
    assert {"first@example.com", "last@example.com"} < set(stored)
    assert "taken@example.com" not in stored
    assert (await office.listed(f"/projects/{world.project_id}/members"))["total"] == 2
