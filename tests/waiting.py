"""Waiting for something to become true, with a deadline that only a fault reaches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.01


async def until(condition: Callable[[], Awaitable[T]], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """The first true result of `condition`; fails, saying `what` did not happen, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if result := await condition():
            return result
        assert time.monotonic() < deadline, f"after {seconds} s: no {what}"
        await asyncio.sleep(PAUSE_SECONDS)


def until_now(condition: Callable[[], T], what: str, seconds: float = PATIENCE_SECONDS) -> T:
    """As `until`, for a condition that needs no waiting itself."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, f"after {seconds} s: no {what}"
        time.sleep(PAUSE_SECONDS)
