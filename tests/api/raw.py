"""HTTP as bytes: what no client library would send, and every answer that comes back."""

import asyncio
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.conftest import SYNC_PATH, World

PATIENCE_SECONDS = 30


class Answer(NamedTuple):
    """One answer."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> dict[str, Any]:
        """The body as JSON."""
        return json.loads(self.content)


def request(
    world: World,
    body: bytes = b"",
    *,
    method: bytes = b"POST",
    target: bytes = SYNC_PATH.encode(),
    version: bytes = b"HTTP/1.1",
    length: bytes | None = None,
    close: bool = True,
    headers: tuple[bytes, ...] = (),
) -> bytes:
    """A request with a good key; `length` None declares the true length, empty declares none."""
    lines = [
        b"%s %s %s" % (method, target, version),
        b"Host: localhost",
        b"Authorization: Bearer " + world.key.encode(),
        b"Content-Type: application/json",
    ]
    if length != b"":
        lines.append(b"Content-Length: " + (b"%d" % len(body) if length is None else length))
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join([*lines, *headers, b"", body])


def chunked(parts: list[bytes]) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def exchange(base_url: str, *writes: bytes, end: bool = False) -> list[Answer]:
    """Send bytes, each in a write of its own; `end`: then say that no more come. All answers until it closes."""
    reader, writer = await connect(base_url)
    received = asyncio.create_task(_read_all(reader))
    try:
        for data in writes:
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
    except (ConnectionResetError, BrokenPipeError):
        pass  # the server has answered and closed already
    try:
        return parse(await asyncio.wait_for(received, PATIENCE_SECONDS))
    finally:
        writer.close()


async def connect(base_url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the server."""
    address = urlsplit(base_url)
    return await asyncio.open_connection(address.hostname, address.port)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    data = b""
    try:
        while part := await reader.read(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def parse(data: bytes) -> list[Answer]:
    """All answers in what a server sent; each must be whole."""
    answers = []
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, f"an answer breaks off: {head!r}"
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        status, length = int(lines[0].split()[1]), int(headers.get("content-length", 0))
        assert len(data) >= length, "an answer's body breaks off"
        answers.append(Answer(status, headers, data[:length]))
        data = data[length:]
    return answers
