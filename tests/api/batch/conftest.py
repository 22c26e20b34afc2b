"""Sends batches of one organisation, as one JSON object or as a stream of lines."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from tests.api.conftest import stored
from tests.conftest import SYNC_PATH, World, make_world

BATCH_PATH = f"{SYNC_PATH}/batch"
NOBODY = "7b1e2c3d-0000-0000-0000-00000000abcd"

Result = dict[str, Any]


def written(entry: object) -> bytes:
    """A member or line as text; bytes are taken as they are."""
    return entry if isinstance(entry, bytes) else json.dumps(entry, ensure_ascii=False).encode()


@dataclass
class Batches:
    """Sends batches; keyword arguments that are no entry are headers, `_` for `-`."""

    world: World
    client: httpx.AsyncClient
    stream_client: httpx.AsyncClient

    async def sync(self, *entries: object, query: str = "", **headers: str) -> httpx.Response:
        """A batch of these members, each a dict or the member's text."""
        return await self.send(b'{"entries":[' + b",".join(map(written, entries)) + b"]}", query=query, **headers)

    async def send(self, content: bytes, *, query: str = "", **headers: str) -> httpx.Response:
        """A body as it is, declared as JSON."""
        return await self.client.post(
            f"{BATCH_PATH}{query}", content=content, headers=self._headers("application/json", headers)
        )

    def _headers(self, media_type: str, more: dict[str, str]) -> httpx.Headers:
        headers = httpx.Headers({"content-type": media_type, **self.world.headers})
        headers.update({name.replace("_", "-"): value for name, value in more.items()})
        return headers

    async def results(self, *entries: object, query: str = "", **headers: str) -> list[Result]:
        """The results of a batch that is answered with 200, without request ids."""
        response = await self.sync(*entries, query=query, **headers)
        assert response.status_code == 200, response.text
        return results_of(response)

    async def stream(self, *lines: object, **headers: str) -> httpx.Response:
        """A stream of these lines, each ended by a line feed."""
        return await self.stream_content(b"".join(written(line) + b"\n" for line in lines), **headers)

    async def stream_content(self, content: bytes | AsyncIterator[bytes], **headers: str) -> httpx.Response:
        """A stream as it is."""
        return await self.stream_client.post(
            BATCH_PATH, content=content, headers=self._headers("application/x-ndjson", headers)
        )

    async def single(self, entry: dict[str, object]) -> httpx.Response:
        """The same entry by the single operation."""
        return await self.client.post(SYNC_PATH, json=entry, headers=self.world.headers)

    async def be_strict(self) -> None:
        """Make the organisation strict."""
        await self.world.pool.execute(
            "update organizations set strict = true where organization_id = $1", self.world.organization_id
        )


def results_of(response: httpx.Response) -> list[Result]:
    """The results in the body, which must stand in the order of the request and be counted rightly."""
    body = response.json()
    return checked(body["results"], {name: body[name] for name in ("created", "existing", "failed")}, response)


def streamed(response: httpx.Response) -> tuple[list[Result], Result]:
    """The results of a stream and its last line; the counts must be right."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    *results, end = [json.loads(line) for line in response.text.splitlines()]
    error = end.pop("error", None)
    return checked(results, end, response), {} if error is None else without_request_id(error, response)


def checked(results: list[Result], counts: dict[str, int], response: httpx.Response) -> list[Result]:
    """The results without request ids; their order and the counts must be right."""
    assert [result["index"] for result in results] == list(range(len(results)))
    statuses = [result["status"] for result in results]
    created, existing = statuses.count(201), statuses.count(200)
    assert counts == {"created": created, "existing": existing, "failed": len(statuses) - created - existing}
    for result in results:
        assert ("entry" in result) == (result["status"] in (200, 201))
        assert ("error" in result) == ("entry" not in result)
        # The codes of members that an atomic batch left out are written without one.
        if "error" in result and result["error"]["error"] != "batch_rejected":
            result["error"] = without_request_id(result["error"], response)
    return results


def without_request_id(error: dict[str, Any], response: httpx.Response) -> dict[str, Any]:
    """The error without its request id, which must be the header's."""
    assert error.pop("requestId") == response.headers["x-request-id"]
    return error


def statuses(results: list[Result]) -> list[int]:
    """The statuses alone."""
    return [result["status"] for result in results]


@asynccontextmanager
async def stored_more(world: World, entries: int, *, idempotency_keys: int = 0) -> AsyncIterator[None]:
    """Fails unless the block stored so many entries, each with its link and event."""
    before = await stored(world)
    yield
    after = await stored(world)
    assert {table: after[table] - before[table] for table in after} == {
        "time_entries": entries,
        "integration_links": entries,
        "events": entries,
        "idempotency_keys": idempotency_keys,
    }


def lines_of(entries: Iterable[object]) -> bytes:
    """Entries as lines."""
    return b"".join(written(entry) + b"\n" for entry in entries)


@pytest.fixture(scope="session")
async def stream_client(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Streams, whose answers are not described by a JSON schema."""
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as made:
        yield made


@pytest.fixture
async def batches(world: World, client: httpx.AsyncClient, stream_client: httpx.AsyncClient) -> Batches:
    """Batches of a fresh organisation."""
    return Batches(world, client, stream_client)


@pytest.fixture(scope="module")
async def module_world(pool: asyncpg.Pool) -> World:
    """One organisation for a whole module."""
    return await make_world(pool)


@pytest.fixture
async def shared_batches(module_world: World, client: httpx.AsyncClient, stream_client: httpx.AsyncClient) -> Batches:
    """Batches of the module's organisation, for tables of inputs that leave its settings alone."""
    return Batches(module_world, client, stream_client)
