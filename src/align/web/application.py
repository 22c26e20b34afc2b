"""The ASGI application: finds the operation, turns every failure into the one error form, counts and logs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from align.db.failures import is_unavailable
from align.errors import ApiError
from align.web.http import Answer, ClientGone, Request, StreamedAnswer, error_answer, header_list
from align.web.metrics import AUTHENTICATION_FAILURES, REQUEST_SECONDS, REQUESTS
from align.web.operation import Handler, Operation
from align.web.quick import Quick, QuickHandler

log = structlog.get_logger()

# How long a client may leave a streamed answer unread before the connection is given up.
UNREAD_PATIENCE_SECONDS = 60
# Slower than this is worth a line whatever the status.
SLOW_SECONDS = 1.0


class Page:
    """Something that is served outside the API: health, metrics, documentation."""

    def __init__(self, path: str, handler: Handler) -> None:
        self.path = path
        self.handler = handler


class Application:
    """All operations and pages as one ASGI application."""

    def __init__(
        self,
        operations: Sequence[Operation],
        pages: Sequence[Page],
        mounts: Sequence[Mount],
        access_log: str,
        lifespan: Lifespan[Router],
        quick: Mapping[bytes, QuickHandler],
    ) -> None:
        self._access_log = access_log
        self._counters: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self.quick = Quick(quick, self._account, answer_to)
        paths: dict[str, tuple[str, dict[str, Handler]]] = {}
        for operation in operations:
            for path in operation.paths:
                paths.setdefault(path, (operation.route, {}))[1][operation.method] = operation.handler
        for page in pages:
            paths[page.path] = (page.path, {"GET": page.handler})
        endpoints = {path: self._endpoint(route, handlers) for path, (route, handlers) in paths.items()}
        # Paths without parameters skip the router, which tries one pattern after the other.
        self._exact = {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}
        self._unknown = self._endpoint("unknown", {})
        self._router = Router(
            [*mounts, *(Route(path, endpoint=_Asgi(endpoint)) for path, endpoint in endpoints.items())],
            default=_Asgi(self._unknown),
            redirect_slashes=False,
            lifespan=lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of ASGI."""
        if scope["type"] == "http" and (endpoint := self._exact.get(scope["path"])):
            await endpoint(scope, receive, send)
        else:
            try:
                await self._router(scope, receive, send)
            except HTTPException:  # a mount's way to say that it has no such file
                await self._unknown(scope, receive, send)

    def _endpoint(self, route: str, handlers: dict[str, Handler]) -> ASGIApp:
        async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
            started = time.perf_counter()
            request = Request(scope, receive, route)
            answer = await _answer(request, handlers)
            await _send(request, answer, send)
            self._account(request, answer, time.perf_counter() - started)

        return endpoint

    def _account(self, request: Request, answer: Answer, seconds: float) -> None:
        key = (request.route, request.scope["method"], answer.status)
        count = self._counters.get(key)
        if count is None:
            # Methods that nothing answers are one label: anybody can invent more.
            known = answer.status != HTTPStatus.METHOD_NOT_ALLOWED and request.route != "unknown"
            count = self._counters[key] = _counter(request.route, key[1] if known else "other", answer.status)
        count(seconds)
        self._log(request, answer, seconds)

    def _log(self, request: Request, answer: Answer, seconds: float) -> None:
        noteworthy = answer.status >= HTTPStatus.BAD_REQUEST or seconds > SLOW_SECONDS
        if self._access_log == "none" or (self._access_log == "errors" and not noteworthy):
            return
        log.info(
            "request",
            method=request.scope["method"],
            route=request.route,
            status=answer.status,
            milliseconds=round(seconds * 1000, 1),
            request_id=request.id,
        )


async def _answer(request: Request, handlers: dict[str, Handler]) -> Answer:
    handler = handlers.get(request.scope["method"])
    if handler is None:
        return error_answer(_no_handler(handlers), request.id)
    try:
        return await handler(request)
    except Exception as error:  # whatever it is, the client gets an answer and the log its cause
        return answer_to(request, error)


def answer_to(request: Request, error: Exception) -> Answer:
    """What the client is told: the refusal, 503 when the database is out of reach, 500 for a fault of ours."""
    if isinstance(error, ApiError):
        if error.status == HTTPStatus.UNAUTHORIZED:
            AUTHENTICATION_FAILURES.labels(error.code).inc()
        return error_answer(error, request.id)
    if isinstance(error, ClientGone):
        return error_answer(ApiError("request_timeout", "the client hung up"), request.id)
    if is_unavailable(error):
        log.error(
            "database unavailable",
            route=request.route,
            request_id=request.id,
            reason=f"{type(error).__name__}: {error}",
        )
        text = "the database can't be reached; repeat the same call, which settles it"
        return error_answer(ApiError("database_unavailable", text, headers={"Retry-After": "1"}), request.id)
    log.error("request failed", route=request.route, request_id=request.id, exc_info=error)
    text = f"a fault of ours; it is logged under {request.id}. Repeating is safe."
    return error_answer(ApiError("internal_error", text), request.id)


def _no_handler(handlers: dict[str, Handler]) -> ApiError:
    if not handlers:
        return ApiError("not_found", "there is nothing at this path; the API is documented at /docs")
    allowed = ", ".join(sorted(handlers))
    return ApiError(
        "method_not_allowed", f"this path takes {allowed} only", allowed=sorted(handlers), headers={"Allow": allowed}
    )


async def _send(request: Request, answer: Answer, send: Send) -> None:
    start: Message = {"type": "http.response.start", "status": answer.status, "headers": header_list(request, answer)}
    await send(start)
    if isinstance(answer, StreamedAnswer):
        async with aclosing(answer.chunks) as chunks:
            async for chunk in chunks:
                # A client that writes on without reading would wait for us while we wait for it.
                async with asyncio.timeout(UNREAD_PATIENCE_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": answer.body})


def _counter(route: str, method: str, status: int) -> Callable[[float], None]:
    requests = REQUESTS.labels(method, route, str(status))
    durations = REQUEST_SECONDS.labels(method, route)

    def count(seconds: float) -> None:
        requests.inc()
        durations.observe(seconds)

    return count


class _Asgi:
    """An ASGI function as an object: the router takes functions for handlers of another kind."""

    def __init__(self, endpoint: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._endpoint(scope, receive, send)
