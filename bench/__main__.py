"""`python -m bench`: measure, print the table, keep the results."""

import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from bench import batch, goals, growth, load, machine, memory, peer, report, single, tables, webhooks
from bench.options import options_and_plan
from bench.plan import PARTS, Plan
from bench.processes import Failed
from bench.progress import Progress
from bench.samples import Run
from bench.world import temporary_directory, world

SIDE_BY_SIDE = {"single", "pgbench", "ceiling"}
ENDINGS = (signal.SIGINT, signal.SIGTERM)
# More than this share of the processors taken by others before the run, and the ratios are not to be trusted.
TOLERABLE_BUSY_SHARE = 0.1


def main() -> int:
    """Run the benchmark; the exit status is 2 when it can't be run, 130 when it was stopped."""
    for number in ENDINGS:
        signal.signal(number, _interrupt)
    options, plan = options_and_plan()
    progress = Progress()
    # The server's own modules are used here too; what they log while they work is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        load.require()
        with temporary_directory() as directory:
            run = _begin(directory, plan)
            _measure(directory, plan, progress, run)
    except Failed as error:
        progress.say(f"The benchmark can't be run: {error}", style="bold red")
        return 2
    except KeyboardInterrupt:
        progress.say("Stopped: everything that was started has ended, nothing was kept.", style="bold")
        return 130
    progress.say(f"All samples: {report.keep(run)}")
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(run) + b"\n")
    else:
        tables.show(run)
    if run.is_full:
        report.write(run)
        progress.say(f"Written: {report.PAGE}")
    return 0


def _begin(directory: Path, plan: Plan) -> Run:
    run = Run(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        is_full=not plan.quick and set(plan.parts) == set(PARTS),
        options=msgspec.to_builtins(plan),
        machine=machine.facts(directory),
        versions=machine.versions(),
        database_settings={},
    )
    busy = machine.busy_share()
    if busy is not None and busy > TOLERABLE_BUSY_SHARE:
        run.notes.append(f"Before the run the processors were {busy:.0%} busy with other work: the ratios are skewed.")
    return run


def _measure(directory: Path, plan: Plan, progress: Progress, run: Run) -> None:
    """Measure everything the plan names; a part that fails is told of, and the others go on."""
    started = time.monotonic()
    wanted = set(plan.parts)

    def attempt(name: str, part: Callable[[], None]) -> None:
        try:
            part()
        except Failed as error:
            run.gaps.append(f"{name}: {error}")
            progress.say(f"{name}: {error}", style="bold red")

    if wanted & (SIDE_BY_SIDE | {"batch", "peer"}):
        with world(directory / "shared") as under_test:
            run.database_settings = under_test.settings
            if wanted & SIDE_BY_SIDE:
                attempt("single syncs", lambda: single.run(under_test, plan, progress, run))
            if "batch" in wanted:
                attempt("batches", lambda: batch.run(under_test, plan, progress, run))
            if "peer" in wanted:
                attempt("peer", lambda: peer.run(under_test, plan, progress, run))
            memory.read_peak(under_test, "single", run)
    if "webhooks" in wanted:
        attempt("webhooks", lambda: _webhooks(directory, plan, progress, run))
    if "memory" in wanted:
        attempt("memory", lambda: memory.run(directory, plan, progress, run))
    if "growth" in wanted and any(plan.growth_rows):
        attempt("growth", lambda: growth.run(directory, plan, progress, run))
    run.goals = goals.judge(run)
    run.seconds_taken = round(time.monotonic() - started, 1)


def _webhooks(directory: Path, plan: Plan, progress: Progress, run: Run) -> None:
    """On a server of their own, whose settings differ from the default."""
    with world(directory / "webhooks", webhooks.SETTINGS) as under_test:
        run.database_settings = under_test.settings
        webhooks.run(under_test, plan, progress, run)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in ENDINGS:  # what was started is being ended: a second Ctrl-C must not leave it behind
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
