"""A client for lists: what they are answered with is described by line, not as a whole."""

from collections.abc import AsyncIterator

import httpx
import pytest


@pytest.fixture(scope="session")
async def plain(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Sends lists, and takes any answer."""
    async with httpx.AsyncClient(base_url=base_url, timeout=60) as made:
        yield made
