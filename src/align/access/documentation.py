"""What the OpenAPI document says of every operation alike, as it follows from the operation's form."""

import re
from typing import Any

from align.roles import EVERYBODY
from align.web.body import Body
from align.web.operation import Access, Header, Parameter
from align.web.query import Query

KEY_ERRORS = ("key_missing", "key_invalid", "key_expired", "key_revoked")
IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "1 to 255 printable ASCII characters without spaces, bare (then not beginning with a quote) or as a quoted string "
    'with `\\"` and `\\\\`; kept for 24 h. A repeat with the same key gets the first 2xx answer again, byte for byte.',
    {"type": "string", "pattern": r'^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$'},
)


def errors_of(access: Access) -> tuple[str, ...]:
    """The refusals that come before anything is looked at."""
    return (
        *KEY_ERRORS,
        *(("scope_violation",) if access.scope == "organization" else ()),
        *(("permission_violation",) if access.permission is not None else ()),
        *(("role_violation",) if access.roles != EVERYBODY else ()),
        *(("payment_required",) if access.feature is not None else ()),
        "rate_limit",
        "internal_error",
        "database_unavailable",
    )


def reading(access: Access, path: str, query: Query[Any] | None) -> dict[str, Any]:
    """What documents an operation that changes nothing."""
    parameters = _in_path(path) + (query.parameters() if query is not None else ())
    refusals = (("not_found",) if "{" in path else ()) + (("validation_error",) if query is not None else ())
    return {"parameters": parameters, "errors": errors_of(access) + refusals}


def changing(access: Access, path: str, method: str, body: Body[Any] | None) -> dict[str, Any]:
    """What documents an operation that changes something."""
    refusals = (*errors_of(access), "overloaded", "request_timeout", "payload_too_large")
    documented: dict[str, Any] = {"parameters": _in_path(path)}
    if "{" in path:
        refusals += ("not_found",)
    if body is not None:
        documented |= {"request": body.type, "request_required": body.is_required}
        refusals += ("validation_error", "unsupported_media_type")
    if method == "POST":
        documented["request_headers"] = (IDEMPOTENCY_KEY,)
        refusals += ("idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress")
    return documented | {"errors": refusals}


def merged(documented: dict[str, Any], described: dict[str, Any], errors: tuple[str, ...]) -> dict[str, Any]:
    """Both together, with the refusals that are the operation's own."""
    refusals = tuple(dict.fromkeys(documented["errors"] + errors))
    return documented | described | {"errors": refusals}


def _in_path(path: str) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(name, "path", "As in `id` of the answers.", {"type": "string", "format": "uuid"})
        for name in re.findall(r"\{(\w+)\}", path)
    )
