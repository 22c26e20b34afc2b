"""Listeners of this machine that nothing may reach, and such that receive."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Listener:
    """Counts connections; answers the one request of each with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.port = 0
        self.hits = 0
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self._answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(answer: bytes = OK, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """A listener on 127.0.0.1 while the block runs."""
    listener = Listener(answer)
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    async with server:
        yield listener


def redirect(url: str, status: int = 302) -> bytes:
    """An answer that leads elsewhere."""
    return f"HTTP/1.1 {status} Elsewhere\r\nConnection: close\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()
