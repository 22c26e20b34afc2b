"""CSV as a second form: who prefers it, cells that are no formulas, and an end when nobody listens."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.time_entries import csv_form
from align.web.http import Request


@pytest.mark.parametrize(
    ("accept", "prefers"),
    [
        ("text/csv", True),
        ("text/csv;q=0.001", True),
        ("text/*;q=0.2, application/json;q=0.1", True),
        ("text/*, text/csv;q=0", False),
        ("application/*, text/csv", True),
        ("application/json;q=0.5, text/csv;q=0.6", True),
        ("application/json;q=0.6, text/csv;q=0.5", False),
        ("application/json, text/csv", False),
        ("*/*", False),
        ("text/csv;q=2", True),
        ("text/csvx", False),
    ],
)
def test_csv_is_preferred_where_it_ranks_above_json(accept, prefers):
    assert csv_form.prefers_csv(accept) is prefers


@given(st.lists(st.sampled_from(["text/csv", "application/json", "*/*", "text/*", ";q=0.5", ";q=", ",", ";", " "])))
def test_no_accept_header_is_too_odd(parts):
    assert csv_form.prefers_csv("".join(parts)) in (True, False)


@given(st.text())
def test_a_text_is_no_formula_and_comes_back(text):
    cell = csv_form.text(text)
    assert (cell[0], cell[-1]) == ('"', '"')
    inner = cell[1:-1].replace('""', '"')
    assert inner[:1] not in tuple("=+-@\t\r\n")
    assert inner.removeprefix("'") == text


def test_no_text_is_an_empty_cell():
    assert csv_form.text(None) == ""


async def test_nothing_more_is_made_once_the_client_is_gone():
    made = []
    gone = asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def parts():
        for number in range(100):
            made.append(number)
            yield b"%d" % number

    request = Request({"headers": []}, receive, "/")
    answer = await csv_form.answer(request, "list", parts())
    assert [await anext(answer.chunks) for _ in range(3)] == [b"0", b"1", b"2"]
    gone.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [part async for part in answer.chunks] == []
    assert made == [0, 1, 2, 3]


async def test_a_failure_before_the_first_part_is_raised_before_anything_is_sent():
    async def parts():
        raise OSError
        yield b""

    with pytest.raises(OSError):
        await csv_form.answer(Request({"headers": []}, None, "/"), "list", parts())
