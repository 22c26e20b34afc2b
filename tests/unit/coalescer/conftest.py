"""A `run` for the coalescer whose every ending the test decides."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import NamedTuple

import pytest

from align.time_entries.coalescer import Coalescer


class Row(NamedTuple):
    name: str
    lane: Hashable = "one"
    exclusive_keys: tuple[Hashable, ...] = ()


class Statements:
    """What the coalescer runs: each statement stays in flight until the test ends it."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._ends: list[asyncio.Future[Sequence[object]]] = []

    async def run(self, rows: Sequence[Row]) -> Sequence[object]:
        self.batches.append([row.name for row in rows])
        end: asyncio.Future[Sequence[object]] = asyncio.get_running_loop().create_future()
        self._ends.append(end)
        return await end

    async def finish(self, index: int, outcomes: Sequence[object] | None = None) -> None:
        answers = [f"{name} done" for name in self.batches[index]] if outcomes is None else outcomes
        self._ends[index].set_result(answers)
        await settle()

    async def finish_all(self) -> None:
        for index, end in enumerate(self._ends):  # grows while it is walked
            if not end.done():
                await self.finish(index)

    async def fail(self, index: int, error: BaseException) -> None:
        self._ends[index].set_exception(error)
        await settle()


async def settle() -> None:
    """Let everything run that can run; there is no input or output to wait for."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def statements() -> AsyncIterator[Statements]:
    made = Statements()
    yield made
    await made.finish_all()


def made(statements: Statements, in_flight: int = 1, rows: int = 100, waiting: int = 1000) -> Coalescer[Row, object]:
    return Coalescer(statements.run, maximum_in_flight=in_flight, maximum_rows=rows, maximum_waiting=waiting)


def submit(queue: Coalescer[Row, object], names: str, **members: object) -> list["asyncio.Future[object]"]:
    return [queue.submit(Row(name, **members)) for name in names.split()]
