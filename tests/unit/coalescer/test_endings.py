"""How rows end: answered, failed, cancelled, refused as still busy; and how the queue is drained."""

import asyncio

import pytest

from align.time_entries import coalescer
from align.time_entries.coalescer import StillBusy
from tests.unit.coalescer.conftest import made, settle, submit


async def test_a_row_cancelled_while_it_waits_is_not_run(statements):
    queue = made(statements, waiting=3)
    submit(queue, "a")
    await settle()
    cancelled, kept = submit(queue, "b c")
    cancelled.cancel()
    await statements.finish(0)
    assert statements.batches == [["a"], ["c"]]
    await statements.finish(1)
    assert kept.result() == "c done"
    submit(queue, "d e f")  # the place of the cancelled one is free again


async def test_a_row_cancelled_in_flight_harms_no_neighbour_and_frees_its_key(statements):
    queue = made(statements)
    cancelled, neighbour = submit(queue, "a", exclusive_keys=("pair",)) + submit(queue, "b")
    await settle()
    (later,) = submit(queue, "c", exclusive_keys=("pair",))
    cancelled.cancel()
    await statements.finish(0)
    assert neighbour.result() == "b done"
    await statements.finish(1)
    assert later.result() == "c done"


async def test_an_exception_for_one_row_is_that_rows_alone(statements):
    queue = made(statements)
    first, second, third = submit(queue, "a b c")
    await settle()
    await statements.finish(0, ["a done", ValueError("b is bad"), "c done"])
    assert (first.result(), third.result()) == ("a done", "c done")
    with pytest.raises(ValueError, match="b is bad"):
        second.result()


async def test_a_failing_run_answers_every_row_and_the_queue_goes_on(statements):
    queue = made(statements)
    futures = submit(queue, "a b") + submit(queue, "c", exclusive_keys=("pair",))
    await settle()
    (later,) = submit(queue, "d", exclusive_keys=("pair",))
    await statements.fail(0, OSError("no database"))
    for future in futures:
        with pytest.raises(OSError, match="no database"):
            future.result()
    await statements.finish(1)
    assert later.result() == "d done"


@pytest.mark.parametrize("outcomes", [["a done"], ["a done", "b done", "c done"]])
async def test_a_run_with_too_few_or_too_many_outcomes_answers_every_row(statements, outcomes):
    queue = made(statements)
    futures = submit(queue, "a", exclusive_keys=("pair",)) + submit(queue, "b")
    await settle()
    (later,) = submit(queue, "c", exclusive_keys=("pair",))
    await statements.finish(0, outcomes)
    for future in futures:
        with pytest.raises(ValueError, match="outcomes"):
            future.result()
    await statements.finish(1)
    assert later.result() == "c done"


async def test_a_row_whose_key_stays_busy_is_told_so_and_not_run_later(statements, monkeypatch):
    monkeypatch.setattr(coalescer, "BUSY_PATIENCE_SECONDS", 0.01)
    queue = made(statements, in_flight=2)
    (first,) = submit(queue, "a", exclusive_keys=("pair",))
    (repeat,) = submit(queue, "b", exclusive_keys=("pair",))
    with pytest.raises(StillBusy):
        await asyncio.wait_for(repeat, 10)
    assert not first.done()
    await statements.finish(0)
    assert first.result() == "a done"
    submit(queue, "c", exclusive_keys=("pair",))
    await settle()
    assert statements.batches == [["a"], ["c"]]


async def test_a_repeat_that_runs_when_its_patience_ends_gets_its_outcome(statements, monkeypatch):
    monkeypatch.setattr(coalescer, "BUSY_PATIENCE_SECONDS", 0.01)
    queue = made(statements, in_flight=2)
    submit(queue, "a", exclusive_keys=("pair",))
    (repeat,) = submit(queue, "b", exclusive_keys=("pair",))
    await settle()
    await statements.finish(0)
    assert statements.batches == [["a"], ["b"]]
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, passed.set)  # timers fire in the order of their times
    await passed.wait()
    assert not repeat.done()
    await statements.finish(1)
    assert repeat.result() == "b done"


async def test_draining_waits_for_everything_accepted(statements):
    queue = made(statements, rows=1)
    futures = submit(queue, "a b", exclusive_keys=("pair",)) + submit(queue, "c", lane="other")
    await settle()
    drained = asyncio.create_task(queue.drain())
    for index in range(3):
        await settle()
        assert not drained.done()
        await statements.finish(index)
    await drained
    assert all(future.done() for future in futures)


async def test_draining_ends_when_nothing_but_cancelled_and_refused_rows_is_left(statements, monkeypatch):
    monkeypatch.setattr(coalescer, "BUSY_PATIENCE_SECONDS", 0.0)
    queue = made(statements)
    await queue.drain()
    _, refused, cancelled = submit(queue, "a b", exclusive_keys=("pair",)) + submit(queue, "c")
    await settle()
    submit(queue, "d")[0].cancel()
    with pytest.raises(StillBusy):
        await refused
    cancelled.cancel()
    drained = asyncio.create_task(queue.drain())
    await statements.finish(0)
    await asyncio.wait_for(drained, 10)
    assert statements.batches == [["a", "c"]]
