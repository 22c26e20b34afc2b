"""A network between server and database that can be cut at the worst moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

# Of PostgreSQL's protocol: the first byte of what a client sends to run a prepared statement.
BIND = b"B"


class Proxy:
    """Passes bytes between TCP connections and the database's socket."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        self._socket = Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432"
        self._path = parts.path
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""
        # From now on: drop the connection when a statement is answered, or when it is sent.
        self.cut_at_answer = False
        self.cut_at_statement = False
        self.refuse = False
        self.cuts = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Proxy"]:
        listener = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}{self._path}?sslmode=disable"
        async with listener:
            yield self
            self.cut()

    def cut(self) -> None:
        """Drop all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        database_reader, database_writer = await asyncio.open_unix_connection(self._socket)
        ends = {writer, database_writer}
        self._writers |= ends
        flow = _Flow()
        with suppress(ConnectionError):
            await asyncio.gather(
                self._pass_statements(reader, database_writer, flow), self._pass_answers(database_reader, writer, flow)
            )
        for end in ends:
            end.transport.abort()
        self._writers -= ends

    async def _pass_statements(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: "_Flow") -> None:
        while data := await reader.read(1 << 20):
            if data[:1] == BIND:
                if self.cut_at_statement:
                    raise self._cut()
                flow.cut_at_answer = self.cut_at_answer
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flow: "_Flow") -> None:
        while data := await reader.read(1 << 20):
            if flow.cut_at_answer:
                raise self._cut()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    def _cut(self) -> ConnectionResetError:
        self.cuts += 1
        return ConnectionResetError()


class _Flow:
    """What is to happen on one connection."""

    cut_at_answer = False
