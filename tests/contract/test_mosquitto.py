"""Mosquitto's files, and the accounts of a running one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker_config import dynamic_security
from broker_config.access import ADMIN_USERNAME, OURS, SERVICES_USERNAME, Credential, Identity
from broker_config.dynamic_security import (
    MAX_BATCH,
    Command,
    DynamicSecurityRefused,
    account_names,
    add,
    answers,
    batches,
    revoke,
)
from broker_config.mosquitto import render, write
from broker_config.mosquitto_conf import MosquittoSettings
from broker_config.secret import SecretHash
from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import REFUSED_FILTER, ConnectionRefused, MqttClient

POS = Identity("roma", "pos-1", Role.POS)
HASH = SecretHash.of("secret")


@pytest.fixture
def settings(tmp_path: Path) -> MosquittoSettings:
    return MosquittoSettings(directory=tmp_path / "mosquitto")


def test_the_same_facts_render_the_same_files_in_any_order(settings: MosquittoSettings) -> None:
    accounts = [Credential(POS, HASH), Credential(Identity.service(), HASH)]
    first = render(settings, admin=HASH, credentials=accounts)
    assert render(settings, admin=HASH, credentials=accounts[::-1]) == first


def test_the_files_are_their_owners_alone(settings: MosquittoSettings) -> None:
    write(render(settings, admin=HASH, credentials=[]), settings)
    for path in (settings.conf_path, settings.security_path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert settings.directory.stat().st_mode & 0o777 == 0o700
    assert {one.name for one in settings.directory.iterdir()} == {
        "mosquitto.conf",
        "dynamic-security.json",
    }


def test_accounts_that_mosquitto_owns_are_not_overwritten_unasked(
    settings: MosquittoSettings,
) -> None:
    without = render(settings, admin=HASH, credentials=[])
    with_pos = render(settings, admin=HASH, credentials=[Credential(POS, HASH)])
    assert write(with_pos, settings) is True
    assert write(without, settings) is False
    assert settings.security_path.read_text() == with_pos.security
    assert write(without, settings, replace_security=True) is True
    assert settings.security_path.read_text() == without.security


def test_everybody_is_denied_what_no_rule_allows_and_bound_to_a_client_id(
    settings: MosquittoSettings,
) -> None:
    accounts = [Credential(POS, HASH), Credential(Identity.service(), HASH)]
    document = json.loads(render(settings, admin=HASH, credentials=accounts).security)
    assert document["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    assert [one["username"] for one in document["clients"]] == [
        ADMIN_USERNAME,
        SERVICES_USERNAME,
        "roma:pos-1",
    ]
    for one in document["clients"]:
        assert one["clientid"] == one["username"]
        assert one["roles"][0]["rolename"] == one["username"]
    roles = {role["rolename"] for role in document["roles"]}
    assert roles == {ADMIN_USERNAME, SERVICES_USERNAME, "roma:pos-1", "roma/pos"}


def test_tls_needs_both_certificate_and_key(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="both"):
        MosquittoSettings(directory=tmp_path, certificate=tmp_path / "cert.pem")


def test_accounts_of_the_rendered_file_may_come_in(tmp_path: Path) -> None:
    """The very hashes of the database, with no password ever set."""
    broker = PrivateMosquitto(tmp_path / "mosquitto")
    try:
        broker.stop()
        rendered = render(
            broker.mosquitto_settings,
            admin=HASH,
            credentials=[Credential(POS, SecretHash.of("till's own"))],
        )
        write(rendered, broker.mosquitto_settings, replace_security=True)
        broker.restart()
        login = BrokerLogin(username=POS.client_id, secret="till's own")
        with MqttClient(broker.address, login) as till:
            assert till.subscribe(plane_filter(Plane.REPLY, tenant="roma", tail="pos-1")) == 1
    finally:
        broker.kill()


def test_the_admin_changes_accounts_and_nothing_else(mosquitto_broker: PrivateMosquitto) -> None:
    with MqttClient(mosquitto_broker.address, mosquitto_broker.admin) as admin:
        assert admin.subscribe(dynamic_security.RESPONSE_TOPIC) == 1
        for plane in Plane:
            assert admin.subscribe(plane_filter(plane)) == REFUSED_FILTER
        assert admin.subscribe("#") == REFUSED_FILTER


def test_devices_and_services_change_no_accounts(mosquitto_broker: PrivateMosquitto) -> None:
    mosquitto_broker.add_device("roma", "boss-1", Role.MANAGER)
    takeover = batches(add(Identity("roma", "spy", Role.MANAGER), "x"), correlation="spy")
    for login in (mosquitto_broker.login("roma", "boss-1"), mosquitto_broker.services):
        with MqttClient(mosquitto_broker.address, login) as client:
            assert client.subscribe(dynamic_security.RESPONSE_TOPIC) == REFUSED_FILTER
            client.publish(dynamic_security.REQUEST_TOPIC, takeover[0].payload)
    names = account_names(mosquitto_broker.command(*dynamic_security.list_accounts()))
    assert sorted(names) == [*sorted(OURS), "roma:boss-1"]


def test_adding_twice_and_revoking_twice_are_no_errors(mosquitto_broker: PrivateMosquitto) -> None:
    for _ in range(2):
        mosquitto_broker.add_device("roma", "pos-1", Role.POS)
    with MqttClient(mosquitto_broker.address, mosquitto_broker.login("roma", "pos-1")):
        pass
    for _ in range(2):
        mosquitto_broker.revoke("roma", "pos-1")


def test_a_disabled_account_is_put_out_until_it_is_enabled(
    mosquitto_broker: PrivateMosquitto,
) -> None:
    mosquitto_broker.add_device("roma", "pos-1", Role.POS)
    login = mosquitto_broker.login("roma", "pos-1")
    till = MqttClient(mosquitto_broker.address, login).connect()
    mosquitto_broker.command(*dynamic_security.disable(POS.client_id))
    till.wait_until_gone()
    till.disconnect()
    with pytest.raises(ConnectionRefused):
        MqttClient(mosquitto_broker.address, login).connect()
    mosquitto_broker.command(*dynamic_security.enable(POS.client_id))
    with MqttClient(mosquitto_broker.address, login):
        pass


def test_rotating_an_account_that_is_not_there_is_refused_by_name(
    mosquitto_broker: PrivateMosquitto,
) -> None:
    with pytest.raises(DynamicSecurityRefused, match=r"setClientPassword roma:pos-1: Client not"):
        mosquitto_broker.rotate("roma", "pos-1")


def test_many_devices_are_added_to_the_running_broker_at_once(
    mosquitto_broker: PrivateMosquitto,
) -> None:
    tills = [Identity("roma", f"pos-{number}", Role.POS) for number in range(250)]
    mosquitto_broker.add_devices(tills)
    names = account_names(mosquitto_broker.command(*dynamic_security.list_accounts()))
    assert len(names) == len(OURS) + 250
    with MqttClient(mosquitto_broker.address, mosquitto_broker.login("roma", "pos-249")):
        pass


def test_a_batch_is_cut_where_mosquitto_could_not_take_it() -> None:
    commands = [Command({"command": "enableClient", "username": f"u{n}"}) for n in range(450)]
    cut = batches(commands, correlation="x")
    assert [len(batch.commands) for batch in cut] == [MAX_BATCH, MAX_BATCH, 450 - 2 * MAX_BATCH]
    assert len({batch.correlation for batch in cut}) == 3
    sent = json.loads(cut[0].payload)["commands"]
    assert sent[0] == {"command": "enableClient", "username": "u0", "correlationData": "x/0"}


def answer(*responses: dict[str, object]) -> bytes:
    return json.dumps({"responses": responses}).encode()


def test_answers_to_somebody_else_are_left_to_them() -> None:
    (batch,) = batches(revoke("roma:pos-1"), correlation="mine")
    theirs = answer({"command": "deleteClient", "correlationData": "theirs/0"})
    assert answers(batch, theirs) is None
    assert answers(batch, answer({"command": "deleteClient"})) is None


def test_what_is_not_there_to_be_removed_is_no_error() -> None:
    (batch,) = batches(revoke("roma:pos-1"), correlation="mine")
    absent = answer(
        {"command": "deleteClient", "correlationData": "mine/0", "error": "Client not found"},
        {"command": "deleteRole", "correlationData": "mine/0", "error": "Role not found"},
    )
    assert answers(batch, absent) is not None


@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"null", b'{"responses": 1}', b"\xff"])
def test_an_answer_that_is_none_is_refused(payload: bytes) -> None:
    (batch,) = batches(revoke("roma:pos-1"), correlation="mine")
    with pytest.raises(DynamicSecurityRefused):
        answers(batch, payload)


def test_a_missing_answer_is_noticed() -> None:
    (batch,) = batches(revoke("roma:pos-1"), correlation="mine")
    with pytest.raises(DynamicSecurityRefused, match="2 commands were sent and 1 answered"):
        answers(batch, answer({"command": "deleteClient", "correlationData": "mine/0"}))


def test_an_address_says_how_it_is_reached() -> None:
    assert str(BrokerAddress(host="kitchen", port=8883, tls=True)) == "mqtts://kitchen:8883"
    assert BrokerAddress().tls_context() is None
    assert BrokerAddress(tls=True).tls_context() is not None
    with pytest.raises(FileNotFoundError):
        BrokerAddress(tls=True, ca_file=Path("/nowhere.pem")).tls_context()
    assert "hidden" not in repr(BrokerLogin(username="u", secret="hidden"))
