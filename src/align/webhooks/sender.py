"""Sends one delivery to its receiver: to checked addresses only, without redirects and proxies, within bounds."""

import os
import time
from collections.abc import Sequence
from types import TracebackType

import aiohttp

from align import __version__
from align.refusals import Refused
from align.webhooks import destinations, signing
from align.webhooks.addresses import Network
from align.webhooks.retrying import Attempt

TIMEOUT_SECONDS = 15
CONNECT_SECONDS = 5
# What is read of an answer, so that a receiver that talks on is cut; and what of it is kept to be shown.
MAXIMUM_ANSWER_BYTES = 64 * 1024
SHOWN_ANSWER_BYTES = 1024
# Shorter than receivers keep an idle connection, so that none is used just when they close it.
KEEPALIVE_SECONDS = 1


class Sender:
    """An HTTP client for webhooks; an `async with` block closes it."""

    def __init__(
        self,
        *,
        allow_http: bool,
        allowed: Sequence[Network],
        connections: int,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self._allow_http = allow_http
        self._allowed = allowed
        self._resolver = destinations.CheckedResolver(allowed, connections)
        connector = aiohttp.TCPConnector(
            limit=connections,
            keepalive_timeout=KEEPALIVE_SECONDS,
            # Each connection resolves anew, and goes to the addresses that were checked.
            resolver=self._resolver,
            use_dns_cache=False,
        )
        self._client = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS),
            headers={"User-Agent": f"Align/{__version__} (webhooks)", "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()
        await self._resolver.close()

    async def send(self, url: str, message_id: str, secrets: Sequence[str], body: bytes) -> Attempt:
        """One attempt. Whatever happens is an outcome, never an exception."""
        try:
            destinations.checked_url(url, allow_http=self._allow_http, allowed=self._allowed)
        except Refused as refused:
            return Attempt(error=f"not sent: {refused}")
        headers = signing.headers(secrets, message_id, int(time.time()), body)
        try:
            async with self._client.post(
                url, data=body, headers={"Content-Type": "application/json", **headers}, allow_redirects=False
            ) as response:
                return Attempt(
                    status=response.status,
                    answer=await _beginning(response),
                    retry_after=response.headers.get("Retry-After"),
                )
        except aiohttp.ConnectionTimeoutError:
            return Attempt(error=f"no connection within {CONNECT_SECONDS} s")
        except TimeoutError:
            return Attempt(error=f"no whole answer within {self.timeout_seconds:g} s")
        except Exception as error:  # a hostile receiver must not stop the worker, whatever it finds
            return Attempt(error=_storable(_told(error)))


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The beginning of the answer as text; the rest is read up to the bound, so that the connection can be kept."""
    read = b""
    async for chunk in response.content.iter_chunked(8192):
        read += chunk[:SHOWN_ANSWER_BYTES] if len(read) < SHOWN_ANSWER_BYTES else b""
        if response.content.total_bytes > MAXIMUM_ANSWER_BYTES:
            response.close()
            break
    return _storable(read[:SHOWN_ANSWER_BYTES].decode("utf-8", "replace"))


def _storable(text: str) -> str:
    """`text` without what PostgreSQL can't keep: NUL, and halves of surrogate pairs (bytes of headers)."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _told(error: BaseException) -> str:
    """What the subscriber is told: no address of ours, no more than a line."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        cause = error.os_error
        return str(cause) if isinstance(cause, destinations.DestinationRefused) else "the name can't be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"TLS failed: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"TLS failed: {error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {os.strerror(error.os_error.errno) if error.os_error.errno else 'refused'}"
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
