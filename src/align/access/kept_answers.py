"""Answers kept for repeats with the same Idempotency-Key (contract, decision 5), for all operations but the sync,
whose statement does the same for many requests at once."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import asyncpg
import msgspec
import structlog
from cryptography.fernet import Fernet, InvalidToken

from align.access.authentication import Caller
from align.db import sql
from align.errors import ApiError
from align.web.http import Answer, Request
from align.web.metrics import IDEMPOTENCY

log = structlog.get_logger()

queries = sql.load(Path(__file__).with_name("kept_answers.sql"))

# In the order of the statement that keeps them.
_KEPT_HEADERS = ("Location", "ETag")


class IdempotentRequest(msgspec.Struct, frozen=True):
    """A request with the header: the scope of its key, and the digest of its body.

    `seal` is set where the answer holds a secret: what is kept of it can be read with the API key's text only, which is
    stored nowhere.
    """

    caller: Caller
    path: str
    key: str
    body_digest: bytes
    seal: Fernet | None = None

    @property
    def scope(self) -> tuple[object, ...]:
        """Organisation, API key, path and key; the method is always POST."""
        return (self.caller.organization_id, self.caller.api_key_id, self.path, self.key)


def seal_of(key_text: str) -> Fernet:
    """Closes and opens what is kept for the bearer of this API key alone."""
    return Fernet(urlsafe_b64encode(sha256(b"align kept answer:" + key_text.encode()).digest()))


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
    headers = {name: found[name.lower()] for name in _KEPT_HEADERS if found[name.lower()] is not None}
    body = found["response"].encode()
    if repeat.seal is not None:
        try:
            body = repeat.seal.decrypt(body)
        except InvalidToken:
            text = "the answer held a secret and was kept for the API key it was sent to, which has been rotated since"
            raise ApiError("idempotency_key_reused", text) from None
    return replay(request, found["status"], body, headers, body_differs=differs)


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
    body = answer.body if repeat.seal is None else repeat.seal.encrypt(answer.body)
    headers = [(answer.headers or {}).get(name) for name in _KEPT_HEADERS]
    await tx.execute(queries.keep_answer, *repeat.scope, repeat.body_digest, answer.status, body.decode(), *headers)
    IDEMPOTENCY.labels("kept").inc()


def idempotency_key_reused() -> ApiError:
    """422: another body under a known Idempotency-Key, in a strict organisation."""
    text = "this Idempotency-Key was used with another body; use a new key for a new request"
    return ApiError("idempotency_key_reused", text)
