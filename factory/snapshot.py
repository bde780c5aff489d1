"""From poses to what the radio sees: one frozen scene a tick.

Owners of screens are numbered people first, then AGVs, then cobots; UEs are numbered AGVs, cobots, hand-held panels.
The same functions make the scene of now and the scenes that a forecast expects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from humans.body import PART_NAMES
from humans.types import PeopleState
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE, Blockers, Ues
from robots.state import AgvState

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TRUNK_WORDS = ("head", "trunk", "pelvis")
LIMBS = tuple(i for i, name in enumerate(PART_NAMES) if not any(word in name for word in _TRUNK_WORDS))
BLOCKER_PARTS = ("trunk", *(PART_NAMES[i] for i in LIMBS))
"""Parts of a person as screens: the trunk with the head, then each limb capsule."""

_LIMB_INDEX = np.array(LIMBS, dtype=np.int64)
_HEAD = next(i for i, name in enumerate(PART_NAMES) if "head" in name)
# Torso without arms, 0.34 m x 0.24 m at 1.70 m (Drillis & Contini 1966): seen from a random side 0.29 m on average,
# the 0.3 m of the human screen in TR 38.901 table 7.6.4.2-5.
_TRUNK_HALF_BREADTH_PER_STATURE = 0.17 / 1.70
_TRUNK_HALF_DEPTH_PER_STATURE = 0.12 / 1.70


@dataclass(frozen=True, slots=True)
class Scene:
    """What the radio is given for one instant.

    Attributes
    ----------
    time_us : the instant [us].
    blockers : screens of people, AGVs with their loads and cobot links.
    ues : antennas of AGVs, cobots and panels, in this order.
    """

    time_us: int
    blockers: Blockers
    ues: Ues


@dataclass(frozen=True, slots=True)
class CobotLinks:
    """Link capsules of all cobots: ``start_m``, ``end_m`` (M, L, 3) and ``radius_m`` (L,) [m]."""

    start_m: Floats
    end_m: Floats
    radius_m: Floats


@njit(cache=True)
def _fill_people(  # type: ignore[no-untyped-def]
    present, position, heading, stature, cap_a, cap_b, cap_r, limbs, head, start, end, half, yaw, shape, owner, part
):
    row = 0
    for i in range(present.shape[0]):
        if not present[i]:
            continue
        top = max(cap_a[i, head, 2], cap_b[i, head, 2]) + cap_r[i, head]
        for axis in range(2):
            start[row, axis] = position[i, axis]
            end[row, axis] = position[i, axis]
        start[row, 2] = 0.0
        end[row, 2] = top
        half[row, 0] = _TRUNK_HALF_DEPTH_PER_STATURE * stature[i]
        half[row, 1] = _TRUNK_HALF_BREADTH_PER_STATURE * stature[i]
        yaw[row] = heading[i]
        shape[row] = SHAPE_ELLIPSE
        owner[row] = i
        part[row] = 0
        row += 1
        for k in range(limbs.shape[0]):
            c = limbs[k]
            for axis in range(3):
                start[row, axis] = cap_a[i, c, axis]
                end[row, axis] = cap_b[i, c, axis]
            half[row, 0] = cap_r[i, c]
            half[row, 1] = cap_r[i, c]
            yaw[row] = 0.0
            shape[row] = SHAPE_CAPSULE
            owner[row] = i
            part[row] = k + 1
            row += 1
    return row


@njit(cache=True)
def _fill_machines(  # type: ignore[no-untyped-def]
    row, first, agv_xy, agv_yaw, agv_half, agv_top, link_a, link_b, link_r, start, end, half, yaw, shape, owner, part
):
    n = agv_xy.shape[0]
    for i in range(n):
        for axis in range(2):
            start[row, axis] = agv_xy[i, axis]
            end[row, axis] = agv_xy[i, axis]
        start[row, 2] = 0.0
        end[row, 2] = agv_top[i]
        half[row, 0] = agv_half[i, 0]
        half[row, 1] = agv_half[i, 1]
        yaw[row] = agv_yaw[i]
        shape[row] = SHAPE_RECTANGLE
        owner[row] = first + i
        part[row] = 0
        row += 1
    for j in range(link_a.shape[0]):
        for k in range(link_a.shape[1]):
            for axis in range(3):
                start[row, axis] = link_a[j, k, axis]
                end[row, axis] = link_b[j, k, axis]
            half[row, 0] = link_r[k]
            half[row, 1] = link_r[k]
            yaw[row] = 0.0
            shape[row] = SHAPE_CAPSULE
            owner[row] = first + n + j
            part[row] = k
            row += 1
    return row


def _empty(rows: int) -> tuple[Floats, Floats, Floats, Floats, Ints, Ints, Ints]:
    floats = np.empty((rows, 3)), np.empty((rows, 3)), np.empty((rows, 2)), np.empty(rows)
    return *floats, np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)


def blockers_of(people: PeopleState, agvs: AgvState | None, links: CobotLinks | None) -> Blockers:
    """Screens of people and machines.

    Parameters
    ----------
    people : poses; absent people have no screen.
    agvs : AGV poses with load heights [m], None for none.
    links : cobot link capsules, None for none.

    Returns
    -------
    Blockers
        A person is a vertical ellipse (trunk, floor to head) and one capsule per limb segment, an AGV one
        vertical box up to its load, a cobot one capsule per link. ``part`` indexes :data:`BLOCKER_PARTS` for people.
    """
    n_agv = 0 if agvs is None else agvs.position_m.shape[0]
    n_cobot, n_link = (0, 0) if links is None else links.start_m.shape[:2]
    n_people = people.present.shape[0]
    arrays = _empty(n_people * (1 + len(LIMBS)) + n_agv + n_cobot * n_link)
    row = _fill_people(
        people.present,
        people.position_m,
        people.heading_rad,
        people.stature_m,
        people.capsule_a,
        people.capsule_b,
        people.capsule_radius_m,
        _LIMB_INDEX,
        _HEAD,
        *arrays,
    )
    row = _fill_machines(
        row,
        n_people,
        np.empty((0, 2)) if agvs is None else agvs.position_m,
        np.empty(0) if agvs is None else agvs.heading_rad,
        np.empty((0, 2)) if agvs is None else agvs.half_extent_m,
        np.empty(0) if agvs is None else agvs.body_height_m + agvs.load_height_m,
        np.empty((0, 0, 3)) if links is None else links.start_m,
        np.empty((0, 0, 3)) if links is None else links.end_m,
        np.empty(0) if links is None else links.radius_m,
        *arrays,
    )
    start, end, half, yaw, shape, owner, part = arrays
    return Blockers(start[:row], end[:row], half[:row], yaw[:row], shape[:row], owner[:row], part[:row])


def person_blockers(people: PeopleState) -> Blockers:
    """Screens of people alone, see :func:`blockers_of`."""
    return blockers_of(people, None, None)


def ues_of(people: PeopleState, agvs: AgvState, cobot_antenna_m: Floats, cobot_yaw_rad: Floats) -> Ues:
    """Antennas of AGVs, cobots and hand-held panels.

    An AGV's antenna stands on a post behind the load; the shadow of its own body and load is not modelled, that of the other
    AGVs is. The holder of a panel does block it (self-blockage). A cobot's antenna stands on a post beside it, so the arm
    blocks it like any other body.
    """
    n_agv, n_cobot, n_panel = agvs.position_m.shape[0], cobot_antenna_m.shape[0], people.panel_holder.shape[0]
    owner = np.full(n_agv + n_cobot + n_panel, -1, np.int64)
    owner[:n_agv] = people.present.shape[0] + np.arange(n_agv)
    return Ues(
        position_m=np.concatenate((agvs.antenna_m, cobot_antenna_m, people.panel_position_m)),
        heading_rad=np.concatenate((agvs.heading_rad, cobot_yaw_rad, people.heading_rad[people.panel_holder])),
        owner=owner,
    )


def device_names(n_agv: int, cobot_names: tuple[str, ...], n_panel: int) -> tuple[str, ...]:
    """Names of UEs in the order of :func:`ues_of`."""
    return (*(f"agv-{i + 1:02d}" for i in range(n_agv)), *cobot_names, *(f"panel-{i + 1}" for i in range(n_panel)))
