"""Turns many requests into few statements: what arrives while a statement is in flight goes down with the next.

No waiting when idle: the first row goes at once, alone. Bounded on every side: statements in flight,
rows of a statement, rows that wait. Knows nothing of time entries: rows go in, outcomes come out.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from align.web.metrics import SYNC_QUEUE_DEPTH, SYNC_QUEUE_SECONDS, SYNC_STATEMENT_ROWS

# Several times what a statement of many rows takes on a healthy server: a stuck one delays nobody longer than this.
HOLD_SECONDS = 0.02
# A repeat waits this long for the first request (decision 5).
BUSY_PATIENCE_SECONDS = 2.0


class Row(Protocol):
    """What the coalescer must know of a row."""

    @property
    def lane(self) -> Hashable:
        """Whose row it is: lanes (organisations) take turns."""

    @property
    def exclusive_keys(self) -> tuple[Hashable, ...]:
        """Rows that share one of these never run at the same time."""


R = TypeVar("R", bound=Row)
O = TypeVar("O")  # noqa: E741 - outcome


# Is called once, with the outcome or what went wrong; must not raise.
Callback = Callable[[O | BaseException], None]


class Overloaded(Exception):
    """The queue is full; nothing was accepted."""


class StillBusy(Exception):
    """A row that shares an exclusive key with this one is still running; nothing was done."""


class _Waiting(Generic[R, O]):
    """A row that was accepted, and who is told: a future, or a callback, which spares a turn of the loop."""

    __slots__ = ("callback", "future", "gave_up", "row", "runs", "since", "stepped_aside")

    def __init__(self, row: R, future: "asyncio.Future[O] | None", callback: "Callback[O] | None" = None) -> None:
        self.row = row
        self.future = future
        self.callback = callback
        self.runs = False
        self.gave_up = False
        self.stepped_aside = False
        self.since = time.perf_counter()

    @property
    def is_abandoned(self) -> bool:
        return self.gave_up or (self.future is not None and self.future.done())

    def tell(self, outcome: "O | BaseException") -> None:
        if self.callback is not None:
            self.callback(outcome)
        elif self.future is not None and not self.future.done():
            if isinstance(outcome, BaseException):
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)


class Coalescer(Generic[R, O]):
    """Runs rows through `run`, which answers a list of rows with as many outcomes (or exceptions) in their order."""

    def __init__(
        self,
        run: Callable[[Sequence[R]], Awaitable[Sequence[O | BaseException]]],
        *,
        maximum_in_flight: int,
        maximum_rows: int,
        maximum_waiting: int,
    ) -> None:
        self._run = run
        self._maximum_in_flight = maximum_in_flight
        self._maximum_rows = maximum_rows
        self._maximum_waiting = maximum_waiting
        self._lanes: dict[Hashable, deque[_Waiting[R, O]]] = {}
        self._turns: deque[Hashable] = deque()
        # Keys of rows in flight, each with the rows that wait for it.
        self._busy: dict[Hashable, deque[_Waiting[R, O]]] = {}
        self._waiting = 0
        self._in_flight = 0
        self._rows_in_flight = 0
        # Statements in flight, and those whose outcomes are being told.
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduled = False
        self._held: asyncio.TimerHandle | None = None

    def submit(self, row: R) -> "asyncio.Future[O]":
        """Accept a row; the future becomes its outcome. Raises Overloaded when too much waits already."""
        future: asyncio.Future[O] = asyncio.get_running_loop().create_future()
        self._accept(_Waiting(row, future))
        return future

    def submit_calling(self, row: R, callback: Callback[O]) -> None:
        """As `submit`, with a callback instead of a future."""
        self._accept(_Waiting(row, None, callback))

    def _accept(self, waiting: _Waiting[R, O]) -> None:
        if self._waiting >= self._maximum_waiting:
            raise Overloaded
        self._waiting += 1
        SYNC_QUEUE_DEPTH.set(self._waiting)
        self._enqueue(waiting)

    @property
    def waiting(self) -> int:
        """Rows that were accepted and have no outcome yet."""
        return self._waiting

    async def drain(self) -> None:
        """Wait until everything accepted has its outcome."""
        while self._tasks or self._waiting:
            self._pump()
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(0)

    def _enqueue(self, waiting: _Waiting[R, O]) -> None:
        lane = waiting.row.lane
        queue = self._lanes.get(lane)
        if queue is None:
            queue = self._lanes[lane] = deque()
            self._turns.append(lane)
        queue.append(waiting)
        if not self._scheduled and self._in_flight < self._maximum_in_flight:
            # After this turn of the loop, so that requests read from the sockets together go down together.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self, *, patient: bool = True) -> bool:
        """Start the statements that may start now; whether there were any."""
        self._scheduled = started = False
        while self._turns and self._in_flight < self._maximum_in_flight:
            if patient and self._worth_holding():
                break
            batch = self._take()
            if not batch:
                break
            self._in_flight += 1
            self._rows_in_flight += len(batch)
            task = asyncio.get_running_loop().create_task(self._flush(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            started = True
        SYNC_QUEUE_DEPTH.set(self._waiting)
        return started

    def _worth_holding(self) -> bool:
        """Whether the few rows that wait had better go down together with those that come next.

        A statement costs as much as some ten rows. So beside one in flight, another starts only for as many rows,
        or once the one in flight takes longer than usual.
        """
        if not self._in_flight or self._waiting - self._rows_in_flight >= self._rows_in_flight:
            return False
        if self._held is None:
            self._held = asyncio.get_running_loop().call_later(HOLD_SECONDS, self._let_go)
        return True

    def _let_go(self) -> None:
        self._held = None
        self._pump(patient=False)

    def _take(self) -> list[_Waiting[R, O]]:
        """The next rows, lane by lane in turn; rows with a busy key step aside until it is free."""
        batch: list[_Waiting[R, O]] = []
        while self._turns and len(batch) < self._maximum_rows:
            lane = self._turns.popleft()
            queue = self._lanes[lane]
            waiting = queue.popleft()
            if queue:
                self._turns.append(lane)
            else:
                del self._lanes[lane]
            if waiting.is_abandoned:  # its request was cancelled before it was sent
                self._waiting -= 1
            elif not self._step_aside(waiting):
                for key in waiting.row.exclusive_keys:
                    self._busy[key] = deque()
                waiting.runs = True
                batch.append(waiting)
        return batch

    def _step_aside(self, waiting: _Waiting[R, O]) -> bool:
        for key in waiting.row.exclusive_keys:
            if (queue := self._busy.get(key)) is not None:
                queue.append(waiting)
                if not waiting.stepped_aside:  # one patience for each row, however often it steps aside
                    waiting.stepped_aside = True
                    asyncio.get_running_loop().call_later(BUSY_PATIENCE_SECONDS, self._give_up, waiting)
                return True
        return False

    @staticmethod
    def _give_up(waiting: _Waiting[R, O]) -> None:
        # One that was released meanwhile and runs now gets its real outcome.
        if not waiting.runs and not waiting.is_abandoned:
            waiting.tell(StillBusy())
            waiting.gave_up = True

    async def _answers(self, rows: list[R]) -> Sequence[O | BaseException]:
        outcomes = await self._run(rows)
        if len(outcomes) != len(rows):
            raise ValueError(f"{len(outcomes)} outcomes came back for {len(rows)} rows")
        return outcomes

    async def _flush(self, batch: list[_Waiting[R, O]]) -> None:
        SYNC_STATEMENT_ROWS.observe(len(batch))
        SYNC_QUEUE_SECONDS.observe(time.perf_counter() - min(waiting.since for waiting in batch))
        outcomes: Sequence[O | BaseException]
        try:
            outcomes = await self._answers([waiting.row for waiting in batch])
        except BaseException as error:
            outcomes = [error] * len(batch)
        self._landed(batch)
        # The next statement is sent before anybody is told: the database works while the answers are written.
        if self._pump():
            await asyncio.sleep(0)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.tell(outcome)

    def _landed(self, batch: list[_Waiting[R, O]]) -> None:
        """A statement has ended: its place and its keys are free."""
        self._in_flight -= 1
        self._waiting -= len(batch)
        self._rows_in_flight -= len(batch)
        if self._held is not None:
            self._held.cancel()
            self._held = None
        for waiting in batch:
            for key in waiting.row.exclusive_keys:
                for released in self._busy.pop(key):
                    self._enqueue(released)
