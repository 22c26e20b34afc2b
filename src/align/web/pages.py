"""What is served outside the API: health, metrics, the documentation page and its assets."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import swagger_ui_bundle
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from align.web import metrics
from align.web.application import Page
from align.web.http import Answer, Request

# A database that answers later than this can't be said to take writes.
READINESS_SECONDS = 1.0

_DOCS = (Path(__file__).with_name("docs.html")).read_bytes()
_DOCS_SCRIPT = (Path(__file__).with_name("docs.js")).read_bytes()
# Everything comes from this server; the documentation's script writes its own styles.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def pages(pool: asyncpg.Pool, draining: Callable[[], bool], openapi: bytes) -> list[Page]:
    """All pages. `draining` tells that the server stops: it then is not ready for new work."""

    async def livez(_request: Request) -> Answer:
        return Answer(200, b'{"status":"ok"}')

    async def readyz(_request: Request) -> Answer:
        if draining():
            return Answer(503, b'{"status":"stopping"}')
        try:
            async with asyncio.timeout(READINESS_SECONDS):
                await pool.fetchval("select 1  -- crosses tenants: reads none")
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return Answer(503, b'{"status":"database unavailable"}')
        return Answer(200, b'{"status":"ok"}')

    async def prometheus(_request: Request) -> Answer:
        return Answer(200, metrics.exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")

    async def document(_request: Request) -> Answer:
        return Answer(200, openapi)

    async def docs(_request: Request) -> Answer:
        headers = {"Content-Security-Policy": _DOCS_POLICY, "Referrer-Policy": "no-referrer"}
        return Answer(200, _DOCS, headers, content_type="text/html; charset=utf-8")

    async def docs_script(_request: Request) -> Answer:
        return Answer(200, _DOCS_SCRIPT, content_type="text/javascript; charset=utf-8")

    return [
        Page("/livez", livez),
        Page("/readyz", readyz),
        Page("/metrics", prometheus),
        Page("/api/v1/openapi.json", document),
        Page("/docs", docs),
        Page("/docs/start.js", docs_script),
    ]


def mounts() -> list[Mount]:
    """The assets of the documentation page, out of their package."""
    return [Mount("/docs/assets", StaticFiles(directory=swagger_ui_bundle.swagger_ui_path))]
