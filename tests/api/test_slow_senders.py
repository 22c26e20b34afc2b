"""A sender that never finishes does not hold its connection: heads and bodies have their time, as a whole."""

import asyncio
import json
from contextlib import suppress

import pytest

from align.web import http, protocol
from tests.api.conftest import nothing_stored
from tests.api.raw import connect, exchange, parse, request

HEAD = b"POST /api/v1/integration/time-entries HTTP/1.1\r\nHost: x\r\nX-Slow: "


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, also when it is reset: a byte sent after its end does that."""
    read = b""
    with suppress(ConnectionResetError):
        while part := await reader.read(65536):
            read += part
    return read


async def drip(base_url: str, sent: bytes, drop: bytes) -> bytes:
    """What the server answers to `sent`, followed by single bytes for as long as it listens."""
    reader, writer = await connect(base_url)
    answer = asyncio.create_task(all_of(reader))
    try:
        writer.write(sent)
        while not answer.done():
            writer.write(drop)
            await asyncio.wait([answer], timeout=0.01)
        return answer.result()
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", HEAD], ids=["nothing", "half a head"])
async def test_a_head_has_its_time(base_url, sent, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PATIENCE_SECONDS", 0.05)
    answers = await exchange(base_url, sent)
    assert [(answer.status, answer.json()["error"]) for answer in answers] == [(408, "request_timeout")] * bool(sent)


async def test_a_head_has_its_time_however_steadily_it_grows(base_url, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PATIENCE_SECONDS", 0.2)
    async with asyncio.timeout(20):
        (answer,) = parse(await drip(base_url, HEAD, b"x"))
    assert (answer.status, answer.json()["error"]) == (408, "request_timeout")


@pytest.mark.parametrize("drop", [b"", b" "], ids=["stalled", "byte by byte"])
async def test_a_body_has_its_time_however_steadily_it_grows(shared_world, base_url, drop, monkeypatch):
    monkeypatch.setattr(http, "BODY_PATIENCE_SECONDS", 0.2)
    body = json.dumps(shared_world.entry()).encode()
    sent = request(shared_world, body, length=b"60000", close=False)
    async with nothing_stored(shared_world), asyncio.timeout(20):
        (answer,) = parse(await drip(base_url, sent, drop))
    assert (answer.status, answer.json()["error"]) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


async def test_a_connection_between_requests_is_not_timed_by_its_next_head(shared_world, base_url, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PATIENCE_SECONDS", 0.5)
    reader, writer = await connect(base_url)
    for pause_seconds in (0, 0.8):  # longer than a head may take
        await asyncio.sleep(pause_seconds)
        writer.write(request(shared_world, method=b"GET", target=b"/api/v1/me", close=False))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        assert parse(head + await reader.readexactly(length))[0].status == 200
    writer.close()
