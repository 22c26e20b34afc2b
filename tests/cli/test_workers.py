"""`align serve --workers`: several processes that answer as one server; and a stop at any moment."""

import json
import signal
import subprocess

import httpx
import pytest

from tests.waiting import until_now

WORKERS = 2


def answers(url):
    """Whether a worker answers there yet: the port is open before the first one is."""
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def logged(process, event):
    """The next log line about this event."""
    while True:
        line = process.stderr.readline()
        assert line, f"the server ended before it said: {event}"
        if (found := json.loads(line))["event"] == event:
            return found


def test_several_workers_answer_as_one_and_are_counted_together(cli):
    with cli.start("serve", "--workers", str(WORKERS), "--port", "0") as process:
        try:
            serving = logged(process, "serving")
            assert serving["workers"] == WORKERS
            assert "ALIGN_REDIS_URL" in json.loads(process.stderr.readline())["event"]
            url = serving["url"]
            until_now(lambda: answers(url), "answer of a worker")
            # A connection each, so that the processes share them; each asks one of the workers.
            statuses = [httpx.get(f"{url}/api/v1/me").status_code for _ in range(20)]
            counted = httpx.get(f"{url}/metrics").text
        finally:
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=60)
    assert statuses == [401] * 20
    assert 'align_http_requests_total{method="GET",route="/api/v1/me",status="401"} 20.0' in counted
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    assert json.loads(stderr.splitlines()[-1])["event"] == "stopped"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("moment", ["database migrated", "serving"])
def test_a_stop_while_starting_is_obeyed(cli, tmp_path, workers, moment):
    """Between these moments and uvicorn's own handlers a signal could be lost."""
    with cli.start("serve", "--workers", workers, "--port", "0", "--data-dir", str(tmp_path / "data")) as process:
        logged(process, moment)
        process.send_signal(signal.SIGTERM)
        try:
            _, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, stderr
    assert json.loads(stderr.splitlines()[-1])["event"] == "stopped"
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()
