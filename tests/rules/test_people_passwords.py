from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from services.people.password_rules import WeakPassword, check_password
from services.people.passwords import LANES, MEMORY_KIB, PASSES, Passwords, TooBusy, owasp_hasher
from tests.patience import PATIENCE_S

GOOD = "quiet lemon staircase"


class CountingHasher(PasswordHasher):
    """Real argon2id, that counts."""

    __slots__ = ("verified",)

    def __init__(self) -> None:
        super().__init__(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self.verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002 - argon2's own name
        self.verified += 1
        return super().verify(hash, password)


class HeldHasher(PasswordHasher):
    """One whose work lasts until it is let go, and that tells how much went on at once."""

    __slots__ = ("at_once", "go", "lock", "most")

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()
        self.lock = threading.Lock()
        self.at_once = self.most = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        self.go.wait(PATIENCE_S)
        with self.lock:
            self.at_once -= 1
        return super().hash(password, salt=salt)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "at least 10"),
        ("ninechars", "at least 10"),
        ("é" * 9, "at least 10"),
        ("x" * 257, "at most 256"),
        ("password123", "guess"),
        ("PassWord123", "guess"),
        ("aaaaaaaaaaaaaaa", "guess"),
        ("abababababab", "guess"),
        ("Ada Lovelace", "name"),
        ("adalovelace", "name"),
        ("ecalevol ada", "name"),
        ("trattoria-roma", "name"),
    ],
)
def test_what_anybody_would_guess_will_not_do(password: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why) as refused:
        check_password(password, "Ada Lovelace", "trattoria-roma")
    assert password not in str(refused.value)


@pytest.mark.parametrize("password", [GOOD, "ten chars!", "x" * 250 + "yz", "пароль на кухне"])
def test_any_long_password_will_do_whatever_it_is_made_of(password: str) -> None:
    check_password(password, "ada", "roma")


async def test_a_password_is_kept_as_argon2id_with_the_stated_parameters() -> None:
    passwords = Passwords()
    stored = await passwords.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert GOOD not in stored
    assert await passwords.verify(stored, GOOD)
    assert not await passwords.verify(stored, GOOD + " ")
    assert await passwords.hash(GOOD) != stored, "a salt of its own"
    passwords.close()


async def test_one_word_typed_on_two_keyboards_is_one() -> None:
    passwords = Passwords()
    stored = await passwords.hash("cafe\u0301 au lait")
    assert await passwords.verify(stored, "caf\u00e9 au lait")
    passwords.close()


async def test_a_name_that_nobody_has_costs_the_work_of_a_wrong_password() -> None:
    hasher = CountingHasher()
    passwords = Passwords(hasher)
    stored = await passwords.hash(GOOD)
    assert not await passwords.verify(stored, "wrong wrong wrong")
    of_wrong = hasher.verified
    assert not await passwords.verify(None, GOOD)
    assert hasher.verified - of_wrong == of_wrong == 1
    nobody = passwords._of_nobody()
    assert nobody.split("$")[:4] == stored.split("$")[:4], "with the same parameters"
    passwords.close()


@pytest.mark.parametrize("stored", ["", "nonsense", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
async def test_a_damaged_hash_lets_nobody_in(stored: str) -> None:
    passwords = Passwords()
    assert not await passwords.verify(stored, GOOD)
    passwords.close()


@pytest.mark.parametrize("password", ["", "\0", "\ud800" * 12, "x" * 1_000_000])
async def test_whatever_is_typed_is_only_wrong(password: str) -> None:
    passwords = Passwords()
    assert not await passwords.verify(await passwords.hash(GOOD), password)
    passwords.close()


async def test_a_hash_of_smaller_parameters_is_known_to_be_outgrown() -> None:
    passwords = Passwords()
    assert not passwords.outgrown(await passwords.hash(GOOD))
    small = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    assert passwords.outgrown(small)
    assert await passwords.verify(small, GOOD)
    assert owasp_hasher().check_needs_rehash(small)
    passwords.close()


async def test_a_flood_of_logins_takes_two_places_and_a_queue_and_no_more() -> None:
    hasher = HeldHasher()
    passwords = Passwords(hasher, at_once=2, waiting=3)
    taken = [asyncio.create_task(passwords.hash(GOOD)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await passwords.hash(GOOD)
    hasher.go.set()
    assert len(await asyncio.gather(*taken)) == 5
    assert hasher.most <= 2
    assert await passwords.hash(GOOD), "there is room again"
    passwords.close()
