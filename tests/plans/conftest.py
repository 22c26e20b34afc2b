"""A database with 100,000 time entries for the tests of plans."""

from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
import pytest

from align.db import migrate
from tests.plans.explaining import Large, fill


@pytest.fixture(scope="session")
async def large(database_url: str) -> AsyncIterator[Large]:
    """See explaining.py."""
    name = f"plans_{uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    url = database_url.replace("/align?", f"/{name}?")
    assert url != database_url
    migrate.migrate(url)
    async for made in fill(url):
        yield made
