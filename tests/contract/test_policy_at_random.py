"""The policy against an oracle: attempts at random, on the rules and on each real broker."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broker_config.access import (
    WARDEN_USERNAME,
    Identity,
    is_filter,
    is_topic,
    may_publish,
    may_receive,
    may_subscribe,
)
from broker_config.secret import derived_secret
from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.topics import ROOT, Plane, plane_filter
from tests.abuse import packets
from tests.abuse.link import Link
from tests.abuse.packets import RawWill
from tests.brokers import RunningBroker
from tests.contract import oracle
from tests.contract.draws import BYTES, DEVICES, IDENTITIES, TENANTS, WARDEN, Attempt, attempts
from tests.contract.limited import opening
from tests.mqtt_client import REFUSED_FILTER, MqttClient

IN_ONE: Final = 250
"""Attempts in one example: hypothesis takes as long to draw one as to draw hundreds."""
UNSUBACK: Final = 11
EVERY_CHECK: Final = list(HealthCheck)

many = st.binary(min_size=IN_ONE * BYTES, max_size=IN_ONE * BYTES)


def says(who: Identity, topic: str) -> bool:
    return oracle.may_say(who.role, who.tenant, who.device, topic)


def hears(who: Identity, wanted: str) -> bool:
    return oracle.may_hear(who.role, who.tenant, who.device, wanted)


def test_the_oracle_is_small_enough_to_be_read_and_knows_nothing_of_the_policy() -> None:
    text = Path(oracle.__file__).read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 42, "and its docstring"
    assert "import" not in text


def test_a_hundred_thousand_attempts_come_out_as_the_oracle_says() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=400, suppress_health_check=EVERY_CHECK)
    @given(many, st.booleans())
    def judge(raw: bytes, wild: bool) -> None:
        for who, topic in attempts(raw, wild=wild):
            assert may_publish(who, topic) is says(who, topic), (who, topic)
            assert may_subscribe(who, topic) is hears(who, topic), (who, topic)
            if hears(who, topic) and is_topic(topic):
                assert may_receive(who, topic), (who, topic)
            kinds = {"said": says(who, topic), "heard": hears(who, topic)}
            seen.update(["drawn", *(kind for kind, is_so in kinds.items() if is_so)])

    judge()
    assert seen["drawn"] >= 100_000
    assert seen["said"] > 2_000
    assert seen["heard"] > 2_000


class Floor:
    """A broker with every identity on it, each with a connection that stays, and some ears."""

    def __init__(self, broker: RunningBroker, stack: ExitStack) -> None:
        self.broker = broker
        self.seen: Counter[str] = Counter()
        # Who leaves wills comes and goes, and so is somebody else.
        self.leavers = {who: Identity(who.tenant, f"{who.device}0", who.role) for who in DEVICES}
        broker.add_devices([*DEVICES, *self.leavers.values()])
        self.links = {who: stack.enter_context(self.enter(who)) for who in IDENTITIES}
        self.ears = [self._ear(stack, broker.services, *(plane_filter(one) for one in HEARD))]
        for tenant in TENANTS:
            broker.add_device(tenant, "ear", Role.MANAGER)
            self.ears.append(self._ear(stack, broker.login(tenant, "ear"), f"{ROOT}/{tenant}/#"))

    def _ear(self, stack: ExitStack, login: BrokerLogin, *filters: str) -> MqttClient:
        ear = stack.enter_context(MqttClient(self.broker.address, login))
        assert [ear.subscribe(each) for each in filters] == [1] * len(filters)
        return ear

    def login(self, who: Identity) -> BrokerLogin:
        if who is WARDEN:
            secret = derived_secret(self.broker.services.secret, WARDEN_USERNAME)
            return BrokerLogin(username=WARDEN_USERNAME, secret=secret)
        return self.broker.login(who.tenant, who.device)

    def enter(self, who: Identity, will: RawWill | None = None) -> Link:
        link = Link(self.broker.address)
        link.send(opening(self.login(who), will=will))
        answer = link.connack()
        self.let_in = answer is not None and answer.code == 0
        return link

    def came(self) -> set[int]:
        """The numbers of what has come to anybody's ear so far."""
        number = self.seen["markers"]
        self.seen["markers"] += 1
        found: set[int] = set()
        for tenant, ear in zip((TENANTS[0], *TENANTS), self.ears, strict=True):
            marker = plane_filter(Plane.EVENT, tenant=tenant, tail=f"marker/{number}")
            assert self.links[WARDEN].publish(marker, b"0")
            found |= {int(each.payload) for each in ear.until(marker)}
        return found - {0}

    def publish(self, drawn: list[Attempt]) -> None:
        expected = set()
        for number, (who, topic) in enumerate(drawn, 1):
            if not is_topic(topic) or (says(who, topic) and not is_seen(topic)):
                continue
            assert self.links[who].publish(topic, b"%d" % number), (who, topic)
            self.seen["published"] += 1
            expected |= {number} if says(who, topic) else set()
        came = self.came()
        assert [drawn[number - 1] for number in came ^ expected] == []
        self.seen["said"] += len(expected)

    def subscribe(self, drawn: list[Attempt]) -> None:
        for who, wanted in drawn:
            if not is_filter(wanted) or (who is WARDEN and wanted.startswith("$share")):
                continue  # one breaks the protocol; the other is a matter of capabilities
            link = self.links[who]
            (code,) = link.subscribe(wanted)
            assert (code != REFUSED_FILTER) is hears(who, wanted), (who, wanted)
            link.send(packets.packet(0xA2, b"\x00\x01" + packets.text(wanted)))
            assert link.answer(UNSUBACK) is not None
            self.seen["subscribed"] += 1
            self.seen["heard"] += code != REFUSED_FILTER

    def leave_wills(self, drawn: list[Attempt]) -> None:
        expected = set()
        for number, (who, topic) in enumerate(drawn, 1):
            if who is WARDEN or not is_topic(topic):
                continue
            leaver = self.leavers[who]
            levels = [leaver.device if each == who.device else each for each in topic.split("/")]
            about = "/".join(levels)
            with self.enter(leaver, RawWill(about, b"%d" % number)) as link:
                if self.broker.capabilities.refuses_will_at_connect:
                    assert self.let_in is says(leaver, about), (leaver, about)
                assert self.let_in or not says(leaver, about), (leaver, about)
                link.cut()
            self.seen["wills"] += 1
            expected |= {number} if says(leaver, about) else set()
        came = set()
        for leaver in self.leavers.values():
            # When its last will has come, so has whatever came of those before.
            own = plane_filter(Plane.PRESENCE, tenant=leaver.tenant, tail=leaver.device)
            with self.enter(leaver, RawWill(own, b"0")) as link:
                link.cut()
            before = self.ears[0].until(own, b"0")
            came |= {int(each.payload) for each in before}
        came |= self.came()
        assert [drawn[number - 1] for number in (came - {0}) ^ expected] == []
        self.seen["wills said"] += len(expected)


HEARD: Final = (Plane.REQUEST, Plane.TELEMETRY, Plane.PRESENCE, Plane.STATE, Plane.EVENT)


def is_seen(topic: str) -> bool:
    """Whether one of the ears hears what is said there: the services hear no replies."""
    levels = topic.split("/")
    return levels[2] in TENANTS or levels[3] != Plane.REPLY


def test_two_thousand_attempts_come_out_so_on_each_broker(any_broker: RunningBroker) -> None:
    with ExitStack() as stack:
        floor = Floor(any_broker, stack)

        @settings(max_examples=8, phases=[Phase.generate], suppress_health_check=EVERY_CHECK)
        @given(many)
        def judge(raw: bytes) -> None:
            floor.publish(list(attempts(raw, wild=False)))
            floor.subscribe(list(attempts(raw, wild=True)))
            # From the other end: these are others.
            floor.leave_wills(list(attempts(raw[::-1], wild=False))[:60])

        judge()
    seen = floor.seen
    assert seen["published"] + seen["subscribed"] + seen["wills"] >= 2_000
    assert min(seen["said"], seen["heard"]) > 30
    assert seen["wills said"] > 3
