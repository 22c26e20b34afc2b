"""Any number of processes may start at once on a new database: each migration is applied once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from align.db import migrate

STARTS = 6


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    name = f"empty_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield database_url.replace("/align?", f"/{name}?")
        connection.execute(f"drop database {name} with (force)")


def test_starts_at_once_apply_each_migration_once(empty_database):
    barrier = threading.Barrier(STARTS)

    def start(_: int) -> list[str]:
        barrier.wait()
        return migrate.migrate(empty_database)

    with ThreadPoolExecutor(STARTS) as threads:
        applied = list(threads.map(start, range(STARTS)))
    names = sorted(path.stem for path in migrate.MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback"))
    assert sorted(applied, key=len)[:-1] == [[]] * (STARTS - 1)
    assert max(applied, key=len) == names
    assert migrate.migrate(empty_database) == []


def test_a_start_waits_for_the_migrations_of_another(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as other, ThreadPoolExecutor(1) as threads:
        other.execute("select pg_advisory_lock(%s)", [migrate.LOCK_NUMBER])
        start = threads.submit(migrate.migrate, empty_database)
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted and objid = %s"
        while not other.execute(waiting, [migrate.LOCK_NUMBER & 0xFFFFFFFF]).fetchone():
            assert not start.done()
        assert not other.execute("select to_regclass('organizations') is not null").fetchone()[0]
        other.execute("select pg_advisory_unlock(%s)", [migrate.LOCK_NUMBER])
        assert start.result(60)
