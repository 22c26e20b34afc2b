"""One connection of the sync path, with the statement prepared on it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from align.db import sql
from align.db.pool import STATEMENT_TIMEOUT_MILLISECONDS, SYNC_APPLICATION_NAME
from align.time_entries.rows import PATH, Outcome, SyncRow, columns
from align.web.metrics import SYNC_STATEMENT_SECONDS

QUERIES = sql.load(Path(__file__).with_name("sync.sql"))

# A repeat that meets its first request still running waits this long before 409 (decision 5).
LOCK_TIMEOUT_MILLISECONDS = 2_000
SERVER_SETTINGS = {
    "application_name": SYNC_APPLICATION_NAME,
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


class Session:
    """One connection with the statement prepared; connects again after a loss."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None
        self._statement: PreparedStatement | None = None
        self._in_transaction = False

    async def ready(self) -> PreparedStatement:
        """Connect and plan, if that is not done yet."""
        if self._connection is None or self._connection.is_closed() or self._statement is None:
            if self._in_transaction:
                # A new connection would store the rest of the transaction's rows on their own.
                raise OSError("the connection of this transaction is lost")
            self._connection = await asyncpg.connect(self._database_url, server_settings=SERVER_SETTINGS)
            self._statement = await self._connection.prepare(QUERIES.sync_time_entries)
        return self._statement

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close()

    async def sync(self, rows: Sequence[SyncRow]) -> list[Outcome]:
        """Run the statement. Rows must differ in their pairs and idempotency keys.

        Raises OutcomeUnknown when the connection was lost, asyncpg.PostgresError when the statement failed.
        """
        with self._losses():
            statement = await self.ready()
            with SYNC_STATEMENT_SECONDS.time():
                records = await self._fetch(statement, rows)
        return [Outcome(*record) for record in records]

    async def _fetch(self, statement: PreparedStatement, rows: Sequence[SyncRow]) -> list[asyncpg.Record]:
        if self._connection is None or not self._connection.is_in_transaction():
            return list(await statement.fetch(*columns(rows), PATH))
        async with self._connection.transaction():  # a savepoint: a failing row must not end the whole
            return list(await statement.fetch(*columns(rows), PATH))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """One transaction around several statements; raises OutcomeUnknown when it was not confirmed."""
        with self._losses():
            await self.ready()
            connection = self._connection
            if connection is None:
                raise OSError("not connected")
            async with connection.transaction():
                self._in_transaction = True
                try:
                    yield connection
                finally:
                    self._in_transaction = False

    @contextmanager
    def _losses(self) -> Iterator[None]:
        """Turns a lost connection into OutcomeUnknown, and makes the next use connect again."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if error.sqlstate is not None and error.sqlstate[:2] in ("08", "57"):  # connection lost, server stops
                self._lose()
                raise OutcomeUnknown from error
            raise
        except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            self._lose()
            raise OutcomeUnknown from error

    async def forget_expired_response(self, row: SyncRow) -> None:
        """Make room for the row's idempotency key."""
        await self.ready()
        if self._connection is not None:
            await self._connection.execute(
                QUERIES.forget_expired_response, row.organization_id, row.api_key_id, PATH, row.idempotency_key
            )

    def _lose(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._statement = None
