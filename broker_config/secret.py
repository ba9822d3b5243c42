"""Secrets of devices, and the hashes by which brokers know them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Self

_SCHEME: Final = "pbkdf2-sha512"
_ITERATIONS: Final = 101
"""Mosquitto's own number. A secret here is 256 random bits, never a word that a
person chose: nobody guesses it, so stretching it would only make connecting slow."""
_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64
_MAX_ITERATIONS: Final = 1_000_000
"""More than this in a stored text is damage, and would stop the broker to compute."""


def new_secret() -> str:
    """Make a secret: 256 random bits, as 43 characters that need no quoting anywhere."""
    return secrets.token_urlsafe(32)


def derived_secret(secret: str, name: str) -> str:
    """Make the secret of another account of the same owner: nothing more has to be kept."""
    mark = hmac.new(secret.encode("utf-8", "surrogatepass"), name.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mark.digest()).decode("ascii").rstrip("=")


class DamagedHash(ValueError):
    """A stored secret hash cannot be read."""


@dataclass(frozen=True, slots=True, repr=False)
class SecretHash:
    """A secret's PBKDF2-SHA512 hash, with Mosquitto's own salt and key lengths.

    The same hash stands in the database, in the embedded broker's directory and in
    Mosquitto's ``dynamic-security.json``.

    >>> SecretHash.of("open sesame").verify("open sesame")
    True
    """

    salt: bytes
    digest: bytes
    iterations: int = _ITERATIONS

    @classmethod
    def of(cls, secret: str) -> Self:
        """Hash a secret, with a salt of its own."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(salt, _derive(secret, salt, _ITERATIONS))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``pbkdf2-sha512$iterations$salt$hash`` (both in base64), as `text` wrote it.

        Raises:
            DamagedHash: it is nothing that `text` ever wrote.
        """
        try:
            scheme, iterations, salt, digest = text.split("$")
            parsed = cls(
                base64.b64decode(salt, validate=True),
                base64.b64decode(digest, validate=True),
                int(iterations),
            )
        except (ValueError, binascii.Error) as error:
            raise DamagedHash("a secret hash is not of the form scheme$n$salt$hash") from error
        if (
            scheme != _SCHEME
            or len(parsed.salt) != _SALT_BYTES
            or len(parsed.digest) != _HASH_BYTES
            or not 0 < parsed.iterations <= _MAX_ITERATIONS
        ):
            raise DamagedHash(f"a secret hash is not a {_SCHEME} one of the expected lengths")
        return parsed

    @property
    def text(self) -> str:
        """The one line to store."""
        return f"{_SCHEME}${self.iterations}${self.salt_base64}${self.digest_base64}"

    @property
    def salt_base64(self) -> str:
        """The salt as Mosquitto writes it."""
        return base64.b64encode(self.salt).decode("ascii")

    @property
    def digest_base64(self) -> str:
        """The hash as Mosquitto writes it."""
        return base64.b64encode(self.digest).decode("ascii")

    def verify(self, secret: str) -> bool:
        """Tell whether this is the hash of `secret`, in a time that gives nothing away."""
        return hmac.compare_digest(self.digest, _derive(secret, self.salt, self.iterations))

    def __repr__(self) -> str:
        return "SecretHash(…)"


def _derive(secret: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac(
        "sha512", secret.encode("utf-8", "surrogatepass"), salt, iterations, _HASH_BYTES
    )
