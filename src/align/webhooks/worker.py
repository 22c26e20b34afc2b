"""The worker: hands events over to webhooks, claims deliveries, sends them, settles what came of it.

Any number may run side by side. A claim is a lease, and nothing is sent inside a transaction: a worker that dies leaves
its deliveries to the others, with the same webhook-id.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog

from align.db import sql
from align.db.failures import is_unavailable
from align.events import events
from align.sealing import Sealer, Unsealable
from align.web.metrics import WEBHOOK_ATTEMPTS, WEBHOOK_LAG_SECONDS
from align.webhooks import retrying, upkeep
from align.webhooks.retrying import Attempt
from align.webhooks.sender import Sender

log = structlog.get_logger()
QUERIES = sql.load(Path(__file__).with_name("delivering.sql"))

# Between two looks for work: short enough to be unnoticed by people, long enough to cost nothing.
IDLE_SECONDS = 0.1
UPKEEP_SECONDS = 15
# After a failure of the worker itself, such as a database that is out of reach.
PAUSE_SECONDS = 1
# While many syncs wait in the same process, deliveries take a step only so often: a sender waits for its answer, a
# receiver of events does not, and what is late is caught up with afterwards.
GIVING_WAY_SECONDS = 0.25
EVENTS_AT_ONCE = 500
# In flight: in all, for one webhook, and for one whose attempts fail, so that a slow receiver holds up itself alone.
IN_FLIGHT = 512
IN_FLIGHT_PER_WEBHOOK = 64
IN_FLIGHT_PER_FAILING_WEBHOOK = 4
# A lease is longer than an attempt takes at most by this, so that no other worker sends it meanwhile.
LEASE_RESERVE_SECONDS = 15


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is ours until its lease ends; `attempts` were made before."""

    organization_id: UUID
    id: UUID
    webhook_id: UUID
    body: str
    attempts: int
    lease: UUID
    created_at: datetime
    destination_url: str
    sealed_secret: bytes
    sealed_previous: bytes | None


class Settled(msgspec.Struct, frozen=True):
    """What came of an attempt, as the statement takes it."""

    organization_id: UUID
    id: UUID
    lease: UUID
    state: str
    wait_seconds: float
    started: float
    duration_milliseconds: int
    status: int | None
    answer: str | None
    error: str | None


class Worker:
    """Delivers until it is told to stop."""

    def __init__(
        self, pool: asyncpg.Pool, sender: Sender, sealer: Sealer, gives_way: Callable[[], bool] = lambda: False
    ) -> None:
        self._pool = pool
        self._sender = sender
        self._gives_way = gives_way
        self._lease_seconds = sender.timeout_seconds + LEASE_RESERVE_SECONDS
        self._opened = lru_cache(maxsize=1024)(sealer.open)
        self._in_flight: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled: list[Settled] = []
        self._wake = asyncio.Event()
        self._next_upkeep = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then wait for what is in flight and settle it."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        while not stop.is_set():
            self._wake.clear()
            if not await self._tried_step():
                await self._rest()
            elif self._gives_way() and not stop.is_set():
                await asyncio.sleep(GIVING_WAY_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self._settle()
        except Exception as error:  # their leases end, and they are sent again
            log.warning("webhook deliveries could not be settled", reason=type(error).__name__)

    async def _tried_step(self) -> bool:
        """As `_step`; a failure is waited out: deliveries are leased, none is lost."""
        try:
            return await self._step()
        except Exception as error:
            if not is_unavailable(error):
                log.error("webhook worker failed", exc_info=error)
            await asyncio.sleep(PAUSE_SECONDS)
            return True

    async def _step(self) -> bool:
        """Settle, hand over, claim and send once; whether there was anything to do."""
        await self._settle()
        handed = await self._pool.fetchval(QUERIES.hand_over, EVENTS_AT_ONCE)
        claimed = await self._claim()
        for delivery in claimed:
            self._in_flight[delivery.webhook_id] += 1
            task = asyncio.create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if time.monotonic() >= self._next_upkeep:
            self._next_upkeep = time.monotonic() + UPKEEP_SECONDS
            await upkeep.once(self._pool)
        return bool(handed or claimed or self._settled)

    async def _rest(self) -> None:
        """Until a delivery is done, the worker is stopped, or it is time to look again."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _claim(self) -> list[Claimed]:
        room = IN_FLIGHT - self._in_flight.total()
        if room <= 0:
            return []
        rows = await self._pool.fetch(
            QUERIES.claim,
            list(self._in_flight.keys()),
            list(self._in_flight.values()),
            IN_FLIGHT_PER_WEBHOOK,
            IN_FLIGHT_PER_FAILING_WEBHOOK,
            room,
            float(self._lease_seconds),
            uuid4(),
        )
        return [Claimed(**row) for row in rows]

    async def _deliver(self, delivery: Claimed) -> None:
        started, clock = time.time(), time.perf_counter()
        attempt = await self._attempt(delivery)
        state, wait = retrying.outcome(delivery.attempts + 1, attempt, datetime.now(UTC))
        WEBHOOK_ATTEMPTS.labels(retrying.verdict(attempt)).inc()
        if state == "delivered":
            WEBHOOK_LAG_SECONDS.observe((datetime.now(UTC) - delivery.created_at).total_seconds())
        self._in_flight[delivery.webhook_id] -= 1
        if not self._in_flight[delivery.webhook_id]:
            del self._in_flight[delivery.webhook_id]
        self._settled.append(
            Settled(
                delivery.organization_id,
                delivery.id,
                delivery.lease,
                state,
                wait,
                started,
                int((time.perf_counter() - clock) * 1000),
                attempt.status,
                attempt.answer,
                attempt.error,
            )
        )
        self._wake.set()

    async def _attempt(self, delivery: Claimed) -> Attempt:
        try:
            secrets = [self._opened(delivery.sealed_secret)]
        except Unsealable as error:
            return Attempt(error=f"not sent: the secret is {error}")
        # The one before it helps a receiver that has not changed over yet; without it, the others are still served.
        with suppress(Unsealable):
            secrets += [self._opened(delivery.sealed_previous)] if delivery.sealed_previous is not None else []
        return await self._sender.send(delivery.destination_url, str(delivery.id), secrets, delivery.body.encode())

    async def _settle(self) -> None:
        batch, self._settled = self._settled, []
        if not batch:
            return
        now = time.time()
        try:
            columns = list(zip(*(msgspec.structs.astuple(each) for each in batch), strict=True))
            columns[5] = tuple(now - started for started in columns[5])
            to_disable = await self._pool.fetch(QUERIES.settle, *columns, retrying.DISABLED_AFTER)
        except BaseException:
            self._settled = batch + self._settled  # settled later; should that fail too, the leases end
            raise
        for row in to_disable:
            await self._disable(row["organization_id"], row["id"], row["reason"])

    async def _disable(self, organization_id: UUID, webhook_id: UUID, reason: str) -> None:
        """Switch it off, with an event and a line in the log."""
        async with self._pool.acquire() as tx, tx.transaction():
            if await tx.fetchval(QUERIES.disable, organization_id, webhook_id, reason) is None:
                return
            await events.record(
                tx,
                "webhook.disabled",
                ("webhook", webhook_id),
                organization_id=organization_id,
                before={"enabled": True, "disabledReason": None},
                after={"enabled": False, "disabledReason": reason},
            )
        log.warning("webhook disabled", webhook_id=str(webhook_id), reason=reason)
