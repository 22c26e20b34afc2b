"""The request table of the contract, row by row: types, required, limits, defaults, and every problem named."""

import json
from uuid import uuid4

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once, validation_error

UUID_MESSAGE = "must be a UUID, such as 7b1e2c3d-0000-0000-0000-000000000001"
MINUTES_MESSAGE = "must be an integer from 1 to 1440"
NAME_MESSAGE = "must be a string of 1 to 255 characters"
DESCRIPTION_MESSAGE = "must be a string of 0 to 2000 characters"
REQUIRED = {
    "projectId": UUID_MESSAGE,
    "userId": UUID_MESSAGE,
    "workDate": "must be a string",
    "minutes": MINUTES_MESSAGE,
    "externalSystem": NAME_MESSAGE,
    "externalId": NAME_MESSAGE,
}


@pytest.mark.parametrize("name", REQUIRED)
async def test_a_required_member_that_is_missing_is_named(shared_api, name):
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(**{name: None}))
    assert response.status_code == 400
    assert refusal(response) == validation_error((name, "required", f"is required; {REQUIRED[name]}"))


async def test_every_problem_is_listed_not_only_the_first(shared_api):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(b'{"billable": 1, "minutes": 0}')
    assert response.status_code == 400
    assert refusal(response) == {
        "error": "validation_error",
        "message": f"projectId: is required; {UUID_MESSAGE} (and 6 more)",
        "details": [
            {"path": "projectId", "code": "required", "message": f"is required; {UUID_MESSAGE}"},
            {"path": "userId", "code": "required", "message": f"is required; {UUID_MESSAGE}"},
            {"path": "workDate", "code": "required", "message": "is required; must be a string"},
            {"path": "minutes", "code": "out_of_range", "message": MINUTES_MESSAGE},
            {"path": "externalSystem", "code": "required", "message": f"is required; {NAME_MESSAGE}"},
            {"path": "externalId", "code": "required", "message": f"is required; {NAME_MESSAGE}"},
            {"path": "billable", "code": "wrong_type", "message": "must be true or false, not an integer"},
        ],
    }


def of_wrong_type(name: str, expectation: str, *kinds: str) -> list:
    values = {
        "null": "null",
        "a boolean": "true",
        "a string": '"150"',
        "an integer": "150",
        "a number with a fraction or exponent": "1.5",
        "an object": "{}",
        "an array": "[]",
    }
    return [(name, values[kind], f"{expectation}, not {kind}") for kind in kinds]


NUMBER = "a number with a fraction or exponent"
NO_STRING = ("null", "a boolean", "an integer", NUMBER, "an object", "an array")
WRONG_TYPES = [
    *of_wrong_type("projectId", UUID_MESSAGE, *NO_STRING),
    *of_wrong_type("userId", UUID_MESSAGE, *NO_STRING),
    *of_wrong_type("entryId", UUID_MESSAGE, *NO_STRING),
    *of_wrong_type("workDate", "must be a string", *NO_STRING),
    *of_wrong_type("externalSystem", NAME_MESSAGE, *NO_STRING),
    *of_wrong_type("externalId", NAME_MESSAGE, *NO_STRING),
    *of_wrong_type("description", DESCRIPTION_MESSAGE, *NO_STRING),
    *of_wrong_type("minutes", MINUTES_MESSAGE, "null", "a boolean", "a string", NUMBER, "an object", "an array"),
    *of_wrong_type("billable", "must be true or false", "null", "a string", "an integer", "an object", "an array"),
    *of_wrong_type("externalMetadata", "must be an object", "null", "a boolean", "a string", "an integer", "an array"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG_TYPES)
async def test_a_value_of_the_wrong_type_is_never_converted(shared_api, name, value, message):
    text = json.dumps(shared_api.world.entry(**{name: "PLACEHOLDER"})).replace('"PLACEHOLDER"', value)
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(text)
    assert response.status_code == 400
    assert refusal(response) == validation_error((name, "wrong_type", message))


@pytest.mark.parametrize("name", ["projectId", "userId", "entryId"])
@pytest.mark.parametrize(
    "value",
    ["", "x", "7b1e2c3d-0000-0000-0000-00000000000", "7b1e2c3d-0000-0000-0000-0000000000011",
     "{7b1e2c3d-0000-0000-0000-000000000001}", "urn:uuid:7b1e2c3d-0000-0000-0000-000000000001",
     "7b1e2c3d-0000-0000-0000-00000000000g", " 7b1e2c3d-0000-0000-0000-000000000001",
     "7b1e2c3d-0000-0000-0000-000000000001\n", "٧b1e2c3d-0000-0000-0000-000000000001"],
)  # fmt: skip
async def test_an_id_that_is_no_uuid_is_invalid(shared_api, name, value):
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(**{name: value}))
    assert response.status_code == 400
    assert refusal(response) == validation_error((name, "invalid_uuid", UUID_MESSAGE))


@pytest.mark.parametrize("minutes", [1, 2, 1439, 1440])
async def test_minutes_within_the_limits_are_kept(shared_api, minutes):
    async with stored_once(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(minutes=minutes))
    assert (response.status_code, response.json()["minutes"]) == (201, minutes)


@pytest.mark.parametrize("minutes", ["0", "1441", "-1", "-0", str(2**31), str(2**63), str(2**64), "-" + "9" * 99])
async def test_minutes_outside_the_limits_are_refused(shared_api, minutes):
    text = json.dumps(shared_api.world.entry(minutes="PLACEHOLDER")).replace('"PLACEHOLDER"', minutes)
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(text)
    assert response.status_code == 400
    assert refusal(response) == validation_error(("minutes", "out_of_range", MINUTES_MESSAGE))


@pytest.mark.parametrize("spelling", ["150.0", "1.5e2", "15E1", "2.0", "1e999"])
async def test_minutes_with_fraction_or_exponent_are_no_integer(shared_api, spelling):
    text = json.dumps(shared_api.world.entry(minutes="PLACEHOLDER")).replace('"PLACEHOLDER"', spelling)
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(text)
    assert response.status_code == 400
    assert refusal(response) == validation_error(("minutes", "wrong_type", f"{MINUTES_MESSAGE}, not {NUMBER}"))


@pytest.mark.parametrize("character", ["a", "é", "🙂", "\n", "\u0007", "=", '"', "\\"])
@pytest.mark.parametrize("length", [1, 1999, 2000])
async def test_a_description_of_at_most_2000_characters_is_kept_whatever_they_are(shared_api, character, length):
    async with stored_once(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(description=character * length))
    assert (response.status_code, response.json()["notes"]) == (201, character * length)


@pytest.mark.parametrize("character", ["a", "🙂"])
async def test_a_description_of_2001_characters_is_too_long(shared_api, character):
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(shared_api.world.entry(description=character * 2001))
    assert response.status_code == 400
    assert refusal(response) == validation_error(("description", "too_long", DESCRIPTION_MESSAGE))


@pytest.mark.parametrize("billable", [True, False])
async def test_billable_is_kept(shared_api, pool, billable):
    response = await shared_api.sync(shared_api.world.entry(billable=billable))
    assert response.json()["billable"] is billable
    stored = await pool.fetchval(
        "select billable from time_entries where organization_id = $1 and id = $2::text::uuid",
        shared_api.world.organization_id,
        response.json()["id"],
    )
    assert stored is billable


async def test_white_space_between_members_does_not_matter(shared_api):
    text = json.dumps(shared_api.world.entry(), indent="\r\n\t  ")
    assert (await shared_api.send(f"\n {text} \t\r\n")).status_code == 201


async def test_the_order_of_members_does_not_matter(shared_api):
    entry = shared_api.world.entry(description="x", billable=False)
    assert (await shared_api.sync(entry)).status_code == 201
    backwards = await shared_api.sync(dict(reversed(entry.items())))
    assert (backwards.status_code, "content-differs" in backwards.headers) == (200, False)


async def test_a_refused_body_stores_nothing_and_the_corrected_one_creates(shared_api):
    entry = shared_api.world.entry(externalId=f"retry-{uuid4()}")
    async with nothing_stored(shared_api.world):
        assert (await shared_api.sync({**entry, "minutes": 0})).status_code == 400
    async with stored_once(shared_api.world):
        assert (await shared_api.sync(entry)).status_code == 201
