"""HTTP as no client library sends it: lying lengths, broken framing, endless heads; a clear 4xx, and nothing stored."""

import json

import pytest

from tests.api.conftest import nothing_stored, stored_once
from tests.api.raw import chunked, connect, exchange, parse, request
from tests.waiting import until

LIMIT = 64 * 1024
TOO_LARGE = {
    "error": "payload_too_large",
    "message": "the body is larger than 65536 bytes",
    "maximumBytes": LIMIT,
}
MALFORMED = {"error": "malformed_request", "message": "this is not HTTP/1.1"}
CHUNKED = (b"Transfer-Encoding: chunked",)


def entry(world, size: int | None = None, **changes: object) -> bytes:
    """A good body, padded to `size` bytes."""
    body = json.dumps(world.entry(**changes)).encode()
    return body if size is None else body.ljust(size)


def refusal(answer) -> dict[str, object]:
    """The body of a refusal without its request id, which must be the header's."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body.pop("requestId") == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize(("size", "status"), [(LIMIT - 1, 201), (LIMIT, 201), (LIMIT + 1, 413), (LIMIT * 20, 413)])
@pytest.mark.parametrize("framing", ["declared", "one chunk", "small chunks"])
async def test_64_kib_is_the_limit_however_the_body_is_framed(shared_world, base_url, framing, size, status):
    body = entry(shared_world, size)
    if framing == "declared":
        sent = request(shared_world, body)
    else:
        step = size if framing == "one chunk" else 1000
        parts = [body[start : start + step] for start in range(0, size, step)]
        sent = request(shared_world, chunked(parts), length=b"", headers=CHUNKED)
    async with stored_once(shared_world) if status == 201 else nothing_stored(shared_world):
        (answer,) = await exchange(base_url, sent)
    assert answer.status == status
    if status == 413:
        assert refusal(answer) == TOO_LARGE
        assert answer.headers["connection"] == "close"


async def test_a_declared_length_that_is_too_large_is_refused_before_the_body(shared_world, base_url):
    async with nothing_stored(shared_world):
        (answer,) = await exchange(
            base_url, request(shared_world, length=b"1000000", headers=(b"Expect: 100-continue",))
        )
    assert (answer.status, refusal(answer)) == (413, TOO_LARGE)


async def test_a_sender_that_asks_first_is_told_to_go_on(shared_world, base_url):
    async with stored_once(shared_world):
        answers = await exchange(
            base_url, request(shared_world, entry(shared_world), headers=(b"Expect: 100-continue",))
        )
    assert [answer.status for answer in answers] == [100, 201]


async def test_a_length_shorter_than_the_body_cuts_it_off(shared_world, base_url):
    async with nothing_stored(shared_world):
        (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), length=b"10"))
    assert (answer.status, refusal(answer)["error"]) == (400, "validation_error")


@pytest.mark.parametrize("framing", ["declared", "chunked"])
async def test_a_body_that_breaks_off_is_no_request(shared_world, base_url, framing):
    body = entry(shared_world)
    if framing == "declared":
        sent = request(shared_world, body, length=b"%d" % (len(body) + 1))
    else:
        sent = request(shared_world, chunked([body])[:-5], length=b"", headers=CHUNKED)
    async with nothing_stored(shared_world):
        assert await exchange(base_url, sent, end=True) == []


@pytest.mark.parametrize(
    "length",
    [b"-1", b"+5", b"1e3", b"0x10", b"5,5", b"5, 6", b"9" * 30, b"18446744073709551616", b"5 5", b"x", b"\xb2"],
)
async def test_a_length_that_is_no_number_is_malformed(shared_world, base_url, length):
    async with nothing_stored(shared_world):
        (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), length=length))
    assert (answer.status, refusal(answer)) == (400, MALFORMED)


@pytest.mark.parametrize(
    "headers",
    [
        (b"Content-Length: 5",),
        (b"Transfer-Encoding: chunked",),
        (b"Transfer-Encoding: identity",),
        (b"X-Folded: a\r\n b",),
        (b"X Spaced: a",),
        (b"X-Spaced : a",),
        (b"X-Nul: a\x00b",),
        (b"X-Cr: a\rb",),
        (b"no colon",),
        (b": no name",),
        (b"X-\xff: a",),
    ],
)
async def test_a_head_that_could_be_read_in_two_ways_is_malformed(shared_world, base_url, headers):
    async with nothing_stored(shared_world):
        (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), headers=headers))
    assert (answer.status, refusal(answer)) == (400, MALFORMED)
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "sent",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\xff\xfe\r\n\r\n",
        b"GET /livez HTTP/3.9\r\n\r\n",
        b"get /livez HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET api/v1/me HTTP/1.1\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\n\r\n",
        b"EXPLODE / HTTP/1.1\r\n\r\n",
        b'{"json": "at once"}',
    ],
)
async def test_what_is_no_http_is_refused_in_the_form_of_every_refusal(base_url, sent):
    (answer,) = await exchange(base_url, sent)
    assert (answer.status, refusal(answer)) == (400, MALFORMED)


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n", b"ffffffffffffffffff\r\n{}\r\n", b"5\r\n{}\r\n0\r\n\r\n"]
)
async def test_broken_chunks_store_nothing(shared_world, base_url, chunks):
    async with nothing_stored(shared_world):
        answers = await exchange(base_url, request(shared_world, chunks, length=b"", headers=CHUNKED))
    # The request had begun, and its own answer can't be told apart from one to the rest: the connection only closes.
    assert [answer.status for answer in answers] in ([], [400])


@pytest.mark.parametrize(
    "headers", [(b"X-Long: " + b"a" * 2_000_000,), tuple(b"X-%d: a" % number for number in range(60_000))],
    ids=["one endless header", "endless headers"],
)  # fmt: skip
async def test_an_endless_head_is_refused(shared_world, base_url, headers):
    async with nothing_stored(shared_world):
        (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), headers=headers))
    assert answer.status == 431
    assert refusal(answer) == {"error": "headers_too_large", "message": "the headers are larger than 65536 bytes"}


async def test_trailers_are_no_headers(shared_world, other_world, base_url):
    """A proxy has seen the headers only: what comes after the body must not replace the key."""
    body = entry(shared_world)
    sent = (
        chunked([body])[:-2] + b"Authorization: Bearer " + other_world.key.encode() + b"\r\nIdempotency-Key: k\r\n\r\n"
    )
    async with stored_once(shared_world), nothing_stored(other_world):
        (answer,) = await exchange(base_url, request(shared_world, sent, length=b"", headers=CHUNKED))
    assert answer.status == 201
    assert answer.json()["organizationId"] == str(shared_world.organization_id)


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
@pytest.mark.parametrize("framing", ["declared", "chunked", "two reads"])
async def test_an_offered_upgrade_is_declined_and_the_request_served(shared_world, base_url, upgrade, framing):
    """Java's client offers h2c to every plain-HTTP server, with the first request."""
    offer = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + upgrade, b"HTTP2-Settings: AAMAAABkAAQAAP__")
    body = entry(shared_world)
    if framing == "chunked":
        first = request(shared_world, chunked([body]), length=b"", close=False, headers=(*offer, *CHUNKED))
    else:
        first = request(shared_world, body, close=False, headers=offer)
    reads = [first[:-20], first[-20:]] if framing == "two reads" else [first]
    last = request(shared_world, method=b"GET", target=b"/api/v1/me")
    async with stored_once(shared_world):
        answers = await exchange(base_url, *reads, last)
    assert [answer.status for answer in answers] == [201, 200]


async def test_a_key_header_sent_twice_must_say_the_same(shared_world, other_world, base_url):
    for name, other in ((b"Authorization", b"Bearer " + other_world.key.encode()), (b"X-API-Key", b"x")):
        twice = tuple(b"%s: %s" % (name, value) for value in (other, b"Bearer " + shared_world.key.encode()))
        async with nothing_stored(shared_world), nothing_stored(other_world):
            (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), headers=twice))
        assert answer.status == 401
        assert refusal(answer)["message"] == "Authorization and X-API-Key carry different keys; send one of them"
    same = (b"Authorization: Bearer " + shared_world.key.encode(),)
    (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), headers=same))
    assert answer.status == 201


async def test_pipelined_requests_are_answered_in_order(shared_world, base_url):
    bodies = [entry(shared_world, externalId=f"pipelined {number}", minutes=number) for number in range(5)]
    sent = b"".join(request(shared_world, body, close=False) for body in bodies)
    last = request(shared_world, method=b"GET", target=b"/api/v1/me")
    answers = await exchange(base_url, sent + last)
    assert [answer.status for answer in answers] == [400, 201, 201, 201, 201, 200]
    assert [answer.json()["minutes"] for answer in answers[1:5]] == [1, 2, 3, 4]


async def test_a_request_may_arrive_in_any_pieces(shared_world, base_url):
    whole = request(shared_world, entry(shared_world, description="é"))
    for cut in range(1, len(whole), 7):
        (answer,) = await exchange(base_url, whole[:cut], whole[cut:])
        assert answer.status == (201 if cut == 1 else 200)
    (answer,) = await exchange(base_url, *(whole[at : at + 1] for at in range(len(whole))))
    assert answer.status == 200


async def test_garbage_behind_a_request_does_not_pass_for_its_answer(shared_world, base_url):
    """The request may be stored: a 400 in its place would tell its sender that it never will be."""
    body = entry(shared_world)
    answers = await exchange(base_url, request(shared_world, body, close=False) + b"garbage\r\n\r\n")
    assert [answer.status for answer in answers] in ([], [201, 400])
    (answer,) = await exchange(base_url, request(shared_world, body))
    assert answer.status in (200, 201)


async def test_a_sender_that_hangs_up_has_its_entry_stored_once(shared_world, base_url, pool):
    body = entry(shared_world, externalId="hung up")
    async with stored_once(shared_world):
        _, writer = await connect(base_url)
        writer.write(request(shared_world, body))
        await writer.drain()
        writer.transport.abort()

        async def is_stored() -> bool:
            return await pool.fetchval(
                "select count(*) > 0 from integration_links where organization_id = $1 and external_id = 'hung up'",
                shared_world.organization_id,
            )

        await until(is_stored, "entry of the sender that hung up")
        (answer,) = await exchange(base_url, request(shared_world, body))
    assert answer.status == 200


async def test_one_connection_serves_refusals_and_successes(shared_world, base_url):
    reader, writer = await connect(base_url)
    statuses = []
    for body in (entry(shared_world), b"{", entry(shared_world, minutes=0), entry(shared_world)):
        writer.write(request(shared_world, body, close=False))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        statuses.append(parse(head + await reader.readexactly(length))[0].status)
    writer.close()
    assert statuses == [201, 400, 400, 201]


@pytest.mark.parametrize(("version", "status"), [(b"HTTP/1.0", 201), (b"HTTP/1.1", 201)])
async def test_older_http_is_served_too(shared_world, base_url, version, status):
    (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), version=version))
    assert answer.status == status


@pytest.mark.parametrize(
    "header", [b"X-Any: \xff\xfe", b"X-Empty:", b"Cookie: a=b; c=d", b"X-Forwarded-For: 127.0.0.1", b"Accept: text/*",
               b"Content-Length-X: 5", b"Origin: https://evil.example", b"X-HTTP-Method-Override: DELETE"]
)  # fmt: skip
async def test_other_headers_change_nothing(shared_world, base_url, header):
    async with stored_once(shared_world):
        (answer,) = await exchange(base_url, request(shared_world, entry(shared_world), headers=(header,)))
    assert answer.status == 201
    assert not [name for name in answer.headers if name.startswith("access-control") or name == "set-cookie"]
