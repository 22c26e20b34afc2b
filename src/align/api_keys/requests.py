"""What the operations on API keys are asked, and what they answer."""

import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from align import names
from align.access import key_text
from align.api_keys.api_keys import MAXIMUM_OVERLAP, MAXIMUM_RATE_LIMIT, OVERLAP, ApiKey
from align.errors import Problem
from align.external_names import external_name_problem
from align.links.links import ExternalName
from align.roles import PERMISSIONS, Permission
from align.web.body import Body, Unfit
from align.web.query import Page, Query

_SECOND = datetime.timedelta(seconds=1)


class ApiKeysQuery(Page, rename="camel", kw_only=True):
    """The parameters of `GET /api-keys`."""

    scope: Annotated[key_text.Scope, Meta(description="Keys of this scope.")] | UnsetType = UNSET
    project_id: Annotated[UUID, Meta(description="Keys of this project.")] | UnsetType = UNSET
    active: (
        Annotated[bool, Meta(description="Keys that work now (`true`), or those that are revoked, expired or at rest.")]
        | UnsetType
    ) = UNSET


class MintApiKey(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /api-keys`."""

    name: names.Name
    scope: Annotated[key_text.Scope, Meta(description="The whole organisation, or the project of `scopedProjectId`.")]
    scoped_project_id: Annotated[UUID, Meta(description="Goes with the scope `project`.")] | None = None
    permissions: (
        Annotated[
            list[Permission],
            Meta(min_length=1, max_length=len(PERMISSIONS), description="null means all of the key's scope."),
        ]
        | None
    ) = None
    expires_at: Annotated[datetime.datetime, Meta(tz=True, description="In the future; null means never.")] | None = (
        None
    )
    rate_limit_per_minute: (
        Annotated[int, Meta(ge=1, le=MAXIMUM_RATE_LIMIT, description="null means the server's default.")] | None
    ) = None
    source_binding: Annotated[ExternalName, Meta(description="The only externalSystem it may sync as.")] | None = None


class RotateApiKey(msgspec.Struct, rename="camel", kw_only=True):
    """The request of `POST /api-keys/{id}/rotate`."""

    overlap_seconds: Annotated[
        int, Meta(ge=0, le=MAXIMUM_OVERLAP // _SECOND, description="How long the old secret stays valid; 0: no more.")
    ] = OVERLAP // _SECOND


class ApiKeys(msgspec.Struct, rename="camel", kw_only=True):
    """A page of API keys."""

    data: list[ApiKey]
    page: int
    page_size: int
    total: int


class MintedApiKey(ApiKey, frozen=True, rename="camel"):
    """An API key with its text, which is shown only here."""

    key: Annotated[str, Meta(description="The secret: what goes into the headers. It is stored nowhere.")]


def with_text(api_key: ApiKey, text: str) -> MintedApiKey:
    """A key just minted or rotated, as the API shows it."""
    return MintedApiKey(**msgspec.structs.asdict(api_key), key=text)


class _MintBody(Body[MintApiKey]):
    """Adds the rule that takes two members."""

    def decode(self, body: bytes) -> tuple[MintApiKey, list[str]]:
        try:
            decoded, unknown = super().decode(body)
        except Unfit as unfit:
            scope = _scope_problems(body)
            if {problem.path for problem in unfit.problems}.isdisjoint({"scope", "scopedProjectId"}):
                unfit.problems = unfit.problems + scope
            raise
        if problems := _scope_problems(body):
            raise Unfit(problems, unknown)
        return decoded, unknown


def _scope_problems(body: bytes) -> list[Problem]:
    """Whether scope and scopedProjectId go together, as far as the body can be read."""
    try:
        given: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return []
    if not isinstance(given, dict):
        return []
    names_project = given.get("scopedProjectId") is not None
    if given.get("scope") == "project" and not names_project:
        return [Problem("scopedProjectId", "required", "is required with the scope project: the project's id")]
    if given.get("scope") == "organization" and names_project:
        return [Problem("scopedProjectId", "not_with_scope", "goes with the scope project only; leave it out")]
    return []


def _expiry_problem(value: str, _raw: bytes) -> tuple[str, str] | None:
    in_future = msgspec.convert(value, datetime.datetime) > datetime.datetime.now(datetime.UTC)
    return None if in_future else ("out_of_range", "must lie in the future")


MINT = _MintBody(
    MintApiKey,
    {"name": names.name_problem, "expiresAt": _expiry_problem, "sourceBinding": external_name_problem},
)
ROTATE = Body(RotateApiKey, may_be_absent=True)
QUERY = Query(ApiKeysQuery)
