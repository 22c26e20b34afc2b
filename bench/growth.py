"""The same syncs on an empty and on a large database, taking turns: what millions of stored entries cost."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg

from bench import load, single
from bench.load import Target
from bench.plan import Plan
from bench.processes import SERVER_MEMORY, Failed, resident_bytes
from bench.progress import Progress, Step
from bench.samples import Reading, Run, Sample, Spread, rate_ratio, ratios, spread
from bench.world import PEOPLE, PERSON_PREFIX, PROJECT_PREFIX, PROJECTS, World, world

PART = "growth"
EMPTY = "syncs, nothing stored"
WITHOUT_STATISTICS = "syncs, entries stored, no statistics"
ANALYZED = "syncs, entries stored, after ANALYZE"
TABLES, INDEXES = "tables", "indexes"
CONNECTIONS = 64
# Of one filling statement: large enough to be fast, small enough to show progress and to fit into memory.
ROWS_PER_STATEMENT = 100_000
FILLING_CONNECTIONS = 2
FILLING_PATIENCE_SECONDS = 600
WARM_UP_SECONDS = 2
# Tables, indexes and some air; and the write-ahead logs of two databases.
BYTES_PER_ENTRY, BYTES_OF_LOGS = 2_000, 10 * 1000**3
_GROWING = ("time_entries", "integration_links", "events")
_FILL = (Path(__file__).with_name("sql") / "fill.sql").read_text("utf-8")


def run(directory: Path, plan: Plan, progress: Progress, record: Run) -> None:
    """Add all samples and sizes to `record`. Two servers with a database each: one stays empty, the other one grows.

    Raises Failed when the disk is too small.
    """
    needed = max(plan.growth_rows) * BYTES_PER_ENTRY + BYTES_OF_LOGS
    if shutil.disk_usage(directory).free < needed:
        raise Failed(f"{max(plan.growth_rows):,} entries need {needed / 1000**3:.0f} GB free in {directory}")
    with world(directory / "empty") as empty, world(directory / "grown") as grown:
        record.database_settings = grown.settings
        # Statistics come when we say so: both states are to be seen.
        _execute(grown, *(f"alter table {table} set (autovacuum_enabled = off)" for table in _GROWING))
        for rows in sorted(it for it in plan.growth_rows if it):
            asyncio.run(_fill(grown, rows, progress))
            _execute(grown, "checkpoint")
            record.samples += _turns(empty, grown, plan, progress, rows, len(record.samples))
            record.readings += _sizes(grown, rows)


def most_rows(run: Run) -> int:
    """The largest number of stored entries that was measured."""
    return max((it.stored or 0 for it in run.samples if it.part == PART), default=0)


def rate_after(run: Run, rows: int, subject: str = ANALYZED) -> Spread | None:
    """The rate with `rows` stored entries against the rate with none."""
    return rate_ratio(at(run, rows, subject), run.of(PART, EMPTY))


def p99_after(run: Run, rows: int, subject: str = ANALYZED) -> Spread | None:
    """The 99th percentile with `rows` stored entries against that with none."""
    return spread(ratios(at(run, rows, subject), run.of(PART, EMPTY), lambda it: it.p99_milliseconds))


def at(run: Run, rows: int, subject: str) -> list[Sample]:
    """The samples of a subject with `rows` stored entries."""
    return [it for it in run.of(PART, subject) if it.stored == rows]


def _turns(empty: World, grown: World, plan: Plan, progress: Progress, rows: int, measured: int) -> list[Sample]:
    turns = (
        (empty, EMPTY, 0, [f"truncate {', '.join(_GROWING)} cascade"]),
        (grown, WITHOUT_STATISTICS, rows, _forget_statistics()),
        (grown, ANALYZED, rows, ["analyze"]),
    )
    samples = []
    with progress.part(f"syncs with {rows:,} entries and with none", len(turns) * plan.rounds) as step:
        # Rounds are numbered through all sizes, so that each sample is compared with its own neighbour only.
        for round_ in range(measured + 1, measured + plan.rounds + 1):
            for where, subject, stored, preparation in turns:
                step(f"{subject} ({stored:,})")
                _execute(where, *preparation)
                # The first syncs after emptying lay out the pages of the tables: slower, which would flatter the other.
                load.press(_fresh_pairs(where, plan), CONNECTIONS, WARM_UP_SECONDS)
                sample = load.measure(
                    _fresh_pairs(where, plan), PART, subject, round_=round_, connections=CONNECTIONS,
                    seconds=plan.seconds, stored=stored,
                )  # fmt: skip
                samples.append(sample)
    return samples


def _fresh_pairs(where: World, plan: Plan) -> Target:
    return single.sync_target(where.base_url, where.limited_key, "fresh", plan.ids, load.CREATED)


async def _fill(grown: World, rows: int, progress: Progress) -> None:
    """Add entries until there are `rows` of them."""
    connections = [await asyncpg.connect(grown.database_url) for _ in range(FILLING_CONNECTIONS)]
    try:
        stored = await connections[0].fetchval("select count(*) from time_entries")
        sizes = [min(ROWS_PER_STATEMENT, rows - start) for start in range(stored, rows, ROWS_PER_STATEMENT)]
        with progress.part(f"storing {max(0, rows - stored):,} entries", len(sizes)) as step:
            waiting = iter(sizes)
            await asyncio.gather(*(_fill_by(it, grown, waiting, step) for it in connections))
    finally:
        await asyncio.gather(*(it.close() for it in connections))


async def _fill_by(connection: asyncpg.Connection, grown: World, sizes: Iterator[int], step: Step) -> None:
    await connection.execute("set session_replication_role = replica")  # no foreign-key checks
    await connection.execute("set synchronous_commit = off")  # of the filling only
    for size in sizes:
        step("by SQL")
        await connection.execute(
            _FILL, grown.organization_id, PROJECT_PREFIX, PERSON_PREFIX, PROJECTS, PEOPLE, size, grown.manager_id,
            timeout=FILLING_PATIENCE_SECONDS,
        )  # fmt: skip


def _forget_statistics() -> list[str]:
    names = ", ".join(f"'{table}'::regclass" for table in _GROWING)
    return [
        f"delete from pg_statistic where starelid in ({names})",
        *(f"select pg_clear_relation_stats('public', '{table}')" for table in _GROWING),
    ]


def _execute(where: World, *statements: str) -> None:
    with psycopg.connect(where.database_url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _sizes(grown: World, rows: int) -> list[Reading]:
    found = {}
    with psycopg.connect(grown.database_url) as connection:
        for subject, function in ((TABLES, "pg_table_size"), (INDEXES, "pg_indexes_size")):
            sums = " + ".join(f"{function}('{table}')" for table in _GROWING)
            row = connection.execute(f"select {sums}".encode()).fetchone()
            found[subject] = int(row[0]) if row else 0
    memory = resident_bytes(grown.server.pid)
    if memory is not None:
        found[SERVER_MEMORY] = memory
    return [Reading(part=PART, subject=subject, at=rows, bytes=size) for subject, size in found.items()]
