"""The embedded broker's door: who may come, how many, and what guessing comes to."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from broker_config.access import Credential, Identity
from broker_config.embedded import EmbeddedBroker
from broker_config.embedded_guesses import Guesses
from broker_config.embedded_refusals import Kind, Refusals, shown
from broker_config.limits import BrokerLimits
from broker_config.secret import SecretHash
from broker_config.settings import BrokerAddress
from schemas.devices import Role
from schemas.topics import Plane
from tests.abuse import packets
from tests.abuse.link import Link, NoAnswer
from tests.abuse.packets import RawWill
from tests.contract.limited import (
    FIX,
    MENU,
    OTHER,
    Limited,
    limited,
    opening,
    topic,
    until,
    works,
)

BAD_SECRET, NO_ROOM = 4, 3


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


def code(link: Link) -> int:
    answer = link.connack()
    assert answer is not None
    return answer.code


def guess(one: Limited, *, guessed: str = "wrong", device: str = "car-1") -> Link:
    link = one.link()
    login = one.login(device)
    link.send(packets.connect(login.client_id, login.username, guessed))
    return link


def test_guesses_are_answered_ever_more_slowly_and_the_right_secret_meanwhile() -> None:
    with limited(free_guesses=3, guess_delay_s=1.0) as one, ExitStack() as stack:
        for _ in range(3):
            with guess(one) as free:
                assert code(free) == BAD_SECRET
        guessing = stack.enter_context(guess(one))
        with pytest.raises(NoAnswer):
            guessing.next(0.05)
        with one.client("car-1") as car:
            car.publish(FIX, b"in, though others guess")
        began = time.monotonic()
        with guess(one) as slower:
            assert code(slower) == BAD_SECRET
            assert time.monotonic() - began >= 2.0 * 0.9
        assert code(guessing) == BAD_SECRET
        with guess(one, device="car-2") as of_another:
            assert code(of_another) == BAD_SECRET
        assert one.count(Kind.LOGIN) == 6


def test_how_many_guesses_wait_for_their_answer_is_bounded() -> None:
    slow = {"free_guesses": 1, "guess_delay_s": 30.0, "guess_delay_most_s": 30.0}
    with limited(guesses_waiting=2, **slow) as one, ExitStack() as stack:
        with guess(one) as free:
            assert code(free) == BAD_SECRET
        held = [stack.enter_context(guess(one)) for _ in range(2)]
        found = one.broker.broker._door
        assert found is not None
        until(lambda: found._guesses.waiting == 2, "two that wait")
        with guess(one) as third:
            assert code(third) == BAD_SECRET
        for each in held:
            with pytest.raises(NoAnswer):
                each.next(0.01)


def test_guesses_are_forgotten_after_a_while_and_remembered_in_bounded_memory() -> None:
    guesses = Guesses(BrokerLimits(free_guesses=1, guesses_forgotten_s=0.0))
    for _ in range(5):
        assert guesses.delay_s("127.0.0.1", "roma:pos-1") == 0.0
        time.sleep(0.001)
    patient = Guesses(BrokerLimits(free_guesses=1, guess_delay_s=0.5, guess_delay_most_s=3.0))
    delays = [patient.delay_s("127.0.0.1", "roma:pos-1") for _ in range(6)]
    assert delays == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert patient.delay_s("127.0.0.2", "roma:pos-1") == 0.0
    for number in range(20_000):
        patient.delay_s("127.0.0.1", f"{number}" * 100)
    assert len(patient._failed) == 10_000


def test_an_unknown_name_costs_as_much_work_as_a_wrong_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []
    verify = SecretHash.verify

    def counted(self: SecretHash, secret: str) -> bool:
        if secret.startswith("for "):  # other tests' brokers verify others
            verified.append(secret)
        return verify(self, secret)

    monkeypatch.setattr(SecretHash, "verify", counted)
    with limited() as one:
        for name in ("roma:car-1", "roma:nobody", "no name at all", "x" * 1_000):
            with one.link() as link:
                link.send(packets.connect(name, name, f"for {name[:20]}"))
                assert code(link) == BAD_SECRET
            assert verified == [f"for {name[:20]}"]
            verified.clear()


def test_credentials_are_looked_up_few_at_a_time() -> None:
    class Slow:
        now = most = 0

        async def find(self, username: str) -> Credential | None:
            self.now += 1
            self.most = max(self.now, self.most)
            await asyncio.sleep(0.01)
            self.now -= 1
            assert username
            return None

    async def flood() -> None:
        directory = Slow()
        async with EmbeddedBroker(directory, limits=BrokerLimits(checks=4)) as broker:
            address = BrokerAddress(port=broker.port)

            def knock(number: int) -> int:
                with Link(address) as link:
                    link.send(packets.connect(f"x{number}", f"x{number}", "x"))
                    return code(link)

            codes = await asyncio.gather(*(asyncio.to_thread(knock, n) for n in range(40)))
            assert set(codes) == {BAD_SECRET}
        assert directory.most == 4

    asyncio.run(flood())


def test_the_oldest_silent_stranger_makes_room_for_a_newcomer() -> None:
    with limited(strangers=5) as one, ExitStack() as stack:
        silent = [stack.enter_context(one.link()) for _ in range(5)]
        found = one.broker.broker._door
        assert found is not None
        until(lambda: len(found._silent) == 5, "the strangers")
        with one.client("car-1") as car:
            car.publish(FIX, b"in")
        assert silent[0].end()
        for other in silent[1:]:
            with pytest.raises(NoAnswer):
                other.next(0.01)
        assert one.count(Kind.CONNECTIONS) == 1


def test_a_first_packet_must_come_whole_and_in_time() -> None:
    with limited(connect_patience_s=0.4) as one, one.link() as link:
        began = time.monotonic()
        for byte in opening(one.login("car-1")):
            if not link.send(bytes([byte])):
                break
            try:
                if link.next(0.05) is None:
                    break
            except NoAnswer:
                pass
        assert link.ended
        assert time.monotonic() - began >= 0.4 * 0.9
        assert one.count(Kind.VIOLATION) == 1
        assert works(one.broker)


def test_a_tenant_has_so_many_connections_and_no_more() -> None:
    with limited(tenant_connections=2) as one, ExitStack() as stack:
        first = stack.enter_context(one.entered("car-1"))
        stack.enter_context(one.entered("car-2"))
        with one.link() as third:
            third.send(opening(one.login("boss-1")))
            assert code(third) == NO_ROOM
        again = stack.enter_context(one.entered("car-1"))
        assert first.end()
        assert works(one.broker), "another tenant has room of its own"
        again.leave()
        until(lambda: one.broker.broker._door._of_tenant["roma"] == 1, "its place")  # type: ignore[union-attr]  # it runs
        stack.enter_context(one.entered("boss-1"))


def test_a_full_broker_takes_nobody_more_and_goes_on() -> None:
    with limited(connections=3) as one, ExitStack() as stack:
        for device in ("car-1", "car-2", "boss-1"):
            stack.enter_context(one.entered(device))
        with one.link() as fourth:
            assert fourth.end()
        assert one.count(Kind.CONNECTIONS) == 1


def test_a_flood_of_logins_keeps_nobody_waiting() -> None:
    with limited() as one, one.services() as back, one.client("car-1") as car:
        back.subscribe(topic(Plane.TELEMETRY, "#", "+"))
        ending = threading.Event()

        def flood(number: int) -> None:
            while not ending.is_set():
                with one.link() as link:
                    link.send(packets.connect(f"x{number}", f"roma:x-{number}", "x"))
                    code(link)

        floods = [threading.Thread(target=flood, args=(number,)) for number in range(8)]
        for each in floods:
            each.start()
        try:
            for number in range(50):
                car.publish(FIX, b"%d" % number)
                assert back.next_message().payload == b"%d" % number
            with one.client("boss-1", OTHER) as newcomer:
                assert newcomer.connected
        finally:
            ending.set()
            for each in floods:
                each.join()


def test_each_kind_of_refusal_is_counted_and_told_with_who_where_and_why(
    log: pytest.LogCaptureFixture,
) -> None:
    secret = "a-secret-that-nobody-shall-read"
    payload = b"a payload that nobody shall read"
    with limited(subscriptions=1) as one:
        with guess(one, guessed=secret) as link:
            code(link)
            wheres = {"login": link._socket.getsockname()[1]}
        with one.link() as liar:
            liar.send(opening(one.login("car-1"), will=RawWill(MENU, payload)))
            code(liar)
        with one.entered("car-1") as car:
            wheres["car"] = car._socket.getsockname()[1]
            car.subscribe("#", topic(Plane.REPLY, "car-1"))
            car.subscribe(topic(Plane.STATE, "delivery/car-1/#"))
            car.publish(MENU, payload)
            car.publish(FIX, payload, retain=True)
            car.send(b"\xf0\x00")
            assert car.end()
        car_at, said = f"127.0.0.1:{wheres['car']}", [each.getMessage() for each in log.records]
    assert said[0] == (
        f"login refused: 'roma:car-1' from 127.0.0.1:{wheres['login']}: its name or secret is wrong"
    )
    assert said[1].startswith("will refused: 'roma:car-1' from 127.0.0.1:")
    assert said[1].endswith(f": on '{MENU}'")
    assert said[2:] == [
        f"subscription refused: 'roma:car-1' from {car_at}: to '#'",
        f"too many subscriptions: 'roma:car-1' from {car_at}: it has 1, and gets no more",
        f"publish refused: 'roma:car-1' from {car_at}: to '{MENU}'",
        f"retained flag dropped: 'roma:car-1' from {car_at}: on '{FIX}'",
        f"protocol violation: 'roma:car-1' from {car_at}: a packet of kind 15 is not taken here",
    ]
    for kind in (Kind.LOGIN, Kind.WILL, Kind.SUBSCRIBE, Kind.PUBLISH, Kind.RETAIN, Kind.VIOLATION):
        assert one.count(kind) == 1
    assert not any(secret in line or "nobody shall read" in line for line in said)


def test_names_of_strangers_break_no_line_and_fill_no_log(log: pytest.LogCaptureFixture) -> None:
    with limited() as one, one.link() as link:
        name = "roma:pos-1\n2026 all is well\x1b[31m" + "é" * 5_000
        link.send(packets.connect(name, name, "x"))
        assert code(link) == BAD_SECRET
    (line,) = (each.getMessage() for each in log.records)
    assert line.isprintable()
    assert len(line) < 500
    assert shown("a\nb") == r"'a\nb'"
    assert shown("x" * 81) == f"'{'x' * 80}…'"


def test_the_log_has_one_line_a_minute_for_each_client_and_kind(
    log: pytest.LogCaptureFixture,
) -> None:
    exceeded: list[tuple[str, Kind]] = []
    refusals = Refusals(BrokerLimits(lines=10), lambda *both: exceeded.append(both))
    for number in range(1_000):
        refusals.note(Kind.BYTES, "roma:pos-1", "here", "x")
        refusals.note(Kind.LOGIN, f"stranger-{number}", "there", "x", let_in=False)
    assert len(log.records) == 11
    assert refusals.counts[Kind.BYTES] == refusals.counts[Kind.LOGIN] == 1_000
    assert exceeded == [("roma:pos-1", Kind.BYTES)]
    log.clear()
    soon = Refusals(BrokerLimits(told_every_s=1.0), lambda *both: exceeded.append(both))
    for _ in range(3):
        soon.note(Kind.BYTES, "roma:pos-1", "here", "x")
    time.sleep(1.1)
    soon.note(Kind.BYTES, "roma:pos-1", "here", "x")
    assert [each.getMessage() for each in log.records] == [
        "too many bytes: 'roma:pos-1' from here: x",
        "too many bytes: 'roma:pos-1' from here: x (2 more since the last line)",
    ]


def test_who_is_put_out_while_it_is_looked_up_does_not_come_in() -> None:
    class Turning:
        """Knows the device when it is asked first, and has revoked it by the time it answers."""

        def __init__(self) -> None:
            self.asked = asyncio.Event()
            self.answer = asyncio.Event()
            self.known: Credential | None = Credential(
                Identity("roma", "pos-1", Role.POS), SecretHash.of("secret")
            )

        async def find(self, username: str) -> Credential | None:
            found = self.known
            self.asked.set()
            await self.answer.wait()
            return found if found and found.username == username else None

    async def race() -> None:
        directory = Turning()
        async with EmbeddedBroker(directory) as broker:
            with Link(BrokerAddress(port=broker.port)) as link:
                link.send(packets.connect("roma:pos-1", "roma:pos-1", "secret"))
                await directory.asked.wait()
                directory.known = None
                await broker.put_out("roma:pos-1")
                directory.answer.set()
                assert await asyncio.to_thread(code, link) == BAD_SECRET

    asyncio.run(race())


def test_whoever_bears_a_name_later_finds_no_session_of_who_bore_it_before() -> None:
    class Directory:
        """Knows one device, and then another of the same name, role and secret."""

        def __init__(self) -> None:
            self.known = credential(1)

        async def find(self, _username: str) -> Credential | None:
            return self.known

    def credential(day: int) -> Credential:
        since = datetime(2026, 3, day, tzinfo=UTC)
        return Credential(Identity("roma", "pos-1", Role.POS, since), SecretHash.of("secret"))

    def had_a_session(port: int) -> bool:
        with Link(BrokerAddress(port=port)) as link:
            link.send(packets.connect("roma:pos-1", "roma:pos-1", "secret", clean=False))
            answer = link.connack()
            assert answer is not None
            assert link.subscribe(MENU) == [1]
            link.leave()
        return answer.session_present

    async def come_and_go() -> list[bool]:
        directory = Directory()
        async with EmbeddedBroker(directory) as broker:
            had = [await asyncio.to_thread(had_a_session, broker.port) for _ in range(2)]
            assert await broker.knows(directory.known.identity)
            directory.known = credential(2)
            assert not await broker.knows(directory.known.identity)
            had += [await asyncio.to_thread(had_a_session, broker.port) for _ in range(2)]
            assert await broker.knows(directory.known.identity)
        return had

    assert asyncio.run(come_and_go()) == [False, True, False, True]
