"""Attempts 54 to 57 and 70 to 73: to wear the broker out."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from schemas.devices import DevicePresence, Role
from tests.abuse import packets
from tests.abuse.attempts import CAME, SOMEBODY, attempt
from tests.abuse.link import Link, NoAnswer
from tests.abuse.packets import RawWill, connect
from tests.abuse.scene import Scene, opening
from tests.abuse.stage import Account

SILENT = 300
PATIENCE_S = 14.0
FIX = b'{"at":"2026-01-01T12:00:00Z","lat":1.0,"lon":1.0,"pad":"%s"}'


def at_once(doing: Callable[[int], None], workers: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=doing, args=(n,), daemon=True) for n in range(workers)]
    for each in threads:
        each.start()
    return threads


def newcomer_comes_in(scene: Scene) -> float:
    """A device of the victim's comes in; returns how long that took, in seconds."""
    newcomer = scene.stage.account(scene.stage.victim, Role.POS)
    began = time.monotonic()
    scene.goes_on(newcomer)
    return time.monotonic() - began


def fix_topic(account: Account) -> str:
    return f"heard/v1/{account.tenant}/telemetry/{account.device}/fix"


@attempt(
    54,
    embedded="a new device is let in beside 300 silent sockets; they are closed in time",
    mosquitto="a new device is let in beside 300 silent sockets; they do nobody harm",
    private=True,
    embedded_logs=f"too many connections: {SOMEBODY} from .* gave no name",
)
def test_54_tcp_open_and_no_connect(scene: Scene) -> None:
    silent = [scene.link() for _ in range(SILENT)]
    assert newcomer_comes_in(scene) < 2.0
    scene.seen(f"a new device is let in beside {SILENT} silent sockets")
    if scene.kind == "embedded":
        until = time.monotonic() + PATIENCE_S
        closed = [link.end(max(0.1, until - time.monotonic())) for link in silent]
        scene.holds(all(closed), "they are closed in time")
    else:
        for _ in range(20):
            scene.after_an_order()
        scene.seen("they do nobody harm")


@attempt(
    55,
    embedded="closed before it has said who it is",
    mosquitto="waited for; a new device is let in meanwhile",
    embedded_logs=f"protocol violation: {SOMEBODY} from .* did not say who",
    mosquitto_logs="Client <unknown> ",
)
def test_55_connect_at_a_byte_a_second(scene: Scene) -> None:
    link = scene.link()
    seconds = PATIENCE_S if scene.kind == "embedded" else 4.0
    until = time.monotonic() + seconds
    for byte in opening(scene.thief()):
        try:
            if not link.send(bytes([byte])) or link.next(within=1.0) is None:
                break
        except NoAnswer:
            pass
        if time.monotonic() > until:
            break
    if scene.kind == "embedded":
        scene.holds(link.ended, "closed before it has said who it is")
        return
    assert not link.ended
    scene.seen("waited for")
    scene.holds(newcomer_comes_in(scene) < 1.0, "a new device is let in meanwhile")


@attempt(
    56,
    both="hundreds in a few seconds, all refused; a new device is let in",
    private=True,
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_56_a_flood_of_connects(scene: Scene) -> None:
    until = time.monotonic() + 3.0
    answers: list[int] = []

    def knock(number: int) -> None:
        for each in itertools.count():
            if time.monotonic() > until:
                return
            name = f"tb:pos-{number}-{each}"
            with Link(scene.stage.broker.address) as link:
                link.send(connect(name, name, "x"))
                answer = link.connack()
                answers.append(-1 if answer is None else answer.code)

    flooding = at_once(knock, 4)
    taken = newcomer_comes_in(scene)
    for each in flooding:
        each.join()
    scene.holds(len(answers) > 200 and 0 not in answers, "hundreds in a few seconds, all refused")
    scene.holds(taken < 3.0, "a new device is let in")


@attempt(
    57,
    both="again and again for three seconds; a new device is let in",
    private=True,
    logged='"event": "unfit"',
)
def test_57_a_storm_of_reconnects(scene: Scene) -> None:
    until = time.monotonic() + 3.0
    accounts = [scene.thief() for _ in range(4)]
    count = itertools.count()

    def storm(number: int) -> None:
        while time.monotonic() < until:
            with Link(scene.stage.broker.address) as link:
                will = RawWill(f"heard/v1/ta/presence/{accounts[number].device}", b"{}")
                link.send(opening(accounts[number], clean=False, will=will))
                if link.connack() is not None:
                    next(count)
                link.cut()

    storming = at_once(storm, len(accounts))
    taken = newcomer_comes_in(scene)
    for each in storming:
        each.join()
    scene.holds(next(count) > 50, "again and again for three seconds")
    scene.holds(taken < 3.0, "a new device is let in")


@attempt(
    70,
    both="gets at most 1,000 unacknowledged; the rest is bounded, and gone with it",
    private=True,
    mosquitto_logs=CAME,
)
def test_70_a_subscriber_that_never_acknowledges(scene: Scene) -> None:
    speaker = scene.thief()
    deaf = scene.enter(scene.thief(Role.MANAGER))
    assert deaf.subscribe(f"heard/v1/ta/telemetry/{speaker.device}/#") == [1]
    payload = FIX % (b"x" * 1000)
    link = scene.enter(speaker)
    packet = packets.publish(fix_topic(speaker), payload)
    # More than one may owe, and few enough to lie in the services' queue until they are read.
    link.send_while(itertools.repeat(packet, 8_000), 10.0)
    assert deaf.ping()
    unacknowledged = len(deaf.messages())
    scene.holds(0 < unacknowledged <= 1000, "gets at most 1,000 unacknowledged")
    link.close()
    deaf.close()
    scene.seen("the rest is bounded, and gone with it")


UNREAD = "what it holds is gone with its reader"
HELD = "until then the broker grows by less than 1 GiB, which it may keep"


@attempt(
    71,
    embedded=f"the broker grows by less than 64 MiB; {UNREAD}",
    mosquitto=f"who goes on sending is put out; {HELD}",
    private=True,
    embedded_logs="too m(any|uch)",
    mosquitto_logs="a device went too far",
)
def test_71_a_subscriber_that_never_reads(scene: Scene) -> None:
    speaker = scene.thief()
    stuck = scene.enter(scene.thief(Role.MANAGER))
    topic = fix_topic(speaker)
    assert stuck.subscribe(topic.replace("/fix", "/#")) == [1]
    before = scene.stage.memory()
    link = scene.enter(speaker)
    packet = packets.publish(topic, FIX % (b"x" * 30_000), qos=0)
    sent = link.send_while(itertools.repeat(packet), 2.0 if scene.kind == "embedded" else 10.0)
    assert sent > 20
    if scene.kind == "embedded":
        grown = scene.stage.memory() - before
        assert grown < 64 * 2**20, f"{grown / 2**20:.0f} MiB for {sent} messages"
        scene.seen("the broker grows by less than 64 MiB")
    else:
        # It writes to whoever does not read, and counts that nowhere: only its end helps.
        scene.holds(link.end(1.0), "who goes on sending is put out")
        scene.witness.may_grow = 2**30
        scene.holds(scene.stage.memory() - before < scene.witness.may_grow, HELD)
    link.close()
    stuck.close()
    if scene.kind == "embedded":
        scene.waits(lambda: scene.stage.memory() - before < scene.witness.may_grow, UNREAD)


@attempt(
    72,
    both="put out when its keepalive is over; its will is said, on its own topic",
    embedded_logs="silent for too long",
    mosquitto_logs="exceeded timeout",
)
def test_72_silence_past_keepalive(scene: Scene) -> None:
    thief = scene.thief()
    presence = DevicePresence.route.topic(tenant="ta", device=thief.device)
    link = scene.enter(thief, keepalive_s=1, will=RawWill(presence, scene.mark))
    began = time.monotonic()
    assert link.end(10.0)
    silent_s = time.monotonic() - began
    scene.holds(1.0 <= silent_s < 10.0, "put out when its keepalive is over")

    def said() -> list[str]:
        return [
            one.topic for one in scene.witness.heard_at_attackers() if scene.mark in one.payload
        ]

    scene.waits(lambda: said() == [presence], "its will is said, on its own topic")


@attempt(
    73,
    both="200 other client ids are refused; under its own one session is kept",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_73_endless_persistent_sessions(scene: Scene) -> None:
    thief = scene.thief()
    told = set()
    for _ in range(25):  # a few with each: who is refused often is answered slowly
        other = scene.thief()
        ids = (f"{other.login.client_id}-{number}" for number in range(8))
        told |= {scene.knock(opening(other, client_id=one, clean=False)) for one in ids}
    refused = all(each.startswith("CONNACK") for each in told)
    scene.holds(refused, "200 other client ids are refused")
    present = []
    for _ in range(50):
        link = scene.link()
        link.send(opening(thief, clean=False))
        answer = link.connack()
        assert answer is not None
        present.append(answer.session_present)
        link.leave()
    scene.holds(present == [False] + [True] * 49, "under its own one session is kept")
