"""The secrets of webhooks: shown once, stored sealed, replaced with an overlap, and nowhere else."""

import base64
import json
from datetime import UTC, datetime, timedelta

from tests.api.subscriptions import PATH, URL, nothing_stored, shown, stored_rows, subscribed

BODY = {"destinationUrl": URL, "eventNames": ["time.*"]}


def spellings(secret: str) -> list[str]:
    """The secret as it might stand somewhere."""
    plain = secret.removeprefix("whsec_")
    raw = base64.b64decode(plain)
    return [plain, plain.encode().hex(), raw.hex(), base64.urlsafe_b64encode(raw).decode().rstrip("=")]


async def test_no_secret_is_stored_in_clear_and_no_read_shows_one(world, office):
    first = await office.post(PATH, BODY, headers={"Idempotency-Key": "a-secret"})
    made = first.json()
    path = f"{PATH}/{made['id']}"
    rotated = await office.post(f"{path}/rotate-secret", {}, headers={"Idempotency-Key": "another"})
    secrets = [made["hmacSecret"], rotated.json()["hmacSecret"]]
    assert secrets[0] != secrets[1]
    await office.post(f"{path}/test", None)
    reads = [
        (await office.get(each)).text for each in (PATH, path, f"{path}/deliveries", "/audit-events", "/changes", "/me")
    ]
    stored = await stored_rows(world)
    assert sum('"eventName"' in each or '"event_name"' in each for each in stored) >= 3
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in "\n".join([*reads, *stored])


async def test_a_repeat_gets_the_same_secret_byte_for_byte_and_makes_one_webhook(world, office):
    headers = {"Idempotency-Key": "make"}
    first = await office.post(PATH, BODY, headers=headers)
    async with nothing_stored(world):
        again = await office.post(PATH, BODY, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert await world.count("webhooks") == 1


async def test_a_repeated_rotation_rotates_once(world, office):
    made = await subscribed(office)
    path, headers = f"{PATH}/{made['id']}/rotate-secret", {"Idempotency-Key": "rotate"}
    first = await office.post(path, {"overlapSeconds": 60}, headers=headers)
    async with nothing_stored(world):
        again = await office.post(path, {"overlapSeconds": 60}, headers=headers)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.json()["hmacSecret"] != made["hmacSecret"]


async def test_a_rotation_needs_no_body_and_keeps_the_old_secret_for_a_day(office):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}"
    response = await office.call("POST", f"{path}/rotate-secret")
    assert response.status_code == 200
    body = response.json()
    until = datetime.fromisoformat(body["previousSecretValidUntil"])
    assert abs(until - datetime.now(UTC) - timedelta(days=1)) < timedelta(minutes=1)
    assert shown(body) == shown(made) | {
        "previousSecretValidUntil": body["previousSecretValidUntil"],
        "updatedAt": body["updatedAt"],
    }
    assert (await office.get(path)).json() == shown(body)


async def test_a_rotation_is_one_event_without_the_secret(world, office):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}"
    first = (await office.post(f"{path}/rotate-secret", {"overlapSeconds": 3600})).json()
    rows = await world.pool.fetch(
        "select * from events where organization_id = $1 and event_name = 'webhook.secret_rotated'",
        world.organization_id,
    )
    assert len(rows) == 1
    assert (rows[0]["actor_user_id"], rows[0]["actor_api_key_id"]) == (world.admin_id, world.key_id)
    assert json.loads(rows[0]["before"]) == {"previousSecretValidUntil": None}
    assert json.loads(rows[0]["after"]) == {"previousSecretValidUntil": first["previousSecretValidUntil"]}


async def test_no_secret_reaches_the_log(world, office, tmp_path_factory):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}"
    rotated = (await office.post(f"{path}/rotate-secret", {})).json()
    refused = await office.post(PATH, {"destinationUrl": made["hmacSecret"], "eventNames": [rotated["hmacSecret"]]})
    assert refused.status_code == 400  # which is logged
    logs = "\n".join(each.read_text("utf-8") for each in tmp_path_factory.getbasetemp().rglob("server.log"))
    assert refused.headers["x-request-id"] in logs
    for secret in (made["hmacSecret"], rotated["hmacSecret"]):
        for spelling in spellings(secret):
            assert spelling not in logs
