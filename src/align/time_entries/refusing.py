"""What the sender of a time entry is told when it is not stored."""

from collections.abc import Callable

import structlog

from align.api_keys.authentication import Caller, unauthorized
from align.errors import ApiError, Problem, invalid
from align.time_entries.coalescer import Overloaded, StillBusy
from align.time_entries.rows import Outcome
from align.time_entries.session import OutcomeUnknown
from align.web import body as bodies

log = structlog.get_logger()

FEATURE = "time_tracking"
ACCEPTED = ("created", "existing", "replayed")
_RETRY_SOON = {"Retry-After": "1"}


def of_outcome(outcome: Outcome, unknown: list[str]) -> ApiError | None:
    """The refusal that an outcome of the statement is, or None when the row was accepted.

    `unknown` are the names of members that the operation does not know.
    """
    if outcome.outcome in ACCEPTED:
        return None
    fields = outcome.fields or []
    match outcome.outcome:
        case "unknown_field":
            return invalid(bodies.unknown_problems(unknown))
        case "not_found":
            details = [Problem(field, "not_found", _MISSING[field]) for field in fields]
            return ApiError("not_found", f"{details[0].path}: {details[0].message}", details=details)
        case "unfit":
            return invalid([_UNFIT[field] for field in fields])
    return _REFUSALS[outcome.outcome]()


def of_failure(error: BaseException) -> ApiError:
    """What became of an accepted row that has no outcome. Raises `error` itself when it is a fault of ours."""
    if isinstance(error, Overloaded):
        text = "too many syncs are waiting; nothing was accepted, repeat in a second"
        return ApiError("overloaded", text, headers=_RETRY_SOON)
    if isinstance(error, StillBusy):
        text = "another request with this Idempotency-Key or external id is still running; repeat in a second"
        return ApiError("idempotency_in_progress", text, headers=_RETRY_SOON)
    if isinstance(error, OutcomeUnknown):
        log.error("sync not confirmed", reason=type(error.__cause__).__name__)
        text = "the database did not confirm the write; repeat the same call, which settles it"
        return ApiError("database_unavailable", text, headers=_RETRY_SOON)
    raise error


def check_role(caller: Caller) -> None:
    """Raises ApiError 403 when the key acts with a role that has no access to time."""
    if caller.role == "client":
        raise role_violation()


def check_plan(caller: Caller) -> None:
    """Raises ApiError 402 when the plan lacks time tracking."""
    if FEATURE not in caller.features:
        raise feature_disabled()


def feature_disabled() -> ApiError:
    """402: the plan does not include time tracking."""
    return ApiError(
        "payment_required",
        f"the organisation's plan does not include {FEATURE}",
        reason="feature_disabled",
        feature=FEATURE,
    )


def role_violation() -> ApiError:
    """403: the key acts with the role client."""
    return ApiError("role_violation", "the key was created by a user whose role (client) has no access to time")


def idempotency_key_reused() -> ApiError:
    """422: another body under a known Idempotency-Key, in a strict organisation."""
    text = "this Idempotency-Key was used with another body; use a new key for a new request"
    return ApiError("idempotency_key_reused", text)


_REFUSALS: dict[str, Callable[[], ApiError]] = {
    "key_revoked": lambda: unauthorized("key_revoked", "the API key has been revoked"),
    "key_expired": lambda: unauthorized("key_expired", "the API key has expired"),
    "role_violation": role_violation,
    "idempotency_key_reused": idempotency_key_reused,
    "feature_disabled": feature_disabled,
    "project_archived": lambda: ApiError(
        "project_archived", "the project is archived and takes no new time", path="projectId"
    ),
    "time_entry_deleted": lambda: ApiError(
        "time_entry_deleted", "the time entry of this external id was deleted; it is not created again"
    ),
}
_MISSING = {
    "projectId": "no such project in this organisation",
    "userId": "no such user in this organisation",
}
_UNFIT = {
    "userId": Problem("userId", "role_without_time", "is a user with the role client, who logs no time"),
    "entryId": Problem("entryId", "not_of_project", "must be the id of a ticket of the project in projectId"),
}
