"""externalMetadata: stored as it is, returned on reads, character by character."""

import json

import pytest

from tests.api.conftest import Api, nothing_stored, refusal, stored_once, validation_error

LIMIT = 16 * 1024
TOO_LONG = validation_error(("externalMetadata", "too_long", "must be at most 16 KiB as sent"))


def body_with(api: Api, metadata: str, **changes: object) -> str:
    """A sync with the metadata spelled exactly so."""
    return json.dumps(api.world.entry(**changes))[:-1] + f', "externalMetadata": {metadata}}}'


async def read_back(api: Api, id_: str) -> str:
    """The metadata in the answer of a read, as text."""
    text = (await api.client.get(f"/api/v1/integration/time-entries/{id_}", headers=api.world.headers)).text
    return text.split('"externalMetadata":', 1)[1].rsplit(',"integrationLinks":', 1)[0]


@pytest.mark.parametrize(
    "metadata",
    [
        "{}",
        '{"taskName":"Planning","projectCode":"ALPHA"}',
        '{"z":1,"a":2,"m":3}',
        '{"amount":1.50}',
        '{"amount":1.5}',
        '{"a":1e2,"b":1E+2,"c":100,"d":-0,"e":-0.0,"f":1e400,"g":1e-400}',
        '{"big":18446744073709551616,"bigger":' + "9" * 100 + "}",
        '{"digits":3.' + "1415926535" * 9 + "}",
        '{"escaped":"\\u00e9\\u00E9\\/\\n\\ud83d\\ude42","plain":"é/🙂"}',
        '{  "spaced" :\t[ 1 ,\n2 ] }',
        '{"":"", " ":null, "a":[true,false,null,{},[]]}',
        '{"nul as text":"\\\\u0000","half as text":"\\\\ud800"}',
        '{"looks":"\\",\\"integrationLinks\\":"}',
        '{"html":"<script>alert(1)</script>","sql":"\'; drop table time_entries; --","format":"%s %d %%"}',
        '{"control":"\\u0001\\u001f\u007f\u0085"}',
        '{"proto":{"__proto__":{"admin":true}}}',
    ],
)
async def test_metadata_comes_back_character_by_character(shared_api, metadata):
    async with stored_once(shared_api.world):
        created = await shared_api.send(body_with(shared_api, metadata))
    assert created.status_code == 201
    assert await read_back(shared_api, created.json()["id"]) == metadata


async def test_without_metadata_a_read_says_null(shared_api):
    created = await shared_api.sync()
    assert await read_back(shared_api, created.json()["id"]) == "null"


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT])
@pytest.mark.parametrize("character", ["x", "é"])
async def test_metadata_of_at_most_16_kib_is_kept(shared_api, size, character):
    padding, rest = divmod(size - len('{"a":""}'), len(character.encode()))
    metadata = '{"a":"' + character * padding + "x" * rest + '"}'
    assert len(metadata.encode()) == size
    created = await shared_api.send(body_with(shared_api, metadata))
    assert created.status_code == 201
    assert await read_back(shared_api, created.json()["id"]) == metadata


@pytest.mark.parametrize(
    "metadata",
    ['{"a":"' + "x" * (LIMIT + 1 - 8) + '"}', '{"a":"' + "é" * ((LIMIT + 2 - 8) // 2) + '"}', "{" + " " * LIMIT + "}"],
    ids=["one byte more", "one byte more in UTF-8", "white space counts"],
)
async def test_more_than_16_kib_of_metadata_is_refused(shared_api, metadata):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(body_with(shared_api, metadata))
    assert (response.status_code, refusal(response)) == (400, TOO_LONG)


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ('{"a":1,"a":1}', ("a", "duplicate_member", "occurs twice in one object")),
        ('{"x":[{"b":1,"\\u0062":2}]}', ("b", "duplicate_member", "occurs twice in one object")),
        ('{"a":[0,"\\u0000"]}',
         ("externalMetadata.a[1]", "nul_character", "holds the character U+0000, which text can't store")),
        ('{"\\u0000":1}', ("externalMetadata", "nul_character", "holds the character U+0000, which text can't store")),
        ('{"a":{"b":"\\udc00\\ud800"}}',
         ("externalMetadata.a.b", "lone_surrogate", "holds half of a surrogate pair (U+D800 to U+DFFF)")),
        ('{"a":NaN}', ("", "invalid_json", "NaN is not JSON")),
        ('{"a":-Infinity}', ("", "invalid_json", "-Infinity is not JSON")),
        ('{"a":' + "9" * 101 + "}", ("", "number_out_of_range", "a number is longer than 100 characters")),
        ('{"a":1e1001}', ("", "number_out_of_range", "a number's exponent is beyond 1000")),
        ('{"a":' * 31 + "{" + "}" * 32, ("", "too_deep", "nested deeper than 32 levels")),
    ],
    ids=lambda value: None if isinstance(value, str) else value[1],
)  # fmt: skip
async def test_metadata_that_could_be_read_in_two_ways_is_refused(shared_api, metadata, problem):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(body_with(shared_api, metadata))
    assert (response.status_code, refusal(response)) == (400, validation_error(problem))


async def test_a_repeat_with_other_metadata_leaves_the_stored_one(shared_api):
    entry = shared_api.world.entry()
    created = await shared_api.send(body_with(shared_api, '{"a":1.50}', **entry))
    async with nothing_stored(shared_api.world):
        repeat = await shared_api.send(body_with(shared_api, '{"a":2}', **entry))
    assert (repeat.status_code, repeat.headers["content-differs"]) == (200, "externalMetadata")
    assert await read_back(shared_api, created.json()["id"]) == '{"a":1.50}'


@pytest.mark.parametrize(
    ("stored", "repeated", "differs"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}', None),
        ('{"a":1.50}', '{"a":1.5}', None),
        ('{"a":100}', '{"a":1e2}', None),
        ('{"a":"é"}', '{"a":"\\u00e9"}', None),
        ('{"a":[1,2]}', '{"a":[2,1]}', "externalMetadata"),
        ('{"a":"1"}', '{"a":1}', "externalMetadata"),
        ('{"a":null}', "{}", "externalMetadata"),
        ('{"a":1e1000}', '{"a":1e999}', "externalMetadata"),
        ('{"a":9007199254740993}', '{"a":9007199254740992}', "externalMetadata"),
    ],
)
async def test_only_the_meaning_of_metadata_counts_as_a_difference(shared_api, stored, repeated, differs):
    entry = shared_api.world.entry()
    await shared_api.send(body_with(shared_api, stored, **entry))
    repeat = await shared_api.send(body_with(shared_api, repeated, **entry))
    assert (repeat.status_code, repeat.headers.get("content-differs")) == (200, differs)
