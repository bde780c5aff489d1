"""Maps of the floor of every variant on one grid: time with a service down, time that AGVs stood blocked, and presence of people.

Sums over the cells are the figures of the table: seconds down as counted of all services, minutes that AGVs stood for `BLOCKING`
causes. Blocked time lies in the cell in which the stop began, which is where the AGV stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.run_folder import Run
from factory.study.compare import Material
from factory.study.measures import BLOCKING

Floats = npt.NDArray[np.float64]

MAPS: dict[str, tuple[str, str]] = {
    "outage_s": ("time with a service down", "s per m² and shift"),
    "blocked_s": ("time that AGVs stood blocked", "s per m² and shift"),
    "people_s": ("presence of people", "s per m² and shift"),
}
"""Maps in the order in which they are told: words, and the unit once they are scaled to a shift of 8 h."""


@dataclass(frozen=True, slots=True)
class FloorMaps:
    """Maps of all variants on one grid.

    Attributes
    ----------
    grids : by map and variant (ny, nx) [s], the mean over the seeds for `Material.minutes`.
    reason : why there are none, "" where there are.
    """

    grids: dict[str, dict[str, Floats]]
    reason: str = ""


def floor_maps(material: Material) -> FloorMaps:
    """Gather the maps of every variant; none where the grids do not fit onto one another."""
    shapes: dict[str, tuple[int, ...]] = {}
    for variant in material.variants:
        for run in variant.runs:
            grids = run.grids()
            if not {"outage_s", "people_s", "cell_m"} <= set(grids):
                return FloorMaps({}, f"{run.path} holds no maps of the floor (grids.npz)")
            shapes.setdefault(variant.name, grids["outage_s"].shape)
            if grids["outage_s"].shape != shapes[variant.name]:
                return FloorMaps({}, f"the runs of {variant.name} have halls of different size")
    if len(set(shapes.values())) > 1:
        sizes = "; ".join(f"{name} {nx} m x {ny} m" for name, (ny, nx) in shapes.items())
        return FloorMaps({}, f"the halls differ in size, so no cell of one is a cell of the other: {sizes}")
    out: dict[str, dict[str, Floats]] = {name: {} for name in MAPS}
    for variant in material.variants:
        sums = {name: np.zeros(shapes[variant.name]) for name in MAPS}
        for run in variant.runs:
            scale = 1.0 if material.paired or not run.kept_s else 60.0 * material.minutes / run.kept_s
            grids = run.grids()
            for name in ("outage_s", "people_s"):
                sums[name] += scale * grids[name]
            sums["blocked_s"] += scale * blocked_s(run, shapes[variant.name])
        for name, total in sums.items():
            out[name][variant.name] = total / len(variant.runs)
    return FloorMaps(out)


def blocked_s(run: Run, shape: tuple[int, ...]) -> Floats:
    """Time that AGVs stood blocked in each cell of 1 m (ny, nx) [s]; stops outside of the hall are put to its edge."""
    stops = run.stops()
    grid = np.zeros(shape)
    if stops.empty:
        return grid
    stops = stops[(stops["kind"] == "agv") & stops["cause"].isin(BLOCKING)]
    x, y = (stops[c].to_numpy(dtype=np.float64) for c in ("x_m", "y_m"))
    cell = (np.clip(np.floor(y), 0, shape[0] - 1).astype(np.int64), np.clip(np.floor(x), 0, shape[1] - 1).astype(np.int64))
    np.add.at(grid, cell, (stops["end_us"] - stops["start_us"]).to_numpy(dtype=np.float64) / 1e6)
    return grid


def table_total_s(material: Material, name: str, variant: str) -> float | None:
    """Give what the table of figures says the cells of a map add up to [s], None where it has no such figure.

    Parameters
    ----------
    material : the runs.
    name : key of `MAPS`.
    variant : name of the variant.
    """
    figures = next(v for v in material.variants if v.name == variant).figures
    if name == "outage_s":
        return float(np.mean([sum(m.value for k, m in f.items() if k.endswith(".down_s")) for f in figures]))
    if name == "blocked_s" and all("minutes.agvs.blocked" in f for f in figures):
        return 60.0 * float(np.mean([f["minutes.agvs.blocked"].value for f in figures]))
    return None
