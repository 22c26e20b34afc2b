"""The memory of the server process over a million requests."""

from pathlib import Path

from bench import load, single
from bench.plan import Plan
from bench.processes import PEAK_MEMORY, SERVER_MEMORY, Failed, peak_bytes, resident_bytes
from bench.progress import Progress
from bench.samples import Reading, Run
from bench.world import World, world

PART = "memory"
CONNECTIONS = 64
# Until then the server fills what it keeps: connections, prepared statements, caches of bounded size.
WARM_UP_SHARE = 0.1


def run(directory: Path, plan: Plan, progress: Progress, record: Run) -> None:
    """Add readings along the way to `record`, and the samples, whose answers were checked."""
    with world(directory / "memory") as under_test, progress.part("memory", plan.memory_requests) as step:
        requests = round_ = 0
        record.database_settings = under_test.settings
        while True:
            size = resident_bytes(under_test.server.pid)
            if size is None:
                raise Failed("this system does not tell the resident memory of a process (no /proc)")
            record.readings.append(Reading(part=PART, subject=SERVER_MEMORY, at=requests, bytes=size))
            if requests >= plan.memory_requests:
                break
            step(f"{size / 1000**2:.1f} MB", requests)
            target = single.sync_target(under_test.base_url, under_test.limited_key, "fresh", plan.ids, load.CREATED)
            round_ += 1
            sample = load.measure(
                target, PART, single.FRESH, round_=round_, connections=CONNECTIONS, seconds=plan.seconds
            )
            record.samples.append(sample)
            if sample.problem is not None:
                raise Failed(sample.problem)
            requests += sample.count
        read_peak(under_test, PART, record)


def read_peak(under_test: World, part: str, record: Run) -> None:
    """Add the most memory that the server had until now, where the system tells."""
    size = peak_bytes(under_test.server.pid)
    if size is not None:
        record.readings.append(Reading(part=part, subject=PEAK_MEMORY, at=0, bytes=size))


def ends(run: Run) -> tuple[Reading, Reading] | None:
    """The readings after the first tenth of the requests and after the last one."""
    found = [it for it in run.readings if it.part == PART and it.subject == SERVER_MEMORY]
    warm = [it for it in found if it.at >= WARM_UP_SHARE * found[-1].at]
    return (warm[0], warm[-1]) if len(warm) > 1 else None
