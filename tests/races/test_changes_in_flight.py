"""Keys are revoked and plans changed while requests are under way: from the commit on, everywhere."""

import asyncio

import asyncpg
import pytest

from align.api_keys import api_keys
from align.organizations import organizations
from tests.races.conftest import blocked, hold_link, stored, sync, transaction
from tests.waiting import until

SENDERS = 6
# Each sender must have got so many accepted before the change, so that it meets requests under way.
BEFORE = 5


async def revoke(tx: asyncpg.Connection, world) -> None:
    await api_keys.revoke(tx, world.organization_id, world.key_id)


async def turn_off(tx: asyncpg.Connection, world) -> None:
    await organizations.set_feature(tx, world.organization_id, "time_tracking", on=False)


CHANGES = pytest.mark.parametrize(
    ("change", "status", "code"),
    [(revoke, 401, "key_revoked"), (turn_off, 402, "payment_required")],
    ids=["key revoked", "feature turned off"],
)


class Traffic:
    """Senders that go on until, after the change, each has been refused."""

    def __init__(self, servers, world) -> None:
        self.servers, self.world = servers, world
        self.accepted: dict[str, str] = {}
        self.sent_after: list[tuple[int, str]] = []
        self.sent_before: list[int] = []
        self.changed = asyncio.Event()

    async def send(self, index: int) -> None:
        after = 0
        while after < 3:
            entry = self.world.entry()
            sent_after = self.changed.is_set()
            answer = await sync(self.servers[index % len(self.servers)], self.world, entry)
            if answer.status_code == 201:
                self.accepted[entry["externalId"]] = answer.json()["id"]
            if sent_after:
                after += 1
                self.sent_after.append((answer.status_code, answer.json().get("error")))
            else:
                self.sent_before.append(answer.status_code)

    async def enough(self) -> bool:
        return self.sent_before.count(201) >= SENDERS * BEFORE


@CHANGES
async def test_no_request_sent_after_the_commit_is_accepted(servers, world, change, status, code):
    for server in servers:  # both know the key by now
        assert (await sync(server, world, world.entry(externalId="first"))).is_success
    traffic = Traffic(servers, world)
    async with asyncio.TaskGroup() as senders:
        for index in range(SENDERS):
            senders.create_task(traffic.send(index))
        await until(traffic.enough, "traffic")
        async with world.pool.acquire() as connection:
            async with connection.transaction():
                await change(connection, world)
            traffic.changed.set()
    assert set(traffic.sent_after) == {(status, code)}
    assert set(traffic.sent_before) <= {201, status}
    found = await stored(world)
    del found["first"]
    assert found == traffic.accepted


@CHANGES
async def test_a_request_that_waited_during_the_commit_is_refused(client, world, change, status, code):
    entry = world.entry()
    await sync(client, world, world.entry())
    async with transaction(world) as holder:
        await hold_link(holder, world, entry["externalId"])
        first = asyncio.create_task(sync(client, world, entry))
        await blocked(world, holder)
        # The same pair again waits for the first inside the server, and its statement starts after the change.
        waits = asyncio.create_task(sync(client, world, entry))
        await sync(client, world, world.entry())  # one more round through the server: `waits` is there by now
        async with world.pool.acquire() as connection, connection.transaction():
            await change(connection, world)
        await holder.execute("rollback")
        assert (await first).status_code == 201  # its statement began before the change
        refused = await waits
    assert (refused.status_code, refused.json()["error"]) == (status, code)
    assert len(await stored(world)) == 3
