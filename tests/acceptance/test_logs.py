"""The log of a server that is told to log everything: every line is JSON, and no key is in any of them."""

import base64
import hashlib
import json
import socket
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.acceptance.sending import entry_of
from tests.conftest import SYNC_PATH

JSON = {"Content-Type": "application/json"}
KEYS = ("organizationKey", "projectKey", "revokedKey", "expiredKey")


@pytest.fixture
def talkative(align, demo):
    """A server that logs every request."""
    server = align.start(ALIGN_LOG_FORMAT="json", ALIGN_ACCESS_LOG="all")
    server.ready()
    return server


def spellings(key: str) -> list[str]:
    """How a key, or what is stored of it, could show in a log."""
    digest = hashlib.sha256(key.encode()).digest()
    return [key[11:-1], digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode(), str(digest)[2:-1]]


def test_each_request_is_one_line_and_no_key_is_in_any(align, demo, talkative):
    url, key = talkative.ready(), demo["organizationKey"]
    sent = {}
    with httpx.Client(base_url=url) as client:
        for number, (each, body) in enumerate(requests(demo)):
            for headers in ({"Authorization": f"Bearer {each}"}, {"X-API-Key": each}):
                request_id = f"test-{number}-{'-'.join(headers)}"
                headers |= JSON | {"X-Request-Id": request_id, "Idempotency-Key": f"{each}-{number}"}
                sent[request_id] = client.post(SYNC_PATH, content=body, headers=headers).status_code
        # Where a key does not belong, but gets put.
        for path in (f"/api/v1/me?key={key}", f"/api/v1/{key}", f"{SYNC_PATH}/{key}"):
            client.get(path, headers={"X-API-Key": key, "Cookie": f"key={key}", "User-Agent": key})
    fail(align.database_url())
    fault = httpx.post(f"{url}{SYNC_PATH}", json=entry_of(demo, externalId="fault"), headers={"X-API-Key": key})
    assert fault.status_code == 500
    break_http(url, key)
    talkative.stop()

    logged = {line["request_id"]: line["status"] for line in talkative.events("request")}
    assert {request_id: logged[request_id] for request_id in sent} == sent
    assert set(sent.values()) >= {200, 201, 400, 401, 403}
    assert "exception" in talkative.events("request failed")[0]
    assert talkative.events("sync statement failed")
    for line in talkative.lines():  # reading them has shown that each is JSON
        assert {"event", "level", "timestamp"} <= set(line)
        assert line["event"] != "request" or set(line) >= {"method", "route", "status", "milliseconds", "request_id"}
    texts = [talkative.log.read_text("utf-8"), (align.data_dir / "postgres" / "log").read_text("utf-8", "replace")]
    for name in KEYS:
        for spelling in spellings(demo[name]):
            assert not [text for text in texts if spelling in text]


def requests(demo):
    """Keys and bodies: valid, valid again, invalid, of other keys, of none of ours."""
    entry = json.dumps(entry_of(demo))
    yield from ((demo[name], entry) for name in KEYS)
    yield from ((demo["organizationKey"], body) for body in (entry, "{", json.dumps(entry_of(demo, minutes=0))))
    yield demo["organizationKey"][:-1] + "x", entry


def fail(database_url):
    """From now on the database refuses one row."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "create function fail() returns trigger language plpgsql as $$ begin raise exception 'fault'; end $$"
        )
        connection.execute(
            "create trigger fail after insert on integration_links for each row "
            "when (new.external_id = 'fault') execute function fail()"
        )


def break_http(url, key):
    """Something that is not HTTP, which the server's HTTP library complains about in its own way."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nX-API-Key {key}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
