"""How AGVs drive: differential drive along released lanes, protective fields, battery. Kernels over the whole fleet."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from robots.agv_config import AgvsConfig
from robots.config import SafetyConfig
from robots.rightofway import Lanes, Traffic
from robots.routes import STRAIGHT_RAD, BoolArray, FloatArray, IntArray
from robots.state import BREAKDOWN, CHARGING, COMMUNICATION, DRIVING, NO_ORDER, PAUSED, PERSON_NEAR, QUEUE, WORKING

# What an AGV is about: stages of its tasks. The last three are those of orders from outside: it drives to the next node where it
# has to stop, it carries out actions that keep it from driving, or it has nothing released.
IDLE, WANT_PICK, TO_PICK, LOADING, WANT_DROP, TO_DROP, UNLOADING, TO_CHARGE, ON_CHARGE, ASIDE = range(10)
ORDERED, ACTING, AWAITING = range(10, 13)
EVENT_NONE, EVENT_ARRIVED, EVENT_DONE = range(3)
_SNAP_M = 1e-3
_LEAST_CURRENT = 0.05  # charging goes on with this share of the full current at least


class Drive(NamedTuple):
    """Numbers of the vehicles, SI units, angles in rad."""

    max_speed: float
    acceleration: float
    deceleration: float
    emergency: float
    turn_rate: float
    half_length: float
    half_width: float
    swept_radius: float
    stop_distance: float
    reaction: float
    person_radius: float
    side_margin: float
    drain_driving: float
    drain_standing: float
    charge_rate: float
    loaded_drain: float
    taper_share: float
    full_share: float


def drive_of(agvs: AgvsConfig, safety: SafetyConfig, has_battery: bool) -> Drive:
    """Take the kernels' numbers out of the configuration; where the routes have no place to charge, batteries stay full."""
    drain = 1.0 if has_battery else 0.0
    return Drive(
        agvs.max_speed_mps,
        agvs.max_acceleration_mps2,
        agvs.deceleration_mps2,
        agvs.emergency_deceleration_mps2,
        float(np.deg2rad(agvs.turn_rate_deg_per_s)),
        agvs.length_m / 2,
        agvs.width_m / 2,
        float(np.hypot(agvs.length_m, agvs.width_m) / 2),
        agvs.stop_distance_m,
        safety.agv_reaction_time_s,
        safety.person_radius_m,
        safety.side_margin_m,
        drain / agvs.battery.driving_time_s,
        drain / agvs.battery.standing_time_s,
        1.0 / agvs.battery.charging_time_s,
        agvs.battery.loaded_drain_factor,
        agvs.battery.taper_share,
        agvs.battery.full_share,
    )


class Machines(NamedTuple):
    """Per AGV state beside :class:`Traffic`; changed in place.

    ``position_m`` (n, 2); ``mode``, ``stage``, ``event`` (n,); ``busy_until_us`` (n,) end of loading, unloading or acting;
    ``battery`` (n,); ``mode_us``, ``stops`` (n, len(MODES)) the production ledger; ``distance_m`` (n,) driven;
    ``waits_since_us`` (n,) since when it stands in a queue, -1 if it does not; ``loaded`` (n,); ``broken`` (n,) out of order.
    """

    position_m: FloatArray
    mode: IntArray
    stage: IntArray
    event: IntArray
    busy_until_us: IntArray
    battery: FloatArray
    mode_us: IntArray
    stops: IntArray
    distance_m: FloatArray
    waits_since_us: IntArray
    loaded: BoolArray
    broken: BoolArray


@numba.njit(cache=True)
def braking_speed(distance_m: float, speed: float, deceleration: float, dt: float) -> float:
    """Highest speed at the end of a step from which a stop within ``distance_m`` is still possible [m/s].

    Solves v^2 / (2 a) + (v + speed) dt / 2 = distance for v: what is driven in the step, at the mean speed, counts.
    """
    rest = distance_m - 0.5 * speed * dt
    if rest <= 0.0:
        return 0.0
    return float(deceleration * (-0.5 * dt + np.sqrt(0.25 * dt * dt + 2.0 * rest / deceleration)))


@numba.njit(cache=True)
def person_gap_m(x: float, y: float, yaw: float, people: FloatArray, present: BoolArray, drive: Drive) -> float:
    """Free way to the nearest person in the corridor ahead, inf for none [m].

    The corridor is as wide as the vehicle plus ``side_margin`` and a person's radius on each side; a person beside the front
    half counts as in the way.
    """
    gap = np.inf
    c, s = np.cos(yaw), np.sin(yaw)
    half = drive.half_width + drive.side_margin + drive.person_radius
    for p in range(people.shape[0]):
        if present[p]:
            dx, dy = people[p, 0] - x, people[p, 1] - y
            ahead = c * dx + s * dy
            if ahead > 0.0 and abs(c * dy - s * dx) < half:
                gap = min(gap, ahead - drive.half_length - drive.person_radius)
    return gap


@numba.njit(cache=True)
def person_in_turn(x: float, y: float, people: FloatArray, present: BoolArray, drive: Drive) -> bool:
    """Whether a person stands in the circle that the vehicle needs to turn in place."""
    reach = drive.swept_radius + drive.person_radius + drive.side_margin
    for p in range(people.shape[0]):
        if present[p] and (people[p, 0] - x) ** 2 + (people[p, 1] - y) ** 2 < reach * reach:
            return True
    return False


@numba.njit(cache=True)
def _way_ahead(i: int, speed: float, dt: float, drive: Drive, traffic: Traffic, lanes: Lanes) -> tuple[float, float]:
    """Distance to where the AGV must stop (inf if far) [m], and the speed that edges ahead permit [m/s]."""
    k, head = traffic.at_k[i], traffic.head_k[i]
    e = lanes.edge_of[traffic.path[i, k], traffic.path[i, k + 1]]
    distance = lanes.edge_length_m[e] - traffic.along_m[i]
    limit = lanes.edge_speed_mps[e]
    far = speed * speed / (2.0 * drive.deceleration) + drive.max_speed * 4.0 * dt + 0.5
    j = k + 1
    while j < head:
        f = lanes.edge_of[traffic.path[i, j], traffic.path[i, j + 1]]
        change = lanes.edge_yaw_rad[f] - lanes.edge_yaw_rad[e]
        if abs((change + np.pi) % (2 * np.pi) - np.pi) >= STRAIGHT_RAD:
            return distance, limit
        limit = min(limit, np.sqrt(lanes.edge_speed_mps[f] ** 2 + 2.0 * drive.deceleration * distance))
        distance += lanes.edge_length_m[f]
        if distance > far:
            return np.inf, limit
        e = f
        j += 1
    return distance, limit


@numba.njit(cache=True)
def _still_needs(i: int, node: int, lane: int, traffic: Traffic, lanes: Lanes) -> bool:
    """Whether the base ahead of the AGV comes back to a node (or, for node -1, to a lane) that it leaves now."""
    for k in range(traffic.at_k[i], traffic.head_k[i]):
        a, b = traffic.path[i, k], traffic.path[i, k + 1]
        if node >= 0 and b == node:
            return True
        if node < 0 and lanes.edge_lane[lanes.edge_of[a, b]] == lane:
            return True
    return False


@numba.njit(cache=True)
def _free_node(i: int, traffic: Traffic, lanes: Lanes) -> None:
    node = traffic.path[i, traffic.at_k[i]]
    traffic.freed[i] = True
    if not _still_needs(i, node, -1, traffic, lanes):
        traffic.node_holder[node] = -1
    traffic.version[0] += 1


@numba.njit(cache=True)
def _pass_nodes(i: int, traffic: Traffic, lanes: Lanes) -> None:
    """Count nodes that were reached as passed; free what lies behind."""
    while traffic.at_k[i] < traffic.head_k[i]:
        k = traffic.at_k[i]
        e = lanes.edge_of[traffic.path[i, k], traffic.path[i, k + 1]]
        if traffic.along_m[i] >= lanes.edge_length_m[e] - 1e-9:
            if not traffic.freed[i]:
                _free_node(i, traffic, lanes)
            traffic.along_m[i] = max(0.0, traffic.along_m[i] - lanes.edge_length_m[e])
            traffic.at_k[i] = k + 1
            traffic.freed[i] = False
            if not _still_needs(i, -1, lanes.edge_lane[e], traffic, lanes):
                traffic.lane_holder[lanes.edge_lane[e]] = -1
            traffic.version[0] += 1
        else:
            if not traffic.freed[i] and traffic.along_m[i] >= lanes.release_m[e]:
                _free_node(i, traffic, lanes)
            break


@numba.njit(cache=True)
def _slew(heading: float, wanted: float, most: float) -> float:
    """Turn from heading towards the wanted direction by at most ``most`` [rad]."""
    diff = (wanted - heading + np.pi) % (2 * np.pi) - np.pi
    if abs(diff) <= most:
        return wanted
    turned = heading + most if diff > 0 else heading - most
    return float((turned + np.pi) % (2 * np.pi) - np.pi)


@numba.njit(cache=True, inline="always")  # as a call it would hand over sixty arrays for every AGV
def _move(
    i: int,
    dt: float,
    halt: float,
    people: FloatArray,
    present: BoolArray,
    drive: Drive,
    traffic: Traffic,
    lanes: Lanes,
) -> tuple[bool, bool, float]:
    """Move one AGV, or bring it to a stop with the deceleration ``halt`` if that is not 0 [m/s^2].

    Returns whether it moved, whether a person keeps it, and the way driven [m].
    """
    k, head = traffic.at_k[i], traffic.head_k[i]
    if k == head:
        traffic.speed_mps[i] = 0.0
        return False, False, 0.0
    a, b = traffic.path[i, k], traffic.path[i, k + 1]
    e = lanes.edge_of[a, b]
    yaw, speed, along = lanes.edge_yaw_rad[e], traffic.speed_mps[i], traffic.along_m[i]
    share = along / lanes.edge_length_m[e]
    x = lanes.node_xy[a, 0] + share * (lanes.node_xy[b, 0] - lanes.node_xy[a, 0])
    y = lanes.node_xy[a, 1] + share * (lanes.node_xy[b, 1] - lanes.node_xy[a, 1])
    if speed == 0.0 and along == 0.0 and traffic.heading_rad[i] != yaw:
        if halt > 0.0:
            return False, False, 0.0
        if person_in_turn(x, y, people, present, drive):
            return False, True, 0.0
        traffic.heading_rad[i] = _slew(traffic.heading_rad[i], yaw, drive.turn_rate * dt)
        return True, False, 0.0
    stop_m, limit = _way_ahead(i, speed, dt, drive, traffic, lanes)
    person = False
    if halt > 0.0:
        new = max(0.0, speed - halt * dt)
        way = speed * speed / (2.0 * halt) if new == 0.0 else 0.5 * (speed + new) * dt
    else:
        new = min(limit, speed + drive.acceleration * dt)
        if stop_m < np.inf:
            new = min(new, braking_speed(stop_m, speed, drive.deceleration, dt))
        brake = drive.deceleration
        gap = person_gap_m(x, y, yaw, people, present, drive) - drive.stop_distance
        if gap < np.inf:
            allowed = braking_speed(gap - speed * drive.reaction, speed, drive.deceleration, dt)
            if allowed < new:
                new, person, brake = allowed, True, drive.emergency
        new = max(new, speed - brake * dt, 0.0)
        way = 0.5 * (speed + new) * dt
    if stop_m < np.inf and (way >= stop_m or (stop_m - way < _SNAP_M and new < 0.05 and not person and halt == 0.0)):
        way, new = stop_m, 0.0
    traffic.speed_mps[i] = new
    traffic.along_m[i] = along + way
    if way > 0.0:
        traffic.heading_rad[i] = _slew(traffic.heading_rad[i], yaw, drive.turn_rate * dt)
        _pass_nodes(i, traffic, lanes)
    return way > 0.0, person, way


@numba.njit(cache=True)
def charging_current(charge: float, taper_share: float) -> float:
    """Charging current at a charge 0..1, relative to the full one: constant, then falling with what is missing."""
    if charge <= taper_share or taper_share >= 1.0:
        return 1.0
    return max(_LEAST_CURRENT, (1.0 - charge) / (1.0 - taper_share))


@numba.njit(cache=True)
def drive_fleet(
    time_us: int,
    dt_us: int,
    held: BoolArray,
    people: FloatArray,
    present: BoolArray,
    drive: Drive,
    machines: Machines,
    traffic: Traffic,
    lanes: Lanes,
) -> bool:
    """Move the whole fleet by one step and keep its ledger.

    Parameters
    ----------
    time_us, dt_us : end and length of the step [us].
    held : (n,) protective stop by the watchdog, or out of order.
    people, present : (k, 2) positions [m] and (k,) whether somebody is there.
    drive, machines, traffic, lanes : numbers, states changed in place, graph.

    Returns
    -------
    Whether any AGV has an event (see ``machines.event``).
    """
    dt = dt_us * 1e-6
    any_event = False
    for i in range(held.shape[0]):
        halt = 0.0
        if held[i]:
            halt = drive.emergency
        elif traffic.paused[i] or machines.battery[i] == 0.0:
            halt = drive.deceleration
        moved, person, way = _move(i, dt, halt, people, present, drive, traffic, lanes)
        machines.distance_m[i] += way
        k = traffic.at_k[i]
        a = traffic.path[i, k]
        x, y = lanes.node_xy[a, 0], lanes.node_xy[a, 1]
        if traffic.along_m[i] > 0.0:
            e = lanes.edge_of[a, traffic.path[i, k + 1]]
            yaw = lanes.edge_yaw_rad[e]
            x += traffic.along_m[i] * np.cos(yaw)
            y += traffic.along_m[i] * np.sin(yaw)
        machines.position_m[i, 0], machines.position_m[i, 1] = x, y

        stage = machines.stage[i]
        there = k == traffic.path_len[i] - 1 and traffic.along_m[i] == 0.0
        event = EVENT_NONE
        if machines.broken[i]:
            mode = BREAKDOWN
        elif stage == LOADING or stage == UNLOADING or stage == ON_CHARGE or stage == ACTING:
            mode = CHARGING if stage == ON_CHARGE else WORKING
            if stage == ON_CHARGE:
                if machines.battery[i] >= drive.full_share:
                    event = EVENT_DONE
            elif time_us >= machines.busy_until_us[i]:
                event = EVENT_DONE
        elif (stage == IDLE or stage == AWAITING) and there:
            mode = NO_ORDER
        else:
            mode = COMMUNICATION if held[i] else (DRIVING if moved else (PERSON_NEAR if person else QUEUE))
            if mode == QUEUE and (traffic.paused[i] or machines.battery[i] == 0.0):
                mode = PAUSED
            if there and (stage == TO_PICK or stage == TO_DROP or stage == TO_CHARGE or stage == ASIDE or stage == ORDERED):
                event = EVENT_ARRIVED
        machines.event[i] = event
        any_event = any_event or event != EVENT_NONE
        if mode != machines.mode[i]:
            machines.stops[i, mode] += 1
        machines.mode[i] = mode
        machines.mode_us[i, mode] += dt_us
        if mode == QUEUE:
            if machines.waits_since_us[i] < 0:
                machines.waits_since_us[i] = time_us
        elif mode == DRIVING or mode == WORKING or mode == NO_ORDER or mode == CHARGING or mode == PAUSED:
            machines.waits_since_us[i] = -1
        if stage == ON_CHARGE:
            rate = drive.charge_rate * charging_current(machines.battery[i], drive.taper_share)
        elif moved:
            rate = -drive.drain_driving * (drive.loaded_drain if machines.loaded[i] else 1.0)
        else:
            rate = -drive.drain_standing
        machines.battery[i] = min(1.0, max(0.0, machines.battery[i] + rate * dt))
    return any_event


@numba.njit(cache=True)
def plan_ahead(horizon_s: float, still: BoolArray, machines: Machines, traffic: Traffic, lanes: Lanes) -> FloatArray:
    """Where AGVs will be if undisturbed: along base and horizon at the present speed; (n, 3) x, y [m], heading [rad].

    ``still`` (n,) AGVs that stay where they are (working, charging, held).
    """
    n = still.shape[0]
    out = np.empty((n, 3))
    for i in range(n):
        out[i, 0], out[i, 1], out[i, 2] = machines.position_m[i, 0], machines.position_m[i, 1], traffic.heading_rad[i]
        left = traffic.speed_mps[i] * horizon_s
        if still[i] or left <= 0.0:
            continue
        k, along = traffic.at_k[i], traffic.along_m[i] + left
        while k < traffic.path_len[i] - 1:
            a, b = traffic.path[i, k], traffic.path[i, k + 1]
            e = lanes.edge_of[a, b]
            last = k + 1 == traffic.path_len[i] - 1
            if along <= lanes.edge_length_m[e] or last:
                share = min(1.0, along / lanes.edge_length_m[e])
                out[i, 0] = lanes.node_xy[a, 0] + share * (lanes.node_xy[b, 0] - lanes.node_xy[a, 0])
                out[i, 1] = lanes.node_xy[a, 1] + share * (lanes.node_xy[b, 1] - lanes.node_xy[a, 1])
                out[i, 2] = lanes.edge_yaw_rad[e]
                break
            along -= lanes.edge_length_m[e]
            k += 1
    return out
