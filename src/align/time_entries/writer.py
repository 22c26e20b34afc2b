"""The connections of the sync path, and the one statement they run."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import asyncpg
import structlog
from asyncpg.prepared_stmt import PreparedStatement

from align.db import sql
from align.db.pool import STATEMENT_TIMEOUT_MILLISECONDS
from align.time_entries.coalescer import StillBusy
from align.time_entries.rows import PATH, Outcome, SyncRow, columns
from align.web.metrics import SYNC_RETRIED_STATEMENTS, SYNC_STATEMENT_SECONDS

log = structlog.get_logger()

QUERIES = sql.load(Path(__file__).with_name("sync.sql"))

# A repeat that meets its first request still running waits this long before 409 (decision 5).
LOCK_TIMEOUT_MILLISECONDS = 2_000
# A row loses a race only to a row that is then committed and seen the next time; more losses than this are a fault.
MAXIMUM_ASKS = 3

SERVER_SETTINGS = {
    "application_name": "align sync",
    "statement_timeout": str(STATEMENT_TIMEOUT_MILLISECONDS),
    "lock_timeout": str(LOCK_TIMEOUT_MILLISECONDS),
    "timezone": "UTC",
    # Planned once per connection and never by luck: on tables without statistics the planner would scan them, and keep
    # doing so while they grow. With these, every access is an index look-up.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "jit": "off",
}


class OutcomeUnknown(Exception):
    """The connection was lost: what was sent may or may not be committed. Repeating the call settles it."""


class Writer:
    """A few connections, each for one statement at a time."""

    def __init__(self, database_url: str, connections: int) -> None:
        self._database_url = database_url
        self._free: asyncio.Queue[_Session] = asyncio.Queue()
        self._sessions = [_Session(database_url) for _ in range(connections)]
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

        Rows must differ in their pairs and idempotency keys. Returns only after COMMIT.
        """
        async with self._session() as session:
            try:
                outcomes: list[Outcome | BaseException] = list(await session.sync(rows))
            except asyncpg.PostgresError as error:
                SYNC_RETRIED_STATEMENTS.inc()
                log.warning("sync statement failed", rows=len(rows), sqlstate=error.sqlstate)
                if len(rows) == 1 and isinstance(error, asyncpg.LockNotAvailableError):
                    return [StillBusy()]  # it has waited as long as it may
                outcomes = [await self._alone(session, row) for row in rows]
            for index, outcome in enumerate(outcomes):
                if isinstance(outcome, Outcome) and outcome.outcome == "lost_race":
                    outcomes[index] = await self._alone(session, rows[index])
        return outcomes

    async def _alone(self, session: "_Session", row: SyncRow) -> Outcome | BaseException:
        for _ in range(MAXIMUM_ASKS):
            try:
                if row.idempotency_key is not None:
                    await session.forget_expired_response(row)
                outcome = (await session.sync([row]))[0]
            except asyncpg.LockNotAvailableError:
                return StillBusy()
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name != "one_response_per_idempotency_key":
                    return error
            except (asyncpg.PostgresError, OutcomeUnknown) as error:
                return error
            else:
                if outcome.outcome != "lost_race":
                    return outcome
        return StillBusy()

    def _session(self) -> "_Lease":
        return _Lease(self._free)


class _Lease:
    """One free session for the length of a block."""

    def __init__(self, free: "asyncio.Queue[_Session]") -> None:
        self._free = free

    async def __aenter__(self) -> "_Session":
        self._session = await self._free.get()
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._free.put_nowait(self._session)


class _Session:
    """One connection with the statement prepared; connects again after a loss."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None
        self._statement: PreparedStatement | None = None

    async def ready(self) -> PreparedStatement:
        if self._connection is None or self._connection.is_closed() or self._statement is None:
            self._connection = await asyncpg.connect(self._database_url, server_settings=SERVER_SETTINGS)
            self._statement = await self._connection.prepare(QUERIES.sync_time_entries)
        return self._statement

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()

    async def sync(self, rows: Sequence[SyncRow]) -> list[Outcome]:
        try:
            statement = await self.ready()
            with SYNC_STATEMENT_SECONDS.time():
                records = await statement.fetch(*columns(rows), PATH)
        except asyncpg.PostgresError as error:
            if error.sqlstate is not None and error.sqlstate[:2] in ("08", "57"):  # connection lost, server stops
                await self._lose()
                raise OutcomeUnknown from error
            raise
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            await self._lose()
            raise OutcomeUnknown from error
        return [Outcome(*record) for record in records]

    async def forget_expired_response(self, row: SyncRow) -> None:
        await self.ready()
        if self._connection is not None:
            await self._connection.execute(
                QUERIES.forget_expired_response, row.organization_id, row.api_key_id, PATH, row.idempotency_key
            )

    async def _lose(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._statement = None
