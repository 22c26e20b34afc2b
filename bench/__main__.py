"""`python -m bench`: measure, print the table, keep the results."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from bench import batch, goals, growth, load, machine, memory, peer, single, tables
from bench.plan import PARTS, QUICK, Plan
from bench.processes import Failed
from bench.progress import Progress
from bench.samples import Reading, Run, Sample
from bench.world import settings_of, temporary_directory, world

SIDE_BY_SIDE = {"single", "pgbench", "ceiling"}
RESULTS = Path(__file__).with_name("results")


def main() -> int:
    """Run the benchmark; the exit status is 2 when it can't be run at all."""
    signal.signal(signal.SIGTERM, _interrupt)
    options = _parser().parse_args()
    progress = Progress()
    # The server's own modules are used here too; what they log while they work is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        load.require()
        run = measure(_plan(options), progress)
    except Failed as error:
        progress.say(f"The benchmark can't be run: {error}", style="bold red")
        return 2
    except KeyboardInterrupt:
        progress.say("Stopped; everything that was started has ended.", style="bold")
        return 130
    _keep(run, progress)
    if options.json:
        sys.stdout.buffer.write(msgspec.json.encode(run) + b"\n")
    else:
        tables.show(run)
    return 0


def measure(plan: Plan, progress: Progress) -> Run:
    """Measure everything the plan names. Raises Failed when nothing can be measured."""
    started = time.monotonic()
    with temporary_directory() as directory:
        run = Run(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            quick=plan.quick,
            options=msgspec.to_builtins(plan),
            machine=machine.facts(directory),
            versions=machine.versions(),
            database_settings={},
        )
        if (SIDE_BY_SIDE | {"batch", "peer"}) & set(plan.parts):
            with world(directory) as under_test:
                run.database_settings = asyncio.run(settings_of(under_test.database_url))
                if SIDE_BY_SIDE & set(plan.parts):
                    run.samples += single.run(under_test, plan, progress)
                if "batch" in plan.parts:
                    _add(run, *batch.run(under_test, plan, progress))
                if "peer" in plan.parts:
                    _add(run, *peer.run(under_test, plan, progress))
                run.readings += memory.peak_of(under_test.server, "single")
        if "growth" in plan.parts and any(plan.growth_rows):
            samples, readings = growth.run(directory, plan, progress)
            _add(run, samples, readings=readings)
        if "memory" in plan.parts:
            _add(run, *memory.run(directory, plan, progress))
    run.goals = goals.judge(run)
    run.seconds_taken = round(time.monotonic() - started, 1)
    return run


def _add(run: Run, samples: list[Sample], gaps: Sequence[str] = (), readings: Sequence[Reading] = ()) -> None:
    run.samples += samples
    run.gaps += gaps
    run.readings += readings


def _keep(run: Run, progress: Progress) -> None:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{run.created_at[:19].replace(':', '')}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    progress.say(f"All samples: {file}")


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else Plan()
    given = {
        name: value for name, value in vars(options).items() if value is not None and name in Plan.__struct_fields__
    }
    return msgspec.structs.replace(plan, **given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of all: a glance, not a result")
    parser.add_argument("--only", dest="parts", type=_parts, metavar="NAMES", help=f"of {','.join(PARTS)}")
    parser.add_argument("--seconds", type=float, metavar="N", help="of one sample")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often everything takes its turn")
    parser.add_argument("--connections", type=_numbers, metavar="N,N", help="connection counts of single syncs")
    parser.add_argument("--ids", choices=("random", "numbered"), help="what external ids look like")
    parser.add_argument("--growth-rows", type=_numbers, metavar="N,N", help="stored entries to measure at")
    parser.add_argument("--memory-requests", type=int, metavar="N", help="requests to watch the memory over")
    parser.add_argument("--json", action="store_true", help="print the results as one JSON object")
    return parser


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(PARTS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(it) for it in text.split(","))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
