"""What a mapping can feed and read: the twin's variables, by name and unit.

Names are ``<group>.<asset>.<quantity>``. Whoever composes the twin says which assets a hall has
(:func:`twin_variables`); nothing here knows a hall.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

__all__ = ["UNITS", "TwinVariable", "closest", "twin_variables"]

UNITS: dict[str, dict[str, float]] = {
    "angle": {"rad": 1.0, "deg": math.pi / 180.0},
    "length": {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "ft": 0.3048, "in": 0.0254},
    "speed": {"m/s": 1.0, "mm/s": 1e-3, "km/h": 1.0 / 3.6, "m/min": 1.0 / 60.0},
    "ratio": {"1": 1.0, "%": 0.01},
    "level": {"dB": 1.0},
    "truth": {"": 1.0},
}
"""Units by dimension, and what one of each is in the twin's own unit, the first of its dimension."""

# KUKA LBR iiwa 7 R800 / 14 R820, data sheet: +-170 deg for the odd axes, +-120 deg for the even ones, +-175 deg for the last.
_JOINT_LIMIT_DEG = (170.0, 120.0, 170.0, 120.0, 170.0, 120.0, 175.0)
_BEYOND_HALL_M = 1.0  # tolerated beyond the walls: the accuracy of a localisation
_FASTEST_MPS = 10.0


@dataclass(frozen=True, slots=True)
class TwinVariable:
    """One number or truth value of the twin.

    Attributes
    ----------
    name : ``agvs.agv-07.x``. asset : ``agv-07``. quantity : ``x``.
    dimension : key of ``UNITS``. low, high : values outside cannot be true, in the twin's own unit.
    way : ``in`` for what plants tell the twin, ``out`` for what the twin advises.
    """

    name: str
    asset: str
    quantity: str
    dimension: str
    low: float
    high: float
    way: Literal["in", "out"] = "in"

    @property
    def unit(self) -> str:
        """The twin's own unit."""
        return next(iter(UNITS[self.dimension]))


def twin_variables(
    agvs: Sequence[str],
    cobots: Sequence[str],
    machines: Sequence[str],
    devices: Sequence[str],
    services: Sequence[str],
    hall_size_m: tuple[float, float],
) -> dict[str, TwinVariable]:
    """Return every variable of a hall by its name.

    Parameters
    ----------
    agvs, cobots, machines : names; machines are what stands in the hall beside them, for example presses.
    devices : names of all that have a radio link. services : names of the communication services.
    hall_size_m : length and width of the hall [m].
    """
    found: list[TwinVariable] = []
    for name in agvs:
        group = f"agvs.{name}"
        found += [
            TwinVariable(f"{group}.x", name, "x", "length", -_BEYOND_HALL_M, hall_size_m[0] + _BEYOND_HALL_M),
            TwinVariable(f"{group}.y", name, "y", "length", -_BEYOND_HALL_M, hall_size_m[1] + _BEYOND_HALL_M),
            TwinVariable(f"{group}.heading", name, "heading", "angle", -4 * math.pi, 4 * math.pi),
            TwinVariable(f"{group}.speed", name, "speed", "speed", -_FASTEST_MPS, _FASTEST_MPS),
            TwinVariable(f"{group}.battery", name, "battery", "ratio", 0.0, 1.0),
        ]
    for name in cobots:
        for axis, limit_deg in enumerate(_JOINT_LIMIT_DEG, start=1):
            limit = math.radians(limit_deg)
            found.append(TwinVariable(f"cobots.{name}.joint_{axis}", name, f"joint_{axis}", "angle", -limit, limit))
    for name in (*agvs, *cobots, *machines):
        found.append(TwinVariable(f"machines.{name}.running", name, "running", "truth", 0.0, 1.0))
    for name in devices:
        found += [
            TwinVariable(f"links.{name}.risk", name, "risk", "ratio", 0.0, 1.0, "out"),
            TwinVariable(f"links.{name}.margin", name, "margin", "level", -300.0, 300.0, "out"),
        ]
    found += [TwinVariable(f"services.{name}.up", name, "up", "truth", 0.0, 1.0, "out") for name in services]
    return {variable.name: variable for variable in found}


def closest(name: str, known: Iterable[str]) -> str:
    """Say what somebody may have meant by a name that is unknown, as the end of a sentence."""
    names = list(known)
    if not names:
        return "there are none"
    near = get_close_matches(name, names, 3, 0.6)
    if near:
        return f"did you mean {' or '.join(repr(n) for n in near)}?"
    alike = [n for n in names if n.split(".")[0] == name.split(".")[0]] or names
    return f"there are {', '.join(alike[:6])}" + (", ..." if len(alike) > 6 else "")
