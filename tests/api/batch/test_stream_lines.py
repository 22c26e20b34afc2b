"""A batch as lines: one result a line, whatever the lines look like, and a last line with the counts."""

import json

import httpx
import pytest

from tests.api.batch.conftest import (
    BATCH_PATH,
    lines_of,
    results_of,
    statuses,
    stored_more,
    streamed,
    without_request_id,
    written,
)

MAXIMUM_LINES = 100_000


async def test_a_stream_answers_each_line_and_then_the_counts(batches):
    world = batches.world
    known, new, broken = world.entry(), world.entry(), world.entry(minutes=0)
    await batches.single(known)
    async with stored_more(world, 1):
        response = await batches.stream(known, broken, new)
    results, error = streamed(response)
    assert statuses(results) == [200, 400, 201]
    assert error == {}
    assert response.text.splitlines()[-1] == '{"created":1,"existing":1,"failed":1}'
    assert "content-length" not in response.headers
    assert (await batches.single(new)).json() == {**results[2]["entry"], "created": False}


async def test_lines_are_answered_as_members_are(batches):
    await batches.be_strict()
    world = batches.world
    entries = [world.entry(), world.entry(x=1), world.entry(userId=str(world.client_user_id)), b"5", world.entry()]
    entries.append(entries[0] | {"minutes": 1})
    results, _ = streamed(await batches.stream(*entries))
    assert statuses(results) == [201, 400, 400, 400, 201, 200]
    members = results_of(await batches.sync(*entries[1:4], entries[5]))
    assert [{**member, "index": 0} for member in members] == [{**results[at], "index": 0} for at in (1, 2, 3, 5)]


async def test_an_empty_stream_has_no_results(batches):
    for content in (b"", b"\n", b"\r\n \t\n\n"):
        response = await batches.stream_content(content)
        assert streamed(response) == ([], {})
        assert response.text == '{"created":0,"existing":0,"failed":0}\n'


async def test_blank_lines_are_skipped_and_not_counted(batches):
    first, second = written(batches.world.entry()), written(batches.world.entry())
    results, _ = streamed(await batches.stream_content(b"\n\n" + first + b"\n \t\n\r\n\n" + second + b"\n\n"))
    assert statuses(results) == [201, 201]


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", " "])
async def test_line_ends_of_any_system_and_none_at_the_end(batches, end):
    entries = [written(batches.world.entry()) for _ in range(3)]
    async with stored_more(batches.world, 3):
        results, _ = streamed(await batches.stream_content(b"\r\n".join(entries) + end.encode()))
    assert statuses(results) == [201, 201, 201]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "invalid_json"),
        (b'{"entries": []}', "required"),
        (b"null", "wrong_type"),
        (b"[]", "wrong_type"),
        (b"\xff\xfe", "invalid_encoding"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_encoding"),
        (b"{} {}", "invalid_json"),
        (b'{"minutes":1,"minutes":1}', "duplicate_member"),
        (b"[" * 40 + b"]" * 40, "too_deep"),
        (b"[" * 60_000, "too_deep"),
        (b"\x00", "invalid_json"),
    ],
)
async def test_a_broken_line_fails_alone(shared_batches, line, code):
    world = shared_batches.world
    async with stored_more(world, 2):
        results, _ = streamed(await shared_batches.stream(world.entry(), line, world.entry()))
    assert statuses(results) == [201, 400, 201]
    assert results[1]["error"]["error"] == "validation_error"
    assert results[1]["error"]["details"][0]["code"] == code


@pytest.mark.parametrize("excess", [0, 1, 300_000])
async def test_a_line_over_64_kib_fails_alone(batches, excess):
    entry = batches.world.entry()
    text = written(entry)[:-1]
    longest = text + b" " * (64 * 1024 - len(text) - 1 + excess) + b"}"
    async with stored_more(batches.world, 3 if excess == 0 else 2):
        results, _ = streamed(await batches.stream(batches.world.entry(), longest, batches.world.entry()))
    assert statuses(results) == [201, 201 if excess == 0 else 413, 201]
    if excess:
        assert results[1]["error"] == {
            "error": "payload_too_large",
            "message": "the body is larger than 65536 bytes",
            "maximumBytes": 65536,
        }


async def test_a_long_last_line_without_end_fails_alone(batches):
    async with stored_more(batches.world, 1):
        results, _ = streamed(await batches.stream_content(written(batches.world.entry()) + b"\n" + b"x" * 200_000))
    assert statuses(results) == [201, 413]


async def test_lines_cut_anywhere_between_packets_are_the_same_lines(batches):
    entries = [batches.world.entry(description="é🙂" * 50) for _ in range(5)]
    content = lines_of(entries)

    async def parts():
        for start in range(0, len(content), 97):
            yield content[start : start + 97]

    async with stored_more(batches.world, 5):
        results, _ = streamed(await batches.stream_content(parts()))
    assert [result["entry"]["notes"] for result in results] == ["é🙂" * 50] * 5


async def test_a_pair_in_several_groups_is_created_once_by_its_first_line(batches):
    entry = batches.world.entry()
    async with stored_more(batches.world, 1):
        results, _ = streamed(await batches.stream(*[entry | {"minutes": minutes} for minutes in range(1, 1201)]))
    assert statuses(results) == [201] + [200] * 1199
    assert {(result["entry"]["id"], result["entry"]["minutes"]) for result in results} == {
        (results[0]["entry"]["id"], 1)
    }


@pytest.mark.parametrize("excess", [0, 1])
async def test_a_stream_ends_after_100_000_lines_and_stores_nothing_beyond(batches, excess):
    content = b"5\n" * MAXIMUM_LINES + lines_of([batches.world.entry()] * excess)
    count, last = 0, ""
    async with batches.stream_client.stream(
        "POST", BATCH_PATH, content=content, headers=batches.world.headers | {"content-type": "application/x-ndjson"}
    ) as response:
        async for line in response.aiter_lines():
            if line.startswith('{"index":'):
                assert line.startswith(f'{{"index":{count},"status":400,')
                count += 1
            else:
                last = line
    assert count == MAXIMUM_LINES
    end = json.loads(last)
    error = end.pop("error", None)
    assert end == {"created": 0, "existing": 0, "failed": MAXIMUM_LINES}
    if excess == 0:
        assert error is None
    else:
        assert without_request_id(error, response) == {
            "error": "payload_too_large",
            "message": "a stream takes 100000 lines; send the rest in another",
        }
    assert await batches.world.count("time_entries") == 0


async def refused(batches, **options) -> tuple[httpx.Response, dict[str, object]]:
    """The answer to a stream that is refused as a whole, and its body without the request id."""
    headers = {"content-type": "application/x-ndjson", **batches.world.headers, **options.pop("headers", {})}
    async with stored_more(batches.world, 0):
        response = await batches.stream_client.post(
            BATCH_PATH + options.pop("query", ""), content=written(batches.world.entry()) + b"\n", headers=headers
        )
    return response, without_request_id(response.json(), response)


async def test_a_stream_takes_no_idempotency_key(batches):
    response, body = await refused(batches, headers={"idempotency-key": "k"})
    assert response.status_code == 400
    assert body == {
        "error": "idempotency_key_invalid",
        "message": "Idempotency-Key does not go with a stream; each line is safe to repeat",
    }


async def test_a_stream_is_not_atomic(batches):
    response, body = await refused(batches, query="?atomic=true")
    assert response.status_code == 400
    assert body["details"] == [{"path": "atomic", "code": "not_with_stream", "message": "goes with the JSON form only"}]


@pytest.mark.parametrize(
    "headers", [{"content-encoding": "gzip"}, {"content-type": "application/x-ndjson; charset=latin-1"}]
)
async def test_a_stream_that_is_not_plain_utf_8_is_refused_as_a_whole(batches, headers):
    response, body = await refused(batches, headers=headers)
    assert (response.status_code, body["error"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/x-ndjson; charset=utf-8", "Application/X-NDJSON;charset=UTF-8"])
async def test_the_media_type_may_name_the_encoding(batches, media_type):
    results, _ = streamed(await batches.stream(batches.world.entry(), content_type=media_type))
    assert statuses(results) == [201]


@pytest.mark.parametrize("media_type", ["application/ndjson", "application/jsonl", "text/plain"])
async def test_lines_under_another_name_are_no_stream(batches, media_type):
    async with stored_more(batches.world, 0):
        response = await batches.stream(batches.world.entry(), content_type=media_type)
    assert (response.status_code, response.json()["error"]) == (415, "unsupported_media_type")
