"""Hours and minutes: exact, whatever way they are written."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from align.time_entries import duration
from align.web.strict_json import Number


@given(st.integers(1, 1440))
def test_every_number_of_minutes_that_hours_can_write_comes_back(minutes):
    hours = Fraction(minutes, 60)
    if minutes % 3:  # hours have no finite decimal form
        text = str(Decimal(minutes) / 60)
        assert duration.minutes_of(text[:20]) is None
    else:
        text = str(Decimal(hours.numerator) / hours.denominator)
        assert duration.minutes_of(text) == minutes
        assert duration.minutes_of(Number(f"{text}e0")) == minutes
        assert duration.hours_problem(text) is None


@pytest.mark.parametrize(
    ("hours", "minutes"),
    [
        (2, 120),
        ("2.5", 150),
        (Number("2.50"), 150),
        (Number("25e-1"), 150),
        (Number("2.4e1"), 1440),
        ("24", 1440),
        ("0.05", 3),
        ("1.1", 66),  # 1.1 * 60 is 66.00000000000001 in floats
        ("0.35", 21),
        ("2.500", 150),
    ],
)
def test_hours_give_exact_minutes(hours, minutes):
    assert duration.hours_problem(hours) is None
    assert duration.minutes_problem(hours) is None
    assert duration.minutes_of(hours) == minutes


@pytest.mark.parametrize("hours", ["0.01", Number("1.6667"), Number("0.3333333333333333"), "23.999", Number("1e-1000")])
def test_hours_between_two_minutes_are_none(hours):
    assert duration.minutes_of(hours) is None
    assert duration.minutes_problem(hours)[0] == "not_whole_minutes"


@pytest.mark.parametrize("hours", [0, -1, 25, 10**90, "0", "24.01", Number("-0.5"), Number("1e1000"), Number("0.0")])
def test_hours_of_no_day_are_out_of_range(hours):
    assert duration.hours_problem(hours)[0] == "out_of_range"


@pytest.mark.parametrize(
    "hours", ["", "2,5", "NaN", "Infinity", "-1", "+1", " 2", "2 ", "1e1", "0x2", "٢", "2.", ".5", "02"]
)
def test_texts_that_are_no_decimal_numbers_are_refused(hours):
    assert duration.hours_problem(hours)[0] == "invalid_decimal"


@given(st.from_regex(re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?"), fullmatch=True))
def test_the_documented_pattern_is_what_is_taken(text):
    is_taken = duration.hours_problem(text) is None
    assert is_taken == bool(re.fullmatch(duration.HOURS_PATTERN, text))


@given(st.integers(0, 10**12))
def test_sums_are_written_to_the_nearest_hundredth(minutes):
    written = duration.hours_of(minutes)
    assert len(written.rpartition(".")[2]) == 2
    difference = Fraction(written) - Fraction(minutes, 60)
    assert -Fraction(1, 200) < difference <= Fraction(1, 200)
