"""Brings a database to the schema of this program: plain SQL files, applied in order by yoyo-migrations."""

import re
from pathlib import Path

import psycopg
import structlog
import yoyo
from psycopg import conninfo
from yoyo.backends import DatabaseBackend
from yoyo.migrations import MigrationList

from align.db import epochs

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"
# One number for all Align processes of a database; any constant does, as long as it never changes.
LOCK_NUMBER = 4_170_211_001
MINIMUM_SERVER_VERSION = 150_000


class UnusableDatabase(Exception):
    """The database can't serve this program; the message says why and what to do."""


def migrate(database_url: str) -> list[str]:
    """Apply the missing migrations, each in its own transaction, and return their names.

    Runs under an advisory lock, so that any number of processes may start at once; a lock of a process that
    died is released by the server (yoyo's own lock table would keep it). Then sees to the epoch of the change feed.
    Raises UnusableDatabase when the server is too old, can't be reached, or the database was migrated by a newer
    version of the program.
    """
    try:
        conninfo.conninfo_to_dict(database_url)
    except psycopg.ProgrammingError:  # its message would repeat the URL, password included
        raise UnusableDatabase("the database's URL can't be read; write it as postgresql://user@host/name") from None
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            if connection.info.server_version < MINIMUM_SERVER_VERSION:
                raise UnusableDatabase(
                    f"PostgreSQL 15 or newer is needed; this server is {connection.info.server_version // 10_000}"
                )
            connection.execute("select pg_advisory_lock(%s)", [LOCK_NUMBER])
            applied = _apply(database_url)
            epochs.check(connection)
            return applied
    except epochs.EventsHeld:
        raise UnusableDatabase(
            "a new epoch of the change feed can't begin while a transaction that has written events stays open; "
            "find it in pg_stat_activity and end it"
        ) from None
    except psycopg.OperationalError as error:
        raise UnusableDatabase(f"the database can't be reached: {str(error).strip().splitlines()[0]}") from None


def _apply(database_url: str) -> list[str]:
    backend = yoyo.get_backend(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database_url))
    try:
        known = yoyo.read_migrations(str(MIGRATIONS))
        _refuse_newer(backend, known)
        missing = backend.to_apply(known)
        names = [migration.id for migration in missing]
        backend.apply_migrations(missing)
    finally:
        backend.connection.close()
    if names:
        log.info("database migrated", applied=names)
    return names


def _refuse_newer(backend: DatabaseBackend, known: MigrationList) -> None:
    names = {migration.id for migration in known}
    newer = [name for (name,) in _applied(backend) if name not in names]
    if newer:
        raise UnusableDatabase(
            f"the database is newer than this program (it has {', '.join(sorted(newer))}); upgrade the program"
        )


def _applied(backend: DatabaseBackend) -> list[tuple[str]]:
    backend.ensure_internal_schema_updated()
    return list(backend.execute("select migration_id from _yoyo_migration").fetchall())
