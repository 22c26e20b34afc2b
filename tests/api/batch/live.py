"""A stream of lines on a bare connection: written and read at the same time, or cut off at any point."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import h11

from tests.api.batch.conftest import BATCH_PATH, lines_of
from tests.conftest import World

PATIENCE_SECONDS = 30


class LiveStream:
    """One streamed request whose body is sent in chunks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._state = h11.Connection(h11.CLIENT)
        self._rest = b""
        self.status: int | None = None

    async def begin(self, world: World, host: str) -> None:
        """Send the head."""
        headers = {
            **world.headers,
            "Host": host,
            "Content-Type": "application/x-ndjson",
            "Transfer-Encoding": "chunked",
        }
        await self._send(h11.Request(method="POST", target=BATCH_PATH, headers=list(headers.items())))

    async def send(self, entries: Iterable[object]) -> None:
        """Send entries as lines."""
        await self.send_text(lines_of(entries))

    async def send_text(self, text: bytes) -> None:
        """Send a part of the body as it is."""
        await self._send(h11.Data(data=text))

    async def end(self) -> None:
        """Say that the body is complete."""
        await self._send(h11.EndOfMessage())

    async def _send(self, event: Any) -> None:
        self.writer.write(self._state.send(event) or b"")
        await self.writer.drain()

    async def answered(self, count: int) -> list[dict[str, Any]]:
        """The next `count` lines of the answer, as soon as they are there; fewer only at its end."""
        lines: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(lines) < count:
                line, found, rest = self._rest.partition(b"\n")
                if found:
                    self._rest = rest
                    lines.append(json.loads(line))
                elif not await self._read():
                    break
        return lines

    async def answered_until_cut(self) -> list[dict[str, Any]]:
        """All further whole lines of an answer that must be cut before its end."""
        lines: list[dict[str, Any]] = []
        try:
            while found := await self.answered(1):
                lines += found
        except (ConnectionError, h11.RemoteProtocolError):
            return lines
        raise AssertionError("the answer has an end")

    async def _read(self) -> bool:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            self._state.receive_data(await self._reader.read(65536))
        if isinstance(event, h11.Response):
            self.status = event.status_code
        elif isinstance(event, h11.Data):
            self._rest += bytes(event.data)
        return not isinstance(event, h11.EndOfMessage | h11.ConnectionClosed)

    def hang_up(self) -> None:
        """End the connection at once, with whatever is under way."""
        self.writer.transport.abort()


@asynccontextmanager
async def live_stream(base_url: str, world: World) -> AsyncIterator[LiveStream]:
    """A stream whose head is sent."""
    parts = urlsplit(base_url)
    stream = LiveStream(*await asyncio.open_connection(parts.hostname, parts.port))
    await stream.begin(world, parts.netloc)
    try:
        yield stream
    finally:
        stream.hang_up()
