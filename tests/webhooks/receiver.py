"""A real receiver: an HTTP server on 127.0.0.1 that notes every request and answers as it is told, to the byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from standardwebhooks import Webhook

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """An HTTP/1.1 answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} Told", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Request:
    """What arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)

    def verify(self, secret: str) -> None:
        """Raises unless the reference library accepts it."""
        Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """`answers` is what is said: bytes, or a function that writes to the connection itself."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: Callable[[Request], bytes | Answer] = lambda _request: answer(204)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def always(self, raw: bytes | Answer) -> None:
        self.answers = lambda _request: raw

    def ids(self) -> list[str]:
        return [request.id for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")[1:-2]
                headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
                request = Request(headers, await reader.readexactly(int(headers["content-length"])))
                told = self.answers(request)
                self.requests.append(request)
                if isinstance(told, bytes):
                    writer.write(told)
                    await writer.drain()
                else:
                    await told(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(context: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens while the block runs."""
    receiver = Receiver(scheme="https" if context else "http")
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(task := asyncio.create_task(receiver.serve(reader, writer)))
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
