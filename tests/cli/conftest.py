"""The real command line on a temporary data directory, whose PostgreSQL runs as long as the test file does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from align.db import embedded


class Cli:
    """Runs `align` and looks at the database behind it."""

    program = str(Path(sys.executable).with_name("align"))

    def __init__(self, data_dir: Path, database_url: str) -> None:
        self.data_dir = data_dir
        self.database_url = database_url
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")}
        self.environment["ALIGN_DATA_DIR"] = str(data_dir)

    def start(self, *arguments: str | bytes, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.program, *arguments],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | bytes, expect: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        """The finished process, whose exit code must be `expect`; successes must leave stderr empty."""
        with self.start(*arguments, **environment) as process:
            stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == expect, (stdout, stderr)
        assert (stderr == "") == (expect == 0), stderr
        assert "Traceback" not in stderr
        assert "\x1b" not in stdout + stderr
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def json(self, *arguments: str) -> Any:
        """The one JSON value that the command prints."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def failure(self, *arguments: str | bytes, expect: int = 1, **environment: str) -> Any:
        """The JSON object that the failing command prints on stderr, with nothing on stdout."""
        process = self.run(*arguments, "--json", expect=expect, **environment)
        assert process.stdout == ""
        return json.loads(process.stderr)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query; arrays come as tuples."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            rows = connection.execute(statement, values).fetchall()
        return [tuple(tuple(each) if isinstance(each, list) else each for each in row) for row in rows]

    def change(self, statement: str) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement)

    def events(self, organization_id: str) -> list[tuple[Any, ...]]:
        """(event_name, entity_type, entity_id, before, after) of the organisation's events, oldest first."""
        return self.query(
            "select event_name, entity_type, entity_id::text, before, after from events "
            "where organization_id = %s and actor_user_id is null and actor_api_key_id is null order by id",
            organization_id,
        )


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """On a fresh data directory, whose database no migration has touched yet."""
    data_dir = tmp_path_factory.mktemp("data")
    with embedded.running(data_dir) as database_url:
        yield Cli(data_dir, database_url)
