"""What to believe of births, wills and heartbeats. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from schemas.devices import DevicePresence, PresenceStatus

MISSED_BEATS: Final = 3
"""After so many heartbeats that did not come, a device counts as offline."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one device.

    Attributes:
        status: what is believed now.
        epoch: the session that was heard last.
        since: when the status last changed.
        heard_at: when the device last gave a sign.
        patience: how long its silence is not yet news.
    """

    status: PresenceStatus
    epoch: UUID
    since: datetime
    heard_at: datetime
    patience: timedelta


def weigh(
    seen: Seen | None, said: DevicePresence, now: datetime, *, retained: bool = False
) -> Seen | None:
    """Believe a birth, an idleness or a will; None where it changes nothing worth keeping.

    A will is believed only if its epoch is the current one: the late will of a session
    that was replaced must not mark a live device as gone. A birth that is spoken now is
    believed whatever its epoch, for a device's clock may have been put back; one that was
    only kept by the broker is news if its epoch is, and revives nobody.
    """
    if seen is not None:
        gone = said.status is PresenceStatus.OFFLINE
        if said.epoch < seen.epoch and (gone or retained):
            return None
        if said.epoch == seen.epoch and retained and not gone:
            return None
    since = now if seen is None or seen.status is not said.status else seen.since
    return Seen(
        status=said.status,
        epoch=said.epoch,
        since=since,
        heard_at=now,
        patience=timedelta(seconds=said.heartbeat_s * MISSED_BEATS),
    )


def beat(seen: Seen, epoch: UUID, now: datetime) -> Seen:
    """A heartbeat of the current session: it is there, whatever was believed."""
    if epoch != seen.epoch:
        return seen
    if seen.status is PresenceStatus.OFFLINE:
        return replace(seen, status=PresenceStatus.ONLINE, since=now, heard_at=now)
    return replace(seen, heard_at=now)


def silence(seen: Seen, now: datetime) -> Seen:
    """Weigh the silence of a device: too long, and it is offline."""
    if seen.status is PresenceStatus.OFFLINE or now - seen.heard_at <= seen.patience:
        return seen
    return replace(seen, status=PresenceStatus.OFFLINE, since=now)
