"""Sync a time entry: the operation this product exists for (contract, section 1)."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg

from align.access import kept_answers
from align.access.admission import Admission, key_of, source_violation
from align.access.authentication import Caller
from align.db import sql
from align.errors import ApiError, invalid
from align.time_entries import decoding, refusing, rows
from align.time_entries.coalescer import Coalescer, Overloaded
from align.time_entries.rows import Outcome, SyncRow
from align.web import body as bodies
from align.web import idempotency
from align.web.http import Answer, Request
from align.web.metrics import IDEMPOTENCY, count_outcome

_QUERIES = sql.load(Path(__file__).with_name("sync.sql"))


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
        caller = await self._admission.admit(request, refusing.WRITE, remembered=True)
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
        if violation := source_violation(caller, entry.external_system):
            return await self._refuse_body(request, caller, idempotency_key, digest, violation)
        row = rows.row(caller, entry, bool(unknown), idempotency_key, digest)
        try:
            outcome = await self._coalescer.submit(row)
        except Exception as error:  # of_failure raises it again if it is a fault of ours
            raise refusing.of_failure(error) from error
        return self._answer(request, outcome, unknown)

    def start(self, request: Request, body: bytes, callback: Callable[[Outcome | BaseException], None]) -> bool:
        """Accept a request that needs no waiting and is in order; False leaves it to `handle`."""
        try:
            caller = self._admission.remembered(request, refusing.WRITE)
            if caller is None or request.media_type_problem():
                return False
            idempotency_key = idempotency.read_key(request)
            digest = None if idempotency_key is None else idempotency.fingerprint(body)
            entry, unknown = decoding.decode(body)
            if unknown or source_violation(caller, entry.external_system):
                return False
            row = rows.row(caller, entry, False, idempotency_key, digest)
            # Last, since `handle` counts what is left to it.
            self._admission.count(request, caller)
        except (ApiError, bodies.Unfit):
            return False
        try:
            self._coalescer.submit_calling(row, callback)
        except Overloaded as error:
            asyncio.get_running_loop().call_soon(callback, error)
        return True

    def finish(self, request: Request, outcome: Outcome | BaseException) -> Answer:
        """The answer to a request that `start` accepted. Raises ApiError."""
        if isinstance(outcome, BaseException):
            raise refusing.of_failure(outcome)
        return self._answer(request, outcome, [])

    def _answer(self, request: Request, outcome: Outcome, unknown: list[str]) -> Answer:
        count_outcome(outcome.outcome)
        if outcome.outcome in refusing.ACCEPTED:
            return _accepted(request, outcome)
        if outcome.outcome in refusing.KEY_OUTCOMES:
            self._admission.authentication.forget(key_of(request))
        refusal = refusing.of_outcome(outcome, unknown)
        if refusal is None:
            raise ValueError("an outcome is accepted or refused")
        raise refusal

    async def _refuse_body(
        self,
        request: Request,
        caller: Caller,
        idempotency_key: str | None,
        digest: bytes | None,
        error: bodies.Unfit | ApiError,
    ) -> Answer:
        """Answer a body that can't be read with what comes before it in the order of checks, or with its problems."""
        key = (caller.organization_id, caller.api_key_id, idempotency_key, digest, rows.PATH, caller.secret_number)
        found = await self._pool.fetchrow(_QUERIES.judge_refused_body, *key)
        strict, outcome = found["strict"], Outcome(**{name: found.get(name) for name in Outcome._fields})
        if outcome.outcome != "unreadable":
            return self._answer(request, outcome, [])
        count_outcome(error.code if isinstance(error, ApiError) else "validation_error")
        if isinstance(error, ApiError):
            raise error
        raise invalid(error.problems + (bodies.unknown_problems(error.unknown) if strict else []))


def _accepted(request: Request, outcome: Outcome) -> Answer:
    headers: dict[str, str] = {}
    if outcome.location is not None:
        headers["Location"] = outcome.location
    if outcome.content_differs is not None:
        headers["Content-Differs"] = outcome.content_differs
    if outcome.status is None or outcome.response is None:
        raise ValueError("an accepted row comes with its answer")
    body = outcome.response.encode()
    if outcome.outcome == "replayed":
        return kept_answers.replay(request, outcome.status, body, headers, body_differs=outcome.body_differs)
    if b"idempotency-key" in request.headers:
        IDEMPOTENCY.labels("kept").inc()
    return Answer(outcome.status, body, headers)
