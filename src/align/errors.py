"""The catalogue of machine codes, and the one exception and the one renderer that use it."""

from collections.abc import Mapping

import msgspec


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request: where, which rule, and what would be right."""

    path: str
    code: str
    message: str


class Code(msgspec.Struct, frozen=True):
    """A machine code: its HTTP status and, for the documentation, when it is sent."""

    status: int
    meaning: str


CATALOGUE: dict[str, Code] = {
    "validation_error": Code(400, "The request is not what the operation takes; `details` lists every problem."),
    "unknown_event_names": Code(400, "No events have these names; `invalid` lists them, `known` all that there are."),
    "idempotency_key_invalid": Code(
        400, "The header Idempotency-Key is not 1 to 255 printable ASCII characters, or was sent twice."
    ),
    "key_missing": Code(401, "No API key was sent."),
    "key_invalid": Code(401, "The API key is not one of ours; it may be cut off or mistyped."),
    "key_expired": Code(401, "The API key has expired."),
    "key_revoked": Code(401, "The API key has been revoked."),
    "payment_required": Code(402, "The organisation's plan lacks the `feature`; `reason` is `feature_disabled`."),
    "scope_violation": Code(403, "The API key's scope does not cover this operation."),
    "role_violation": Code(403, "The role of the user who created the API key may not do this; see `requiredRoles`."),
    "permission_violation": Code(403, "The API key lacks the `requiredPermission`."),
    "source_violation": Code(403, "The API key may sync as one externalSystem only: `sourceBinding`."),
    "not_found": Code(404, "What the request names does not exist, or the API key may not see it."),
    "method_not_allowed": Code(405, "The path exists, but not with this method; see the header Allow."),
    "request_timeout": Code(408, "The request's body did not arrive in time."),
    "idempotency_in_progress": Code(
        409, "The first request with this Idempotency-Key is still running; repeat after `Retry-After` seconds."
    ),
    "batch_rejected": Code(
        409, "The batch is atomic and some of its members were refused: nothing was stored; `results` has them all."
    ),
    "period_locked": Code(
        409, "The day lies in a locked period (`lockedUntil`): nothing in it is created, changed or deleted."
    ),
    "invalid_transition": Code(
        409, "The time entry's status does not allow this; see `from`, `action` and `allowedActions`."
    ),
    "already_exists": Code(409, "Something that must be unique is taken."),
    "external_ref_conflict": Code(409, "The external reference is linked to something else already."),
    "link_protected": Code(409, "The link is a synced time entry's own; it lives as long as the entry."),
    "key_ended": Code(409, "The API key is revoked or has expired, so it gets no new secret; mint another."),
    "last_admin": Code(409, "The organisation would be left without an active admin."),
    "too_many_webhooks": Code(409, "The organisation has as many webhooks as it may have; delete one."),
    "project_archived": Code(409, "The project is archived and takes no new time and no new tickets."),
    "time_entry_deleted": Code(410, "The time entry of this external id was deleted; a repeat does not bring it back."),
    "cursor_expired": Code(
        410, "The cursor is older than what is kept, or from before a restore; read again from the start."
    ),
    "precondition_failed": Code(412, "The object has changed since the ETag in If-Match was read; read it again."),
    "payload_too_large": Code(413, "The request's body is larger than the operation takes."),
    "unsupported_media_type": Code(415, "The request's body is not plain `application/json` in UTF-8."),
    "idempotency_key_reused": Code(
        422, "The Idempotency-Key was used with another body, which this organisation (strict) refuses."
    ),
    "rate_limit": Code(429, "The API key has used up its requests; repeat after `Retry-After` seconds."),
    "malformed_request": Code(400, "What arrived is not HTTP/1.1; the connection closes."),
    "headers_too_large": Code(431, "The request's headers are larger than any client's; the connection closes."),
    "internal_error": Code(500, "A fault of ours, logged under the request id. Repeating is safe."),
    "webhooks_not_configured": Code(
        501, "The operator has not set ALIGN_SECRET_KEY, without which no webhook's secret can be kept."
    ),
    "overloaded": Code(503, "Nothing was accepted, since too much is waiting; repeat after `Retry-After` seconds."),
    "database_unavailable": Code(
        503,
        "The database could not be reached or the outcome of the write is unknown. Repeating the same call settles it.",
    ),
}


class ApiError(Exception):
    """A refusal: rendered as `{"error": code, "message": ..., "requestId": ..., **members}`."""

    def __init__(self, code: str, message: str, *, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(message)
        self.code = code
        self.status = CATALOGUE[code].status
        self.message = message
        self.headers = dict(headers or {})
        self.members = members


def invalid(problems: list[Problem]) -> ApiError:
    """400 `validation_error` with every problem found (at least one)."""
    first = problems[0]
    where = f"{first.path}: " if first.path else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ApiError("validation_error", f"{where}{first.message}{more}", details=problems)


def body(error: ApiError, request_id: str) -> dict[str, object]:
    """The members of the answer's JSON object."""
    return {"error": error.code, "message": error.message, "requestId": request_id, **error.members}


def render(error: ApiError, request_id: str) -> bytes:
    """The answer's body (decision 3 of the contract)."""
    return msgspec.json.encode(body(error, request_id))
