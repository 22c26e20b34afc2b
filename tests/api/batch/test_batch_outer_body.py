"""The object around the members: what is no batch is refused as a whole, with nothing stored."""

import json

import pytest

from tests.api.batch.conftest import (
    BATCH_PATH,
    results_of,
    statuses,
    stored_more,
    without_request_id,
    written,
)
from tests.api.conftest import validation_error

MAXIMUM_BYTES = 4 * 1024 * 1024
EXPECTATION = "must be an array of 1 to 1000 time entries"
UNKNOWN = "is not a member of this request"


async def refused(batches, content: bytes, status: int = 400, **headers: str) -> dict[str, object]:
    """The body of the refusal, without the request id."""
    async with stored_more(batches.world, 0):
        response = await batches.send(content, **headers)
    assert response.status_code == status, response.text
    return without_request_id(response.json(), response)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ("", "invalid_json", "the body is empty; a JSON object is expected")),
        (b" \r\n\t", ("", "invalid_json", "the body is empty; a JSON object is expected")),
        (b"{", ("", "invalid_json", None)),
        (b'{"entries":[MEMBER', ("", "invalid_json", None)),
        (b'{"entries":[MEMBER,]}', ("", "invalid_json", None)),
        (b'{"entries":[MEMBER MEMBER]}', ("", "invalid_json", None)),
        (b'{"entries":[MEMBER]}}', ("", "invalid_json", None)),
        (b'{"entries":[MEMBER]} {"entries":[MEMBER]}', ("", "invalid_json", None)),
        (b'{"entries":[MEMBER],"x":NaN}', ("", "invalid_json", None)),
        (b"{'entries':[MEMBER]}", ("", "invalid_json", None)),
        (b'{"entries":[MEMBER]/**/}', ("", "invalid_json", None)),
        (b"MEMBER\nMEMBER", ("", "invalid_json", None)),
        (b"\xef\xbb\xbf" + b'{"entries":[MEMBER]}', ("", "invalid_encoding", None)),
        (b'{"entries":[MEMBER],"\xff":1}', ("", "invalid_encoding", None)),
        (b'{"entries":[MEMBER]}'.decode().encode("utf-16"), ("", "invalid_encoding", None)),
        (b'{"entries":[MEMBER],"x":' + b"[" * 32 + b"]" * 32 + b"}", ("", "too_deep", None)),
        (b'{"entries":' + b"[" * 5000 + b"]" * 5000 + b"}", ("", "too_deep", None)),
        (b"[MEMBER]", ("", "wrong_type", "must be an object with the member entries")),
        (b"null", ("", "wrong_type", "must be an object with the member entries")),
        (b'"entries"', ("", "wrong_type", "must be an object with the member entries")),
        (b"{}", ("entries", "required", f"is required; {EXPECTATION}")),
        (b'{"Entries":[MEMBER]}', ("entries", "required", f"is required; {EXPECTATION}")),
        (b"MEMBER", ("entries", "required", f"is required; {EXPECTATION}")),
        (b'{"entries":null}', ("entries", "wrong_type", EXPECTATION)),
        (b'{"entries":{"0":MEMBER}}', ("entries", "wrong_type", EXPECTATION)),
        (b'{"entries":"[MEMBER]"}'.replace(b"MEMBER", b""), ("entries", "wrong_type", EXPECTATION)),
        (b'{"entries":[]}', ("entries", "out_of_range", EXPECTATION)),
        (b'{"entries":[MEMBER],"entries":[MEMBER]}', ("entries", "duplicate_member", "occurs twice in one object")),
        (b'{"entries":[],"entries":[MEMBER]}', ("entries", "duplicate_member", "occurs twice in one object")),
        (b'{"entries":[MEMBER],"\\u0065ntries":[]}', ("entries", "duplicate_member", "occurs twice in one object")),
        (b'{"x":1,"entries":[MEMBER],"x":1}', ("x", "duplicate_member", "occurs twice in one object")),
        (b'{"entries":[MEMBER],"x":{"a":1,"a":2}}', ("a", "duplicate_member", "occurs twice in one object")),
        (b'{"entries":[MEMBER],"x":"\\ud800"}', ("x", "lone_surrogate", None)),
        (b'{"entries":[MEMBER],"x\\u0000":1}', ("", "nul_character", None)),
    ],
)
async def test_a_malformed_batch_is_refused_as_a_whole(shared_batches, content, problem):
    member = written(shared_batches.world.entry())
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16").replace("MEMBER", member.decode()).encode("utf-16")
    body = await refused(shared_batches, content.replace(b"MEMBER", member))
    path, code, message = problem
    if message is None:
        assert [(each["path"], each["code"]) for each in body["details"]] == [(path, code)]
    else:
        assert body == validation_error((path, code, message))


@pytest.mark.parametrize(
    "content",
    [
        b'\r\n\t {\n"entries"\t:\r\n[ MEMBER ]\n}\r\n ',
        b'{"\\u0065ntries":[MEMBER]}',
        b'{"ent\\u0072ies" : [MEMBER ] }',
    ],
)
async def test_an_object_may_be_written_in_any_way(shared_batches, content):
    member = written(shared_batches.world.entry())
    response = await shared_batches.send(content.replace(b"MEMBER", member))
    assert statuses(results_of(response)) == [201]
    assert "ignored-fields" not in response.headers


@pytest.mark.parametrize(
    "content",
    [
        b'{"sender":{"entries":[1,2]},"entries":[MEMBER],"a b":"]}"}',
        b'{"sender":"{\\"entries\\":[]","a b":[{"entries":null}],"entries":[MEMBER]}',
        b'{ "entries" : [ MEMBER ] , "sender" : null , "a b" : 1e400 }',
    ],
)
async def test_unknown_members_beside_the_entries_are_ignored_and_named(shared_batches, content):
    async with stored_more(shared_batches.world, 1):
        response = await shared_batches.send(content.replace(b"MEMBER", written(shared_batches.world.entry())))
    assert statuses(results_of(response)) == [201]
    assert response.headers["ignored-fields"] == "sender, a%20b"


async def test_a_strict_organisation_refuses_unknown_members_beside_the_entries(batches):
    await batches.be_strict()
    content = b'{"sender":1,"entries":[' + written(batches.world.entry()) + b'],"version":2}'
    body = await refused(batches, content)
    assert body == validation_error(("sender", "unknown_field", UNKNOWN), ("version", "unknown_field", UNKNOWN))


async def test_what_stands_beside_the_entries_is_limited(batches):
    content = b'{"x":"' + b"x" * 65536 + b'","entries":[' + written(batches.world.entry()) + b"]}"
    body = await refused(batches, content)
    assert body == validation_error(("", "too_long", "holds more than 65536 bytes beside entries"))


async def test_millions_of_members_are_refused_by_their_number(batches):
    body = await refused(batches, b'{"entries":[' + b"0," * 2_000_000 + b"0]}")
    assert body == validation_error(("entries", "out_of_range", EXPECTATION))


async def test_a_body_of_four_mebibytes_is_taken(batches):
    content = json.dumps({"entries": [batches.world.entry()]}).encode()
    response = await batches.send(content.replace(b"[", b"[" + b" " * (MAXIMUM_BYTES - len(content))))
    assert statuses(results_of(response)) == [201]


TOO_LARGE = {
    "error": "payload_too_large",
    "message": f"the body is larger than {MAXIMUM_BYTES} bytes",
    "maximumBytes": MAXIMUM_BYTES,
}


async def test_a_body_one_byte_larger_is_not(batches):
    content = json.dumps({"entries": [batches.world.entry()]}).encode()
    large = content.replace(b"[", b"[" + b" " * (MAXIMUM_BYTES + 1 - len(content)))
    assert await refused(batches, large, 413) == TOO_LARGE


async def test_a_too_large_body_of_unknown_length_is_refused_too(batches):
    async def parts():
        yield b'{"entries":['
        for _ in range(5):
            yield b" " * 1024 * 1024

    response = await batches.stream_client.post(
        BATCH_PATH, content=parts(), headers=batches.world.headers | {"content-type": "application/json"}
    )
    assert response.status_code == 413
    assert without_request_id(response.json(), response) == TOO_LARGE


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/json; charset=latin-1"},
        {"content_encoding": "gzip"},
    ],
)
async def test_what_is_not_declared_as_plain_json_is_refused(batches, headers):
    body = await refused(batches, json.dumps({"entries": [batches.world.entry()]}).encode(), 415, **headers)
    assert body["error"] == "unsupported_media_type"
