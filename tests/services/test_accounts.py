"""Accounts on a running Mosquitto: what a device was is gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.access import Identity, client_id_of
from broker_config.secret import new_secret
from broker_config.settings import BrokerLogin
from schemas.devices import Role
from services.people.accounts import Account, MosquittoAccounts
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import ConnectionRefused, MqttClient

POS = Identity("roma", "pos-1", Role.POS)
EVENTS = "heard/v1/roma/event/orders/#"
PLACED = "heard/v1/roma/event/orders/placed"


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[PrivateMosquitto]:
    broker = PrivateMosquitto(tmp_path / "mosquitto")
    yield broker
    broker.kill()


@pytest.fixture
def accounts(mosquitto: PrivateMosquitto) -> MosquittoAccounts:
    return MosquittoAccounts(mosquitto.address, mosquitto.admin.secret)


def login(account: Account) -> BrokerLogin:
    return BrokerLogin(username=account.username, secret=account.secret)


def refused(broker: PrivateMosquitto, account: Account) -> bool:
    try:
        with MqttClient(broker.address, login(account)):
            return False
    except ConnectionRefused:
        return True


def say(broker: PrivateMosquitto, topic: str, payload: bytes) -> None:
    with MqttClient(broker.address, broker.services) as services:
        services.publish(topic, payload)


async def test_a_device_comes_in_by_its_old_and_its_new_secret_while_it_changes(
    mosquitto: PrivateMosquitto, accounts: MosquittoAccounts
) -> None:
    first, second = Account(POS, new_secret()), Account(POS, new_secret(), serial=2)
    await accounts.admit([first], anew=True)
    await accounts.admit([second], anew=False)
    assert (first.username, second.username) == ("roma:pos-1", "roma:pos-1:2")
    for account in (first, second):
        client = MqttClient(mosquitto.address, login(account), clean=False)
        with client:
            assert client.subscribe(EVENTS) == 1
    say(mosquitto, PLACED, b"waits")
    await accounts.withdraw([first.username])
    assert refused(mosquitto, first)
    with MqttClient(mosquitto.address, login(second), clean=False) as client:
        assert client.session_present, "the session is the device's, not the secret's"
        assert client.next_message().payload == b"waits"


async def test_a_secret_opens_under_no_other_client_id(
    mosquitto: PrivateMosquitto, accounts: MosquittoAccounts
) -> None:
    second = Account(POS, new_secret(), serial=2)
    await accounts.admit([second], anew=True)
    with pytest.raises(ConnectionRefused):
        MqttClient(mosquitto.address, login(second), client_id="roma:pos-1:2").connect()


async def test_a_dismissed_device_takes_its_session_along(
    mosquitto: PrivateMosquitto, accounts: MosquittoAccounts
) -> None:
    account = Account(POS, new_secret())
    await accounts.admit([account], anew=True)
    client = MqttClient(mosquitto.address, login(account), clean=False).connect()
    assert client.subscribe(EVENTS) == 1
    await accounts.dismiss([(POS, [1])])
    client.wait_until_gone()
    client.thaw()
    say(mosquitto, PLACED, b"for the one that was")
    await accounts.admit([account], anew=True)
    with MqttClient(mosquitto.address, login(account), clean=False) as again:
        assert not again.session_present


async def test_a_device_of_another_role_has_its_rights_and_none_of_the_old(
    mosquitto: PrivateMosquitto, accounts: MosquittoAccounts
) -> None:
    account = Account(POS, new_secret())
    await accounts.admit([account], anew=True)
    client = MqttClient(mosquitto.address, login(account), clean=False).connect()
    assert client.subscribe(EVENTS) == 1
    await accounts.change_rights(Identity("roma", "pos-1", Role.KITCHEN_DISPLAY), [1])
    client.wait_until_gone()
    client.thaw()
    with MqttClient(mosquitto.address, login(account), clean=False) as again:
        assert not again.session_present
        assert again.subscribe(EVENTS) == 0x80
        assert again.subscribe("heard/v1/roma/state/kitchen/#") == 1


async def test_many_leave_at_once(mosquitto: PrivateMosquitto, accounts: MosquittoAccounts) -> None:
    leavers = [Identity("roma", f"pos-{number}", Role.POS) for number in range(100)]
    await accounts.admit([Account(each, new_secret()) for each in leavers], anew=True)
    await accounts.dismiss([(each, [1]) for each in leavers])
    await accounts.dismiss([(each, [1]) for each in leavers])  # to do so twice is no error
    assert client_id_of("roma", "pos-1") == leavers[1].client_id
    assert refused(mosquitto, Account(leavers[1], "x"))
