"""JSON as RFC 8259 and I-JSON (RFC 7493) have it: what two parsers could read differently is refused.

Python's parser would take the last of two equal keys, `NaN`, lone surrogates and UTF-16; PostgreSQL refuses NUL.
"""

import json
import re
from collections import Counter
from typing import NoReturn

import msgspec

from align.errors import Problem

MAXIMUM_DEPTH = 32
# Long enough for any id or amount; a thousand digits are an attack on the reader, not a number.
MAXIMUM_NUMBER_LENGTH = 100
# Far beyond a double; PostgreSQL's numeric ends at 131,072 digits.
MAXIMUM_EXPONENT = 1000

# Its end may be missing: a string that is never closed must match once, not be tried again at each quote inside it.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_EXPONENT = re.compile(r"[eE]([+-]?\d+)$")
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class Malformed(Exception):
    """The text is not JSON that we take; `problems` says where and why."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(message)
        self.problems = [Problem(path, code, message)]


class Number(msgspec.Struct, frozen=True):
    """A number with fraction or exponent, as its text: never a float, so never rounded."""

    text: str


def parse(body: bytes) -> object:
    """The value that `body` (UTF-8) writes: dict, list, str, int, Number, bool or None.

    Raises Malformed for anything that is not strict JSON or exceeds the limits above.
    """
    text = _decode(body)
    _check_depth(text)
    try:
        value: object = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(
            "invalid_json", f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    if _SUSPICIOUS_ESCAPE.search(text):
        check_text(value)
    return value


def _decode(body: bytes) -> str:
    if not body.strip():
        raise Malformed("invalid_json", "the body is empty; a JSON object is expected")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("invalid_encoding", f"not valid UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise Malformed("invalid_encoding", "starts with a byte order mark; send UTF-8 without one")
    return text


def _check_depth(text: str) -> None:
    # Counting brackets outside strings before parsing keeps the parser from recursing into a hostile body.
    # A bracket too many is found here, too few by the parser.
    depth = 0
    for character in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        if character in "[{":
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise Malformed("too_deep", f"nested deeper than {MAXIMUM_DEPTH} levels")
        else:
            depth -= 1


def check_text(value: object, path: str = "") -> None:
    """Refuse NUL and lone surrogates anywhere inside `value`, keys included."""
    if isinstance(value, str):
        if problem := text_problem(value):
            raise Malformed(*problem, path)
    elif isinstance(value, dict):
        for key, member in value.items():
            check_text(key, path)
            check_text(member, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_text(item, f"{path}[{index}]")


def text_problem(value: str) -> tuple[str, str] | None:
    """(code, message) when `value` can't be stored as text: it holds NUL or a lone surrogate."""
    if "\x00" in value:
        return "nul_character", "holds the character U+0000, which text can't store"
    if not value.isascii() and re.search("[\ud800-\udfff]", value):
        return "lone_surrogate", "holds half of a surrogate pair (U+D800 to U+DFFF)"
    return None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        name = next(key for key, count in counts.items() if count > 1)
        raise Malformed("duplicate_member", "occurs twice in one object", _printable(name))
    return members


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode("utf-8")


def _constant(name: str) -> NoReturn:
    raise Malformed("invalid_json", f"{name} is not JSON")


def _integer(text: str) -> int:
    _check_number(text)
    return int(text)


def _decimal(text: str) -> Number:
    _check_number(text)
    exponent = _EXPONENT.search(text)
    if exponent and abs(int(exponent[1])) > MAXIMUM_EXPONENT:
        raise Malformed("number_out_of_range", f"a number's exponent is beyond {MAXIMUM_EXPONENT}")
    return Number(text)


def _check_number(text: str) -> None:
    if len(text) > MAXIMUM_NUMBER_LENGTH:
        raise Malformed("number_out_of_range", f"a number is longer than {MAXIMUM_NUMBER_LENGTH} characters")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_constant=_constant, parse_int=_integer, parse_float=_decimal
)
