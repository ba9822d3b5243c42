"""Passwords of people: kept as argon2id hashes, checked without giving anything away.

The parameters are the first choice of OWASP's Password Storage Cheat Sheet: 19 MiB, two
passes, one lane. A hash of smaller ones is made anew when its person next logs in.

A hash takes memory and tens of milliseconds, so a flood of logins could exhaust the
process: few run at once, on threads beside the event loop, few more wait, and whoever
comes then is told to come later.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from services.people.password_rules import LONGEST, normalized

T = TypeVar("T")

MEMORY_KIB: Final = 19_456
PASSES: Final = 2
LANES: Final = 1
AT_ONCE: Final = 2
"""Hashes that are computed at one time: 38 MiB."""
WAITING: Final = 32
"""How many may wait for that: at 30 ms each, the last one waits half a second."""


class TooBusy(Exception):
    """So many passwords are being checked that this one cannot wait its turn."""


def owasp_hasher() -> PasswordHasher:
    """Make what computes the hashes."""
    return PasswordHasher(
        time_cost=PASSES,
        memory_cost=MEMORY_KIB,
        parallelism=LANES,
        hash_len=32,
        salt_len=16,
        type=Type.ID,
    )


class Passwords:
    """Hashes and verifies, a few at a time.

    Args:
        hasher: computes; a test counts what it does.
        at_once: how many are computed at one time.
        waiting: how many more may wait.
    """

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        *,
        at_once: int = AT_ONCE,
        waiting: int = WAITING,
    ) -> None:
        self._hasher: Final = hasher or owasp_hasher()
        self._threads: Final = ThreadPoolExecutor(at_once, thread_name_prefix="heard-password")
        self._room: Final = at_once + waiting
        self._inside = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Make the hash to store (PHC format).

        Raises:
            TooBusy: too many are waiting.
        """
        async with self._place():
            return await self._on_thread(lambda: self._hasher.hash(_octets(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` is that of the stored hash.

        Args:
            stored: None where there is no such person: the same work is done, so that the
                time taken does not tell people from names that nobody has.
            password: as typed.

        Raises:
            TooBusy: too many are waiting.
        """
        async with self._place():
            return await self._on_thread(lambda: self._verify(stored, password))

    def outgrown(self, stored: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads, when what they compute is done."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        nobody = self._of_nobody()
        # No password is longer; a megabyte must not cost more than a word.
        given = b"" if len(password) > LONGEST else _octets(password)
        try:
            self._hasher.verify(stored or nobody, given)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    def _of_nobody(self) -> str:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(32))
        return self._nobody

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._inside >= self._room:
            raise TooBusy
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _octets(password: str) -> bytes:
    return normalized(password).encode("utf-8", "surrogatepass")
