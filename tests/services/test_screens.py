"""Screens of people on both brokers: their tokens, what ends them, and what forgers get."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs

from schemas.devices import Role
from schemas.gateway import Session
from schemas.people import PersonRole
from services.people.keys import SigningKeys
from services.people.seal import Seal
from tests.patience import PATIENCE_S
from tests.services.gateway_house import PASSWORD, House, Start


def until(condition: Callable[[], bool], within: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- what a token opens, and for how long -------------------------------------------------


def test_a_token_that_expires_ends_the_connection(start_house: Start) -> None:
    house = start_house(token_s=8)
    session = house.log_in("bob")
    assert session.device_role is Role.KITCHEN_DISPLAY
    with house.screen(session) as screen:
        assert house.status(session.token) == 200
        screen.wait_until_gone()
        assert time.time() >= session.expires_at.timestamp(), "not before its time"
    assert house.status(session.token) == 401
    assert not house.lets_in(session.username, session.token)


def test_a_renewed_token_comes_in_and_finds_its_session_as_it_was(start_house: Start) -> None:
    house = start_house(token_s=12)
    till = house.add_device("pos-1", Role.POS)
    first = house.log_in()
    with house.screen(first, clean=False) as screen:
        assert screen.subscribe("heard/v1/roma/telemetry/#") == 1
        until(lambda: time.time() > first.expires_at.timestamp() - 6)
        second = house.renew(first)
        assert second.username == f"{first.username}:2"
        assert second.client_id == first.client_id
        assert second.expires_at > first.expires_at
    with house.client(till.username, till.secret) as device:
        device.publish("heard/v1/roma/telemetry/pos-1/heartbeat", b"while it was away")
    with house.screen(second, clean=False) as screen:
        assert screen.session_present
        assert screen.next_message().payload == b"while it was away"
        third = house.renew(second)
        until(lambda: 1 not in house.serials(first.device))
        assert screen.subscribe("heard/v1/roma/state/#") == 1, "the first one's end is not its own"
    assert house.status(first.token) == 401
    assert not house.lets_in(first.username, first.token)
    assert house.lets_in(third.username, third.token)


def test_a_screen_that_shows_its_next_token_in_time_goes_on_while_the_old_one_ends(
    start_house: Start,
) -> None:
    house = start_house(token_s=12)
    first = house.log_in()
    with house.screen(first):
        until(lambda: time.time() > first.expires_at.timestamp() - 6)
        second = house.renew(first)
        # The same client id: the broker ends the connection on the older account.
        with house.screen(second) as screen:
            until(lambda: 1 not in house.serials(first.device))
            assert screen.subscribe("heard/v1/roma/state/#") == 1


def test_a_person_of_one_restaurant_gets_nothing_of_another(start_house: Start) -> None:
    house = start_house()
    mine, theirs = house.log_in("ada", "roma"), house.log_in("ada", "napoli")
    with house.screen(mine) as screen:
        assert screen.subscribe("heard/v1/napoli/#") == 0x80
        assert screen.subscribe("heard/v1/roma/#") == 1
    for username, secret in (
        (theirs.username, mine.token),
        (mine.username, theirs.token),
        ("napoli:pos-1", mine.token),
        (mine.username, PASSWORD),
    ):
        assert not house.lets_in(username, secret)
    with house.http(mine.token) as client:
        devices = client.get("/v1/devices").json()["devices"]
        assert [each["device"] for each in devices] == [mine.device]
        assert client.delete(f"/v1/devices/{theirs.device}").status_code == 404
        told = client.get("/v1/audit").json()
        assert {each["subject"].split("/")[0] for each in told["entries"]} == {"roma"}
    assert house.status(theirs.token) == 200


# -- what ends a screen -------------------------------------------------------------------


ENDINGS: dict[str, Callable[[House, Session], object]] = {
    "role": lambda h, _: h.staff(lambda s: s.change_role("roma", "ada", PersonRole.WAITER)),
    "password": lambda h, _: h.staff(
        lambda s: s.set_password("roma", "ada", "another fine sentence")
    ),
    "disabled": lambda h, _: h.staff(lambda s: s.disable("roma", "ada")),
    "removed": lambda h, _: h.staff(lambda s: s.remove("roma", "ada")),
    "logout": lambda h, session: _post(h, session.token, "/v1/logout"),
    "revoked": lambda h, session: _delete(h, f"/v1/devices/{session.device}"),
}


def _post(house: House, token: str, path: str) -> None:
    with house.http(token) as client:
        assert client.post(path).status_code == 204


def _delete(house: House, path: str) -> None:
    with house.http(house.log_in("olga", operator=True).token) as client:
        assert client.delete(path).status_code == 204


def test_whatever_a_screen_rested_on_ends_it(start_house: Start) -> None:
    house = start_house()
    others = house.log_in("bob")
    with house.screen(others) as witness:
        # Changes that leave the person able to log in come first.
        for name in ("logout", "revoked", "role"):
            _ends_by(house, name)
        house.staff(lambda staff: staff.change_role("roma", "ada", PersonRole.MANAGER))
        for name in ("disabled", "password", "removed"):
            if name == "password":
                house.staff(lambda staff: staff.enable("roma", "ada"))
            _ends_by(house, name)
            if name == "password":
                house.staff(lambda staff: staff.set_password("roma", "ada", PASSWORD))
        assert witness.connected
    assert house.status(others.token) == 200


def _ends_by(house: House, name: str) -> None:
    session = house.log_in()
    renewed = house.renew(session)
    with house.screen(renewed) as screen:
        end = ENDINGS[name]
        end(house, session)
        screen.wait_until_gone()
        assert time.time() < session.expires_at.timestamp(), f"{name}: not by its token's end"
    for each in (session, renewed):
        assert house.status(each.token) == 401, name
        assert not house.lets_in(each.username, each.token), name


# -- forgers ------------------------------------------------------------------------------


def _forgeries(token: str, public: bytes) -> dict[str, str]:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    stranger = Ed25519PrivateKey.generate()

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    def signed(**changed: object) -> str:
        told = {name: value for name, value in {**claims, **changed}.items() if value is not None}
        return jwt.encode(told, stranger, "EdDSA", {"kid": header["kid"]})

    hs256 = f"{part({**header, 'alg': 'HS256'})}.{body}"
    mac = base64.urlsafe_b64encode(hmac.new(public, hs256.encode(), hashlib.sha256).digest())
    return {
        "alg none": f"{part({**header, 'alg': 'none'})}.{body}.",
        "alg none, signed": f"{part({**header, 'alg': 'none'})}.{body}.{signature}",
        "the public key as a password": f"{hs256}.{mac.decode().rstrip('=')}",
        "no kid": f"{part({'alg': 'EdDSA', 'typ': 'JWT'})}.{body}.{signature}",
        "an unknown kid": f"{part({**header, 'kid': 'another'})}.{body}.{signature}",
        "another's signature": signed(),
        "expired": signed(exp=int(time.time()) - 60),
        "not yet valid": signed(nbf=int(time.time()) + 600),
        "another tenant": f"{head}.{part({**claims, 'tenant': 'napoli'})}.{signature}",
        "another role": f"{head}.{part({**claims, 'role': 'operator'})}.{signature}",
        "truncated": token[: len(token) // 2],
        "no signature": f"{head}.{body}.",
    }  # fmt: skip


def test_a_forged_token_opens_neither_the_gateway_nor_the_broker(start_house: Start) -> None:
    house = start_house()
    session = house.log_in()
    with house.http() as client:
        (key,) = client.get("/v1/keys").json()["keys"]
    assert set(key) == {"kid", "x", "kty", "crv", "alg", "use"}
    public = base64.urlsafe_b64decode(key["x"] + "==")
    with house.screen(session) as witness:
        for what, forged in _forgeries(session.token, public).items():
            with capture_logs() as told:
                assert house.status(forged) == 401, what
            why = [each["why"] for each in told if each["event"] == "token refused"]
            assert len(why) == 1, what
            assert forged not in str(told), what
            stolen_id = f"{session.client_id}-forger"
            assert not house.lets_in(session.username, forged, client_id=stolen_id), what
            assert not house.lets_in("napoli:pos-1", forged), what
        assert witness.connected
        assert house.status(session.token) == 200


def test_a_token_that_we_signed_opens_nothing_where_it_was_not_handed_out(
    start_house: Start,
) -> None:
    """Even with our key: what a broker knows is the hash of what was handed out."""
    house = start_house()
    session = house.log_in()
    sealing = house.settings.seal_key
    assert sealing is not None
    seal = Seal(sealing.get_secret_value())
    kid, key = house.call(lambda database: SigningKeys(database, seal).signing())
    claims = jwt.decode(session.token, options={"verify_signature": False})
    twin = jwt.encode({**claims, "jti": "another"}, key, "EdDSA", {"kid": kid})
    assert jwt.decode(twin, key.public_key(), ["EdDSA"], audience="heard")["sub"] == "roma/ada"
    assert house.status(twin) == 401
    assert not house.lets_in(session.username, twin)
    assert house.lets_in(session.username, session.token)


# -- what people may ask ------------------------------------------------------------------


def test_a_cook_may_ask_the_gateway_for_nothing_but_a_screen(start_house: Start) -> None:
    house = start_house()
    session = house.log_in("bob")
    with house.http(session.token) as client:
        me = client.get("/v1/me").json()
        assert (me["person"], me["role"], me["permissions"]) == ("bob", "cook", [])
        for answer in (
            client.get("/v1/devices"),
            client.delete(f"/v1/devices/{session.device}"),
            client.post("/v1/invitations", json={"device": "x", "role": "manager"}),
            client.get("/v1/audit"),
        ):
            assert answer.status_code == 403
            assert answer.json()["code"] == "not-allowed"
    with house.http() as client:
        for path in ("/v1/me", "/v1/devices", "/v1/audit"):
            assert client.get(path).status_code == 401
        for path in ("/v1/renew", "/v1/logout"):
            assert client.post(path).status_code == 401


def test_a_manager_invites_a_device_which_claims_its_place_once(start_house: Start) -> None:
    house = start_house(devices_broker="mqtts://mqtt.example:8883")
    secret = base64.urlsafe_b64encode(hashlib.sha256(b"256 bits").digest()).decode().rstrip("=")
    other = base64.urlsafe_b64encode(hashlib.sha256(b"others").digest()).decode().rstrip("=")
    with house.http(house.log_in().token) as client, house.http() as device:
        wanted = {"device": "grill-1", "role": "kitchen-display", "station": "grill"}
        invited = client.post("/v1/invitations", json=wanted).json()
        claim = {"code": invited["code"], "secret": secret}
        claimed = device.post("/v1/claim", json=claim)
        assert claimed.status_code == 200, claimed.text
        told = claimed.json()
        assert told == {
            "tenant": "roma", "device": "grill-1", "role": "kitchen-display", "station": "grill",
            "username": "roma:grill-1", "client_id": "roma:grill-1",
            "broker": {"host": "mqtt.example", "port": 8883, "tls": True, "ca": None},
        }  # fmt: skip
        assert device.post("/v1/claim", json=claim).json() == told, "a lost reply costs nothing"
        assert device.post("/v1/claim", json={**claim, "secret": other}).status_code == 403
        assert house.lets_in(told["username"], secret)
        taken = client.post("/v1/invitations", json=wanted)
        assert (taken.status_code, taken.json()["code"]) == (409, "taken")
        service = client.post("/v1/invitations", json={**wanted, "role": "service"})
        assert service.status_code == 400
        assert client.delete("/v1/devices/grill-1").status_code == 204
        assert not house.lets_in(told["username"], secret)
        actions = [each["action"] for each in client.get("/v1/audit").json()["entries"]]
        assert {"device.invited", "device.claimed", "device.revoked"} <= set(actions)
        assert invited["code"] not in client.get("/v1/audit").text


def test_claim_codes_cannot_be_tried_without_end(start_house: Start) -> None:
    house = start_house()
    secret = base64.urlsafe_b64encode(hashlib.sha256(b"256 bits").digest()).decode().rstrip("=")
    with house.http() as device:
        answers = [
            device.post("/v1/claim", json={"code": f"AAAA-{n:04}", "secret": secret}).json()["code"]
            for n in range(15)
        ]
    assert answers[:10] == ["claim-refused"] * 10
    assert answers[-1] == "rate-limited"


def test_the_audit_comes_in_pages(start_house: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.people.routes.AUDIT_PAGE", 3)
    house = start_house()
    with house.http(house.log_in().token) as client:
        for n in range(6):
            wanted = {"device": f"pos-{n}", "role": "pos"}
            assert client.post("/v1/invitations", json=wanted).status_code == 200
        serials: list[int] = []
        more = True
        while more:
            page = client.get("/v1/audit", params={"after": serials[-1] if serials else 0}).json()
            serials += [each["serial"] for each in page["entries"]]
            more = page["more"]
        assert serials == list(range(1, len(serials) + 1))
        assert len(serials) >= 8
        assert client.get("/v1/audit?after=-1").status_code == 400
        assert client.get("/v1/audit?after=1e9").status_code == 400


# -- secrets ------------------------------------------------------------------------------


def test_nothing_secret_is_in_any_log_line(
    start_house: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", logger="aiosqlite")  # as `cli.logs` does
    with capture_logs() as told:
        house = start_house(log_level="debug")
        first = house.log_in()
        second = house.renew(first)
        with house.http() as client:
            wrong = {"tenant": "roma", "person": "ada", "password": "typed by mistake"}
            assert client.post("/v1/login", json=wrong).status_code == 401
            broken = {"tenant": "ROMA", "person": "ada", "password": "typed by mistake"}
            answer = client.post("/v1/login", json=broken)
            assert answer.status_code == 400
            assert "typed by mistake" not in answer.text
        with house.http(second.token) as client:
            code = client.post("/v1/invitations", json={"device": "x", "role": "pos"}).json()[
                "code"
            ]
        with house.screen(second) as screen:
            _post(house, second.token, "/v1/logout")
            screen.wait_until_gone()
        house.status(second.token)
        house.system.stop()
    everything = f"{told}" + caplog.text
    assert len(told) > 10
    sealing = house.settings.seal_key
    assert sealing is not None
    for secret in (
        PASSWORD, "typed by mistake", first.token, second.token, code,
        second.token.split(".")[2], sealing.get_secret_value(),
    ):  # fmt: skip
        assert secret not in everything
