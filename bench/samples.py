"""What a run of the benchmark keeps: raw samples, facts of the machine, and what could not be measured."""

import statistics
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement of one subject. A `problem` makes it worthless: it is kept and shown, never counted."""

    part: str
    subject: str
    round: int
    seconds: float
    count: int
    connections: int = 1
    unit: str = "requests"
    # Entries that the database held already, where that is what is being looked at.
    stored: int | None = None
    rows_per_statement: int | None = None
    p50_milliseconds: float | None = None
    p99_milliseconds: float | None = None
    mean_milliseconds: float | None = None
    problem: str | None = None

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.count / self.seconds if self.seconds else 0.0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A size, read once: memory of a process, bytes of a table, and at how many requests or rows."""

    part: str
    subject: str
    at: int
    bytes: int


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What was aimed at and what was found; `reached` is None when it could not be measured."""

    name: str
    aim: str
    found: str
    reached: bool | None


class Run(msgspec.Struct, kw_only=True):
    """Everything about one run, as stored in bench/results."""

    created_at: str
    seconds_taken: float = 0.0
    # Everything was measured, at full length.
    is_full: bool
    options: dict[str, object]
    machine: dict[str, str]
    versions: dict[str, str]
    database_settings: dict[str, str]
    samples: list[Sample] = msgspec.field(default_factory=list)
    readings: list[Reading] = msgspec.field(default_factory=list)
    goals: list[Goal] = msgspec.field(default_factory=list)
    # What could not be measured, and why; and what else a reader must know.
    gaps: list[str] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    def of(self, part: str, subject: str, connections: int | None = None) -> list[Sample]:
        """The sound samples of a subject."""
        return [
            it
            for it in self.samples
            if it.part == part
            and it.subject == subject
            and it.problem is None
            and (connections is None or it.connections == connections)
        ]

    def connection_counts(self, part: str, subject: str) -> list[int]:
        """The connection counts a subject has sound samples of, ascending."""
        return sorted({it.connections for it in self.of(part, subject)})


class Spread(msgspec.Struct, frozen=True):
    """The median of several values, and the least and greatest of them."""

    median: float
    least: float
    greatest: float


def spread(values: Sequence[float]) -> Spread | None:
    """The spread of `values`; None when there are none."""
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def rate(samples: Sequence[Sample]) -> Spread | None:
    """The spread of rates."""
    return spread([it.rate for it in samples])


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample], value: Callable[[Sample], float | None]) -> list[float]:
    """Ours divided by theirs, round by round: only what was measured side by side is compared."""
    by_round = {it.round: value(it) for it in theirs}
    found = []
    for it in ours:
        above, below = value(it), by_round.get(it.round)
        if above is not None and below:
            found.append(above / below)
    return found


def rate_ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> Spread | None:
    """How many times as fast as theirs ours is."""
    return spread(ratios(ours, theirs, lambda it: it.rate))


def best(run: Run, part: str, subjects: Sequence[str]) -> list[Sample]:
    """The samples of the subject and connection count with the highest median rate."""
    candidates = [
        run.of(part, subject, connections)
        for subject in subjects
        for connections in run.connection_counts(part, subject)
    ]
    return max(candidates, key=lambda found: statistics.median(it.rate for it in found), default=[])
