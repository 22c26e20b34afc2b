"""Where deliveries may go: the rules for a URL, and the resolver that answers checked addresses only."""

import asyncio
import re
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from align.refusals import Refused
from align.webhooks import addresses
from align.webhooks.addresses import Network

MAXIMUM_URL_LENGTH = 2048
_PLAIN = re.compile(r"[\x21-\x7e]+")


class DestinationRefused(OSError):
    """The name has an address that deliveries do not go to; nothing was sent."""


def checked_url(url: str, *, allow_http: bool, allowed: Sequence[Network]) -> str:
    """`url`, if deliveries may go there as far as the text tells. Raises Refused with what is wrong.

    Read strictly: what two parsers could read differently (white space, backslashes, user names) is refused.
    """
    if len(url) > MAXIMUM_URL_LENGTH or not _PLAIN.fullmatch(url) or "\\" in url:
        raise Refused(
            "destinationUrl", f"must be a URL of at most {MAXIMUM_URL_LENGTH} characters of printable ASCII (IDNA, %)"
        )
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise Refused("destinationUrl", "is not a URL") from None
    if parts.scheme != "https" and not (allow_http and parts.scheme == "http"):
        raise Refused("destinationUrl", "must begin with https://")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        raise Refused("destinationUrl", "must name a host, without user name, password and fragment")
    check_literal(host, allowed)
    return url


def check_literal(host: str, allowed: Sequence[Network]) -> None:
    """Raises Refused when `host` is an address, in any spelling that a resolver takes, to which nothing is sent."""
    try:
        address = addresses.parsed(host)
    except ValueError:
        try:
            address = addresses.parsed(socket.inet_ntoa(socket.inet_aton(host)))  # 127.1, 0x7f000001, 2130706433
        except (OSError, UnicodeEncodeError):
            return  # a name
    if not addresses.is_allowed(address, allowed):
        raise Refused("destinationUrl", f"{host} is not an address of the public internet")


class CheckedResolver(AbstractResolver):
    """Resolves a name once for a connection; if any of its addresses is refused, all are."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses to connect to. Raises OSError, or DestinationRefused."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        for *_, address in found:
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
        """Nothing is held."""
