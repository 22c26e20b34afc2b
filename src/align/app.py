"""The only place where things are wired together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import msgspec
import structlog
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from align import __version__
from align.access.admission import Admission
from align.access.authentication import Authentication
from align.access.calls import Calls
from align.api_keys import api as api_keys
from align.changes import api as changes
from align.changes import housekeeping
from align.db.pool import open_pool
from align.invitations import api as invitations
from align.links import api as links
from align.organizations import api as organizations
from align.organizations import period_lock_api
from align.projects import api as projects
from align.projects import members_api
from align.reconciliation import api as reconciliation
from align.sealing import Sealer
from align.settings import Settings
from align.tickets import api as tickets
from align.time_entries import api as time_entries
from align.time_entries import entries_api, lifecycle_api, rows
from align.time_entries.batch import Batch
from align.time_entries.coalescer import Coalescer
from align.time_entries.rows import Outcome, SyncRow
from align.time_entries.session import QUERIES
from align.time_entries.sync import Sync
from align.time_entries.writer import Writer
from align.users import api as users
from align.web import metrics, openapi, pages
from align.web.application import Application
from align.web.operation import PREFIX, Operation
from align.web.quick import Quick
from align.web.rate_limit import RateLimiter
from align.webhooks import api as webhooks
from align.webhooks import described as deliveries
from align.webhooks import running as webhooks_running

log = structlog.get_logger()

# Two: while one statement commits, the next one is planned and run. A third only makes both smaller.
SYNC_STATEMENTS_IN_FLIGHT = 2
# Batches have connections of their own, so that a long one never holds a single request up.
BATCHES_IN_FLIGHT = 2
# Rows of a statement. More adds latency and no speed: the cost of a statement is spread thin by then.
SYNC_ROWS_PER_STATEMENT = 256
# Rows that may wait: at the speed of a laptop, less than a second's work.
SYNC_ROWS_WAITING = 8192
# As many syncs under way at once mean a busy server: its webhooks give way.
SYNCS_THAT_COME_FIRST = 16
CLEAN_UP_SECONDS = 60


class Server:
    """Everything that a running process holds; an ASGI application once it is started."""

    def __init__(self, database_url: str, settings: Settings) -> None:
        self._database_url = database_url
        self._settings = settings
        self._application: Application | None = None
        self.draining = False
        # What the protocol hands over without running an ASGI application; see align.web.quick.
        self.quick: Quick | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. The first event, the lifespan's, opens the database."""
        if self._application is None:
            self._application = await self._build()
        await self._application(scope, receive, send)

    async def _build(self) -> Application:
        pool = await open_pool(self._database_url, self._settings)
        writer = Writer(self._database_url, SYNC_STATEMENTS_IN_FLIGHT)
        await writer.open()
        coalescer = _coalescer(writer)
        limiter = RateLimiter(self._settings.redis_url)
        admission = Admission(Authentication(pool), limiter)
        sync = Sync(admission, pool, coalescer)
        batch_writer = Writer(self._database_url, BATCHES_IN_FLIGHT)
        sealer = webhooks_running.sealer_of(self._settings)
        batch = Batch(admission, batch_writer)
        table = operations(Calls(admission, pool), sync, batch, self._settings, sealer)

        @asynccontextmanager
        async def lifespan(_router: Router) -> AsyncIterator[None]:
            tasks = [
                asyncio.create_task(_clean_up(pool)),
                *housekeeping.tasks(pool, self._settings.event_retention_days),
            ]
            async with webhooks_running.delivering(
                pool, self._settings, sealer, lambda: coalescer.waiting >= SYNCS_THAT_COME_FIRST
            ):
                yield
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await coalescer.drain()
            await asyncio.gather(writer.close(), batch_writer.close(), pool.close(), limiter.close())
            metrics.forget_process()

        application = Application(
            table,
            pages.pages(pool, lambda: self.draining, openapi_document(table)),
            pages.mounts(),
            self._settings.access_log,
            lifespan,
            quick={path.encode(): sync for path in (rows.PATH, rows.PATH.removeprefix(PREFIX))},
        )
        self.quick = application.quick
        return application


def _coalescer(writer: Writer) -> Coalescer[SyncRow, Outcome]:
    return Coalescer(
        writer.run,
        maximum_in_flight=SYNC_STATEMENTS_IN_FLIGHT,
        maximum_rows=SYNC_ROWS_PER_STATEMENT,
        maximum_waiting=SYNC_ROWS_WAITING,
    )


def operations(calls: Calls, sync: Sync, batch: Batch, settings: Settings, sealer: Sealer | None) -> list[Operation]:
    """The table of all operations."""
    return [
        *time_entries.operations(calls, sync, batch),
        *users.operations(calls),
        *invitations.operations(calls),
        *projects.operations(calls),
        *members_api.operations(calls),
        *tickets.operations(calls),
        *links.operations(calls),
        *entries_api.operations(calls),
        *lifecycle_api.operations(calls),
        *period_lock_api.operations(calls),
        *organizations.operations(calls),
        *changes.operations(calls),
        *api_keys.operations(calls, settings.rate_limit_per_minute),
        *reconciliation.operations(calls),
        *webhooks.operations(calls, sealer, webhooks_running.check_of(settings)),
    ]


def openapi_document(table: list[Operation]) -> bytes:
    """The OpenAPI document as served."""
    return msgspec.json.encode(openapi.document(table, __version__, deliveries.documented(), deliveries.HEADERS))


async def _clean_up(pool: asyncpg.Pool) -> None:
    """Reclaim the space of expired idempotency rows; nothing depends on when."""
    deleted = ""
    while True:
        await asyncio.sleep(CLEAN_UP_SECONDS if deleted in ("", "DELETE 0") else 0)
        try:
            deleted = await pool.execute(QUERIES.delete_expired_responses)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            deleted = ""
            log.warning("clean-up failed; it is tried again", reason=type(error).__name__)
