"""A server that delivers to this machine, on a database of its own, and a receiver."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import psycopg

from align.db import migrate
from align.settings import Settings
from tests.api.office import Office
from tests.conftest import RunningServer, make_world
from tests.waiting import until

KEY = "k" * 32


@dataclass
class Received:
    """One request that arrived."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The header webhook-id."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        """The body, read."""
        value: dict[str, Any] = json.loads(self.body)
        return value


class Receiver:
    """Answers every request with `status`, and keeps what arrives in the order that it does."""

    def __init__(self) -> None:
        self.status = 204
        self.answer = b""
        self.received: list[Received] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")[1:-2]
            headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.received.append(Received(headers, body))
            length = b"" if self.status == 204 else b"Content-Length: %d\r\n" % len(self.answer)
            writer.write(b"HTTP/1.1 %d Told\r\nConnection: close\r\n%s\r\n%s" % (self.status, length, self.answer))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def arrived(self, count: int) -> list[Received]:
        """What has arrived, as soon as it is so many."""

        async def enough() -> bool:
            return len(self.received) >= count

        await until(enough, f"{count} deliveries")
        return self.received


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on this machine while the block runs."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server:
        yield receiver


def new_database(database_url: str) -> str:
    """A migrated database of its own: no other test's worker takes its deliveries."""
    name = f"webhooks_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = database_url.replace("/align?", f"/{name}?")
    assert url != database_url
    migrate.migrate(url)
    return url


@asynccontextmanager
async def delivering_office(database_url: str, data_dir: Path, **settings: Any) -> AsyncIterator[Office]:
    """Calls of a new organisation, by a server of its own that delivers to this machine."""
    given = {"secret_key": KEY, "webhook_allow_http": True, "webhook_allowed_networks": "127.0.0.0/8", **settings}
    with RunningServer(database_url, Settings(data_dir=data_dir, **given)) as url:
        async with (
            asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool,
            httpx.AsyncClient(base_url=url, timeout=30) as client,
        ):
            yield Office(await make_world(pool), client)


async def hooked(office: Office, receiver: Receiver, *names: str, **members: Any) -> dict[str, Any]:
    """A new webhook that leads to the receiver."""
    return await office.made("/webhooks", {"destinationUrl": receiver.url, "eventNames": list(names), **members})
