"""From poses to what the radio sees: one frozen scene a tick.

Owners of screens are numbered people first, then AGVs, then cobots; UEs are numbered AGVs, cobots, hand-held panels.
The same functions make the scene of now and the scenes that a forecast expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from humans.body import PART_NAMES
from humans.types import PeopleState
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE, Blockers, Ues
from robots.state import AgvState

BlockageModel = Literal["silhouette", "model_b"]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_TRUNK_WORDS = ("head", "trunk", "pelvis")
LIMBS = tuple(i for i, name in enumerate(PART_NAMES) if not any(word in name for word in _TRUNK_WORDS))


def _spoken(part: str) -> str:
    """Turn forearm_right into right forearm."""
    name, _, side = part.rpartition("_")
    return f"{side} {name.replace('_', ' ')}" if side in ("left", "right") else part


LOAD_PART = "carried box"
SCREEN_PARTS = ("trunk", *(_spoken(PART_NAMES[i]) for i in LIMBS), LOAD_PART)
"""Parts of a person as the screens of model B: the trunk with the head, then each limb capsule, then a box in the hands."""
CAPSULE_PARTS = (*("trunk" if "trunk" in name or name == "pelvis" else _spoken(name) for name in PART_NAMES), LOAD_PART)
"""Parts of a person as a silhouette: the body's capsules, those of the torso by one name, then a box in the hands."""
AGV_PARTS = ("body", "load")

_NO_XY, _NO_AGV, _NO_LINKS = np.empty((0, 2)), np.empty(0), np.empty((0, 0, 3))
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
def _fill_capsules(present, cap_a, cap_b, cap_r, start, end, half, yaw, shape, owner, part):  # type: ignore[no-untyped-def]
    row = 0
    for i in range(present.shape[0]):
        if not present[i]:
            continue
        for k in range(cap_r.shape[1]):
            for axis in range(3):
                start[row, axis] = cap_a[i, k, axis]
                end[row, axis] = cap_b[i, k, axis]
            half[row, 0] = cap_r[i, k]
            half[row, 1] = cap_r[i, k]
            yaw[row] = 0.0
            shape[row] = SHAPE_CAPSULE
            owner[row] = i
            part[row] = k
            row += 1
    return row


@njit(cache=True)
def _fill_screens(  # type: ignore[no-untyped-def]
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
def _fill_loads(  # type: ignore[no-untyped-def]
    row, part_number, holder, present, heading, center, extent, start, end, half, yaw, shape, owner, part
):
    for k in range(holder.shape[0]):
        i = holder[k]
        if not present[i]:
            continue
        for axis in range(3):
            start[row, axis] = center[k, axis]
            end[row, axis] = center[k, axis]
        start[row, 2] -= extent[k, 2]
        end[row, 2] += extent[k, 2]
        half[row, 0] = extent[k, 0]
        half[row, 1] = extent[k, 1]
        yaw[row] = heading[i]
        shape[row] = SHAPE_RECTANGLE
        owner[row] = i
        part[row] = part_number
        row += 1
    return row


@njit(cache=True)
def _fill_machines(  # type: ignore[no-untyped-def]
    row, first, agv_xy, agv_yaw, agv_half, agv_deck, agv_load, whole, link_a, link_b, link_r,
    start, end, half, yaw, shape, owner, part,
):  # fmt: skip
    n = agv_xy.shape[0]
    for i in range(n):
        # One box up to the load's top, or body and load each for itself.
        for k in range(1 if whole or agv_load[i] <= 0.0 else 2):
            for axis in range(2):
                start[row, axis] = agv_xy[i, axis]
                end[row, axis] = agv_xy[i, axis]
            start[row, 2] = agv_deck * k
            end[row, 2] = agv_deck + agv_load[i] if whole or k == 1 else agv_deck
            half[row, 0] = agv_half[i, 0]
            half[row, 1] = agv_half[i, 1]
            yaw[row] = agv_yaw[i]
            shape[row] = SHAPE_RECTANGLE
            owner[row] = first + i
            part[row] = k
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


@njit(cache=True)
def _fill(  # type: ignore[no-untyped-def]
    whole, present, position, heading, stature, cap_a, cap_b, cap_r, limbs, head, load_holder, load_center, load_half,
    agv_xy, agv_yaw, agv_half, agv_deck, agv_load, link_a, link_b, link_r,
    start, end, half, yaw, shape, owner, part,
):  # fmt: skip
    """Write the bodies of people, AGVs and cobots; the number of rows. ``whole``: one screen per part, as model B takes them."""
    if whole:
        row = _fill_screens(
            present, position, heading, stature, cap_a, cap_b, cap_r, limbs, head, start, end, half, yaw, shape, owner, part
        )
    else:
        row = _fill_capsules(present, cap_a, cap_b, cap_r, start, end, half, yaw, shape, owner, part)
    load_part = limbs.shape[0] + 1 if whole else cap_r.shape[1]
    row = _fill_loads(
        row, load_part, load_holder, present, heading, load_center, load_half, start, end, half, yaw, shape, owner, part
    )
    return _fill_machines(
        row, present.shape[0], agv_xy, agv_yaw, agv_half, agv_deck, agv_load, whole, link_a, link_b, link_r,
        start, end, half, yaw, shape, owner, part,
    )  # fmt: skip


@njit(cache=True)
def _fill_ues(  # type: ignore[no-untyped-def]
    agv_antenna, agv_yaw, cobot_antenna, cobot_yaw, panel, holder, heading, position, yaw
) -> None:
    n, m = agv_antenna.shape[0], cobot_antenna.shape[0]
    for i in range(n):
        position[i], yaw[i] = agv_antenna[i], agv_yaw[i]
    for j in range(m):
        position[n + j], yaw[n + j] = cobot_antenna[j], cobot_yaw[j]
    for k in range(panel.shape[0]):
        position[n + m + k], yaw[n + m + k] = panel[k], heading[holder[k]]


@lru_cache(maxsize=64)
def _ue_owner(n_people: int, n_agv: int, n_rest: int) -> Ints:
    owner = np.full(n_agv + n_rest, -1, np.int64)
    owner[:n_agv] = n_people + np.arange(n_agv)
    return owner


def _empty(rows: int) -> tuple[Floats, Floats, Floats, Floats, Ints, Ints, Ints]:
    floats = np.empty((rows, 3)), np.empty((rows, 3)), np.empty((rows, 2)), np.empty(rows)
    return *floats, np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int64)


def blockers_of(
    people: PeopleState, agvs: AgvState | None, links: CobotLinks | None, model: BlockageModel = "silhouette"
) -> Blockers:
    """Bodies of people and machines as the radio takes them.

    Parameters
    ----------
    people : poses; absent people have no body.
    agvs : AGV poses with load heights [m], None for none.
    links : cobot link capsules, None for none.
    model : what the radio makes of them. For ``silhouette`` a person is the twelve capsules of the body and an upright box where
        one is carried (``part`` indexes :data:`CAPSULE_PARTS`), and an AGV two upright boxes, body and load (:data:`AGV_PARTS`).
        ``model_b`` knows one screen per part and counts an owner's largest: there a person's trunk is one upright ellipse from
        floor to head beside the limbs and a carried box (:data:`SCREEN_PARTS`), and an AGV one box. A cobot is one capsule per
        link for both.
    """
    n_agv = 0 if agvs is None else agvs.position_m.shape[0]
    n_cobot, n_link = (0, 0) if links is None else links.start_m.shape[:2]
    n_people, n_part = people.capsule_radius_m.shape
    arrays = _empty(n_people * n_part + people.load_holder.shape[0] + 2 * n_agv + n_cobot * n_link)
    if agvs is None:
        vehicles: tuple[Floats, Floats, Floats, float, Floats] = (_NO_XY, _NO_AGV, _NO_XY, 0.0, _NO_AGV)
    else:
        vehicles = (agvs.position_m, agvs.heading_rad, agvs.half_extent_m, agvs.body_height_m, agvs.load_height_m)
    arms = (_NO_LINKS, _NO_LINKS, _NO_AGV) if links is None else (links.start_m, links.end_m, links.radius_m)
    row = _fill(
        model != "silhouette", people.present, people.position_m, people.heading_rad, people.stature_m,
        people.capsule_a, people.capsule_b, people.capsule_radius_m, _LIMB_INDEX, _HEAD,
        people.load_holder, people.load_center_m, people.load_half_m, *vehicles, *arms, *arrays,
    )  # fmt: skip
    start, end, half, yaw, shape, owner, part = arrays
    return Blockers(start[:row], end[:row], half[:row], yaw[:row], shape[:row], owner[:row], part[:row])


def person_parts(model: BlockageModel) -> tuple[str, ...]:
    """Names of a person's parts as ``blockers_of`` numbers them."""
    return CAPSULE_PARTS if model == "silhouette" else SCREEN_PARTS


def person_blockers(people: PeopleState, model: BlockageModel = "silhouette") -> Blockers:
    """Bodies of people alone, see :func:`blockers_of`."""
    return blockers_of(people, None, None, model)


def ues_of(people: PeopleState, agvs: AgvState, cobot_antenna_m: Floats, cobot_yaw_rad: Floats) -> Ues:
    """Antennas of AGVs, cobots and hand-held panels.

    An AGV's antenna stands on a post behind the load; the shadow of its own body and load is not modelled, that of the other
    AGVs is. The holder of a panel does block it (self-blockage). A cobot's antenna stands on a post beside it, so the arm
    blocks it like any other body.
    """
    n_agv, n_rest = agvs.position_m.shape[0], cobot_antenna_m.shape[0] + people.panel_holder.shape[0]
    position, yaw = np.empty((n_agv + n_rest, 3)), np.empty(n_agv + n_rest)
    _fill_ues(
        agvs.antenna_m, agvs.heading_rad, cobot_antenna_m, cobot_yaw_rad, people.panel_position_m, people.panel_holder,
        people.heading_rad, position, yaw,
    )  # fmt: skip
    return Ues(position, yaw, _ue_owner(people.present.shape[0], n_agv, n_rest))


def device_names(n_agv: int, cobot_names: tuple[str, ...], n_panel: int) -> tuple[str, ...]:
    """Names of UEs in the order of :func:`ues_of`."""
    return (*(f"agv-{i + 1:02d}" for i in range(n_agv)), *cobot_names, *(f"panel-{i + 1}" for i in range(n_panel)))
