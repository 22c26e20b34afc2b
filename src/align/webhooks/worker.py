"""The worker: hands events over to webhooks, claims deliveries, sends them, settles what came of it.

Any number may run side by side. A claim is a lease, and nothing is sent inside a transaction: a worker that dies leaves
its deliveries to the others, with the same webhook-id.
"""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog

from align.db import sql
from align.db.failures import is_unavailable
from align.events import events
from align.sealing import Sealer, Unsealable
from align.web.metrics import WEBHOOK_ATTEMPTS, WEBHOOK_LAG_SECONDS, WEBHOOK_PENDING
from align.webhooks import retrying
from align.webhooks.retrying import Attempt
from align.webhooks.sender import TIMEOUT_SECONDS, Sender

log = structlog.get_logger()
QUERIES = sql.load(Path(__file__).with_name("delivering.sql"))

# Between two looks for work: short enough to be unnoticed by people, long enough to cost nothing.
IDLE_SECONDS = 0.1
# How often pending deliveries are counted and webhooks that only fail are looked for.
LOOK_AROUND_SECONDS = 15
EVENTS_AT_ONCE = 500
# In flight: in all, and for one webhook, so that a slow receiver holds up itself alone.
IN_FLIGHT = 256
IN_FLIGHT_PER_WEBHOOK = 32
# Longer than an attempt takes at most, so that no other worker sends it meanwhile.
LEASE_SECONDS = TIMEOUT_SECONDS + 15


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is ours until its lease ends."""

    organization_id: UUID
    id: UUID
    webhook_id: UUID
    body: str
    attempts: int
    lease: UUID
    created_at: datetime
    event_name: str
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

    def __init__(self, pool: asyncpg.Pool, sender: Sender, sealer: Sealer) -> None:
        self._pool = pool
        self._sender = sender
        self._sealer = sealer
        self._in_flight: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled: list[Settled] = []
        self._wake = asyncio.Event()
        self._looked_around = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; then wait for what is in flight and settle it."""
        while not stop.is_set():
            busy = False
            try:
                busy = await self._step()
            except Exception as error:  # the next step may fare better; deliveries are leased, none is lost
                if not is_unavailable(error):
                    log.error("webhook worker failed", exc_info=error)
                await asyncio.sleep(1)
            if not busy:
                await self._rest(stop)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._settle()

    async def _step(self) -> bool:
        """Settle, hand over, claim and send once; whether there was anything to do."""
        await self._settle()
        handed = await self._hand_over()
        claimed = await self._claim()
        for delivery in claimed:
            self._in_flight[delivery.webhook_id] += 1
            task = asyncio.create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._look_around()
        return handed or bool(claimed)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Until a delivery is done, or it is time to look again."""
        self._wake.clear()
        waiting = [asyncio.create_task(self._wake.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waiting, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    async def _hand_over(self) -> bool:
        epoch = await self._pool.fetchval(QUERIES.current_epoch)
        row = await self._pool.fetchrow(QUERIES.hand_over, EVENTS_AT_ONCE, epoch)
        return bool(row["events"])

    async def _claim(self) -> list[Claimed]:
        room = IN_FLIGHT - self._in_flight.total()
        if room <= 0:
            return []
        full = [webhook for webhook, count in self._in_flight.items() if count >= IN_FLIGHT_PER_WEBHOOK // 2]
        each = min(room, IN_FLIGHT_PER_WEBHOOK // 2)
        rows = await self._pool.fetch(QUERIES.claim, full, each, room, float(LEASE_SECONDS), uuid4())
        return [Claimed(**row) for row in rows]

    async def _deliver(self, delivery: Claimed) -> None:
        started, clock = time.time(), time.perf_counter()
        try:
            sealed = [delivery.sealed_secret, delivery.sealed_previous]
            secrets = [self._sealer.open(each) for each in sealed if each is not None]
            body = delivery.body.encode()
            attempt = await self._sender.send(delivery.destination_url, str(delivery.id), secrets, body)
        except Unsealable as error:
            attempt = Attempt(error=f"not sent: the secret is {error}")
        finally:
            self._in_flight[delivery.webhook_id] -= 1
            if not self._in_flight[delivery.webhook_id]:
                del self._in_flight[delivery.webhook_id]
        verdict = retrying.verdict(attempt)
        wait = retrying.next_wait_seconds(delivery.attempts, attempt, datetime.now(UTC))
        state = {"delivered": "delivered", "gone": "failed"}.get(verdict, "failed" if wait is None else "pending")
        WEBHOOK_ATTEMPTS.labels(verdict).inc()
        if verdict == "delivered":
            WEBHOOK_LAG_SECONDS.observe((datetime.now(UTC) - delivery.created_at).total_seconds())
        elif verdict == "gone":
            await self._disable(delivery.organization_id, delivery.webhook_id, "gone")
        self._settled.append(
            Settled(
                delivery.organization_id,
                delivery.id,
                delivery.lease,
                state,
                wait or 0.0,
                started,
                int((time.perf_counter() - clock) * 1000),
                attempt.status,
                attempt.answer,
                attempt.error,
            )
        )
        self._wake.set()

    async def _settle(self) -> None:
        batch, self._settled = self._settled, []
        if not batch:
            return
        now = time.time()
        try:
            columns = list(zip(*(msgspec.structs.astuple(each) for each in batch), strict=True))
            columns[5] = tuple(now - started for started in columns[5])
            await self._pool.execute(QUERIES.settle, *columns)
        except BaseException:
            self._settled = batch + self._settled  # settled later; should that fail too, the leases end
            raise

    async def _look_around(self) -> None:
        if time.monotonic() - self._looked_around < LOOK_AROUND_SECONDS:
            return
        self._looked_around = time.monotonic()
        WEBHOOK_PENDING.set(await self._pool.fetchval(QUERIES.count_pending))
        failing = await self._pool.fetch(QUERIES.find_failing, retrying.DISABLED_AFTER)
        for row in failing:
            await self._disable(row["organization_id"], row["id"], "failing")

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
                before={"enabled": True},
                after={"enabled": False, "disabledReason": reason},
            )
        log.warning("webhook disabled", webhook_id=str(webhook_id), reason=reason)
