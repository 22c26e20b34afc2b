"""The coalescer's promises under any order of arrivals, endings and cancellations."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from align.time_entries.coalescer import Coalescer
from tests.unit.coalescer.conftest import Row, settle

IN_FLIGHT, ROWS = 2, 3
KEYS = st.lists(st.sampled_from("pqrs"), unique=True, max_size=2).map(tuple)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from("ab"), KEYS),
        st.tuples(st.just("finish"), st.integers(0, IN_FLIGHT - 1), st.booleans()),
        st.tuples(st.just("cancel"), st.integers(0, 30), st.none()),
        st.tuples(st.just("settle"), st.none(), st.none()),
    ),
    max_size=60,
)


class Watched:
    """Runs statements until told to end, and checks at every start what must hold of those in flight."""

    def __init__(self) -> None:
        self.in_flight: list[tuple[Sequence[Row], asyncio.Future[bool]]] = []
        self.ran: Counter[str] = Counter()

    async def run(self, rows: Sequence[Row]) -> Sequence[object]:
        end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.in_flight.append((rows, end))
        self.ran.update(row.name for row in rows)
        assert 0 < len(rows) <= ROWS
        assert len(self.in_flight) <= IN_FLIGHT
        keys = Counter(key for running, _ in self.in_flight for row in running for key in row.exclusive_keys)
        assert not keys or max(keys.values()) == 1
        if await end:
            return [f"{row.name} done" for row in rows]
        raise OSError("lost")

    async def finish(self, index: int, well: bool) -> None:
        if index < len(self.in_flight):
            self.in_flight.pop(index)[1].set_result(well)
            await settle()


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_row_runs_once_and_gets_its_own_outcome(steps):
    asyncio.run(_play(steps))


async def _play(steps: Sequence[tuple]) -> None:
    watched = Watched()
    queue = Coalescer(watched.run, maximum_in_flight=IN_FLIGHT, maximum_rows=ROWS, maximum_waiting=1000)
    futures: list[asyncio.Future[object]] = []
    for action, first, second in steps:
        match action:
            case "submit":
                futures.append(queue.submit(Row(str(len(futures)), first, second)))
            case "finish":
                await watched.finish(first, second)
            case "cancel" if first < len(futures):
                futures[first].cancel()
            case "settle":
                await settle()
    drained = asyncio.create_task(queue.drain())
    await settle()
    while watched.in_flight:
        await watched.finish(0, True)
    await asyncio.wait_for(drained, 10)
    for number, future in enumerate(futures):
        name = str(number)
        if future.cancelled():
            assert watched.ran[name] <= 1
        else:
            assert watched.ran[name] == 1
            assert isinstance(future.exception(), OSError) or future.result() == f"{name} done"
