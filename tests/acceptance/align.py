"""The real `align` command in processes of its own, all of which are ended with the test."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import httpx
import psutil

from tests.waiting import until_now

PROGRAM = str(Path(sys.executable).with_name("align"))


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants; PostgreSQL is nobody's child."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; its parent may not have noticed yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Server:
    """A running `align serve`."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one kind."""
        return [line for line in self.lines() if line["event"] == name]

    def ready(self) -> str:
        """The base URL, as soon as the server says that it serves."""

        def serving() -> list[dict[str, Any]]:
            assert self.process.poll() is None, self.log.read_text("utf-8")
            return self.events("serving")

        url = str(until_now(serving, "serving server")[0]["url"])
        assert httpx.get(f"{url}/readyz", timeout=30).status_code == 200
        return url

    def stop(self, number: int = signal.SIGTERM) -> None:
        """The end after a polite signal, which must be in order."""
        self.process.send_signal(number)
        assert self.process.wait(60) == 0, self.log.read_text("utf-8")

    def kill(self) -> None:
        """The end without warning, as by a power cut of this one process."""
        self.process.kill()
        self.process.wait(60)


class Align:
    """Runs `align` on one data directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self._processes: list[subprocess.Popen[Any]] = []
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")}
        self._environment["ALIGN_DATA_DIR"] = str(self.data_dir)

    def run(
        self, *arguments: str, expect: int = 0, patience_seconds: float = 60, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """A finished command, whose exit code must be `expect`."""
        process = subprocess.run(
            [PROGRAM, *arguments],
            env=self._environment | environment,
            capture_output=True,
            text=True,
            timeout=patience_seconds,
            check=False,
        )
        assert process.returncode == expect, (process.stdout, process.stderr)
        return process

    def refusal(self, *arguments: str, expect: int, **environment: str) -> str:
        """The one line that a refused start prints, and nothing else."""
        process = self.run(*arguments, expect=expect, **environment)
        assert process.stdout == ""
        told = [line for line in process.stderr.splitlines() if not line.startswith("{")]  # the log aside
        assert len(told) == 1, process.stderr
        assert "Traceback" not in process.stderr
        return told[0]

    def json(self, *arguments: str, **environment: str) -> Any:
        """The one JSON value that a command prints."""
        return json.loads(self.run(*arguments, "--json", **environment).stdout)

    def start(self, *arguments: str, **environment: str) -> Server:
        """`align serve` on a free port, in the background."""
        log = self.directory / f"log-{len(self._processes)}"
        with log.open("wb") as file:
            return Server(self.popen("serve", "--port", "0", *arguments, stderr=file, **environment), log)

    def popen(self, *arguments: str, stderr: IO[bytes], **environment: str) -> "subprocess.Popen[str]":
        """A command in the background, with its stdout to be read."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            env=self._environment | environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        self._processes.append(process)
        return process

    def postgres(self) -> psutil.Process | None:
        """The PostgreSQL of the data directory, if one runs."""
        try:
            pid = int((self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            return process if str(self.data_dir / "postgres") in process.cmdline() else None
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):  # IndexError: not written yet
            return None

    def running_postgres(self) -> psutil.Process:
        """The PostgreSQL of the data directory, which must run."""
        process = self.postgres()
        assert process is not None
        return process

    def database_url(self) -> str:
        """The URL of the database in the running PostgreSQL."""
        socket = (self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[4]
        return f"postgresql://postgres@/align?host={socket}"

    def close(self) -> None:
        """End everything."""
        for process in self._processes:
            if process.poll() is None:
                for each in family(process.pid):
                    each.kill()
                process.wait(60)
            assert process.stdout is not None
            process.stdout.close()
        if postgres := self.postgres():
            postgres.send_signal(signal.SIGQUIT)
            postgres.wait(60)
        shutil.rmtree(self.directory, ignore_errors=True)
