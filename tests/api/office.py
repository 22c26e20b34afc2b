"""What the tests of users, projects, tickets and links share: calls by any key, and what they recorded."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from tests.conftest import World

PREFIX = "/api/v1"


def ref(external_id: str, provider: str = "jira", external_type: str = "thing") -> dict[str, str]:
    """A member externalRef."""
    return {"provider": provider, "externalType": external_type, "externalId": external_id}


@dataclass
class Office:
    """Calls of one organisation, by its organisation's key unless `key` says otherwise."""

    world: World
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.world.key}", **options.pop("headers", {})}
        return await self.client.request(method, PREFIX + path, headers=headers, **options)

    async def get(self, path: str, *, key: str | None = None, **parameters: Any) -> httpx.Response:
        return await self.call("GET", path, key=key, params=parameters)

    async def listed(self, path: str, *, key: str | None = None, **parameters: Any) -> dict[str, Any]:
        """A page of a list."""
        response = await self.get(path, key=key, **parameters)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: object, **options: Any) -> httpx.Response:
        return await self.call("POST", path, json=body, **options)

    async def patch(self, path: str, body: object, **options: Any) -> httpx.Response:
        return await self.call("PATCH", path, json=body, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.call("DELETE", path, **options)

    async def made(self, path: str, body: object, **options: Any) -> dict[str, Any]:
        """What a create answered, which must be new."""
        response = await self.post(path, body, **options)
        assert response.status_code == 201, response.text
        return response.json()

    async def key_for(self, role: str, **options: Any) -> str:
        """The text of a key that acts with this role."""
        user_id = await self.world.pool.fetchval(
            "insert into users (organization_id, id, email, name, role) "
            "values ($1, gen_random_uuid(), gen_random_uuid() || '@example.com', 'Key Holder', $2) returning id",
            self.world.organization_id,
            role,
        )
        _, text = await self.world.mint(created_by_user_id=user_id, **options)
        return text

    @asynccontextmanager
    async def recorded(
        self, *expected: tuple[str, object, object], project_id: UUID | None = None
    ) -> AsyncIterator[None]:
        """Fails unless the block recorded exactly these events: name, before and after.

        Of an object written whole, which has an id, the members that are expected count.
        """
        known = {row["id"] for row in await self._events()}
        yield
        new = [row for row in await self._events() if row["id"] not in known]
        assert [row["event_name"] for row in new] == [name for name, _, _ in expected]
        for row, (_, before, after) in zip(new, expected, strict=True):
            for column, value in (("before", before), ("after", after)):
                found = None if row[column] is None else json.loads(row[column])
                if isinstance(found, dict) and isinstance(value, dict) and "id" in found:
                    found = {name: found[name] for name in value}
                assert found == value, row["event_name"]
            assert (row["actor_user_id"], row["actor_api_key_id"]) == (self.world.admin_id, self.world.key_id)
            if project_id is not None:
                assert row["project_id"] == project_id

    async def _events(self) -> list[Any]:
        return await self.world.pool.fetch(
            "select * from events where organization_id = $1 order by transaction_id, id", self.world.organization_id
        )

    @asynccontextmanager
    async def nothing_changed(self) -> AsyncIterator[None]:
        """Fails when the block changed a row of the organisation in any table that these operations write."""
        tables = ("users", "projects", "project_members", "tickets", "integration_links", "events", "idempotency_keys")

        async def rows() -> dict[str, list[str]]:
            return {
                table: [
                    row["row"]
                    for row in await self.world.pool.fetch(
                        f"select t::text as row from {table} t where organization_id = $1 order by 1",
                        self.world.organization_id,
                    )
                ]
                for table in tables
            }

        before = await rows()
        yield
        assert await rows() == before
