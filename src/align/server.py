"""Runs the server: database, migrations, then one or several processes until they are told to stop."""

import asyncio
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog
import uvicorn
import uvloop

from align.app import Server
from align.db import embedded, migrate
from align.db.pool import open_pool
from align.sealing import Sealer
from align.settings import Settings
from align.web import logs
from align.web.quick import QuickProtocol
from align.webhooks import running

log = structlog.get_logger()

# Connections that may wait to be accepted; more than a burst of any sender.
BACKLOG = 4096
# Where worker processes find what their parent decided; both are set by `serve` only.
_WORKER_SETTINGS = "_ALIGN_WORKER_SETTINGS"
_WORKER_DATABASE = "_ALIGN_WORKER_DATABASE"


# Longer than the 60 s after which common proxies let an idle connection go: whoever closes first must not be the one
# that a request may just be on its way to.
KEEP_ALIVE_SECONDS = 75


class PortTaken(Exception):
    """Another program listens there."""


class StartFailed(Exception):
    """The application failed while starting; the log says why."""


def serve(settings: Settings, on_ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT, then finish what was accepted and stop.

    `on_ready` is called in a thread of its own with the base URL once requests are answered. Raises
    EmbeddedServerFailure, UnusableDatabase or PortTaken when the server can't start.
    """
    logs.configure(settings)
    # Until uvicorn listens for signals, one is noted, and obeyed once the database is up: then it can be stopped, too.
    # uvicorn raises the signal that stopped it once more when it is done; our own ending must still run then.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    listener = _listen(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    with listener, _database(settings) as database_url:
        migrate.migrate(database_url)
        running.sealer_of(settings)  # a key file that holds none is told here, to the operator
        log.info("serving", url=base_url, documentation=f"{base_url}/docs", workers=settings.workers)
        run = _run_here if settings.workers == 1 else _run_workers
        run(settings, database_url, listener, lambda: _announce(on_ready, base_url), stop)
    log.info("stopped")


def deliver(settings: Settings) -> None:
    """Deliver webhooks until SIGTERM or SIGINT, then finish what is in flight.

    Raises StartFailed without a secret key, EmbeddedServerFailure or UnusableDatabase.
    """
    logs.configure(settings)
    sealer = running.sealer_of(settings)
    if sealer is None:
        raise StartFailed("webhooks need ALIGN_SECRET_KEY, the same for all processes of this database")
    with _database(settings) as database_url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        migrate.migrate(database_url)
        runner.run(_deliver(database_url, settings, sealer))
    log.info("stopped")


async def _deliver(database_url: str, settings: Settings, sealer: Sealer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with await open_pool(database_url, settings) as pool, running.working(pool, settings, sealer):
        log.info("delivering webhooks")
        await stop.wait()


def worker() -> Server:
    """The application of one worker process."""
    # The hook makes the one type that JSON has no word for: Path.
    settings = msgspec.json.decode(os.environ[_WORKER_SETTINGS], type=Settings, dec_hook=lambda kind, text: kind(text))
    logs.configure(settings)
    return Server(os.environ[_WORKER_DATABASE], settings)


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
    else:
        with embedded.running(settings.data_dir) as database_url:
            yield database_url


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # From now on clients wait for the start instead of being refused, and a second server learns that it is late.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"{settings.host}:{settings.port} can't be listened on ({error.strerror}); choose another with --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def uvicorn_config(settings: Settings, app: object) -> uvicorn.Config:
    """How uvicorn serves `app`, an ASGI application or the import path of its factory."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=isinstance(app, str),
        loop="uvloop",
        http=QuickProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        workers=settings.workers,
    )


class _Uvicorn(uvicorn.Server):
    """Tells when it answers, and tells the application when it begins to stop."""

    def __init__(
        self, config: uvicorn.Config, application: Server, ready: Callable[[], None], stop: threading.Event
    ) -> None:
        super().__init__(config)
        self._application = application
        self._ready = ready
        self._stop = stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._stop.is_set():
            self.should_exit = True
        elif self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._application.draining = True
        await super().shutdown(sockets)


def _run_here(
    settings: Settings, database_url: str, listener: socket.socket, ready: Callable[[], None], stop: threading.Event
) -> None:
    application = Server(database_url, settings)
    server = _Uvicorn(uvicorn_config(settings, application), application, ready, stop)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(server.serve(sockets=[listener]))
        except SystemExit:  # uvicorn's way to say that the application failed while starting
            raise StartFailed("the server did not start; the reason stands above") from None


def _run_workers(
    settings: Settings, database_url: str, listener: socket.socket, ready: Callable[[], None], stop: threading.Event
) -> None:
    from uvicorn.supervisors import Multiprocess

    if settings.redis_url is None:
        log.warning("each worker counts rate limits on its own; set ALIGN_REDIS_URL to share them")
    config = uvicorn_config(settings, "align.server:worker")
    with tempfile.TemporaryDirectory(prefix="align-metrics-") as directory:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
        os.environ[_WORKER_SETTINGS] = msgspec.json.encode(settings, enc_hook=str).decode()
        os.environ[_WORKER_DATABASE] = database_url
        supervisor = Multiprocess(config, sockets=[listener])  # listens for signals from here on
        if not stop.is_set():
            ready()
            supervisor.run()


def _announce(on_ready: Callable[[str], None] | None, base_url: str) -> None:
    if on_ready is not None:
        threading.Thread(target=on_ready, args=[base_url], daemon=True).start()
