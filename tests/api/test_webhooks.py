"""GET, POST, PATCH and DELETE of webhooks."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from align.webhooks.names import EVENTS, FAMILIES
from align.webhooks.webhooks import MAXIMUM_WEBHOOKS
from tests.api.conftest import refusal
from tests.api.subscriptions import PATH, URL, nothing_stored, shown, subscribed
from tests.conftest import gather_released


async def test_the_answer_has_the_webhook_and_its_secret(world, office):
    async with office.recorded(
        ("webhook.created", None, {"destinationUrl": URL, "eventNames": ["time.approved", "time.rejected"]})
    ):
        response = await office.post(
            PATH,
            {
                "destinationUrl": URL,
                "eventNames": ["time.rejected", "time.approved", "time.rejected"],
                "description": "Payroll",
            },
        )
    assert response.status_code == 201
    body = response.json()
    assert response.headers["location"] == f"/api/v1{PATH}/{body['id']}"
    prefix, _, secret = body.pop("hmacSecret").partition("_")
    assert (prefix, len(base64.b64decode(secret, validate=True))) == ("whsec", 32)
    created_at = datetime.fromisoformat(body["createdAt"])
    assert abs(datetime.now(UTC) - created_at) < timedelta(minutes=1)
    assert body == {
        "id": body["id"],
        "organizationId": str(world.organization_id),
        "destinationUrl": URL,
        "eventNames": ["time.approved", "time.rejected"],
        "description": "Payroll",
        "enabled": True,
        "disabledReason": None,
        "failingSince": None,
        "previousSecretValidUntil": None,
        "createdByUserId": str(world.admin_id),
        "createdAt": body["createdAt"],
        "updatedAt": body["createdAt"],
    }


async def test_every_event_and_every_family_can_be_asked_for(office):
    for names in (list(EVENTS), list(FAMILIES)):
        assert (await subscribed(office, *names))["eventNames"] == sorted(names)


async def test_a_webhook_can_be_made_disabled(office):
    made = await subscribed(office, enabled=False)
    assert (made["enabled"], made["disabledReason"]) == (False, None)


async def test_secrets_differ_and_reads_show_none(office):
    first, second = [await subscribed(office) for _ in range(2)]
    assert first["hmacSecret"] != second["hmacSecret"]
    listed = await office.listed(PATH)
    assert listed == {"data": [shown(first), shown(second)], "page": 1, "pageSize": 25, "total": 2}
    assert (await office.get(f"{PATH}/{first['id']}")).json() == shown(first)


async def test_lists_have_pages_in_a_stable_order(office):
    made = [(await subscribed(office))["id"] for _ in range(5)]
    pages = [await office.listed(PATH, page=page, pageSize=2) for page in (1, 2, 3, 4)]
    assert [[each["id"] for each in page["data"]] for page in pages] == [made[:2], made[2:4], made[4:], []]
    assert {page["total"] for page in pages} == {5}


async def test_a_change_changes_what_it_names_only(office):
    made = await subscribed(office, "time.approved", description="Payroll")
    path = f"{PATH}/{made['id']}"
    async with office.recorded(
        (
            "webhook.updated",
            {"destinationUrl": URL, "eventNames": ["time.approved"]},
            {"destinationUrl": "https://other.example.com/", "eventNames": ["project.*", "time.*"]},
        )
    ):
        response = await office.patch(
            path, {"destinationUrl": "https://other.example.com/", "eventNames": ["time.*", "project.*", "time.*"]}
        )
    assert response.status_code == 200
    changed = response.json()
    assert changed == shown(made) | {
        "destinationUrl": "https://other.example.com/",
        "eventNames": ["project.*", "time.*"],
        "updatedAt": changed["updatedAt"],
    }
    assert changed["updatedAt"] > made["updatedAt"]
    assert (await office.get(path)).json() == changed


async def test_null_takes_the_description_away(office):
    made = await subscribed(office, description="Payroll")
    async with office.recorded(("webhook.updated", {"description": "Payroll"}, {"description": None})):
        response = await office.patch(f"{PATH}/{made['id']}", {"description": None})
    assert response.json()["description"] is None


@pytest.mark.parametrize("body", [{}, {"enabled": True}, {"eventNames": ["time.*", "time.*"], "destinationUrl": URL}])
async def test_what_is_so_already_is_no_change(world, office, body):
    made = await subscribed(office)
    async with nothing_stored(world):
        response = await office.patch(f"{PATH}/{made['id']}", body)
    assert (response.status_code, response.json()) == (200, shown(made))


async def test_a_webhook_is_disabled_and_enabled_again(office):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}"
    async with office.recorded(("webhook.updated", {"enabled": True}, {"enabled": False})):
        assert (await office.patch(path, {"enabled": False})).json()["enabled"] is False
    async with office.recorded(("webhook.updated", {"enabled": False}, {"enabled": True})):
        assert (await office.patch(path, {"enabled": True})).json()["enabled"] is True


async def test_enabling_ends_what_disabled_it(world, office):
    made = await subscribed(office)
    await world.pool.execute(
        "update webhooks set enabled = false, disabled_reason = 'failing', failing_since = '2025-01-15T00:00:00Z' "
        "where organization_id = $1",
        world.organization_id,
    )
    path = f"{PATH}/{made['id']}"
    assert (await office.get(path)).json()["disabledReason"] == "failing"
    async with office.recorded(
        (
            "webhook.updated",
            {"enabled": False, "disabledReason": "failing", "failingSince": "2025-01-15T00:00:00Z"},
            {"enabled": True, "disabledReason": None, "failingSince": None},
        )
    ):
        enabled = (await office.patch(path, {"enabled": True})).json()
    assert (enabled["enabled"], enabled["disabledReason"], enabled["failingSince"]) == (True, None, None)


async def test_a_deleted_webhook_is_gone_with_its_deliveries(world, office):
    kept, made = await subscribed(office), await subscribed(office)
    path = f"{PATH}/{made['id']}"
    for each in (kept, made):
        assert (await office.post(f"{PATH}/{each['id']}/test", None)).status_code == 202
    async with office.recorded(("webhook.deleted", {"id": made["id"], "destinationUrl": URL}, None)):
        response = await office.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    assert (await office.get(path)).status_code == 404
    assert (await office.delete(path)).status_code == 404
    assert (await office.listed(PATH))["data"] == [shown(kept)]
    assert await world.count("webhook_deliveries") == 1


async def test_there_are_so_many_webhooks_and_no_more(world, office):
    await subscribed(office)
    await world.pool.execute(
        """
        insert into webhooks
        select w.organization_id, gen_random_uuid(), w.destination_url, w.event_names, w.description, w.enabled,
            w.disabled_reason, w.sealed_secret, w.sealed_previous_secret, w.previous_secret_valid_until,
            w.failing_since, w.from_epoch, w.from_transaction_id, w.created_by_user_id
        from webhooks w cross join generate_series(1, $2)
        where w.organization_id = $1
        """,
        world.organization_id,
        MAXIMUM_WEBHOOKS - 4,
    )
    body = {"destinationUrl": URL, "eventNames": ["time.*"]}
    responses = await gather_released(8, lambda _: office.post(PATH, body))
    assert sorted(each.status_code for each in responses) == [201] * 3 + [409] * 5
    assert await world.count("webhooks") == MAXIMUM_WEBHOOKS
    async with nothing_stored(world):
        response = await office.post(PATH, body)
    assert (response.status_code, refusal(response)) == (
        409,
        {
            "error": "too_many_webhooks",
            "message": "an organisation has at most 100 webhooks; delete one, or let one ask for more events",
            "path": "",
        },
    )


async def test_other_organisations_webhooks_are_none(world, other_world, office):
    made = await subscribed(office)
    path = f"{PATH}/{made['id']}"
    assert (await office.listed(PATH, key=other_world.key))["data"] == []
    async with nothing_stored(world), nothing_stored(other_world):
        for foreign in (path, f"{PATH}/{uuid4()}", f"{PATH}/no-id"):
            key = other_world.key
            answers = [
                await office.get(foreign, key=key),
                await office.patch(foreign, {"enabled": False}, key=key),
                await office.delete(foreign, key=key),
                await office.post(f"{foreign}/rotate-secret", {}, key=key),
                await office.post(f"{foreign}/test", None, key=key),
                await office.get(f"{foreign}/deliveries", key=key),
                await office.post(f"{foreign}/deliveries/{uuid4()}/redeliver", None, key=key),
                await office.post(
                    f"{foreign}/replay", {"since": "2025-01-15T00:00:00Z", "until": "2025-01-16T00:00:00Z"}, key=key
                ),
            ]
            for each in answers:
                assert each.status_code == 404, each.request.url
                assert refusal(each)["message"] == "no such webhook in this organisation"


async def test_the_audit_trail_has_what_was_done_to_webhooks_and_shows_it_to_no_project(world, office):
    made = await subscribed(office)
    await office.patch(f"{PATH}/{made['id']}", {"enabled": False})
    await office.delete(f"{PATH}/{made['id']}")
    found = (await office.listed("/audit-events", entityType="webhook"))["data"]
    assert {each["action"] for each in found} == {"webhook.created", "webhook.updated", "webhook.deleted"}
    assert {each["entityId"] for each in found} == {made["id"]}
    for path in ("/audit-events", "/changes"):
        seen = await office.get(path, key=world.project_key)
        assert seen.status_code == 200
        assert made["id"] not in seen.text


def test_the_document_lists_the_names_that_can_be_asked_for(document):
    for name in ("CreateWebhook", "UpdateWebhook", "ReplayWebhook"):
        member = document["components"]["schemas"][name]["properties"]["eventNames"]
        assert member["items"]["enum"] == [*EVENTS, *FAMILIES]
