"""What the embedded PostgreSQL shares with other users of the machine: neither its socket nor a lock."""

import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from align.db import embedded

# A Unix socket's path ends at 107 bytes, its name included.
TOO_LONG_FOR_A_SOCKET = "x" * 100


@pytest.mark.parametrize("name", ["data", TOO_LONG_FOR_A_SOCKET])
def test_only_the_user_of_the_database_reaches_its_socket(tmp_path, name):
    cluster = tmp_path / name / "postgres"
    for _ in range(2):  # a directory of an earlier run is there already
        with embedded.running(tmp_path / name) as url:
            sockets = Path(parse_qs(urlsplit(url).query)["host"][0])
            assert (sockets == cluster) == (name == "data")
            assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
            assert sockets.stat().st_uid == cluster.stat().st_uid
            with psycopg.connect(url) as connection:
                assert connection.execute("select current_user").fetchone() == ("postgres",)


def test_a_lock_that_another_user_made_is_in_nobodys_way(cli, tmp_path):
    (tmp_path / ".lockfile").mkdir()  # as unusable as another user's
    nowhere = {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "nothing")}
    listed = cli.run("orgs", "list", "--data-dir", str(tmp_path / "data"), **nowhere)
    assert listed.stdout.startswith("No organisation yet")
