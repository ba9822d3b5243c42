"""The same as `services.tracking.stepping`, for one vehicle and in plain numbers. Pure.

Arrays make thousands of vehicles cheap, but one vehicle that comes out of a tunnel with ten
thousand fixes dear: each fix follows from the one before. Plain numbers are twenty times quicker
there. Every rule stands in `stepping`, and why it is so; a test holds the two together.
"""

from __future__ import annotations

from math import cos, degrees, hypot, isnan, radians, sqrt

from services.geography.sphere import RADIUS_M
from services.tracking.columns import STATE
from services.tracking.filtering import GATE, SPREAD
from services.tracking.limits import ROWS
from services.tracking.motion import STEP_M
from services.tracking.stepping import ANEW, ELSEWHERE_M, QUIET_PACES, QUIET_S, SLACK
from services.tracking.verdicts import Verdict

(
    T, LAT, LON, EAST, NORTH, POS, CROSS, VEL,
    PACE, SEEN_T, SEEN_LAT, SEEN_LON, SEEN_VARIANCE, _, _, SEEN_AT,
    USED_LAT, USED_LON, USED_VARIANCE, DOUBTS, TRUST,
    PLACE_LAT, PLACE_LON, STEP_LAT, STEP_LON, PLACE_T, MOVING, SINCE, DISTANCE,
    GAPS, GAP_FROM, GAP_UNTIL,
) = range(len(STATE))  # fmt: skip

_OK, _JUMP, _OUTLIER = int(Verdict.OK), int(Verdict.JUMP), int(Verdict.OUTLIER)
_MOST, _RESTLESS, _GAP = ROWS["most_mps"], ROWS["restless"], ROWS["gap_s"]
_STILL_M, _STILL_S = ROWS["still_m"], ROWS["still_s"]

Found = tuple[float, float, float, float, float]


def step_alone(
    state: list[float], limits: list[float], told: list[float]
) -> tuple[int, Found | None]:
    """Take one fix; the state is changed.

    Args:
        state: of the vehicle, in the order of `columns.STATE`.
        limits: its limits, in the order of `limits.ROWS`.
        told: as a column of `stepping.step`.

    Returns:
        The verdict, and latitude, longitude, velocity to the east and to the north and the gap;
        None for what was not used.
    """
    t, lat, lon, variance = told[0], told[1], told[2], told[3]
    first = isnan(state[T])
    middle = (lat, lon) if first else (state[LAT], state[LON])
    shrunk = RADIUS_M * cos(radians(middle[0]))
    plane = (*middle, shrunk)
    x, y = _metres(plane, lat, lon)
    silence = t - state[T]
    begins = first or silence > limits[_GAP]
    predicted = None if first else _predicted(state, silence, limits[_RESTLESS])
    if predicted is not None:
        odd, jump = _odd(state, limits, predicted, plane, (x, y, silence, variance))
        far = _squared_to(plane, x, y, state[USED_LAT], state[USED_LON]) > ELSEWHERE_M**2
        quiet = silence > QUIET_S and silence > QUIET_PACES * state[PACE]
        if odd or (quiet and far):
            way2 = _squared_to(plane, x, y, state[SEEN_LAT], state[SEEN_LON])
            reach = limits[_MOST] * (t - state[SEEN_T]) + _slack(variance, state[SEEN_VARIANCE])
            doubts = (state[DOUBTS] if way2 <= reach * reach else 0.0) + 1.0
            if doubts < (ANEW if odd else 2):
                state[SEEN_T : SEEN_AT + 1] = told
                state[DOUBTS] = doubts
                return (_JUMP if jump else _OUTLIER), None
            begins = begins or odd
    if predicted is None or begins:
        belief = [x, y, 0.0, 0.0, variance, 0.0, (limits[_MOST] / 3.0) ** 2]
    else:
        belief = _corrected(predicted, x, y, variance)
    return _OK, _move(state, limits, told, plane, belief, broken=begins and not first)


_Plane = tuple[float, float, float]


def _metres(plane: _Plane, lat: float, lon: float) -> tuple[float, float]:
    across = (lon - plane[1] + 180.0) % 360.0 - 180.0
    return radians(across) * plane[2], radians(lat - plane[0]) * RADIUS_M


def _squared_to(plane: _Plane, x: float, y: float, lat: float, lon: float) -> float:
    east, north = _metres(plane, lat, lon)
    return (x - east) ** 2 + (y - north) ** 2


def _slack(variance: float, other: float) -> float:
    return SLACK * SPREAD * (sqrt(variance) + sqrt(other))


def _predicted(state: list[float], dt: float, restless: float) -> list[float]:
    noise = restless * dt
    east, north, vel = state[EAST], state[NORTH], state[VEL]
    pos = state[POS] + dt * (2.0 * state[CROSS] + dt * (vel + noise / 3.0))
    cross = state[CROSS] + dt * (vel + noise / 2.0)
    return [east * dt, north * dt, east, north, pos, cross, vel + noise]


def _odd(
    state: list[float],
    limits: list[float],
    predicted: list[float],
    plane: _Plane,
    told: tuple[float, float, float, float],
) -> tuple[bool, bool]:
    """Whether it is a jump or an outlier, and whether it is a jump."""
    x, y, silence, variance = told
    way2 = _squared_to(plane, x, y, state[USED_LAT], state[USED_LON])
    reach = limits[_MOST] * silence + _slack(variance, state[USED_VARIANCE])
    jump = way2 > reach * reach
    off2 = (x - predicted[0]) ** 2 + (y - predicted[1]) ** 2
    gated = off2 / (predicted[4] + variance) > GATE and silence <= limits[_GAP]
    return jump or gated, jump


def _corrected(predicted: list[float], x: float, y: float, variance: float) -> list[float]:
    place_x, place_y, east, north, pos, cross, vel = predicted
    off_x, off_y = x - place_x, y - place_y
    spread = pos + variance
    gain, gain_vel = pos / spread, cross / spread
    left = 1.0 - gain
    return [
        place_x + gain * off_x, place_y + gain * off_y,
        east + gain_vel * off_x, north + gain_vel * off_y,
        left * pos, left * cross, vel - gain_vel * cross,
    ]  # fmt: skip


def _heeded(belief: list[float], told_east: float, told_north: float) -> None:
    place_x, place_y, east, north, pos, cross, vel = belief
    off_x, off_y = told_east - east, told_north - north
    spread = vel + (1.0 + 0.1 * hypot(told_east, told_north)) ** 2
    if off_x * off_x + off_y * off_y <= GATE * spread:
        gain, gain_pos = vel / spread, cross / spread
        left = 1.0 - gain
        belief[:] = [
            place_x + gain_pos * off_x, place_y + gain_pos * off_y,
            east + gain * off_x, north + gain * off_y,
            pos - gain_pos * cross, left * cross, left * vel,
        ]  # fmt: skip


def _move(
    state: list[float],
    limits: list[float],
    told: list[float],
    plane: _Plane,
    belief: list[float],
    *,
    broken: bool,
) -> Found:
    t, told_east, told_north = told[0], told[4], told[5]
    first, silence, before = isnan(state[T]), t - state[T], state[T]
    heading = not isnan(told_east)
    if heading and state[TRUST] >= 0.0:
        _heeded(belief, told_east, told_north)
    x, y, east, north, pos, cross, vel = belief
    speed = hypot(east, north)
    if speed > limits[_MOST]:
        east, north = east * limits[_MOST] / speed, north * limits[_MOST] / speed
    lat = plane[0] + degrees(y / RADIUS_M)
    lon = (plane[1] + degrees(x / plane[2]) + 180.0) % 360.0 - 180.0
    state[T : VEL + 1] = [t, lat, lon, east, north, pos, cross, vel]
    if first:
        state[PLACE_LAT : DISTANCE + 1] = [lat, lon, lat, lon, t, 0.0, t, 0.0]
    else:
        way = _follow(state, limits, plane, (x, y), broken=broken)
        if heading and way is not None and told_east**2 + told_north**2 > 1.0:
            along = told_east * way[0] + told_north * way[1]
            fits = along >= 0.5 * sqrt((told_east**2 + told_north**2) * (way[0] ** 2 + way[1] ** 2))
            state[TRUST] = min(1.0, max(-1.0, state[TRUST] + (0.25 if fits else -0.5)))
    if broken:
        state[GAPS] += 1.0
        state[GAP_FROM], state[GAP_UNTIL] = before, t
    state[PACE] = t - state[SEEN_T]
    state[SEEN_T : SEEN_AT + 1] = told
    state[USED_LAT : USED_VARIANCE + 1] = told[1:4]
    state[DOUBTS] = 0.0
    return lat, lon, east, north, (silence if broken else 0.0)


def _follow(
    state: list[float],
    limits: list[float],
    plane: _Plane,
    here: tuple[float, float],
    *,
    broken: bool,
) -> tuple[float, float] | None:
    """As `motion.follow`; gives the step that the way was counted by, where it was."""
    t, lat, lon, sigma = state[T], state[LAT], state[LON], sqrt(state[POS])
    from_place = sqrt(_squared_to(plane, *here, state[PLACE_LAT], state[PLACE_LON]))
    away = from_place > limits[_STILL_M] + sigma
    if away:
        state[PLACE_LAT], state[PLACE_LON], state[PLACE_T] = lat, lon, t
    if state[MOVING] == 0.0:
        if away:
            state[MOVING], state[SINCE] = 1.0, t
    elif not away and t - state[PLACE_T] >= limits[_STILL_S]:
        state[MOVING], state[SINCE] = 0.0, state[PLACE_T]
    east, north = _metres(plane, state[STEP_LAT], state[STEP_LON])
    way = (here[0] - east, here[1] - north)
    length = hypot(*way)
    stepped = state[MOVING] > 0.0 and not broken and length >= STEP_M + sigma
    if stepped:
        state[DISTANCE] += length
    if stepped or broken:
        state[STEP_LAT], state[STEP_LON] = lat, lon
        return way
    return None
