"""uvicorn's HTTP protocol, made fit for strangers.

What uvicorn leaves open: a head may be endless and take forever; trailer fields become headers; the body of a request
that offers an upgrade (as Java's client does to every plain-HTTP server) is lost; what is not HTTP is refused in a
form of its own.
"""

import asyncio
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from align.errors import ApiError
from align.web.http import ON_STOP, Request, error_answer, header_list

log = structlog.get_logger()

# Many times what any client sends. Looked at after each read, so that a little more may pass.
MAXIMUM_HEAD_BYTES = 64 * 1024
HEAD_PATIENCE_SECONDS = 30


class Protocol(HttpToolsProtocol):
    """One connection. `on_request` is called when the head of a request is complete."""

    _reads_head = False
    _head_bytes = 0
    _resumes = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_PATIENCE_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server begins to stop: a request that waits for something to happen is told."""
        super().shutdown()
        if tell := getattr(self.cycle, "scope", {}).get(ON_STOP):
            tell()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(ApiError("malformed_request", "this is not HTTP/1.1"))
        else:
            if self._reads_head:
                self._wait_for_head(len(data))

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        if not self._resumes:
            self._reads_head = True
            self._head_bytes = 0
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take the target."""
        if not self._resumes:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body (trailers) are no headers (RFC 9110, section 6.5.1)."""
        if self._reads_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if not self._resumes:
            self._reads_head = False
            self._stop_timer()
            self.on_request()

    def on_request(self) -> None:
        """Start the request; its body may follow."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is complete, unless the parser only thinks that another protocol follows."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Read on as if no upgrade had been offered: a new parser is told of the head again, as far as it frames."""
        framing = [
            b"%s: %s\r\n" % header for header in self.headers if header[0] in (b"content-length", b"transfer-encoding")
        ]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._resumes = True
        self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n"]))
        self._resumes = False
        if rest:
            self.data_received(rest)

    def _wait_for_head(self, read_bytes: int) -> None:
        self._head_bytes += read_bytes
        if self._head_bytes > MAXIMUM_HEAD_BYTES:
            self._refuse(ApiError("headers_too_large", f"the headers are larger than {MAXIMUM_HEAD_BYTES} bytes"))
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_PATIENCE_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._reads_head:
            self._refuse(ApiError("request_timeout", f"the headers did not arrive within {HEAD_PATIENCE_SECONDS} s"))
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: ApiError) -> None:
        """Answer what is no request, and close. While another request waits for its answer, only close."""
        self._stop_timer()
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete:
            request = Request({"headers": []}, None, "malformed")
            answer = error_answer(error, request.id)
            head = [STATUS_LINE[answer.status], *(b"%s: %s\r\n" % header for header in header_list(request, answer))]
            self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", answer.body]))
            log.info("refused what is no request", error=error.code, request_id=request.id)
        self.transport.close()
