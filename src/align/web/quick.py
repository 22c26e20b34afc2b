"""A short cut through uvicorn for the one operation that must be as fast as it gets.

Running an ASGI application costs uvicorn a task, an event and a dozen calls per request: more than half of what a sync
needs. This protocol is uvicorn's own, with one addition: a request of a *quick* operation that arrived whole, on a
connection that waits for nothing else, is handed over as headers and body, and its answer is written by a callback.
Whenever anything is out of the ordinary (see `_may_be_quick` and the handlers' `start`), the request takes the ordinary
way, which alone decides about refusals. docs/decisions/0006 has the measurements.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from align.web.http import MAXIMUM_BODY_BYTES, Answer, Request, header_list
from align.web.protocol import Protocol as OrdinaryProtocol


class QuickHandler(Protocol):
    """An operation that can be started without waiting for anything."""

    route: str

    def start(self, request: Request, body: bytes, callback: Callable[[Any], None]) -> bool:
        """Accept the request and call back once with its outcome or what went wrong.

        False when the request should take the ordinary way: nothing has happened then, and nobody is called.
        """

    def finish(self, request: Request, outcome: Any) -> Answer:
        """The answer, from what `start` called back with. Raises ApiError."""


# Counts and logs an answered request: request, answer, seconds.
Account = Callable[[Request, Answer, float], None]
# What the client is told of an error.
AnswerTo = Callable[[Request, Exception], Answer]


class Quick:
    """The quick operations of an application, by request target."""

    def __init__(self, handlers: Mapping[bytes, QuickHandler], account: Account, answer_to: AnswerTo) -> None:
        self.handlers = handlers
        self.account = account
        self.answer_to = answer_to


class _Exchange:
    """One quick request in the place of uvicorn's request-response cycle, as far as uvicorn looks at it."""

    __slots__ = ("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.body = b""
        self.more_body = False
        self.message_event = _NO_EVENT


class _NoEvent:
    def set(self) -> None:
        """Nobody waits: the body is complete."""


_NO_EVENT = _NoEvent()


class QuickProtocol(OrdinaryProtocol):
    """The HTTP protocol with the short cut."""

    _handler: QuickHandler | None = None
    _parts: list[bytes]

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is not whole after one read takes the ordinary way, with its time limits."""
        super().data_received(data)
        if self._handler is not None:
            self._leave()

    def on_request(self) -> None:
        """Hold the request back if it may be quick."""
        quick: Quick | None = getattr(self.app, "quick", None)
        handler = quick.handlers.get(self.url) if quick is not None else None
        if handler is not None and self._may_be_quick():
            self._handler = handler
            self._parts = []
        else:
            super().on_request()

    def _may_be_quick(self) -> bool:
        return (
            self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.pipeline
            and not self.expect_100_continue
            and not self.flow.write_paused
            and self.parser.get_http_version() == "1.1"
            and not self.parser.should_upgrade()
        )

    def on_body(self, body: bytes) -> None:
        """Collect the body of a request that is held back."""
        if self._handler is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Start the request: quickly, or the ordinary way."""
        handler = self._handler
        if handler is None:
            super().on_message_complete()
            return
        body = b"".join(self._parts)
        request = Request({"headers": self.headers, "method": "POST"}, None, handler.route)
        started = time.perf_counter()
        exchange = _Exchange(self.parser.should_keep_alive())

        def answer(outcome: Any) -> None:
            self._finish(exchange, handler, request, outcome, started)

        if len(body) <= MAXIMUM_BODY_BYTES and handler.start(request, body, answer):
            self._handler = None
            self.cycle = exchange  # type: ignore[assignment]
        else:
            self._leave()
            super().on_message_complete()

    def _leave(self) -> None:
        """The ordinary way for a request that was held back."""
        self._handler = None
        super().on_request()
        for part in self._parts:
            super().on_body(part)

    def _finish(
        self,
        exchange: _Exchange,
        handler: QuickHandler,
        request: Request,
        outcome: Any,
        started: float,
    ) -> None:
        quick: Quick = self.app.quick
        try:
            answer = handler.finish(request, outcome)
        except Exception as error:  # whatever it is, the client gets an answer and the log its cause
            answer = quick.answer_to(request, error)
        exchange.response_complete = True
        if not exchange.disconnected:
            self.transport.write(_serialize(request, answer, exchange.keep_alive))
            if not exchange.keep_alive:
                self.transport.close()
            self.on_response_complete()
        quick.account(request, answer, time.perf_counter() - started)


_date: tuple[int, bytes] = (0, b"")


def _date_line() -> bytes:
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, b"date: %s\r\n" % formatdate(now, usegmt=True).encode())
    return _date[1]


def _serialize(request: Request, answer: Answer, keep_alive: bool) -> bytes:
    parts = [STATUS_LINE[answer.status], _date_line()]
    parts += [b"%s: %s\r\n" % header for header in header_list(request, answer)]
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    parts.append(answer.body)
    return b"".join(parts)
