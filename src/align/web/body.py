"""Decodes a JSON body into a struct and, where it does not fit, says everything that is wrong with it."""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import UUID

import msgspec
from msgspec import inspect

from align.errors import Problem
from align.web import strict_json

T = TypeVar("T")

# The header names what was ignored; a hostile body must not make it endless.
MAXIMUM_IGNORED_FIELDS_LENGTH = 1000


class Unfit(Exception):
    """The body is not what the operation takes."""

    def __init__(self, problems: list[Problem], unknown: list[str] | None = None) -> None:
        super().__init__()
        self.problems = problems
        self.unknown = unknown or []


# What a type can't say of a member's value, given the value and its bytes: (code, message), or None when it is fine.
Check = Callable[[Any, bytes], tuple[str, str] | None]


class Body(Generic[T]):
    """Decodes bodies of one struct type; `checks` are the rules, by member, that its types can't say.

    A check of a member's member, such as `externalRef.provider`, is given no bytes.

    `may_be_absent`: no body at all counts as an object without members.
    """

    def __init__(
        self, type_: type[T], checks: Mapping[str, Check] | None = None, *, may_be_absent: bool = False
    ) -> None:
        self._decoder = msgspec.json.Decoder(type_)
        self._raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._checks = checks or {}
        info = inspect.type_info(type_)
        assert isinstance(info, inspect.StructType)  # noqa: S101 - a programming error, found at import
        self.type = type_
        self._type = info
        self._fields = {field.encode_name: field for field in info.fields}
        self.may_be_absent = may_be_absent
        self.is_required = not may_be_absent or any(field.required for field in info.fields)

    def decode(self, body: bytes) -> tuple[T, list[str]]:
        """The struct, and the names of members that the operation does not know.

        Raises Unfit with every problem found.
        """
        try:
            value = strict_json.parse(body)
        except strict_json.Malformed as error:
            raise Unfit(error.problems) from None
        if not isinstance(value, dict):
            raise Unfit([Problem("", "wrong_type", f"must be an object, not {_kind(value)}")])
        problems, unknown = struct_problems("", self._type, value)
        raw = self._raw_decoder.decode(body)
        broken = {problem.path for problem in problems}
        for name, check in self._checks.items():
            given = _at(value, name)
            if given is not None and not any(name == path or name.startswith(f"{path}.") for path in broken):
                found = check(given, bytes(raw.get(name, b"")))
                problems += [Problem(name, *found)] if found else []
        if problems:
            order = list(self._fields)
            raise Unfit(sorted(problems, key=lambda problem: order.index(_first(problem.path))), unknown)
        return self._decoder.decode(body), unknown


def _at(value: Any, path: str) -> Any:
    """What stands at a path such as `externalRef.provider`, or None."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _first(path: str) -> str:
    """The member of the body that `path` begins with."""
    return path.split(".")[0].split("[")[0]


def unknown_problems(names: list[str]) -> list[Problem]:
    """What a strict organisation is told of unknown members."""
    return [Problem(name, "unknown_field", "is not a member of this request") for name in names]


def ignored_fields(names: list[str]) -> str:
    """The value of the header `Ignored-Fields`: the names, percent-encoded where they are not plain."""
    text = ", ".join(quote(name, safe="") for name in names)
    return text if len(text) <= MAXIMUM_IGNORED_FIELDS_LENGTH else text[:MAXIMUM_IGNORED_FIELDS_LENGTH] + "..."


def struct_problems(
    prefix: str, expected: inspect.StructType, given: Mapping[str, object]
) -> tuple[list[Problem], list[str]]:
    """What is wrong with the members of an object, and the names of those it should not have."""
    problems: list[Problem] = []
    fields = {field.encode_name: field for field in expected.fields}
    unknown = [prefix + name for name in given if name not in fields]
    for name, field in fields.items():
        if name in given:
            more, strangers = value_problems(prefix + name, field.type, given[name])
            problems += more
            unknown += strangers
        elif field.required:
            problems.append(Problem(prefix + name, "required", f"is required; {_expectation(field.type)}"))
    return problems, unknown


def value_problems(path: str, field_type: inspect.Type, given: object) -> tuple[list[Problem], list[str]]:
    """What is wrong with one value, and the names of unknown members inside it."""
    if given is None and _takes_null(field_type):
        return [], []
    expected = known_type(field_type)
    if not isinstance(given, _PYTHON_TYPES[type(expected)]) or (
        isinstance(given, bool) and not isinstance(expected, inspect.BoolType)
    ):
        return [Problem(path, "wrong_type", f"{_expectation(expected)}, not {_kind(given)}")], []
    if code := _broken_rule(given, expected):
        return [Problem(path, code, _expectation(expected))], []
    problems: list[Problem] = []
    unknown: list[str] = []
    if isinstance(expected, inspect.StructType):
        assert isinstance(given, dict)  # noqa: S101 - looked at above
        return struct_problems(f"{path}.", expected, given)
    if isinstance(expected, inspect.ListType):
        assert isinstance(given, list)  # noqa: S101 - looked at above
        for index, item in enumerate(given):
            more, strangers = value_problems(f"{path}[{index}]", expected.item_type, item)
            problems += more
            unknown += strangers
    return problems, unknown


def _broken_rule(given: object, expected: inspect.Type) -> str | None:
    match expected:
        case inspect.UUIDType():
            return None if _fits(given, UUID) else "invalid_uuid"
        case inspect.DateType():
            return None if _DATE.fullmatch(str(given)) and _fits(given, datetime.date) else "invalid_date"
        case inspect.DateTimeType():
            return None if _DATE_TIME.fullmatch(str(given)) and _is_moment(given) else "invalid_date"
        case inspect.LiteralType():
            return None if given in expected.values else "unknown_value"
        case inspect.IntType():
            assert isinstance(given, int)  # noqa: S101 - the caller looked
            in_range = (expected.ge is None or given >= expected.ge) and (expected.le is None or given <= expected.le)
            return None if in_range else "out_of_range"
        case inspect.StrType() | inspect.ListType():
            assert isinstance(given, str | list)  # noqa: S101 - the caller looked
            if len(given) < (expected.min_length or 0):
                return "too_short"
            return "too_long" if expected.max_length is not None and len(given) > expected.max_length else None
    return None


def _fits(given: object, kind: type) -> bool:
    try:
        msgspec.convert(given, kind)
    except msgspec.ValidationError:
        return False
    return True


def _is_moment(given: object) -> bool:
    """Whether it is a time that also exists in UTC, in which the database keeps it."""
    try:
        msgspec.convert(given, datetime.datetime).astimezone(datetime.UTC)
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ].*([Zz]|[+-]\d{2}:?\d{2})")

_PYTHON_TYPES: dict[type[inspect.Type], type | tuple[type, ...]] = {
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.UUIDType: str,
    inspect.DateType: str,
    inspect.DateTimeType: str,
    inspect.BoolType: bool,
    inspect.RawType: dict,
    inspect.LiteralType: str,
    inspect.ListType: list,
    inspect.StructType: dict,
    inspect.DecimalType: (int, strict_json.Number, str),
}


def _types(field_type: inspect.Type) -> list[inspect.Type]:
    if isinstance(field_type, inspect.Metadata):
        return _types(field_type.type)
    if isinstance(field_type, inspect.UnionType):
        return [kind for member in field_type.types for kind in _types(member)]
    return [field_type]


def known_type(field_type: inspect.Type) -> inspect.Type:
    """The type that decides, without what is said about it and without null."""
    return next(kind for kind in _types(field_type) if type(kind) in _PYTHON_TYPES)


def _takes_null(field_type: inspect.Type) -> bool:
    return any(isinstance(kind, inspect.NoneType) for kind in _types(field_type))


def _expectation(field_type: inspect.Type) -> str:
    match known_type(field_type):
        case inspect.IntType() as expected:
            return f"must be an integer from {expected.ge} to {expected.le}"
        case inspect.StrType() as expected if expected.max_length is None:
            return "must be a string"
        case inspect.StrType() as expected:
            return f"must be a string of {expected.min_length or 0} to {expected.max_length} characters"
        case inspect.ListType() as expected if expected.max_length is None:
            return "must be an array"
        case inspect.ListType() as expected:
            return f"must be an array of {expected.min_length or 0} to {expected.max_length} members"
        case inspect.LiteralType() as expected:
            return f"must be one of: {', '.join(map(str, expected.values))}"
        case expected:
            return _EXPECTATIONS[type(expected)]


_EXPECTATIONS: dict[type[inspect.Type], str] = {
    inspect.UUIDType: "must be a UUID, such as 7b1e2c3d-0000-0000-0000-000000000001",
    inspect.DateType: "must be a date that exists, written YYYY-MM-DD",
    inspect.DateTimeType: "must be a date and time with offset, such as 2025-01-15T10:30:00Z",
    inspect.BoolType: "must be true or false",
    inspect.DecimalType: "must be a decimal number, such as 2.5",
    inspect.StructType: "must be an object",
    inspect.RawType: "must be an object",
}


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", int: "an integer", dict: "an object", list: "an array"}
    return kinds.get(type(value), "a number with a fraction or exponent")
