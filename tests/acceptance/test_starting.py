"""How servers start, together and elsewhere, and how a start is refused: one clear line and an exit code."""

import socket
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.acceptance.sending import entry_of, stored, sync
from tests.waiting import until_now


def test_two_servers_that_start_at_once_on_nothing_migrate_once(align):
    servers = [align.start(), align.start()]
    for server in servers:
        assert httpx.get(f"{server.ready()}/readyz").json() == {"status": "ok"}
    migrated = [line["applied"] for server in servers for line in server.events("database migrated")]
    assert len(migrated) == 1
    assert migrated[0][0] == "0001_foundation"
    for server in servers:
        server.stop()
    assert align.postgres() is None


@pytest.fixture
def other_database(database_url):
    """An empty database on a PostgreSQL that somebody else runs."""
    name = f"other_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield database_url.replace("/align?", f"/{name}?")
        connection.execute(f"drop database {name} with (force)")


def test_another_database_is_used_instead_of_the_embedded_one(align, other_database):
    demo = align.json("demo", ALIGN_DATABASE_URL=other_database)
    server = align.start(ALIGN_DATABASE_URL=other_database)
    entry = entry_of(demo)
    assert sync(server.ready(), demo, entry).status_code == 201
    assert set(stored(other_database)) == {entry["externalId"]}
    server.stop()
    assert set(stored(other_database)) == {entry["externalId"]}  # still runs: it is not ours to stop
    assert not align.data_dir.exists()


def test_a_database_newer_than_the_program_is_refused(align, other_database):
    align.run("orgs", "list", ALIGN_DATABASE_URL=other_database)
    with psycopg.connect(other_database) as connection:
        connection.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
            "values ('hash', '9999_from_the_future', now())"
        )
    line = align.refusal("serve", "--port", "0", expect=3, ALIGN_DATABASE_URL=other_database)
    assert line == ("Error: the database is newer than this program (it has 9999_from_the_future); upgrade the program")


def test_a_newer_embedded_database_is_refused_and_stopped_again(align, demo):
    server = align.start()
    server.ready()
    with psycopg.connect(align.database_url()) as connection:
        connection.execute(
            "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
            "values ('hash', '9999_from_the_future', now())"
        )
    server.stop()
    assert "newer than this program" in align.refusal("serve", "--port", "0", expect=3)
    assert align.postgres() is None


@pytest.mark.parametrize(
    ("settings", "expect", "line"),
    [
        ({"ALIGN_PROT": "1"}, 2, "ALIGN_PROT is not a setting; did you mean ALIGN_PORT?"),
        ({"ALIGN_ACCESS_LOG": "some"}, 2, "ALIGN_ACCESS_LOG=some: must be one of all, errors, none"),
        ({"ALIGN_DATABASE_CONNECTIONS": "0"}, 2, "ALIGN_DATABASE_CONNECTIONS=0: must be an integer from 1 to 500"),
        ({"ALIGN_DATABASE_URL": "s3cret"}, 2, "ALIGN_DATABASE_URL is not a URL such as postgresql://user@host/name"),
        ({"ALIGN_REDIS_URL": "s3cret"}, 2, "ALIGN_REDIS_URL is not a URL such as redis://host:6379/0"),
        ({"ALIGN_DATABASE_URL": "postgresql://a:s3cret@127.0.0.1:1/b"}, 3, "the database can't be reached: "),
        ({"ALIGN_DATABASE_URL": "postgresql://a:s3cret%ZZ@h/b"}, 3, "the database's URL can't be read; write it as "),
        ({"ALIGN_HOST": "no.such.host.invalid"}, 1, "no.such.host.invalid:0 can't be listened on ("),
        ({"ALIGN_DATA_DIR": "/dev/null/data"}, 3, "the data directory /dev/null/data can't be used: "),
    ],
)
def test_a_wrong_setting_stops_the_start(align, settings, expect, line):
    told = align.refusal("serve", "--port", "0", expect=expect, **settings)
    assert told.startswith(f"Error: {line}")
    assert "s3cret" not in told
    assert not align.data_dir.exists()


def test_a_taken_port_is_told(align):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = align.refusal("serve", "--port", str(port), expect=1)
    assert line.startswith(f"Error: 127.0.0.1:{port} can't be listened on (Address already in use)")
    assert "--port" in line
    assert not align.data_dir.exists()


def test_of_two_servers_that_start_at_once_on_one_port_one_is_told(align, demo):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = [align.start("--port", str(port)) for _ in range(2)]
    (late,) = until_now(lambda: [each for each in servers if each.process.poll() is not None], "server that gave up")
    assert late.process.returncode == 1
    assert f"Error: 127.0.0.1:{port} can't be listened on" in late.log.read_text()
    servers.remove(late)
    assert sync(servers[0].ready(), demo, entry_of(demo)).status_code == 201
