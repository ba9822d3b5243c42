"""Attempts 1 to 6 and 11 to 17: to be somebody else, or to be in without being anybody."""

from __future__ import annotations

import base64
import statistics
import threading
import time

from schemas.devices import Role
from tests.abuse.attempts import attempt
from tests.abuse.packets import connect
from tests.abuse.scene import Scene, opening
from tests.system import until

VICTIMS_TILL = "tb:pos-1"
VICTIMS_SCREEN = "tb:kds-1"


@attempt(
    1,
    embedded="CONNACK 4, closed",
    mosquitto="CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_01_connect_with_no_credentials(scene: Scene) -> None:
    scene.seen(scene.knock(connect("anybody")))


@attempt(
    2,
    embedded="CONNACK 4, closed",
    mosquitto="CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_02_a_wrong_password_with_a_victims_client_id(scene: Scene) -> None:
    scene.seen(scene.knock(connect(VICTIMS_TILL, VICTIMS_TILL, "guess")))


@attempt(
    3,
    embedded="CONNACK 4, closed",
    mosquitto="CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_03_a_wrong_password_with_a_victims_client_id_not_clean(scene: Scene) -> None:
    scene.seen(scene.knock(connect(VICTIMS_SCREEN, VICTIMS_SCREEN, "guess", clean=False)))


@attempt(
    4,
    embedded="CONNACK 2, closed",
    mosquitto="CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_04_an_own_valid_user_with_a_victims_client_id(scene: Scene) -> None:
    thief = scene.thief()
    scene.seen(scene.knock(opening(thief, client_id=VICTIMS_TILL, clean=False)))


@attempt(
    5,
    embedded="CONNACK 2, closed; clean too: CONNACK 2, closed; the queue reached its owner, whole",
    mosquitto="CONNACK 5, closed; clean too: CONNACK 5, closed; the queue reached its owner, whole",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_05_the_client_id_of_a_victim_that_is_offline_with_a_queue(scene: Scene) -> None:
    owner = scene.stage.account(scene.stage.victim, Role.MANAGER)
    scene.witness.devices.add(owner.device)
    with scene.enter(owner, clean=False) as away:
        assert away.subscribe("heard/v1/tb/event/orders/placed") == [1]
        away.leave()
    before = scene.after_an_order()
    thief = scene.thief()
    stolen = owner.login.client_id
    scene.seen(scene.knock(opening(thief, client_id=stolen, clean=False)))
    scene.seen(f"clean too: {scene.knock(opening(thief, client_id=stolen))}")
    scene.knock(connect(stolen, stolen, "guess"))
    last = scene.after_an_order()
    link = scene.link()
    link.send(opening(owner, clean=False))
    answer = link.connack()
    assert answer is not None
    assert answer.session_present
    wanted = [str(one) for one in scene.witness.orders]
    wanted = wanted[wanted.index(str(before)) : wanted.index(str(last)) + 1]
    queued = b""
    while wanted[-1].encode() not in queued:
        message = link.next()
        assert message is not None
        queued += message.body
    scene.holds(all(one.encode() in queued for one in wanted), "the queue reached its owner, whole")
    link.leave()


@attempt(
    6,
    both="the newer is let in; the older is closed; nobody else is touched",
    mosquitto_logs="already connected, closing old connection",
)
def test_06_one_client_id_from_two_places_at_once(scene: Scene) -> None:
    thief = scene.thief()
    older = scene.enter(thief)
    for _ in range(20):
        newer = scene.enter(thief)
        assert older.end()
        older = newer
    scene.holds(older.ping(), "the newer is let in")
    scene.seen("the older is closed")
    scene.after_an_order()
    scene.holds(older.ping(), "nobody else is touched")


@attempt(
    11,
    both="closed; CONNACK refuses it from then on",
    embedded_logs="put out",
    mosquitto_logs="administrative action",
)
def test_11_a_revoked_device_that_is_still_connected(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter(thief)
    scene.stage.revoke(thief)
    scene.holds(link.end(), "closed")
    refused = scene.knock(opening(thief))
    scene.holds(refused.startswith("CONNACK"), "CONNACK refuses it from then on")


@attempt(
    12,
    both="no session, no subscription and no message is left under its name",
    embedded_logs="put out",
    mosquitto_logs="administrative action",
)
def test_12_durable_subscriptions_of_a_revoked_device(scene: Scene) -> None:
    thief = scene.thief(Role.MANAGER)
    link = scene.enter(thief, clean=False)
    assert link.subscribe("heard/v1/ta/telemetry/#") == [1]
    link.leave()
    live = scene.thief()
    with scene.enter(live) as last:
        scene.stage.revoke(thief, live)
        assert last.end()  # whoever was revoked with it is out: the broker knows
    other = scene.thief()
    said = f"heard/v1/ta/telemetry/{other.device}/later"
    with scene.enter(other) as speaking:
        assert speaking.publish(said, scene.mark)
        again = scene.stage.account(scene.stage.attacker, Role.MANAGER, thief.device)
        back = scene.link()
        back.send(opening(again, clean=False))
        answer = back.connack()
        assert answer is not None
        assert speaking.publish(said, scene.mark)
    assert back.ping()
    scene.holds(
        not answer.session_present and not back.messages(),
        "no session, no subscription and no message is left under its name",
    )


@attempt(
    13,
    embedded="each: CONNACK 2, closed",
    mosquitto="each: CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_13_a_client_id_with_wildcards(scene: Scene) -> None:
    thief = scene.thief()
    ids = ["#", "+", "/", "ta:+", "ta:#", "+:pos-1", "tb/pos-1", f"{thief.login.client_id}/#"]
    (told,) = {scene.knock(opening(thief, client_id=one, clean=False)) for one in ids}
    scene.seen(f"each: {told}")


@attempt(
    14,
    embedded="CONNACK 2, closed",
    mosquitto="CONNACK 5, closed",
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_14_a_client_id_of_60_kilobytes(scene: Scene) -> None:
    scene.seen(scene.knock(opening(scene.thief(), client_id="a" * 60_000)))


@attempt(
    15,
    both="CONNACK 2, closed",
    embedded_logs="login refused",
    mosquitto_logs="protocol error",
)
def test_15_an_empty_client_id_not_clean(scene: Scene) -> None:
    scene.seen(scene.knock(opening(scene.thief(), client_id="", clean=False)))


@attempt(
    16,
    embedded="all refused, and slowly: fewer than a hundred in three seconds; "
    "the owner is let in meanwhile",
    mosquitto="all refused, however many: a secret has 256 bits; the owner is let in meanwhile",
    private=True,
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_16_password_brute_force(scene: Scene) -> None:
    owner = scene.stage.account(scene.stage.victim, Role.POS)
    name = owner.login.username
    began = time.monotonic()
    enough = threading.Event()
    refused: list[str] = []

    def guess(number: int) -> None:
        tried = 0
        while not enough.is_set():
            tried += 1
            refused.append(scene.knock(connect(name, name, f"{number}-{tried}")))

    guessing = [threading.Thread(target=guess, args=(number,), daemon=True) for number in range(4)]
    for each in guessing:
        each.start()
    try:
        until(lambda: len(refused) >= 10, "the first guesses")
        scene.goes_on(owner)
        meanwhile = all(each.is_alive() for each in guessing)
        time.sleep(max(0.0, began + 3.0 - time.monotonic()))
        counted = len(refused)
    finally:
        enough.set()
        for each in guessing:
            each.join()
    if scene.kind == "embedded":
        slowly = "all refused, and slowly: fewer than a hundred in three seconds"
        scene.holds(counted < 100, slowly)
    else:
        bits = 8 * len(base64.urlsafe_b64decode(owner.login.secret + "="))
        scene.seen(f"all refused, however many: a secret has {bits} bits")
    scene.holds(meanwhile, "the owner is let in meanwhile")


@attempt(
    17,
    both="the same answer to both; their times do not tell them apart",
    private=True,
    embedded_logs="login refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_17_telling_users_apart_by_timing(scene: Scene) -> None:
    # A few guesses for each name: who guesses more is answered slowly, known or not.
    accounts = [scene.stage.account(scene.stage.victim, Role.POS) for _ in range(25)]
    known = [account.login.username for account in accounts]
    unknown = [f"{name}0" for name in known]
    times: dict[bool, list[float]] = {True: [], False: []}
    answers = set()
    for _ in range(5):
        for pair in zip(known, unknown, strict=True):
            for name in pair:
                with scene.link() as link:
                    began = time.perf_counter()
                    link.send(connect(name, name, "x"))
                    answer = link.connack()
                    times[name in known].append(time.perf_counter() - began)
                    answers.add(answer)
    scene.holds(len(answers) == 1, "the same answer to both")
    # The quickest tell: what else the machine does only adds, and to both alike.
    first, second = (statistics.quantiles(taken, n=10)[0] for taken in times.values())
    # A millisecond, or of what a slow machine takes a part.
    near = max(0.001, 0.25 * min(first, second))
    scene.holds(abs(first - second) < near, "their times do not tell them apart")
