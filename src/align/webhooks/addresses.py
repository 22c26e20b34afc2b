"""Which addresses a delivery may go to. Our own list: Python's differs from version to version. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The special-purpose registries of IANA, and what cloud providers put at addresses that look public.
_REFUSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared, and metadata at Alibaba (100.100.100.200)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # platform of Azure
        "169.254.0.0/16",  # link-local, and metadata at most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# The one block that is handed out for the public internet; everything else is refused by not being in it.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_REFUSED_IPV6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: holds an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


def is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether a delivery may go to `address`; `allowed` are networks that the operator has opened."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if any(address in network for network in allowed if network.version == address.version):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _REFUSED_IPV6)


def parsed(text: str) -> Address:
    """The address that a resolver has answered, without its zone, such as %eth0."""
    return ip_address(text.split("%")[0])
