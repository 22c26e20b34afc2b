"""Single syncs, pgbench and the bare ceiling, taking turns on the same machine."""

import http.client
import json
from collections.abc import Callable
from contextlib import ExitStack
from urllib.parse import urlsplit

from bench import ceiling, load, pgbench
from bench.load import Target
from bench.plan import Plan, token
from bench.processes import Failed
from bench.progress import Progress, Step
from bench.samples import Run, Sample
from bench.world import KNOWN_PAIRS, PEOPLE, SYNC_PATH, World, entry, known_external_id

PART = "single"
FRESH = "syncs, fresh pairs"
UNLIMITED = "syncs, fresh pairs, key without limit"
KNOWN = "syncs, known pairs"
CEILING = "bare ceiling"
# Until caches are warm, connections planned, and the pages of fresh tables laid out.
WARM_UP_SECONDS = 2

Measure = Callable[[int, int, float], Sample]


def sync_target(base_url: str, key: str, what: str, ids: str, expected: int) -> Target:
    """Syncs of `what` (fresh or known pairs) for wrk."""
    arguments = (key, what, ids, token(), str(PEOPLE), str(KNOWN_PAIRS))
    return Target(base_url + SYNC_PATH, "sync.lua", arguments, expected)


def store_known_pairs(world: World) -> None:
    """Sync what will be repeated. Raises Failed unless each is created."""
    address = urlsplit(world.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Authorization": f"Bearer {world.unlimited_key}", "Content-Type": "application/json"}
    for number in range(KNOWN_PAIRS):
        connection.request("POST", SYNC_PATH, json.dumps(entry(number, known_external_id(number))), headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 201:
            raise Failed(f"a known pair could not be stored: {response.status} {answer[:500]!r}")
    connection.close()


def run(world: World, plan: Plan, progress: Progress, record: Run) -> None:
    """Add all samples of the parts single, pgbench and ceiling to `record`."""
    with ExitStack() as stack:
        subjects: list[Measure] = []
        if "single" in plan.parts:
            store_known_pairs(world)
            subjects += _syncs(world, plan)
        if "pgbench" in plan.parts:
            subjects += [_pgbench(world, plan, form) for form in pgbench.FORMS]
        if "ceiling" in plan.parts:
            subjects.append(_ceiling(stack.enter_context(ceiling.serving(world.directory)), plan))
        with progress.part(
            "syncs, pgbench, ceiling", len(subjects) * (1 + plan.rounds * len(plan.connections))
        ) as step:
            for measure in subjects:
                step("warming up")
                measure(0, 32, min(plan.seconds, WARM_UP_SECONDS))
            record.samples += _turns(plan, subjects, step)


def _turns(plan: Plan, subjects: list[Measure], step: Step) -> list[Sample]:
    samples = []
    for round_ in range(1, plan.rounds + 1):
        for connections in plan.connections:
            # Another one begins each round, so that none always runs after the same neighbour's checkpoint.
            first = round_ % len(subjects) if subjects else 0
            for measure in subjects[first:] + subjects[:first]:
                step(f"round {round_}, {connections} connections")
                samples.append(measure(round_, connections, plan.seconds))
    return samples


def _syncs(world: World, plan: Plan) -> list[Measure]:
    def measure_of(subject: str, key: str, what: str, expected: int) -> Measure:
        def measure(round_: int, connections: int, seconds: float) -> Sample:
            target = sync_target(world.base_url, key, what, plan.ids, expected)
            return load.measure(target, PART, subject, round_=round_, connections=connections, seconds=seconds)

        return measure

    return [
        measure_of(FRESH, world.limited_key, "fresh", load.CREATED),
        measure_of(UNLIMITED, world.unlimited_key, "fresh", load.CREATED),
        measure_of(KNOWN, world.limited_key, "known", load.EXISTING),
    ]


def _pgbench(world: World, plan: Plan, form: str) -> Measure:
    def measure(round_: int, connections: int, seconds: float) -> Sample:
        return pgbench.measure(world, form, plan.ids, token(), round_=round_, connections=connections, seconds=seconds)

    return measure


def _ceiling(base_url: str, plan: Plan) -> Measure:
    def measure(round_: int, connections: int, seconds: float) -> Sample:
        # The key is not looked at, but it is sent: as long as a real one.
        target = sync_target(base_url, "ako_" + "x" * 38, "fresh", plan.ids, load.CREATED)
        return load.measure(target, PART, CEILING, round_=round_, connections=connections, seconds=seconds)

    return measure
