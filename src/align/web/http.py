"""One request and one answer, as far as every operation needs them."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qsl

import structlog
from starlette.types import Receive

from align.errors import ApiError, Problem, invalid, render
from align.ids import new_id_text

log = structlog.get_logger()

# A body of 64 KiB needs no longer on any line that can carry the answer back.
BODY_PATIENCE_SECONDS = 30
MAXIMUM_BODY_BYTES = 64 * 1024
# What is read of a refused body, for its sender's sake.
DISCARD_SECONDS = 1.0
MAXIMUM_DISCARDED_BYTES = 16 * 1024 * 1024

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_JSON = re.compile(rb'application/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)

# Where a request that waits leaves its wish to be told that the server stops; the protocol looks for it.
ON_STOP = "align.on_stop"

HeaderList = list[tuple[bytes, bytes]]


class Request:
    """A request: its id, headers (lower-case names), path parameters, and the headers its answer must carry."""

    __slots__ = ("_unread", "answer_headers", "headers", "id", "path_parameters", "receive", "route", "scope")

    def __init__(self, scope: Mapping[str, Any], receive: Receive | None, route: str) -> None:
        self.scope = scope
        self.receive = receive
        self._unread = True
        self.route = route
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.path_parameters: Mapping[str, str] = scope.get("path_params", {})
        # Everything that the answer carries whatever happens: the rate-limit headers, Ignored-Fields.
        self.answer_headers: dict[str, str] = {}
        given = self.headers.get(b"x-request-id")
        self.id = given.decode() if given is not None and _REQUEST_ID.fullmatch(given) else new_id_text()

    def header(self, name: str) -> str | None:
        """A header's value; bytes that are not ASCII are kept apart as Latin-1, as HTTP has it."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def header_values(self, name: bytes) -> list[str]:
        """All values of a header that was perhaps sent more than once."""
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]

    def query_pairs(self) -> list[tuple[str, str]]:
        """The query's parameters in their order. Raises ApiError 400 for a query that is not UTF-8."""
        try:
            return parse_qsl(
                self.scope["query_string"].decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=50
            )
        except (ValueError, UnicodeDecodeError):
            raise invalid([Problem("query", "invalid_query", "must be percent-encoded UTF-8")]) from None

    async def body(self, maximum_bytes: int = MAXIMUM_BODY_BYTES) -> bytes:
        """The whole body. Raises ApiError 413 when it is larger than `maximum_bytes`, 408 when it stalls."""
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared[:20]) > maximum_bytes:
            await self._discard()
            raise too_large(maximum_bytes)
        body, more = b"", True
        try:
            async with asyncio.timeout(BODY_PATIENCE_SECONDS):
                while more:
                    part, more = await self._next_part()
                    body += part
                    if len(body) > maximum_bytes:
                        await self._discard(more)
                        raise too_large(maximum_bytes)
        except TimeoutError:
            raise _stalled() from None
        return body

    async def parts(self) -> AsyncIterator[bytes]:
        """The body as it arrives, however long it is. Raises ApiError 408 when it stalls."""
        more = True
        while more:
            try:
                async with asyncio.timeout(BODY_PATIENCE_SECONDS):
                    part, more = await self._next_part()
            except TimeoutError:
                raise _stalled() from None
            yield part

    def tell_when_server_stops(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when the server begins to stop, so that a request which only waits can end."""
        cast(dict[str, Any], self.scope)[ON_STOP] = tell

    async def _next_part(self) -> tuple[bytes, bool]:
        if self.receive is None:
            raise ValueError("the body was given with the request")
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self._unread = message.get("more_body", False)
        return message.get("body", b""), self._unread

    async def discard(self) -> None:
        """Read what is left of a body whose request is refused, for a moment."""
        if self._unread:
            await self._discard()

    async def _discard(self, more: bool = True) -> None:
        """Read on for a moment: a connection closed with bytes unread is reset, and its sender misses the answer."""
        if b"expect" in self.headers:  # the sender waits for a word before it sends the body; it gets the answer
            return
        discarded = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(DISCARD_SECONDS):
                while more and discarded < MAXIMUM_DISCARDED_BYTES:
                    part, more = await self._next_part()
                    discarded += len(part)

    def media_type_problem(self) -> ApiError | None:
        """415, unless the body is declared as plain JSON in UTF-8."""
        if not _JSON.fullmatch(self.headers.get(b"content-type", b"")):
            return ApiError("unsupported_media_type", "send the body as 'Content-Type: application/json', in UTF-8")
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return ApiError("unsupported_media_type", "send the body uncompressed, without Content-Encoding")
        return None


class ClientGone(Exception):
    """The client hung up before its request was complete: nobody waits for an answer."""


class Answer:
    """What goes back: status, body (JSON unless `content_type` says otherwise), further headers."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.content_type = content_type


# These have no body, and must not say its length (RFC 9110, section 8.6).
NO_CONTENT = 204
NOT_MODIFIED = 304
WITHOUT_BODY = (NO_CONTENT, NOT_MODIFIED)
_COMMON_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]


def header_list(request: Request, answer: Answer) -> HeaderList:
    """All headers of the answer, with those that every answer carries."""
    headers = [(b"x-request-id", request.id.encode()), *_COMMON_HEADERS]
    if answer.status not in WITHOUT_BODY:
        headers.insert(0, (b"content-type", answer.content_type.encode()))
        if not isinstance(answer, StreamedAnswer):
            headers.append((b"content-length", b"%d" % len(answer.body)))
    for more in (request.answer_headers, answer.headers):
        if more:
            headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in more.items()]
    return headers


class StreamedAnswer(Answer):
    """An answer whose body is made while it is sent."""

    __slots__ = ("chunks",)

    def __init__(self, status: int, chunks: AsyncGenerator[bytes, None], content_type: str) -> None:
        super().__init__(status, b"", content_type=content_type)
        self.chunks = chunks


def error_answer(error: ApiError, request_id: str) -> Answer:
    """A refusal as an answer."""
    return Answer(error.status, render(error, request_id), error.headers)


def _stalled() -> ApiError:
    return ApiError(
        "request_timeout",
        f"the body did not arrive within {BODY_PATIENCE_SECONDS} s",
        headers={"Connection": "close"},
    )


def too_large(maximum_bytes: int) -> ApiError:
    """413; the connection closes, since the rest of the body is not read."""
    return ApiError(
        "payload_too_large",
        f"the body is larger than {maximum_bytes} bytes",
        maximumBytes=maximum_bytes,
        headers={"Connection": "close"},
    )
