"""The load generator wrk, with Lua scripts that check every answer."""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.processes import Failed, output_of
from bench.samples import Sample

INSTALL = "apt-get update && apt-get install -y wrk"
LUA = Path(__file__).with_name("lua")
# wrk gives a lost answer up after this; every answer that comes later is counted as lost.
ANSWER_PATIENCE_SECONDS = 10
# The status that every answer must have, as the scripts count them.
CREATED, EXISTING = 201, 200


class Result(msgspec.Struct, frozen=True):
    """What a Lua script prints at its end; times in microseconds."""

    requests: int
    microseconds: int
    created: int
    existing: int
    other: int
    first_other: int
    lost: int
    p50: int
    p99: int
    mean: float

    def problem(self, expected: int) -> str | None:
        """What makes the measurement worthless: any answer but the expected one."""
        wanted, unwanted = (self.created, self.existing) if expected == CREATED else (self.existing, self.created)
        if self.lost:
            return f"{self.lost} requests got no answer"
        if self.other:
            return f"{self.other} answers were neither 200 nor 201, the first of them {self.first_other}"
        if unwanted:
            return f"{unwanted} answers were {CREATED + EXISTING - expected} where {expected} was expected"
        return None if wanted else "no request was answered"


class Target(NamedTuple):
    """A URL under load, its script with arguments, and the status every answer must have.

    One of fresh pairs is good for one load: its token makes the pairs.
    """

    url: str
    script: str
    arguments: tuple[str, ...]
    expected: int


def require() -> None:
    """Raises Failed when wrk is missing."""
    if shutil.which("wrk") is None:
        raise Failed(f"the load generator wrk is missing; on Debian and Ubuntu: {INSTALL}")


def measure(
    target: Target, part: str, subject: str, *, round_: int, connections: int, seconds: float, stored: int | None = None
) -> Sample:
    """Put load on `target` for some seconds."""
    result = press(target, connections, seconds)
    return Sample(
        part=part,
        subject=subject,
        round=round_,
        connections=connections,
        stored=stored,
        seconds=result.microseconds / 1e6,
        count=result.requests,
        p50_milliseconds=result.p50 / 1e3,
        p99_milliseconds=result.p99 / 1e3,
        mean_milliseconds=result.mean / 1e3,
        problem=result.problem(target.expected),
    )


def press(target: Target, connections: int, seconds: float) -> Result:
    """Run wrk and read what its script found out. One thread: it loads a core for a fraction only."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write("".join((LUA / name).read_text("utf-8") for name in ("counting.lua", target.script)))
        script.flush()
        command: list[str | Path] = [
            "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s",
            "--timeout", f"{ANSWER_PATIENCE_SECONDS}s", "--script", script.name, target.url,
            "--", *target.arguments,
        ]  # fmt: skip
        printed = output_of(command, seconds + 60)
    for line in printed.splitlines():
        if line.startswith("RESULT "):
            return msgspec.json.decode(line.removeprefix("RESULT "), type=Result)
    raise Failed(f"wrk said nothing of its result:\n{printed[-1500:]}")
