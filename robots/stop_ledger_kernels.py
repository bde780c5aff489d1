"""What every machine does or stands for in a step, who heads the queue that it waits in, and what the radio had to do with it."""

from __future__ import annotations

import numba
import numpy as np

from robots.cobot_kernels import PERMITTED
from robots.rightofway import Lanes, Traffic
from robots.routes import BoolArray, FloatArray, IntArray
from robots.state import BREAKDOWN, COMMUNICATION, DRIVING, QUEUE, WORKING
from robots.tables import lanes_in, traffic_of

CAUSE, ROOT, HEAD, SINCE, RAMP, OWED, STATE_ROWS = range(7)
"""Rows of the state (STATE_ROWS, M): mode, mode of who heads the queue, that machine (-1: none), since when [us], mode that an
AGV speeds up from (-1: it does not), and how long the head of this queue had stood without commands before it joined [us], less
what of that it has stood since the head went on."""
R_MACHINE, R_CAUSE, R_ROOT, R_HEAD, R_START, R_END, ROW_INTS = range(7)
"""Columns of a finished interval."""
STANDS, ANYWAY, BEHIND, TAIL, RADIO_PARTS = range(5)
"""Columns of the radio's share [s]: standing without commands, what of it the machine would have stood anyway, in a queue whose
head stands without commands, and in such a queue after its head has gone on, up to what the head had stood before this one
came."""


@numba.njit(cache=True)
def who_is_in_the_way(agv: int, traffic: Traffic, lanes: Lanes) -> int:
    """AGV that holds what ``agv`` needs for its next lane, -1 for nobody; the order of :func:`robots.rightofway.lane_is_free`."""
    k = traffic.head_k[agv]
    if traffic.at_k[agv] != k or k >= traffic.path_len[agv] - 1:
        return -1
    a, b = traffic.path[agv, k], traffic.path[agv, k + 1]
    lane = lanes.edge_lane[lanes.edge_of[a, b]]
    node_holder, lane_holder = traffic.node_holder, traffic.lane_holder
    if node_holder[b] >= 0 and node_holder[b] != agv:
        return int(node_holder[b])
    if lane_holder[lane] >= 0 and lane_holder[lane] != agv:
        return int(lane_holder[lane])
    for at in range(lanes.lane_lane_start[lane], lanes.lane_lane_start[lane + 1]):
        holder = lane_holder[lanes.lane_lane[at]]
        if holder >= 0 and holder != agv:
            return int(holder)
    for at in range(lanes.lane_node_start[lane], lanes.lane_node_start[lane + 1]):
        holder = node_holder[lanes.lane_node[at]]
        if holder >= 0 and holder != agv:
            return int(holder)
    for at in range(lanes.node_lane_start[b], lanes.node_lane_start[b + 1]):
        holder = lane_holder[lanes.node_lane[at]]
        if holder >= 0 and holder != agv:
            return int(holder)
    return -1


@numba.njit(cache=True)
def head_of_queue(agv: int, mode: IntArray, ahead: IntArray) -> int:
    """Machine that heads the queue in which ``agv`` waits for ``ahead[agv]``; -1 where nobody does, or all wait in a circle.

    Parameters
    ----------
    mode : (n,) modes. ahead : (n,) who is in each one's way, -1 for nobody.
    """
    j = ahead[agv]
    for _ in range(mode.shape[0]):
        if j < 0 or mode[j] != QUEUE:
            return int(j)
        j = ahead[j]
    return -1


@numba.njit(cache=True)
def _root(agv: int, mode: IntArray, ahead: IntArray) -> tuple[int, int]:
    """Mode and number of who heads a queue; ``QUEUE`` and -1 where that one drives or nobody heads it: ordinary traffic."""
    head = head_of_queue(agv, mode, ahead)
    if head < 0 or mode[head] == DRIVING or mode[head] == QUEUE:
        return QUEUE, -1
    return int(mode[head]), head


@numba.njit(cache=True)
def observe(
    time_us: int, dt_us: int, hour: int, top_mps: float, zone: IntArray,
    whole: IntArray, real: FloatArray, flag: BoolArray, path: IntArray, holder: IntArray, version: IntArray,
    lane_whole: IntArray, lane_real: FloatArray, lane_flag: BoolArray, lane_at: IntArray,
    cobot_mode: IntArray, cobot_real: FloatArray,
    state: IntArray, speed: FloatArray, spent_us: IntArray, starts: IntArray, root_us: IntArray, slow_s: FloatArray,
    radio_s: FloatArray, by_zone_us: IntArray, by_hour_us: IntArray, zone_starts: IntArray, hour_starts: IntArray,
    rows: IntArray, opened: IntArray,
) -> tuple[int, int]:  # fmt: skip
    """Book one step of n AGVs and m cobots, M = n + m; see :class:`robots.stop_ledger.StopLedger`.

    Parameters
    ----------
    time_us, dt_us : start and length of the step [us]. hour : hour of the run. top_mps : speed of an AGV on a free lane.
    zone : (M,) zone of each machine.
    whole to version, lane_whole to lane_at : see :class:`robots.tables.FleetTables`, :class:`robots.tables.LaneTables`.
    cobot_mode : (m,). cobot_real : see :mod:`robots.cobot_kernels`.
    state : (STATE_ROWS, M). speed : (2, n) at the end of the step before, and the one that what is lost is told against [m/s].
    spent_us, starts, root_us, slow_s : (M, modes). radio_s : (M, RADIO_PARTS).
    by_zone_us, zone_starts : (zones, modes). by_hour_us, hour_starts : (hours, modes).
    rows : (M, ROW_INTS) written, intervals that ended. opened : (M,) written, machines that stand for something new.

    Returns
    -------
    Number of intervals that ended, and of machines that stand for something new.
    """
    n_agv, n_cobot = whole.shape[1], cobot_mode.shape[0]
    dt = dt_us * 1e-6
    lanes = lanes_in(lane_whole, lane_real, lane_flag, lane_at)
    traffic = traffic_of(lanes.node_xy.shape[0], whole, real, flag, path, holder, version)
    agv_mode = whole[4]
    ahead = np.full(n_agv, -1, np.int64)
    for i in range(n_agv):
        if agv_mode[i] == QUEUE or agv_mode[i] == COMMUNICATION:
            ahead[i] = who_is_in_the_way(i, traffic, lanes)
    n_rows, n_opened = 0, 0
    for k in range(n_agv + n_cobot):
        agv = k < n_agv
        cause = agv_mode[k] if agv else cobot_mode[k - n_agv]
        root, head = cause, -1
        if cause == QUEUE:
            root, head = _root(k, agv_mode, ahead)
        held = state[CAUSE, k] == COMMUNICATION or state[CAUSE, k] == BREAKDOWN
        if state[CAUSE, k] != cause:
            starts[k, cause] += 1
            zone_starts[zone[k], cause] += 1
            hour_starts[hour, cause] += 1
        if root == COMMUNICATION and cause == QUEUE and (state[HEAD, k] != head or state[ROOT, k] != root):
            state[OWED, k] = time_us - state[SINCE, head] if state[CAUSE, head] == COMMUNICATION else 0
        if state[CAUSE, k] != cause or state[ROOT, k] != root or state[HEAD, k] != head:
            if state[CAUSE, k] != DRIVING and state[CAUSE, k] != WORKING and state[SINCE, k] < time_us:
                rows[n_rows, R_MACHINE], rows[n_rows, R_CAUSE], rows[n_rows, R_ROOT] = k, state[CAUSE, k], state[ROOT, k]
                rows[n_rows, R_HEAD], rows[n_rows, R_START], rows[n_rows, R_END] = state[HEAD, k], state[SINCE, k], time_us
                n_rows += 1
            if cause != DRIVING and cause != WORKING:
                opened[n_opened] = k
                n_opened += 1
            state[CAUSE, k], state[ROOT, k], state[HEAD, k], state[SINCE, k] = cause, root, head, time_us
        spent_us[k, cause] += dt_us
        by_zone_us[zone[k], cause] += dt_us
        by_hour_us[hour, cause] += dt_us
        if cause == QUEUE:
            root_us[k, root] += dt_us
        if not agv:
            if cause == COMMUNICATION:
                radio_s[k, STANDS] += dt
                radio_s[k, ANYWAY] += (1.0 - cobot_real[PERMITTED, k - n_agv]) * dt
            continue
        now_mps = real[2, k]
        at_once = cause == COMMUNICATION or cause == BREAKDOWN
        if at_once and not held:
            # what is lost is told against the speed that it had: near a corner that is not full speed
            speed[1, k] = speed[0, k]
        missing = 0.0
        if at_once or cause == DRIVING:
            pace_mps = speed[1, k]
            missing = (1.0 - min(0.5 * (speed[0, k] + now_mps) / pace_mps, 1.0)) * dt if pace_mps > 0.0 else dt * at_once
        if cause == COMMUNICATION:  # what it still drives while it brakes is not lost
            radio_s[k, STANDS] += missing
            if ahead[k] >= 0 and _root(k, agv_mode, ahead)[0] != COMMUNICATION:
                radio_s[k, ANYWAY] += missing
        if cause == QUEUE:
            if root == COMMUNICATION:
                radio_s[k, BEHIND] += dt
            elif state[OWED, k] > 0:
                # Had the head not stood, it would be ahead by all that time, not by what this one has seen of it alone.
                radio_s[k, TAIL] += min(dt_us, state[OWED, k]) * 1e-6
                state[OWED, k] -= dt_us
        elif cause != COMMUNICATION:
            state[OWED, k] = 0
        if cause == DRIVING and now_mps > speed[0, k]:
            if state[RAMP, k] >= 0:
                slow_s[k, state[RAMP, k]] += missing
        elif cause == DRIVING:
            state[RAMP, k] = -1
        else:
            state[RAMP, k] = root
            if not at_once:
                speed[1, k] = top_mps
        speed[0, k] = now_mps
    return n_rows, n_opened
