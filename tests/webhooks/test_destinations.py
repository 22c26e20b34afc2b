"""Where deliveries go: the text of a URL, the addresses of a name, and nowhere else on the way."""

import socket
from ipaddress import ip_network
from typing import Any

import pytest

from align.refusals import Refused
from align.webhooks.destinations import CheckedResolver, DestinationRefused, checked_url, url_problem
from align.webhooks.sender import Sender
from tests.webhooks.canary import listening, redirect

LOOPBACK = [ip_network("127.0.0.0/8")]
NOT_PUBLIC = (
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/hook",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://168.63.129.16/",
    "https://100.100.100.200/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://hooks.localhost:8443/",
)
ODD = (
    # Addresses in spellings that resolvers take, and people do not read as such.
    "https://127.1/",
    "https://127.0.1/",
    "https://0x7f000001/",
    "https://0X7F.0.0.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://8.8.8.010/",
    "https://example.0x7f/",
    "https://①②⑦.0.0.1/",
    "https://１２７.０.０.１/",
    "https://127。0。0。1/",
    "https://%31%32%37.0.0.1/",
    "https://127.0.0.1%00.example.com/",
    # Addresses of IPv6 that are none, or name an interface.
    "https://[fe80::1%25eth0]/",
    "https://[2606:4700::1111%25eth0]/",
    "https://[2606:4700::1111%eth0]/",
    "https://[::1/",
    "https://::1/",
    "https://[127.0.0.1]/",
    "https://[v1.fe80::a]/",
    "https://[example.com]/",
    # Two readings.
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/",
    "https:\\\\example.com\\",
    "https://example.com/#",
    "https://example.com/#fragment",
    "https://example.com#@127.0.0.1/",
    "https://exa\tmple.com/",
    "https://exa\nmple.com/",
    "https://example.com/\r\nX-Injected: 1",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    " https://example.com/",
    "https://example.com/ ",
    "https://exa mple.com/",
    "\thttps://example.com/",
    "https://bücher.example/",
    # Ports.
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:443a/",
    "https://example.com:４４３/",
    # Hosts that are none.
    "https:///path",
    "https://",
    "https:",
    "https:example.com",
    "https:/example.com/",
    "https://./",
    "https://.example.com/",
    "https://exa..mple.com/",
    "https://-example.com/",
    "https://example-.com/",
    "https://exam*ple.com/",
    "https://exam'ple.com/",
    f"https://{'a' * 64}.com/",
    f"https://{'a.' * 127}com/",
    f"https://example.com/{'a' * 2048}",
    # Other schemes.
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "/path",
    "",
)
FINE = (
    "https://example.com",
    "https://example.com/",
    "https://Example.COM/Hook?token=a%20b&x=1",
    "https://example.com:8443/hook",
    "https://example.com:65535/",
    "https://hooks.eu-1.example.com./a",
    "https://xn--bcher-kva.example/",
    "https://with_underscore.example.com/",
    "https://1e100.example/",
    "https://0x7f.example.com/",
    "https://localhost.example.com/",
    "https://8.8.8.8/",
    "https://8.8.8.8:8443/",
    "https://[2606:4700:4700::1111]/",
    "https://[2606:4700:4700::1111]:8443/",
    "HTTPS://example.com/",
    "https://example.com/@user",
)


@pytest.mark.parametrize("url", NOT_PUBLIC)
def test_addresses_of_no_public_network_are_refused_and_named(url):
    problem = url_problem(url, allow_http=False, allowed=[])
    assert problem is not None
    assert "public internet" in problem


@pytest.mark.parametrize("url", ODD)
@pytest.mark.parametrize("allowed", [[], LOOPBACK], ids=["public", "loopback opened"])
def test_what_can_be_read_in_two_ways_is_refused_whatever_is_opened(url, allowed):
    assert url_problem(url, allow_http=False, allowed=allowed) is not None
    with pytest.raises(Refused) as refused:
        checked_url(url, allow_http=False, allowed=allowed)
    assert refused.value.field == "destinationUrl"


@pytest.mark.parametrize("url", FINE)
def test_urls_of_the_public_internet_are_taken_as_they_are(url):
    assert checked_url(url, allow_http=False, allowed=[]) == url


def test_http_is_taken_only_where_the_operator_allows_it():
    url = "http://example.com/hook"
    assert url_problem(url, allow_http=False, allowed=[]) == "must begin with https://"
    assert url_problem(url, allow_http=True, allowed=[]) is None
    assert url_problem("ftp://example.com/hook", allow_http=True, allowed=[]) is not None


def test_an_opened_network_opens_its_addresses_and_this_machines_names():
    for url in ("https://127.0.0.1:8443/", "https://localhost/", "https://[::ffff:127.0.0.1]/"):
        assert url_problem(url, allow_http=False, allowed=LOOPBACK) is None
    assert url_problem("https://10.0.0.1/", allow_http=False, allowed=LOOPBACK) is not None


Answers = list[tuple[str, ...]]


def answering(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> list[str]:
    """Every name has these addresses, one tuple for each question, the last one for ever; returns the questions."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        kind = options["type"]
        return [
            (socket.AF_INET6, kind, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, kind, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def resolved(host: str) -> list[Any]:
    """What the resolver answers for a name."""
    resolver = CheckedResolver([], 1)
    try:
        return await resolver.resolve(host, 443)
    finally:
        await resolver.close()


async def test_a_name_goes_to_the_addresses_that_were_checked(monkeypatch):
    asked = answering(monkeypatch, [("8.8.8.8", "2606:4700:4700::1111"), ("127.0.0.1",)])
    found = await resolved("example.com")
    assert [(each["host"], each["port"], each["hostname"]) for each in found] == [
        ("8.8.8.8", 443, "example.com"),
        ("2606:4700:4700::1111", 443, "example.com"),
    ]
    assert {each["flags"] for each in found} == {socket.AI_NUMERICHOST}
    assert asked == ["example.com"]


@pytest.mark.parametrize(
    "found",
    [
        ("127.0.0.1",),
        ("8.8.8.8", "127.0.0.1"),
        ("127.0.0.1", "8.8.8.8"),
        ("8.8.8.8", "::1"),
        ("2606:4700:4700::1111", "fe80::1%eth0"),
        ("8.8.8.8", "::ffff:10.0.0.1"),
        ("169.254.169.254",),
    ],
    ids=", ".join,
)
async def test_one_refused_address_among_a_names_addresses_refuses_the_name(monkeypatch, found):
    answering(monkeypatch, [found])
    with pytest.raises(DestinationRefused, match=r"example\.com"):
        await resolved("example.com")


@pytest.mark.parametrize("spelling", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0", "localhost"])
async def test_the_system_resolver_may_take_odd_spellings_which_are_checked_all_the_same(spelling):
    with pytest.raises(DestinationRefused):
        await resolved(spelling)


async def send(url: str, *, allowed: list[Any], allow_http: bool = True) -> Any:
    async with Sender(allow_http=allow_http, allowed=allowed, connections=4) as sender:
        return await sender.send(url, "0d9f2f0e-0000-0000-0000-000000000005", ["whsec_" + "A" * 43 + "="], b"{}")


async def test_a_name_that_leads_to_this_machine_gets_nothing(monkeypatch):
    answering(monkeypatch, [("127.0.0.1",)])
    async with listening() as canary:
        attempt = await send(f"http://rebound.example:{canary.port}/", allowed=[])
    assert attempt.error == "rebound.example has an address to which nothing is sent"
    assert (attempt.status, canary.hits) == (None, 0)


async def test_a_name_with_a_public_address_and_this_machines_gets_nothing(monkeypatch):
    answering(monkeypatch, [("8.8.8.8", "127.0.0.1")])
    async with listening() as canary:
        attempt = await send(f"http://both.example:{canary.port}/", allowed=[])
    assert "nothing is sent" in attempt.error
    assert canary.hits == 0


async def test_a_name_that_changes_between_check_and_connection_is_asked_once(monkeypatch):
    """Rebinding: the first question has an allowed answer, every later one would have another."""
    async with listening() as receiver, listening() as canary:
        asked = answering(monkeypatch, [("127.0.0.1",), ("127.0.0.2",)])
        attempt = await send(f"http://rebound.example:{receiver.port}/", allowed=[ip_network("127.0.0.1/32")])
    assert attempt.status == 204
    assert asked == ["rebound.example"]
    assert (receiver.hits, canary.hits) == (1, 0)
    assert f"\r\nhost: rebound.example:{receiver.port}\r\n".encode() in receiver.requests[0].lower()


async def test_each_attempt_asks_and_checks_anew(monkeypatch):
    async with listening() as receiver:
        answering(monkeypatch, [("127.0.0.1",), ("127.0.0.2",)])
        allowed = [ip_network("127.0.0.1/32")]
        async with Sender(allow_http=True, allowed=allowed, connections=4) as sender:
            secrets = ["whsec_" + "A" * 43 + "="]
            url = f"http://rebound.example:{receiver.port}/"
            first, second = [await sender.send(url, "an-id", secrets, b"{}") for _ in range(2)]
    assert (first.status, second.status) == (204, None)
    assert "nothing is sent" in second.error
    assert receiver.hits == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "2130706433"])
async def test_what_was_stored_before_the_rules_is_checked_at_each_attempt(host):
    async with listening() as canary:
        attempt = await send(f"http://{host}:{canary.port}/", allowed=[])
    assert attempt.error.startswith("not sent: ")
    assert canary.hits == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_failures_and_lead_nowhere(status):
    async with listening() as canary, listening(redirect(f"http://127.0.0.1:{canary.port}/", status)) as receiver:
        attempt = await send(f"http://127.0.0.1:{receiver.port}/", allowed=LOOPBACK)
    assert (attempt.status, attempt.error) == (status, None)
    assert (receiver.hits, canary.hits) == (1, 0)


async def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    async with listening() as canary, listening() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        attempt = await send(f"http://127.0.0.1:{receiver.port}/", allowed=LOOPBACK)
    assert (attempt.status, receiver.hits, canary.hits) == (204, 1, 0)


async def test_credentials_of_the_environment_are_not_sent(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with listening() as receiver:
        await send(f"http://127.0.0.1:{receiver.port}/", allowed=LOOPBACK)
    assert b"authorization" not in receiver.requests[0].lower()


async def test_cookies_of_an_answer_do_not_come_back():
    answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\nSet-Cookie: a=b\r\n\r\n"
    async with listening(answer) as receiver, Sender(allow_http=True, allowed=LOOPBACK, connections=1) as sender:
        for _ in range(2):
            await sender.send(f"http://127.0.0.1:{receiver.port}/", "an-id", ["whsec_" + "A" * 43 + "="], b"{}")
    assert len(receiver.requests) == 2
    assert not [each for each in receiver.requests if b"cookie" in each.lower()]
