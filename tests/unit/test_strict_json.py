"""The strict parser: agrees with Python's on what both take, and takes nothing that could be read in two ways."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from align.web import strict_json
from align.web.strict_json import Malformed, Number

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | TEXT | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
# Pieces that occur in JSON and in what only looks like it.
PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', '"a"', '"b"', "\\", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\n", "0", "1",
     "-", "-0", ".5", "e9", "E+1001", "1e400", "01", "null", "true", "NaN", "Infinity", " ", "\n", "\x00", "é"]
)  # fmt: skip
# A loaded machine is no failure.
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def problems_or_value(body: bytes) -> tuple[list, object]:
    """The problems of `body`, or none and its value."""
    try:
        return [], strict_json.parse(body)
    except Malformed as error:
        return error.problems or ["malformed without a problem"], None


def outcome(text: str) -> object:
    """What Python's parser makes of `text`, as far as its own leniency allows a comparison."""

    class TwiceError(Exception):
        pass

    def members(pairs):
        if len(dict(pairs)) < len(pairs):
            raise TwiceError
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=members, parse_float=Number)
    except (ValueError, RecursionError, TwiceError):
        return Malformed


@given(value=VALUES, indent=st.sampled_from([None, 0, 1]), ascii_only=st.booleans())
@settings(PROPERTY, max_examples=150)
def test_every_value_is_read_as_pythons_parser_reads_it(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert strict_json.parse(text.encode()) == json.loads(text, parse_float=Number)


@given(pieces=st.lists(PIECES, max_size=14), wrap=st.booleans())
@settings(PROPERTY, max_examples=400)
def test_what_it_takes_is_what_pythons_parser_takes_and_reads_the_same(pieces, wrap):
    text = "".join(pieces)
    if wrap:
        text = f'{{"x": {text}}}'
    problems, value = problems_or_value(text.encode())
    if problems:
        assert all(problem.code and problem.message for problem in problems)
    else:
        assert value == outcome(text)
        assert "\\u0000" not in json.dumps(value, default=lambda number: number.text).replace("\\\\", "")


@given(body=st.binary(max_size=40))
@settings(PROPERTY, max_examples=200)
def test_arbitrary_bytes_are_a_value_or_malformed_and_nothing_else(body):
    problems, value = problems_or_value(body)
    if problems:
        assert all(problem.code and problem.message for problem in problems)
    else:
        assert value == outcome(body.decode())


@pytest.mark.parametrize("text", ["1.50", "1e2", "-0.0", "1E+2", "0e0", "1e1000", "1e-1000", "0." + "1" * 98])
def test_numbers_with_fraction_or_exponent_stay_text(text):
    assert strict_json.parse(f'{{"x": {text}}}'.encode()) == {"x": Number(text)}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1" * 101, "number_out_of_range"),
        ("-" + "1" * 100, "number_out_of_range"),
        ("0." + "1" * 99, "number_out_of_range"),
        ("1e1001", "number_out_of_range"),
        ("1e-1001", "number_out_of_range"),
        ("1e" + "9" * 90, "number_out_of_range"),
    ],
)
def test_numbers_beyond_the_limits_are_refused(text, code):
    with pytest.raises(Malformed) as raised:
        strict_json.parse(f"[{text}]".encode())
    assert [problem.code for problem in raised.value.problems] == [code]


@pytest.mark.parametrize("text", ["1" * 100, "-" + "1" * 99, "18446744073709551616"])
def test_integers_within_the_limits_are_exact(text):
    assert strict_json.parse(text.encode()) == int(text)


@pytest.mark.parametrize(("depth", "is_taken"), [(31, True), (32, True), (33, False), (100_000, False)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_limited_to_32_levels(depth, is_taken, opening, closing):
    text = opening * depth + "null" * (opening != "[") + closing * depth
    if is_taken:
        assert strict_json.parse(text.encode()) is not None
    else:
        with pytest.raises(Malformed, match="nested deeper than 32 levels"):
            strict_json.parse(text.encode())


@pytest.mark.parametrize(
    "text", ['"[[[["', '"\\"[[[["', '"\\\\"', '["\\\\", "["]', '{"[": "]"}', '"' + "[" * 100 + '\\""']
)
def test_brackets_in_strings_do_not_nest(text):
    assert strict_json.parse(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"a": {"b": ["x", "\\u0000"]}}', "a.b[1]"),
        ('{"a": [{"\\u0000": 1}]}', "a[0]"),
        ('["\\u0000"]', "[0]"),
        ('"\\u0000"', ""),
    ],
)
def test_a_problem_says_where_it_is(text, path):
    with pytest.raises(Malformed) as raised:
        strict_json.parse(text.encode())
    assert [(problem.path, problem.code) for problem in raised.value.problems] == [(path, "nul_character")]


@pytest.mark.parametrize("filling", ['\\"', "\\\\", "[", "{", "a", "\n", "\\u0022"])
def test_a_string_without_an_end_is_looked_at_once(filling):
    """It once was tried again at every quote in it, each time to the end: 64 KiB of them took twenty seconds."""
    text = '{"' + filling * 100
    assert [match.span() for match in strict_json._STRING.finditer(text)] == [(1, len(text))]
    with pytest.raises(Malformed, match="not valid JSON"):
        strict_json.parse(text.encode())
