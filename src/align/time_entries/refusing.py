"""What the sender of a time entry is told when it is not stored."""

from collections.abc import Callable

import structlog

from align.access import authentication
from align.access.admission import feature_disabled, role_violation
from align.access.kept_answers import idempotency_key_reused
from align.errors import ApiError, Problem, invalid
from align.organizations.period_lock import period_locked
from align.roles import TIME_KEEPERS
from align.time_entries.coalescer import Overloaded, StillBusy
from align.time_entries.rows import Outcome
from align.time_entries.session import OutcomeUnknown
from align.web import body as bodies
from align.web.operation import Access

log = structlog.get_logger()

FEATURE = "time_tracking"
WRITE = Access(scope="organization", roles=TIME_KEEPERS, permission="write:time_entries", feature=FEATURE)
READ = Access(scope="organization", roles=TIME_KEEPERS, permission="read:time_entries", feature=FEATURE)
# The key was refused, whatever is remembered of it.
KEY_OUTCOMES = ("key_revoked", "secret_replaced", "key_expired", "creator_deactivated")
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
        case "period_locked":
            return period_locked(fields[0])
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


_REFUSALS: dict[str, Callable[[], ApiError]] = {
    "key_revoked": authentication.revoked,
    "secret_replaced": authentication.secret_replaced,
    "key_expired": authentication.expired,
    "creator_deactivated": authentication.creator_deactivated,
    "role_violation": lambda: role_violation("client", TIME_KEEPERS),
    "idempotency_key_reused": idempotency_key_reused,
    "feature_disabled": lambda: feature_disabled(FEATURE),
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
