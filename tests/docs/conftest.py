"""Runs the blocks of a document one after the other, as a reader would, against the real server."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import psycopg
import pytest

from align.db import migrate
from align.demo import data
from align.settings import Settings
from tests.conftest import RunningServer
from tests.docs.comparing import Comparison
from tests.docs.markdown import Block, blocks

SHOWN_URL = "http://127.0.0.1:8080"
# Where the examples' own receiver of webhooks listens, and the file in which they keep its process id.
SHOWN_RECEIVER, RECEIVER_PID = "127.0.0.1:9000", "receiver.pid"
PATIENCE_SECONDS = 60
INTERPRETERS = {"sh": ["bash", "-eu", "-o", "pipefail", "-c"], "python": [sys.executable, "-W", "error", "-c"]}


class Reader:
    """Types what the document says, and compares what comes back with what it shows."""

    def __init__(self, directory: Path, base_url: str, variables: dict[str, str]) -> None:
        self._directory = directory
        self._places = {SHOWN_URL: base_url, SHOWN_RECEIVER: f"127.0.0.1:{free_port()}"}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(directory),
            **variables,
        }
        (directory / ".curlrc").write_text("silent\nshow-error\n")  # without a terminal, curl shows its progress

    def read(self, path: Path) -> int:
        """Run all that is marked; returns how many blocks were run."""
        comparison, output, count = Comparison(), "", 0
        for block in blocks(path):
            marker = block.marker.split(", ")
            try:
                if marker[0].startswith("file "):
                    (self._directory / marker[0].removeprefix("file ")).write_text(block.text, "utf-8")
                elif marker[0] == "run":
                    output, count = (
                        self._run(block, int(marker[1].removeprefix("exit ")) if marker[1:] else 0),
                        count + 1,
                    )
                elif marker[0] == "answer":
                    comparison.check(block.language, block.text, output)
                    self._keep(", ".join(marker[1:]), output)
            except AssertionError as error:
                raise AssertionError(f"{path.name}:{block.line}: {error}") from error
        return count

    def _run(self, block: Block, expected: int) -> str:
        text = block.text
        for shown, actual in self._places.items():
            text = text.replace(shown, actual)
        done = subprocess.run(
            [*INTERPRETERS[block.language], text],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == expected, done.stdout
        output = done.stdout
        for shown, actual in self._places.items():
            output = output.replace(actual, shown)
        return output

    def _keep(self, instruction: str, output: str) -> None:
        if instruction:
            name, pattern = instruction.split("=", 1)
            found = re.search(pattern, output, re.MULTILINE)
            assert found, f"nothing matches {pattern} in {output}"
            self._environment[name] = found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def own_database_url(database_url: str) -> str:
    """A migrated database with nothing in it: the lists that documents show are of what they made."""
    name = f"docs_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = database_url.replace("/align?", f"/{name}?")
    assert url != database_url
    migrate.migrate(url)
    return url


@pytest.fixture
async def reader(own_database_url: str, data_dir: Path, tmp_path: Path) -> AsyncIterator[Callable[[Path], int]]:
    """Reads a document, with the demo's data in the database and a fresh key of the demo's organisation."""
    connection = await asyncpg.connect(own_database_url)
    async with connection.transaction():
        demo = await data.prepare(connection, rate_limit_per_minute=600)
    await connection.close()
    settings = Settings(data_dir=data_dir, webhook_allow_http=True, webhook_allowed_networks="127.0.0.0/8")
    with RunningServer(own_database_url, settings) as url:
        variables = {"ALIGN_DATABASE_URL": own_database_url, "URL": url, "KEY": demo.organization_key}
        yield Reader(tmp_path, url, variables).read
    kept = tmp_path / RECEIVER_PID
    if kept.is_file():
        with suppress(ProcessLookupError):  # the examples end it themselves, if they come that far
            os.kill(int(kept.read_text()), signal.SIGTERM)
