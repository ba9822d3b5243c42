"""What may pass, said once more: from the table of planes, and from nothing of the policy's."""

BY_ALL = "staff quality inventory menu"
ASKS = {"pos": "orders party delivery", "kitchen-display": "kitchen", "tracker": "delivery"}
ASKS |= {"guest": "party"} | {role: f"{ASKS[role]} alerts {BY_ALL}" for role in list(ASKS)[:2]}
KEPT = "menu alerts kitchen-channels staff staff-tasks inventory sensors"
KEPT += " couriers deliveries dispatch etas positions"
SEEN = {f"state/{each}" for each in KEPT.split()}
READS = {"guest": {"state/menu"}, "pos": {*SEEN, "event/staff", "state/orders", "event/orders"}}
READS["pos"] |= {"event/delivery", "event/fences"}
READS["kitchen-display"] = {*SEEN, "event/staff", "state/kitchen", "event/kitchen"}


def may_say(role: str, tenant: str, device: str, topic: str) -> bool:
    sound = not set("+#\0") & set(topic)
    match topic.split("/"):
        case ["heard", "v1", _, plane, *rest] if role == "service":
            alone = plane in {"presence", "reply"} and len(rest) == 1
            return sound and (alone or plane in {"state", "event", "request", "telemetry"})
        case ["heard", "v1", t, "presence", d] | ["heard", "v1", t, "telemetry", d, _]:
            return sound and (t, d) == (tenant, device)
        case ["heard", "v1", t, "telemetry", d, "zigbee", _]:
            return sound and (role, t, d) == ("sensor", tenant, device)
        case ["heard", "v1", t, "telemetry", d, "owntracks", _]:
            return sound and (role, t, d) == ("tracker", tenant, device)
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
            mine = {"tracker": ["state/delivery", "telemetry"], "sensor": ["telemetry"]}
            said = "/".join([*rest, ""])
            own = any(said.startswith(f"{each}/{device}/") for each in mine.get(role, []))
            own |= role in {"guest", "pos"} and rest == ["state", "party", device]
            own |= role == "guest" and rest == ["state", "tracking", device]
            return own or role == "manager" or "/".join(rest[:2]) in READS.get(role, set())
    return False
