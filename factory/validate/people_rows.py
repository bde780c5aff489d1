"""Gait, the body's screen and protective separation beside their references."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from factory.snapshot import person_blockers
from factory.validate.rows import Row
from factory.validate.walker import HUMAN_SCREEN_M, STATURE_M, walker
from humans.gait import cadence_per_min, step_length_m
from robots.safety import protective_separation_m


def people_rows() -> Iterator[Row]:
    """Return rows on steps, and on how wide and high a person is for the radio."""
    speed = np.array([1.588])
    step, cadence = float(step_length_m(speed)[0]), float(cadence_per_min(speed)[0])
    recorded, ratio = "CMU motion capture, one adult", "walk ratio 0.0065 m min, Sekiya 1996"
    yield Row("Walking", "step length at 1.588 m/s", step, 0.781, "m", 0.02, recorded)
    yield Row("Walking", "step length at 1.588 m/s", step, 0.787, "m", 0.0005, ratio)
    yield Row("Walking", "step length times cadence at 1.588 m/s", step * cadence / 60, 1.588, "m/s", 1e-6, "definition")
    screens = person_blockers(walker(5.0, 5.0, 0.0, 0.0, 0.0), "model_b")
    trunk = int(np.flatnonzero(screens.part == 0)[0])
    side = np.linspace(0.0, 2 * math.pi, 3600, endpoint=False)
    depth, breadth = screens.half_width_m[trunk]
    width = float(np.mean(2 * np.hypot(depth * np.cos(side), breadth * np.sin(side))))
    source = "TR 38.901 table 7.6.4.2-5"
    yield Row("A person's screen", f"mean width over all sides at {STATURE_M:g} m", width, HUMAN_SCREEN_M[0], "m", 0.02, source)
    height = float(screens.end_m[trunk, 2] - screens.start_m[trunk, 2])
    yield Row("A person's screen", f"height at {STATURE_M:g} m", height, HUMAN_SCREEN_M[1], "m", 0.01, source)


def safety_rows() -> Iterator[Row]:
    """Protective separation distance, and what the radio's delay adds."""
    source = "ISO/TS 15066 5.5.4.2.3, worked by hand"
    distance = protective_separation_m(1.6, 1.5, 0.1, 0.5, 0.85, 0.1)
    yield Row("Protective separation", "Tr 0.1 s, Ts 0.5 s, 1.5 m/s, C 0.85 m, Z 0.1 m", distance, 2.4, "m", 0.05, source)
    later = protective_separation_m(1.6, 1.5, 0.2, 0.5, 0.85, 0.1)
    yield Row("Protective separation", "100 ms of delay more", later - distance, 0.31, "m", 0.001, "1.6 m/s + 1.5 m/s")
