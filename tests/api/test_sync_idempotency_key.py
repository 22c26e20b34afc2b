"""The header Idempotency-Key: a repeat is answered with the first answer, byte for byte."""

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once
from tests.conftest import SYNC_PATH

INVALID = {
    "error": "idempotency_key_invalid",
    "message": "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces, bare or quoted",
}


async def test_a_replay_is_byte_identical_with_the_same_status(api):
    entry = api.world.entry(description="é\n🙂", externalMetadata={"a": 1.50})
    async with stored_once(api.world, idempotency_keys=1):
        first = await api.sync(entry, idempotency_key="k-1")
        replays = [await api.sync(entry, idempotency_key="k-1") for _ in range(3)]
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    for replay in replays:
        assert (replay.status_code, replay.content) == (201, first.content)
        assert replay.headers["idempotent-replayed"] == "true"
        assert replay.headers["location"] == first.headers["location"]
        assert "idempotency-body-mismatch" not in replay.headers
        assert replay.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_kept_200_is_replayed_with_what_differed_then(api):
    entry = api.world.entry()
    await api.sync(entry)
    first = await api.sync({**entry, "minutes": 1}, idempotency_key="k")
    replay = await api.sync({**entry, "minutes": 1}, idempotency_key="k")
    assert (first.status_code, first.headers["content-differs"]) == (200, "minutes")
    assert (replay.status_code, replay.content) == (200, first.content)
    assert (replay.headers["content-differs"], replay.headers["idempotent-replayed"]) == ("minutes", "true")
    assert "location" not in replay.headers


async def test_a_replay_shows_the_entry_as_it_was_then(api, pool):
    entry = api.world.entry()
    first = await api.sync(entry, idempotency_key="k")
    await pool.execute(
        "update time_entries set status = 'approved', deleted_at = now() where organization_id = $1",
        api.world.organization_id,
    )
    replay = await api.sync(entry, idempotency_key="k")
    assert (replay.status_code, replay.content) == (201, first.content)


async def test_another_body_with_a_used_key_gets_the_first_answer_and_is_told(api):
    first = await api.sync(idempotency_key="k")
    async with nothing_stored(api.world):
        other = await api.sync(idempotency_key="k")
    assert (other.status_code, other.content) == (201, first.content)
    assert other.headers["idempotent-replayed"] == "true"
    assert other.headers["idempotency-body-mismatch"] == "true"


async def test_the_same_body_written_otherwise_is_no_mismatch(api):
    entry = api.world.entry()
    first = await api.sync(entry, idempotency_key="k")
    replay = await api.sync(dict(reversed(entry.items())), idempotency_key="k")
    assert replay.content == first.content
    assert "idempotency-body-mismatch" not in replay.headers


@pytest.mark.parametrize("status", [400, 402, 404, 409, 410])
async def test_a_refusal_is_not_kept_so_the_key_may_be_retried(api, pool, status):
    world, entry = api.world, api.world.entry()
    broken = dict(entry)
    organization = world.organization_id
    if status == 400:
        broken["minutes"] = 0
    elif status == 404:
        broken["userId"] = str(organization)
    elif status == 409:
        broken["projectId"] = str(world.archived_project_id)
    elif status == 410:
        deleted = await api.sync()
        await pool.execute("update time_entries set deleted_at = now() where organization_id = $1", organization)
        broken["externalId"] = "gone"
        await pool.execute("update integration_links set external_id = 'gone' where organization_id = $1", organization)
        assert deleted.status_code == 201
    else:
        await pool.execute("update organizations set features = '{}' where organization_id = $1", organization)
    async with nothing_stored(world):
        refused = await api.sync(broken, idempotency_key="k")
    await pool.execute("update organizations set features = '{time_tracking}' where organization_id = $1", organization)
    async with stored_once(world, idempotency_keys=1):
        accepted = await api.sync(entry, idempotency_key="k")
    assert (refused.status_code, accepted.status_code) == (status, 201)
    assert "idempotent-replayed" not in accepted.headers


async def test_another_api_keys_idempotency_keys_are_its_own(api):
    _, text = await api.world.mint()
    first = await api.sync(idempotency_key="k")
    async with stored_once(api.world, idempotency_keys=1):
        second = await api.sync(idempotency_key="k", authorization=f"Bearer {text}")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["id"] != first.json()["id"]
    assert "idempotent-replayed" not in second.headers


async def test_another_organisations_idempotency_keys_are_its_own(api, other_world):
    first = await api.sync(idempotency_key="k")
    async with nothing_stored(api.world), stored_once(other_world, idempotency_keys=1):
        second = await api.client.post(
            SYNC_PATH, json=other_world.entry(), headers={**other_world.headers, "idempotency-key": "k"}
        )
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json()["organizationId"] == str(other_world.organization_id)


async def test_both_paths_of_the_operation_share_their_keys(api):
    entry = api.world.entry()
    first = await api.sync(entry, idempotency_key="k")
    replay = await api.client.post(
        "/integration/time-entries", json=entry, headers={**api.world.headers, "idempotency-key": "k"}
    )
    assert (replay.content, replay.headers["idempotent-replayed"]) == (first.content, "true")


async def test_a_read_takes_no_notice_of_the_header(api):
    entry = api.world.entry()
    await api.sync(entry, idempotency_key="k")
    query = {"externalSystem": entry["externalSystem"], "externalId": entry["externalId"]}
    read = await api.client.get(SYNC_PATH, params=query, headers={**api.world.headers, "idempotency-key": "k"})
    assert (read.status_code, "idempotent-replayed" in read.headers) == (200, False)


@pytest.mark.parametrize("body", ["same", "other"])
async def test_an_expired_key_is_new_again(api, pool, body):
    entry = api.world.entry()
    first = await api.sync(entry, idempotency_key="k")
    await pool.execute(
        "update idempotency_keys set expires_at = now() - interval '1 millisecond' where organization_id = $1",
        api.world.organization_id,
    )
    again = await api.sync(entry if body == "same" else api.world.entry(), idempotency_key="k")
    expected = (200, first.json()["id"]) if body == "same" else (201, again.json()["id"])
    assert (again.status_code, again.json()["id"]) == expected
    assert "idempotent-replayed" not in again.headers
    assert (body == "same") == (again.json()["id"] == first.json()["id"])
    replay = await api.sync(entry, idempotency_key="k")
    assert (replay.status_code, replay.content) == (again.status_code, again.content)
    assert await api.world.count("idempotency_keys") == 1


async def test_a_key_lives_for_24_hours_by_the_databases_clock(api, pool):
    await api.sync(idempotency_key="k")
    row = await pool.fetchrow(
        "select extract(epoch from expires_at - created_at)::float as lifetime from idempotency_keys "
        "where organization_id = $1",
        api.world.organization_id,
    )
    assert row["lifetime"] == 24 * 60 * 60


@pytest.mark.parametrize("key", ["k", "k" * 255, "!~#$%&'()*+,-./:;<=>?@[]^_`{|}", "a\\b", 'a"b', 'ab"', "0"])
async def test_bare_and_quoted_spellings_are_one_key(api, key):
    quoted = '"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"'
    first = await api.sync(idempotency_key=key)
    second = await api.sync(idempotency_key=quoted)
    assert first.status_code == 201
    assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")


async def test_keys_are_compared_exactly(api):
    responses = [await api.sync(idempotency_key=key) for key in ("k", "K", "k.")]
    assert len({response.json()["id"] for response in responses}) == 3


@pytest.mark.parametrize(
    "value", ["", "a b", '""', '"a b"', '"', '"a', '"a"b"', '"a\\b"', "k" * 256, '"' + "k" * 256 + '"', "k\tk", "ké"]
)
async def test_what_is_no_key_is_refused_before_anything_happens(api, value):
    async with nothing_stored(api.world):
        response = await api.post(
            json=api.world.entry(), headers={**api.world.headers, b"idempotency-key": value.encode("latin-1")}
        )
    assert (response.status_code, refusal(response)) == (400, INVALID)


async def test_two_keys_are_one_too_many(api):
    headers = [*api.world.headers.items(), ("idempotency-key", "a"), ("idempotency-key", "a")]
    async with nothing_stored(api.world):
        response = await api.post(json=api.world.entry(), headers=headers)
    assert response.status_code == 400
    assert refusal(response) == {
        "error": "idempotency_key_invalid",
        "message": "Idempotency-Key was sent more than once",
    }


async def test_a_comma_list_is_one_key_not_two(api):
    response = await api.sync(idempotency_key="a,b")
    assert response.status_code == 201
    assert "idempotent-replayed" not in (await api.sync(idempotency_key="a")).headers
