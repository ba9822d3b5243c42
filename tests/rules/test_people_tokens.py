"""What a token is, and everything that looks like one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from schemas.people import PersonRole
from services.people import tokens
from services.people.tokens import Grant, TokenExpired, TokenRefused, sign, verify

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
KEYS = {"first": KEY.public_key(), "second": OTHER.public_key()}
GRANT = Grant(
    subject="roma/ada",
    tenant="roma",
    role=PersonRole.COOK,
    device="screen-1",
    serial=1,
    token_id="an id",
    issued_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
TOKEN = sign(GRANT, "first", KEY)
CLAIMS = jwt.decode(TOKEN, options={"verify_signature": False})


def forged(
    key: Any = KEY,
    algorithm: str = "EdDSA",
    kid: object = "first",
    without: str = "",
    **claims: object,
) -> str:
    told = {**CLAIMS, **claims}
    headers = {} if kid is None else {"kid": kid}
    told.pop(without, None)
    return jwt.api_jws.encode(json.dumps(told).encode(), key, algorithm, headers)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_token_says_what_was_granted() -> None:
    assert verify(TOKEN, KEYS, NOW) == GRANT
    assert verify(TOKEN, KEYS, NOW + timedelta(minutes=14, seconds=59)) == GRANT
    assert len(TOKEN) < tokens.MOST_CHARACTERS / 3


def test_a_token_ends_in_the_moment_that_it_says() -> None:
    with pytest.raises(TokenExpired):
        verify(TOKEN, KEYS, NOW + timedelta(minutes=15))


def test_a_token_whose_time_has_not_come_is_refused_but_clocks_may_differ_a_little() -> None:
    assert verify(TOKEN, KEYS, NOW - tokens.LEEWAY) == GRANT
    with pytest.raises(TokenRefused, match="not come"):
        verify(TOKEN, KEYS, NOW - tokens.LEEWAY - timedelta(seconds=1))


def test_no_algorithm_is_refused() -> None:
    _, payload, signature = TOKEN.split(".")
    for alg in ("none", "None", "NONE", "nOnE", "", None):
        bare = segment({"alg": alg, "typ": "JWT", "kid": "first"})
        for tail in ("", signature):
            with pytest.raises(TokenRefused, match=r"algorithm|no JWT"):
                verify(f"{bare}.{payload}.{tail}", KEYS, NOW)


def test_the_public_key_as_a_password_is_refused() -> None:
    payload = TOKEN.split(".")[1]
    public = KEY.public_key()
    for octets in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ):
        signed = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{payload}"
        mac = hmac.new(octets, signed.encode(), hashlib.sha256).digest()
        forged_ = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        with pytest.raises(TokenRefused, match="algorithm"):
            verify(forged_, KEYS, NOW)


@pytest.mark.parametrize(
    ("token", "why"),
    [
        pytest.param(forged(kid=None), "names no key", id="no kid"),
        pytest.param(forged(kid="third"), "not one of ours", id="unknown kid"),
        pytest.param(forged(kid="second"), "signature", id="the kid of another key"),
        pytest.param(forged(key=OTHER), "signature", id="another key"),
        pytest.param(TOKEN[:-1], "signature|no JWT|not ours", id="truncated by one"),
        pytest.param(TOKEN[: len(TOKEN) // 2], "no JWT|not ours", id="cut in half"),
        pytest.param(TOKEN.rsplit(".", 1)[0], "no JWT", id="no signature"),
        pytest.param(TOKEN.rsplit(".", 1)[0] + ".", "signature", id="an empty signature"),
        pytest.param(TOKEN + "." + TOKEN, "no JWT|not ours", id="twice"),
        pytest.param("", "no JWT", id="empty"),
        pytest.param("...", "no JWT", id="dots"),
        pytest.param("\ud800.a.b", "no JWT", id="no text"),
        pytest.param("é" * 20, "no JWT", id="not ASCII"),
        pytest.param("a" * 100_000, "characters", id="endless"),
        pytest.param(forged(pad="x" * 3_000), "characters", id="too long"),
        pytest.param(forged(iss="another"), "not ours", id="issuer"),
        pytest.param(forged(aud="another"), "not ours", id="audience"),
        pytest.param(forged(aud=["heard", "another"]), "not ours", id="a list of audiences"),
        pytest.param(forged(role="emperor"), "claims", id="role"),
        pytest.param(forged(role="service"), "claims", id="a role of no person"),
        pytest.param(forged(exp="tomorrow"), "not ours|claims", id="exp is text"),
        pytest.param(forged(exp=True), "claims", id="exp is true"),
        pytest.param(forged(exp=1e300), "claims", id="exp is a float"),
        pytest.param(forged(exp=10**30), "claims", id="exp is beyond time"),
        pytest.param(forged(iat=10**30), "claims", id="iat is beyond time"),
        pytest.param(forged(serial=0), "claims", id="serial"),
        pytest.param(forged(serial=True), "claims", id="serial is true"),
        pytest.param(forged(jti=7), "not ours|claims", id="jti is a number"),
        pytest.param(forged(sub=["roma/ada"]), "not ours|claims", id="sub is a list"),
        pytest.param(forged(tenant=""), "claims", id="no tenant"),
        pytest.param(forged(exp=CLAIMS["exp"] + 86_400), "longer", id="lives for a day"),
        pytest.param(forged(nbf=CLAIMS["nbf"] + 60), "not come", id="not before"),
        pytest.param(forged(iat=CLAIMS["iat"] + 60), "not come", id="issued in the future"),
    ],
)
def test_what_only_looks_like_a_token_is_refused(token: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why) as refused:
        verify(token, KEYS, NOW)
    assert not refused.value.expired
    assert len(token) < 20 or token not in str(refused.value)


@pytest.mark.parametrize("claim", tokens.REQUIRED)
def test_no_claim_may_be_missing(claim: str) -> None:
    with pytest.raises(TokenRefused, match="MissingRequiredClaimError"):
        verify(forged(without=claim), KEYS, NOW)


def test_another_tenant_written_into_a_token_breaks_its_signature() -> None:
    header, _, signature = TOKEN.split(".")
    stolen = f"{header}.{segment({**CLAIMS, 'tenant': 'napoli'})}.{signature}"
    with pytest.raises(TokenRefused, match="signature"):
        verify(stolen, KEYS, NOW)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_and_nothing_else_goes_wrong(text: str) -> None:
    with pytest.raises(TokenRefused):
        verify(text, KEYS, NOW)


@given(st.data())
def test_a_token_with_one_character_changed_says_nothing_else(data: st.DataObject) -> None:
    """A change can leave the token's octets as they are: base64 has spare bits at its ends."""
    position = data.draw(st.integers(0, len(TOKEN) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    changed = TOKEN[:position] + letter + TOKEN[position + 1 :]
    try:
        assert verify(changed, KEYS, NOW) == GRANT
    except TokenRefused:
        assert changed != TOKEN
