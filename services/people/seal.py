"""What must be kept and read again: sealed, so that a copy of the database gives nothing away."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from cryptography.fernet import Fernet, InvalidToken


class SealBroken(Exception):
    """Something sealed cannot be opened with this key; the message says what to do."""


class Seal:
    """Seals under one key (Fernet: AES-128-CBC with HMAC-SHA-256).

    >>> seal = Seal("any text of high entropy")
    >>> seal.open(seal.seal(b"a secret"))
    b'a secret'

    Args:
        key: 256 random bits, as `broker_config.secret.new_secret` makes them.
    """

    def __init__(self, key: str) -> None:
        self._key: Final = key.encode()
        self._fernet: Final = Fernet(base64.urlsafe_b64encode(self.derived("seal")))

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose: none tells anything of another."""
        return hmac.new(self._key, f"heard/{purpose}".encode(), hashlib.sha256).digest()

    def seal(self, plain: bytes) -> str:
        """Seal; each time another text."""
        return self._fernet.encrypt(plain).decode("ascii")

    def open(self, sealed: str) -> bytes:
        """Open what `seal` gave.

        Raises:
            SealBroken: it was sealed under another key, or damaged.
        """
        try:
            return self._fernet.decrypt(sealed.encode("utf-8", "replace"))
        except InvalidToken as error:
            raise SealBroken(
                "what was sealed cannot be opened: bring back the seal.key of this database "
                "(or HEARD_SEAL_KEY)"
            ) from error

    def mark(self, purpose: str, text: str) -> str:
        """A digest of `text` that nobody can make without the key: 64 characters."""
        return hmac.new(self.derived(purpose), text.encode(), hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "Seal(…)"
