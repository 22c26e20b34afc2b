"""Webhooks: how fast deliveries go out, how soon one arrives, and what they cost the syncs."""

import http.client
import json
import random
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg

from align.webhooks.names import FAMILIES
from bench import batch_sender, load, single
from bench.plan import Plan, token
from bench.processes import Failed, running
from bench.progress import Progress
from bench.receiver import ARRIVALS, COUNT
from bench.samples import Run, Sample, Spread, rate_ratio
from bench.world import SYNC_PATH, World, entry, external_id

PART = "webhooks"
BACKLOG = "deliveries of a backlog"
IDLE = "commit to arrival, when idle"
WITHOUT, WITH = "syncs, no webhook", "syncs, a webhook for all events"
CONNECTIONS = 64
# Of the server under test: the receiver is on this machine and speaks http.
SETTINGS = {"ALIGN_WEBHOOK_ALLOW_HTTP": "true", "ALIGN_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
# Between two lone syncs up to this: several of the worker's looks for work, at no fixed distance from them.
LONGEST_PAUSE_SECONDS = 0.3
# Entries in one document, and how many senders fill the backlog.
_MEMBERS, _SENDERS = 1000, 2
# Slower than this and the sample is given up.
_LEAST_RATE = 50
_PATIENCE_SECONDS = 60
_RECEIVING_AT = re.compile(r"RECEIVING (http://\S+)")


class _Stage(NamedTuple):
    """The server under test, the receiver and the webhook that leads from the one to the other."""

    world: World
    receiver_url: str
    webhook_path: str


def run(world: World, plan: Plan, progress: Progress, record: Run) -> None:
    """Add all samples to `record`, whose server must have been started with SETTINGS."""
    with _receiving(world.directory) as receiver_url:
        webhook = {"destinationUrl": f"{receiver_url}/align", "eventNames": list(FAMILIES)}
        made = _call(world, "POST", "/api/v1/webhooks", webhook)
        stage = _Stage(world, receiver_url, f"/api/v1/webhooks/{made['id']}")
        with progress.part(PART, 1 + plan.rounds * 4) as step:
            step("warming up")
            for is_enabled in (False, True):
                _syncs(stage, plan, 0, is_enabled, seconds=single.WARM_UP_SECONDS)
            for round_ in range(1, plan.rounds + 1):
                for is_enabled in (False, True) if round_ % 2 else (True, False):
                    step(f"round {round_}, {WITH if is_enabled else WITHOUT}")
                    record.samples.append(_syncs(stage, plan, round_, is_enabled, seconds=plan.seconds))
                _enable(stage, True)
                step(f"round {round_}, {IDLE}")
                record.samples.append(_idle(stage, plan, round_))
                step(f"round {round_}, {BACKLOG}")
                record.samples.append(_backlog(stage, plan, round_))


def share_kept(run: Run) -> Spread | None:
    """The rate of syncs with a webhook against that without."""
    return rate_ratio(run.of(PART, WITH), run.of(PART, WITHOUT))


def _syncs(stage: _Stage, plan: Plan, round_: int, is_enabled: bool, seconds: float) -> Sample:
    """Single syncs while their events are delivered, or while there is no webhook that wants them."""
    _enable(stage, is_enabled)
    target = single.sync_target(stage.world.base_url, stage.world.limited_key, "fresh", plan.ids, load.CREATED)
    subject = WITH if is_enabled else WITHOUT
    found = load.measure(target, PART, subject, round_=round_, connections=CONNECTIONS, seconds=seconds)
    if is_enabled:
        _drain(stage)  # what is left over must not be delivered during the next measurement
    return found


def _idle(stage: _Stage, plan: Plan, round_: int) -> Sample:
    """Lone syncs with pauses: from the answer, which comes after the commit, to the arrival."""
    answered = {}
    for number in range(plan.webhook_syncs):
        time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))
        sync = entry(number, external_id(plan.ids, token(), number))
        answered[str(_call(stage.world, "POST", SYNC_PATH, sync)["id"])] = time.time()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not answered.keys() <= (arrivals := _ask(stage, ARRIVALS)).keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    waits = sorted(max(0.0, arrivals[it] - at) * 1000 for it, at in answered.items() if it in arrivals)
    missing = len(answered) - len(waits)
    quantiles = statistics.quantiles(waits, n=100, method="inclusive") if len(waits) > 1 else [0.0] * 99
    return Sample(
        part=PART,
        subject=IDLE,
        round=round_,
        seconds=sum(waits) / 1000,
        count=len(waits),
        unit="deliveries",
        p50_milliseconds=quantiles[49],
        p99_milliseconds=quantiles[98],
        mean_milliseconds=statistics.mean(waits) if waits else None,
        problem=f"{missing} events did not arrive" if missing else None,
    )


def _backlog(stage: _Stage, plan: Plan, round_: int) -> Sample:
    """Events that are held back, and then let go all at once: from that moment to the last arrival."""
    _forget(stage)
    rows = plan.webhook_backlog
    with closing(psycopg.connect(stage.world.database_url)) as holding:
        # No event is handed over while an older transaction still writes.
        holding.execute("select pg_current_xact_id()")
        problem = batch_sender.send_documents(
            stage.world.base_url, stage.world.limited_key, list(_documents(plan, rows)), _SENDERS
        )
        early = _ask(stage, COUNT)["count"]
        holding.rollback()
        started = time.time()
    if early:
        problem = problem or f"{early} events arrived before they were let go"
    deadline = time.monotonic() + _PATIENCE_SECONDS + rows / _LEAST_RATE
    while (found := _ask(stage, COUNT))["count"] < rows and time.monotonic() < deadline:
        time.sleep(0.05)
    arrivals = _ask(stage, ARRIVALS).values()
    if found["count"] != rows:
        problem = problem or f"{found['count']:,} of {rows:,} events arrived"
    elif found["repeats"]:
        problem = problem or f"{found['repeats']} deliveries came twice"
    return Sample(
        part=PART,
        subject=BACKLOG,
        round=round_,
        unit="deliveries",
        stored=rows,
        count=len(arrivals),
        seconds=max(arrivals, default=started) - started,
        problem=problem,
    )


def _documents(plan: Plan, rows: int) -> Iterator[bytes]:
    run_token = token()
    for start in range(0, rows, _MEMBERS):
        numbers = range(start, min(start + _MEMBERS, rows))
        members = [entry(number, external_id(plan.ids, run_token, number)) for number in numbers]
        yield json.dumps({"entries": members}).encode()


@contextmanager
def _receiving(directory: Path) -> Iterator[str]:
    with running([sys.executable, "-m", "bench.receiver"], directory) as child:
        child.wait_for(lambda: _RECEIVING_AT.search(child.output()) is not None, "the receiver")
        found = _RECEIVING_AT.search(child.output())
        assert found is not None
        yield found[1]


def _enable(stage: _Stage, is_enabled: bool) -> None:
    _call(stage.world, "PATCH", stage.webhook_path, {"enabled": is_enabled})


def _drain(stage: _Stage) -> None:
    """Wait until everything has arrived: nothing waits, and nothing has come for a second. Raises Failed."""
    deadline = time.monotonic() + 10 * _PATIENCE_SECONDS
    before = -1
    with psycopg.connect(stage.world.database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            count = _ask(stage, COUNT)["count"]
            query = "select exists (select from webhook_deliveries where state = 'pending')"
            if count == before and connection.execute(query).fetchone() == (False,):
                return
            before = count
            time.sleep(1)
    raise Failed("deliveries of a measurement did not come to an end")


def _forget(stage: _Stage) -> None:
    _request(stage.receiver_url, "DELETE", "/")


def _ask(stage: _Stage, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_request(stage.receiver_url, "GET", path))
    return found


def _call(world: World, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {world.unlimited_key}", "Content-Type": "application/json"}
    answer: dict[str, Any] = json.loads(_request(world.base_url, method, path, json.dumps(body), headers))
    return answer


def _request(
    base_url: str, method: str, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """The answer's body. Raises Failed unless it is a success."""
    address = urlsplit(base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE_SECONDS)
    with closing(connection):
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        answer = response.read()
    if response.status >= 300:
        raise Failed(f"{method} {path}: {response.status} {answer[:500]!r}")
    return answer
