"""Size, key, rate, scope, replay, plan, body, references: of several things wrong, the first in this order is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api.conftest import Api, nothing_stored, stored_once
from tests.conftest import World

TOO_LARGE = b" " * (64 * 1024 + 1)


class Faulty:
    """A request with chosen faults; without any it creates an entry."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.entry = world.entry()
        self.headers: dict[str, str] = {**world.headers, "content-type": "application/json"}
        self.content: bytes | None = None

    async def add(self, fault: str) -> None:
        """Make one thing wrong."""
        await getattr(self, fault)()

    async def size(self) -> None:
        self.content = TOO_LARGE

    async def key(self) -> None:
        self.headers["Authorization"] = "Bearer ako_nonsense"

    async def rate(self) -> None:
        _, text = await self.world.mint(rate_limit_per_minute=1, **self._scope())
        self.headers["Authorization"] = f"Bearer {text}"
        self._exhaust = True

    async def scope(self) -> None:
        self.headers["Authorization"] = f"Bearer {self.world.project_key}"

    def _scope(self) -> dict[str, Any]:
        project_key = self.headers["Authorization"].endswith(self.world.project_key)
        return {"scoped_project_id": self.world.project_id} if project_key else {}

    async def plan(self) -> None:
        await self.world.pool.execute(
            "update organizations set features = '{}' where organization_id = $1", self.world.organization_id
        )

    async def body(self) -> None:
        self.entry["minutes"] = 0

    async def json(self) -> None:
        self.content = b"{"

    async def media_type(self) -> None:
        self.headers["content-type"] = "text/plain"

    async def references(self) -> None:
        self.entry["projectId"] = str(self.world.organization_id)

    async def archived(self) -> None:
        self.entry["projectId"] = str(self.world.archived_project_id)

    async def ticket(self) -> None:
        self.entry["entryId"] = str(self.world.organization_id)

    async def send(self, api: Api) -> httpx.Response:
        if getattr(self, "_exhaust", False):
            await self._post(api)
        return await self._post(api)

    async def _post(self, api: Api) -> httpx.Response:
        if self.content is not None:
            return await api.post(content=self.content, headers=self.headers)
        return await api.post(json=self.entry, headers=self.headers)


SAID = {
    "size": (413, "payload_too_large"),
    "key": (401, "key_invalid"),
    "rate": (429, "rate_limit"),
    "scope": (403, "scope_violation"),
    "plan": (402, "payment_required"),
    "media_type": (415, "unsupported_media_type"),
    "json": (400, "validation_error"),
    "body": (400, "validation_error"),
    "references": (404, "not_found"),
    "ticket": (400, "validation_error"),
    "archived": (409, "project_archived"),
}
PAIRS = [
    ("size", "key"),
    ("size", "scope"),
    ("size", "plan"),
    ("key", "plan"),
    ("key", "media_type"),
    ("key", "json"),
    ("key", "body"),
    ("key", "references"),
    ("scope", "plan"),
    ("scope", "media_type"),
    ("scope", "json"),
    ("scope", "body"),
    ("scope", "references"),
    ("plan", "media_type"),
    ("plan", "json"),
    ("plan", "body"),
    ("plan", "references"),
    ("plan", "archived"),
    ("media_type", "json"),
    ("media_type", "body"),
    ("body", "references"),
    ("body", "ticket"),
    ("body", "archived"),
    ("references", "ticket"),
    ("ticket", "archived"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_of_two_faults_the_earlier_one_is_said(api, first, second):
    faulty = Faulty(api.world)
    for fault in (first, second):
        await faulty.add(fault)
    async with nothing_stored(api.world):
        response = await faulty.send(api)
    assert (response.status_code, response.json()["error"]) == SAID[first]
    if (first, second) == ("media_type", "json"):
        assert "details" not in response.json()


async def test_the_rate_limit_comes_before_the_scope(api):
    faulty = Faulty(api.world)
    await faulty.add("scope")
    await faulty.add("rate")
    async with nothing_stored(api.world):
        response = await faulty.send(api)
    assert (response.status_code, response.json()["error"]) == SAID["rate"]


async def test_an_exhausted_key_hears_nothing_of_its_body(api):
    faulty = Faulty(api.world)
    for fault in ("body", "rate"):
        await faulty.add(fault)
    response = await faulty.send(api)
    assert (response.status_code, response.json()["error"]) == SAID["rate"]


@pytest.mark.parametrize("fault", ["plan", "media_type", "json", "body", "references", "archived", "ticket"])
async def test_a_replay_comes_before_plan_body_and_references(api, fault):
    faulty = Faulty(api.world)
    faulty.headers["idempotency-key"] = "k"
    first = await faulty.send(api)
    await faulty.add(fault)
    async with nothing_stored(api.world):
        replay = await faulty.send(api)
    assert (first.status_code, replay.status_code, replay.content) == (201, 201, first.content)
    assert replay.headers["idempotent-replayed"] == "true"
    # The media type and the plan say nothing about the body.
    assert ("idempotency-body-mismatch" in replay.headers) == (fault not in ("plan", "media_type"))


@pytest.mark.parametrize("fault", ["size", "key", "scope"])
async def test_size_key_and_scope_come_before_a_replay(api, fault):
    faulty = Faulty(api.world)
    faulty.headers["idempotency-key"] = "k"
    await faulty.send(api)
    await faulty.add(fault)
    async with nothing_stored(api.world):
        refused = await faulty.send(api)
    assert (refused.status_code, refused.json()["error"]) == SAID[fault]
    assert "idempotent-replayed" not in refused.headers


@pytest.mark.parametrize(
    ("change", "code"),
    [("revoked_at = now()", "key_revoked"), ("expires_at = now() - interval '1 second'", "key_expired")],
)
async def test_a_key_that_ended_gets_no_replay_even_while_it_is_remembered(api, pool, change, code):
    entry = api.world.entry()
    await api.sync(entry, idempotency_key="k")
    await pool.execute(
        f"update api_keys set {change} where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.key_id,
    )
    async with nothing_stored(api.world):
        responses = [
            await api.sync(entry, idempotency_key="k"),
            await api.sync(api.world.entry()),
            await api.send(b"{", idempotency_key="k"),
        ]
    assert [(response.status_code, response.json()["error"]) for response in responses] == [(401, code)] * 3


@pytest.mark.parametrize("content", [None, b"{"], ids=["a good body", "a bad body"])
async def test_a_key_of_a_client_has_no_access_to_time(api, pool, content):
    await pool.execute(
        "update users set role = 'client' where organization_id = $1 and id = $2",
        api.world.organization_id,
        api.world.admin_id,
    )
    async with nothing_stored(api.world):
        response = await (api.sync() if content is None else api.send(content))
    assert response.status_code == 403
    assert response.json()["error"] == "role_violation"
    assert response.json()["role"] == "client"
    assert "client" not in response.json()["requiredRoles"]


async def test_the_plan_gate_opens_and_closes_at_once(api, pool):
    organization = api.world.organization_id
    await pool.execute("update organizations set features = '{}' where organization_id = $1", organization)
    entry = api.world.entry()
    async with nothing_stored(api.world):
        refused = await api.sync(entry)
    assert refused.status_code == 402
    assert {name: value for name, value in refused.json().items() if name != "requestId"} == {
        "error": "payment_required",
        "message": "the organisation's plan does not include time_tracking",
        "reason": "feature_disabled",
        "feature": "time_tracking",
    }
    await pool.execute("update organizations set features = '{time_tracking}' where organization_id = $1", organization)
    async with stored_once(api.world):
        assert (await api.sync(entry)).status_code == 201


async def test_a_known_pair_is_behind_the_plan_gate_too(api, pool):
    entry = api.world.entry()
    await api.sync(entry)
    await pool.execute("update organizations set features = '{}' where organization_id = $1", api.world.organization_id)
    assert (await api.sync(entry)).status_code == 402


async def test_an_expired_key_is_refused_from_the_first_call(world, client, way):
    _, text = await world.mint(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with nothing_stored(world):
        response = await Api(world, client, way).sync(authorization=f"Bearer {text}")
    assert (response.status_code, response.json()["error"]) == (401, "key_expired")
