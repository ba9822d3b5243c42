"""What may pass, said once more: from the table of planes, and from nothing of the policy's."""

ASKS = {"pos": "orders party", "kitchen-display": "kitchen", "tracker": "delivery"}
ASKS |= {"guest": "party"} | {role: f"{ASKS[role]} alerts staff quality" for role in list(ASKS)[:2]}
SEEN = {"state/menu", "state/alerts", "state/kitchen-channels", "state/staff", "state/staff-tasks"}
READS = {"guest": {"state/menu"}, "pos": {*SEEN, "event/staff", "state/orders", "event/orders"}}
READS["kitchen-display"] = {*SEEN, "event/staff", "state/kitchen", "event/kitchen"}


def may_say(role: str, tenant: str, device: str, topic: str) -> bool:
    sound = not set("+#\0") & set(topic)
    match topic.split("/"):
        case ["heard", "v1", _, plane, *rest] if role == "service":
            alone = plane in {"presence", "reply"} and len(rest) == 1
            return sound and (alone or plane in {"state", "event", "request", "telemetry"})
        case ["heard", "v1", t, "presence", d] | ["heard", "v1", t, "telemetry", d, _]:
            return sound and (t, d) == (tenant, device)
        case ["heard", "v1", t, "telemetry", d, "zigbee", _] if role == "sensor":
            return sound and (t, d) == (tenant, device)
        case ["heard", "v1", t, "request", d, area, _] if (t, d) == (tenant, device):
            return sound and (role == "manager" or area in ["people", *ASKS.get(role, "").split()])
    return False


def may_hear(role: str, tenant: str, device: str, wanted: str) -> bool:
    levels = wanted.split("/")
    if any(set("+#\0") & set(each) and each not in {"+", "#"} for each in levels):
        return False
    match levels if "#" not in levels[:-1] else []:
        case ["heard", "v1", t, plane, *_] if role == "service":
            return plane in {"request", "telemetry", "presence", "state", "event"}
        case ["heard", "v1", t, "reply", d] if role != "manager":
            return (t, d) == (tenant, device)
        case ["heard", "v1", t, *rest] if t == tenant:
            own = role == "tracker" and rest[:3] == ["state", "delivery", device]
            own |= role == "sensor" and rest[:2] == ["telemetry", device]
            own |= role in {"guest", "pos"} and rest == ["state", "party", device]
            return own or role == "manager" or "/".join(rest[:2]) in READS.get(role, set())
    return False
