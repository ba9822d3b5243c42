"""Attempts 48 to 53: to leave a word behind where one may not speak."""

from __future__ import annotations

from schemas.devices import DevicePresence, Role
from tests.abuse import packets
from tests.abuse.attempts import CAME, FIVE, SOMEBODY, attempt
from tests.abuse.packets import RawWill
from tests.abuse.scene import Scene, opening
from tests.abuse.stage import Account

NEVER_SAID = "let in, and the will is never said; nothing is retained"
YEAR_S = 365 * 24 * 3600


def dies(scene: Scene, *wills: RawWill) -> None:
    """Come in with each will, if one is let in, and die; see that none is said."""
    told = set()
    for will in wills:
        link = scene.link()
        link.send(opening(scene.thief(Role.MANAGER), will=will))
        answer = link.connack()
        assert answer is not None
        if answer.code:
            assert link.end()
            told.add(f"CONNACK {answer.code}, closed")
        else:
            assert link.ping()
            link.cut()
            told.add("let in, and the will is never said")
    scene.seen(told.pop())
    assert not told
    # A will that would be said is said by then: the broker sees to who broke off first.
    scene.after_an_order()
    scene.after_an_order()
    heard = scene.witness.heard_at_victims() + scene.witness.heard_at_attackers()
    assert not [one for one in heard if scene.mark in one.payload]
    standing = [one for tenant in ("tb", "ta") for one in scene.standing(tenant)]
    scene.holds(not [one for one in standing if scene.mark in one.payload], "nothing is retained")


def presence(account: Account) -> str:
    return DevicePresence.route.topic(tenant=account.tenant, device=account.device)


@attempt(
    48,
    embedded="CONNACK 5, closed; nothing is retained",
    mosquitto=NEVER_SAID,
    embedded_logs="will refused",
    mosquitto_logs=CAME,
)
def test_48_a_will_into_the_victims_tenant(scene: Scene) -> None:
    tails = ("presence/pos-1", "state/menu/burger", "request/pos-1/orders/place")
    dies(scene, *(RawWill(f"heard/v1/tb/{tail}", scene.mark) for tail in tails))


@attempt(
    49,
    embedded="CONNACK 5, closed; nothing is retained",
    mosquitto=NEVER_SAID,
    embedded_logs="will refused",
    mosquitto_logs=CAME,
)
def test_49_a_retained_will_into_the_victims_tenant(scene: Scene) -> None:
    tails = ("presence/pos-1", "state/menu/burger", "state/kitchen/grill")
    dies(scene, *(RawWill(f"heard/v1/tb/{tail}", scene.mark, retain=True) for tail in tails))


@attempt(
    50,
    embedded="CONNACK 5, closed; nothing is retained",
    mosquitto=NEVER_SAID,
    embedded_logs="will refused",
    mosquitto_logs=CAME,
)
def test_50_a_will_to_the_brokers_controls(scene: Scene) -> None:
    command = b'{"commands":[{"command":"deleteClient","username":"tb:pos-1"}]}'
    dies(
        scene,
        RawWill("$CONTROL/dynamic-security/v1", command),
        RawWill("$CONTROL/broker/v1", scene.mark),
        RawWill("$SYS/broker/version", scene.mark, retain=True),
    )


@attempt(
    51,
    embedded="closed without a word",
    mosquitto="let in; said on its own topic alone; the services do not believe it",
    embedded_logs=f"protocol violation: {SOMEBODY}",
    mosquitto_logs='"event": "unfit"',
)
def test_51_a_will_of_the_largest_size(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.link()
    link.send(opening(thief, will=RawWill(presence(thief), b"x" * 65_535)))
    answer = link.connack()
    if answer is None:
        scene.seen("closed without a word")
        return
    assert answer.code == 0
    scene.seen("let in")
    assert link.ping()
    link.cut()

    def heard() -> list[str]:
        return [
            one.topic for one in scene.witness.heard_at_attackers() if len(one.payload) > 60_000
        ]

    scene.waits(lambda: heard() == [presence(thief)], "said on its own topic alone")
    scene.after_an_order()
    believed = f"heard/v1/ta/state/devices/{thief.device}"
    told = [one for one in scene.witness.heard_at_attackers() if one.topic == believed]
    scene.holds(not told, "the services do not believe it")


@attempt(
    52,
    both="a hundred wills, each on its own topic; nobody else is touched",
    logged='"event": "unfit"',
)
def test_52_connect_and_abort_in_a_loop(scene: Scene) -> None:
    thief = scene.thief()
    for number in range(100):
        will = RawWill(presence(thief), b"%d " % number + scene.mark)
        link = scene.enter(thief, will=will)
        link.cut()

    def fired() -> list[str]:
        return [
            one.topic for one in scene.witness.heard_at_attackers() if scene.mark in one.payload
        ]

    scene.waits(lambda: len(fired()) == 100, "a hundred wills, each on its own topic")
    assert set(fired()) == {presence(thief)}
    scene.after_an_order()
    scene.seen("nobody else is touched")


@attempt(
    53,
    embedded="speaks MQTT 3.1.1 only: CONNACK 0x84; closed",
    mosquitto="let in; unsaid while it waits; gone with the account",
    embedded_logs=FIVE,
    mosquitto_logs=CAME,
)
def test_53_a_will_delay_of_a_year(scene: Scene) -> None:
    thief = scene.thief()
    delay = packets.properties(packets.number_property(0x18, YEAR_S, 4))
    expiry = packets.properties(packets.number_property(0x11, 0xFFFF_FFFF, 4))
    will = RawWill(presence(thief), scene.mark, properties=delay, retain=True)
    link = scene.enter_5(thief, clean=False, will=will, extra=expiry)
    if link is None:
        return
    assert link.ping()
    link.cut()
    scene.seen("let in")
    scene.after_an_order()
    scene.reached_nobody("unsaid while it waits")
    scene.stage.revoke(thief)
    scene.after_an_order()
    scene.after_an_order()
    heard = [one for one in scene.witness.heard_at_attackers() if scene.mark in one.payload]
    standing = [one for one in scene.standing("ta") if scene.mark in one.payload]
    again = scene.stage.account(scene.stage.attacker, Role.POS, thief.device)
    back = scene.link()
    back.send(opening(again, clean=False))
    answer = back.connack()
    assert answer is not None
    assert answer.code == 0
    scene.holds(not heard and not standing and not answer.session_present, "gone with the account")
