"""Puts the parts of webhook delivery together, for the server and for `align worker`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from align.sealing import Sealer, key_in
from align.settings import Settings, networks
from align.webhooks.destinations import url_problem
from align.webhooks.requests import UrlProblem
from align.webhooks.sender import Sender
from align.webhooks.worker import IN_FLIGHT, Worker


def sealer_of(settings: Settings) -> Sealer | None:
    """What seals secrets; None when a database of one's own is used and no key is set."""
    if settings.secret_key is not None:
        return Sealer(settings.secret_key)
    return Sealer(key_in(settings.data_dir)) if settings.database_url is None else None


def check_of(settings: Settings) -> UrlProblem:
    """The rules for destinations."""
    allowed = networks(settings.webhook_allowed_networks)
    return partial(url_problem, allow_http=settings.webhook_allow_http, allowed=allowed)


@asynccontextmanager
async def delivering(
    pool: asyncpg.Pool, settings: Settings, sealer: Sealer | None, gives_way: Callable[[], bool]
) -> AsyncIterator[None]:
    """As `working`, in the server: unless that is left to others, or there can be no webhooks."""
    if sealer is None or not settings.webhook_worker:
        yield
        return
    async with working(pool, settings, sealer, gives_way):
        yield


@asynccontextmanager
async def working(
    pool: asyncpg.Pool, settings: Settings, sealer: Sealer, gives_way: Callable[[], bool] = lambda: False
) -> AsyncIterator[None]:
    """Deliver webhooks while the block runs; what is in flight at its end is waited for.

    While `gives_way` says yes, it delivers slowly.
    """
    allowed = networks(settings.webhook_allowed_networks)
    async with Sender(allow_http=settings.webhook_allow_http, allowed=allowed, connections=IN_FLIGHT) as sender:
        stop = asyncio.Event()
        task = asyncio.create_task(Worker(pool, sender, sealer, gives_way).run(stop))
        try:
            yield
        finally:
            stop.set()
            await task
