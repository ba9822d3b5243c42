"""Tokens: what a person's screen shows to the gateway, and as its password to the broker.

Signed JWTs (RFC 7519) with EdDSA over Ed25519 and nothing else, under a key that the
header names (`kid`) and that we know. A good signature is half of it: whether the
credential that a token stands for still stands, the database says
(`services.people.login`). Pure: keys and the time are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from schemas.people import PersonRole

ALGORITHM: Final = "EdDSA"
ISSUER: Final = "heard"
AUDIENCE: Final = "heard"
LIFETIME: Final = timedelta(minutes=15)
LONGEST_LIFETIME: Final = timedelta(hours=1)
"""No setting may ask for more: a key retires when the last token that it signed has ended."""
LEEWAY: Final = timedelta(seconds=5)
"""How far the clocks of two of our processes may differ. It holds for the beginning of a
token alone: none is good for a moment longer than it says."""
MOST_CHARACTERS: Final = 2_048
REQUIRED: Final = (
    *("iss", "aud", "sub", "exp", "iat", "nbf", "jti"),
    *("tenant", "role", "device", "serial"),
)


class TokenRefused(Exception):
    """A token will not do; the message is for the log, and never quotes it."""

    expired: bool = False


class TokenExpired(TokenRefused):
    """A token was good, and its time is up."""

    expired = True


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says."""

    subject: str
    """Whose it is: ``roma/ada``, or ``-/ada`` for an operator."""
    tenant: str
    role: PersonRole
    device: str
    """The person's screen."""
    serial: int
    """Which of the screen's credentials the token is."""
    token_id: str
    issued_at: datetime
    expires_at: datetime


class _Claims(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    sub: StrictStr = Field(min_length=3, max_length=130)
    tenant: StrictStr = Field(min_length=1, max_length=64)
    role: PersonRole
    device: StrictStr = Field(min_length=1, max_length=64)
    serial: StrictInt = Field(ge=1)
    jti: StrictStr = Field(min_length=1, max_length=64)
    iat: StrictInt
    nbf: StrictInt
    exp: StrictInt


def sign(grant: Grant, kid: str, key: Ed25519PrivateKey) -> str:
    """Make the token that says `grant`; its times are cut to whole seconds."""
    issued = int(grant.issued_at.timestamp())
    return jwt.encode(
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": grant.subject,
            "tenant": grant.tenant,
            "role": grant.role.value,
            "device": grant.device,
            "serial": grant.serial,
            "jti": grant.token_id,
            "iat": issued,
            "nbf": issued,
            "exp": int(grant.expires_at.timestamp()),
        },
        key,
        algorithm=ALGORITHM,
        headers={"kid": kid},
    )


def kid_of(token: str) -> str:
    """Read which key a token names, before anything in it is believed.

    Raises:
        TokenRefused: it is no token of ours, whatever its signature.
    """
    if len(token) > MOST_CHARACTERS:
        raise TokenRefused(f"it has more than {MOST_CHARACTERS} characters")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused("it is no JWT") from None
    if header.get("alg") != ALGORITHM:
        raise TokenRefused(f"its algorithm is not {ALGORITHM}")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise TokenRefused("it names no key")
    return kid


def verify(token: str, keys: Mapping[str, Ed25519PublicKey], now: datetime) -> Grant:
    """Read a token: signed by one of `keys`, ours, whole, and of this time.

    Args:
        token: what somebody showed.
        keys: those that may have signed, by `kid`.
        now: the time, aware.

    Raises:
        TokenExpired: it was good once.
        TokenRefused: it is not.
    """
    key = keys.get(kid_of(token))
    if key is None:
        raise TokenRefused("its key is not one of ours")
    try:
        told: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={
                "require": list(REQUIRED),
                "strict_aud": True,
                # Against our own clock, below: the library has its own, which no test can set.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        claims = _Claims.model_validate(told)
        issued_at, begins_at, expires_at = map(_moment, (claims.iat, claims.nbf, claims.exp))
    except jwt.InvalidSignatureError:
        raise TokenRefused("its signature is wrong") from None
    except jwt.PyJWTError as error:
        raise TokenRefused(f"it is not ours: {type(error).__name__}") from None
    except (ValidationError, ValueError, OverflowError, OSError):
        raise TokenRefused("its claims are not ours") from None
    if max(issued_at, begins_at) > now + LEEWAY:
        raise TokenRefused("its time has not come")
    if expires_at <= now:
        raise TokenExpired("its time is up")
    if expires_at - issued_at > LONGEST_LIFETIME:
        raise TokenRefused("it would live longer than any of ours")
    return Grant(
        subject=claims.sub,
        tenant=claims.tenant,
        role=claims.role,
        device=claims.device,
        serial=claims.serial,
        token_id=claims.jti,
        issued_at=issued_at,
        expires_at=expires_at,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
