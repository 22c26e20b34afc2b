"""Reads the parameters of a query into a struct and, where they do not fit, says everything that is wrong with them."""

import re
from collections import defaultdict
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, inspect

from align.errors import Problem, invalid
from align.web import body as bodies
from align.web.http import Request
from align.web.operation import Parameter

T = TypeVar("T")

MAXIMUM_PAGE_SIZE = 100
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_BOOLEANS = {"true": True, "false": False}


class Page(msgspec.Struct, rename="camel", kw_only=True):
    """The parameters that every list takes (contract, section 2)."""

    page: Annotated[int, Meta(ge=1, le=10_000_000, description="Page, from 1.")] = 1
    page_size: Annotated[int, Meta(ge=1, le=MAXIMUM_PAGE_SIZE, description="Members of a page.")] = 25

    @property
    def offset(self) -> int:
        """Members before this page."""
        return (self.page - 1) * self.page_size


class Query(Generic[T]):
    """Reads queries into one struct type; a list is a repeated parameter: `status=a&status=b` or `status[]=a`."""

    def __init__(self, type_: type[T]) -> None:
        info = inspect.type_info(type_)
        assert isinstance(info, inspect.StructType)  # noqa: S101 - a programming error, found at import
        self._type = type_
        self._info = info
        self._fields = {field.encode_name: field for field in info.fields}

    def read(self, request: Request) -> T:
        """The struct. Raises ApiError 400 with every problem found."""
        values: dict[str, list[str]] = defaultdict(list)
        for name, text in request.query_pairs():
            plain = name.removesuffix("[]")
            values[plain if plain in self._fields and self._is_list(plain) else name].append(text)
        problems = [
            Problem(name, "duplicate_parameter", "occurs twice")
            for name, texts in values.items()
            if name in self._fields and not self._is_list(name) and len(texts) > 1
        ]
        given: dict[str, Any] = {
            name: [_plain(_item(self._fields[name].type), text) for text in texts]
            if name in self._fields and self._is_list(name)
            else _plain(self._fields[name].type if name in self._fields else None, texts[0])
            for name, texts in values.items()
        }
        more, unknown = bodies.struct_problems("", self._info, given)
        known = ", ".join(sorted(self._fields)) or "none"
        problems += more + [Problem(name, "unknown_parameter", f"is unknown; known: {known}") for name in unknown]
        if problems:
            raise invalid(problems)
        return msgspec.convert(given, self._type)

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters for the OpenAPI document."""
        _, components = msgspec.json.schema_components([self._type])
        schema = components[self._type.__name__]
        return tuple(
            Parameter(
                name,
                "query",
                str(described.get("description", "")),
                {key: value for key, value in described.items() if key != "description"},
                required=name in schema.get("required", ()),
            )
            for name, described in schema["properties"].items()
        )

    def _is_list(self, name: str) -> bool:
        return isinstance(bodies.known_type(self._fields[name].type), inspect.ListType)


def _item(field_type: inspect.Type) -> inspect.Type:
    expected = bodies.known_type(field_type)
    assert isinstance(expected, inspect.ListType)  # noqa: S101 - the caller looked
    return expected.item_type


def _plain(field_type: inspect.Type | None, text: str) -> object:
    """The text as the JSON value it stands for; what does not fit stays text, and is refused as such."""
    expected = bodies.known_type(field_type) if field_type is not None else None
    if isinstance(expected, inspect.IntType) and _INTEGER.fullmatch(text):
        return int(text)
    if isinstance(expected, inspect.BoolType):
        return _BOOLEANS.get(text, text)
    return text
