"""Attempts 18 to 34: to hear what is said to others."""

from __future__ import annotations

from schemas.devices import Role
from tests.abuse.attempts import CAME, attempt
from tests.abuse.link import Link
from tests.abuse.packets import SUBACK, connect, subscribe
from tests.abuse.scene import Scene
from tests.spoken import order

REFUSED = "SUBACK 0x80; heard nothing"
ALL_REFUSED = "each: SUBACK 0x80; heard nothing"
VICTIMS = "heard/v1/tb"


def listen(scene: Scene, *filters: str, role: Role = Role.MANAGER) -> None:
    """Subscribe to each filter by itself, and see that nothing comes of the victim's work."""
    link = scene.enter(scene.thief(role))
    codes: set[int] = set()
    for each in filters:
        granted = link.subscribe(each)
        assert granted, f"put out for {each!r}"
        codes.update(granted)
    assert len(codes) == 1, codes
    scene.seen(f"{'each: ' if len(filters) > 1 else ''}SUBACK 0x{codes.pop():02x}")
    hears_nothing(scene, link)


def hears_nothing(scene: Scene, link: Link) -> None:
    """See that the victim's next order, with all that follows from it, stays unheard."""
    scene.after_an_order()
    assert link.ping()
    scene.holds(not link.messages(), "heard nothing")


@attempt(
    18,
    both=REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_18_everything(scene: Scene) -> None:
    listen(scene, "#")


@attempt(
    19,
    both=REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_19_everything_by_another_name(scene: Scene) -> None:
    listen(scene, "+/#")


@attempt(
    20,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_20_the_victims_whole_tree(scene: Scene) -> None:
    listen(scene, f"{VICTIMS}/#", f"{VICTIMS}/state/#", f"{VICTIMS}/reply/pos-1")


@attempt(
    21,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_21_a_wildcard_in_the_tenants_level(scene: Scene) -> None:
    listen(scene, "heard/v1/+/state/menu/#", "heard/v1/+/#", "heard/#", "+/+/+/reply/pos-1")


@attempt(
    22,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_22_sharing_the_victims_tree(scene: Scene) -> None:
    listen(scene, f"$share/g/{VICTIMS}/#", f"$share/g/{VICTIMS}/request/+/orders/place")


@attempt(
    23,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_23_sharing_everything(scene: Scene) -> None:
    listen(scene, "$share/g/#", "$share/g/+/#")


@attempt(
    24,
    both=ALL_REFUSED + "; the services heard every request",
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_24_joining_the_share_group_of_the_services(scene: Scene) -> None:
    groups = ("heard-services", "services", "heard")
    listen(
        scene,
        *(f"$share/{group}/heard/v1/+/request/#" for group in groups),
        *(f"$share/{group}/heard/v1/ta/request/#" for group in groups),
    )
    with scene.stage.attacker.speaker() as own:
        for _ in range(5):
            own.accepted(order("burger"))
            scene.after_an_order()
    scene.seen("the services heard every request")


@attempt(
    25,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_25_the_brokers_own_figures(scene: Scene) -> None:
    listen(scene, "$SYS/#", "$SYS/broker/clients/#", "$SYS/broker/version")


@attempt(
    26,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_26_the_brokers_controls(scene: Scene) -> None:
    listen(scene, "$CONTROL/#", "$CONTROL/dynamic-security/v1/response", "$CONTROL/+/+/response")


@attempt(
    27,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_27_a_brokers_internal_trees(scene: Scene) -> None:
    listen(scene, "$JS/#", "$MQTT/#", "$JS/API/>", "$MQTT5/#", "$internal/#")


@attempt(
    28,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_28_a_tree_where_only_a_level_is_allowed(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter(thief)
    assert link.subscribe(f"heard/v1/ta/reply/{thief.device}") == [1]
    tails = (f"reply/{thief.device}/#", "reply/#", "state/#", "event/#")
    codes = {code for tail in tails for code in link.subscribe(f"heard/v1/ta/{tail}")}
    assert len(codes) == 1
    scene.seen(f"each: SUBACK 0x{codes.pop():02x}")
    with scene.stage.attacker.speaker() as other:
        other.accepted(order("burger"))
    hears_nothing(scene, link)


@attempt(
    29,
    both=ALL_REFUSED + "; nor does `ta2` hear `ta`",
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_29_a_tenant_whose_name_begins_like_it(scene: Scene) -> None:
    longer = scene.stage.account(scene.stage.lookalike, Role.MANAGER)
    other_way = scene.enter(longer)
    assert other_way.subscribe("heard/v1/ta/#") == [0x80]
    assert other_way.subscribe("heard/v1/ta2/#") == [1]
    other_way.came.clear()
    own = scene.enter(scene.thief(Role.MANAGER))
    assert own.subscribe("heard/v1/ta/#") == [1]
    with scene.stage.lookalike.speaker() as speaking, scene.stage.attacker.speaker() as second:
        speaking.accepted(order("burger"))
        second.accepted(order("burger"))
    assert own.ping()
    assert other_way.ping()
    assert own.messages()
    assert other_way.messages()
    assert not [one for one in own.messages() if not one.topic.startswith("heard/v1/ta/")]
    listen(scene, "heard/v1/ta2/#", "heard/v1/ta2/state/menu/#", "heard/v1/t/#")
    foreign = [one for one in other_way.messages() if not one.topic.startswith("heard/v1/ta2/")]
    scene.holds(not foreign, "nor does `ta2` hear `ta`")


@attempt(
    30,
    embedded=ALL_REFUSED + "; nor is one let in so: CONNACK 4, closed",
    mosquitto=ALL_REFUSED + "; nor is one let in so: CONNACK 5, closed",
    embedded_logs="subscription refused",
    mosquitto_logs="disconnected, not authorised",
)
def test_30_look_alikes_of_a_tenant(scene: Scene) -> None:
    alike = ("TB", "Tb", "t\N{CYRILLIC SMALL LETTER SOFT SIGN}", "\uff54\uff42", "tb\u200b", "tb ")
    trees = [f"heard/v1/{name}/#" for name in alike]
    listen(scene, *trees, "HEARD/V1/tb/#", "heard//v1/tb/#", "/heard/v1/tb/#")
    secret = scene.thief().login.secret
    names = [f"{name}:pos-1" for name in alike]
    (told,) = {scene.knock(connect(name, name, secret)) for name in names}
    scene.seen(f"nor is one let in so: {told}")


@attempt(
    31,
    both=ALL_REFUSED,
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_31_separators_of_another_protocol(scene: Scene) -> None:
    listen(scene, "heard.v1.tb.>", "heard.v1.*.state.>", "heard/v1/tb.>", "heard/v1/*/state/#", ">")


THOUSAND_FOREIGN = "SUBACK with 1,000 times 0x80; heard nothing"


@attempt(
    32,
    embedded=THOUSAND_FOREIGN + "; of 1,000 that it may have, those beyond its limit are refused",
    mosquitto=THOUSAND_FOREIGN + "; 1,000 that it may have are granted, and do nobody harm",
    embedded_logs="subscription refused",
    mosquitto_logs=CAME,
)
def test_32_a_thousand_filters_in_one_packet(scene: Scene) -> None:
    link = scene.enter(scene.thief(Role.MANAGER))
    link.send(subscribe([f"{VICTIMS}/state/menu/item-{n}" for n in range(1000)]))
    answer = link.answer(SUBACK)
    assert answer is not None
    granted = answer.granted()
    assert len(granted) == 1000
    (code,) = set(granted)
    scene.seen(f"SUBACK with 1,000 times 0x{code:02x}")
    hears_nothing(scene, link)
    link.send(subscribe([f"heard/v1/ta/state/menu/item-{n}" for n in range(1000)]))
    own = link.answer(SUBACK)
    assert own is not None
    some = own.granted().count(1)
    if scene.kind == "embedded":
        limited = 0 < some < 1000
        scene.holds(limited, "of 1,000 that it may have, those beyond its limit are refused")
    else:
        scene.holds(some == 1000, "1,000 that it may have are granted, and do nobody harm")


@attempt(
    33,
    both="each of its messages comes once for all of them; heard nothing of others",
    mosquitto_logs=CAME,
)
def test_33_many_overlapping_wildcards(scene: Scene) -> None:
    link = scene.enter(scene.thief(Role.MANAGER))
    levels = ["heard", "v1", "ta", "telemetry", "+", "+"]
    filters = {
        "/".join([*levels[:3], *(levels[3:end]), "#"]) for end in range(3, len(levels) + 1)
    } | {"heard/v1/ta/+/+/+", "heard/v1/ta/+/+/x", "heard/v1/ta/telemetry/+/x"}
    filters |= {f"heard/v1/ta/{'+/' * depth}#" for depth in range(40)}
    link.send(subscribe(sorted(filters)))
    answer = link.answer(SUBACK)
    assert answer is not None
    other = scene.thief()
    topic = f"heard/v1/ta/telemetry/{other.device}/x"
    with scene.enter(other) as speaking:
        for number in range(10):
            assert speaking.publish(topic, b"%d" % number)
    assert link.ping()
    copies = [one for one in link.messages() if one.topic == topic]
    scene.holds(len(copies) == 10, "each of its messages comes once for all of them")
    scene.after_an_order()
    assert link.ping()
    foreign = [one for one in link.messages() if not one.topic.startswith("heard/v1/ta/")]
    scene.holds(not foreign, "heard nothing of others")


@attempt(
    34,
    both="let in; no message came, retained or not",
    mosquitto_logs=CAME,
)
def test_34_connect_and_subscribe_to_nothing(scene: Scene) -> None:
    links = [scene.enter(scene.thief(role)) for role in (Role.POS, Role.MANAGER)]
    account = scene.thief()
    links += [scene.enter(account, clean=False)]
    scene.seen("let in")
    scene.after_an_order()
    assert all(link.ping() for link in links)
    scene.holds(not any(link.messages() for link in links), "no message came, retained or not")
