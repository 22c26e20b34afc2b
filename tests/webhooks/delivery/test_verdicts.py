"""What the worker makes of whatever a receiver does: verdict, next attempt, what is kept of the answer."""

import asyncio
import gzip
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from align.webhooks import retrying
from tests.waiting import until
from tests.webhooks.delivery.conftest import subscribe, working
from tests.webhooks.receiver import answer, receiving

FIRST_WAIT = retrying.RETRY_AFTER_SECONDS[0]


def is_wait(delivery, seconds: float) -> bool:
    """Whether it is tried again after `seconds` and their jitter, less what has passed since."""
    wait = delivery["wait"].total_seconds()
    return seconds - 5 < wait <= seconds * (1 + retrying.JITTER)


def self_signed(name: str, key_file: Path) -> bytes:
    """A certificate for `name` in PEM that nobody vouches for; its key is written to `key_file`."""
    key = ec.generate_private_key(ec.SECP256R1())
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


async def delivered(hook, timeout_seconds: float = 10):
    """One event and its first attempt: the delivery, the attempt."""
    await hook.log()
    async with working(hook.world.pool, timeout_seconds):
        (delivery,) = await hook.attempted()
    (attempt,) = await hook.attempts()
    return delivery, attempt


@pytest.mark.parametrize(
    ("raw", "status", "shown"),
    [
        (answer(200, b"thanks"), 200, "thanks"),
        (answer(201), 201, ""),
        (answer(299), 299, ""),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\nConnection: close\r\n\r\n", 204, ""),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, "old"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(200, b"late"), 200, "late"),
        (answer(200, b"a\x00b\xff"), 200, "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"),
    ],
    ids=["200", "201", "299", "204 that tells a length", "HTTP/1.0", "103 before 200", "no text"],
)
async def test_2xx_is_success(hook, receiver, raw, status, shown):
    async def tell(writer):
        writer.write(raw)
        writer.close()

    receiver.always(tell)
    delivery, attempt = await delivered(hook)
    assert (delivery["state"], delivery["attempts"], delivery["lease"]) == ("delivered", 1, None), attempt
    assert delivery["settled_at"] is not None
    assert (attempt["number"], attempt["status"], attempt["answer"], attempt["error"]) == (1, status, shown, None)
    assert attempt["duration_milliseconds"] >= 0
    assert (await hook.row())["failing_since"] is None


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308, 400, 401, 404, 500, 502, 504, 599])
async def test_other_answers_are_failures_and_tried_again(hook, receiver, status):
    receiver.always(
        answer(status, b"" if status == 304 else b"no", Location="http://169.254.169.254/latest/", Retry_After="3600")
    )
    delivery, attempt = await delivered(hook)
    assert (delivery["state"], delivery["attempts"], attempt["status"]) == ("pending", 1, status)
    assert is_wait(delivery, FIRST_WAIT)  # Retry-After is for 429 and 503
    assert len(receiver.requests) == 1
    assert (await hook.row())["failing_since"] is not None


async def test_a_redirect_to_another_receiver_is_not_followed(hook, receiver):
    async with receiving() as other:
        receiver.always(answer(307, Location=other.url))
        delivery, _ = await delivered(hook)
        assert (delivery["state"], other.requests) == ("pending", [])


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", FIRST_WAIT),
        ("-5", FIRST_WAIT),
        ("99999999999999999999", retrying.MAXIMUM_RETRY_AFTER_SECONDS),
        ("soon", FIRST_WAIT),
        ("Mon, 99 Foo 99999999999999999999 99:99:99 GMT", FIRST_WAIT),
        ("\xff\xfe", FIRST_WAIT),
        ("", FIRST_WAIT),
        (timedelta(minutes=10), 600),
        (timedelta(days=-1), FIRST_WAIT),
        (timedelta(days=400), retrying.MAXIMUM_RETRY_AFTER_SECONDS),
    ],
    ids=str,
)
async def test_retry_after_is_honoured_within_bounds(hook, receiver, status, value, seconds):
    if isinstance(value, timedelta):
        value = format_datetime(datetime.now(UTC) + value, usegmt=True)
    raw = f"HTTP/1.1 {status} No\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    receiver.always(raw)
    delivery, attempt = await delivered(hook)
    assert (delivery["state"], attempt["status"]) == ("pending", status)
    assert is_wait(delivery, seconds)


async def test_the_answer_is_kept_up_to_1_kib(hook, receiver):
    receiver.always(answer(500, b"x" * 5000))
    _, attempt = await delivered(hook)
    assert attempt["answer"] == "x" * 1024


async def test_10_mb_are_cut_with_bounded_memory(hook, receiver):
    sent = 0

    async def pour(writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"y" * 100_000)
            await writer.drain()
            sent += 100_000

    receiver.always(pour)
    delivery, attempt = await delivered(hook)
    assert (delivery["state"], attempt["answer"]) == ("delivered", "y" * 1024)
    assert sent < 20_000_000  # what fits into the buffers of both sockets, but not all of it


async def test_a_gzip_bomb_is_not_inflated(hook, receiver):
    bomb = gzip.compress(b"\0" * 50_000_000)
    receiver.always(answer(200, bomb, Content_Encoding="gzip"))
    before = psutil.Process().memory_info().rss
    delivery, attempt = await delivered(hook)
    assert delivery["state"] == "delivered"
    assert attempt["answer"].startswith("\x1f")
    assert psutil.Process().memory_info().rss - before < 40_000_000


async def endless_headers(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: " + b"z" * 1000 + b"\r\n")
        await writer.drain()


async def dripping(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"d")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(_writer):
    await asyncio.sleep(3600)


async def reset_within_the_body(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.transport.abort()


async def reset_at_once(writer):
    writer.transport.abort()


async def a_204_with_a_body(writer):
    writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody")  # what follows a 204 is no HTTP
    writer.close()


async def garbage(writer):
    writer.write(b"\x00\xff\xfe nonsense \xed\xa0\x80\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("told", "timeout_seconds"),
    [
        (endless_headers, 5), (dripping, 1), (silent, 1), (reset_within_the_body, 10), (reset_at_once, 10),
        (garbage, 10),
        (a_204_with_a_body, 10),
    ],
)  # fmt: skip
async def test_no_whole_answer_is_a_failure(hook, receiver, told, timeout_seconds):
    receiver.always(told)
    delivery, attempt = await delivered(hook, timeout_seconds)
    assert (delivery["state"], delivery["attempts"]) == ("pending", 1)
    assert attempt["error"]
    assert attempt["status"] is None
    assert len(receiver.requests) == 1
    assert attempt["duration_milliseconds"] < 1000 * (timeout_seconds + 10)


async def test_a_refused_connection_is_a_failure(hook, sealer):
    async with receiving() as gone:
        pass
    other = await subscribe(hook.world, sealer, gone.url)
    delivery, attempt = await delivered(other)
    assert (delivery["state"], attempt["error"]) == ("pending", "no connection: Connection refused")


async def test_a_name_that_does_not_resolve_is_a_failure(hook, sealer):
    other = await subscribe(hook.world, sealer, "https://no-such-host.invalid/")
    delivery, attempt = await delivered(other)
    assert (delivery["state"], attempt["error"]) == ("pending", "the name can't be resolved")


@pytest.mark.parametrize("name", ["127.0.0.1", "another.example"])
async def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(hook, sealer, tmp_path, name):
    (tmp_path / "cert.pem").write_bytes(self_signed(name, tmp_path / "key.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    async with receiving(context) as receiver:
        other = await subscribe(hook.world, sealer, receiver.url)
        delivery, attempt = await delivered(other)
        assert (delivery["state"], receiver.requests) == ("pending", [])
        assert attempt["error"].startswith("TLS failed: ")


async def test_410_disables_with_an_event_and_a_line_in_the_log(hook, receiver):
    receiver.always(answer(410))
    with capture_logs() as lines:
        delivery, _ = await delivered(hook)

        async def disabled():
            return not (await hook.row())["enabled"]

        await until(disabled, "disabling")
    assert (delivery["state"], (await hook.row())["disabled_reason"]) == ("failed", "gone")
    rows = await hook.world.pool.fetch(
        "select before, after, actor_user_id from events where event_name = 'webhook.disabled' and entity_id = $1",
        hook.id,
    )
    assert [tuple(row) for row in rows] == [
        ('{"enabled":true,"disabledReason":null}', '{"enabled":false,"disabledReason":"gone"}', None)
    ]
    told = [line for line in lines if line["event"] == "webhook disabled"]
    assert [(line["webhook_id"], line["reason"]) for line in told] == [(str(hook.id), "gone")]
