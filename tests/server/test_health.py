"""What an orchestrator asks: does the process live, and can it take work?"""

from contextlib import ExitStack

import httpx

from align.db import embedded, migrate
from align.settings import Settings
from tests.conftest import RunningServer
from tests.waiting import until

WELL_FORMED_KEY = "ako_0000000000000000000000000000000022pwDw"


async def test_a_healthy_server_says_so(client):
    for path in ("/livez", "/readyz"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"


async def test_without_its_database_it_lives_but_is_not_ready(tmp_path):
    with ExitStack() as cluster:
        database_url = cluster.enter_context(embedded.running(tmp_path))
        migrate.migrate(database_url)
        with RunningServer(database_url, Settings(data_dir=tmp_path)) as url:
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                await answers(client, 200, "ok")
                cluster.close()
                await answers(client, 503, "database unavailable")
                assert (await client.get("/livez")).status_code == 200
                refused = await client.get("/api/v1/me", headers={"X-API-Key": WELL_FORMED_KEY})
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                with embedded.running(tmp_path):
                    await answers(client, 200, "ok")
                    known = await client.get("/api/v1/me", headers={"X-API-Key": WELL_FORMED_KEY})
                    assert (known.status_code, known.json()["error"]) == (401, "key_invalid")


async def answers(client: httpx.AsyncClient, status: int, text: str) -> None:
    """Wait for this answer of /readyz."""

    async def does() -> bool:
        answer = await client.get("/readyz")
        return (answer.status_code, answer.json()) == (status, {"status": text})

    await until(does, f"/readyz that answers {status}")


async def test_a_server_that_stops_takes_no_new_work(database_url, data_dir):
    server = RunningServer(database_url, Settings(data_dir=data_dir))
    with server as url:
        server.application.draining = True
        async with httpx.AsyncClient(base_url=url) as client:
            answer = await client.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": "stopping"})
            assert (await client.get("/livez")).status_code == 200
