"""How soon the regions hold again after a change of scene: one scene watched for two minutes, then another, in many orders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from factory.validate.forecast_data import TEST_PERSONS, Floats, Track, read_scene
from factory.validate.forecast_score import Replay, replay
from humans.forecast_numbers import Numbers
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig

PAIRS = (
    ("thor_a", "citr_veh_lat_uni"),
    ("dut_intersection", "citr_veh_lat_uni"),
    ("hermes_uni", "citr_veh_lat_uni"),
    ("zara01", "citr_veh_lat_uni"),
    ("thor_a", "dut_intersection"),
    ("hermes_uni", "dut_intersection"),
    ("citr_veh_lat_uni", "dut_intersection"),
    ("zara01", "dut_intersection"),
    ("dut_intersection", "thor_a"),
    ("hermes_uni", "thor_a"),
    ("citr_veh_lat_uni", "thor_a"),
    ("thor_a", "univ"),
    ("dut_intersection", "univ"),
    ("hermes_uni", "univ"),
    ("thor_a", "hermes_uni"),
    ("dut_intersection", "hermes_uni"),
)
"""What was watched first, and what came then; the numbers never were fitted to the latter."""
FIRST_S = 120.0
BIN_S = 20.0
SHORT = {"hermes_uni": 20.0}
"""Seconds after the change from which it counts: 60, but for HERMES, which lasts 45."""
THOR_RUNS = 3
HELD = (0.87, 0.94)
_KNOTS = (1, 3, 5)
_SLOTS = 80


def counted_from_s(second: str) -> float:
    """Return from how many seconds after the change on the regions have to hold [s]."""
    return SHORT.get(second, 60.0)


def after_change(first: list[Track], second: list[Track], numbers: Numbers, scored: frozenset[int] | None) -> Replay:
    """Watch the first scene, then score the second in the same forecaster."""
    one = Forecaster(_SLOTS, ForecastConfig(), None, np.random.default_rng(1), numbers)
    replay(first, numbers, seed=1, forecaster=one, blockage=False)
    return replay(second, numbers, seed=1, forecaster=one, blockage=False, scored=scored)


def interval(hit: Floats, group: Floats, rng: np.random.Generator) -> list[float]:
    """90 % bootstrap interval of a share, (k,) hits, over groups (k,)."""
    names, at = np.unique(group, return_inverse=True)
    sums = np.stack([np.bincount(at, weights=hit, minlength=len(names)), np.bincount(at, minlength=len(names))], axis=1)
    drawn = sums[rng.integers(0, len(names), (2000, len(names)))].sum(axis=1)
    return [round(float(v), 3) for v in np.quantile(drawn[:, 0] / drawn[:, 1], [0.05, 0.95])]


def recovery(where: Path, numbers_of: Callable[[str], Numbers]) -> list[dict[str, Any]]:
    """Return per pair of scenes the shares inside the 90 % and 50 % regions, with intervals over persons.

    Parameters
    ----------
    where : the recorded scenes. numbers_of : numbers that were fitted without a scene.
    """
    scenes: dict[str, list[Track]] = {}
    rng = np.random.default_rng(5)
    out: list[dict[str, Any]] = []
    for first, second in PAIRS:
        for name in (first, second):
            scenes.setdefault(name, read_scene(where, name))
        before = _one_run(scenes[first], 0)
        begin = min(float(t.t_s[0]) for t in before)
        before = [t for t in before if t.t_s[0] < begin + FIRST_S]
        if second == "thor_a":
            held = [[t for t in scenes[second] if t.run == run] for run in _runs(scenes[second], TEST_PERSONS)[-THOR_RUNS:]]
            scored: frozenset[int] | None = frozenset(TEST_PERSONS)
        else:
            held, scored = [scenes[second]], None
        parts = [after_change(before, tracks, numbers_of(second), scored) for tracks in held]
        since = np.concatenate([p.watched_s for p in parts])
        inside = np.concatenate([p.inside for p in parts])
        # In THOR there are two persons, whose runs are hours apart: ten seconds of one are a unit there.
        who = np.concatenate([p.person + 1000.0 * k for k, p in enumerate(parts)])
        if second == "thor_a":
            who = who + 1e5 * np.floor(since / 10.0)
        start = counted_from_s(second)
        bins = {}
        for b in np.unique(np.minimum(since, 119.0) // BIN_S):
            own = (since // BIN_S) == b
            hit = inside[own][:, 3, 1]
            bins[str(int(b * BIN_S))] = [round(float(hit.mean()), 4), *interval(hit, who[own], rng), len(np.unique(who[own]))]
        late = (since >= start) & (since < start + 60.0)
        kept: dict[str, Any] = {"first": first, "second": second, "bins90_1.2s": bins, "units": len(np.unique(who[late]))}
        for name, level in (("cover50", 0), ("cover90", 1)):
            kept[name] = [round(float(inside[late][:, k, level].mean()), 4) for k in _KNOTS]
            kept[f"{name}_interval"] = [interval(inside[late][:, k, level], who[late], rng) for k in _KNOTS]
        out.append(kept)
    return out


def _runs(tracks: list[Track], persons: tuple[int, ...]) -> list[int]:
    return sorted({t.run for t in tracks if t.person in persons})


def _one_run(tracks: list[Track], k: int) -> list[Track]:
    run = sorted({t.run for t in tracks})[k]
    return [t for t in tracks if t.run == run]
