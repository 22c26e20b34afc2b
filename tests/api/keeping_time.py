"""What the tests of time entries share: calls by any key, rows made directly, events."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx

from align.ids import new_id
from tests.conftest import World
from tests.waiting import until

PREFIX = "/api/v1"
LIST = f"{PREFIX}/time-entries"
SUMMARY = f"{LIST}/summary"


@dataclass
class Time:
    """Calls of one organisation, by its organisation's key unless `key` says otherwise."""

    world: World
    client: httpx.AsyncClient

    async def call(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.world.key}", **options.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **options)

    def body(self, **changes: object) -> dict[str, object]:
        """A create that is in order; a change to ... (Ellipsis) leaves the member out."""
        members = {"userId": str(self.world.user_id), "workDate": "2025-01-15", "minutes": 150, **changes}
        return {name: value for name, value in members.items() if value is not ...}

    async def post(self, body: dict[str, object], project_id: UUID | None = None, **options: Any) -> httpx.Response:
        path = f"{PREFIX}/projects/{project_id or self.world.project_id}/time-entries"
        return await self.call("POST", path, json=body, **options)

    async def made(self, **changes: object) -> dict[str, Any]:
        """A new time entry, made through the API."""
        response = await self.post(self.body(**changes))
        assert response.status_code == 201, response.text
        return {name: value for name, value in response.json().items() if name != "created"}

    async def get(self, id_: object, **options: Any) -> httpx.Response:
        return await self.call("GET", f"{LIST}/{id_}", **options)

    async def patch(self, id_: object, body: dict[str, object], **options: Any) -> httpx.Response:
        return await self.call("PATCH", f"{LIST}/{id_}", json=body, **options)

    async def delete(self, id_: object, **options: Any) -> httpx.Response:
        return await self.call("DELETE", f"{LIST}/{id_}", **options)

    async def ids(self, path: str = LIST, **parameters: Any) -> list[str]:
        """The ids of one page."""
        response = await self.call("GET", path, params=parameters)
        assert response.status_code == 200, response.text
        return [entry["id"] for entry in response.json()["data"]]

    async def store(self, **changes: Any) -> UUID:
        """A time entry as a row, whatever the API would say to it."""
        values = {
            "organization_id": self.world.organization_id,
            "id": new_id(),
            "project_id": self.world.project_id,
            "user_id": self.world.user_id,
            "work_date": date(2025, 1, 15),
            "minutes": 60,
            "billable": True,
            "source": "api",
            "created_at": datetime.fromisoformat("2025-01-15T10:00:00Z"),
            "updated_at": datetime.fromisoformat("2025-01-15T10:00:00Z"),
            **changes,
        }
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.world.pool.execute(
            f"insert into time_entries ({', '.join(values)}) values ({places})", *values.values()
        )
        return values["id"]

    async def set(self, id_: object, **values: object) -> None:
        """Change columns of a row directly."""
        settings = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 3))
        await self.world.pool.execute(
            f"update time_entries set {settings} where organization_id = $1 and id = $2",
            self.world.organization_id,
            UUID(str(id_)),
            *values.values(),
        )

    async def lock_until(self, day: date | None) -> None:
        """Lock a period directly."""
        await self.world.pool.execute(
            "update organizations set locked_until = $2 where organization_id = $1", self.world.organization_id, day
        )

    async def project_key(self, project_id: UUID) -> str:
        """A key of one project."""
        _, text = await self.world.mint(scoped_project_id=project_id)
        return text

    async def key_of(self, role: str) -> str:
        """An organisation's key of a user with this role."""
        user_id = new_id()
        await self.world.pool.execute(
            "insert into users (organization_id, id, email, name, role) values ($1, $2, $3, 'U', $4)",
            self.world.organization_id,
            user_id,
            f"{uuid4()}@example.com",
            role,
        )
        _, text = await self.world.mint(created_by_user_id=user_id)
        return text

    async def events(self, id_: object) -> list[dict[str, Any]]:
        """The events of a time entry, oldest first."""
        rows = await self.world.pool.fetch(
            "select * from events where organization_id = $1 and entity_id = $2 order by transaction_id, id",
            self.world.organization_id,
            UUID(str(id_)),
        )
        return [
            {
                **row,
                "before": row["before"] and json.loads(row["before"]),
                "after": row["after"] and json.loads(row["after"]),
            }
            for row in rows
        ]


async def somebody_waits_for(pool: asyncpg.Pool, holder: asyncpg.Connection) -> None:
    """Return once another connection is blocked by `holder`."""

    async def blocked() -> int:
        return await pool.fetchval(
            "select count(*) from pg_stat_activity where $1 = any(pg_blocking_pids(pid))", holder.get_server_pid()
        )

    await until(blocked, "statement that waits for the open transaction")


def problems(response: httpx.Response) -> list[tuple[str, str]]:
    """Path and code of each problem of a 400 or 404."""
    return [(problem["path"], problem["code"]) for problem in response.json()["details"]]
