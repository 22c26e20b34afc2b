"""Hours and minutes: read from what a caller sends, exactly, and written for sums; never through a float."""

import re
from decimal import Context, Decimal

from align.web.strict_json import Number

MAXIMUM_MINUTES = 1440
MAXIMUM_HOURS = 24
# For the documentation: what `hours_problem` lets pass of strings.
HOURS_PATTERN = r"^(?!0(\.0*)?$)((1?[0-9]|2[0-3])(\.[0-9]{1,30})?|24(\.0{1,30})?)$"

# A decimal number of hours, as strict JSON has it: an integer, a number with fraction or exponent, or a string.
Hours = int | Number | str

_HOURS = re.compile(r"(0|[1-9][0-9]{0,3})(\.[0-9]{1,30})?")
# More digits than any number that strict JSON lets pass, so that nothing is rounded.
_EXACT = Context(prec=300)


def hours_problem(value: Hours, _raw: bytes = b"") -> tuple[str, str] | None:
    """(code, message) when `value` is no decimal number, or not one of a day's hours."""
    if isinstance(value, str) and not _HOURS.fullmatch(value):
        return "invalid_decimal", 'must be a decimal number, such as 2.5 or "2.5"'
    return None if 0 < _exact(value) <= MAXIMUM_HOURS else ("out_of_range", "must be more than 0 and at most 24")


def minutes_problem(hours: Hours) -> tuple[str, str] | None:
    """(code, message) when hours that are in order give no whole minutes."""
    if minutes_of(hours) is None:
        return "not_whole_minutes", "must give whole minutes, as 2.5 (150) or 0.05 (3) do; or send minutes"
    return None


def minutes_of(hours: Hours) -> int | None:
    """The minutes of hours that are in order, or None when they are not whole."""
    minutes = _EXACT.multiply(_exact(hours), Decimal(60))
    return int(minutes) if minutes == int(minutes) else None


def hours_of(minutes: int) -> str:
    """Minutes as hours with two decimals, half up: 100 -> "1.67"."""
    hundredths = (minutes * 10 + 3) // 6
    return f"{hundredths // 100}.{hundredths % 100:02}"


def _exact(hours: Hours) -> Decimal:
    return Decimal(hours.text if isinstance(hours, Number) else hours)
