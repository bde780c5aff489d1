"""The room of THOR, walked by the twin's own people: what is compared with the recorded ones."""

from __future__ import annotations

from functools import cache

import numpy as np

from factory.validate.motion_tracks import STEP_S, Floats, Walk
from humans.body import PART_NAMES
from humans.config import PeopleConfig, RoleConfig
from humans.sources import create_crowd
from humans.types import Occupancy, PeopleState, WalkSpace

_TICK_US = 20_000
_SEEN_S = 200.0  # as long as THOR's people were seen in one piece, in the median
_WARM_S = 60.0
_HEAD = PART_NAMES.index("head")
SWAY_SEEN = 0.6
"""Sway of THOR's markers over the sway of our heads: fitted, for that recording sways less than others do."""
# Where recorded workers and visitors stayed, from persons 2, 4 and 7, moved so that the room's corner is the origin [m].
WORKER_PLACES = ((8.5, 4.3), (6.0, 11.0), (10.4, 15.3), (10.2, 11.8))
VISITOR_PLACES = ((7.0, 3.8), (1.3, 1.7), (10.5, 15.0), (9.3, 12.2), (12.0, 10.6), (5.2, 8.0))
GATES = ((12.5, 8.0),)
ROOM_M = (13.5, 17.0)
# Half a group in the room on average, seven minutes each: like THOR, where two to five visitors are seen at once.
_TOUR = {"group_size_mean": 3.0, "stops": 25, "stop_mean_min": 0.3}


def room_people(tours: bool) -> PeopleConfig:
    """Return two workers and three visitors who go about alone; with ``tours``, visitors who come in groups, as on a shift."""
    stations = [
        {"name": f"{kind}-{k}", "position_m": place, "kind": kind, "facing_deg": 0.0}
        for kind, places in (("cell", WORKER_PLACES), ("desk", VISITOR_PLACES), ("gate", GATES))
        for k, place in enumerate(places)
    ]
    worker, visitor = room_roles()
    people = {"count": 5, "panels": 0, "stations": stations, "roles": (worker, visitor)}
    if tours:
        people["shift"] = {
            "starts_at": "08:00",
            "crews": [{"name": "crew", "people": 2, "role": worker.name, "starts_at": "07:00", "ends_at": "16:00"}],
            "visitors": [{"name": "tour", "role": visitor.name, "groups_per_h": {7: 4, 8: 4}, **_TOUR}],
        }
    return PeopleConfig.model_validate(people)


def room_roles() -> tuple[RoleConfig, RoleConfig]:
    """Return the default picker and supervisor, as workers and visitors of that room."""
    by_name = {role.name: role for role in PeopleConfig().roles}
    worker = by_name["picker"].model_copy(update={"name": "WORKER", "share": 0.4, "stations": ("cell",), "reach_per_min": 0.0})
    visitor = by_name["supervisor"].model_copy(
        update={
            "name": "VISITOR",
            "share": 0.6,
            "stations": ("desk",),
            "carries_panel": False,
            "dwell_mean_s": 6.5,
            "dwell_cv": 0.9,
        }
    )
    return worker, visitor


def _markers(people: PeopleState) -> Floats:
    """Return where a helmet's markers are seen, (n, 2) [m]."""
    head = 0.5 * (people.capsule_a[:, _HEAD, :2] + people.capsule_b[:, _HEAD, :2])
    seen: Floats = people.position_m + SWAY_SEEN * (head - people.position_m)
    return seen


@cache
def walks_of_twin(seed: int, minutes: float, tours: bool = False) -> tuple[Walk, ...]:
    """Walk the room and return what was seen every 0.4 s, in pieces of 200 s.

    Parameters
    ----------
    seed : of everything that is drawn.
    minutes : how long.
    tours : whether visitors come in groups.
    """
    space = WalkSpace(np.array(ROOM_M), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0), ())
    config = room_people(tours)
    crowd = create_crowd(config, space, np.random.default_rng((1605, seed)), None)
    nobody = Occupancy.empty()
    seen, there, role = [], [], crowd.state().role
    every = round(STEP_S * 1e6)
    for now in range(_TICK_US, round((60.0 * minutes + _WARM_S) * 1e6) + 1, _TICK_US):
        crowd.step(now, _TICK_US, nobody)
        if now % every == 0 and now > _WARM_S * 1e6:
            people = crowd.state()
            seen.append(_markers(people))
            there.append(people.present)
    xy, present = np.array(seen), np.array(there)
    piece = round(_SEEN_S / STEP_S)
    walks = []
    for first in range(0, len(xy) - piece + 1, piece):
        time_s: Floats = STEP_S * np.arange(first, first + piece, dtype=np.float64)
        inside = present[first : first + piece]
        for i in np.flatnonzero(inside.any(axis=0)):
            name = config.roles[role[i]].name
            seen_step = inside[1:, i] & inside[:-1, i]
            walks.append(Walk(int(i), name, f"{seed}-{first}", time_s, np.round(xy[first : first + piece, i], 3), seen_step))
    return tuple(walks)
