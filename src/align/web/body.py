"""Decodes a JSON body into a struct and, where it does not fit, says everything that is wrong with it."""

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
    """Decodes bodies of one struct type; `checks` are the rules, by member, that its types can't say."""

    def __init__(self, type_: type[T], checks: Mapping[str, Check] | None = None) -> None:
        self._decoder = msgspec.json.Decoder(type_)
        self._raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._checks = checks or {}
        info = inspect.type_info(type_)
        assert isinstance(info, inspect.StructType)  # noqa: S101 - a programming error, found at import
        self._fields = {field.encode_name: field for field in info.fields}

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
        unknown = [name for name in value if name not in self._fields]
        if problems := self._problems(value, self._raw_decoder.decode(body)):
            raise Unfit(problems, unknown)
        return self._decoder.decode(body), unknown

    def _problems(self, value: dict[str, object], raw: dict[str, msgspec.Raw]) -> list[Problem]:
        found = []
        for name, field in self._fields.items():
            problem = _field_problem(name, field, value)
            if problem is None and name in value and name in self._checks:
                broken = self._checks[name](value[name], bytes(raw[name]))
                problem = Problem(name, *broken) if broken else None
            if problem:
                found.append(problem)
        return found


def unknown_problems(names: list[str]) -> list[Problem]:
    """What a strict organisation is told of unknown members."""
    return [Problem(name, "unknown_field", "is not a member of this request") for name in names]


def ignored_fields(names: list[str]) -> str:
    """The value of the header `Ignored-Fields`: the names, percent-encoded where they are not plain."""
    text = ", ".join(quote(name, safe="") for name in names)
    return text if len(text) <= MAXIMUM_IGNORED_FIELDS_LENGTH else text[:MAXIMUM_IGNORED_FIELDS_LENGTH] + "..."


def _field_problem(name: str, field: inspect.Field, value: dict[str, object]) -> Problem | None:
    if name not in value:
        return Problem(name, "required", f"is required; {_expectation(field.type)}") if field.required else None
    given, expected = value[name], _known_type(field.type)
    if not isinstance(given, _PYTHON_TYPES[type(expected)]) or (
        isinstance(given, bool) and not isinstance(expected, inspect.BoolType)
    ):
        return Problem(name, "wrong_type", f"{_expectation(expected)}, not {_kind(given)}")
    code = _broken_rule(given, expected)
    return Problem(name, code, _expectation(expected)) if code else None


def _broken_rule(given: object, expected: inspect.Type) -> str | None:
    if isinstance(expected, inspect.UUIDType):
        return None if _is_uuid(given) else "invalid_uuid"
    if isinstance(expected, inspect.IntType):
        assert isinstance(given, int)  # noqa: S101 - the caller looked
        in_range = (expected.ge is None or given >= expected.ge) and (expected.le is None or given <= expected.le)
        return None if in_range else "out_of_range"
    if isinstance(expected, inspect.StrType):
        assert isinstance(given, str)  # noqa: S101 - the caller looked
        if len(given) < (expected.min_length or 0):
            return "too_short"
        return "too_long" if expected.max_length is not None and len(given) > expected.max_length else None
    return None


def _is_uuid(given: object) -> bool:
    try:
        msgspec.convert(given, UUID)
    except msgspec.ValidationError:
        return False
    return True


_PYTHON_TYPES: dict[type[inspect.Type], type | tuple[type, ...]] = {
    inspect.IntType: int,
    inspect.StrType: str,
    inspect.UUIDType: str,
    inspect.BoolType: bool,
    inspect.RawType: dict,
}


def _known_type(field_type: inspect.Type) -> inspect.Type:
    if isinstance(field_type, inspect.Metadata):
        return _known_type(field_type.type)
    if isinstance(field_type, inspect.UnionType):
        return next(_known_type(member) for member in field_type.types if type(member) in _PYTHON_TYPES)
    return field_type


def _expectation(field_type: inspect.Type) -> str:
    expected = _known_type(field_type)
    if isinstance(expected, inspect.IntType):
        return f"must be an integer from {expected.ge} to {expected.le}"
    if isinstance(expected, inspect.StrType):
        if expected.max_length is None:
            return "must be a string"
        return f"must be a string of {expected.min_length or 0} to {expected.max_length} characters"
    if isinstance(expected, inspect.UUIDType):
        return "must be a UUID, such as 7b1e2c3d-0000-0000-0000-000000000001"
    return "must be true or false" if isinstance(expected, inspect.BoolType) else "must be an object"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a string", int: "an integer", dict: "an object", list: "an array"}
    return kinds.get(type(value), "a number with a fraction or exponent")
