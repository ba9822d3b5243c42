from __future__ import annotations

import json
import os

import pytest

from broker_config import dynamic_security
from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Role
from tests.brokers import PrivateMosquitto
from tests.cli.conftest import Heard, until
from tests.mqtt_client import REFUSED_FILTER, ConnectionRefused, MqttClient


def _address(heard: Heard) -> BrokerAddress:
    port = heard.env.get("HEARD_BROKER_PORT")
    if port is None:
        port = json.loads((heard.home / "run.json").read_text())["port"]
    return BrokerAddress(port=int(port))


def _login(secret: str, name: str = "roma:pos-1") -> BrokerLogin:
    return BrokerLogin(username=name, secret=secret)


def _refused(address: BrokerAddress, login: BrokerLogin, client_id: str | None = None) -> bool:
    try:
        with MqttClient(address, login, client_id=client_id):
            return False
    except ConnectionRefused:
        return True


def test_a_device_comes_in_is_rotated_and_put_out_on_the_running_broker(stack: Heard) -> None:
    address = _address(stack)
    stack.done("tenant", "add", "roma", "--currency", "EUR")
    at = ["--tenant", "roma"]
    told = stack.done("device", "add", "pos-1", *at, "--role", "pos", "--json").json
    first = told["secret"]
    assert told["role"] == "pos"
    again = stack("device", "add", "pos-1", *at, "--role", "pos")
    assert again.code == 1
    assert "rotate" in again.complaint
    with MqttClient(address, _login(first)) as till:
        renewed = stack.done("device", "rotate", "pos-1", *at, "--json").json
        till.wait_until_gone()
    second, account = renewed["secret"], renewed["username"]
    assert renewed["client_id"] == "roma:pos-1"
    assert _refused(address, _login(first))
    with MqttClient(address, _login(second, account), client_id="roma:pos-1") as till:
        assert first not in stack.done("device", "list").out + json.dumps(os.environ.copy())
        assert "pos-1" in stack.done("device", "list", *at, "--json").out
        stack.done("device", "revoke", "pos-1", *at)
        till.wait_until_gone()
    until(
        lambda: _refused(address, _login(second, account), "roma:pos-1"),
        "the revoked device stays out",
    )
    assert stack("device", "revoke", "pos-1", *at).code == 1
    assert stack.done("device", "list", *at, "--json").json == []


def test_a_removed_tenant_leaves_nothing_behind(stack: Heard) -> None:
    address = _address(stack)
    for tenant in ("roma", "napoli"):
        stack.done("tenant", "add", tenant)
        stack.done("tenant", "add", tenant)
    secret = stack.done(
        "device", "add", "pos-1", "--tenant", "roma", "--role", "pos", "--json"
    ).json["secret"]
    asked = stack("tenant", "remove", "roma")
    assert asked.code == 1
    assert {each["tenant"] for each in stack.done("tenant", "list", "--json").json} >= {"roma"}
    stack.done("tenant", "remove", "roma", "--yes")
    names = {each["tenant"] for each in stack.done("tenant", "list", "--json").json}
    assert "napoli" in names
    assert "roma" not in names
    until(lambda: _refused(address, _login(secret)), "its device is out")
    assert (
        stack("tenant", "remove", "roma", "--yes").complaint
        == "there is no tenant roma: heard tenant list"
    )


def test_the_same_tenant_with_another_currency_is_another(embedded: Heard) -> None:
    embedded.done("tenant", "add", "roma", "--currency", "EUR")
    refused = embedded("tenant", "add", "roma", "--currency", "GBP")
    assert refused.code == 1
    assert "EUR" in refused.complaint


def test_sync_removes_what_is_gone_and_names_what_is_missing(
    production: Heard, mosquitto_broker: PrivateMosquitto
) -> None:
    production.done("tenant", "add", "roma")
    production.done("device", "add", "pos-1", "--tenant", "roma", "--role", "pos")
    assert production.done("device", "sync", "--json").json == {
        "removed": [], "rights_renewed": 0, "missing": [],
    }  # fmt: skip
    mosquitto_broker.revoke("roma", "pos-1")
    secret = mosquitto_broker.add_device("roma", "stray", Role.POS)
    told = production("device", "sync", "--json")
    assert told.code == 1
    assert told.json == {
        "removed": ["roma:stray"], "rights_renewed": 0, "missing": ["roma:pos-1"],
    }  # fmt: skip
    with (
        pytest.raises(ConnectionRefused),
        MqttClient(mosquitto_broker.address, _login(secret, "roma:stray")),
    ):
        pass
    production.done("device", "rotate", "pos-1", "--tenant", "roma")
    production.done("device", "sync")


def test_sync_gives_devices_the_rights_of_this_version(
    production: Heard, mosquitto_broker: PrivateMosquitto
) -> None:
    production.done("tenant", "add", "roma")
    added = production.done("device", "add", "pos-1", "--tenant", "roma", "--role", "pos", "--json")
    older = {"command": "modifyRole", "rolename": "roma:pos-1", "acls": []}
    mosquitto_broker.command(dynamic_security.Command(older))
    login = _login(added.json["secret"], "roma:pos-1")
    own = "heard/v1/roma/state/party/pos-1"
    with MqttClient(mosquitto_broker.address, login) as till:
        assert till.subscribe(own) == REFUSED_FILTER
    assert production.done("device", "sync", "--json").json["rights_renewed"] == 1
    with MqttClient(mosquitto_broker.address, login) as till:
        assert till.subscribe(own) == 1
    assert production.done("device", "sync", "--json").json["rights_renewed"] == 0
