"""Where the members of a batch begin and end: as a strict parser sees it, or the body is refused."""

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from align.errors import ApiError
from align.time_entries import batch_body
from align.web import strict_json
from align.web.http import Request

PROPERTY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STRINGS = st.one_of(
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.text(max_size=8).map(json.dumps),
    st.sampled_from(
        ['"]}"', '"\\"],"', '"{\\"entries\\":["', '"\\\\"', '"\\ud800"', '"\\\\ud800"', '"\\ud83d\\ude42"']
    ),
    st.sampled_from(['"\\u0000"', '"\\udfff\\ud800"', '"/* */"', '"\\/"']),
)
SCALARS = st.one_of(
    STRINGS,
    st.integers().map(str),
    st.sampled_from(["0", "-0", "1.50", "1e400", "-1E-2", "true", "false", "null", "12345678901234567890123"]),
)
SPACES = st.sampled_from(["", "", "", " ", "\n", "\t \r\n"])


def joined(opening: str, closing: str) -> Any:
    """Writes items between brackets, with white space anywhere."""

    def write(drawn: tuple[list[tuple[str, str, str]], str]) -> str:
        items, inside = drawn
        return opening + (",".join(before + item + after for before, item, after in items) or inside) + closing

    return write


def arrays(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Arrays of written items."""
    return st.tuples(st.lists(st.tuples(SPACES, items, SPACES), max_size=4), SPACES).map(joined("[", "]"))


def objects(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects of written members, in which names may occur twice."""
    members = st.tuples(names, SPACES, SPACES, values).map(lambda drawn: f"{drawn[0]}{drawn[1]}:{drawn[2]}{drawn[3]}")
    return st.tuples(st.lists(st.tuples(SPACES, members, SPACES), max_size=4), SPACES).map(joined("{", "}"))


VALUES = st.recursive(SCALARS, lambda values: arrays(values) | objects(STRINGS, values), max_leaves=12)
NAMES = st.one_of(
    st.sampled_from(['"entries"', '"entries"', '"\\u0065ntries"', '"Entries"', '"a"', '"a\\"b"']), STRINGS
)
BATCHES = objects(NAMES, arrays(VALUES) | VALUES).flatmap(
    lambda text: st.tuples(SPACES, SPACES).map(lambda around: (around[0] + text + around[1]).encode("utf-8", "replace"))
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A batch with some bytes cut out, put in or changed."""
    text = draw(BATCHES)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 3)))
        alphabet = b'{}[]",:\\ \n\x0c01e-.ntul\xff\xc3\x00\xef\xbb\xbf'
        text = text[:start] + bytes(draw(st.lists(st.sampled_from(alphabet), max_size=3))) + text[stop:]
    return text


def read(text: bytes) -> Any:
    """What is written, as Python's parser sees it, with objects as lists of pairs."""
    return json.loads(
        text.decode("utf-8", "surrogateescape"),
        object_pairs_hook=lambda pairs: ("object", pairs),
        parse_constant=pytest.fail,
    )


def check(text: bytes) -> None:
    """Fail unless the members are those that the text has, or the text is refused for a reason."""
    try:
        strict = strict_json.parse(text)
    except strict_json.Malformed:
        strict = None
    try:
        members, unknown = batch_body.members(text)
    except ApiError as refusal:
        fits = isinstance(strict, dict) and isinstance(strict.get("entries"), list) and strict["entries"]
        if fits or refusal.code != "validation_error":
            raise
        return
    kind, pairs = read(text)
    assert kind == "object"
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names)
    assert unknown == [name for name in names if name != "entries"]
    assert [read(member) for member in members] == dict(zip(names, (value for _, value in pairs), strict=True))[
        "entries"
    ]
    if isinstance(strict, dict):
        assert [strict_json.parse(member) for member in members] == strict["entries"]


@PROPERTY
@given(BATCHES)
@example(b'{"entries":[12],"entries":[1]}')
@example(b'{"entries":[1],"\\u0065ntries":[1]}')
@example(b'{"\\ud83d\\ude42":1,"entries":[1],"\\ud83d\\ude43":1}')
@example(b'{"x":"[1]","entries":[1]}')
@example(b'{"x":[1],"entries":[1],"y":[1]}')
@example(b'{"entries":["\\ud800",1,"\\\\ud800"],"x":"\\ud83d\\ude42"}')
def test_the_members_are_those_that_a_strict_parser_sees_or_the_body_is_refused(text: bytes) -> None:
    check(text)


@PROPERTY
@given(damaged())
@example(b'{"entries":[1]} ]')
@example(b'{"entries":[1],}')
@example(b'{"entries":[1,]}')
@example(b'{"entries":["\xff"]}')
@example(b'{"entries":[1]\x0c}')
@example(b'{"entries":[NaN]}')
def test_damaged_bodies_are_read_rightly_or_refused(text: bytes) -> None:
    check(text)


@PROPERTY
@given(arrays(VALUES), st.lists(st.sampled_from(['"x"', '"y"', '"z"']), unique=True), st.integers(0, 3))
def test_a_body_in_order_is_never_refused(array: str, names: list[str], place: int) -> None:
    pairs = [f'{name}:{{"entries":[1,2]}}' for name in names]
    pairs.insert(place, f'"entries":{array}')
    text = ("{" + ",".join(pairs) + "}").encode("utf-8", "replace")
    count = len(read(array.encode("utf-8", "replace")))
    if count:
        members, unknown = batch_body.members(text)
        assert (len(members), unknown) == (count, [json.loads(name) for name in names])
    else:
        with pytest.raises(ApiError):
            batch_body.members(text)


@pytest.mark.parametrize(
    "beside",
    [
        {},
        {"a": None},
        {"entriez": [1, 2]},
        {"\U0001f642": 1, "\U00107c9d": 2},  # escaped, each is a pair of surrogates
        {"\ue000": 1, "\U0001f642": 2},
        {'"': 1, "\\": 2, "": 3, "a\tb": {"entries": []}},
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("options", [{}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":")}])
def test_members_are_cut_out_as_they_stand(beside: Any, is_first: bool, options: dict[str, Any]) -> None:
    entries = [{"x": "\U0001f642"}, {"y": [1, {"z": '"]}'}]}, 3, "entries", None, []]
    body = {"entries": entries, **beside} if is_first else {**beside, "entries": entries}
    found, unknown = batch_body.members(json.dumps(body, **options).encode())
    assert [json.loads(member) for member in found] == entries
    assert unknown == list(beside)


def test_half_a_surrogate_pair_stays_in_its_member() -> None:
    found, unknown = batch_body.members(b'{"entries": [{"a": "\\ud800"}, {"b": "\\udfff\\uD83D\\uDE42"}]}')
    assert (found, unknown) == ([b'{"a": "\\ud800"}', b'{"b": "\\udfff\\uD83D\\uDE42"}'], [])


@pytest.mark.parametrize(("count", "fits"), [(1, True), (1000, True), (1001, False)])
def test_the_number_of_members_is_limited(count: int, fits: bool) -> None:
    text = b'{"entries":[' + b",".join([b"{}"] * count) + b"]}"
    if fits:
        assert batch_body.members(text) == ([b"{}"] * count, [])
    else:
        with pytest.raises(ApiError):
            batch_body.members(text)


def lines(content: bytes, cuts: list[int]) -> list[bytes]:
    """The lines of a body that arrives in parts."""
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    parts = [content[start:stop] for start, stop in pairwise(edges)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def collect() -> list[bytes]:
        return [line async for found in batch_body.lines(Request({"headers": []}, receive, "")) for line in found]

    return asyncio.run(collect())


@PROPERTY
@given(
    st.lists(st.sampled_from([b"\n", b"\n", b"\r\n", b" ", b"\r", b"x", b"{}", b"\xe2\x80\xa8", b"\x0b", b"y" * 30])),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_lines_are_the_same_however_the_body_is_cut_and_too_long_ones_stay_too_long(
    pieces: list[bytes], cuts: list[int]
) -> None:
    limit = 40
    content = b"".join(pieces)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(batch_body, "MAXIMUM_BODY_BYTES", limit)
        found = lines(content, cuts)
    expected = [line for line in content.split(b"\n") if line.strip()]
    # Blanks after the cut of a line that is too long are not looked at.
    assert len(found) == len(expected)
    for line, whole in zip(found, expected, strict=True):
        assert line == whole or (len(line) > limit and whole.startswith(line[: limit + 1]))
