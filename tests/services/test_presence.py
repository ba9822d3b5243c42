"""Who is there, as the services say it: births, wills, silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from schemas.devices import DevicePresence, DeviceState, Heartbeat, PresenceStatus, Role
from schemas.identifiers import derived_id, new_id
from services.presence.store import PRESENCE
from services.runtime.tables import QUARANTINE
from tests.mqtt_client import Will
from tests.spoken import Speaker, order, read_message
from tests.system import RunningTenant, until

ONLINE, OFFLINE, IDLE = PresenceStatus.ONLINE, PresenceStatus.OFFLINE, PresenceStatus.IDLE


def believed(tenant: RunningTenant, device: str) -> str | None:
    for row in tenant.rows(PRESENCE):
        if row["device"] == device:
            return str(row["status"])
    return None


def shown(tenant: RunningTenant, device: str) -> DeviceState:
    """What stands retained on the broker."""
    with tenant.speaker(Role.MANAGER) as manager:
        topic = DeviceState.route.topic(tenant=tenant.name, device=device)
        manager.mqtt.subscribe(topic)
        state: DeviceState = read_message(manager.mqtt.next_message())
        return state


def said(epoch: UUID, status: PresenceStatus = ONLINE, heartbeat_s: float = 60) -> DevicePresence:
    return DevicePresence(status=status, epoch=epoch, heartbeat_s=heartbeat_s)


def born(pos: Speaker, presence: DevicePresence) -> None:
    pos.mqtt.publish(pos.topic(DevicePresence), pos.wire(presence), retain=True)


def test_a_device_that_comes_and_goes_is_shown_so(tenant: RunningTenant) -> None:
    with tenant.till() as pos:
        until(lambda: believed(tenant, pos.device) == ONLINE, "the till to be online")
        until(lambda: shown(tenant, pos.device).status is ONLINE, "all to be told")
        assert shown(tenant, pos.device).role is Role.POS
    until(lambda: believed(tenant, pos.device) == OFFLINE, "the till to be offline")
    until(lambda: shown(tenant, pos.device).status is OFFLINE, "all to be told")


def test_a_device_whose_link_is_cut_is_offline_by_its_will(tenant: RunningTenant) -> None:
    device, epoch = tenant.add_device(Role.POS), new_id()
    login = tenant.system.broker.login(tenant.name, device)
    address = tenant.system.broker.address
    writer = Speaker(address, login, tenant.name, device)
    will = Will(writer.topic(DevicePresence), writer.wire(said(epoch, OFFLINE)), retain=True)
    with Speaker(address, login, tenant.name, device, will=will) as pos:
        born(pos, said(epoch))
        until(lambda: believed(tenant, device) == ONLINE, "the device to be online")
        pos.mqtt.cut()
        until(lambda: believed(tenant, device) == OFFLINE, "the will to be believed")


def test_the_late_will_of_an_older_session_is_not_believed(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        now = datetime.now(UTC)
        old, current = derived_id(now - timedelta(hours=1), "old"), new_id()
        born(pos, said(old))
        born(pos, said(current))
        born(pos, said(old, OFFLINE))
        born(pos, said(current, IDLE))  # by this word it is seen that the will was weighed
        until(lambda: believed(tenant, pos.device) == IDLE, "the device to be idle")
        assert shown(tenant, pos.device).epoch == current
        (row,) = tenant.rows(PRESENCE)
        assert row["epoch"] == current
        born(pos, said(current, OFFLINE))
        until(lambda: believed(tenant, pos.device) == OFFLINE, "its own will to be believed")


def test_a_device_that_falls_silent_is_offline_and_its_heartbeat_brings_it_back(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        epoch = new_id()
        born(pos, said(epoch, heartbeat_s=1.0))
        until(lambda: believed(tenant, pos.device) == ONLINE, "the birth")
        until(lambda: believed(tenant, pos.device) == OFFLINE, "the silence to be noticed")
        since = shown(tenant, pos.device).since

        def revived() -> bool:
            pos.say(Heartbeat(epoch=epoch, at=datetime.now(UTC)))
            return believed(tenant, pos.device) == ONLINE

        until(revived, "the heartbeat to be believed")
        assert next(r["since"] for r in tenant.rows(PRESENCE) if r["device"] == pos.device) > since


def test_a_device_that_beats_stays_online(tenant: RunningTenant) -> None:
    with tenant.speaker() as quiet, tenant.speaker() as beating:
        epoch = new_id()
        born(beating, said(epoch, heartbeat_s=1.0))
        born(quiet, said(new_id(), heartbeat_s=1.0))
        until(lambda: believed(tenant, quiet.device) == ONLINE, "both births")

        def beat() -> bool:
            beating.say(Heartbeat(epoch=epoch, at=datetime.now(UTC)))
            return believed(tenant, quiet.device) == OFFLINE

        until(beat, "the one that is quiet to be missed")
        assert believed(tenant, beating.device) == ONLINE


def test_a_cleared_presence_is_nothing_and_a_removed_device_is_not_shown(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        pos.mqtt.publish(pos.topic(DevicePresence), b"", retain=True)
        pos.accepted(order("ale"))
        assert tenant.rows(PRESENCE) == tenant.rows(QUARANTINE) == []
