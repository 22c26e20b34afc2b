"""The same syncs on an empty and on a large database, taking turns: what millions of stored entries cost."""

import asyncio
from pathlib import Path

import asyncpg
import psycopg

from bench import load, single
from bench.plan import Plan
from bench.processes import SERVER_MEMORY, resident_bytes
from bench.progress import Progress
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
WARM_UP_SECONDS = 3
_GROWING = ("time_entries", "integration_links", "events")
_FILL = (Path(__file__).with_name("sql") / "fill.sql").read_text("utf-8")


def run(directory: Path, plan: Plan, progress: Progress) -> tuple[list[Sample], list[Reading]]:
    """All samples and sizes. Two servers with a database each: one stays empty, the other one grows."""
    samples: list[Sample] = []
    readings: list[Reading] = []
    (directory / "empty").mkdir()
    (directory / "grown").mkdir()
    with world(directory / "empty") as empty, world(directory / "grown") as grown:
        # Statistics come when we say so: both states are to be seen.
        _execute(grown, *(f"alter table {table} set (autovacuum_enabled = off)" for table in _GROWING))
        for rows in sorted(it for it in plan.growth_rows if it):
            asyncio.run(_fill(grown, rows, progress))
            for subject in (WITHOUT_STATISTICS, ANALYZED):
                _execute(grown, *(_forget_statistics() if subject == WITHOUT_STATISTICS else ["analyze"]), "checkpoint")
                samples += _turns(empty, grown, plan, progress, subject, rows, len(samples))
            readings += _sizes(grown, rows)
    return samples, readings


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


def _turns(
    empty: World, grown: World, plan: Plan, progress: Progress, subject: str, rows: int, measured: int
) -> list[Sample]:
    samples = []
    with progress.part(f"{rows:,} entries, {subject.rpartition(', ')[2]}", 2 * (plan.rounds + 1)) as step:
        # Rounds are numbered through all sizes, so that each sample is compared with its own neighbour only.
        for turn in range(plan.rounds + 1):
            for measured_world, name, stored in ((empty, EMPTY, 0), (grown, subject, rows)):
                step(f"{stored:,} entries")
                if not stored:
                    _execute(empty, f"truncate {', '.join(_GROWING)} cascade")
                target = single.sync_target(
                    measured_world.base_url, measured_world.limited_key, "fresh", plan.ids, load.CREATED
                )
                seconds = plan.seconds if turn else min(plan.seconds, WARM_UP_SECONDS)
                sample = load.measure(
                    target, PART, name, round_=measured + turn, connections=CONNECTIONS, seconds=seconds, stored=stored
                )
                if turn:
                    samples.append(sample)
    return samples


async def _fill(grown: World, rows: int, progress: Progress) -> None:
    """Add entries until there are `rows` of them."""
    connection = await asyncpg.connect(grown.database_url)
    try:
        await connection.execute("set session_replication_role = replica")  # no foreign-key checks
        await connection.execute("set synchronous_commit = off")  # of the filling only
        stored = await connection.fetchval("select count(*) from time_entries")
        sizes = [min(ROWS_PER_STATEMENT, rows - start) for start in range(stored, rows, ROWS_PER_STATEMENT)]
        with progress.part(f"storing {max(0, rows - stored):,} entries", len(sizes)) as step:
            for size in sizes:
                step(f"{stored:,} stored")
                await connection.execute(
                    _FILL, grown.organization_id, PROJECT_PREFIX, PERSON_PREFIX, PROJECTS, PEOPLE, size,
                    grown.manager_id, timeout=600,
                )  # fmt: skip
                stored += size
    finally:
        await connection.close()


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
