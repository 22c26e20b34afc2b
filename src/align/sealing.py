"""Secrets that must be read again are stored encrypted, with a key that the database never holds."""

import os
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from align.settings import MINIMUM_SECRET_LENGTH, InvalidSettings

KEY_FILE = "secret.key"


class Unsealable(Exception):
    """The secret was sealed with a key that is not set any more."""


class Sealer:
    """Seals with the first of its keys, opens with any: so a key is replaced by putting a new one before it."""

    def __init__(self, keys: str) -> None:
        self._fernet = MultiFernet([_fernet(key.strip()) for key in keys.split(",")])

    def seal(self, text: str) -> bytes:
        """`text`, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """The text again. Raises Unsealable."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise Unsealable("sealed with a key that is not in ALIGN_SECRET_KEY") from None


def _fernet(key: str) -> Fernet:
    """Any text of enough entropy is a key: what is used is its digest."""
    return Fernet(urlsafe_b64encode(sha256(b"align secret key:" + key.encode()).digest()))


def key_in(data_dir: Path) -> str:
    """The key kept in the data directory of the embedded database; made the first time, readable by its owner alone.

    Raises InvalidSettings when the file holds none: a new one would open nothing that was sealed before.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        _make_key(path)
    key = path.read_text().strip()
    if len(key) < MINIMUM_SECRET_LENGTH:
        raise InvalidSettings(
            f"{path} holds no key; put the file back from a backup, or delete it, which makes a new key: "
            "webhooks made before then need new secrets (rotate-secret)"
        )
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written whole under a name of its own first: a start cut short leaves no half key, and is in nobody's way.
    descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(os.urandom(32).hex())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another start was quicker: its key counts
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
