"""Secrets that must be read again are stored encrypted, with a key that the database never holds."""

import os
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

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
    """The key kept in the data directory of the embedded database; made the first time, readable by its owner alone."""
    path = data_dir / KEY_FILE
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        # Written whole under another name first: a start cut short must not leave half a key.
        temporary = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(32).hex())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # fails where another process was quicker: its key counts
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text().strip()
