"""A peer on the same machine: TimeTagger, a time tracker in Python that keeps its records in SQLite."""

import base64
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import load, single
from bench.load import Target
from bench.plan import Plan, token
from bench.processes import Failed, output_of, running
from bench.progress import Progress
from bench.samples import Run, Sample
from bench.world import World

PART = "peer"
REQUIREMENT = "timetagger==26.1.3"
SUBJECT = f"{REQUIREMENT.replace('==', ' ')}, one record per request"
# It needs neither, but uvicorn is faster with them, and the peer shall not be slower than it can be.
FASTER = ("uvloop", "httptools")
CONNECTIONS = (1, 8, 32)
_HOME = Path(__file__).parent.parent / ".bench" / "timetagger"
_INSTALLING_SECONDS = 600


class _Peer(NamedTuple):
    base_url: str
    authtoken: str


def run(world: World, plan: Plan, progress: Progress, record: Run) -> None:
    """Add all samples to `record`. Raises Failed when the peer can't be had."""
    with _serving(world.directory, progress) as peer:
        record.samples += _turns(world, plan, peer, progress)


def _turns(world: World, plan: Plan, peer: _Peer, progress: Progress) -> list[Sample]:
    samples = []
    with progress.part("peer", plan.rounds * (1 + len(CONNECTIONS))) as step:
        for round_ in range(1, plan.rounds + 1):
            for connections in CONNECTIONS:
                step(f"round {round_}, {connections} connections")
                target = Target(f"{peer.base_url}/api/v2/records", "peer.lua", (peer.authtoken, token()), load.CREATED)
                samples.append(
                    load.measure(target, PART, SUBJECT, round_=round_, connections=connections, seconds=plan.seconds)
                )
            step(f"round {round_}, Align")
            ours = single.sync_target(world.base_url, world.limited_key, "fresh", plan.ids, load.CREATED)
            samples.append(load.measure(ours, PART, single.FRESH, round_=round_, connections=64, seconds=plan.seconds))
    return samples


@contextmanager
def _serving(directory: Path, progress: Progress) -> Iterator[_Peer]:
    python = _installed(progress)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}/timetagger"
    settings = {"TIMETAGGER_BIND": f"127.0.0.1:{port}", "TIMETAGGER_DATADIR": str(directory / "timetagger")}
    with running([python, "-m", "timetagger"], directory, settings) as child:
        child.wait_for(lambda: _answers(f"{base_url}/status"), REQUIREMENT)
        yield _Peer(base_url, _authtoken(base_url))


def _installed(progress: Progress) -> Path:
    """The interpreter of its own virtual environment, made the first time. Raises Failed."""
    python = _HOME / "bin" / "python"
    wanted = [REQUIREMENT, *FASTER]
    done = _HOME / "installed"
    if done.is_file() and done.read_text("utf-8").split() == wanted:
        return python
    progress.say(f"installing {REQUIREMENT} into {_HOME} (once)")
    try:
        output_of([sys.executable, "-m", "venv", "--clear", _HOME], _INSTALLING_SECONDS)
        output_of([python, "-m", "pip", "install", "--quiet", *wanted], _INSTALLING_SECONDS)
    except (OSError, subprocess.SubprocessError, Failed) as error:
        progress.say(str(error))  # here only: it names the package index in use, which is not for kept results
        raise Failed(f"{REQUIREMENT} can't be installed; is there a way to a package index?") from error
    done.write_text("\n".join(wanted), "utf-8")
    return python


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _authtoken(base_url: str) -> str:
    """Who calls from the same machine gets a token for the asking."""
    body = base64.b64encode(json.dumps({"method": "localhost"}).encode())
    request = urllib.request.Request(f"{base_url}/api/v2/bootstrap_authentication", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(json.load(response)["token"])
    except (urllib.error.URLError, ValueError, KeyError) as error:
        raise Failed(f"it gave no token: {error}") from error
