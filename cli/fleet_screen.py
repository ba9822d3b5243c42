"""What is on the road, as it stands on a screen: a map, a legend, and a table."""

from __future__ import annotations

from datetime import datetime
from textwrap import wrap
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.fleet_map import Mark, arrow, draw
from cli.fleet_scene import Scene, Told, minutes, spoken
from cli.printing import age, counted
from schemas.alerts import Alert
from schemas.deliveries import CourierState, DeliveryState
from schemas.etas import EtaState
from schemas.positions import VehicleState
from services.runtime.moment import Clock, system_clock

_KMH: Final = 3.6
_LEAST_MAP: Final = 8
_HEADS: Final = ("vehicle", "who", "does", "brings", "in", "battery", "told", "wrong")
_LONGEST_NAME: Final = 24
_MOST_NUMBERED: Final = 9
_NO_COURIER: Final = "o"
_LATER: Final = "+"


class Screen:
    """The scene as it is shown.

    Args:
        scene: what is known.
        only: these vehicles alone; none named is all.
        zone: the house's.
        clock: the time.
    """

    def __init__(
        self, scene: Scene, only: tuple[str, ...], zone: ZoneInfo, clock: Clock = system_clock
    ) -> None:
        self.scene: Final = scene
        self.connected = False
        self.trouble = ""
        """Why there is no connection, and what to do."""
        self._only: Final = only
        self._zone: Final = zone
        self._now: Final = clock

    def shows(self, vehicle: str) -> bool:
        """Whether a vehicle is wanted."""
        return not self._only or vehicle in self._only

    def rendered(self, width: int, height: int) -> RenderableType:
        """Head and map above, legend and table below, in so many characters."""
        now = self._now()
        names = [each for each in self.scene.on_the_road() if self.shows(each)]
        head = self._head(len(names), now, width)
        marks, legend = self._drawn(width)
        table_room = max(3, min(len(names) + 1, height // 2)) if names else 1
        left = height - len(head) - len(legend) - table_room
        nobody = Text("no vehicle is on the road", "dim")
        table = self._table(names, table_room, now) if names else nobody
        if left < _LEAST_MAP:
            return Group(*head, table)
        return Group(*head, draw(marks, width, left), *legend, table)

    def line(self, told: Told, now: datetime) -> str | None:
        """One change, for whoever reads a pipe; None for what is not wanted."""
        clock = self._clock(now)
        said = told.says
        if isinstance(said, VehicleState):
            if not self.shows(said.vehicle):
                return None
            cells = "\t".join(self._row(said.vehicle, now)[1:])
            return f"{clock}\t{said.vehicle}\t{said.lat:.5f}\t{said.lon:.5f}\t{cells}"
        if self._only:
            return None
        return f"{clock}\t{told.area}\t{told.name}\t{self._short(said)}"

    # -- above the map ---------------------------------------------------------------------

    def _head(self, vehicles: int, now: datetime, width: int) -> list[Text]:
        scene = self.scene
        first = Text(f"{self._clock(now)}  {counted(vehicles, 'vehicle')}, ", no_wrap=True)
        first.append(f"{counted(len(scene.stops), 'order')} to bring")
        lines = [first]
        if not self.connected:
            alarm = "✖ NO CONNECTION - DO NOT TRUST THIS SCREEN"
            lines.insert(0, Text(alarm, "bold white on red", no_wrap=True))
            lines[1:1] = [Text(each, "red") for each in wrap(self.trouble, width)]
        waiting = scene.waiting()
        if waiting:
            oldest = waiting[0]
            wait = "waits" if len(waiting) == 1 else "wait"
            since = f"{oldest.placed_at.astimezone(self._zone):%H:%M}"
            text = f"{counted(len(waiting), 'order')} {wait} for a courier, "
            text += "" if len(waiting) == 1 else "the oldest "
            text += f"since {since}: {spoken(oldest.number)}"
            if oldest.promised_at is not None:
                text += f", promised by {oldest.promised_at.astimezone(self._zone):%H:%M}"
            lines.append(Text(text, "yellow", no_wrap=True, overflow="ellipsis"))
        return lines

    # -- the map and its legend ------------------------------------------------------------

    def _drawn(self, width: int) -> tuple[list[Mark], list[Text]]:
        """What stands on the map, the most important last; and what the signs in it mean."""
        scene = self.scene
        marks: list[Mark] = []
        meant: dict[str, str] = {}
        if scene.place is not None:
            meant["R"] = "R restaurant"
        for stop in sorted(scene.stops.values(), key=lambda each: -(each.stop or 99)):
            if stop.device is not None and not self.shows(stop.device):
                continue
            sign, what = _of_door(stop.stop)
            meant.setdefault(what, what)
            place = stop.place
            marks.append(Mark(place.lat, place.lon, sign, "yellow", spoken(stop.number)))
        if scene.place is not None:
            marks.append(Mark(scene.place.lat, scene.place.lon, "R", "bold white on blue"))
        for name, vehicle in sorted(scene.vehicles.items()):
            if not self.shows(name):
                continue
            wrong = scene.alerts_of(name)
            sign, what = _of_vehicle(vehicle)
            meant.setdefault(what, f"{sign} {what}")
            if wrong:
                meant["red"] = 'red: see "wrong"'
            style = "bold red" if wrong else "bold green"
            marks.append(Mark(vehicle.lat, vehicle.lon, sign, style, name))
        return marks, _in_lines(list(meant.values()), width)

    # -- the table ---------------------------------------------------------------------------

    def _table(self, names: list[str], room: int, now: datetime) -> Table:
        rows = [self._row(each, now) for each in names]
        shown = rows if len(rows) < room else rows[: room - 2]
        # A column in which nothing stands takes no room from the others.
        filled = [at for at in range(len(_HEADS)) if at == 0 or any(row[at] for row in rows)]
        table = Table(box=None, pad_edge=False, header_style="bold")
        for at in filled:
            # Of a vehicle's name it is the end that tells it from others.
            least = min(_LONGEST_NAME, max((len(row[0]) for row in rows), default=0))
            table.add_column(
                _HEADS[at], no_wrap=True, overflow="ellipsis", min_width=0 if at else least
            )
        for row in shown:
            table.add_row(*(row[at] for at in filled))
        if len(shown) < len(rows):
            table.add_row(f"… and {len(rows) - len(shown)} more")
        return table

    def _row(self, name: str, now: datetime) -> tuple[str, ...]:
        """One vehicle, heard or not."""
        scene = self.scene
        each = scene.vehicles.get(name)
        courier, stop = scene.couriers.get(name), scene.next_stop(name)
        eta = None if stop is None else scene.etas.get(stop.order_id)
        return (
            name,
            "" if courier is None else courier.name,
            _does(each),
            "" if stop is None else f"{spoken(stop.number)} ({stop.status.value})",
            "" if eta is None else _due(eta, now),
            "" if each is None or each.battery is None else f"{each.battery:.0%}",
            "" if each is None else f"{age((now - each.at).total_seconds())} ago",
            ", ".join(alert.kind.value for alert in scene.alerts_of(name)),
        )

    def _short(self, said: object) -> str:
        """What is said, in a few words."""
        match said:
            case None:
                return "over"
            case DeliveryState(delivery=delivery):
                who = "" if delivery.courier is None else f" ({delivery.courier})"
                return f"{delivery.status.value}{who}"
            case CourierState(courier=courier, stops=stops):
                return f"{courier.name}, {counted(len(stops), 'order')} to bring"
            case EtaState():
                old = ", old" if said.stale else ""
                soon, late = self._clock(said.p50_at), self._clock(said.p90_at)
                return f"at {soon}, nine times of ten by {late}{old}"
        alert: object = getattr(said, "alert", None)
        return alert.text if isinstance(alert, Alert) else ""

    def _clock(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%H:%M:%S}"


def _of_door(stop: int | None) -> tuple[str, str]:
    if stop is None:
        return _NO_COURIER, f"{_NO_COURIER} door without a courier"
    if stop > _MOST_NUMBERED:
        return _LATER, f"{_LATER} door after the ninth"
    return str(stop), "1 2 3 doors in turn"


def _of_vehicle(vehicle: VehicleState) -> tuple[str, str]:
    if vehicle.silent:
        return "?", "silent"
    if not vehicle.moving:
        return arrow(None), "stands"
    return arrow(vehicle.heading_deg or 0.0), "rides"


def _does(vehicle: VehicleState | None) -> str:
    if vehicle is None:
        return "not heard"
    if vehicle.silent:
        return "silent"
    return f"{vehicle.speed_mps * _KMH:.0f} km/h" if vehicle.moving else "stands"


def _due(eta: EtaState, now: datetime) -> str:
    due = f"{minutes(eta.p50_at, now)}-{minutes(eta.p90_at, now)} min"
    return due + (", late" if eta.late else ", old" if eta.stale else "")


def _in_lines(words: list[str], width: int) -> list[Text]:
    """Put words into as few lines as they need, two spaces apart."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 2 + len(word) <= width:
            lines[-1] += f"  {word}"
        else:
            lines.append(word)
    return [Text(each, "dim", no_wrap=True) for each in lines]
