"""What the page needs beside a view: the hall that stands still, and, for the safety role alone, where people are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PeopleView", "SceneView"]


@dataclass(frozen=True, slots=True)
class SceneView:
    """The hall without anything that moves.

    Attributes
    ----------
    size_m : length (x), width (y) and height (z) [m].
    boxes : (name, kind, x [m], y [m], length [m], width [m], height [m], yaw [rad]) of every rack, cell, machine and wall.
    zones : (name, x from, x to, y from, y to [m]).
    trps : (name, x, y, z [m], boresight counter-clockwise from +x [rad]).
    agv_size_m : length and width of an AGV [m].
    policies : names that ``set_policy`` takes.
    knobs : (key, words, present value, least, most, step) of numbers of the scenario that a what-if may ask about.
    movable : whether a what-if may move TRPs and boxes, which are numbered as in the scenario.
    """

    size_m: tuple[float, float, float]
    boxes: tuple[tuple[str, str, float, float, float, float, float, float], ...] = ()
    zones: tuple[tuple[str, float, float, float, float], ...] = ()
    trps: tuple[tuple[str, float, float, float, float], ...] = ()
    agv_size_m: tuple[float, float] = (1.2, 0.8)
    policies: tuple[str, ...] = ()
    knobs: tuple[tuple[str, str, float, float, float, float], ...] = ()
    movable: bool = False

    def to_json_dict(self) -> dict[str, Any]:
        """Return the scene as JSON-safe values."""
        return {
            "size_m": list(self.size_m),
            "boxes": [list(b) for b in self.boxes],
            "zones": [list(z) for z in self.zones],
            "trps": [list(t) for t in self.trps],
            "agv_size_m": list(self.agv_size_m),
            "policies": list(self.policies),
            "knobs": [list(k) for k in self.knobs],
            "movable": self.movable,
        }


@dataclass(frozen=True, slots=True)
class ActingView:
    """What runs the twin now.

    Attributes
    ----------
    policy : name of the acting policy, "" without radio.
    speed : twin time over wall time that was asked for.
    """

    policy: str
    speed: float


@dataclass(frozen=True, slots=True)
class PeopleView:
    """Where people stand, without who they are. It is sent to the safety role and to nobody else, and never kept.

    Attributes
    ----------
    position_m : (n, 2) places on the floor [m].
    """

    position_m: npt.NDArray[np.float64]
