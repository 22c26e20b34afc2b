"""Long polls: requests that wait for something to happen, without a connection to the database.

The database is asked about once a second. LISTEN would be quicker, but transactions that NOTIFY commit one after the
other, under one lock for the whole cluster: the syncs would pay for it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from align.web.http import ClientGone, Request

PAUSE_SECONDS = 1.0
# Further requests of a key that would wait are answered at once: each one that waits asks the database each second.
MAXIMUM_WAITING_PER_KEY = 10

_waiting: Counter[UUID] = Counter()


async def until(ask: Callable[[], Awaitable[bool]], request: Request, api_key_id: UUID, seconds: float) -> bool:
    """Ask until the answer is yes, `seconds` have passed, or the server stops; returns whether there was a pause.

    Raises ClientGone when the client hangs up.
    """
    if seconds <= 0 or _waiting[api_key_id] >= MAXIMUM_WAITING_PER_KEY:
        await ask()
        return False
    _waiting[api_key_id] += 1
    interruption = Interruption(request)
    try:
        return await _until(ask, interruption, asyncio.get_running_loop().time() + seconds)
    finally:
        await interruption.close()
        _waiting[api_key_id] -= 1
        if not _waiting[api_key_id]:
            del _waiting[api_key_id]


async def _until(ask: Callable[[], Awaitable[bool]], interruption: "Interruption", deadline: float) -> bool:
    found, paused = await ask(), False
    while not found and (left := deadline - asyncio.get_running_loop().time()) > 0:
        if await interruption.within(min(PAUSE_SECONDS, left)):
            break
        found, paused = await ask(), True
    return paused


class Interruption:
    """Tells a waiting request that its client hung up or that the server stops."""

    def __init__(self, request: Request) -> None:
        self._stops = asyncio.Event()
        request.tell_when_server_stops(self._stops.set)
        self._gone = asyncio.create_task(_client_gone(request))
        self._stopping = asyncio.create_task(self._stops.wait())

    async def within(self, seconds: float) -> bool:
        """Whether the server begins to stop within that time. Raises ClientGone."""
        await asyncio.wait({self._gone, self._stopping}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done():
            raise ClientGone
        return self._stopping.done()

    async def close(self) -> None:
        """End the tasks."""
        for task in (self._gone, self._stopping):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _client_gone(request: Request) -> None:
    """Returns when the client has hung up; what it sends as a body is read and forgotten."""
    while request.receive is not None and (await request.receive())["type"] != "http.disconnect":
        pass
