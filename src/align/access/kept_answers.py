"""Answers kept for repeats with the same Idempotency-Key (contract, decision 5), for all operations but the sync,
whose statement does the same for many requests at once."""

from pathlib import Path

import asyncpg
import msgspec
import structlog

from align.access.authentication import Caller
from align.db import sql
from align.errors import ApiError
from align.web.http import Answer, Request
from align.web.metrics import IDEMPOTENCY

log = structlog.get_logger()

queries = sql.load(Path(__file__).with_name("kept_answers.sql"))


class IdempotentRequest(msgspec.Struct, frozen=True):
    """A request with the header: the scope of its key, and the digest of its body."""

    caller: Caller
    path: str
    key: str
    body_digest: bytes

    @property
    def scope(self) -> tuple[object, ...]:
        """Organisation, API key, path and key; the method is always POST."""
        return (self.caller.organization_id, self.caller.api_key_id, self.path, self.key)


async def wait_for_turn(tx: asyncpg.Connection, repeat: IdempotentRequest) -> None:
    """Wait for a first request that still runs. Raises asyncpg.LockNotAvailableError after the lock timeout."""
    await tx.execute(queries.lock_idempotency_key, ":".join(map(str, repeat.scope)))


async def find(request: Request, tx: asyncpg.Connection, repeat: IdempotentRequest) -> Answer | None:
    """The kept answer, or None. Raises ApiError 422 for another body where the organisation is strict."""
    found = await tx.fetchrow(queries.find_kept_answer, *repeat.scope)
    if found is None:
        return None
    differs = found["body_digest"] != repeat.body_digest
    if differs and repeat.caller.strict:
        raise idempotency_key_reused()
    headers = {} if found["location"] is None else {"Location": found["location"]}
    return replay(request, found["status"], found["response"].encode(), headers, body_differs=differs)


def replay(request: Request, status: int, body: bytes, headers: dict[str, str], *, body_differs: bool | None) -> Answer:
    """A kept answer as it is sent again."""
    IDEMPOTENCY.labels("replayed").inc()
    headers["Idempotent-Replayed"] = "true"
    if body_differs:
        headers["Idempotency-Body-Mismatch"] = "true"
        IDEMPOTENCY.labels("body_mismatch").inc()
        log.warning("idempotency key reused with another body", request_id=request.id)
    return Answer(status, body, headers)


async def keep(tx: asyncpg.Connection, repeat: IdempotentRequest, answer: Answer) -> None:
    """Keep the answer, in the transaction of its effect."""
    location = (answer.headers or {}).get("Location")
    await tx.execute(
        queries.keep_answer, *repeat.scope, repeat.body_digest, answer.status, answer.body.decode(), location
    )
    IDEMPOTENCY.labels("kept").inc()


def idempotency_key_reused() -> ApiError:
    """422: another body under a known Idempotency-Key, in a strict organisation."""
    text = "this Idempotency-Key was used with another body; use a new key for a new request"
    return ApiError("idempotency_key_reused", text)
