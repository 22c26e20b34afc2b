"""Members that the operation does not know: ignored, but never silently; a strict organisation refuses them."""

import json

import pytest

from tests.api.conftest import Api, nothing_stored, refusal, stored_once, validation_error

UNKNOWN = "is not a member of this request"


@pytest.fixture
async def strict(api, pool) -> Api:
    await pool.execute("update organizations set strict = true where organization_id = $1", api.world.organization_id)
    return api


async def test_unknown_members_are_ignored_and_named(api):
    async with stored_once(api.world):
        created = await api.sync(api.world.entry(billabel=False, Minutes=3, hours="1"))
    assert created.status_code == 201
    assert created.headers["ignored-fields"] == "billabel, Minutes, hours"
    assert (created.json()["billable"], created.json()["minutes"]) == (True, 150)


async def test_known_members_are_not_named(api):
    assert "ignored-fields" not in (await api.sync()).headers


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a b", "a%20b"),
        ("a,b", "a%2Cb"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("🙂", "%F0%9F%99%82"),
        ("100%", "100%25"),
        ("", ""),
    ],
)
async def test_names_that_a_header_can_not_carry_are_percent_encoded(api, name, shown):
    created = await api.sync({**api.world.entry(), name: 1})
    assert (created.status_code, created.headers["ignored-fields"]) == (201, shown)
    assert "x-evil" not in created.headers


async def test_a_thousand_unknown_names_do_not_make_an_endless_header(api):
    created = await api.sync({**api.world.entry(), **{f"unknown{number}": number for number in range(1000)}})
    assert created.status_code == 201
    assert created.headers["ignored-fields"].startswith("unknown0, unknown1, ")
    assert created.headers["ignored-fields"].endswith("...")
    assert len(created.headers["ignored-fields"]) == 1003


async def test_a_repeat_and_a_refusal_name_them_too(api):
    entry = api.world.entry(billabel=False)
    await api.sync(entry)
    repeat = await api.sync(entry)
    refused = await api.sync(api.world.entry(userId=str(api.world.organization_id), billabel=False))
    assert (repeat.status_code, repeat.headers["ignored-fields"]) == (200, "billabel")
    assert (refused.status_code, refused.headers["ignored-fields"]) == (404, "billabel")


async def test_a_strict_organisation_refuses_unknown_members(strict):
    async with nothing_stored(strict.world):
        response = await strict.sync(strict.world.entry(billabel=False, Minutes=3), idempotency_key="k")
    assert response.status_code == 400
    assert refusal(response) == validation_error(
        ("billabel", "unknown_field", UNKNOWN), ("Minutes", "unknown_field", UNKNOWN)
    )


async def test_a_strict_organisation_hears_of_unknown_members_beside_every_other_problem(strict):
    async with nothing_stored(strict.world):
        response = await strict.send(json.dumps(strict.world.entry(minutes=0, billabel=False)))
    assert response.status_code == 400
    assert refusal(response) == validation_error(
        ("minutes", "out_of_range", "must be an integer from 1 to 1440"), ("billabel", "unknown_field", UNKNOWN)
    )


async def test_a_lenient_organisation_hears_of_the_other_problems_only(api):
    response = await api.sync(api.world.entry(minutes=0, billabel=False))
    assert refusal(response) == validation_error(("minutes", "out_of_range", "must be an integer from 1 to 1440"))


async def test_unknown_members_inside_the_metadata_are_its_own(strict):
    response = await strict.sync(strict.world.entry(externalMetadata={"billabel": False, "minutes": 0}))
    assert response.status_code == 201
    assert "ignored-fields" not in response.headers


async def test_a_strict_organisation_takes_what_is_in_order(strict):
    entry = strict.world.entry(description="x", billable=False, entryId=str(strict.world.ticket_id))
    async with stored_once(strict.world):
        assert [(await strict.sync(entry)).status_code, (await strict.sync(entry)).status_code] == [201, 200]


@pytest.mark.parametrize("second", ["another body", "malformed", "unknown member", "wrong media type"])
async def test_a_strict_organisation_refuses_a_used_key_with_another_body(strict, second):
    entry = strict.world.entry()
    await strict.sync(entry, idempotency_key="k")
    bodies = {
        "another body": json.dumps({**entry, "minutes": 1}),
        "malformed": "{",
        "unknown member": json.dumps({**entry, "billabel": True}),
        "wrong media type": json.dumps({**entry, "minutes": 1}),
    }
    more = {"content_type": "text/plain"} if second == "wrong media type" else {}
    async with nothing_stored(strict.world):
        response = await strict.send(bodies[second], idempotency_key="k", **more)
    assert response.status_code == 422
    assert refusal(response) == {
        "error": "idempotency_key_reused",
        "message": "this Idempotency-Key was used with another body; use a new key for a new request",
    }


async def test_a_strict_organisation_replays_the_same_body_however_it_is_written(strict):
    entry = strict.world.entry()
    first = await strict.sync(entry, idempotency_key="k")
    replay = await strict.send(json.dumps(dict(reversed(entry.items())), indent=2), idempotency_key="k")
    assert (replay.status_code, replay.content) == (201, first.content)


async def test_a_strict_organisation_takes_other_content_of_a_known_pair_as_everybody_does(strict):
    entry = strict.world.entry()
    await strict.sync(entry)
    repeat = await strict.sync({**entry, "minutes": 1})
    assert (repeat.status_code, repeat.headers["content-differs"]) == (200, "minutes")


async def test_a_strict_organisations_expired_key_is_new_with_any_body(strict, pool):
    await strict.sync(idempotency_key="k")
    await pool.execute(
        "update idempotency_keys set expires_at = now() where organization_id = $1", strict.world.organization_id
    )
    assert (await strict.sync(idempotency_key="k")).status_code == 201
