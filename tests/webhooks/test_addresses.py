"""Our own list of addresses that deliveries may go to: Python's own opinion of several of these is wrong."""

from ipaddress import ip_address, ip_network

import pytest

from align.webhooks import addresses

REFUSED = {
    "this network": ("0.0.0.0", "0.1.2.3"),  # noqa: S104 - nothing is bound
    "private": ("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.255"),
    "loopback": ("127.0.0.1", "127.1.2.3", "127.255.255.254", "::1"),
    "unspecified": ("::",),
    "link-local": ("169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1"),
    "site-local": ("fec0::1",),
    "unique local": ("fc00::1", "fd12:3456:789a::1"),
    "shared": ("100.64.0.1", "100.127.255.254"),
    "cloud metadata": (
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd20:ce::254",
    ),
    "protocol assignments": ("192.0.0.8", "192.0.0.170", "2001::1", "2001:10::1", "2001:20::1", "2001:1ff::1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "benchmarking": ("198.18.0.1", "198.19.255.254", "2001:2::1"),
    "6to4": ("192.88.99.1", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"),
    "mapped": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1"),
    "compatible": ("::127.0.0.1", "::8.8.8.8"),
    "translated": ("::ffff:0:127.0.0.1",),
    "Teredo": ("2001:0:53aa:64c::1",),
    "discard": ("100::1",),
    "segment routing": ("5f00::1",),
    "multicast": ("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "reserved": ("240.0.0.1", "255.255.255.255", "4000::1", "8000::1", "e000::1"),
    "AS112 and AMT": ("192.31.196.1", "192.175.48.1", "192.52.193.1", "2620:4f:8000::1"),
}
ALLOWED = (
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
)


def test_the_table_is_as_long_as_it_claims_to_be():
    assert len({each for group in REFUSED.values() for each in group}) >= 60


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in REFUSED.items() for text in texts], ids=lambda text: text
)
def test_nothing_is_sent_to_addresses_that_are_not_of_the_public_internet(kind, text):
    assert not addresses.is_allowed(addresses.parsed(text), []), kind


@pytest.mark.parametrize("text", ALLOWED)
def test_public_addresses_and_the_neighbours_of_refused_ones_are_allowed(text):
    assert addresses.is_allowed(addresses.parsed(text), [])


def test_a_network_that_the_operator_opened_is_allowed_and_nothing_beside_it():
    opened = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]
    assert addresses.is_allowed(ip_address("10.1.2.3"), opened)
    assert addresses.is_allowed(ip_address("::ffff:10.1.2.3"), opened)
    assert addresses.is_allowed(ip_address("fd00:1::5"), opened)
    assert not addresses.is_allowed(ip_address("10.2.0.1"), opened)
    assert not addresses.is_allowed(ip_address("fd00:2::5"), opened)
    assert not addresses.is_allowed(ip_address("127.0.0.1"), opened)
