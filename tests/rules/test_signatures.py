"""Signed webhooks: the standard's own vector, and whatever somebody may send instead."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.signatures import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE,
    BadSignature,
    HeaderMissing,
    NotAuthentic,
    OutOfTime,
    UnusableSecret,
    key_of,
    new_signing_secret,
    sign,
    signed_headers,
    verify,
)

# The vector of the standard's own libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECONDS = 1614265330
BODY = b'{"test": 2432232314}'
RIGHT = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = datetime.fromtimestamp(SECONDS, UTC)

ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)
ids = ids.filter(lambda text: "." not in text)
keys = st.binary(min_size=16, max_size=128)
seconds = st.integers(0, 10**10)


def secret_of(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def headers(signature: str = RIGHT, **others: str) -> dict[str, str]:
    return {ID: MESSAGE, TIMESTAMP: str(SECONDS), SIGNATURE: signature} | others


def test_the_vector_of_the_standard_is_signed_and_believed() -> None:
    assert sign(SECRET, MESSAGE, SECONDS, BODY) == RIGHT
    signed = verify(headers(), BODY, [SECRET], NOW)
    assert (signed.id, signed.at) == (MESSAGE, NOW)


def test_a_secret_may_come_without_its_prefix_and_a_header_in_any_case() -> None:
    told = {name.title(): value for name, value in headers().items()}
    assert verify(told, BODY, [SECRET.removeprefix("whsec_")], NOW).id == MESSAGE


@given(keys, ids, seconds, st.binary(max_size=300))
def test_what_is_signed_is_believed(key: bytes, id_: str, at: int, body: bytes) -> None:
    told = signed_headers([secret_of(key)], id_, at, body)
    assert verify(told, body, [secret_of(key)], datetime.fromtimestamp(at, UTC)).id == id_


@given(keys, ids, seconds, st.binary(min_size=1, max_size=100), st.data())
def test_no_octet_of_what_was_signed_can_be_changed(
    key: bytes, id_: str, at: int, body: bytes, data: st.DataObject
) -> None:
    told = signed_headers([secret_of(key)], id_, at, body)
    now = datetime.fromtimestamp(at, UTC)
    place = data.draw(st.integers(0, len(body) - 1))
    flipped = bytes(each ^ (n == place) for n, each in enumerate(body))
    for other in (flipped, body[:place], body + b" "):
        with pytest.raises(BadSignature):
            verify(told, other, [secret_of(key)], now)
    for name, value in ((ID, id_[:-1] + ("b" if id_[-1] == "a" else "a")), (TIMESTAMP, f"{at}0")):
        with pytest.raises(NotAuthentic):
            verify(told | {name: value}, body, [secret_of(key)], now)


@given(keys, keys)
def test_another_secret_signs_nothing(key: bytes, other: bytes) -> None:
    told = signed_headers([secret_of(key)], MESSAGE, SECONDS, BODY)
    if key == other:
        return
    with pytest.raises(BadSignature):
        verify(told, BODY, [secret_of(other)], NOW)


@given(st.lists(keys, min_size=1, max_size=5, unique=True), st.data())
def test_while_a_secret_is_changed_either_side_may_be_first(
    every: list[bytes], data: st.DataObject
) -> None:
    secrets = [secret_of(key) for key in every]
    one = data.draw(st.sampled_from(secrets))
    verify(signed_headers([one], MESSAGE, SECONDS, BODY), BODY, secrets, NOW)
    verify(signed_headers(secrets, MESSAGE, SECONDS, BODY), BODY, [one], NOW)


def test_nobody_is_believed_where_there_is_no_secret() -> None:
    with pytest.raises(BadSignature):
        verify(headers(), BODY, [], NOW)


@pytest.mark.parametrize("late", [-1, 1])
def test_a_recording_is_good_for_five_minutes_and_no_longer(late: int) -> None:
    verify(headers(), BODY, [SECRET], NOW + late * TOLERANCE)
    with pytest.raises(OutOfTime):
        verify(headers(), BODY, [SECRET], NOW + late * (TOLERANCE + timedelta(seconds=1)))


def test_who_knows_no_secret_learns_nothing_of_our_clock() -> None:
    with pytest.raises(BadSignature):
        verify(headers("v1,AAAA"), BODY, [SECRET], NOW + timedelta(days=1))


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
def test_a_header_that_is_not_there_is_named(name: str) -> None:
    told = headers()
    del told[name]
    with pytest.raises(HeaderMissing, match=name):
        verify(told, BODY, [SECRET], NOW)


@pytest.mark.parametrize("told", ["", "v1", "v1a,AAAA", "v2,AAAA", "AAAA", "v1," + "A" * 3_000])
def test_a_signature_of_another_kind_is_none(told: str) -> None:
    with pytest.raises(HeaderMissing, match=SIGNATURE):
        verify(headers(told), BODY, [SECRET], NOW)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80), st.binary(max_size=80))
def test_whatever_is_sent_is_refused_by_name(
    id_: str, at: str, signature: str, body: bytes
) -> None:
    with pytest.raises(NotAuthentic):
        verify({ID: id_, TIMESTAMP: at, SIGNATURE: signature}, body, [SECRET], NOW)
    with pytest.raises(NotAuthentic):
        verify(headers(f"v1,{signature}"), body + b"!", [SECRET], NOW)


def test_an_id_with_a_full_stop_is_refused_for_it_could_be_read_in_two_ways() -> None:
    # Signed as "a", second 1, body "2.x": nobody may say it was "a.1", second 2, body "x".
    told = signed_headers([SECRET], "a", 1, b"2.x")
    moved = {ID: "a.1", TIMESTAMP: "2", SIGNATURE: told[SIGNATURE]}
    with pytest.raises(HeaderMissing, match=ID):
        verify(moved, b"x", [SECRET], datetime.fromtimestamp(2, UTC))
    with pytest.raises(ValueError, match="cannot be signed"):
        sign(SECRET, "a.1", 2, b"x")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_*", "ä", "A" * 1_000])
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(UnusableSecret) as refused:
        key_of(secret)
    assert len(secret) < 7 or secret not in str(refused.value)


def test_each_new_secret_is_another_and_has_256_bits() -> None:
    made = {new_signing_secret() for _ in range(20)}
    assert len(made) == 20
    assert {len(key_of(each)) for each in made} == {32}
