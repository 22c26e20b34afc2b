"""The table of operations: what routes requests, writes the OpenAPI document and drives the tests."""

import builtins
from collections.abc import Awaitable, Callable, Mapping
from types import UnionType
from typing import Literal

import msgspec

from align.web.http import Answer, Request

PREFIX = "/api/v1"

Handler = Callable[[Request], Awaitable[Answer]]


class Header(msgspec.Struct, frozen=True):
    """A documented header of a request or an answer."""

    name: str
    description: str
    schema: Mapping[str, object] = msgspec.field(default_factory=lambda: {"type": "string"})


class Parameter(msgspec.Struct, frozen=True):
    """A documented parameter in the path or the query."""

    name: str
    place: Literal["path", "query"]
    description: str
    schema: Mapping[str, object]
    required: bool = True


class Success(msgspec.Struct, frozen=True):
    """A documented 2xx answer; no `type` means no body, a union one of its structs."""

    status: int
    description: str
    type: builtins.type | UnionType | None = None
    example: Mapping[str, object] | None = None
    headers: tuple[Header, ...] = ()
    # Of `type`, which for application/x-ndjson is what one line holds.
    media_type: str = "application/json"
    # Other forms of the same answer, such as text/csv, each with an example.
    media_types: Mapping[str, str] = msgspec.field(default_factory=dict)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call an operation (contract, section 2); the checks, the documentation and a test read it here.

    `scope`: organisation keys only, or project keys too, which then see their project alone. `roles`: of the user who
    created the key. `permission`: what a key with permissions must have. `feature`: what the plan must include.
    """

    scope: Literal["organization", "any"]
    roles: frozenset[str]
    permission: str | None
    feature: str | None = None


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API. `path` is without the prefix; `errors` are codes of align.errors.CATALOGUE."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    handler: Handler
    successes: tuple[Success, ...]
    errors: tuple[str, ...]
    request: type | None = None
    request_required: bool = True
    request_example: Mapping[str, object] | None = None
    # For application/x-ndjson, `request` is what one line holds.
    request_media_type: str = "application/json"
    request_headers: tuple[Header, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    # The document writes /integration/* without the prefix, so these answer there too (decision 1).
    also_without_prefix: bool = False
    access: Access

    @property
    def route(self) -> str:
        """The whole path."""
        return PREFIX + self.path

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths it answers under."""
        return (self.route, self.path) if self.also_without_prefix else (self.route,)
