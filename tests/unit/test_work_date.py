"""The pattern of workDate alone decides: it knows every day of 1970 to 2200 and no other."""

import datetime
import re

import pytest

from align.time_entries.model import WORK_DATE_PATTERN, work_date


def test_every_day_of_1970_to_2200_and_no_other_is_a_date():
    taken = []
    for year in range(1968, 2203):
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                if (found := work_date(text)) is not None:
                    assert found.isoformat() == text
                    taken.append(found)
    first, last = datetime.date(1970, 1, 1), datetime.date(2200, 12, 31)
    assert taken == [first + datetime.timedelta(days) for days in range((last - first).days + 1)]


@pytest.mark.parametrize("digits", ["٢٠٢٥-٠١-١٥", "２０２５-０１-１５", "²025-01-15"])
def test_only_ascii_digits_are_digits(digits):
    assert work_date(digits) is None


@pytest.mark.parametrize("suffix", ["\n", " ", "\x00", "T10:00\n", "T10:00Z\n"])
def test_nothing_may_follow(suffix):
    assert work_date(f"2025-01-15{suffix}") is None


def test_every_time_of_a_day_and_no_other_is_a_time():
    for hour in range(26):
        for minute in (0, 9, 10, 59, 60, 61, 99):
            is_time = hour < 24 and minute < 60
            assert (work_date(f"2025-01-15T{hour:02}:{minute:02}") is not None) == is_time
            assert (work_date(f"2025-01-15T10:{minute:02}:{hour:02}Z") is not None) == (minute < 60)


def test_offsets_reach_as_far_as_any_place_on_earth():
    for sign in "+-":
        for hour in range(25):
            for separator in (":", ""):
                found = work_date(f"2025-01-15T10:00:00{sign}{hour:02}{separator}00")
                assert (found is not None) == (hour <= 14)


def test_the_pattern_is_written_for_readers_of_other_languages():
    """No construct that means another thing elsewhere: \\d is Unicode in some, (?:...) and flags differ."""
    assert not re.search(r"\\d|\\w|\\s|\(\?", WORK_DATE_PATTERN)
