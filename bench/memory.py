"""The memory of the server process over a million requests."""

from pathlib import Path

from bench import load, single
from bench.plan import Plan
from bench.processes import PEAK_MEMORY, SERVER_MEMORY, Child, peak_bytes, resident_bytes
from bench.progress import Progress
from bench.samples import Reading, Run, Sample
from bench.world import world

PART = "memory"
CONNECTIONS = 64
# Until then the server fills what it keeps: connections, prepared statements, caches of bounded size.
WARM_UP_SHARE = 0.1


def run(directory: Path, plan: Plan, progress: Progress) -> tuple[list[Sample], list[str], list[Reading]]:
    """Samples, whose answers were checked; what can't be measured; and readings along the way."""
    (directory / "memory").mkdir()
    readings: list[Reading] = []
    samples: list[Sample] = []
    with world(directory / "memory") as under_test, progress.part("memory", plan.memory_requests) as step:
        requests = 0
        while True:
            size = resident_bytes(under_test.server.pid)
            if size is None:
                return [], ["memory: this system does not tell the resident memory of a process (no /proc)"], []
            readings.append(Reading(part=PART, subject=SERVER_MEMORY, at=requests, bytes=size))
            readings += peak_of(under_test.server, PART)
            if requests >= plan.memory_requests or (samples and samples[-1].problem):
                return samples, [], readings
            step(f"{size / 1000**2:.1f} MB", requests)
            target = single.sync_target(under_test.base_url, under_test.limited_key, "fresh", plan.ids, load.CREATED)
            samples.append(
                load.measure(
                    target, PART, single.FRESH, round_=len(readings), connections=CONNECTIONS, seconds=plan.seconds
                )
            )
            requests += samples[-1].count


def peak_of(server: Child, part: str) -> list[Reading]:
    """The most memory that the server had until now, where the system tells."""
    size = peak_bytes(server.pid)
    return [] if size is None else [Reading(part=part, subject=PEAK_MEMORY, at=0, bytes=size)]


def ends(run: Run) -> tuple[Reading, Reading] | None:
    """The readings after the first tenth of the requests and after the last one."""
    found = [it for it in run.readings if it.part == PART and it.subject == SERVER_MEMORY]
    warm = [it for it in found if it.at >= WARM_UP_SHARE * found[-1].at]
    return (warm[0], warm[-1]) if len(warm) > 1 else None
