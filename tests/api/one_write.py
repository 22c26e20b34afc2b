"""An HTTP client that sends each request in one write, so that the server reads it whole."""

import asyncio
import time

import h11
import httpx

PATIENCE_SECONDS = 30
# As httpx does: long before the server would close an idle connection, perhaps just while a request is on its way.
IDLE_SECONDS = 5

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class OneWrite(httpx.AsyncBaseTransport):
    """A transport of httpx; keeps its connections, one request at a time on each."""

    def __init__(self) -> None:
        self._idle: list[tuple[float, Stream]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and read the whole answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._exchange(request)

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        lines = [b"%s %s HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%s: %s" % header for header in request.headers.raw]
        whole = b"\r\n".join([*lines, b"", await request.aread()])
        # h11 reads the answer; of the request it only needs the method, and it would refuse to send hostile headers.
        state = h11.Connection(h11.CLIENT)
        state.send(h11.Request(method=request.method, target="/", headers=[("Host", "x")]))
        state.send(h11.EndOfMessage())
        reader, writer = self._fresh() or await asyncio.open_connection(request.url.host, request.url.port)
        try:
            writer.write(whole)
            answer, content = await _answer(state, reader)
        except BaseException:
            writer.close()
            raise
        if state.our_state is h11.DONE and state.their_state is h11.DONE:
            self._idle.append((time.monotonic(), (reader, writer)))
        else:
            writer.close()
        return httpx.Response(answer.status_code, headers=list(answer.headers), content=content)

    def _fresh(self) -> Stream | None:
        """The connection that was used last, unless that is too long ago."""
        while self._idle:
            used_at, stream = self._idle.pop()
            if time.monotonic() - used_at < IDLE_SECONDS:
                return stream
            stream[1].close()
        return None

    async def aclose(self) -> None:
        """Close all connections."""
        for _, (_, writer) in self._idle:
            writer.close()


async def _answer(state: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Response, bytes]:
    answer, content = None, b""
    while True:
        event = state.next_event()
        if event is h11.NEED_DATA:
            state.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            answer = event
        elif isinstance(event, h11.Data):
            content += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert answer is not None
            return answer, content
