"""What is too much for the embedded broker is told to the device, by the services."""

from __future__ import annotations

import json

from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Heartbeat
from schemas.orders import PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Reply
from tests.cli.conftest import Heard, until
from tests.mqtt_client import MqttClient
from tests.spoken import read_reply


def test_a_device_that_is_read_more_slowly_is_told_why(embedded: Heard) -> None:
    embedded.done("tenant", "add", "roma")
    told = embedded.done(
        "device", "add", "pos-1", "--tenant", "roma", "--role", "pos", "--json"
    ).json
    run = json.loads((embedded.home / "run.json").read_text())
    where = {"tenant": "roma", "device": "pos-1"}
    login = BrokerLogin(username=told["username"], secret=told["secret"])
    with MqttClient(BrokerAddress(port=run["port"]), login) as device:
        device.subscribe(Reply.route.topic(**where))

        def is_answered() -> bool:
            device.publish_unanswered(PlaceOrder.route.topic(**where), b"{}", qos=0)
            return bool(device.messages)

        # What the broker says before anybody serves, nobody hears.
        until(is_answered, "the services to answer what is unfit")
        for _ in range(5_000):
            device.publish_unanswered(Heartbeat.route.topic(**where), b"{}", qos=0)
        reply = read_reply(device.next_message())
        while reply.request is not None or reply.code is not RefusalCode.RATE_LIMITED:
            reply = read_reply(device.next_message())
    assert reply.message is not None
    assert reply.message.startswith("too many messages")
