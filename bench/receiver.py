"""A receiver of webhooks that is as fast as Python makes one: `python -m bench.receiver` prints its URL and serves.

It answers each POST with 204 and notes when each time entry's `time.logged` arrived first. GET tells how many, and all
of them; DELETE forgets them.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import ClassVar, cast

import uvloop

_DONE = b"HTTP/1.1 204 No Content\r\n\r\n"
_LOGGED = b'"eventName":"time.logged"'
_ENTITY = b'"entityId":"'
ARRIVALS, COUNT = "/arrivals", "/count"


class Receiver(asyncio.Protocol):
    """One connection. Its peers are ours: what they send is well formed."""

    # When each entity's delivery arrived, in seconds since 1970; shared by all connections.
    arrivals: ClassVar[dict[str, float]] = {}
    repeats: ClassVar[int] = 0

    def __init__(self) -> None:
        self._write: Callable[[bytes], None] | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        # Not isinstance: uvloop's transports are none of asyncio's.
        self._write = cast("asyncio.WriteTransport", transport).write

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            length = _length(head)
            if len(self._read) < end + 4 + length:
                return
            body, self._read = self._read[end + 4 : end + 4 + length], self._read[end + 4 + length :]
            assert self._write is not None
            self._write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if head.startswith(b"POST "):
            self._note(body)
            return _DONE
        if head.startswith(b"DELETE "):
            self.arrivals.clear()
            Receiver.repeats = 0
            return _DONE
        found: object = self.arrivals
        if head.startswith(f"GET {COUNT} ".encode()):
            found = {"count": len(self.arrivals), "repeats": self.repeats}
        text = json.dumps(found).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)

    def _note(self, body: bytes) -> None:
        if _LOGGED not in body:
            return
        start = body.index(_ENTITY) + len(_ENTITY)
        entity = body[start : start + 36].decode()
        if entity in self.arrivals:
            Receiver.repeats += 1
        else:
            self.arrivals[entity] = time.time()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    print(f"RECEIVING http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
