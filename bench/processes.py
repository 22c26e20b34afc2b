"""Processes that the benchmark starts, and that never outlive it."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_PATIENCE_SECONDS = 60
START_PATIENCE_SECONDS = 120
SERVER_MEMORY, PEAK_MEMORY = "memory of the server process", "peak memory of the server process"


class Failed(Exception):
    """Something that a measurement needs does not work; the message says what and how to mend it."""


def environment() -> dict[str, str]:
    """The environment without settings of Align: default settings are what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ALIGN_")}


class Child:
    """A running process whose output goes to a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text("utf-8", "replace")

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until `condition` holds. Raises Failed when the process ends or takes too long."""
        deadline = time.monotonic() + START_PATIENCE_SECONDS
        while not condition():
            if self._process.poll() is not None:
                raise Failed(f"{what} ended with status {self._process.returncode}:\n{self.output()[-2000:]}")
            if time.monotonic() > deadline:
                raise Failed(f"{what} was not ready within {START_PATIENCE_SECONDS} s:\n{self.output()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """SIGTERM to the whole group, then SIGKILL to what does not listen."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self._process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


@contextmanager
def running(command: Sequence[str | Path], directory: Path, extra: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run `command` while the block runs.

    In a group of its own, so that Ctrl-C reaches it only through the block's end, in the right order.
    """
    with tempfile.NamedTemporaryFile(dir=directory, suffix=".log", delete=False) as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment(), **(extra or {})},
            start_new_session=True,
        )
    child = Child(process, Path(log.name))
    try:
        yield child
    finally:
        child.stop()


def output_of(command: Sequence[str | Path], timeout_seconds: float) -> str:
    """Run `command` to its end and return its standard output. Raises Failed with its complaints."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, env=environment(), check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end within {timeout_seconds:.0f} s") from None
    if done.returncode != 0:
        raise Failed(f"{Path(command[0]).name} ended with status {done.returncode}: {done.stderr[:1500]}")
    return done.stdout


def resident_bytes(pid: int) -> int | None:
    """Resident memory of a process; None where the system does not tell (no /proc)."""
    return _memory(pid, "VmRSS")


def peak_bytes(pid: int) -> int | None:
    """The most resident memory a process ever had; None where the system does not tell."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, what: str) -> int | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return None
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else None
