"""GET /integration/checksum: sums and hashes that a sender computes, too."""

import hashlib

import pytest

from align.reconciliation.checksum import queries
from tests.api.conftest import refusal, stored, validation_error
from tests.api.reconciliation.reconciling import CHECKSUM_PATH, JANUARY, checksum, digest, grouped, summed, synced


@pytest.fixture
async def entries(world, client):
    """Five entries of January on three days, two projects and two users, as the sender has them; all are stored."""
    made = [
        world.entry(externalId="b", workDate="2025-01-15", minutes=60),
        world.entry(externalId="B", workDate="2025-01-15", minutes=15),
        world.entry(externalId="é-1", workDate="2025-01-16", minutes=10, userId=str(world.admin_id)),
        world.entry(externalId="𝔞 b", workDate="2025-01-16", minutes=1440, projectId=str(world.second_project_id)),
        world.entry(externalId="�", workDate="2025-01-31T23:59:00-11:00", minutes=1),
    ]
    await synced(world, client, made)
    return made


@pytest.mark.parametrize("group_by", ["day", "project", "user"])
@pytest.mark.parametrize("include_status", [True, False])
async def test_the_sums_are_those_a_sender_computes(world, client, entries, group_by, include_status):
    body = await checksum(world, client, groupBy=group_by, includeStatus=include_status)
    assert body == {
        **JANUARY,
        "groupBy": group_by,
        "includeStatus": include_status,
        "groups": grouped(entries, group_by, include_status=include_status),
        "total": summed(entries, include_status=include_status),
    }
    assert len(body["groups"]) == {"day": 3, "project": 2, "user": 2}[group_by]


async def test_groups_are_days_and_status_is_included_unless_said_otherwise(world, client, entries):
    body = await checksum(world, client)
    assert body == await checksum(world, client, groupBy="day", includeStatus=True)
    assert body["total"]["hash"] != (await checksum(world, client, includeStatus=False))["total"]["hash"]


async def test_the_definition_to_the_byte(world, client):
    await synced(world, client, [world.entry(externalId=name, minutes=30) for name in ("é", "z", "Z", "1\u20282")])
    text = (
        "1\u20282\t30\t2025-01-15\tdraft\n"
        "Z\t30\t2025-01-15\tdraft\n"
        "z\t30\t2025-01-15\tdraft\n"
        "é\t30\t2025-01-15\tdraft\n"
    )
    assert (await checksum(world, client))["total"]["hash"] == hashlib.sha256(text.encode()).hexdigest()


async def test_order_is_by_bytes_of_utf_8_not_of_utf_16(world, client):
    """U+1D51E comes after U+FFFD by bytes and code points, before it in JavaScript's and Java's order."""
    made = [world.entry(externalId="\U0001d51e"), world.entry(externalId="\ufffd")]
    await synced(world, client, made)
    text = "".join(f"{name}\t150\t2025-01-15\tdraft\n" for name in ("\ufffd", "\U0001d51e"))
    assert (await checksum(world, client))["total"]["hash"] == hashlib.sha256(text.encode()).hexdigest()


async def test_the_spelling_of_an_external_id_does_not_matter(world, client):
    await synced(world, client, [world.entry(externalId="cafe\u0301", externalSystem="cafe\u0301")])
    body = await checksum(world, client, externalSystem="cafe\u0301")
    assert body["externalSystem"] == "café"
    assert body["total"] == summed([world.entry(externalId="café")])


async def test_no_entries_have_the_hash_of_nothing(world, client):
    body = await checksum(world, client)
    assert body["groups"] == []
    assert body["total"] == {"count": 0, "minutes": 0, "hash": hashlib.sha256(b"").hexdigest()}


async def test_both_days_of_the_range_are_included(world, client, entries):
    both = await checksum(world, client, startDate="2025-01-15", endDate="2025-01-16")
    assert [group["key"] for group in both["groups"]] == ["2025-01-15", "2025-01-16"]
    one = await checksum(world, client, startDate="2025-01-16", endDate="2025-01-16")
    assert one["total"] == summed(entries[2:4])


async def test_other_systems_organisations_and_deleted_entries_do_not_count(world, other_world, client, entries, pool):
    await synced(world, client, [world.entry(externalSystem="jira"), world.entry(externalSystem="Illumera")])
    await synced(other_world, client, [other_world.entry()])
    before = await checksum(world, client)
    assert before["total"] == summed(entries)
    await pool.execute(
        "update time_entries e set deleted_at = now() from integration_links l where e.organization_id = $1 "
        "and l.organization_id = $1 and l.align_entity_id = e.id and l.external_id = 'b'",
        world.organization_id,
    )
    assert (await checksum(world, client))["total"] == summed(entries[1:])


async def test_an_entry_with_two_ids_of_the_system_counts_under_each(world, client, pool):
    [entry_id] = await synced(world, client, [world.entry(externalId="one")])
    await pool.execute(
        "insert into integration_links select $1, gen_random_uuid(), $2, type, id, 'time_entry', $3, now() "
        "from (values ('time_entry', 'two'), ('worklog', 'three')) ids (type, id)",
        world.organization_id,
        "illumera",
        entry_id,
    )
    assert (await checksum(world, client))["total"] == summed([world.entry(externalId=name) for name in ("one", "two")])


async def test_it_answers_without_the_prefix_and_changes_nothing(world, client, entries):
    before = await stored(world)
    path = CHECKSUM_PATH.removeprefix("/api/v1")
    response = await client.get(path, params=JANUARY, headers=world.headers)
    assert response.json() == await checksum(world, client)
    assert await stored(world) == before


RANGE = "must lie at most 366 days from startDate, both counted; these are 367"


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        (
            {"externalSystem": None, "startDate": None, "endDate": None},
            [("externalSystem", "required"), ("startDate", "required"), ("endDate", "required")],
        ),
        ({"externalSystem": ""}, [("externalSystem", "too_short")]),
        ({"externalSystem": "\t"}, [("externalSystem", "control_character")]),
        (
            {"externalSystem": " ", "endDate": "2024-12-31"},
            [("externalSystem", "blank"), ("endDate", "invalid_range")],
        ),
        ({"startDate": "2025-02-29"}, [("startDate", "invalid_date")]),
        ({"startDate": "2025-01-01T00:00:00Z"}, [("startDate", "invalid_date")]),
        ({"endDate": "2026-01-02"}, [("endDate", "invalid_range")]),
        ({"groupBy": "ticket"}, [("groupBy", "unknown_value")]),
        ({"includeStatus": "yes"}, [("includeStatus", "wrong_type")]),
        ({"system": "x"}, [("system", "unknown_parameter")]),
    ],
)
async def test_what_is_wrong_is_named(world, client, changes, problems):
    query = {name: value for name, value in {**JANUARY, **changes}.items() if value is not None}
    response = await client.get(CHECKSUM_PATH, params=query, headers=world.headers)
    assert response.status_code == 400
    assert [(each["path"], each["code"]) for each in response.json()["details"]] == problems


async def test_a_range_is_at_most_a_leap_year(world, client):
    assert (await checksum(world, client, startDate="2024-01-01", endDate="2024-12-31"))["groups"] == []
    query = {**JANUARY, "startDate": "2025-01-01", "endDate": "2026-01-02"}
    response = await client.get(CHECKSUM_PATH, params=query, headers=world.headers)
    assert refusal(response) == validation_error(("endDate", "invalid_range", RANGE))


async def test_a_bound_key_sees_its_own_system_only(world, client, entries):
    key, text = await world.mint()
    await world.pool.execute(
        "update api_keys set source_binding = 'illumera' where organization_id = $1 and id = $2",
        world.organization_id,
        key.id,
    )
    headers = {"X-API-Key": text}
    own = await client.get(CHECKSUM_PATH, params=JANUARY, headers=headers)
    assert own.json()["total"]["hash"] == digest(entries)
    other = await client.get(CHECKSUM_PATH, params={**JANUARY, "externalSystem": "jira"}, headers=headers)
    assert (other.status_code, refusal(other)["sourceBinding"]) == (403, "illumera")


async def test_who_may_ask(world, client, pool):
    async def refused(headers):
        response = await client.get(CHECKSUM_PATH, params=JANUARY, headers=headers)
        return response.status_code, refusal(response)["error"]

    assert await refused({}) == (401, "key_missing")
    assert await refused({"X-API-Key": world.project_key}) == (403, "scope_violation")
    key, text = await world.mint()
    set_permissions = "update api_keys set permissions = $3 where organization_id = $1 and id = $2"
    await pool.execute(set_permissions, world.organization_id, key.id, ["write:time_entries"])
    assert await refused({"X-API-Key": text}) == (403, "permission_violation")
    await pool.execute(set_permissions, world.organization_id, key.id, ["read:time_entries"])
    assert (await client.get(CHECKSUM_PATH, params=JANUARY, headers={"X-API-Key": text})).status_code == 200
    await pool.execute("update organizations set features = '{}' where organization_id = $1", world.organization_id)
    assert await refused(world.headers) == (402, "payment_required")
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2", world.organization_id, world.admin_id
    )
    assert await refused(world.headers) == (403, "role_violation")


def test_the_order_does_not_depend_on_the_databases_language():
    """The PostgreSQL of the tests knows byte order only, so no result here could tell; others order 'a' before 'B'."""
    assert "string_agg(line, '' order by external_id collate \"C\")" in queries.checksum
