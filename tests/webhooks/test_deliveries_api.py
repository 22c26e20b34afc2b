"""Tests, deliveries, redeliveries and replays: what the API answers, and what arrives at a receiver."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.api.office import Office
from tests.waiting import until
from tests.webhooks.office import Receiver, delivering_office, hooked, new_database, receiving

SYNC = "/integration/time-entries"


@pytest.fixture(scope="module")
def own_database_url(database_url: str) -> str:
    return new_database(database_url)


@pytest.fixture
async def desk(own_database_url: str, tmp_path) -> AsyncIterator[Office]:
    async with delivering_office(own_database_url, tmp_path) as office:
        yield office


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def deliveries(office: Office, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    return (await office.listed(f"/webhooks/{webhook['id']}/deliveries", **query))["data"]


async def settled(office: Office, webhook: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The deliveries, as soon as so many have an attempt noted."""

    async def all_noted() -> list[dict[str, Any]]:
        found = await deliveries(office, webhook, pageSize=100)
        return found if sum(bool(each["attempts"]) for each in found) >= count else []

    return await until(all_noted, f"{count} settled deliveries")


def recent(text: str) -> bool:
    return abs(datetime.now(UTC) - datetime.fromisoformat(text)) < timedelta(minutes=1)


async def test_a_test_arrives_signed_and_is_listed_with_its_attempt(desk, receiver):
    receiver.status, receiver.answer = 200, b"thanks \xff\x00" + b"x" * 2000
    made = await hooked(desk, receiver, "time.approved")
    response = await desk.post(f"/webhooks/{made['id']}/test", None)
    assert response.status_code == 202
    (request,) = await receiver.arrived(1)
    assert response.json() == {"deliveryId": request.id}
    assert Webhook(made["hmacSecret"]).verify(request.body, request.headers) == request.json
    occurred_at = request.json["occurredAt"]
    assert recent(occurred_at)
    assert request.json == {
        "id": request.id,
        "eventName": "webhook.test",
        "schemaVersion": 1,
        "entityType": "webhook",
        "entityId": made["id"],
        "occurredAt": occurred_at,
        "actorUserId": str(desk.world.admin_id),
        "payload": {"before": None, "after": {"message": "A test of this webhook."}},
    }
    (listed,) = await settled(desk, made, 1)
    (attempt,) = listed.pop("attempts")
    assert recent(attempt.pop("attemptedAt"))
    assert attempt.pop("durationMilliseconds") >= 0
    shown = "thanks \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" + "x" * (1024 - 9)
    assert attempt == {"number": 1, "status": 200, "answer": shown, "error": None}
    assert recent(listed.pop("createdAt"))
    assert recent(listed.pop("settledAt"))
    assert listed == {
        "id": request.id,
        "webhookId": made["id"],
        "eventId": listed["eventId"],
        "eventName": "webhook.test",
        "entityId": made["id"],
        "state": "delivered",
        "nextAttemptAt": None,
    }


async def test_tests_and_redeliveries_are_one_event_each(desk, receiver):
    made = await hooked(desk, receiver, "time.approved")
    delivery_id = None
    known = await desk.world.count("events")
    delivery_id = (await desk.post(f"/webhooks/{made['id']}/test", None)).json()["deliveryId"]
    await settled(desk, made, 1)
    response = await desk.post(f"/webhooks/{made['id']}/deliveries/{delivery_id}/redeliver", None)
    assert (response.status_code, response.json()) == (202, {"queued": 1})
    rows = await desk.world.pool.fetch(
        "select event_name, actor_user_id, actor_api_key_id, after::jsonb ->> 'deliveryId' as delivery_id from events "
        "where organization_id = $1 order by transaction_id, id offset $2",
        desk.world.organization_id,
        known,
    )
    by = (desk.world.admin_id, desk.world.key_id)
    assert [tuple(row) for row in rows] == [
        ("webhook.tested", *by, delivery_id),
        ("webhook.redelivered", *by, delivery_id),
    ]


async def test_a_repeated_test_with_an_idempotency_key_arrives_once(desk, receiver):
    made = await hooked(desk, receiver, "time.approved")
    headers = {"Idempotency-Key": "test"}
    first, second = [await desk.post(f"/webhooks/{made['id']}/test", None, headers=headers) for _ in range(2)]
    assert (second.status_code, second.content) == (202, first.content)
    assert len(await settled(desk, made, 1)) == 1
    assert len(receiver.received) == 1


async def test_a_webhook_gets_the_events_it_asks_for_and_no_others(desk, receiver):
    made = await hooked(desk, receiver, "time.*")
    world = desk.world
    await desk.made("/projects", {"name": "Nothing of its business"})
    entry = await desk.made(SYNC, world.entry())
    await desk.post(f"/time-entries/{entry['id']}/submit", {})
    first, second = (await receiver.arrived(2))[:2]
    assert [each.json["eventName"] for each in (first, second)] == ["time.logged", "time.submitted"]
    assert {each.json["entityId"] for each in (first, second)} == {entry["id"]}
    after = first.json["payload"]["after"]
    assert after == {name: entry[name] for name in after}
    assert second.json["payload"] == {"before": {"status": "draft"}, "after": {"status": "submitted"}}
    assert {each.json["actorUserId"] for each in (first, second)} == {str(world.admin_id)}
    assert len({each.id for each in (first, second)}) == 2
    assert [each["eventName"] for each in await settled(desk, made, 2)] == ["time.submitted", "time.logged"]


async def test_both_secrets_sign_for_the_overlap_and_then_the_new_one_alone(desk, receiver):
    made = await hooked(desk, receiver, "time.approved")
    path = f"/webhooks/{made['id']}"
    new = (await desk.post(f"{path}/rotate-secret", {"overlapSeconds": 3600})).json()["hmacSecret"]
    await desk.post(f"{path}/test", None)
    (during,) = await receiver.arrived(1)
    for secret in (made["hmacSecret"], new):
        Webhook(secret).verify(during.body, during.headers)
    newest = base64.b64decode(new.removeprefix("whsec_"))
    assert during.headers["x-align-signature"] == "sha256=" + hmac.digest(newest, during.body, hashlib.sha256).hex()

    await desk.world.pool.execute(  # time passes
        "update webhooks set previous_secret_valid_until = now() where organization_id = $1",
        desk.world.organization_id,
    )
    await desk.post(f"{path}/test", None)
    after = (await receiver.arrived(2))[1]
    Webhook(new).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(made["hmacSecret"]).verify(after.body, after.headers)


async def test_without_an_overlap_the_old_secret_ends_at_once(desk, receiver):
    made = await hooked(desk, receiver, "time.approved")
    path = f"/webhooks/{made['id']}"
    new = (await desk.post(f"{path}/rotate-secret", {"overlapSeconds": 0})).json()["hmacSecret"]
    await desk.post(f"{path}/test", None)
    (request,) = await receiver.arrived(1)
    Webhook(new).verify(request.body, request.headers)
    assert " " not in request.headers["webhook-signature"]


async def test_a_redelivery_has_the_same_id_and_bytes_and_one_more_attempt(desk, receiver):
    made = await hooked(desk, receiver, "time.logged")
    await desk.made(SYNC, desk.world.entry())
    (first,) = await receiver.arrived(1)
    await settled(desk, made, 1)
    path = f"/webhooks/{made['id']}/deliveries/{first.id}/redeliver"
    assert (await desk.post(path, None)).status_code == 202
    second = (await receiver.arrived(2))[1]
    assert (second.id, second.body) == (first.id, first.body)
    Webhook(made["hmacSecret"]).verify(second.body, second.headers)

    async def twice() -> bool:
        (listed,) = await deliveries(desk, made)
        return [each["number"] for each in listed["attempts"]] == [1, 2] and listed["state"] == "delivered"

    assert await until(twice, "second attempt")


async def test_unknown_deliveries_and_those_of_another_webhook_are_not_found(desk, receiver):
    made, other = [await hooked(desk, receiver, "time.approved", enabled=False) for _ in range(2)]
    delivery_id = (await desk.post(f"/webhooks/{made['id']}/test", None)).json()["deliveryId"]
    known = await desk.world.count("events")
    for each in (delivery_id, str(uuid4()), "no-id"):
        response = await desk.post(f"/webhooks/{other['id']}/deliveries/{each}/redeliver", None)
        assert (response.status_code, response.json()["error"]) == (404, "not_found"), each
    assert await desk.world.count("events") == known


async def test_a_disabled_webhook_gets_nothing_until_it_is_enabled(desk, receiver):
    made = await hooked(desk, receiver, "time.logged", enabled=False)
    path = f"/webhooks/{made['id']}"
    missed = await desk.made(SYNC, desk.world.entry())
    await desk.patch(path, {"enabled": True})
    wanted = await desk.made(SYNC, desk.world.entry())
    (request,) = await receiver.arrived(1)
    assert request.json["entityId"] == wanted["id"]
    assert missed["id"] not in {each["entityId"] for each in await deliveries(desk, made)}


def span(**changes: Any) -> dict[str, str]:
    now = datetime.now(UTC)
    moments = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1), **changes}
    return {name: moment.isoformat() for name, moment in moments.items()}


async def test_a_replay_sends_the_known_again_and_the_missed_for_the_first_time(desk, receiver):
    world = desk.world
    before = await desk.made(SYNC, world.entry())
    made = await hooked(desk, receiver, "time.logged")
    path = f"/webhooks/{made['id']}"
    known = await desk.made(SYNC, world.entry())
    await settled(desk, made, 1)
    await desk.patch(path, {"enabled": False})
    missed = await desk.made(SYNC, world.entry())
    await desk.post(f"/time-entries/{missed['id']}/submit", {})  # not asked for
    await desk.patch(path, {"enabled": True})
    asked = span()
    recorded = await world.count("events")
    response = await desk.post(f"{path}/replay", asked)
    assert (response.status_code, response.json()) == (202, {"queued": 3})
    requests = await receiver.arrived(4)
    sent: dict[str, list[str]] = {}
    for request in requests:
        assert request.json["eventName"] == "time.logged"
        sent.setdefault(request.json["entityId"], []).append(request.id)
    assert {name: len(ids) for name, ids in sent.items()} == {before["id"]: 1, known["id"]: 2, missed["id"]: 1}
    assert len(set(sent[known["id"]])) == 1
    row = await world.pool.fetchrow(
        "select event_name, actor_user_id, after::jsonb ->> 'queued' as queued, (select count(*) from events "
        "where organization_id = $1) as total from events where organization_id = $1 "
        "order by transaction_id desc limit 1",
        world.organization_id,
    )
    assert tuple(row) == ("webhook.replayed", world.admin_id, "3", recorded + 1)


async def test_a_replay_keeps_to_its_span_and_its_names_and_to_what_is_asked_for_now(desk, receiver):
    made = await hooked(desk, receiver, "time.*", "project.created", enabled=False)
    path = f"/webhooks/{made['id']}"
    entry = await desk.made(SYNC, desk.world.entry())
    await desk.post(f"/time-entries/{entry['id']}/submit", {})
    await desk.made("/projects", {"name": "Another"})

    async def replayed(**body: Any) -> int:
        response = await desk.post(f"{path}/replay", {**span(), "since": made["createdAt"], **body})
        assert response.status_code == 202, response.text
        return response.json()["queued"]

    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    assert await replayed(**span(since=long_ago, until=long_ago + timedelta(days=1))) == 0
    assert await replayed(eventNames=["ticket.*", "user.invited"]) == 0
    assert await replayed(eventNames=["time.submitted"]) == 1
    assert await replayed(eventNames=["time.*"]) == 1  # the other one; the first is on its way already
    assert await replayed() == 1

    await desk.patch(path, {"enabled": True})
    await settled(desk, made, 3)
    await desk.patch(path, {"eventNames": ["project.*"]})
    assert await replayed() == 1


async def test_deliveries_are_filtered_by_state_event_and_time(desk, receiver):
    made = await hooked(desk, receiver, "time.logged", "project.created")
    await desk.made(SYNC, desk.world.entry())
    await settled(desk, made, 1)
    await desk.made("/projects", {"name": "Another"})
    await settled(desk, made, 2)
    receiver.status, receiver.answer = 500, b"out of order"
    await desk.made(SYNC, desk.world.entry())
    every = await settled(desk, made, 3)
    assert [each["state"] for each in every] == ["pending", "delivered", "delivered"]
    (failed,) = every[0]["attempts"]
    assert (failed["status"], failed["answer"]) == (500, "out of order")
    assert datetime.fromisoformat(every[0]["nextAttemptAt"]) > datetime.now(UTC)
    assert every[0]["settledAt"] is None

    async def ids(**query: Any) -> list[str]:
        return [each["id"] for each in await deliveries(desk, made, **query)]

    newest, middle, oldest = [each["id"] for each in every]
    assert await ids(state="pending") == [newest]
    assert await ids(state="delivered") == [middle, oldest]
    assert await ids(state="failed") == []
    assert await ids(eventName="project.created") == [middle]
    assert await ids(eventName="time.logged", state="delivered") == [oldest]
    assert await ids(since=every[1]["createdAt"]) == [newest, middle]
    assert await ids(until=every[1]["createdAt"]) == [middle, oldest]
    assert await ids(page=2, pageSize=2) == [oldest]
    total = (await desk.listed(f"/webhooks/{made['id']}/deliveries", pageSize=1))["total"]
    assert total == 3


async def test_with_another_key_nothing_is_sent_and_the_delivery_says_why(own_database_url, tmp_path, receiver):
    async with delivering_office(own_database_url, tmp_path, webhook_worker=False) as before:
        made = await hooked(before, receiver, "time.logged")
        async with delivering_office(own_database_url, tmp_path, secret_key="another " * 5) as after:
            desk = Office(before.world, after.client)
            await desk.post(f"/webhooks/{made['id']}/test", None)
            (listed,) = await settled(desk, made, 1)
    (attempt,) = listed["attempts"]
    assert (listed["state"], attempt["status"]) == ("pending", None)
    assert attempt["error"] == "not sent: the secret is sealed with a key that is not in ALIGN_SECRET_KEY"
    assert receiver.received == []


async def test_a_key_that_is_replaced_by_putting_a_new_one_before_it_opens_what_there_is(
    own_database_url, tmp_path, receiver
):
    async with delivering_office(own_database_url, tmp_path, webhook_worker=False) as before:
        made = await hooked(before, receiver, "time.logged")
    both = "n" * 40 + "," + "k" * 32
    async with delivering_office(own_database_url, tmp_path, secret_key=both) as after:
        await Office(before.world, after.client).post(f"/webhooks/{made['id']}/test", None)
        (request,) = await receiver.arrived(1)
    Webhook(made["hmacSecret"]).verify(request.body, request.headers)
