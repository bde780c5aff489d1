"""The fitted numbers of the forecast, and the scale that they are kept in.

``forecast_numbers.npz`` beside this file is written by ``factory.validate.forecast_fit`` from recorded tracks: THOR (Rudenko
2020, persons 2, 4 and 7), DUT (Yang 2019), HERMES (Juelich 2009) and ZARA01
(Lerner 2007). It holds sums of many windows, no track.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from humans.forecast_trees import Trees
from humans.types import FloatArray

NUMBERS_FILE = Path(__file__).with_name("forecast_numbers.npz")
KNOTS_S = (0.2, 0.4, 0.8, 1.2, 1.6, 2.0)
"""Horizons that are fitted; between them forecasts are linear [s]."""
KNOTS = len(KNOTS_S)
UNIT_M = tuple(0.03 + 0.15 * h for h in KNOTS_S)
"""What one unit of a fitted residual is at each knot [m]."""
MODES = ("go on", "stop", "turn left", "turn right", "set off")
"""What a person may do within two seconds; "stop" includes to stay, "set off" to speed up."""
GO_ON, STOP, TURN_LEFT, TURN_RIGHT, SET_OFF = range(5)
CLEAN_M = 0.012
"""Noise of a position up to which it counts as clean [m]."""
PARTS = 2
"""Gaussians per mode: a narrow and a wide one."""
SPEED_EDGES_MPS = (0.15, 0.5, 0.9, 1.3)
"""Upper edges of the speed bins but the last."""
SPEED_BINS = len(SPEED_EDGES_MPS) + 1
LEVELS = (0.25, 0.5, 0.75, 0.9, 0.97)
"""Probabilities whose regions are calibrated."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What was fitted; residuals are from the trees' point, along and across, in units of ``UNIT_M`` times the fitted scale.

    Attributes
    ----------
    point, noisy : trees for the single forecast, an offset from the straight line: for clean poses, and above ``CLEAN_M``
        of noise.
    scale, mode : trees for the log scale of what is left, and for the modes' log odds.
    part_weight : (modes, PARTS) share of each part.
    part_mean : (modes, PARTS, 2 KNOTS) mean residual.
    part_root : (modes, PARTS, 2 KNOTS, 2 KNOTS) Cholesky factor of its covariance: joint over all horizons.
    radius : (speed bins, KNOTS, levels) radius within which that share of the recorded residuals lay.
    drawn_radius : the same of residuals drawn from the parts.
    """

    point: Trees
    noisy: Trees
    scale: Trees
    mode: Trees
    part_weight: FloatArray
    part_mean: FloatArray
    part_root: FloatArray
    radius: FloatArray
    drawn_radius: FloatArray

    @property
    def second_moment(self) -> FloatArray:
        """(modes, 2 KNOTS) mean squared residual of each mode."""
        squares = self.part_mean**2 + (self.part_root**2).sum(axis=-1)
        moment: FloatArray = (self.part_weight[..., None] * squares).sum(axis=1)
        return moment

    @property
    def mode_mean(self) -> FloatArray:
        """(modes, 2 KNOTS) mean residual of each mode."""
        mean: FloatArray = (self.part_weight[..., None] * self.part_mean).sum(axis=1)
        return mean


def save_numbers(path: Path, numbers: Numbers) -> None:
    """Write numbers, small: leaves and thresholds in single precision."""
    out: dict[str, np.ndarray] = {}
    for name in ("point", "noisy", "scale", "mode"):
        trees: Trees = getattr(numbers, name)
        out[f"{name}_feature"] = trees.feature.astype(np.uint8)
        out[f"{name}_threshold"] = trees.threshold.astype(np.float32)
        out[f"{name}_leaf"] = trees.leaf.astype(np.float16)
        out[f"{name}_start"] = trees.start.astype(np.float32)
    for name in ("part_weight", "part_mean", "part_root", "radius", "drawn_radius"):
        out[name] = getattr(numbers, name).astype(np.float32)
    np.savez_compressed(path, **out)  # type: ignore[arg-type]


def load_numbers(path: Path) -> Numbers:
    """Read numbers from a file."""
    with np.load(path) as kept:
        trees: dict[str, Any] = {
            name: Trees(
                kept[f"{name}_feature"].astype(np.int64),
                kept[f"{name}_threshold"].astype(np.float64),
                kept[f"{name}_leaf"].astype(np.float64),
                kept[f"{name}_start"].astype(np.float64),
            )
            for name in ("point", "noisy", "scale", "mode")
        }
        rest: dict[str, Any] = {
            n: kept[n].astype(np.float64) for n in ("part_weight", "part_mean", "part_root", "radius", "drawn_radius")
        }
    return Numbers(**trees, **rest)


@cache
def fitted_numbers() -> Numbers:
    """Return the numbers that are shipped."""
    return load_numbers(NUMBERS_FILE)
