"""Distances that keep people safe, and the watchdog that stops a machine which hears no valid command."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from robots.config import SafetyConfig
from robots.routes import BoolArray, FloatArray, IntArray


def protective_separation_m(
    human_speed_mps: float,
    robot_speed_mps: float,
    reaction_time_s: float,
    stopping_time_s: float,
    intrusion_distance_m: float,
    human_uncertainty_m: float = 0.0,
    robot_uncertainty_m: float = 0.0,
) -> float:
    r"""Protective separation distance of ISO/TS 15066, 5.5.4.2.3, with constant deceleration of the robot.

    .. math:: S_p = v_h (T_r + T_s) + v_r T_r + v_r T_s / 2 + C + Z_d + Z_r

    Parameters
    ----------
    human_speed_mps : :math:`v_h`, speed of the person towards the robot [m/s].
    robot_speed_mps : :math:`v_r`, speed of the robot towards the person [m/s].
    reaction_time_s : :math:`T_r`, from the person's move to the robot's braking, the radio's delay included [s].
    stopping_time_s : :math:`T_s`, time of the stop from that speed [s].
    intrusion_distance_m : :math:`C`, reach that the detection does not see [m].
    human_uncertainty_m, robot_uncertainty_m : :math:`Z_d`, :math:`Z_r` [m].

    Returns
    -------
    Distance below which the robot must stop [m].
    """
    human = human_speed_mps * (reaction_time_s + stopping_time_s)
    robot = robot_speed_mps * reaction_time_s + 0.5 * robot_speed_mps * stopping_time_s
    return human + robot + intrusion_distance_m + human_uncertainty_m + robot_uncertainty_m


_ROUNDING_M = 1e-9  # far more than the rounding of a distance in a hall


class Separation(NamedTuple):
    """Numbers of the separation monitoring: the cobot's speed [m/s], what is fixed of the distance [m]."""

    cobot_speed: float
    fixed: float


RATED_PAYLOAD_KG = 14.0  # LBR iiwa 14 R820


def stopping_time_s(safety: SafetyConfig, payload_kg: float) -> float:
    """Time of the stop from full speed with a payload [s]: between those without and with the rated payload, linear.

    The maker gives stopping times by payload; a brake of one torque stops an inertia in proportion to it.
    """
    return safety.stopping_time_s + (safety.stopping_time_rated_s - safety.stopping_time_s) * payload_kg / RATED_PAYLOAD_KG


def separation_of(safety: SafetyConfig) -> Separation:
    """Take the kernel's numbers out of the configuration."""
    fixed = safety.intrusion_distance_m + safety.human_uncertainty_m + safety.robot_uncertainty_m
    return Separation(safety.cobot_speed_mps, fixed)


@numba.njit(cache=True)
def permitted_scale(
    separation_m: float, reaction_time_s: float, human_mps: float, cobot_mps: float, stopping_time_s: float, fixed_m: float
) -> float:
    """Share of full speed for one robot; see :func:`permitted_speed_scale`."""
    spare = min(separation_m, 1e3) - fixed_m - human_mps * reaction_time_s
    if not spare > 0.0:
        return 0.0
    linear = human_mps * stopping_time_s + cobot_mps * reaction_time_s
    square = 0.5 * cobot_mps * stopping_time_s
    return float(min((np.sqrt(linear * linear + 4 * square * spare) - linear) / (2 * square), 1.0))


@numba.njit(cache=True)
def _permitted(
    separation_m: FloatArray, reaction_s: FloatArray, human_mps: FloatArray, cobot_mps: float, stopping_s: float, fixed_m: float
) -> FloatArray:
    out = np.empty(separation_m.shape[0])
    for i in range(out.shape[0]):
        out[i] = permitted_scale(separation_m[i], reaction_s[i], human_mps[i], cobot_mps, stopping_s, fixed_m)
    return out


def permitted_speed_scale(
    separation_m: FloatArray, reaction_time_s: FloatArray, human_speed_mps: FloatArray, safety: SafetyConfig
) -> FloatArray:
    r"""Highest share of full speed whose protective separation distance is kept.

    At the share s the stop takes :math:`s T_s` (constant deceleration), so :math:`S_p(s)` is a parabola in s, which is solved
    for :math:`S_p(s) = ` separation.

    Parameters
    ----------
    separation_m : (m,) distance to the nearest person, inf for none [m].
    reaction_time_s : (m,) [s]. human_speed_mps : (m,) [m/s].
    safety : the other numbers.

    Returns
    -------
    (m,) shares 0..1; 0 where even a standing robot is too near to be started.
    """
    cobot_mps, fixed_m = separation_of(safety)
    return np.asarray(_permitted(separation_m, reaction_time_s, human_speed_mps, cobot_mps, safety.stopping_time_s, fixed_m))


@numba.njit(cache=True)
def watchdog_step(
    time_us: int,
    age_us: IntArray,
    standing: BoolArray,
    survival_us: IntArray,
    restart_us: IntArray,
    tripped: BoolArray,
    back_since_us: IntArray,
) -> int:
    """Advance all watchdogs; see :class:`Watchdog`. Returns how many tripped in this step."""
    trips = 0
    for i in range(age_us.shape[0]):
        if age_us[i] > survival_us[i]:
            trips += not tripped[i]
            tripped[i] = True
            back_since_us[i] = -1
        elif tripped[i] and standing[i]:
            if back_since_us[i] < 0:
                back_since_us[i] = time_us
            if time_us - back_since_us[i] >= restart_us[i]:
                tripped[i] = False
    return trips


class Watchdog:
    """Protective stop of each machine while no valid command has arrived within its survival time.

    A machine trips at the first step at whose end the last valid command is older than the survival time. It is freed
    ``restart_us`` after the first step at whose end it stands and commands are back, if they stay.

    Parameters
    ----------
    survival_us : (n,) survival times [us]. restart_us : (n,) restart delays [us].

    Attributes
    ----------
    tripped : (n,) machines in a protective stop. trips : number of stops so far.
    back_since_us : (n,) since when commands are back at standstill, -1 if they are not [us].
    """

    def __init__(self, survival_us: IntArray, restart_us: IntArray) -> None:
        self.survival_us = np.asarray(survival_us, np.int64).copy()
        self.restart_us = np.asarray(restart_us, np.int64).copy()
        self.tripped = np.zeros(self.survival_us.shape[0], np.bool_)
        self.trips = 0
        self.back_since_us = np.full(self.survival_us.shape[0], -1, np.int64)

    def step(self, time_us: int, command_age_us: IntArray, standing: BoolArray) -> BoolArray:
        """Advance to ``time_us``.

        Parameters
        ----------
        time_us : end of the step [us].
        command_age_us : (n,) age of the last valid command at the end of the step [us].
        standing : (n,) machines whose speed is zero.

        Returns
        -------
        (n,) machines in a protective stop; the array is reused.
        """
        self.trips += watchdog_step(
            time_us, command_age_us, standing, self.survival_us, self.restart_us, self.tripped, self.back_since_us
        )
        return self.tripped


@numba.njit(cache=True)
def segment_distance_m(
    ax: float, ay: float, az: float, bx: float, by: float, bz: float,
    cx: float, cy: float, cz: float, dx: float, dy: float, dz: float,
) -> float:  # fmt: skip
    """Shortest distance between the segments a-b and c-d in space [m]."""
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = dx - cx, dy - cy, dz - cz
    wx, wy, wz = ax - cx, ay - cy, az - cz
    uu, vv, uv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz, ux * vx + uy * vy + uz * vz
    uw, vw = ux * wx + uy * wy + uz * wz, vx * wx + vy * wy + vz * wz
    det = uu * vv - uv * uv
    s = 0.0
    if det > 1e-12 * uu * vv:
        s = min(1.0, max(0.0, (uv * vw - vv * uw) / det))
    t = (uv * s + vw) / vv if vv > 1e-18 else 0.0
    if t < 0.0:
        t = 0.0
        s = min(1.0, max(0.0, -uw / uu)) if uu > 1e-18 else 0.0
    elif t > 1.0:
        t = 1.0
        s = min(1.0, max(0.0, (uv - uw) / uu)) if uu > 1e-18 else 0.0
    elif vv <= 1e-18:
        s = min(1.0, max(0.0, -uw / uu)) if uu > 1e-18 else 0.0
    px, py, pz = wx + s * ux - t * vx, wy + s * uy - t * vy, wz + s * uz - t * vz
    return float(np.sqrt(px * px + py * py + pz * pz))


@numba.njit(cache=True)
def _spheres(start: FloatArray, end: FloatArray, radius: FloatArray, per_body: bool) -> FloatArray:
    """Bounding spheres (centre and radius) of bodies of capsules (k, c, 3): (k, 4)."""
    n_body, n_capsule = start.shape[0], start.shape[1]
    out = np.empty((n_body, 4))
    for i in range(n_body):
        low, high = np.full(3, np.inf), np.full(3, -np.inf)
        for c in range(n_capsule):
            for axis in range(3):
                low[axis] = min(low[axis], start[i, c, axis], end[i, c, axis])
                high[axis] = max(high[axis], start[i, c, axis], end[i, c, axis])
        reach = 0.0
        for axis in range(3):
            out[i, axis] = 0.5 * (low[axis] + high[axis])
        for c in range(n_capsule):
            r = radius[i, c] if per_body else radius[0, c]
            a, b = 0.0, 0.0
            for axis in range(3):
                a += (start[i, c, axis] - out[i, axis]) ** 2
                b += (end[i, c, axis] - out[i, axis]) ** 2
            reach = max(reach, np.sqrt(max(a, b)) + r)
        out[i, 3] = reach
    return out


@numba.njit(cache=True)
def _nearest(
    start: FloatArray, end: FloatArray, radius: FloatArray, present: BoolArray,
    link_start: FloatArray, link_end: FloatArray, link_radius: FloatArray,
) -> tuple[FloatArray, IntArray]:  # fmt: skip
    n_person, n_part, n_machine, n_link = start.shape[0], start.shape[1], link_start.shape[0], link_start.shape[1]
    distance, who = np.full(n_machine, np.inf), np.full(n_machine, -1, np.int64)
    bodies = _spheres(start, end, radius, True)
    arms = _spheres(link_start, link_end, link_radius.reshape((1, n_link)), False)
    middle, half = np.empty((n_link, 3)), np.empty(n_link)
    for m in range(n_machine):
        for j in range(n_link):
            square = 0.0
            for axis in range(3):
                middle[j, axis] = 0.5 * (link_start[m, j, axis] + link_end[m, j, axis])
                square += (link_end[m, j, axis] - link_start[m, j, axis]) ** 2
            half[j] = 0.5 * np.sqrt(square) + link_radius[j]
        bound = np.full(n_person, np.inf)
        for p in range(n_person):
            if present[p]:
                gap = 0.0
                for axis in range(3):
                    gap += (bodies[p, axis] - arms[m, axis]) ** 2
                bound[p] = np.sqrt(gap) - bodies[p, 3] - arms[m, 3]
        for p in np.argsort(bound, kind="mergesort"):
            if bound[p] >= distance[m]:
                break
            for c in range(n_part):
                mx = 0.5 * (start[p, c, 0] + end[p, c, 0])
                my = 0.5 * (start[p, c, 1] + end[p, c, 1])
                mz = 0.5 * (start[p, c, 2] + end[p, c, 2])
                hx, hy, hz = end[p, c, 0] - start[p, c, 0], end[p, c, 1] - start[p, c, 1], end[p, c, 2] - start[p, c, 2]
                reach = 0.5 * np.sqrt(hx * hx + hy * hy + hz * hz) + radius[p, c]
                far = distance[m] + reach + arms[m, 3] + _ROUNDING_M
                if (mx - arms[m, 0]) ** 2 + (my - arms[m, 1]) ** 2 + (mz - arms[m, 2]) ** 2 >= far * far and far > 0.0:
                    continue
                for j in range(n_link):
                    # Spheres about both: farther apart than what is known, so is what they hold.
                    far = distance[m] + reach + half[j] + _ROUNDING_M
                    square = (mx - middle[j, 0]) ** 2 + (my - middle[j, 1]) ** 2 + (mz - middle[j, 2]) ** 2
                    if far > 0.0 and square >= far * far:
                        continue
                    gap = segment_distance_m(
                        start[p, c, 0], start[p, c, 1], start[p, c, 2], end[p, c, 0], end[p, c, 1], end[p, c, 2],
                        link_start[m, j, 0], link_start[m, j, 1], link_start[m, j, 2],
                        link_end[m, j, 0], link_end[m, j, 1], link_end[m, j, 2],
                    ) - radius[p, c] - link_radius[j]  # fmt: skip
                    if gap < distance[m]:
                        distance[m], who[m] = gap, p
    return distance, who


def nearest_person(
    capsule_start_m: FloatArray,
    capsule_end_m: FloatArray,
    capsule_radius_m: FloatArray,
    present: BoolArray,
    link_start_m: FloatArray,
    link_end_m: FloatArray,
    link_radius_m: FloatArray,
) -> tuple[FloatArray, IntArray]:
    """Distance from each machine's surface to the nearest person's, and who that is.

    Parameters
    ----------
    capsule_start_m, capsule_end_m : (k, c, 3) ends of the people's capsules [m].
    capsule_radius_m : (k, c) [m].
    present : (k,) whether somebody is there.
    link_start_m, link_end_m : (m, l, 3) ends of the machines' capsules [m].
    link_radius_m : (l,) [m].

    Returns
    -------
    separation_m : (m,) smallest distance, negative where capsules overlap, inf where nobody is present [m].
    person : (m,) index of the nearest person, -1 for none.
    """
    distance, who = _nearest(capsule_start_m, capsule_end_m, capsule_radius_m, present, link_start_m, link_end_m, link_radius_m)
    return distance, who
