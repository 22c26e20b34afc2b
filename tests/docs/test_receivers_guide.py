"""The tables of the receivers' guide are the program's; its receivers take what the program signs and nothing else."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from align.roles import KEY_MINTERS
from align.webhooks import names, requests, retrying, sender, signing, upkeep, webhooks, worker
from tests.docs.conftest import free_port
from tests.docs.markdown import ROOT, blocks, prose, section, table

GUIDE = ROOT / "docs" / "receivers-guide.md"
UNITS = {"s": 1, "min": 60, "h": 3600}
RECEIVERS = {"receiver.py": sys.executable, "receiver.mjs": "node"}
SECRET, OTHER_SECRET = signing.new_secret(), signing.new_secret()
BODY = '{"eventName":"time.approved","payload":{"after":{"description":"Zeiterfassung: ½ Tag"}}}'.encode()


def test_the_table_of_events_is_what_webhooks_can_ask_for():
    rows = [line for line in section(GUIDE, "## What arrives").splitlines() if re.match(r"\| `\w+\.\w+` ", line)]
    expected = [f"| `{name}` | {when} |" for name, when in names.EVENTS.items()]
    assert rows == expected, "docs/receivers-guide.md needs this table:\n" + "\n".join(expected)


def test_the_schedule_is_the_workers():
    rows = table(section(GUIDE, "## What is promised").partition("After a failure it is tried again")[2])
    waits = [int(number) * UNITS[unit] for number, unit in (row[1].split(" ") for row in rows)]
    assert waits == list(retrying.RETRY_AFTER_SECONDS)
    assert [int(row[0]) for row in rows] == list(range(2, 2 + len(waits)))
    assert f"up to {retrying.JITTER:.0%} more".replace("%", " %") in prose(GUIDE)


def test_the_bounds_that_are_named_are_the_programs():
    text = " ".join(prose(GUIDE).split())
    for words in (
        f"within {sender.TIMEOUT_SECONDS} seconds",
        f"no connection within {sender.CONNECT_SECONDS} seconds",
        f"no whole answer within {sender.TIMEOUT_SECONDS} s",
        f"failures for {retrying.DISABLED_AFTER.days} days",
        f"Up to {worker.IN_FLIGHT_PER_WEBHOOK} requests",
        f"{worker.IN_FLIGHT_PER_FAILING_WEBHOOK} while its attempts fail",
        f"more than {upkeep.KEPT.days} days ago",
        f"at most {webhooks.MAXIMUM_WEBHOOKS} webhooks",
        f"{sender.MAXIMUM_ANSWER_BYTES // 1024} KiB are read and {sender.SHOWN_ANSWER_BYTES // 1024} KiB is kept",
        f"`overlapSeconds` is {requests.DEFAULT_OVERLAP_SECONDS:,} unless given",
        f"{requests.MAXIMUM_OVERLAP_SECONDS // 86_400} days at most",
    ):
        assert words in text, words
    named = re.search(r"whose role is ([\w, ]+?), with", text)
    assert named
    assert set(re.split(r", | or ", named[1])) == KEY_MINTERS


@contextmanager
def receiving(name: str, directory: Path, secrets: str) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The guide's receiver as a program of its own; yields its URL and what reads the lines it has printed."""
    (text,) = (block.text for block in blocks(GUIDE) if block.marker == f"file {name}")
    (directory / name).write_text(text, "utf-8")
    place = f"127.0.0.1:{free_port()}"
    with (directory / "out").open("wb") as out, (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [RECEIVERS[name], name, place],
            cwd=directory,
            env={**os.environ, "WEBHOOK_SECRETS": secrets, "PYTHONIOENCODING": "utf-8"},
            stdout=out,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 30
        while not answers(place):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline
        yield f"http://{place}/align", lambda: (directory / "out").read_text("utf-8").splitlines()
    finally:
        process.kill()
        process.wait()


def answers(place: str) -> bool:
    try:
        return httpx.post(f"http://{place}/", timeout=5).status_code == 401
    except httpx.TransportError:
        return False


def signed(body: bytes = BODY, message_id: str = "message-1", age_seconds: int = 0, *secrets: str) -> dict[str, str]:
    return signing.headers(secrets or (SECRET,), message_id, int(time.time()) - age_seconds, body)


def tampered() -> dict[str, tuple[dict[str, str], bytes]]:
    """Requests that nobody with the secret has made, or not now, by what is wrong with them."""
    genuine = signed()
    signature = genuine["webhook-signature"]
    moved = str(int(genuine["webhook-timestamp"]) + 1)
    return {
        "another body": (genuine, BODY.replace(b"approved", b"rejected")),
        "a longer body": (genuine, BODY + b" "),
        "no body": (genuine, b""),
        "another id": ({**genuine, "webhook-id": "message-2"}, BODY),
        "another time": ({**genuine, "webhook-timestamp": moved}, BODY),
        "a point moved from id to time": (
            {**genuine, "webhook-id": "message-1." + genuine["webhook-timestamp"], "webhook-timestamp": ""},
            BODY,
        ),
        "signed six minutes ago": (signed(BODY, "message-1", 360), BODY),
        "signed in six minutes": (signed(BODY, "message-1", -360), BODY),
        "a time that is none": ({**genuine, "webhook-timestamp": "now"}, BODY),
        "a time without end": ({**genuine, "webhook-timestamp": "9" * 5000}, BODY),
        "another secret": (signed(BODY, "message-1", 0, OTHER_SECRET), BODY),
        "a key without bytes": (signed(BODY, "message-1", 0, "whsec_"), BODY),
        "no headers": ({}, BODY),
        "no signature": ({**genuine, "webhook-signature": ""}, BODY),
        "a version alone": ({**genuine, "webhook-signature": "v1,"}, BODY),
        "another version": ({**genuine, "webhook-signature": signature.replace("v1,", "v2,")}, BODY),
        "a shorter signature": ({**genuine, "webhook-signature": signature[:-8]}, BODY),
        "bytes beyond ASCII": ({**genuine, "webhook-signature": "v1,ÿþ"}, BODY),
    }


def in_bytes(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}


def needs(name: str) -> None:
    if shutil.which(RECEIVERS[name]) is None:
        pytest.skip(f"{RECEIVERS[name]} is not installed")


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_of_the_guide_takes_what_is_signed_once_and_refuses_what_is_tampered_with(name, tmp_path):
    needs(name)
    with receiving(name, tmp_path, SECRET) as (url, printed), httpx.Client() as client:
        for wrong, (headers, body) in tampered().items():
            assert client.post(url, content=body, headers=in_bytes(headers)).status_code == 401, wrong
        assert printed() == []
        for headers in (signed(), signed(BODY, "message-1", 200), signed(BODY, "message-2", -200)):
            assert client.post(url, content=BODY, headers=headers).status_code == 204
    assert printed() == [BODY.decode()] * 2, "one line for each webhook-id, however often it comes"


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_of_the_guide_loses_nothing_while_the_secret_is_rotated(name, tmp_path):
    needs(name)
    both = signed(BODY, "by both", 0, OTHER_SECRET, SECRET)
    with receiving(name, tmp_path, SECRET) as (url, _), httpx.Client() as client:
        assert client.post(url, content=BODY, headers=both).status_code == 204, "with the old secret"
        assert client.post(url, content=BODY, headers=signed(BODY, "x", 0, OTHER_SECRET)).status_code == 401
    with receiving(name, tmp_path, f"{OTHER_SECRET},{SECRET}") as (url, _), httpx.Client() as client:
        for secret in (SECRET, OTHER_SECRET):
            assert client.post(url, content=BODY, headers=signed(BODY, secret, 0, secret)).status_code == 204


@pytest.mark.parametrize("name", RECEIVERS)
def test_a_receiver_of_the_guide_without_a_secret_takes_nothing(name, tmp_path):
    needs(name)
    with receiving(name, tmp_path, ",") as (url, printed), httpx.Client() as client:
        for secret in (SECRET, "whsec_"):
            assert client.post(url, content=BODY, headers=signed(BODY, "x", 0, secret)).status_code == 401
    assert printed() == []


def test_the_check_of_the_simple_signature_takes_what_the_program_signs_and_nothing_else():
    (block,) = (it for it in blocks(GUIDE) if it.language == "python" and "X-Align-Signature" not in it.text
                and it.marker.startswith("not run"))  # fmt: skip
    scope: dict[str, Callable[[str, bytes, str], bool]] = {}
    exec(block.text, scope)  # noqa: S102 - the document's own code
    check, header = scope["is_genuine"], signed()["X-Align-Signature"]
    assert check(header, BODY, SECRET)
    assert not check(header, BODY + b" ", SECRET)
    assert not check(header, BODY, OTHER_SECRET)
    assert not check("", BODY, SECRET)
    assert not check(header.removeprefix("sha256="), BODY, SECRET)
    assert not check("sha256=ÿ", BODY, SECRET)
