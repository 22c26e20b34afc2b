"""Requests a minute per API key, in a sliding window, by the library `limits`."""

import math
import time
from functools import cache
from typing import cast
from uuid import UUID

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter as SharedLimiter
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter as LocalLimiter

from align.errors import ApiError
from align.web.metrics import RATE_LIMITED, RATE_LIMITER_FAILURES

log = structlog.get_logger()

# A Redis that answers later than this counts as gone: a request must not wait for it much longer than for its answer.
REDIS_PATIENCE_SECONDS = 0.5


class Allowance:
    """What a key has left: the values of the X-RateLimit headers."""

    __slots__ = ("limit", "remaining", "reset_seconds")

    def __init__(self, limit: int, remaining: int, reset_at: float) -> None:
        self.limit = limit
        self.remaining = remaining
        self.reset_seconds = max(0, math.ceil(reset_at - time.time()))


class RateLimiter:
    """Counts in this process or, given a Redis URL, together with all others."""

    def __init__(self, redis_url: str | None) -> None:
        self._local = LocalLimiter(MemoryStorage())
        self._shared = SharedLimiter(_storage(redis_url)) if redis_url else None

    async def hit(self, api_key_id: UUID, limit_per_minute: int, cost: int = 1) -> Allowance:
        """Count `cost` requests. Raises ApiError 429 `rate_limit` when the window has no room for them."""
        if self._shared is None:
            return self.hit_local(api_key_id, limit_per_minute, cost)
        item, name = _item(limit_per_minute), api_key_id.hex
        try:
            allowed = await self._shared.hit(item, name, cost=cost)
            stats = await self._shared.get_window_stats(item, name)
        except Exception as error:  # whatever the driver raises: time is never refused for it
            RATE_LIMITER_FAILURES.inc()
            log.error("the shared rate limit can't be counted; requests pass", reason=type(error).__name__)
            return Allowance(limit_per_minute, limit_per_minute, time.time())
        return _judge(allowed, Allowance(limit_per_minute, stats.remaining, stats.reset_time), cost)

    @property
    def is_shared(self) -> bool:
        """Whether counting means waiting for Redis."""
        return self._shared is not None

    def hit_local(self, api_key_id: UUID, limit_per_minute: int, cost: int = 1) -> Allowance:
        """As `hit`, in this process."""
        item, name = _item(limit_per_minute), api_key_id.hex
        allowed = self._local.hit(item, name, cost=cost)
        stats = self._local.get_window_stats(item, name)
        return _judge(allowed, Allowance(limit_per_minute, stats.remaining, stats.reset_time), cost)

    async def close(self) -> None:
        """Give the connections back."""
        if self._shared is not None:
            storage = cast(RedisStorage, self._shared.storage)
            await storage.bridge.storage.aclose()  # type: ignore[attr-defined]


def _storage(redis_url: str) -> RedisStorage:
    return RedisStorage(
        f"async+{redis_url}",
        implementation="redispy",
        socket_timeout=REDIS_PATIENCE_SECONDS,
        socket_connect_timeout=REDIS_PATIENCE_SECONDS,
    )


_item = cache(RateLimitItemPerMinute)


def _judge(allowed: bool, allowance: Allowance, cost: int) -> Allowance:
    if not allowed:
        RATE_LIMITED.inc()
        raise refusal(allowance, cost)
    return allowance


def refusal(allowance: Allowance, cost: int = 1) -> ApiError:
    """429, with the time after which a repeat may pass."""
    wait_seconds = max(1, allowance.reset_seconds)
    error = ApiError(
        "rate_limit",
        f"more than {allowance.limit} requests a minute; repeat after {wait_seconds} s"
        if cost <= allowance.limit
        else f"this counts as {cost} requests and the key has {allowance.limit} a minute; send fewer members at once",
        retryAfterSeconds=wait_seconds,
        headers={"Retry-After": str(wait_seconds)},
    )
    error.headers.update(headers(allowance))
    return error


def headers(allowance: Allowance) -> dict[str, str]:
    """The headers of every answer to a key with a limit (contract, section 2); Reset is in seconds from now."""
    return {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(allowance.reset_seconds),
    }
