"""Batches of syncs, against the same statement called directly."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg

from align.app import BATCHES_IN_FLIGHT
from bench import batch_sender
from bench.plan import Plan, token
from bench.processes import output_of
from bench.progress import Progress
from bench.samples import Run, Sample, Spread, best, rate_ratio
from bench.world import World, entry, external_id

PART = "batch"
# As many as keep two statements in flight while a third request is read.
SENDERS = 4
JSON_MEMBERS = (100, 1000)
# Lines of a stream that the server puts into one statement.
LINES_PER_STATEMENT = 500
# As many statements at once as the server runs, with as many rows in each as it puts there.
CONNECTIONS = BATCHES_IN_FLIGHT
ROWS_PER_STATEMENT = sorted({*JSON_MEMBERS, LINES_PER_STATEMENT})
DIRECT = {rows: f"statement called directly, {rows:,} rows each" for rows in ROWS_PER_STATEMENT}
_DIRECT_PATIENCE_SECONDS = 600


class Kind(NamedTuple):
    """A way to send many rows: how many in one request, and how many senders at once."""

    subject: str
    rows: int
    senders: int
    rows_per_statement: int
    is_stream: bool


def run(world: World, plan: Plan, progress: Progress, record: Run) -> None:
    """Add all samples to `record`, and what can't be measured."""
    status = batch_sender.status_of_empty_batch(world.base_url, world.limited_key)
    existing = status not in (404, 405)
    if not existing:
        record.gaps.append(f"batches: the operation does not exist (POST {batch_sender.PATH}: {status})")
    kinds = list(_kinds(plan)) if existing else []
    with progress.part("batches", plan.rounds * (len(kinds) + len(DIRECT))) as step:
        for round_ in range(1, plan.rounds + 1):
            for rows in ROWS_PER_STATEMENT:
                step(f"round {round_}, {DIRECT[rows]}")
                record.samples.append(_directly(world, plan, rows, round_))
            for kind in kinds:
                step(f"round {round_}, {kind.subject}")
                record.samples.append(_through_the_server(world, plan, kind, round_))


def kinds_of(run: Run) -> list[str]:
    """The kinds of batches that a run has samples of."""
    return list(
        dict.fromkeys(it.subject for it in run.samples if it.part == PART and it.subject not in DIRECT.values())
    )


def share_of_limit(run: Run, kind: str) -> Spread | None:
    """The rate of a kind of batch against direct calls with as many rows in each statement."""
    ours = run.of(PART, kind)
    sizes = {it.rows_per_statement for it in ours}
    return rate_ratio(ours, [it for rows in sizes if rows for it in run.of(PART, DIRECT[rows])])


def share_of_best(run: Run, kind: str) -> Spread | None:
    """The rate of a kind of batch against the fastest direct calls."""
    return rate_ratio(run.of(PART, kind), best(run, PART, tuple(DIRECT.values())))


def _kinds(plan: Plan) -> Iterator[Kind]:
    for rows in JSON_MEMBERS:
        yield Kind(f"JSON, {rows:,} members, {SENDERS} senders", rows, SENDERS, rows, is_stream=False)
    for rows in plan.ndjson_lines:
        yield Kind(f"NDJSON, {rows:,} lines, one sender", rows, 1, LINES_PER_STATEMENT, is_stream=True)


def _directly(world: World, plan: Plan, rows: int, round_: int) -> Sample:
    total = max(plan.batch_rows // rows, CONNECTIONS) * rows
    command = [
        sys.executable, "-m", "bench.direct", world.database_url, str(world.organization_id), str(rows),
        str(CONNECTIONS), str(total), plan.ids, token(),
    ]  # fmt: skip

    def call() -> tuple[float, str | None]:
        printed = output_of(command, _DIRECT_PATIENCE_SECONDS)
        return float(json.loads(printed)["seconds"]), None

    direct = Kind(DIRECT[rows], rows, CONNECTIONS, rows, is_stream=False)
    return _sample(world, direct, round_, total, call)


def _through_the_server(world: World, plan: Plan, kind: Kind, round_: int) -> Sample:
    requests = max(kind.senders, plan.batch_rows // kind.rows)
    bodies = list(_bodies(plan, kind, requests))

    def send() -> tuple[float, str | None]:
        problem = None
        started = time.perf_counter()
        if kind.is_stream:
            for body in bodies:
                problem = problem or batch_sender.send_stream(world.base_url, world.limited_key, body)
        else:
            problem = batch_sender.send_documents(world.base_url, world.limited_key, bodies, kind.senders)
        return time.perf_counter() - started, problem

    return _sample(world, kind, round_, requests * kind.rows, send)


def _bodies(plan: Plan, kind: Kind, requests: int) -> Iterator[bytes]:
    run_token = token()
    for request in range(requests):
        numbers = range(request * kind.rows, (request + 1) * kind.rows)
        members = [entry(number, external_id(plan.ids, run_token, number)) for number in numbers]
        if kind.is_stream:
            yield b"".join(json.dumps(member).encode() + b"\n" for member in members)
        else:
            yield json.dumps({"entries": members}).encode()


def _sample(
    world: World, kind: Kind, round_: int, rows: int, measure: Callable[[], tuple[float, str | None]]
) -> Sample:
    """Measure, and look into the database whether every row was stored, whatever the answers said."""
    before = _stored(world)
    seconds, problem = measure()
    stored = _stored(world) - before
    if problem is None and stored != rows:
        problem = f"{stored:,} entries were stored where {rows:,} were sent"
    return Sample(
        part=PART,
        subject=kind.subject,
        round=round_,
        connections=kind.senders,
        rows_per_statement=kind.rows_per_statement,
        unit="rows",
        count=rows,
        seconds=seconds,
        problem=problem,
    )


def _stored(world: World) -> int:
    with psycopg.connect(world.database_url) as connection:
        found = connection.execute("select count(*) from integration_links").fetchone()
    return int(found[0]) if found else 0
