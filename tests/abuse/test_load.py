"""Attempts 54 to 57 and 70 to 73: to wear the broker out."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from schemas.devices import DevicePresence, Role
from tests.abuse import packets
from tests.abuse.attempts import CAME, SOMEBODY, attempt
from tests.abuse.link import Link, NoAnswer
from tests.abuse.packets import RawWill, connect
from tests.abuse.scene import Scene, opening
from tests.abuse.stage import Account
from tests.patience import PATIENCE_S
from tests.system import until

SILENT = 300
STORMERS = 4
FIX = b'{"at":"2026-01-01T12:00:00Z","lat":1.0,"lon":1.0,"pad":"%s"}'


@contextmanager
def going_on(doing: Callable[[int], None], enough: threading.Event) -> Iterator[None]:
    """Several do the same at once, beside what stands under `with`; until it is enough."""
    with ThreadPoolExecutor(STORMERS) as pool:
        doers = [pool.submit(doing, number) for number in range(STORMERS)]
        try:
            yield
        finally:
            enough.set()
    for each in doers:
        each.result()


def newcomer_comes_in(scene: Scene) -> None:
    """A device of the victim's comes in, and is served."""
    scene.goes_on(scene.stage.account(scene.stage.victim, Role.POS))


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
    newcomer_comes_in(scene)
    scene.seen(f"a new device is let in beside {SILENT} silent sockets")
    if scene.kind == "embedded":
        latest = time.monotonic() + PATIENCE_S
        closed = [link.end(max(0.1, latest - time.monotonic())) for link in silent]
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
    latest = time.monotonic() + seconds
    for byte in opening(scene.thief()):
        try:
            if not link.send(bytes([byte])) or link.next(within=1.0) is None:
                break
        except NoAnswer:
            pass
        if time.monotonic() > latest:
            break
    if scene.kind == "embedded":
        scene.holds(link.ended, "closed before it has said who it is")
        return
    assert not link.ended
    scene.seen("waited for")
    newcomer_comes_in(scene)
    scene.holds(not link.ended, "a new device is let in meanwhile")


@attempt(
    56,
    both="a new device is let in meanwhile; hundreds are refused",
    private=True,
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_56_a_flood_of_connects(scene: Scene) -> None:
    enough = threading.Event()
    answers: list[int] = []

    def knock(number: int) -> None:
        for each in itertools.count():
            if enough.is_set():
                return
            name = f"tb:pos-{number}-{each}"
            with Link(scene.stage.broker.address) as link:
                link.send(connect(name, name, "x"))
                answer = link.connack()
                answers.append(-1 if answer is None else answer.code)

    with going_on(knock, enough):
        until(lambda: answers, "the flood to begin", PATIENCE_S)
        newcomer_comes_in(scene)
        scene.seen("a new device is let in meanwhile")
        until(lambda: len(answers) > 200, "hundreds of answers", PATIENCE_S)
    scene.holds(0 not in answers, "hundreds are refused")


@attempt(
    57,
    both="they are let in again and again, and a new device meanwhile",
    private=True,
    logged='"event": "unfit"',
)
def test_57_a_storm_of_reconnects(scene: Scene) -> None:
    enough = threading.Event()
    accounts = [scene.thief() for _ in range(STORMERS)]
    let_in: list[int] = []

    def storm(number: int) -> None:
        while not enough.is_set():
            with Link(scene.stage.broker.address) as link:
                will = RawWill(f"heard/v1/ta/presence/{accounts[number].device}", b"{}")
                link.send(opening(accounts[number], clean=False, will=will))
                if link.connack() is not None:
                    let_in.append(number)
                link.cut()

    with going_on(storm, enough):
        until(lambda: let_in, "the storm to begin", PATIENCE_S)
        newcomer_comes_in(scene)
        until(lambda: len(let_in) > 50, "fifty connections", PATIENCE_S)
    scene.seen("they are let in again and again, and a new device meanwhile")


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
        scene.holds(link.end(PATIENCE_S), "who goes on sending is put out")
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
    assert link.end(PATIENCE_S)
    silent_s = time.monotonic() - began
    scene.holds(silent_s >= 1.0, "put out when its keepalive is over")

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
