"""Which rows go down together, when, and how many."""

import pytest

from align.time_entries.coalescer import Overloaded
from tests.unit.coalescer.conftest import made, settle, submit


async def test_one_row_goes_at_once_and_alone(statements):
    queue = made(statements)
    (future,) = submit(queue, "a")
    await settle()
    assert statements.batches == [["a"]]
    assert not future.done()
    await statements.finish(0)
    assert future.result() == "a done"


async def test_rows_of_one_turn_of_the_loop_go_down_together(statements):
    queue = made(statements)
    submit(queue, "a b c")
    await settle()
    assert statements.batches == [["a", "b", "c"]]


async def test_rows_that_arrive_during_a_statement_go_down_together_with_the_next(statements):
    queue = made(statements)
    submit(queue, "a")
    await settle()
    futures = submit(queue, "b")
    await settle()
    futures += submit(queue, "c d")
    await settle()
    assert statements.batches == [["a"]]
    await statements.finish(0)
    assert statements.batches == [["a"], ["b", "c", "d"]]
    await statements.finish(1)
    assert [future.result() for future in futures] == ["b done", "c done", "d done"]


async def test_no_more_statements_are_in_flight_than_allowed(statements):
    queue = made(statements, in_flight=2)
    for name in "abcdef":
        submit(queue, name)
        await settle()
    assert statements.batches == [["a"], ["b"]]
    await statements.finish(1)
    assert statements.batches == [["a"], ["b"], ["c", "d", "e", "f"]]


async def test_a_statement_holds_no_more_rows_than_allowed(statements):
    queue = made(statements, rows=3)
    submit(queue, "a b c d e f g")
    await settle()
    for index in range(3):
        await statements.finish(index)
    assert statements.batches == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


async def test_a_full_queue_refuses_before_it_accepts_anything(statements):
    queue = made(statements, waiting=3)
    futures = submit(queue, "a")
    await settle()
    futures += submit(queue, "b c")
    with pytest.raises(Overloaded):
        submit(queue, "d")
    await statements.finish(0)
    futures += submit(queue, "e")
    await statements.finish(1)
    await statements.finish(2)
    assert statements.batches == [["a"], ["b", "c"], ["e"]]
    assert [future.result() for future in futures] == ["a done", "b done", "c done", "e done"]


async def test_rows_that_step_aside_count_as_waiting(statements):
    queue = made(statements, in_flight=2, waiting=3)
    futures = submit(queue, "a b c", exclusive_keys=("pair",))
    await settle()
    with pytest.raises(Overloaded):
        submit(queue, "d")
    for index in range(3):
        await statements.finish(index)
    assert all(future.done() for future in futures)
    submit(queue, "e f g")


async def test_a_flood_of_one_organisation_does_not_hold_up_another(statements):
    queue = made(statements, rows=4)
    submit(queue, " ".join(f"a{number}" for number in range(40)), lane="flood")
    await settle()
    submit(queue, "b", lane="other")
    await statements.finish(0)
    assert statements.batches[0] == ["a0", "a1", "a2", "a3"]
    assert "b" in statements.batches[1]


async def test_lanes_share_a_statement_evenly(statements):
    queue = made(statements, rows=6)
    submit(queue, "x")
    await settle()
    submit(queue, "a0 a1 a2 a3 a4 a5", lane="a")
    submit(queue, "b0 b1 b2 b3", lane="b")
    submit(queue, "c0", lane="c")
    await statements.finish(0)
    await statements.finish(1)
    assert statements.batches[1:] == [["a0", "b0", "c0", "a1", "b1", "a2"], ["b2", "a3", "b3", "a4", "a5"]]


async def test_rows_that_share_a_key_are_never_in_flight_together_and_keep_their_order(statements):
    queue = made(statements, in_flight=2)
    futures = submit(queue, "a b c", exclusive_keys=("pair",)) + submit(queue, "z")
    await settle()
    assert statements.batches == [["a", "z"]]
    futures += submit(queue, "d", exclusive_keys=("pair",)) + submit(queue, "y")
    await settle()
    assert statements.batches[1:] == [["y"]]
    await statements.finish(0)
    await statements.finish(2)
    await statements.finish(3)
    await statements.finish(4)
    assert statements.batches[2:] == [["b"], ["c"], ["d"]]
    await statements.finish(1)
    assert all(future.done() for future in futures)


async def test_a_row_waits_for_each_of_its_keys(statements):
    queue = made(statements, in_flight=3)
    submit(queue, "a", exclusive_keys=("pair a", "idempotency a"))
    await settle()
    submit(queue, "b", exclusive_keys=("pair b", "idempotency b"))
    await settle()
    (future,) = submit(queue, "c", exclusive_keys=("pair a", "idempotency b"))
    await settle()
    await statements.finish(0)
    assert statements.batches == [["a"], ["b"]]
    await statements.finish(1)
    assert statements.batches[2:] == [["c"]]
    await statements.finish(2)
    assert future.result() == "c done"
