"""Senders that keep a ledger, as a careful client does: written before sending, settled by a definite answer."""

import asyncio
import json
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import urlsplit
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


class Connection:
    """One connection, over which a request goes in one piece, as it does from a sender in a hurry."""

    def __init__(self) -> None:
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def sync(self, url: str, demo: dict[str, Any], entry: dict[str, object]) -> tuple[int, dict[str, Any]]:
        """Status and body. Raises OSError or IncompleteReadError when the connection is lost."""
        if self._streams is None:
            address = urlsplit(url)
            self._streams = await asyncio.open_connection(address.hostname, address.port)
        reader, writer = self._streams
        body = json.dumps(entry).encode()
        lines = [f"POST {SYNC_PATH} HTTP/1.1", "Host: align", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers(demo).items()]
        writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        (length,) = [line.split()[1] for line in head.splitlines() if line.startswith("content-length:")]
        answer = json.loads(await reader.readexactly(int(length)))
        if "connection: close" in head:
            self.close()
        return int(head.split()[1]), answer

    def close(self) -> None:
        """The next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


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
        async with asyncio.TaskGroup() as senders:
            for _ in range(count):
                senders.create_task(self._send_many())

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

    async def _send_many(self) -> None:
        connection = Connection()
        while not self.enough:
            entry = entry_of(self.demo, minutes=len(self.sent) % 1440 + 1, description=f"entry {len(self.sent)}")
            self.sent[str(entry["externalId"])] = entry
            settled = await self._send(connection, entry)
            if self.repeats and not settled:
                await until(partial(self._send, connection, entry), "definite answer")
        connection.close()

    async def _send(self, connection: Connection, entry: dict[str, object]) -> bool:
        """Whether the answer was definite."""
        try:
            status, answer = await connection.sync(self.url, self.demo, entry)
        except (OSError, asyncio.IncompleteReadError):
            connection.close()
            self.statuses["connection lost"] += 1
            return False
        self.statuses[status] += 1
        if status < 300:
            self.acknowledged[str(entry["externalId"])] = answer
        return status < 300


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
