"""What the fleet does every tick, in one call each: a step, the look for AGVs that need a new way, and what is told about it.

All take the packed arrays of :mod:`robots.tables`, whose views they hand on to the kernels of :mod:`robots.agv` and
:mod:`robots.rightofway`.
"""

from __future__ import annotations

import numba
import numpy as np

from robots.agv import IDLE, WANT_DROP, WANT_PICK, drive_fleet, plan_ahead
from robots.rightofway import Schedule, release_lanes
from robots.routes import FloatArray, IntArray
from robots.safety import watchdog_step
from robots.state import BREAKDOWN, CHARGING, COMMUNICATION, NO_ORDER, PAUSED, PERSON_NEAR, QUEUE, WORKING
from robots.tables import drive_in, lanes_in, machines_of, traffic_of


@numba.njit(cache=True)
def oldest_first(since_us: IntArray) -> IntArray:
    """AGVs in the order of their waiting since (n,) [us], the lower number first among equals."""
    rank = np.empty(since_us.shape[0], np.int64)
    for i in range(since_us.shape[0]):
        k = i
        while k > 0 and since_us[rank[k - 1]] > since_us[i]:
            rank[k] = rank[k - 1]
            k -= 1
        rank[k] = i
    return rank


@numba.njit(cache=True)
def need_ways(
    now_us: int, period_us: int, aside_us: int, gridlock_us: int, patience_us: int,
    whole: IntArray, starved_us: IntArray, try_at_us: IntArray,
) -> bool:  # fmt: skip
    """Let patience run, and tell whether a new way, another way or a way out is to be looked for.

    Parameters
    ----------
    now_us, period_us : instant and time since the last look [us].
    aside_us, patience_us : in a queue, before the AGV ahead is asked to go, and before the way out is taken [us].
    gridlock_us : in a queue without a way while nobody has one, before an AGV is moved by lot [us].
    whole : of :class:`robots.tables.FleetTables`.
    starved_us : (n,) patience spent [us], advanced here. try_at_us : (n,) no look for a way before this [us].

    Returns
    -------
    False if everybody has a way and the traffic flows.
    """
    path_len, at_k, head_k, mode, stage, waits_since_us = whole[0], whole[1], whole[2], whole[4], whole[5], whole[8]
    n = mode.shape[0]
    calm = (
        True  # patience does not run out while the reason may be a person, the radio or a pause: nobody's right of way helps then
    )
    moves, queue, need, lost, tired = False, False, False, True, False
    for i in range(n):
        calm = calm and mode[i] != PERSON_NEAR and mode[i] != COMMUNICATION and mode[i] != PAUSED and mode[i] != BREAKDOWN
        moves = moves or (mode[i] != QUEUE and mode[i] != NO_ORDER)
    for i in range(n):
        waits = waits_since_us[i] >= 0
        if not waits:
            starved_us[i] = 0
        elif calm:
            starved_us[i] += period_us
        ended = head_k[i] == path_len[i] - 1
        wants = ended and (stage[i] == IDLE or stage[i] == WANT_PICK or stage[i] == WANT_DROP)
        queued = not ended and mode[i] == QUEUE and at_k[i] == head_k[i]
        queue = queue or queued
        lost = lost and wants
        tired = tired or (waits and now_us - waits_since_us[i] >= gridlock_us)
        late = queued and waits and now_us - waits_since_us[i] >= aside_us
        need = need or starved_us[i] >= patience_us or (try_at_us[i] <= now_us and (wants or late))
    return need or (queue and not moves) or (lost and tired)


@numba.njit(cache=True)
def step_fleet(  # type: ignore[no-untyped-def]
    time_us, dt_us, strict, planning, period_us, aside_us, gridlock_us, patience_us, starved_us, try_at_us,
    age_us, people, present, numbers, survival_us, restart_us, tripped, back_since_us,
    whole, real, flag, position_m, path, holder, version, ledger, lane_whole, lane_real, lane_flag, lane_at,
    known_agv, known_node, known_first, known_end, scratch_agv, scratch_node, scratch_first, scratch_end,
):  # fmt: skip
    """Advance watchdogs and vehicles, see whether ways are needed, and release lanes unless something is to be decided first.

    Parameters
    ----------
    time_us, dt_us : end and length of the step [us].
    strict : whether the known schedule is carried out; then no lane is released here. planning : whether ways are due to be
        looked at; ``period_us`` to ``try_at_us`` are for that, see :func:`need_ways`.
    age_us : (n,) age of the last valid command [us]. people, present : (k, 2) [m] and (k,).
    numbers : (18,) of :class:`robots.agv.Drive`. survival_us, restart_us, tripped, back_since_us : see ``Watchdog``.
    others : :class:`robots.tables.FleetTables`, :class:`robots.tables.LaneTables`, the known schedule and room for another.

    Returns
    -------
    How many watchdogs tripped; whether an AGV has an event; whether ways are needed. Lanes are released if neither is so;
    with an event, ways have not been looked at.
    """
    drive, lanes = drive_in(numbers), lanes_in(lane_whole, lane_real, lane_flag, lane_at)
    traffic = traffic_of(lanes.node_xy.shape[0], whole, real, flag, path, holder, version)
    machines = machines_of(whole, real, flag, position_m, ledger)
    trips = watchdog_step(time_us, age_us, traffic.speed_mps == 0.0, survival_us, restart_us, tripped, back_since_us)
    held = tripped | machines.broken
    event = drive_fleet(time_us, dt_us, held, people, present, drive, machines, traffic, lanes)
    need = False
    if planning and not event:
        need = need_ways(time_us, period_us, aside_us, gridlock_us, patience_us, whole, starved_us, try_at_us)
    if not (event or need or strict):
        known = Schedule(known_agv, known_node, known_first, known_end)
        scratch = Schedule(scratch_agv, scratch_node, scratch_first, scratch_end)
        release_lanes(oldest_first(whole[9]), held, drive.deceleration, traffic, lanes, known, scratch)
    return trips, event, need


@numba.njit(cache=True)
def _antenna(i: int, x: float, y: float, yaw: float, forward: float, left: float, height: float, antenna: FloatArray) -> None:
    c, s = np.cos(yaw), np.sin(yaw)
    antenna[i, 0] = x + c * forward - s * left
    antenna[i, 1] = y + s * forward + c * left
    antenna[i, 2] = height


@numba.njit(cache=True)
def report_fleet(
    forward_m: float, left_m: float, height_m: float,
    whole: IntArray, real: FloatArray, position_m: FloatArray, path: IntArray,
    plane: FloatArray, antenna: FloatArray, out_real: FloatArray, out_whole: IntArray,
) -> None:  # fmt: skip
    """Write what :class:`robots.state.AgvState` tells.

    Parameters
    ----------
    forward_m, left_m, height_m : antenna in the vehicle's frame [m].
    whole, real, position_m, path : of :class:`robots.tables.FleetTables`.
    plane : (2, n, 2) position, velocity. antenna : (n, 3). out_real : (4, n) heading, speed, load height, battery.
    out_whole : (3, n) mode, node, order.
    """
    for i in range(position_m.shape[0]):
        x, y, yaw, speed = position_m[i, 0], position_m[i, 1], real[1, i], real[2, i]
        plane[0, i, 0], plane[0, i, 1] = x, y
        plane[1, i, 0], plane[1, i, 1] = speed * np.cos(yaw), speed * np.sin(yaw)
        _antenna(i, x, y, yaw, forward_m, left_m, height_m, antenna)
        out_real[0, i], out_real[1, i], out_real[2, i], out_real[3, i] = yaw, speed, real[5, i], real[3, i]
        out_whole[0, i], out_whole[1, i], out_whole[2, i] = whole[4, i], path[i, whole[1, i]], whole[10, i]


@numba.njit(cache=True)
def report_ahead(  # type: ignore[no-untyped-def]
    horizon_s, forward_m, left_m, height_m, tripped, whole, real, flag, position_m, path, holder, version, ledger,
    lane_whole, lane_real, lane_flag, lane_at, out_xy, out_yaw, out_antenna,
) -> None:  # fmt: skip
    """Write where AGVs will be ``horizon_s`` ahead if undisturbed: (n, 2) [m], (n,) [rad], antennas (n, 3) [m].

    Parameters
    ----------
    horizon_s : how far ahead [s]. tripped : (n,) protective stops; these AGVs, and those at work or charging, stay.
    others : as of :func:`report_fleet` and :func:`step_fleet`.
    """
    lanes = lanes_in(lane_whole, lane_real, lane_flag, lane_at)
    traffic = traffic_of(lanes.node_xy.shape[0], whole, real, flag, path, holder, version)
    machines = machines_of(whole, real, flag, position_m, ledger)
    still = tripped | traffic.paused | machines.broken | (machines.mode == WORKING) | (machines.mode == CHARGING)
    ahead = plan_ahead(horizon_s, still, machines, traffic, lanes)
    for i in range(still.shape[0]):
        out_xy[i, 0], out_xy[i, 1], out_yaw[i] = ahead[i, 0], ahead[i, 1], ahead[i, 2]
        _antenna(i, ahead[i, 0], ahead[i, 1], ahead[i, 2], forward_m, left_m, height_m, out_antenna)
