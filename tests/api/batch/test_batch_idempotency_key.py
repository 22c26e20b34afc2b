"""The header Idempotency-Key on a batch: one effect, one answer, kept in one transaction with what it stored."""

import asyncio
import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.api.batch.conftest import (
    BATCH_PATH,
    NOBODY,
    Batches,
    results_of,
    statuses,
    stored_more,
    without_request_id,
)


async def kept_rows(batches: Batches):
    return await batches.world.pool.fetch(
        "select *, expires_at - created_at as kept_for, now() as now from idempotency_keys where organization_id = $1",
        batches.world.organization_id,
    )


async def expire(batches: Batches) -> None:
    await batches.world.pool.execute(
        "update idempotency_keys set expires_at = now() where organization_id = $1", batches.world.organization_id
    )


async def test_a_replay_is_byte_identical_and_has_no_effect(batches):
    world = batches.world
    entries = [world.entry(description="é\n🙂"), world.entry(minutes=0), world.entry(externalMetadata={"a": 1.50})]
    async with stored_more(world, 2, idempotency_keys=1):
        first = await batches.sync(*entries, idempotency_key="k-1")
        replays = [await batches.sync(*entries, idempotency_key="k-1") for _ in range(3)]
    assert statuses(results_of(first)) == [201, 400, 201]
    assert "idempotent-replayed" not in first.headers
    for replay in replays:
        assert (replay.status_code, replay.content) == (200, first.content)
        assert replay.headers["idempotent-replayed"] == "true"
        assert "idempotency-body-mismatch" not in replay.headers
        assert replay.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_replay_shows_the_entries_as_they_were_then(batches):
    entry = batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    await batches.world.pool.execute(
        "update time_entries set status = 'approved', deleted_at = now() where organization_id = $1",
        batches.world.organization_id,
    )
    assert (await batches.sync(entry, idempotency_key="k")).content == first.content
    (now,) = await batches.results(entry, idempotency_key="another")
    assert now["status"] == 410


async def test_another_body_gets_the_first_answer_is_told_and_counted(batches):
    entry = batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    before = await mismatches(batches)
    async with stored_more(batches.world, 0):
        other = await batches.sync(batches.world.entry(), idempotency_key="k")
    assert (other.status_code, other.content) == (200, first.content)
    assert other.headers["idempotent-replayed"] == "true"
    assert other.headers["idempotency-body-mismatch"] == "true"
    assert await mismatches(batches) == before + 1


async def mismatches(batches: Batches) -> float:
    text = (await batches.stream_client.get("/metrics")).text
    found = re.search(r'align_idempotency_results_total\{result="body_mismatch"\} ([0-9.]+)', text)
    return float(found[1]) if found else 0.0


async def test_a_strict_organisation_refuses_another_body(batches):
    await batches.be_strict()
    entry = batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    async with stored_more(batches.world, 0):
        other = await batches.sync(batches.world.entry(), idempotency_key="k")
        same = await batches.sync(entry, idempotency_key="k")
    assert other.status_code == 422
    assert without_request_id(other.json(), other) == {
        "error": "idempotency_key_reused",
        "message": "this Idempotency-Key was used with another body; use a new key for a new request",
    }
    assert same.content == first.content


@pytest.mark.parametrize("body", [b"{", b'{"entries":[]}', b"", b'{"entries":[],"entries":[]}'])
async def test_a_repeat_with_a_body_that_is_no_batch_is_a_replay_too(batches, body):
    first = await batches.sync(batches.world.entry(), idempotency_key="k")
    replay = await batches.send(body, idempotency_key="k")
    assert (replay.status_code, replay.content) == (200, first.content)
    assert replay.headers["idempotency-body-mismatch"] == "true"


async def test_a_replay_comes_before_the_plan(batches):
    world, entry = batches.world, batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    await world.pool.execute(
        "update organizations set features = '{}' where organization_id = $1", world.organization_id
    )
    replay = await batches.sync(entry, idempotency_key="k")
    assert (replay.status_code, replay.content) == (200, first.content)
    fresh = await batches.sync(entry, idempotency_key="fresh")
    assert (fresh.status_code, fresh.json()["reason"]) == (402, "feature_disabled")


async def test_a_kept_answer_lives_24_hours_by_the_clock_of_the_database(batches):
    await batches.sync(batches.world.entry(), idempotency_key="k")
    (row,) = await kept_rows(batches)
    assert (row["method"], row["path"], row["key"], row["status"]) == ("POST", BATCH_PATH, "k", 200)
    assert row["api_key_id"] == batches.world.key_id
    assert row["kept_for"] == timedelta(hours=24)
    assert timedelta() <= row["now"] - row["created_at"] < timedelta(minutes=1)


async def test_an_expired_key_is_used_anew_and_kept_anew(batches):
    entry = batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    await expire(batches)
    async with stored_more(batches.world, 1):
        second = await batches.sync(batches.world.entry(), entry, idempotency_key="k")
    assert "idempotent-replayed" not in second.headers
    assert statuses(results_of(second)) == [201, 200]
    assert second.content != first.content
    replay = await batches.sync(entry, idempotency_key="k")
    assert replay.content == second.content
    (row,) = await kept_rows(batches)
    assert row["kept_for"] == timedelta(hours=24)


@pytest.mark.parametrize("status", [400, 402, 409, 415])
async def test_a_refused_batch_is_not_kept_so_the_key_may_be_retried(batches, status):
    world, entry = batches.world, batches.world.entry()
    change_features = "update organizations set features = $2 where organization_id = $1"
    async with stored_more(world, 0):
        if status == 400:
            refused = await batches.send(b'{"entries":5}', idempotency_key="k")
        elif status == 402:
            await world.pool.execute(change_features, world.organization_id, [])
            refused = await batches.sync(entry, idempotency_key="k")
            await world.pool.execute(change_features, world.organization_id, ["time_tracking"])
        elif status == 409:
            bad = world.entry(projectId=NOBODY)
            refused = await batches.sync(entry, bad, query="?atomic=true", idempotency_key="k")
        else:
            refused = await batches.sync(entry, idempotency_key="k", content_type="text/plain")
    assert refused.status_code == status
    async with stored_more(world, 1, idempotency_keys=1):
        retried = await batches.sync(entry, idempotency_key="k")
    assert statuses(results_of(retried)) == [201]
    assert "idempotent-replayed" not in retried.headers


async def test_effects_and_kept_answer_commit_together_or_not_at_all(batches):
    world, name = batches.world, f"poison_{uuid4().hex}"
    await world.pool.execute(
        f"""
        create function {name}() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$;
        create trigger {name} before insert on idempotency_keys
            for each row when (new.organization_id = '{world.organization_id}') execute function {name}();
        """
    )
    entry = world.entry()
    try:
        async with stored_more(world, 0):
            failed = await batches.sync(entry, world.entry(), idempotency_key="k")
    finally:
        await world.pool.execute(f"drop function {name} cascade")
    assert (failed.status_code, failed.json()["error"]) == (500, "internal_error")
    async with stored_more(world, 1, idempotency_keys=1):
        assert statuses(await batches.results(entry, idempotency_key="k")) == [201]


async def test_nothing_of_a_batch_is_seen_before_its_answer_is_kept(batches):
    """The kept answer is held up by another transaction: meanwhile no entry is visible to anybody."""
    world = batches.world
    async with world.pool.acquire() as holder, holder.transaction():
        await holder.execute(
            "insert into idempotency_keys (organization_id, api_key_id, method, path, key, body_digest, status, "
            "response, expires_at) values ($1, $2, 'POST', $3, 'k', 'x', 200, '', now() - interval '1 day')",
            world.organization_id,
            world.key_id,
            BATCH_PATH,
        )
        pending = asyncio.ensure_future(batches.sync(world.entry(), world.entry(), idempotency_key="k"))
        while not await holder.fetchval(
            "select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))", holder.get_server_pid()
        ):
            assert not pending.done()
        assert await world.count("time_entries") == 0
    response = await pending
    assert statuses(results_of(response)) == [201, 201]
    assert await world.count("time_entries") == 2


async def test_both_paths_and_both_spellings_are_one_key(batches):
    world, entry = batches.world, batches.world.entry()
    first = await batches.sync(entry, idempotency_key="k")
    replay = await batches.client.post(
        BATCH_PATH.removeprefix("/api/v1"),
        content=b'{"entries":[' + json.dumps(entry, ensure_ascii=False).encode() + b"]}",
        headers=world.headers | {"Idempotency-Key": '"k"', "content-type": "application/json"},
    )
    assert (replay.content, replay.headers["idempotent-replayed"]) == (first.content, "true")
    assert "idempotency-body-mismatch" not in replay.headers


async def test_the_same_text_is_another_key_for_another_operation_api_key_or_organisation(batches, other_world):
    world, entry = batches.world, batches.world.entry()
    await batches.client.post(
        BATCH_PATH.removesuffix("/batch"), json=entry, headers=world.headers | {"Idempotency-Key": "k"}
    )
    _, second_key = await world.mint()
    answers = [
        await batches.sync(entry, idempotency_key="k"),
        await batches.sync(entry, idempotency_key="k", authorization=f"Bearer {second_key}"),
        await Batches(other_world, batches.client, batches.stream_client).sync(
            other_world.entry(), idempotency_key="k"
        ),
    ]
    assert [statuses(results_of(answer)) for answer in answers] == [[200], [200], [201]]
    assert not [answer for answer in answers if "idempotent-replayed" in answer.headers]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, '"open', '""'])
async def test_an_unfit_key_is_refused(batches, key):
    async with stored_more(batches.world, 0):
        response = await batches.sync(batches.world.entry(), idempotency_key=key)
    assert response.status_code == 400
    assert without_request_id(response.json(), response) == {
        "error": "idempotency_key_invalid",
        "message": "Idempotency-Key must be 1 to 255 printable ASCII characters without spaces, bare or quoted",
    }


async def test_a_thousand_members_are_replayed_byte_for_byte(batches):
    entries = [batches.world.entry() for _ in range(1000)]
    async with stored_more(batches.world, 1000, idempotency_keys=1):
        first = await batches.sync(*entries, idempotency_key="k")
        replay = await batches.sync(*entries, idempotency_key="k")
    assert first.json()["created"] == 1000
    assert (replay.content, replay.headers["idempotent-replayed"]) == (first.content, "true")
