"""Secrets and their hashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.secret import DamagedHash, SecretHash, new_secret


@given(secret=st.text(max_size=80), other=st.text(max_size=80))
def test_a_hash_knows_its_secret_and_no_other(secret: str, other: str) -> None:
    known = SecretHash.of(secret)
    assert known.verify(secret)
    assert known.verify(other) is (secret == other)


@given(secret=st.text(max_size=80))
def test_a_hash_survives_being_stored(secret: str) -> None:
    known = SecretHash.of(secret)
    assert SecretHash.parse(known.text) == known


def test_the_same_secret_has_another_hash_each_time() -> None:
    assert SecretHash.of("x") != SecretHash.of("x")


def test_new_secrets_are_256_bits_that_need_no_quoting() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 43 and one.replace("-", "").replace("_", "").isalnum() for one in made)


def test_a_hash_does_not_show_itself_in_logs() -> None:
    assert repr(SecretHash.of("x")) == "SecretHash(…)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a$b",
        "pbkdf2-sha512$101$AAAA$AAAA",
        "pbkdf2-sha512$x$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==",
        "pbkdf2-sha512$0$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==",
        "pbkdf2-sha512$99999999$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==",
        "md5$101$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==",
        "pbkdf2-sha512$101$!!!!$" + "A" * 86 + "==",
    ],
)
def test_a_damaged_hash_is_refused(text: str) -> None:
    with pytest.raises(DamagedHash):
        SecretHash.parse(text)
