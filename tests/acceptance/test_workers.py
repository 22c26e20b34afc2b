"""`align serve --workers 2`: one server to the outside, two processes inside."""

import httpx
import psutil
import pytest

from tests.acceptance.align import Server, family, has_ended
from tests.acceptance.sending import entry_of, sync
from tests.waiting import until_now

PER_MINUTE = 1000


@pytest.fixture
def limited(align, demo):
    """The demo, with a key whose rate limit shows who answered: each worker counts on its own."""
    minted = align.json(
        *("keys", "mint", "Demo", "--name", "limited", "--created-by", "admin@demo.example"),
        *("--rate-limit", str(PER_MINUTE)),
    )
    return demo | {"organizationKey": minted["key"]}


def test_both_answer_and_are_counted_together_and_leave_nobody_behind(align, limited):
    server = align.start("--workers", "2")
    url = server.ready()
    remaining = []

    def both() -> bool:
        answer = sync(url, limited, entry_of(limited))
        assert answer.status_code == 201
        remaining.append(int(answer.headers["x-ratelimit-remaining"]))
        return remaining.count(PER_MINUTE - 1) == 2

    until_now(both, "sync by each of the two workers")
    for _ in range(5):  # whichever worker is asked
        assert created(url) == len(remaining)
    processes = family(server.pid)
    assert len(processes) >= 3
    server.stop()
    # Python's own tracker of resources leaves when it sees the others gone, so a moment later.
    until_now(lambda: all(has_ended(process) for process in processes), "end of all processes")
    assert align.postgres() is None
    assert len(server.events("stopped")) == 1


def test_a_worker_that_dies_is_replaced(align, demo):
    server = align.start("--workers", "2")
    url = server.ready()
    assert sync(url, demo, entry_of(demo)).status_code == 201
    victim = workers_of(server)[0]
    victim.kill()
    until_now(lambda: len(set(workers_of(server)) - {victim}) == 2, "new worker")
    assert sync(url, demo, entry_of(demo)).status_code == 201
    server.stop()
    assert align.postgres() is None


def created(url: str) -> float:
    """The sum in /metrics."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith('align_sync_outcomes_total{outcome="created"}')]
    return float(value)


def workers_of(server: Server) -> list[psutil.Process]:
    """The worker processes; Python's own helper process is not one."""
    return [process for process in family(server.pid)[1:] if is_worker(process)]


def is_worker(process: psutil.Process) -> bool:
    """Whether it runs what Python starts new processes with, and still lives."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return False
