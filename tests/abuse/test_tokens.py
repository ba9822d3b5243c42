"""Attempts 7 to 10: with tokens that are over, forged, or another's."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.devices import Role
from schemas.gateway import Session
from tests.abuse.attempts import attempt
from tests.abuse.desk import encoded, parts, wait_for_its_end, written
from tests.abuse.packets import connect
from tests.abuse.scene import Scene
from tests.patience import PATIENCE_S

SHORT_S = 2.0
SERVED_S = 6.0
"""Long enough to come in and be served on a slow machine."""
LONG_S = 300.0


def with_token(session: Session, token: str | None = None) -> bytes:
    """The CONNECT of a screen, with its own token or another."""
    return connect(session.client_id, session.username, token or session.token)


@attempt(
    7,
    embedded="refused after its end: CONNACK 4, closed; the gateway: token-expired",
    mosquitto="refused after its end: CONNACK 5, closed; the gateway: token-expired",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_07_an_expired_token_at_connect(scene: Scene) -> None:
    desk = scene.stage.desk(SHORT_S)
    session = desk.log_in("ta")
    wait_for_its_end(session)
    until = time.monotonic() + PATIENCE_S
    while True:
        link = scene.link()
        link.send(with_token(session))
        answer = link.connack()
        if answer is None or answer.code:
            break
        assert time.monotonic() < until, "still let in, long after its end"
        link.close()
    scene.seen(f"refused after its end: {scene.knock(with_token(session))}")
    _, code = desk.ask("GET", "/v1/me", session.token)
    scene.seen(f"the gateway: {code}")


@attempt(
    8,
    both="let in and served; closed after the token's end, not before",
    embedded_logs="put out",
    mosquitto_logs="administrative action",
)
def test_08_a_token_that_expires_mid_session(scene: Scene) -> None:
    session = scene.stage.desk(SERVED_S).log_in("ta")
    link = scene.link()
    link.send(with_token(session))
    answer = link.connack()
    assert answer is not None
    assert answer.code == 0
    assert link.subscribe("heard/v1/ta/state/menu/#") == [1]
    scene.holds(link.ping(), "let in and served")
    assert link.end()
    late_s = (datetime.now(UTC) - session.expires_at).total_seconds()
    scene.holds(late_s >= 0.0, "closed after the token's end, not before")


@attempt(
    9,
    embedded="each at the broker: CONNACK 4, closed; each at the gateway: unauthenticated; "
    "the true one is let in",
    mosquitto="each at the broker: CONNACK 5, closed; each at the gateway: unauthenticated; "
    "the true one is let in",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_09_a_token_with_another_algorithm(scene: Scene) -> None:
    desk = scene.stage.desk(LONG_S)
    session = desk.log_in("ta")
    header, claims = parts(session.token)
    _, listed = desk.ask("GET", "/v1/keys", session.token)
    public = str(listed["keys"][0]["x"])
    forged = [
        *(written(header | {"alg": alg}, claims) + "." for alg in ("none", "None", "NONE")),
        *(hs256(header, claims, key) for key in (public, "", header["kid"])),
        signed_by_another(header, claims),
        signed_by_another(header | {"kid": "0" * 16}, claims),
        signed_by_another(header, claims | {"tenant": "tb", "sub": "tb/ada"}),
        signed_by_another(header | {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": public}}, claims),
        # The true signature under other claims.
        written(header, claims | {"tenant": "tb"}) + "." + session.token.split(".")[2],
        session.token[:-2],
        "..",
    ]
    (told,) = {scene.knock(with_token(session, each)) for each in forged}
    scene.seen(f"each at the broker: {told}")
    (code,) = {desk.ask("GET", "/v1/me", each)[1] for each in forged}
    scene.seen(f"each at the gateway: {code}")
    link = scene.link()
    link.send(with_token(session))
    answer = link.connack()
    assert answer is not None
    scene.holds(answer.code == 0, "the true one is let in")


def hs256(header: dict[str, object], claims: dict[str, object], key: str) -> str:
    text = written(header | {"alg": "HS256"}, claims)
    return f"{text}.{encoded(hmac.digest(key.encode(), text.encode(), hashlib.sha256))}"


def signed_by_another(header: dict[str, object], claims: dict[str, object]) -> str:
    text = written(header, claims)
    return f"{text}.{encoded(Ed25519PrivateKey.generate().sign(text.encode()))}"


@attempt(
    10,
    embedded="at the broker: CONNACK 4, closed; what it asks of `tb` at the gateway: not-found",
    mosquitto="at the broker: CONNACK 5, closed; what it asks of `tb` at the gateway: not-found",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_10_a_token_of_the_attacker_with_a_user_name_of_the_victim(scene: Scene) -> None:
    desk = scene.stage.desk(LONG_S)
    own, victims = desk.log_in("ta"), desk.log_in("tb")
    scene.witness.devices.add(victims.device)
    till = scene.stage.account(scene.stage.victim, Role.POS).login
    names = [
        (victims.client_id, victims.username),
        (till.client_id, till.username),
        (own.client_id, victims.username),
    ]
    (told,) = {scene.knock(connect(client, user, own.token)) for client, user in names}
    scene.seen(f"at the broker: {told}")
    scene.knock(connect(victims.client_id, own.username, own.token))
    codes = {
        desk.ask("DELETE", f"/v1/devices/{each}", own.token)[1]
        for each in ("kds-1", victims.device)
    }
    (code,) = codes
    scene.seen(f"what it asks of `tb` at the gateway: {code}")
