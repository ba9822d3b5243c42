"""Attempts 35 to 47: to speak where one may not, or in another's name."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator

from broker_config import dynamic_security
from broker_config.access import Identity
from broker_config.limits import BrokerLimits
from schemas.devices import DevicePresence, Role
from schemas.identifiers import new_id
from schemas.orders import PlaceOrder
from schemas.refusals import RefusalCode
from services.orders.store import ORDERS
from tests.abuse import packets
from tests.abuse.attempts import CAME, FIVE, attempt
from tests.abuse.link import Link
from tests.abuse.packets import PUBACK
from tests.abuse.scene import Scene, opening, received
from tests.abuse.stage import Account
from tests.brokers import PrivateMosquitto
from tests.patience import PATIENCE_S
from tests.spoken import order

ONLY_3 = "speaks MQTT 3.1.1 only: CONNACK 0x84; closed"

FLOOD_S = 3.0
FASTEST = BrokerLimits().device_bytes
SOCKET_BYTES = 16 * 2**20
"""What the buffers of a socket may hold, and nobody has read."""
REPLY_NAMES = ("replyto", "reply_to", "responsetopic", "response_topic")
INTO_VICTIM = (
    "heard/v1/tb/request/pos-1/orders/place",
    "heard/v1/tb/state/menu/burger",
    "heard/v1/tb/event/orders/placed",
    "heard/v1/tb/reply/pos-1",
    "heard/v1/tb/telemetry/pos-1/heartbeat",
    "heard/v1/tb/presence/pos-1",
)


def says(scene: Scene, *topics: str, retain: bool = False, role: Role = Role.POS) -> None:
    """Publish to each, acknowledged or not, and see that nobody heard."""
    link = scene.enter(scene.thief(role))
    taken = {link.publish(topic, scene.mark, retain=retain) for topic in topics}
    assert taken == {True}
    scene.seen("acknowledged")
    scene.reached_nobody()


def stands_nothing(scene: Scene) -> None:
    """See that nothing of the attacker's stands retained in either tenant."""
    standing = [one for tenant in ("tb", "ta") for one in scene.standing(tenant)]
    assert standing
    marked = [one for one in standing if scene.mark in one.payload]
    scene.holds(not marked, "nothing is retained")


@attempt(
    35,
    embedded=ONLY_3,
    mosquitto="each: PUBACK 0x87; reached nobody",
    embedded_logs=FIVE,
    mosquitto_logs=CAME,
)
def test_35_into_the_victims_tenant_on_mqtt_5(scene: Scene) -> None:
    link = scene.enter_5(scene.thief())
    if link is None:
        return
    codes = set()
    for topic in INTO_VICTIM:
        link.send(packets.publish(topic, scene.mark, mid=link.mid(), extra=b"\x00"))
        answer = link.answer(PUBACK)
        assert answer is not None
        codes.add(answer.code)
    (code,) = codes
    scene.seen(f"each: PUBACK 0x{code:02x}")
    scene.reached_nobody("reached nobody")


@attempt(
    36,
    both="acknowledged; reached nobody",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_36_into_the_victims_tenant(scene: Scene) -> None:
    says(scene, *INTO_VICTIM)


@attempt(
    37,
    both="acknowledged; reached nobody",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_37_a_reply_in_the_name_of_another(scene: Scene) -> None:
    other = scene.thief()
    says(
        scene,
        "heard/v1/tb/reply/pos-1",
        "heard/v1/tb/reply/kds-1",
        f"heard/v1/ta/reply/{other.device}",
        f"heard/v1/ta/request/{other.device}/orders/place",
        f"heard/v1/ta/request/{other.device}/kitchen/hear",
    )


@attempt(
    38,
    both="acknowledged; reached nobody; nothing is retained",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_38_states_and_events_as_a_device(scene: Scene) -> None:
    tails = ("state/menu/burger", "state/kitchen/grill", "event/orders/placed", "state/devices/x")
    topics = [f"heard/v1/{tenant}/{tail}" for tenant in ("ta", "tb") for tail in tails]
    says(scene, *topics, retain=True, role=Role.MANAGER)
    stands_nothing(scene)


@attempt(
    39,
    embedded="acknowledged; reached nobody; nobody new is let in: CONNACK 4, closed",
    mosquitto="acknowledged; reached nobody; nobody new is let in: CONNACK 5, closed",
    embedded_logs="publish refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_39_the_brokers_controls(scene: Scene) -> None:
    spy = Identity("tb", "spy", Role.MANAGER)
    commands = dynamic_security.batches(dynamic_security.add(spy, "open sesame"), correlation="x")
    link = scene.enter(scene.thief(Role.MANAGER))
    for batch in commands:
        assert link.publish("$CONTROL/dynamic-security/v1", batch.payload)
        assert link.publish("$CONTROL/dynamic-security/v1/response", scene.mark)
        assert link.publish("$CONTROL/broker/v1", batch.payload)
    scene.seen("acknowledged")
    scene.reached_nobody()
    name = "tb:spy"
    told = scene.knock(packets.connect(name, name, "open sesame"))
    scene.seen(f"nobody new is let in: {told}")
    if isinstance(scene.stage.broker, PrivateMosquitto):
        names = scene.stage.broker.command(*dynamic_security.list_accounts())
        assert name not in dynamic_security.account_names(names)


@attempt(
    40,
    both="acknowledged; reached nobody",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_40_the_brokers_own_figures(scene: Scene) -> None:
    says(scene, "$SYS/broker/uptime", "$SYS/broker/version", "$SYS/x", retain=True)


@attempt(
    41,
    both="closed; reached nobody",
    embedded_logs="protocol violation",
    mosquitto_logs="protocol error",
)
def test_41_a_topic_with_a_wildcard_in_it(scene: Scene) -> None:
    taken = set()
    for topic in ("heard/v1/+/state/menu/burger", "heard/v1/tb/#", "#", "heard/v1/t+/x"):
        link = scene.enter(scene.thief())
        taken.add(link.publish(topic, scene.mark, retain=True))
    scene.seen({True: "acknowledged", False: "closed"}[taken.pop()])
    assert not taken
    scene.reached_nobody()


@attempt(
    42,
    both="acknowledged; reached nobody; nothing is retained",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_42_a_retained_message_into_the_victims_tenant(scene: Scene) -> None:
    says(scene, *INTO_VICTIM, "heard/v1/tb/state/menu/planted", retain=True)
    stands_nothing(scene)


@attempt(
    43,
    both="acknowledged; the victim's births stand as before",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_43_clearing_anothers_retained_birth(scene: Scene) -> None:
    births = {DevicePresence.route.topic(tenant="tb", device=name) for name in ("pos-1", "kds-1")}
    own = scene.thief()
    mate = scene.stage.account(scene.stage.attacker, Role.POS)
    mates_birth = DevicePresence.route.topic(tenant="ta", device=mate.device)
    with scene.enter(mate) as link:
        assert link.publish(mates_birth, b"{}", retain=True)
    before = {one.topic: one.payload for one in scene.standing("tb") if one.topic in births}
    assert set(before) == births
    with scene.enter(own) as link:
        taken = [link.publish(topic, b"", retain=True) for topic in (*births, mates_birth)]
        scene.holds(all(taken), "acknowledged")
        link.leave()
    after = {one.topic: one.payload for one in scene.standing("tb") if one.topic in births}
    mates = [one.payload for one in scene.standing("ta") if one.topic == mates_birth]
    scene.holds(after == before and mates == [b"{}"], "the victim's births stand as before")


@attempt(
    44,
    embedded="the flag is dropped: nothing stands retained; the flooder is slowed, others are not",
    mosquitto="the flooder is put out; the warden clears what stands retained",
    private=True,
    embedded_logs="retained flag dropped",
    mosquitto_logs="a device went too far",
)
def test_44_a_million_retained_topics_of_ones_own(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter(thief)
    if scene.kind == "mosquitto":
        # A thousand a second until it is put out: all of it must be cleared again.
        link.send_while(retained_flood(scene, thief, link, pause_s=0.1), PATIENCE_S)
        assert link.end(PATIENCE_S)
        scene.seen("the flooder is put out")
        scene.holds(all_is_cleared(scene, thief), "the warden clears what stands retained")
        return
    # Small messages would vanish in the buffers of the socket, and show nothing.
    size = 4096
    sent = link.send_while(retained_flood(scene, thief, link, b" " * size), FLOOD_S)
    assert sent > 100
    scene.after_an_order()
    link.close()
    standing = [one for one in scene.standing("ta") if scene.mark in one.payload]
    scene.holds(not standing, "the flag is dropped: nothing stands retained")
    assert FASTEST is not None
    at_most = FASTEST.burst + FASTEST.per_s * 2 * FLOOD_S + SOCKET_BYTES
    scene.holds(sent * size < at_most, "the flooder is slowed, others are not")


def all_is_cleared(scene: Scene, account: Account) -> bool:
    """Look at what stands of a device, and watch until all of it is cleared."""
    reader = scene.enter(scene.thief(Role.MANAGER))
    reader.send(packets.subscribe([f"heard/v1/ta/telemetry/{account.device}/#"], qos=0))
    assert reader.ping()
    standing: set[str] = set()
    until = time.monotonic() + PATIENCE_S
    while True:
        for one in map(received, reader.messages()):
            (standing.add if one.payload else standing.discard)(one.topic)
        reader.came.clear()
        if not standing:
            return not [one for one in scene.standing("ta") if scene.mark in one.payload]
        message = reader.next(max(0.1, until - time.monotonic()))
        assert message is not None
        reader.came.append(message)


def retained_flood(
    scene: Scene, account: Account, link: Link, more: bytes = b"", *, pause_s: float = 0.0
) -> Iterator[bytes]:
    """Retained messages of a device, each on a topic of its own; a pause after every hundred."""
    for number in itertools.count(1):
        topic = f"heard/v1/ta/telemetry/{account.device}/s{number}"
        yield packets.publish(topic, scene.mark + more, mid=link.mid(), retain=True)
        if number % 100 == 0:
            time.sleep(pause_s)


@attempt(
    45,
    both="cleared at the revocation",
    embedded_logs="retained flag dropped",
    mosquitto_logs="cleared what devices left standing",
)
def test_45_retained_messages_left_behind_by_a_revoked_device(scene: Scene) -> None:
    thief = scene.thief()
    own = (
        DevicePresence.route.topic(tenant="ta", device=thief.device),
        f"heard/v1/ta/telemetry/{thief.device}/left",
        f"heard/v1/ta/request/{thief.device}/orders/left",
    )
    link = scene.enter(thief)
    for topic in own:
        assert link.publish(topic, scene.mark, retain=True)
    scene.stage.revoke(thief)

    def standing() -> list[str]:
        return [one.topic for one in scene.standing("ta") if one.topic in own]

    scene.waits(lambda: not standing(), "cleared at the revocation", PATIENCE_S)


@attempt(
    46,
    both="each is answered topic-mismatch; no order is kept",
    logged='"event": "unfit"',
)
def test_46_a_payload_that_disagrees_with_its_topic(scene: Scene) -> None:
    orders = scene.stage.attacker.count(ORDERS)
    with scene.stage.attacker.speaker() as own:
        replies = []
        for source in ("/tb/devices/pos-1", "/ta/devices/ear", "/tb/services", "/ta2/devices/x"):
            document = own.document(order("burger")) | {"source": source}
            replies.append(own.ask_raw(own.topic(PlaceOrder), json.dumps(document).encode()))
        codes = {reply.code for reply in replies}
        scene.holds(codes == {RefusalCode.TOPIC_MISMATCH}, "each is answered topic-mismatch")
    scene.holds(scene.stage.attacker.count(ORDERS) == orders, "no order is kept")


@attempt(
    47,
    embedded="MQTT 5 is not spoken: CONNACK 0x84; a reply goes to who asked, and nowhere else",
    mosquitto="with MQTT 5's property and without: a reply goes to who asked, and nowhere else",
    embedded_logs=FIVE,
    mosquitto_logs=CAME,
)
def test_47_a_foreign_response_topic(scene: Scene) -> None:
    thief = scene.thief()
    victims = "heard/v1/tb/reply/pos-1"
    own = f"heard/v1/ta/reply/{thief.device}"
    topic = f"heard/v1/ta/request/{thief.device}/orders/place"
    writer = scene.stage.attacker
    document = {
        "specversion": "1.0",
        "source": f"/{writer.name}/devices/{thief.device}",
        "type": PlaceOrder.type_name,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "data": {"lines": [{"item": "burger", "quantity": 1}]},
    } | dict.fromkeys(REPLY_NAMES, victims)
    asked = [str(new_id()), str(new_id())]
    five = scene.link()
    five.send(opening(thief, version=5))
    answer = five.connack()
    assert answer is not None
    if scene.speaks_5:
        response = packets.properties(b"\x08" + packets.text(victims))
        payload = json.dumps(document | {"id": asked[0]}).encode()
        five.send(packets.publish(topic, payload, extra=response))
        found = five.answer(PUBACK)
        assert found is not None
        assert found.code == 0
        five.leave()
        words = "with MQTT 5's property and without: a reply"
    else:
        words = f"MQTT 5 is not spoken: CONNACK 0x{answer.code:02x}; a reply"
        asked.pop(0)
    link = scene.enter(thief)
    assert link.subscribe(own) == [1]
    assert link.publish(topic, json.dumps(document | {"id": asked[-1]}).encode())
    while not any(asked[-1].encode() in one.body for one in link.messages()):
        message = link.next()
        assert message is not None
        link.came.append(message)
    scene.after_an_order()
    strayed = [
        one
        for one in scene.witness.heard_at_victims()
        if any(x.encode() in one.payload for x in asked)
    ]
    replied = [
        one.topic
        for one in scene.witness.heard_at_attackers()
        if any(x.encode() in one.payload for x in asked) and "/reply/" in one.topic
    ]
    right = not strayed and set(replied) == {own} and len(replied) >= len(asked)
    scene.holds(right, f"{words} goes to who asked, and nowhere else")
