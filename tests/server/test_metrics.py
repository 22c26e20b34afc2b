"""What `/metrics` counts."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from align.api_keys import api_keys
from tests.conftest import SYNC_PATH

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(client: httpx.AsyncClient) -> Samples:
    """All values, by name and labels."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.text)
    return {(it.name, frozenset(it.labels.items())): it.value for family in families for it in family.samples}


class Growth:
    """By how much values have grown."""

    def __init__(self, before: Samples) -> None:
        self.before = before
        self.after: Samples = {}

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return self.after[key] - self.before.get(key, 0)

    def by(self, label: str, name: str, **others: str) -> Mapping[str, float]:
        """Values that have grown, by one of their labels."""
        grown = {}
        for (known, labels), value in self.after.items():
            found = dict(labels)
            if known == name and others.items() <= found.items() and value != self.before.get((known, labels), 0):
                grown[found[label]] = value - self.before.get((known, labels), 0)
        return grown


@asynccontextmanager
async def growth(client: httpx.AsyncClient) -> AsyncIterator[Growth]:
    made = Growth(await scrape(client))
    yield made
    made.after = await scrape(client)


async def test_requests_are_counted_by_method_route_and_status(client, world):
    entry = world.entry()
    async with growth(client) as grown:
        created = await client.post(SYNC_PATH, json=entry, headers=world.headers)
        await client.post(SYNC_PATH.removeprefix("/api/v1"), json=entry, headers=world.headers)
        await client.post(SYNC_PATH, json=entry)
        await client.get(f"{SYNC_PATH}/{created.json()['id']}", headers=world.headers)
        await client.get(f"{SYNC_PATH}/{world.admin_id}", headers=world.headers)
        await client.delete(SYNC_PATH)
        await client.get("/nowhere/at/all")
        await client.get("/wp-login.php")
    for route, method, statuses in (
        (SYNC_PATH, "POST", {"201": 1, "200": 1, "401": 1}),
        (f"{SYNC_PATH}/{{id}}", "GET", {"200": 1, "404": 1}),
        (SYNC_PATH, "other", {"405": 1}),
        ("unknown", "other", {"404": 2}),
    ):
        assert grown.by("status", "align_http_requests_total", method=method, route=route) == statuses
        assert grown("align_http_request_duration_seconds_count", method=method, route=route) == sum(statuses.values())


async def test_syncs_are_counted_by_outcome(client, world):
    entry = world.entry()
    async with growth(client) as grown:
        for changes in (
            {},
            {},
            {"minutes": 0},
            {"projectId": str(world.archived_project_id), "externalId": "archived"},
            {"userId": str(world.admin_id)[:-1] + "x"},
            {"userId": str(world.key_id), "externalId": "unknown user"},
        ):
            await client.post(SYNC_PATH, json=entry | changes, headers=world.headers)
    assert grown.by("outcome", "align_sync_outcomes_total") == {
        "created": 1,
        "existing": 1,
        "validation_error": 2,
        "project_archived": 1,
        "not_found": 1,
    }


async def test_idempotency_keys_are_counted_by_result(client, world):
    entry = world.entry()
    async with growth(client) as grown:
        for body in (entry, entry, entry, entry | {"minutes": 1}):
            headers = world.headers | {"Idempotency-Key": "one"}
            await client.post(SYNC_PATH, json=body, headers=headers)
        await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    results = grown.by("result", "align_idempotency_results_total")
    assert results == {"kept": 1, "replayed": 3, "body_mismatch": 1}


async def test_refused_keys_are_counted_by_reason(client, world):
    _, limited = await world.mint(rate_limit_per_minute=1)
    async with growth(client) as grown:
        for headers in ({}, {"X-API-Key": "nonsense"}, {"X-API-Key": limited}, {"X-API-Key": limited}):
            await client.get("/api/v1/me", headers=headers)
    assert grown.by("reason", "align_authentication_failures_total") == {"key_missing": 1, "key_invalid": 1}
    assert grown("align_rate_limited_total") == 1


async def test_a_key_revoked_while_it_is_remembered_is_counted(client, world):
    await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)  # from now on it is remembered
    async with world.pool.acquire() as tx, tx.transaction():
        await api_keys.revoke(tx, world.organization_id, world.key_id)
    async with growth(client) as grown:
        refused = await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    assert refused.status_code == 401
    assert grown.by("reason", "align_authentication_failures_total") == {"key_revoked": 1}


async def test_the_queue_of_syncs_shows_rows_and_times(client, world):
    async with growth(client) as grown:
        for _ in range(3):  # one after the other: each goes down alone
            await client.post(SYNC_PATH, json=world.entry(), headers=world.headers)
    assert grown("align_sync_statement_rows_count") == 3
    assert grown("align_sync_statement_rows_sum") == 3
    assert grown("align_sync_statement_duration_seconds_count") == 3
    assert grown("align_sync_queue_wait_seconds_count") == 3
    assert grown.after["align_sync_queue_depth", frozenset()] == 0
    assert grown("align_sync_retried_statements_total") == 0


async def test_no_value_is_labelled_with_an_id_of_a_tenant(client, world):
    answer = await client.post(SYNC_PATH, json=world.entry(externalId="te-1"), headers=world.headers)
    await client.get(answer.headers["location"], headers=world.headers)
    text = (await client.get("/metrics")).text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert "te-1" not in text
    assert world.key[:10] not in text
