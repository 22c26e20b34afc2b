"""Signatures of deliveries: Standard Webhooks, and the simple form for receivers that expect it. Pure."""

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence

SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret, but how one begins
SECRET_BYTES = 32


def new_secret() -> str:
    """A new secret as it is shown: `whsec_` and base64 (Standard Webhooks: 24 to 64 random bytes)."""
    return SECRET_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def headers(secrets_: Sequence[str], message_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt. Every secret signs, the newest first: after a rotation there are two.

    The signed text is `id.timestamp.body` (Standard Webhooks); `X-Align-Signature` covers the body alone, with the
    newest secret's bytes.
    """
    keys = [b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in secrets_]
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp_seconds, body)
    signatures = [b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "X-Align-Signature": f"sha256={hmac.digest(keys[0], body, hashlib.sha256).hex()}",
    }
