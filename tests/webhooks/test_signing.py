"""Signatures: ours verified by the library of Standard Webhooks, the library's by a reading of the specification."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from align.webhooks import signing

ID = "0d9f2f0e-0000-4000-8000-000000000005"
BODY = '{"id":"2c3f2f0e","eventName":"time.approved","payload":{"notes":"Größe, ½ Tag ☃"}}'.encode()


def now() -> int:
    return int(time.time())


def verified_by_hand(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the specification says it, for one secret; the age of the timestamp aside."""
    key = base64.b64decode(secret.split("_", 1)[1], validate=True)
    text = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    pairs = [each.split(",", 1) for each in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(signature, expected) for version, signature in pairs)


def test_a_secret_is_new_each_time_and_as_long_as_the_specification_asks():
    secrets = {signing.new_secret() for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        prefix, _, rest = secret.partition("_")
        assert prefix == "whsec"
        assert 24 <= len(base64.b64decode(rest, validate=True)) <= 64


def test_the_library_verifies_what_we_sign():
    secret = signing.new_secret()
    headers = signing.headers([secret], ID, now(), BODY)
    assert Webhook(secret).verify(BODY, headers)["eventName"] == "time.approved"
    assert verified_by_hand(secret, headers, BODY)


def test_we_sign_as_the_library_does():
    secret = signing.new_secret()
    moment = datetime.now(UTC).replace(microsecond=0)
    ours = signing.headers([secret], ID, int(moment.timestamp()), BODY)
    assert ours["webhook-signature"] == Webhook(secret).sign(ID, moment, BODY.decode())
    assert (ours["webhook-id"], ours["webhook-timestamp"]) == (ID, str(int(moment.timestamp())))


def test_the_vector_of_the_specification():
    """From the specification's reference implementations."""
    headers = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("index", [0, len(BODY) // 2, len(BODY) - 1])
def test_one_changed_byte_of_the_body_is_noticed(index):
    secret = signing.new_secret()
    headers = signing.headers([secret], ID, now(), BODY)
    changed = bytearray(BODY)
    changed[index] ^= 1
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(bytes(changed), headers)
    assert not verified_by_hand(secret, headers, bytes(changed))
    simple = hmac.new(key_bytes(secret), bytes(changed), hashlib.sha256).hexdigest()
    assert headers["X-Align-Signature"] != f"sha256={simple}"


def key_bytes(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "0d9f2f0e-0000-4000-8000-000000000006"),
        ("webhook-timestamp", str(now() - 7)),
        ("webhook-signature", "v1," + base64.b64encode(bytes(32)).decode()),
        ("webhook-signature", "v1a," + base64.b64encode(bytes(32)).decode()),
    ],
    ids=["id", "timestamp", "signature", "version"],
)
def test_an_exchanged_header_is_noticed(name, value):
    secret = signing.new_secret()
    headers = signing.headers([secret], ID, now(), BODY) | {name: value}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)
    assert not verified_by_hand(secret, headers, BODY)


def test_the_timestamp_is_what_a_receivers_tolerance_is_about():
    secret = signing.new_secret()
    tolerance = int(timedelta(minutes=5).total_seconds())
    for moment, problem in ((now() - tolerance - 1, "too old"), (now() + tolerance + 5, "too new")):
        with pytest.raises(WebhookVerificationError, match=problem):
            Webhook(secret).verify(BODY, signing.headers([secret], ID, moment, BODY))
    for moment in (now() - tolerance + 30, now() + tolerance - 30):
        Webhook(secret).verify(BODY, signing.headers([secret], ID, moment, BODY))


def test_after_a_rotation_either_secret_verifies_and_no_third_one():
    new, old, other = (signing.new_secret() for _ in range(3))
    headers = signing.headers([new, old], ID, now(), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        Webhook(secret).verify(BODY, headers)
        assert verified_by_hand(secret, headers, BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)


def test_the_simple_signature_is_of_the_body_alone_with_the_newest_secrets_bytes():
    new, old = signing.new_secret(), signing.new_secret()
    headers = signing.headers([new, old], ID, now(), BODY)
    assert headers["X-Align-Signature"] == "sha256=" + hmac.new(key_bytes(new), BODY, hashlib.sha256).hexdigest()
    later = signing.headers([new], "another-id", now() + 60, BODY)
    assert later["X-Align-Signature"] == headers["X-Align-Signature"]


def test_an_empty_body_and_bytes_that_are_no_text_are_signed():
    secret = signing.new_secret()
    for body in (b"", b"\xff\x00\xfe"):
        assert verified_by_hand(secret, signing.headers([secret], ID, now(), body), body)
