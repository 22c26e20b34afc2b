"""Stores rows: a few connections, and what to do when a statement of many rows fails because of one."""

import asyncio
from collections import Counter
from collections.abc import Hashable, Sequence
from types import TracebackType
from typing import cast

import asyncpg
import structlog

from align.time_entries.coalescer import StillBusy
from align.time_entries.rows import Outcome, SyncRow
from align.time_entries.session import OutcomeUnknown, Session
from align.web.metrics import SYNC_RETRIED_STATEMENTS

log = structlog.get_logger()

# A row loses a race only to a row that is then committed and seen the next time; more losses than this are a fault.
MAXIMUM_ASKS = 3


class Writer:
    """A few connections, each for one statement at a time."""

    def __init__(self, database_url: str, connections: int) -> None:
        self._database_url = database_url
        self._free: asyncio.Queue[Session] = asyncio.Queue()
        self._sessions = [Session(database_url) for _ in range(connections)]
        for session in self._sessions:
            self._free.put_nowait(session)

    async def open(self) -> None:
        """Connect and plan, so that the first request does not wait for it."""
        await asyncio.gather(*(session.ready() for session in self._sessions))

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(session.close() for session in self._sessions))

    async def run(self, rows: Sequence[SyncRow]) -> list[Outcome | BaseException]:
        """Store `rows` in one transaction; if that fails, one by one, so that only the culprit is refused.

        Rows must differ in their pairs and idempotency keys. Returns only after COMMIT. Raises OutcomeUnknown.
        """
        async with self.lease() as session:
            return await settle(session, rows)

    async def run_in_order(self, rows: Sequence[SyncRow]) -> list[Outcome | BaseException]:
        """As `run`, for rows of which several may have the same pair: the first of them creates."""
        async with self.lease() as session:
            return await settle_in_order(session, rows)

    def lease(self) -> "_Lease":
        """A free session for the length of an `async with` block."""
        return _Lease(self._free)


async def settle_in_order(session: Session, rows: Sequence[SyncRow]) -> list[Outcome | BaseException]:
    """As `settle`, for rows of which several may have the same pair: the first of them creates."""
    waves: list[list[int]] = []
    seen: Counter[Hashable] = Counter()
    for index, row in enumerate(rows):
        pair = row.exclusive_keys[0]
        if seen[pair] == len(waves):
            waves.append([])
        waves[seen[pair]].append(index)
        seen[pair] += 1
    outcomes: dict[int, Outcome | BaseException] = {}
    for wave in waves:
        outcomes.update(zip(wave, await settle(session, [rows[index] for index in wave]), strict=True))
    return [outcomes[index] for index in range(len(rows))]


async def settle(session: Session, rows: Sequence[SyncRow]) -> list[Outcome | BaseException]:
    """The outcome of every row, whatever happens to its neighbours. Raises OutcomeUnknown."""
    try:
        outcomes: list[Outcome | BaseException] = list(await session.sync(rows))
    except asyncpg.PostgresError as error:
        SYNC_RETRIED_STATEMENTS.inc()
        log.warning("sync statement failed", rows=len(rows), sqlstate=error.sqlstate)
        if len(rows) == 1 and isinstance(error, asyncpg.LockNotAvailableError):
            return [StillBusy()]  # it has waited as long as it may
        outcomes = [await _alone(session, row) for row in rows]
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, Outcome) and outcome.outcome == "lost_race":
            outcomes[index] = await _alone(session, rows[index])
    return outcomes


async def _alone(session: Session, row: SyncRow) -> Outcome | BaseException:
    for _ in range(MAXIMUM_ASKS):
        try:
            if row.idempotency_key is not None:
                await session.forget_expired_response(row)
            outcome = (await session.sync([row]))[0]
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            return StillBusy()
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != "one_response_per_idempotency_key":
                return cast(BaseException, error)
        except (asyncpg.PostgresError, OutcomeUnknown) as error:
            return cast(BaseException, error)
        else:
            if outcome.outcome != "lost_race":
                return outcome
    return StillBusy()


class _Lease:
    """One free session for the length of a block."""

    def __init__(self, free: "asyncio.Queue[Session]") -> None:
        self._free = free

    async def __aenter__(self) -> Session:
        self._session = await self._free.get()
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.put_nowait(self._session)
