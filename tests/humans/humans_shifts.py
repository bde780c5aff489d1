"""A small hall with a gate, and people with shifts, for the tests of shifts."""

from __future__ import annotations

import copy
from typing import Any

from humans_hall import floor_with

from humans.config import PeopleConfig
from humans.types import WalkSpace

_PEOPLE: dict[str, Any] = {
    "panels": 1,
    "stations": [
        {"name": "gate", "position_m": (1.0, 6.0), "facing_deg": 0, "kind": "gate"},
        {"name": "bench-1", "position_m": (8, 2), "kind": "cell"},
        {"name": "bench-2", "position_m": (14, 2), "kind": "cell"},
        {"name": "bay-1", "position_m": (8, 10), "kind": "rack"},
        {"name": "bay-2", "position_m": (14, 10), "kind": "rack"},
        {"name": "desk", "position_m": (18, 6), "kind": "desk"},
        {"name": "coffee", "position_m": (4, 10), "kind": "break"},
    ],
    "roles": [
        {"name": "operator", "stations": ["cell"], "carries_panel": True},
        {"name": "picker", "stations": ["rack"], "dwell_mean_s": 17.2},
        {"name": "cleaner", "stations": ["cell", "rack"]},
        {"name": "visitor", "stations": ["cell", "rack", "desk"]},
    ],
    "shift": {
        "starts_at": "05:58",
        "tasks": [
            {"name": "assemble", "station_kinds": ["cell"], "duration_mean_s": 60, "effort": 0.05, "weight": 3},
            {"name": "inspect", "stations": ["desk"], "duration_mean_s": 30},
            {"name": "sweep", "stations": ["bench-1", "bay-1", "bay-2"], "visit": "in_order", "duration_mean_s": 20},
        ],
        "crews": [
            {"name": "early", "role": "operator", "people": 2, "starts_at": "06:00", "ends_at": "06:30", "early_mean_min": 1,
             "early_sd_min": 0.3, "tasks": ["assemble"], "breaks": ["06:10-06:15"]},
        ],
    },
}  # fmt: skip


def shift_hall() -> WalkSpace:
    """Return the hall: 20 m x 12 m with a rack in the middle."""
    return floor_with((20, 12), [(11, 6, 4, 1, 0)], ("rack-a",))


def shift_people(shift: dict[str, Any] | None = None, crew: dict[str, Any] | None = None, **changes: Any) -> PeopleConfig:
    """Return the people, with the shift and its first crew changed."""
    return PeopleConfig.model_validate(shift_section(shift, crew, **changes))


def shift_section(shift: dict[str, Any] | None = None, crew: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return the people section as it stands in a scenario."""
    people = copy.deepcopy(_PEOPLE)
    people["shift"].update(shift or {})
    if crew:
        people["shift"]["crews"][0].update(crew)
    people.update(changes)
    return people
