from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from devices.options import DeviceOptions
from devices.outbox import OutboxInUse
from devices.pending import Rejected, Unanswered
from devices.pos import NewOrder, PointOfSale
from devices.resending import Patience
from schemas.devices import DevicePresence, Heartbeat, PresenceStatus
from schemas.identifiers import new_id
from schemas.menu import MenuItem
from schemas.message import Request
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from tests.devices.stage import (
    CALM,
    HASTY,
    TENANT,
    Broker,
    Responder,
    receipt,
    silence,
    until,
)
from tests.patience import PATIENCE_S

BURGER = LineRequest(item="burger", quantity=2)


def till(broker: Broker, outbox: Path | None, **options: object) -> PointOfSale:
    chosen: DeviceOptions = {
        "tenant": TENANT,
        "device": "pos-1",
        "secret": "open-sesame",
        "outbox": outbox,
        "patience": HASTY,
        "heartbeat_s": 0.2,
        **options,  # type: ignore[typeddict-item]  # a test names what it needs
    }
    return PointOfSale("127.0.0.1", broker.port, **chosen)


def marked(pos: PointOfSale, responder: Responder, mark: Request | None = None) -> None:
    """Send a mark through; whatever was said before has arrived when this returns."""
    responder.answers = lambda id_, _: Reply(
        request=id_, outcome=Outcome.ACCEPTED, result=receipt(id_)
    )
    pos._request(mark or CloseOrder(order_id=new_id())).result(PATIENCE_S)


def test_an_order_is_answered_and_leaves_the_outbox(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    with till(broker, tmp_path / "o", patience=CALM) as pos:
        handle = pos.place_order([BURGER], table="7", reference="T-1")
        got = handle.result(PATIENCE_S)
        assert got.order_id == handle.id
        assert handle.done
        assert handle.wait_kept(0)
        assert pos.drain(PATIENCE_S)
        assert pos.waiting == 0
        pos.add_lines(handle.id, [BURGER]).result(PATIENCE_S)
        pos.cancel_order(handle.id, "the guest left").result(PATIENCE_S)
        pos.close_order(handle.id).result(PATIENCE_S)
    [placed] = responder.requests(PlaceOrder)
    assert placed.id == handle.id
    assert placed.message == PlaceOrder(lines=(BURGER,), table="7", reference="T-1")
    assert [len(responder.requests(kind)) for kind in (AddLines, CancelOrder, CloseOrder)] == [
        1
    ] * 3
    with till(broker, tmp_path / "o") as again:
        assert again.waiting == 0


def test_an_unanswered_request_is_sent_again_under_the_same_id(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = silence
    with till(broker, tmp_path / "o") as pos:
        handle = pos.place_order([BURGER])
        with pytest.raises(TimeoutError, match="still on its way"):
            handle.result(0.01)
        until(lambda: len(responder.requests(PlaceOrder)) >= 3, "the third sending")
        marked(pos, responder)
        handle.result(PATIENCE_S)
        assert pos.resent >= 2
    assert {heard.id for heard in responder.requests(PlaceOrder)} == {handle.id}


def test_a_late_repetition_of_a_reply_is_dropped(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    told: list[UUID] = []
    with till(broker, tmp_path / "o", on_reply=lambda id_, _: told.append(id_)) as pos:
        handle = pos.place_order([BURGER])
        handle.result(PATIENCE_S)
        late = Reply(request=handle.id, outcome=Outcome.REJECTED, code=RefusalCode.INTERNAL)
        responder.say(late, device="pos-1")
        responder.say(late, device="pos-1")
        until(lambda: pos.counts.repeated_replies == 2, "the late replies")
        assert handle.result(0).order_id == handle.id
    assert told == [handle.id]


def test_a_rejection_is_raised_and_clears_the_outbox(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = lambda id_, _: Reply(
        request=id_,
        outcome=Outcome.REJECTED,
        code=RefusalCode.UNKNOWN_ITEM,
        message="no burger here",
    )
    with till(broker, tmp_path / "o") as pos:
        with pytest.raises(Rejected, match="unknown-item: no burger here") as refused:
            pos.place_order([BURGER]).result(PATIENCE_S)
        assert refused.value.code is RefusalCode.UNKNOWN_ITEM
        assert pos.drain(PATIENCE_S)
    with till(broker, tmp_path / "o") as again:
        assert again.waiting == 0


def test_a_killed_till_sends_the_same_request_when_it_starts_again(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = silence
    script = (
        "import sys, time; from pathlib import Path; from devices.pos import PointOfSale\n"
        "from schemas.orders import LineRequest\n"
        "pos = PointOfSale('127.0.0.1', int(sys.argv[1]), tenant='demo', device='pos-1',"
        " secret='x', outbox=Path(sys.argv[2])).start()\n"
        "pending = pos.place_order([LineRequest(item='burger', quantity=2)])\n"
        "assert pending.wait_kept(60)\nprint(pending.id, flush=True)\ntime.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(broker.port), str(tmp_path / "o")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        placed = UUID(process.stdout.readline().decode().strip())
        with pytest.raises(OutboxInUse):
            till(broker, tmp_path / "o")
        until(lambda: responder.requests(PlaceOrder), "the first sending")
        os.kill(process.pid, signal.SIGKILL)
    before = len(responder.requests(PlaceOrder))
    told: list[tuple[UUID, Reply]] = []
    with till(broker, tmp_path / "o", on_reply=lambda *it: told.append(it)) as pos:
        handle = pos.pending(placed)
        assert handle is not None
        until(lambda: len(responder.requests(PlaceOrder)) > before, "the sending after the kill")
        marked(pos, responder)
        handle.result(PATIENCE_S)
        assert pos.drain(PATIENCE_S)
    assert {heard.id for heard in responder.requests(PlaceOrder)} == {placed}
    assert placed in [id_ for id_, _ in told]


def test_what_is_placed_offline_waits_and_is_sent_in_its_order(
    broker: Broker, tmp_path: Path
) -> None:
    broker.kill()
    problems: list[str] = []
    few = Patience(first_s=PATIENCE_S, reconnect_first_s=0.05, reconnect_longest_s=0.1, window=7)
    with till(broker, tmp_path / "o", on_problem=problems.append, patience=few) as pos:
        orders = [NewOrder((BURGER,), reference=str(n)) for n in range(50)]
        handles = [pos.place_order([BURGER], reference="first"), *pos.place_orders(orders)]
        assert all(handle.wait_kept(PATIENCE_S) for handle in handles)
        until(lambda: problems, "the problem")
        assert not pos.online
        assert pos.waiting == 51
    broker.start()
    with Responder(broker) as responder, till(broker, tmp_path / "o", patience=few) as pos:
        assert pos.drain(PATIENCE_S)
        assert [heard.id for heard in responder.requests(PlaceOrder)] == [h.id for h in handles]
        assert pos.resent == 0
    assert "no broker answers at 127.0.0.1" in problems[0]
    assert len(problems) == 1


def test_a_broker_that_dies_in_mid_flow_loses_no_request(broker: Broker, tmp_path: Path) -> None:
    with till(broker, tmp_path / "o") as pos:
        with Responder(broker) as responder:
            for _ in range(20):
                pos.place_order([BURGER]).result(PATIENCE_S)
            responder.answers = silence
            handles = [pos.place_order([BURGER]) for _ in range(30)]
            until(lambda: len(responder.requests(PlaceOrder)) >= 50, "the flow")
            broker.kill()
        handles += [pos.place_order([BURGER]) for _ in range(10)]
        until(lambda: not pos.online, "the loss of the connection")
        broker.start()
        with Responder(broker) as responder:
            assert pos.drain(PATIENCE_S)
            assert {heard.id for heard in responder.requests(PlaceOrder)} == {h.id for h in handles}
        assert pos.counts.connections == 2


def test_birth_and_will_carry_the_epoch_of_their_session(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    def presences() -> list[DevicePresence]:
        return responder.said(DevicePresence)

    with till(broker, tmp_path / "o") as pos:
        until(lambda: len(presences()) == 1, "the birth")
        # cut the wire: the broker speaks the will, the device comes back by itself
        other = till(broker, None)
        with other:
            until(lambda: len(presences()) >= 3, "the takeover")
        until(lambda: pos.online and presences()[-1].status is PresenceStatus.ONLINE)
    until(lambda: presences()[-1].status is PresenceStatus.OFFLINE, "the goodbye")
    births = [p.epoch for p in presences() if p.status is PresenceStatus.ONLINE]
    ends = [p.epoch for p in presences() if p.status is PresenceStatus.OFFLINE]
    assert len(set(births)) == len(births) >= 3
    # One that is thrown out before it could say that it is there has no birth, but its will.
    assert births[0] in ends
    assert births == sorted(births, key=lambda epoch: epoch.int >> 80)
    assert presences()[-1].epoch == births[-1]
    assert all(p.heartbeat_s == 0.2 and p.software.startswith("heard") for p in presences())


def test_a_killed_device_is_reported_by_its_will(broker: Broker, responder: Responder) -> None:
    script = (
        "import sys, time; from devices.client import DeviceClient\n"
        "DeviceClient('127.0.0.1', int(sys.argv[1]), tenant='demo', device='box', secret='x')"
        ".start()\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(broker.port)]) as process:
        until(lambda: responder.said(DevicePresence), "the birth")
        process.kill()
    until(lambda: len(responder.said(DevicePresence)) == 2, "the will")
    birth, will = responder.said(DevicePresence)
    assert (birth.status, will.status) == (PresenceStatus.ONLINE, PresenceStatus.OFFLINE)
    assert birth.epoch == will.epoch


def test_heartbeats_tell_the_depth_of_the_outbox(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = silence
    with till(broker, tmp_path / "o") as pos:
        handles = [pos.place_order([BURGER]) for _ in range(3)]
        until(lambda: any(b.waiting == 3 for b in responder.said(Heartbeat)), "the heartbeat")
    for handle in handles:
        with pytest.raises(Unanswered, match="sent next time"):
            handle.result(0)
    epochs = {presence.epoch for presence in responder.said(DevicePresence)}
    assert {beat.epoch for beat in responder.said(Heartbeat)} <= epochs


def test_a_wrong_secret_is_said_in_one_line_and_not_hammered(tmp_path: Path) -> None:
    problems: list[str] = []
    with Broker(tmp_path, more="allow_anonymous false") as broker:
        patience = Patience(refused_s=3600)
        pos = till(broker, None, on_problem=problems.append, patience=patience)
        with pos:
            until(lambda: problems, "the problem")
            assert problems == ["the broker does not let demo:pos-1 in: wrong name or secret"]
            assert not pos.wait_online(0)
        assert pos.counts.connections == 0


def test_what_cannot_be_read_is_counted_and_disturbs_nothing(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    problems: list[str] = []
    with till(broker, tmp_path / "o", on_problem=problems.append) as pos:
        assert pos.wait_online(PATIENCE_S)
        topic = Reply.route.topic(tenant=TENANT, device="pos-1")
        for payload in (b"", b"\xff\xfe", b"{}", b"[1]", b"x" * 1_000_000):
            responder.say_raw(topic, payload)
        menu = MenuItem.route.topic(tenant=TENANT, item="burger")
        responder.say_raw(menu, b"nonsense")
        responder.say_raw(f"{menu}".upper().replace("HEARD/V1/DEMO/STATE/MENU", menu[:-7]), b"{}")
        unread = Reply(request=None, outcome=Outcome.REJECTED, code=RefusalCode.UNREADABLE)
        responder.say(unread, device="pos-1")
        until(lambda: problems, "the unreadable request")
        pos.place_order([BURGER]).result(PATIENCE_S)
        assert pos.counts.undecodable == 7
    assert problems == ["the services could not read a request: unreadable"]


def test_the_menu_is_live(broker: Broker, responder: Responder, tmp_path: Path) -> None:
    def item(name: str, price: int) -> MenuItem:
        return MenuItem(item=name, name=name, station="grill", price_minor=price, currency="GBP")

    responder.say(item("burger", 900))
    responder.say(item("fries", 300))
    with till(broker, tmp_path / "o") as pos:
        until(lambda: len(pos.menu) == 2, "the menu")
        responder.say(item("burger", 950))
        until(lambda: pos.menu["burger"].price_minor == 950, "the new price")
        topic = MenuItem.route.topic(tenant=TENANT, item="fries")
        responder.say_raw(topic, b"", retain=True)
        until(lambda: set(pos.menu) == {"burger"}, "the clearing")


def test_the_same_id_gives_the_same_handle_and_another_content_is_refused(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    responder.answers = silence
    id_ = new_id()
    with till(broker, tmp_path / "o") as pos:
        first = pos.place_order([BURGER], request_id=id_)
        assert pos.place_order([BURGER], request_id=id_) is first
        with pytest.raises(ValueError, match="another content"):
            pos.place_order([BURGER, BURGER], request_id=id_)
        with pytest.raises(ValueError, match="quantity"):
            pos.place_order([LineRequest(item="burger", quantity=0)])
        assert pos.waiting == 1


def test_a_callback_that_raises_or_waits_disturbs_nothing(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    caught: list[BaseException] = []
    called = threading.Event()

    def rude(_id: UUID, _reply: Reply) -> None:
        try:
            pos.place_order([BURGER]).result(PATIENCE_S)
        except RuntimeError as error:
            caught.append(error)
            called.set()
            raise

    def explode(_: object) -> None:
        raise ZeroDivisionError

    with till(broker, tmp_path / "o", on_reply=rude) as pos:
        handle = pos.place_order([BURGER])
        handle.then(explode)
        handle.result(PATIENCE_S)
        assert called.wait(PATIENCE_S)
        until(lambda: len(responder.requests(PlaceOrder)) >= 2, "the next order")
    assert "would never end" in str(caught[0])


def test_a_closed_device_takes_nothing_and_closes_twice(
    broker: Broker, outbox_file: Callable[[], Path]
) -> None:
    pos = till(broker, outbox_file())
    handle = pos.place_order([BURGER])
    pos.close()
    pos.close()
    with pytest.raises(RuntimeError, match="closed"):
        pos.place_order([BURGER])
    with pytest.raises(Unanswered):
        handle.result(0)
    assert not pos.start().online


def test_a_full_disk_is_said_and_the_request_is_not_sent(
    broker: Broker, responder: Responder, tmp_path: Path
) -> None:
    problems: list[str] = []
    with till(broker, tmp_path / "o", on_problem=problems.append, patience=CALM) as pos:
        assert pos.wait_online(PATIENCE_S)
        writer = pos._requests._writer
        assert writer is not None
        pages = writer._outbox._database.execute("PRAGMA max_page_count = 1").fetchone()
        assert pages[0] <= 10
        big = [LineRequest(item="burger", quantity=1, note="x" * 280)] * 200
        refused = pos.place_order(big)
        with pytest.raises(Unanswered, match="full"):
            refused.result(PATIENCE_S)
        assert not refused.wait_kept(0)
        writer._outbox._database.execute("PRAGMA max_page_count = 1000000")
        pos.place_order([BURGER]).result(PATIENCE_S)
        until(lambda: problems, "the problem")
    assert len(responder.requests(PlaceOrder)) == 1
    assert "full" in problems[0]
