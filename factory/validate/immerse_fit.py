"""Fit what IMMERSE does not publish to half of its runs: ``python -m factory.validate.immerse_fit``, some minutes.

Differential evolution (Storn and Price 1997) with the same random draws for every candidate, so that the misfit is a function of
the parameters alone: first over the whole ranges with 90 runs of each track, then within a tenth of them around the best with
270. Pedestrians come first, both tracks at once; the AGV's own parameters follow with the geometry held.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.validate.immerse_model import FITTED, Site, traces
from factory.validate.immerse_traces import Shadows, halves, read_traces, recorded_file, shadows

Floats = npt.NDArray[np.float64]

RANGES: Mapping[str, tuple[float, float]] = {
    "trp_height_m": (1.2, 3.0),  # from a tripod to a bracket on the wall
    "ue_height_m": (0.7, 1.6),  # from a table to a tripod
    "link_m": (5.0, 15.0),  # the inside of a laboratory hall
    "crossing_1_m": (0.3, 2.5),  # track 1 casts the deeper shadows: it is the one near the UEs
    "crossing_2_m": (1.0, 7.0),
    "angle_1_deg": (60.0, 90.0),
    "angle_2_deg": (60.0, 90.0),
    "speed_mps": (1.1, 1.6),  # adults at ease, Bohannon 1997: 1.27 to 1.46 m/s
    "speed_sd_mps": (0.03, 0.25),
    "remainder_db": (15.0, 35.0),  # TR 38.901 InF: K = 7 +- 8 dB, and two beams' gain on top
}
"""What a laboratory hall and walking people allow."""
AGV_RANGES: Mapping[str, tuple[float, float]] = {
    "agv_speed_mps": (0.5, 2.0),
    "agv_speed_sd_mps": (0.03, 0.4),
    "agv_length_m": (0.6, 1.6),
    "agv_height_m": (1.2, 2.2),
}

_PERCENT = (10.0, 25.0, 50.0, 75.0, 90.0)
_WEIGHTS = np.array(
    (
        *(0.5, 0.5, 2.0, 0.5, 0.5),  # percentiles of the depth
        *(2.0, 0.3, 0.3, 1.0, 0.3, 0.3),  # mean and percentiles of the time below -5 dB
        *(0.7, 0.5, 0.5),  # medians of the time below -10 dB, fall and rise
    )
)
_SEARCH_RUNS, _POLISH_RUNS = 90, 270
_CANDIDATES, _SEARCH_GENERATIONS, _POLISH_GENERATIONS = 16, 24, 6


def quantities(seen: Shadows, unit: float) -> Floats:
    """Return what is fitted: depths in dB and durations in the unit [samples]."""
    times = (seen.below5.mean(), *np.percentile(seen.below5, _PERCENT), np.median(seen.below10), *_ramps(seen))
    return np.concatenate((np.percentile(seen.depth_db, _PERCENT), np.array(times) / unit))


def _ramps(seen: Shadows) -> tuple[float, float]:
    """Medians of fall and rise, 0 for a candidate without a shadow."""
    some = np.isfinite(seen.fall)
    return (float(np.median(seen.fall[some])), float(np.median(seen.rise[some]))) if some.any() else (0.0, 0.0)


def misfit(site: Site, targets: Mapping[str, Shadows], runs: int = _SEARCH_RUNS) -> float:
    """Weighted squared difference over all modes.

    Parameters
    ----------
    site : candidate.
    targets : what was measured in each mode.
    runs : how many of the candidate's runs of each mode, always drawn alike.
    """
    total = 0.0
    for k, (mode, measured) in enumerate(targets.items()):
        ours = shadows(traces(site, mode, runs, np.random.default_rng((1, k))))
        unit = 0.1 * float(measured.below5.mean())
        total += float(((_WEIGHTS * (quantities(ours, unit) - quantities(measured, unit))) ** 2).sum())
    return total


def evolve(
    cost: Callable[[Floats], float], ranges: Sequence[tuple[float, float]], rng: np.random.Generator, generations: int
) -> tuple[Floats, float]:
    """Minimise a function inside a box by differential evolution.

    Parameters
    ----------
    cost : of a point (d,).
    ranges : d pairs of least and largest value.
    rng : draws the first candidates and every change.
    generations : how often each candidate may improve.

    Returns
    -------
    The best point (d,) and its cost.
    """
    low, high = np.array(ranges, dtype=np.float64).T
    points = low + (high - low) * rng.random((_CANDIDATES, len(low)))
    costs = np.array([cost(point) for point in points])
    for _ in range(generations):
        for i in range(_CANDIDATES):
            a, b, c = points[rng.choice(_CANDIDATES, 3, replace=False)]
            # half way between a random candidate and the best one, off by a difference of two others
            tried = 0.5 * (points[costs.argmin()] + a) + 0.6 * (b - c)
            tried = np.clip(np.where(rng.random(len(low)) < 0.7, tried, points[i]), low, high)
            value = cost(tried)
            if value < costs[i]:
                points[i], costs[i] = tried, value
    best = int(costs.argmin())
    return points[best], float(costs[best])


def fit(path: Path, search: bool = True) -> tuple[Site, dict[str, float]]:
    """Fit a site to the fitted half of the recordings, and print it; the two misfits are returned with it.

    Parameters
    ----------
    path : the recordings, see ``immerse_traces.recorded_file``.
    search : False to begin with the site that is in use, and to look only around it.
    """
    site, costs = FITTED, {}
    rng = np.random.default_rng(20)
    for who, ranges in (("pedestrian", RANGES), ("agv", AGV_RANGES)):
        targets = {f"{who}_{track}": shadows(halves(read_traces(path, f"{who}_{track}"))[0]) for track in ("track1", "track2")}
        if search:
            site, _ = _improve(site, ranges, targets, _SEARCH_RUNS, rng, _SEARCH_GENERATIONS)
        site, costs[who] = _improve(site, _around(site, ranges), targets, _POLISH_RUNS, rng, _POLISH_GENERATIONS)
        print(
            f"{who}: misfit {costs[who]:.3g}",
            *(f"{name}={getattr(site, name):.3g}," for name in ranges),
            sep="\n    ",
            flush=True,
        )
    return site, costs


def _improve(
    site: Site,
    ranges: Mapping[str, tuple[float, float]],
    targets: Mapping[str, Shadows],
    runs: int,
    rng: np.random.Generator,
    generations: int,
) -> tuple[Site, float]:
    """Return the best site within the ranges, and its misfit."""

    def candidate(point: Floats) -> Site:
        changes: dict[str, Any] = {name: float(value) for name, value in zip(ranges, point, strict=True)}
        return replace(site, **changes)

    point, cost = evolve(lambda point: misfit(candidate(point), targets, runs), tuple(ranges.values()), rng, generations)
    return candidate(point), cost


def _around(site: Site, ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Return a tenth of each range to either side of the site's value, within the range."""
    near = {}
    for name, (low, high) in ranges.items():
        value, reach = float(getattr(site, name)), 0.1 * (high - low)
        near[name] = (max(low, value - reach), min(high, value + reach))
    return near


def main() -> None:
    """Print what fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polish", action="store_true", help="look only around the site in use")
    arguments = parser.parse_args()
    path = recorded_file()
    if path is None:
        parser.error("no recordings: set FACTORY_TWIN_SHARED to the folder that holds radio/immerse_rsrp_rle.csv")
    fit(path, search=not arguments.polish)


if __name__ == "__main__":
    main()
