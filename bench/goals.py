"""The goals, and whether a run reached them: printed, never asserted."""

from collections.abc import Callable

from bench import batch, growth, memory, pgbench, single, webhooks
from bench.processes import PEAK_MEMORY, SERVER_MEMORY
from bench.samples import Goal, Run, Spread, best, rate, rate_ratio, ratios, spread
from bench.views import figure, share, times

CONNECTIONS = 64
TIMES_PGBENCH = 2.0
SHARE_OF_CEILING = 0.45
TIMES_LONE_LATENCY = 2.0
SHARE_OF_BATCH_LIMIT = 0.70
STORED = 10_000_000
SHARE_AFTER_GROWTH = 0.85
TIMES_P99_AFTER_GROWTH = 1.5
MEMORY_BYTES = 150 * 1000**2
MEMORY_REQUESTS = 1_000_000
# Memory counts as flat when it ends at most this much above what it was after the first tenth of the requests.
FLAT = 1.05
DELIVERIES_PER_SECOND = 2000
DELIVERY_MILLISECONDS = 200
SHARE_WITH_WEBHOOK = 0.90
NOT_MEASURED = "not measured"


def judge(run: Run) -> list[Goal]:
    """All goals with what the run found."""
    return [
        _times_pgbench(run),
        _share_of_ceiling(run),
        _lone_latency(run),
        _repeats(run),
        _batches(run),
        *_webhooks(run),
        *_growth(run),
        _memory(run),
        _flat_memory(run),
    ]


def _goal(
    name: str,
    aim: str,
    found: Spread | None,
    written: Callable[[Spread | None], str],
    holds: Callable[[float], bool],
    remark: str = "",
) -> Goal:
    if found is None:
        return Goal(name=name, aim=aim, found=NOT_MEASURED, reached=None)
    return Goal(name=name, aim=aim, found=written(found) + remark, reached=holds(found.median))


def _times_pgbench(run: Run) -> Goal:
    theirs = best(run, single.PART, tuple(pgbench.FORMS))
    return _goal(
        f"single syncs at {CONNECTIONS} connections against pgbench at its best",
        f"at least {TIMES_PGBENCH:g}x",
        rate_ratio(run.of(single.PART, single.FRESH, CONNECTIONS), theirs),
        times,
        lambda it: it >= TIMES_PGBENCH,
        f"; {theirs[0].connections} connections, {theirs[0].subject}" if theirs else "",
    )


def _share_of_ceiling(run: Run) -> Goal:
    ceiling = best(run, single.PART, (single.CEILING,))
    return _goal(
        f"single syncs at {CONNECTIONS} connections against the bare ceiling at its best",
        f"at least {SHARE_OF_CEILING:.0%}",
        rate_ratio(run.of(single.PART, single.FRESH, CONNECTIONS), ceiling),
        share,
        lambda it: it >= SHARE_OF_CEILING,
        f"; {ceiling[0].connections} connections" if ceiling else "",
    )


def _lone_latency(run: Run) -> Goal:
    found = ratios(run.of(single.PART, single.FRESH, 1), pgbench.best_form(run, 1), lambda it: it.p50_milliseconds)
    return _goal(
        "median latency of a lone sync against pgbench with one connection",
        f"at most {TIMES_LONE_LATENCY:g}x",
        spread(found),
        times,
        lambda it: it <= TIMES_LONE_LATENCY,
    )


def _repeats(run: Run) -> Goal:
    creates = run.of(single.PART, single.FRESH, CONNECTIONS)
    return _goal(
        f"repeats of known pairs against creates at {CONNECTIONS} connections",
        "at least 1x",
        rate_ratio(run.of(single.PART, single.KNOWN, CONNECTIONS), creates),
        times,
        lambda it: it >= 1,
    )


def _batches(run: Run) -> Goal:
    shares = [(it, kind) for kind in batch.kinds_of(run) if (it := batch.share_of_limit(run, kind))]
    slowest, kind = min(shares, key=lambda it: it[0].median, default=(None, ""))
    return _goal(
        "rows of batches against the database's own limit, slowest kind",
        f"at least {SHARE_OF_BATCH_LIMIT:.0%}",
        slowest,
        share,
        lambda it: it >= SHARE_OF_BATCH_LIMIT,
        f"; {kind}",
    )


def _webhooks(run: Run) -> list[Goal]:
    found = run.of(webhooks.PART, webhooks.IDLE)
    return [
        _goal(
            "deliveries a second to a fast receiver, of a backlog",
            f"at least {DELIVERIES_PER_SECOND:,}",
            rate(run.of(webhooks.PART, webhooks.BACKLOG)),
            figure,
            lambda it: it >= DELIVERIES_PER_SECOND,
        ),
        _goal(
            "milliseconds from commit to arrival, median, when idle",
            f"below {DELIVERY_MILLISECONDS}",
            spread([it.p50_milliseconds for it in found if it.p50_milliseconds is not None]),
            figure,
            lambda it: it < DELIVERY_MILLISECONDS,
        ),
        _goal(
            f"single syncs at {webhooks.CONNECTIONS} connections, a webhook for all events against none",
            f"at least {SHARE_WITH_WEBHOOK:.0%}",
            webhooks.share_kept(run),
            share,
            lambda it: it >= SHARE_WITH_WEBHOOK,
        ),
    ]


def _growth(run: Run) -> list[Goal]:
    measured = growth.most_rows(run)
    reached_size = measured >= STORED
    remark = "" if reached_size else f" with {measured:,} only"
    found = [
        _goal(
            f"rate of single syncs with {STORED:,} stored entries against none",
            f"at least {SHARE_AFTER_GROWTH:.0%}",
            growth.rate_after(run, measured),
            share,
            lambda it: it >= SHARE_AFTER_GROWTH,
            remark,
        ),
        _goal(
            f"p99 of single syncs with {STORED:,} stored entries against none",
            f"at most {TIMES_P99_AFTER_GROWTH:g}x",
            growth.p99_after(run, measured),
            times,
            lambda it: it <= TIMES_P99_AFTER_GROWTH,
            remark,
        ),
    ]
    return [it if reached_size else _undecided(it) for it in found]


def _memory(run: Run) -> Goal:
    sizes = [it.bytes for it in run.readings if it.subject in (SERVER_MEMORY, PEAK_MEMORY)]
    return _goal(
        "memory of the server process, at its peak",
        f"below {MEMORY_BYTES / 1000**2:.0f} MB",
        spread([max(sizes)]) if sizes else None,
        lambda it: NOT_MEASURED if it is None else f"{it.median / 1000**2:.0f} MB",
        lambda it: it < MEMORY_BYTES,
    )


def _flat_memory(run: Run) -> Goal:
    name, aim = "memory of the server process over a million requests", f"at most {FLAT - 1:.0%} more"
    ends = memory.ends(run)
    if ends is None:
        return Goal(name=name, aim=aim, found=NOT_MEASURED, reached=None)
    first, last = ends
    grown = last.bytes / first.bytes
    found = (
        f"{grown - 1:+.1%}: {first.bytes / 1000**2:.1f} MB after {first.at:,} requests, "
        f"{last.bytes / 1000**2:.1f} MB after {last.at:,}"
    )
    goal = Goal(name=name, aim=aim, found=found, reached=grown <= FLAT)
    return goal if last.at >= MEMORY_REQUESTS else _undecided(goal)


def _undecided(goal: Goal) -> Goal:
    """What was found at a smaller size says nothing of the goal."""
    return Goal(name=goal.name, aim=goal.aim, found=goal.found, reached=None)
