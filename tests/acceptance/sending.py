"""Senders that keep a ledger, as a careful client does: written before sending, settled by a definite answer."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from tests.conftest import SYNC_PATH
from tests.waiting import until


def entry_of(demo: dict[str, Any], **changes: object) -> dict[str, object]:
    """A valid sync of a pair that is new."""
    return {
        "projectId": demo["projectId"],
        "userId": demo["userId"],
        "workDate": "2025-01-15",
        "minutes": 150,
        "externalSystem": "illumera",
        "externalId": f"te-{uuid4()}",
        **changes,
    }


def sync(url: str, demo: dict[str, Any], entry: dict[str, object]) -> httpx.Response:
    """Send one sync."""
    return httpx.post(f"{url}{SYNC_PATH}", json=entry, headers=headers(demo), timeout=30)


def headers(demo: dict[str, Any]) -> dict[str, str]:
    """With the organisation's key."""
    return {"Authorization": f"Bearer {demo['organizationKey']}"}


class Senders:
    """Several senders at once, each with one request after the other on a connection of its own.

    With `repeats` an entry is sent until a definite answer comes, else once.
    """

    def __init__(self, demo: dict[str, Any], url: str, *, repeats: bool) -> None:
        self.demo = demo
        self.url = url
        self.repeats = repeats
        self.sent: dict[str, dict[str, object]] = {}
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.statuses: Counter[int | str] = Counter()
        self.enough = False

    async def run(self, count: int) -> None:
        """Send until told that it is enough."""
        limits = httpx.Limits(max_connections=count)
        async with httpx.AsyncClient(timeout=30, limits=limits) as client, asyncio.TaskGroup() as senders:
            for _ in range(count):
                senders.create_task(self._send_many(client))

    async def reach(self, count: int) -> None:
        """Wait for so many acknowledged entries."""

        async def reached() -> bool:
            return len(self.acknowledged) >= count

        await until(reached, f"{count} acknowledged entries")

    async def reach_unknown(self) -> None:
        """Wait for an answer which says that the outcome is unknown."""

        async def reached() -> bool:
            return self.statuses[503] > 0

        await until(reached, "answer 503")

    async def _send_many(self, client: httpx.AsyncClient) -> None:
        while not self.enough:
            entry = entry_of(self.demo, minutes=len(self.sent) % 1440 + 1, description=f"entry {len(self.sent)}")
            self.sent[str(entry["externalId"])] = entry
            settled = await self._send(client, entry)
            if self.repeats and not settled:
                await until(partial(self._send, client, entry), "definite answer")

    async def _send(self, client: httpx.AsyncClient, entry: dict[str, object]) -> bool:
        """Whether the answer was definite."""
        try:
            answer = await client.post(f"{self.url}{SYNC_PATH}", json=entry, headers=headers(self.demo))
        except httpx.TransportError as error:
            self.statuses[type(error).__name__] += 1
            return False
        self.statuses[answer.status_code] += 1
        if answer.is_success:
            self.acknowledged[str(entry["externalId"])] = answer.json()
        return answer.is_success


def stored(database_url: str) -> dict[str, dict[str, Any]]:
    """The entries in the database by external id: each with one link and one event."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            """
            select l.external_id, e.id::text, e.minutes, e.description,
                (select count(*) from events v where v.organization_id = e.organization_id and v.entity_id = e.id)
            from time_entries e
            left join integration_links l on l.organization_id = e.organization_id and l.align_entity_id = e.id
            """
        ).fetchall()
    found = {row[0]: {"id": row[1], "minutes": row[2], "notes": row[3]} for row in rows}
    assert len(found) == len(rows)
    assert None not in found
    assert all(row[4] == 1 for row in rows)
    return found


def assert_kept(senders: Senders, found: dict[str, dict[str, Any]]) -> None:
    """Everything acknowledged is stored, once, as it was acknowledged and sent."""
    for external_id, answer in senders.acknowledged.items():
        assert found[external_id] == {name: answer[name] for name in ("id", "minutes", "notes")}
        sent = senders.sent[external_id]
        assert (answer["minutes"], answer["notes"]) == (sent["minutes"], sent["description"])
