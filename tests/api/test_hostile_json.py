"""Bodies made to confuse a reader: refused with a clear 400 or 415, and nothing is stored."""

import gzip
import json

import pytest

from tests.api.conftest import nothing_stored, refusal, stored_once, validation_error

EMPTY = ("", "invalid_json", "the body is empty; a JSON object is expected")
BOM = ("", "invalid_encoding", "starts with a byte order mark; send UTF-8 without one")
NUL = "holds the character U+0000, which text can't store"
SURROGATE = "holds half of a surrogate pair (U+D800 to U+DFFF)"
UNSUPPORTED = "send the body as 'Content-Type: application/json', in UTF-8"


def problems(response) -> list[tuple[str, str]]:
    """Path and code of each problem, of a body in the documented form."""
    body = refusal(response)
    assert set(body) == {"error", "message", "details"}
    assert body["error"] == "validation_error"
    assert all(problem["message"] for problem in body["details"])
    return [(problem["path"], problem["code"]) for problem in body["details"]]


def with_member(api, text: str) -> str:
    """A good body with one more member."""
    return f"{json.dumps(api.world.entry())[:-1]}, {text}}}"


def nested(depth: int) -> str:
    """A member whose value makes the body `depth` levels deep."""
    return '"x": ' + "[" * (depth - 1) + "]" * (depth - 1)


async def test_32_levels_are_taken_and_33_are_not(shared_api):
    async with stored_once(shared_api.world):
        taken = await shared_api.send(with_member(shared_api, nested(32)))
    async with nothing_stored(shared_api.world):
        refused = await shared_api.send(with_member(shared_api, nested(33)))
    assert (taken.status_code, refused.status_code) == (201, 400)
    assert refusal(refused) == validation_error(("", "too_deep", "nested deeper than 32 levels"))


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', "[[],"])
async def test_endless_nesting_is_refused_closed_or_not(shared_api, opening):
    endless = (opening * 60000)[:60000]
    for body in (endless, with_member(shared_api, f'"x": {endless}'), endless + "]" * 5000):
        async with nothing_stored(shared_api.world):
            response = await shared_api.send(body)
        assert (response.status_code, problems(response)) == (400, [("", "too_deep")])


async def test_brackets_in_strings_are_text(shared_api):
    text = "[{" * 900 + '"\\'
    response = await shared_api.sync(shared_api.world.entry(description=text))
    assert (response.status_code, response.json()["notes"]) == (201, text)


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ('"minutes": 1', ("minutes", "duplicate_member")),
        ('"m\\u0069nutes": 1', ("minutes", "duplicate_member")),
        ('"externalId": "other"', ("externalId", "duplicate_member")),
        ('"x": 1, "x": 1', ("x", "duplicate_member")),
        ('"x": {"a": {"b": 1, "c": 2, "b": 3}}', ("b", "duplicate_member")),
        ('"": 1, "": 2', ("", "duplicate_member")),
        ('"x": NaN', ("", "invalid_json")),
        ('"x": Infinity', ("", "invalid_json")),
        ('"x": -Infinity', ("", "invalid_json")),
        ('"x": nan', ("", "invalid_json")),
        ('"x": 1e1001', ("", "number_out_of_range")),
        ('"x": 1e-1001', ("", "number_out_of_range")),
        ('"x": 1e300000', ("", "number_out_of_range")),
        ('"x": ' + "9" * 5000, ("", "number_out_of_range")),
        ('"x": 0.' + "9" * 5000, ("", "number_out_of_range")),
        ('"x": 01', ("", "invalid_json")),
        ('"x": 1_0', ("", "invalid_json")),
        ('"x": +1', ("", "invalid_json")),
        ('"x": .5', ("", "invalid_json")),
        ('"x": 0x10', ("", "invalid_json")),
        ('"x": ١', ("", "invalid_json")),
        ('"x": １', ("", "invalid_json")),
        ('"x": "\\ud800"', ("x", "lone_surrogate")),
        ('"x": "\\udc00\\ud800"', ("x", "lone_surrogate")),
        ('"description": "\\uDFFF"', ("description", "lone_surrogate")),
        ('"\\ud800": 1', ("", "lone_surrogate")),
        ('"x": "\\u0000"', ("x", "nul_character")),
        ('"description": "a\\u0000b"', ("description", "nul_character")),
        ('"x": ["a", {"b": "\\u0000"}]', ("x[1].b", "nul_character")),
        ('"\\u0000": 1', ("", "nul_character")),
        ('"x": "\x00"', ("", "invalid_json")),
        ('"x": "\x1f"', ("", "invalid_json")),
        ('"x": "a\nb"', ("", "invalid_json")),
        ('"x": "\\x41"', ("", "invalid_json")),
        ('"x": "\\u12"', ("", "invalid_json")),
        ("\"x\": 'a'", ("", "invalid_json")),
        ("x: 1", ("", "invalid_json")),
        ('"x": [1,]', ("", "invalid_json")),
        ('"x": 1 /* a comment */', ("", "invalid_json")),
        ('"x": undefined', ("", "invalid_json")),
        ('"x": True', ("", "invalid_json")),
        ('"x"', ("", "invalid_json")),
        ('"x": ', ("", "invalid_json")),
        ('"x": 1,', ("", "invalid_json")),
        ('"x": 1}, {', ("", "invalid_json")),
    ],
)
async def test_what_two_readers_could_read_differently_is_refused(shared_api, member, expected):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(with_member(shared_api, member), idempotency_key="k")
    assert (response.status_code, problems(response)) == (400, [expected])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", EMPTY),
        (b"   \r\n\t ", EMPTY),
        (b"null", ("", "wrong_type", "must be an object, not null")),
        (b"[]", ("", "wrong_type", "must be an object, not an array")),
        (b"[{}]", ("", "wrong_type", "must be an object, not an array")),
        (b"1", ("", "wrong_type", "must be an object, not an integer")),
        (b"1.5", ("", "wrong_type", "must be an object, not a number with a fraction or exponent")),
        (b'"{}"', ("", "wrong_type", "must be an object, not a string")),
        (b"true", ("", "wrong_type", "must be an object, not a boolean")),
        (b"\xef\xbb\xbf{}", BOM),
        (b"\x00", ("", "invalid_json", "not valid JSON: Expecting value at line 1, column 1")),
        (b"\xff", ("", "invalid_encoding", "not valid UTF-8 at byte 0")),
        (b'{"x": "\xc3"}', ("", "invalid_encoding", "not valid UTF-8 at byte 7")),
        (b'{"x": "\xc0\x80"}', ("", "invalid_encoding", "not valid UTF-8 at byte 7")),
        (b'{"x": "\xed\xa0\x80"}', ("", "invalid_encoding", "not valid UTF-8 at byte 7")),
        (b"a=1&b=2", ("", "invalid_json", "not valid JSON: Expecting value at line 1, column 1")),
        (b"<x/>", ("", "invalid_json", "not valid JSON: Expecting value at line 1, column 1")),
    ],
)
async def test_what_is_no_json_object_is_refused(shared_api, body, expected):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(body)
    assert (response.status_code, refusal(response)) == (400, validation_error(expected))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "latin-1", "cp037"])
async def test_another_encoding_than_utf_8_is_refused(shared_api, encoding):
    text = json.dumps(shared_api.world.entry(description="é"), ensure_ascii=False)
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(text.encode(encoding))
    assert response.status_code == 400
    assert problems(response)[0] in [("", "invalid_encoding"), ("", "invalid_json")]


async def test_every_truncation_of_a_good_body_is_refused(shared_api):
    body = json.dumps(shared_api.world.entry(description="é", externalMetadata={"a": [1.5]})).encode()
    async with nothing_stored(shared_api.world):
        statuses = {(await shared_api.send(body[:length])).status_code for length in range(len(body))}
    assert statuses == {400}


async def test_a_string_that_never_ends_is_refused_at_once(shared_api):
    """Its size in escaped quotes once kept the server busy for twenty seconds."""
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(b'{"' + b'\\"' * 32000)
    assert (response.status_code, problems(response)) == (400, [("", "invalid_json")])


async def test_thousands_of_problems_are_all_told(shared_api):
    entry = {**shared_api.world.entry(minutes="x"), **{f"{number}": None for number in range(5000)}}
    async with nothing_stored(shared_api.world):
        response = await shared_api.sync(entry)
    assert (response.status_code, problems(response)) == (400, [("minutes", "wrong_type")])


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx",
     "application/json; charset=utf-16", "application/json; charset=latin-1", "application/json; boundary=x",
     "application/json, text/plain", "text/json", "application/merge-patch+json", "application/json;"],
)  # fmt: skip
async def test_another_media_type_is_refused(shared_api, media_type):
    async with nothing_stored(shared_api.world):
        response = await shared_api.send(json.dumps(shared_api.world.entry()), content_type=media_type)
    assert response.status_code == 415
    assert refusal(response) == {"error": "unsupported_media_type", "message": UNSUPPORTED}


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "Application/JSON", "application/json;charset=utf-8", "application/json ; charset=UTF-8",
     'application/json; charset="utf-8"'],
)  # fmt: skip
async def test_every_spelling_of_plain_json_is_taken(shared_api, media_type):
    async with stored_once(shared_api.world):
        response = await shared_api.send(json.dumps(shared_api.world.entry()), content_type=media_type)
    assert response.status_code == 201


async def test_a_body_without_a_media_type_is_refused(shared_api):
    async with nothing_stored(shared_api.world):
        response = await shared_api.post(
            content=json.dumps(shared_api.world.entry()).encode(), headers=shared_api.world.headers
        )
    assert response.status_code == 415


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
async def test_a_compressed_body_is_refused_whatever_it_holds(shared_api, coding):
    body = json.dumps(shared_api.world.entry()).encode()
    async with nothing_stored(shared_api.world):
        for content in (gzip.compress(body), body):
            response = await shared_api.send(content, content_encoding=coding)
            assert response.status_code == 415
            assert refusal(response) == {
                "error": "unsupported_media_type",
                "message": "send the body uncompressed, without Content-Encoding",
            }


async def test_compression_by_name_of_none_is_taken(shared_api):
    response = await shared_api.send(json.dumps(shared_api.world.entry()), content_encoding="identity")
    assert response.status_code == 201
