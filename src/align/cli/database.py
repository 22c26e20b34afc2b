"""How a command reaches the database, whether or not a server is running on the same data directory."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

import msgspec

from align import settings as align_settings
from align.cli.failures import DatabaseUnusable
from align.settings import InvalidSettings, Settings

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")


def run(data_dir: str | None, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run `work` in one transaction and return its result.

    Raises InvalidSettings, DatabaseUnusable, and what `work` raises, after which nothing is changed.
    """
    settings = align_settings.load(os.environ, data_dir=data_dir)
    with opened(settings) as url:
        return transact(settings, url, work)


@contextmanager
def opened(settings: Settings) -> Iterator[str]:
    """The URL of the database, running and migrated while the block runs.

    Raises DatabaseUnusable, and InvalidSettings when its URL is none.
    """
    from align.db.embedded import EmbeddedServerFailure

    _only_warnings_to_stderr()
    failure: BaseException | None = None
    try:
        with _server(settings) as url:
            try:
                _migrate(url)
                yield url
            except BaseException as error:
                failure = error  # kept back: the embedded server is stopped when its block ends normally
    except EmbeddedServerFailure as error:
        raise DatabaseUnusable(str(error)) from None
    if failure is not None:
        raise failure


def transact(settings: Settings, url: str, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run `work` in one transaction of the database at `url`; returns its result. Raises DatabaseUnusable."""
    import asyncpg

    from align.db.pool import open_pool

    async def whole() -> T:
        one_connection = msgspec.structs.replace(settings, database_connections=1)
        async with (
            await open_pool(url, one_connection) as pool,
            pool.acquire() as connection,
            connection.transaction(),
        ):
            return await work(connection)

    try:
        return asyncio.run(whole())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnusable(f"the database does not do its work: {error}") from error


def _server(settings: Settings) -> AbstractContextManager[str]:
    if settings.database_url is None:
        from align.db import embedded

        return embedded.running(settings.data_dir)
    from psycopg import ProgrammingError, conninfo

    try:
        conninfo.conninfo_to_dict(settings.database_url)
    except ProgrammingError:  # its message would repeat the URL, password included
        raise InvalidSettings("ALIGN_DATABASE_URL is not a URL such as postgresql://user@host/name") from None
    return nullcontext(settings.database_url)


def _migrate(url: str) -> None:
    import psycopg

    from align.db import migrate

    try:
        migrate.migrate(url)
    except migrate.UnusableDatabase as error:
        raise DatabaseUnusable(str(error)) from None
    except psycopg.Error as error:
        raise DatabaseUnusable(f"the database can't be brought to this program's schema: {error}") from error


def _only_warnings_to_stderr() -> None:
    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
