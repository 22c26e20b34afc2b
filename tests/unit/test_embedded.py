"""The embedded PostgreSQL: safe by default, shared, taken over, and clear about why it can't start."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from align.db import embedded
from align.db.embedded import EmbeddedServerFailure
from tests.waiting import until_now


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory whose PostgreSQL does not run."""
    directory = tmp_path_factory.mktemp("embedded") / "with space é" / "data"
    with embedded.running(directory):
        pass
    yield directory
    shutil.rmtree(directory.parent)


def show(url: str, *names: str) -> list[str]:
    """Values of settings of the running server."""
    with psycopg.connect(url) as connection:
        return [connection.execute(f"show {name}").fetchone()[0] for name in names]


def postmaster(directory: Path) -> int | None:
    """The process id that the running server has written down."""
    try:
        return int((directory / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    except FileNotFoundError:
        return None


def test_an_answered_write_survives_a_power_cut(made):
    with embedded.running(made) as url:
        durable = show(url, "fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    assert durable == ["on", "on", "on", "on"]


def test_nobody_reaches_it_over_the_network(made):
    with embedded.running(made) as url:
        assert show(url, "listen_addresses") == [""]


def test_our_configuration_is_included_once_and_the_operators_wins(made):
    with embedded.running(made) as url:
        assert show(url, "max_wal_size") == ["4GB"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("alter system set max_wal_size = '3GB'")
    with embedded.running(made) as url:
        assert show(url, "max_wal_size") == ["3GB"]
    main = (made / "postgres" / "postgresql.conf").read_text()
    assert main.count("include 'align.conf'") == 1


def test_it_runs_until_its_last_user_leaves_however_that_one_leaves(made):
    with embedded.running(made) as first:
        pid = postmaster(made)
        with suppress(ZeroDivisionError), embedded.running(made) as second:
            assert second == first
            raise ZeroDivisionError
        assert postmaster(made) == pid
        assert show(first, "server_version")
    assert postmaster(made) is None
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)


def test_a_server_killed_a_moment_ago_is_started_anew(made):
    with embedded.running(made) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create table kept as select 42 as number")
        pid = postmaster(made)
        os.kill(pid, signal.SIGKILL)
        with embedded.running(made) as again, psycopg.connect(again, autocommit=True) as connection:
            assert postmaster(made) != pid
            assert connection.execute("select number from kept").fetchone() == (42,)
            connection.execute("drop table kept")


def test_a_left_over_lock_file_does_not_stand_in_the_way(made):
    left_over = made / "postgres" / "postmaster.pid"
    with embedded.running(made):
        text = left_over.read_text()
    owner = (made / "postgres").stat()
    left_over.write_text(text.replace(text.splitlines()[0], "999999", 1))
    os.chown(left_over, owner.st_uid, owner.st_gid)
    with embedded.running(made) as url:
        assert show(url, "server_version")
    until_now(lambda: postmaster(made) is None, "stop of PostgreSQL")


def test_a_cluster_of_another_version_is_refused(made):
    version = made / "postgres" / "PG_VERSION"
    ours = version.read_text()
    version.write_text("13\n")
    with pytest.raises(EmbeddedServerFailure, match="can't be used: Version mismatch"), embedded.running(made):
        pass
    version.write_text(ours)


def test_a_broken_cluster_is_told_with_the_place_of_its_log(made, monkeypatch):
    monkeypatch.setattr(embedded, "REFUSED_START_PATIENCE_SECONDS", 0)
    control = made / "postgres" / "global" / "pg_control"
    kept = control.rename(control.with_suffix(".kept"))
    with pytest.raises(EmbeddedServerFailure, match=r"did not start \(.*\); its log is .*/postgres/log"):
        embedded.running(made).__enter__()
    kept.rename(control)
    with embedded.running(made) as url:  # the failed start holds nothing
        assert show(url, "server_version")
    assert postmaster(made) is None


def test_a_directory_that_can_not_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedServerFailure, match="can't be used: Not a directory"):
        embedded.running(tmp_path / "file" / "data").__enter__()
