"""When a delivery is tried again. Pure."""

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

# After the first attempt, and after each further one; some three days in all.
RETRY_AFTER_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# So that the receivers of a large outage are not all called at the same moment.
JITTER = 0.1
# A receiver that asks for more patience than this gets no more than this.
MAXIMUM_RETRY_AFTER_SECONDS = 86_400
DISABLED_AFTER = timedelta(days=5)
GONE = 410
# These may say when they want to be asked again.
THROTTLED = (429, 503)

Verdict = Literal["delivered", "gone", "retry"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt: the receiver's status and the beginning of its answer, or why there is none."""

    status: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: str | None = None


def verdict(attempt: Attempt) -> Verdict:
    """2xx is success, 410 ends the subscription, everything else, 3xx too, is tried again (Standard Webhooks)."""
    if attempt.status is not None and 200 <= attempt.status < 300:
        return "delivered"
    return "gone" if attempt.status == GONE else "retry"


def outcome(attempts: int, attempt: Attempt, now: datetime) -> tuple[str, float]:
    """The state of a delivery after its `attempts`-th attempt, and in how many seconds it is tried again."""
    told = verdict(attempt)
    if told == "delivered":
        return "delivered", 0.0
    wait = None if told == "gone" else next_wait_seconds(attempts, attempt, now)
    return ("failed", 0.0) if wait is None else ("pending", wait)


def next_wait_seconds(attempts: int, attempt: Attempt, now: datetime) -> float | None:
    """Seconds until the next attempt after `attempts` of them, or None when that was the last one."""
    if attempts > len(RETRY_AFTER_SECONDS):
        return None
    wait = RETRY_AFTER_SECONDS[attempts - 1] * (1 + random.random() * JITTER)  # noqa: S311 - no secret
    if attempt.status in THROTTLED:
        wait = max(wait, retry_after_seconds(attempt.retry_after, now))
    return wait


def retry_after_seconds(value: str | None, now: datetime) -> float:
    """What a `Retry-After` header asks for (RFC 9110: seconds or a date), within bounds; 0 for what can't be read."""
    if value is None:
        return 0
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), MAXIMUM_RETRY_AFTER_SECONDS)
    try:
        wait = (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 0
    return min(max(wait, 0), MAXIMUM_RETRY_AFTER_SECONDS)
