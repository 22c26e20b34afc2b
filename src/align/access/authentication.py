"""Who is calling: from the text of an API key to the key's row."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

from align.access import key_text
from align.db import sql
from align.errors import ApiError

_QUERIES = sql.load(Path(__file__).with_name("authentication.sql"))

# Only the sync path uses remembered callers, and its statement checks the key again: what is remembered decides the
# rate limit and early refusals. So a changed rate limit takes this long to take effect; revocation and rotation none.
REMEMBERED_SECONDS = 5.0
MAXIMUM_REMEMBERED = 10_000


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The API key of a request, and what its organisation may do."""

    organization_id: UUID
    api_key_id: UUID
    key_name: str
    key_prefix: str
    scope: key_text.Scope
    scoped_project_id: UUID | None
    permissions: list[str] | None
    # The only externalSystem it may sync as, if any.
    source_binding: str | None
    rate_limit_per_minute: int | None
    created_by_user_id: UUID
    role: str
    features: frozenset[str]
    strict: bool
    last_used_at: datetime | None
    # Which of the key's secrets was sent: each rotation makes the next one.
    secret_number: int


class Authentication:
    """Finds callers in the database, and remembers them for a moment for those who check again."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._remembered: dict[str, tuple[float, Caller]] = {}

    async def caller(self, text: str | None, db: asyncpg.Connection | None = None) -> Caller:
        """The caller with this key, as `db` sees it, or any connection.

        Raises ApiError 401 for a key that is missing, not ours, expired or revoked.
        """
        if text is None:
            raise unauthorized("key_missing", "send an API key, as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'")
        if not key_text.is_well_formed(text):
            raise unauthorized("key_invalid", "this is not an API key of Align; is it cut off or mistyped?")
        row = await (db or self._pool).fetchrow(_QUERIES.identify, key_text.digest(text))
        if row is None:
            raise unauthorized("key_invalid", "no such API key exists here")
        for state, refusal in _REFUSALS.items():
            if row[state]:
                raise refusal()
        return _caller(row)

    async def remembered_caller(self, text: str | None) -> Caller:
        """As `caller`, but up to REMEMBERED_SECONDS old: only for operations that check the key once more."""
        found = self.remembered(text)
        if found is not None:
            return found
        self.forget(text)
        caller = await self.caller(text)
        if len(self._remembered) >= MAXIMUM_REMEMBERED:
            self._remembered.clear()
        self._remembered[text or ""] = (time.monotonic() + REMEMBERED_SECONDS, caller)
        return caller

    def remembered(self, text: str | None) -> Caller | None:
        """The caller as last seen, unless that is too long ago."""
        found = self._remembered.get(text or "")
        return found[1] if found is not None and time.monotonic() < found[0] else None

    def forget(self, text: str | None) -> None:
        """Ask the database about this key the next time."""
        self._remembered.pop(text or "", None)


def unauthorized(code: str, message: str) -> ApiError:
    """A 401, with the header that RFC 9110 section 11.6.1 asks for."""
    return ApiError(code, message, headers={"WWW-Authenticate": 'Bearer realm="align"'})


def revoked() -> ApiError:
    """401: the key was ended for good."""
    return unauthorized("key_revoked", "the API key has been revoked")


def secret_replaced() -> ApiError:
    """401: the secret that was sent is over; the key lives on under another."""
    return unauthorized("key_revoked", "the API key was rotated, and the old secret is over; send the new one")


def expired() -> ApiError:
    """401: the key's time is over."""
    return unauthorized("key_expired", "the API key has expired")


def creator_deactivated() -> ApiError:
    """401: a key acts for the user who created it, so it rests while that user is deactivated."""
    return unauthorized("key_revoked", "the user who created the API key is deactivated, so it is refused")


# By the columns that say so, in the order in which they are looked at.
_REFUSALS: dict[str, Callable[[], ApiError]] = {
    "revoked": revoked,
    "secret_replaced": secret_replaced,
    "expired": expired,
    "creator_deactivated": creator_deactivated,
}


def _caller(row: asyncpg.Record) -> Caller:
    return Caller(
        organization_id=row["organization_id"],
        api_key_id=row["id"],
        key_name=row["name"],
        key_prefix=row["prefix"],
        scope=row["scope"],
        scoped_project_id=row["scoped_project_id"],
        permissions=row["permissions"],
        source_binding=row["source_binding"],
        rate_limit_per_minute=row["rate_limit_per_minute"],
        created_by_user_id=row["created_by_user_id"],
        role=row["role"],
        features=frozenset(row["features"]),
        strict=row["strict"],
        last_used_at=row["last_used_at"],
        secret_number=row["sent_secret_number"],
    )
