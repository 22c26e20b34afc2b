"""Where deliveries may go: the rules for a URL, and the resolver that answers checked addresses only."""

import asyncio
import re
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from align.refusals import Refused
from align.webhooks import addresses
from align.webhooks.addresses import Address, Network

MAXIMUM_URL_LENGTH = 2048
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# One label of a name, punycode included; underscores occur in names although hosts should have none.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,254}}$){_LABEL}(?:\.{_LABEL})*\.?")
# What some parsers take for an IPv4 address, in whatever spelling: the last label is a number (WHATWG URL).
_ENDS_WITH_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
# Names of this very machine, which need no resolver (RFC 6761).
_LOOPBACK = IPv4Address("127.0.0.1")
_LOCAL = re.compile(r"(?:.*\.)?localhost\.?", re.IGNORECASE)


class DestinationRefused(OSError):
    """The name has an address that deliveries do not go to; nothing was sent."""


def checked_url(url: str, *, allow_http: bool, allowed: Sequence[Network]) -> str:
    """`url`, if deliveries may go there as far as the text tells. Raises Refused with what is wrong.

    Read strictly: what two parsers could read differently (white space, backslashes, user names, odd spellings of
    addresses, escapes in a host) is refused.
    """
    if problem := url_problem(url, allow_http=allow_http, allowed=allowed):
        raise Refused("destinationUrl", problem)
    return url


def url_problem(url: str, *, allow_http: bool, allowed: Sequence[Network]) -> str | None:
    """What keeps deliveries from going to `url`, or None."""
    if len(url) > MAXIMUM_URL_LENGTH:
        return f"must have at most {MAXIMUM_URL_LENGTH} characters"
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        return "must be of printable ASCII without spaces and backslashes; a host's name in punycode, such as xn--..."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "must be a URL: https://, a host, and a path"
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        return "must begin with https://"
    if not host or "@" in parts.netloc or "#" in url:
        return "must name a host, without user name, password and fragment"
    if port == 0 or parts.netloc.endswith(":"):
        return "must have a port from 1 to 65535, or none"
    return _host_problem(host, bracketed=parts.netloc.startswith("["), allowed=allowed)


def _host_problem(host: str, *, bracketed: bool, allowed: Sequence[Network]) -> str | None:
    if not bracketed and not _ENDS_WITH_NUMBER.fullmatch(host):
        if not _NAME.fullmatch(host):
            return "must name a host by letters, digits, hyphens and dots"
        is_refused = _LOCAL.fullmatch(host) and not addresses.is_allowed(_LOOPBACK, allowed)
        return _refused(host) if is_refused else None
    try:
        address: Address = IPv6Address(host) if bracketed else IPv4Address(host)
    except ValueError:
        return "must write an address as 192.0.2.1 or [2001:db8::1]"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "must write an address without a zone"
    return None if addresses.is_allowed(address, allowed) else _refused(host)


def _refused(host: str) -> str:
    return f"must lead to the public internet, which {host} does not"


class CheckedResolver(AbstractResolver):
    """Resolves a name once for a connection; if any of its addresses is refused, all are."""

    def __init__(self, allowed: Sequence[Network], at_once: int = 64) -> None:
        self._allowed = allowed
        # Of its own, and one for every connection: the few that all of a process share would soon be taken up by names
        # whose servers do not answer.
        self._threads = ThreadPoolExecutor(at_once, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to. Raises OSError, or DestinationRefused."""
        resolve = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, family=family)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, resolve)
        for *_, address in found:
            # A zone such as %eth0 is dropped: only link-local addresses have one, and those are refused.
            if not addresses.is_allowed(addresses.parsed(str(address[0])), self._allowed):
                raise DestinationRefused(f"{host} has an address to which nothing is sent")
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nobody waits for names that are still looked up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
