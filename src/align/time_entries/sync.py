"""Sync a time entry: the operation this product exists for (contract, section 1)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Never

import asyncpg
import structlog

from align.api_keys.admission import Admission, key_of
from align.api_keys.authentication import Caller, unauthorized
from align.db import sql
from align.errors import ApiError, Problem, invalid
from align.time_entries import decoding, rows
from align.time_entries.coalescer import Coalescer, Overloaded, StillBusy
from align.time_entries.rows import Outcome, SyncRow
from align.time_entries.session import OutcomeUnknown
from align.web import body as bodies
from align.web import idempotency
from align.web.http import Answer, Request
from align.web.metrics import IDEMPOTENCY, count_outcome

log = structlog.get_logger()

_QUERIES = sql.load(Path(__file__).with_name("sync.sql"))

FEATURE = "time_tracking"


class Sync:
    """The operation, on top of the coalescer that stores rows.

    `handle` is the operation. `start` and `finish` are the same for requests in which nothing is out of the ordinary.
    """

    route = rows.PATH

    def __init__(self, admission: Admission, pool: asyncpg.Pool, coalescer: Coalescer[SyncRow, Outcome]) -> None:
        self._admission = admission
        self._pool = pool
        self._coalescer = coalescer

    async def handle(self, request: Request) -> Answer:
        """`POST /integration/time-entries`. Answers only after COMMIT; raises ApiError for every refusal."""
        body = await request.body()
        caller = await self._admission.admit(request, "organization", remembered=True)
        idempotency_key = idempotency.read_key(request)
        digest = None if idempotency_key is None else idempotency.fingerprint(body)
        try:
            if problem := request.media_type_problem():
                raise problem
            entry, unknown = decoding.decode(body)
        except (bodies.Unfit, ApiError) as error:
            return await self._refuse_body(request, caller, idempotency_key, digest, error)
        if unknown:
            request.answer_headers["Ignored-Fields"] = bodies.ignored_fields(unknown)
        row = rows.row(caller, entry, bool(unknown), idempotency_key, digest)
        with _confirmation():
            outcome = await self._coalescer.submit(row)
        return self._answer(request, outcome, unknown)

    def start(self, request: Request, body: bytes) -> "asyncio.Future[Outcome] | None":
        """Accept a request that needs no waiting and is in order; None leaves it to `handle`."""
        try:
            caller = self._admission.remembered(request)
            if caller is None or request.media_type_problem():
                return None
            idempotency_key = idempotency.read_key(request)
            digest = None if idempotency_key is None else idempotency.fingerprint(body)
            entry, unknown = decoding.decode(body)
            if unknown:
                return None
            # Last, since `handle` counts what is left to it.
            self._admission.count(request, caller)
        except (ApiError, bodies.Unfit):
            return None
        try:
            return self._coalescer.submit(rows.row(caller, entry, False, idempotency_key, digest))
        except Overloaded as error:
            refused: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused

    def finish(self, request: Request, future: "asyncio.Future[Outcome]") -> Answer:
        """The answer to a request that `start` accepted. Raises ApiError."""
        if future.exception() is None:  # quicker than entering the block below each time
            return self._answer(request, future.result(), [])
        with _confirmation():
            future.result()
        raise ValueError("a future with an exception has no result")

    def _answer(self, request: Request, outcome: Outcome, unknown: list[str]) -> Answer:
        count_outcome(outcome.outcome)
        if outcome.outcome in ("created", "existing", "replayed"):
            if b"idempotency-key" in request.headers:
                IDEMPOTENCY.labels("replayed" if outcome.outcome == "replayed" else "kept").inc()
            return _accepted(request, outcome)
        if outcome.outcome in ("key_revoked", "key_expired"):
            self._admission.authentication.forget(key_of(request))
        _refuse(outcome.outcome, outcome.fields or [], unknown)

    async def _refuse_body(
        self,
        request: Request,
        caller: Caller,
        idempotency_key: str | None,
        digest: bytes | None,
        error: bodies.Unfit | ApiError,
    ) -> Answer:
        """Answer a body that can't be read with what comes before it in the order of checks, or with its problems."""
        found = await self._pool.fetchrow(
            _QUERIES.judge_refused_body, caller.organization_id, caller.api_key_id, idempotency_key, digest, rows.PATH
        )
        for broken, code in (
            (found is None or found["revoked"], "key_revoked"),
            (found is not None and found["expired"], "key_expired"),
            (found is not None and found["role_is_client"], "role_violation"),
        ):
            if broken:
                self._admission.authentication.forget(key_of(request))
                _refuse(code, [], [])
        if found["status"] is not None:
            outcome = Outcome(
                0, "replayed", found["status"], found["response"], found["location"], found["content_differs"],
                found["body_differs"], None,
            )  # fmt: skip
            if found["strict"] and found["body_differs"]:
                _refuse("idempotency_key_reused", [], [])
            return self._answer(request, outcome, [])
        if not found["has_time_tracking"]:
            _refuse("feature_disabled", [], [])
        count_outcome("validation_error")
        if isinstance(error, ApiError):
            raise error
        raise invalid(error.problems + (bodies.unknown_problems(error.unknown) if found["strict"] else []))


@contextmanager
def _confirmation() -> Iterator[None]:
    """Turns what can happen to an accepted row into what its sender is told."""
    try:
        yield
    except Overloaded:
        raise ApiError(
            "overloaded",
            "too many syncs are waiting; nothing was accepted, repeat in a second",
            headers={"Retry-After": "1"},
        ) from None
    except StillBusy:
        raise ApiError(
            "idempotency_in_progress",
            "another request with this Idempotency-Key or external id is still running; repeat in a second",
            headers={"Retry-After": "1"},
        ) from None
    except OutcomeUnknown as error:
        log.error("sync not confirmed", reason=type(error.__cause__).__name__)
        raise ApiError(
            "database_unavailable",
            "the database did not confirm the write; repeat the same call, which settles it",
            headers={"Retry-After": "1"},
        ) from error


def _accepted(request: Request, outcome: Outcome) -> Answer:
    headers: dict[str, str] = {}
    if outcome.location is not None:
        headers["Location"] = outcome.location
    if outcome.content_differs is not None:
        headers["Content-Differs"] = outcome.content_differs
    if outcome.outcome == "replayed":
        headers["Idempotent-Replayed"] = "true"
        if outcome.body_differs:
            headers["Idempotency-Body-Mismatch"] = "true"
            IDEMPOTENCY.labels("body_mismatch").inc()
            log.warning("idempotency key reused with another body", request_id=request.id)
    if outcome.status is None or outcome.response is None:
        raise ValueError("an accepted row comes with its answer")
    return Answer(outcome.status, outcome.response.encode(), headers)


def _refuse(outcome: str, fields: list[str], unknown: list[str]) -> Never:
    """Raise the ApiError of a refusal by the statement."""
    match outcome:
        case "key_revoked":
            raise unauthorized("key_revoked", "the API key has been revoked")
        case "key_expired":
            raise unauthorized("key_expired", "the API key has expired")
        case "role_violation":
            raise ApiError("role_violation", "the key was created by a user whose role (client) has no access to time")
        case "idempotency_key_reused":
            raise ApiError(
                "idempotency_key_reused",
                "this Idempotency-Key was used with another body; use a new key for a new request",
            )
        case "feature_disabled":
            raise ApiError(
                "payment_required",
                f"the organisation's plan does not include {FEATURE}",
                reason="feature_disabled",
                feature=FEATURE,
            )
        case "unknown_field":
            raise invalid(bodies.unknown_problems(unknown))
        case "not_found":
            names = {"projectId": "project", "userId": "user"}
            details = [Problem(field, "not_found", f"no such {names[field]} in this organisation") for field in fields]
            raise ApiError("not_found", f"{details[0].path}: {details[0].message}", details=details)
        case "unfit":
            raise invalid([_UNFIT[field] for field in fields])
        case "project_archived":
            raise ApiError("project_archived", "the project is archived and takes no new time", path="projectId")
        case "time_entry_deleted":
            raise ApiError(
                "time_entry_deleted", "the time entry of this external id was deleted; it is not created again"
            )
        case _:
            raise ValueError(f"the statement returned the unknown outcome {outcome}")


_UNFIT = {
    "userId": Problem("userId", "role_without_time", "is a user with the role client, who logs no time"),
    "entryId": Problem("entryId", "not_of_project", "must be the id of a ticket of the project in projectId"),
}
