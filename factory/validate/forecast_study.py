"""What ``factory-twin validate`` shows of the forecast, kept in ``forecast.json``.

``python -m factory.validate.forecast_study [FOLDER]`` writes it anew.

The recordings are not part of the repository; what is kept of them are means, shares and intervals. FOLDER holds
the numbers fitted without DUT and without HERMES (``dut_intersection.npz``, ``hermes_uni.npz``); those that are missing are
fitted, some minutes each.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from factory.rooms import walk_space
from factory.scenario import load_scenario
from factory.validate.forecast_data import TEST_PERSONS, Floats, Track, read_scene, recorded_folder
from factory.validate.forecast_fit import fit_numbers
from factory.validate.forecast_links import TRP_HEIGHTS_M, LinkReplay, replay_links, summary
from factory.validate.forecast_recovery import interval, recovery
from factory.validate.forecast_score import Replay, brier_skill, calibration_error, replay
from humans.forecast_numbers import KNOTS_S, Numbers, fitted_numbers, load_numbers, save_numbers
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig
from humans.sources import create_crowd
from humans.types import Occupancy

STUDY_FILE = Path(__file__).with_name("forecast.json")
HELD_OUT = ("thor_a", "citr_veh_lat_uni", "dut_intersection", "hermes_uni")
FOLDS = ("dut_intersection", "hermes_uni")
WATCHED_S = {"hermes_uni": 20.0}
"""Seconds watched before coverage counts: 60, but for HERMES, which lasts 45."""
NOISE_M = 0.05
LINK_EVERY_S = {"thor_a": 60.0, "hermes_uni": 2.4, "dut_intersection": 1.6}
"""Seconds between the forecasts whose links are scored by the radio's kernel, 0.8 elsewhere: what can be afforded."""
LINK_FUTURES = 100
"""Of the forecast; half as many of constant velocity."""
_BINS = 10
_SEEDS = (1, 2)


def numbers_for(scene: str, folder: Path) -> Numbers:
    """Return numbers fitted without a scene: the shipped ones, or a fold's."""
    if scene not in FOLDS:
        return fitted_numbers()
    path = folder / f"{scene}.npz"
    if not path.is_file():
        save_numbers(path, fit_numbers(scene))
    return load_numbers(path)


def replay_scene(tracks: list[Track], numbers: Numbers, *, seed: int, sigma_m: float = 0.0, blockage: bool = True) -> Replay:
    """Replay a scene run by run, each watched from nothing, and pool the scores."""
    scored = frozenset(TEST_PERSONS) if len({t.run for t in tracks}) > 1 else None
    runs = sorted({t.run for t in tracks})
    parts = [
        replay([t for t in tracks if t.run == run], numbers, seed=seed, sigma_m=sigma_m, scored=scored, blockage=blockage)
        for run in runs
        if scored is None or any(t.run == run and t.person in scored for t in tracks)
    ]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in Replay.__slots__}
    for name in ("block", "unit"):
        columns[name] = np.concatenate([getattr(part, name) + 1000.0 * k for k, part in enumerate(parts)])
    return Replay(**columns)


def _interval(values: Floats, group: Floats, rng: np.random.Generator) -> list[float]:
    """90 % bootstrap interval of a ratio of sums, (k, 2), over groups."""
    names, at = np.unique(group, return_inverse=True)
    sums = np.zeros((len(names), 2))
    np.add.at(sums, at, values)
    drawn = sums[rng.integers(0, len(names), (2000, len(names)))].sum(axis=1)
    return [round(float(v), 3) for v in np.quantile(drawn[:, 0] / drawn[:, 1], [0.05, 0.95])]


def _rounded(values: Any, digits: int = 4) -> list[Any]:
    result: list[Any] = np.round(np.asarray(values, dtype=np.float64), digits).tolist()
    return result


def of_scene(name: str, result: Replay) -> dict[str, Any]:
    """Keep of a replay what the page shows."""
    rng = np.random.default_rng(7)
    late = result.watched_s >= WATCHED_S.get(name, 60.0)
    block = np.floor(result.watched_s / 10.0) + 1000.0 * result.person
    kept: dict[str, Any] = {
        "forecasts": len(result.person),
        "fde_m": _rounded(result.error_m.mean(axis=0)),
        "constant_velocity_m": _rounded(result.constant_m.mean(axis=0)),
        "ratio_2s_interval": _interval(np.stack([result.error_m[:, -1], result.constant_m[:, -1]], axis=1), block, rng),
        "coverage_forecasts": int(late.sum()),
        "cover50": _rounded(result.inside[late][..., 0].mean(axis=0)),
        "cover90": _rounded(result.inside[late][..., 1].mean(axis=0)),
        "cover50_interval": [interval(result.inside[late][:, k, 0], result.unit[late], rng) for k in range(len(KNOTS_S))],
        "cover90_interval": [interval(result.inside[late][:, k, 1], result.unit[late], rng) for k in range(len(KNOTS_S))],
    }
    if len(result.blocked):
        counts = []
        for h in (1, 5):
            at = np.minimum((result.probability[:, h] * _BINS).astype(np.int64), _BINS - 1)
            own = [at == b for b in range(_BINS)]
            counts.append([
                [int(o.sum()), *_rounded([result.probability[o, h].mean(), result.blocked[o, h].mean()] if o.any() else [0, 0])]
                for o in own
            ])  # fmt: skip
        kept |= {
            "links": len(result.blocked),
            "base_rate": _rounded(result.blocked.mean(axis=0)),
            "brier_skill": _rounded(brier_skill(result.probability, result.blocked)),
            "calibration_error": _rounded(calibration_error(result.probability, result.blocked)),
            "reliability": counts,
        }
    return kept


def constant_velocity(where: Path) -> dict[str, list[float]]:
    """Error of constant velocity over THOR's windows of eight seconds, in them after the first 0.8 s: the published protocol."""
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    with (where / "thor_a.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["role"], row["id"]].append((float(row["t"]), float(row["x"]), float(row["y"])))
    errors: dict[str, list[list[float]]] = defaultdict(list)
    for (role, _), points in rows.items():
        xy = np.array(sorted(points))[:, 1:]
        for k in range(2, 8):
            straight = [xy[k + step] - xy[k] - step * (xy[k] - xy[k - 1]) for step in (1, 2, 3, 5)]
            errors[role.lower()].append([float(np.hypot(*off)) for off in straight])
    return {role: _rounded(np.mean(found, axis=0)) for role, found in sorted(errors.items())}


def hall_watched(where: Path) -> dict[str, Any]:
    """THOR's held-out persons in a hall that was watched before: the others' runs teach its places, then theirs are scored."""
    tracks, room = read_scene(where, "thor_a"), 12
    one = Forecaster(room, ForecastConfig(), None, np.random.default_rng(1), fitted_numbers())
    parts: list[Replay] = []
    for held_out in (False, True):
        for run in sorted({t.run for t in tracks}):
            part = [t for t in tracks if t.run == run and (t.person in TEST_PERSONS) == held_out]
            if part:
                scored = None if held_out else frozenset[int]()
                seen = replay(part, fitted_numbers(), seed=1, scored=scored, forecaster=one, blockage=False)
                parts += [seen] if held_out else []
    error, constant = (np.concatenate([getattr(part, name) for part in parts]) for name in ("error_m", "constant_m"))
    block = np.concatenate([np.floor(p.watched_s / 10.0) + 1000.0 * p.person + 1e5 * k for k, p in enumerate(parts)])
    inside = np.concatenate([part.inside for part in parts])
    return {
        "forecasts": len(error),
        "fde_m": _rounded(error.mean(axis=0)),
        "constant_velocity_m": _rounded(constant.mean(axis=0)),
        "ratio_2s_interval": _interval(np.stack([error[:, -1], constant[:, -1]], axis=1), block, np.random.default_rng(7)),
        "cover50": _rounded(inside[..., 0].mean(axis=0)),
        "cover90": _rounded(inside[..., 1].mean(axis=0)),
    }


def radio_links(where: Path, folder: Path) -> dict[str, Any]:
    """Blockage through the radio's kernel per height of the TRPs and scene, and the same by constant velocity."""
    out: dict[str, Any] = {"futures": LINK_FUTURES}
    for name in HELD_OUT:
        tracks, numbers = read_scene(where, name), numbers_for(name, folder)
        scored = frozenset(TEST_PERSONS) if len({t.run for t in tracks}) > 1 else None
        runs = [
            r for r in sorted({t.run for t in tracks}) if scored is None or any(t.run == r and t.person in scored for t in tracks)
        ]
        for height in TRP_HEIGHTS_M:
            for way, constant in (("forecast", False), ("constant velocity", True)):
                parts = [
                    replay_links(
                        [t for t in tracks if t.run == run], numbers, seed=1, every_s=LINK_EVERY_S.get(name, 0.8),
                        futures=LINK_FUTURES // 2 if constant else LINK_FUTURES, trp_height_m=height,
                        constant_velocity=constant, scored=scored,
                    )
                    for run in runs
                ]  # fmt: skip
                columns = {c: np.concatenate([getattr(p, c) for p in parts]) for c in LinkReplay.__slots__}
                columns["block"] = np.concatenate([p.block + 1000.0 * k for k, p in enumerate(parts)])
                found = summary(LinkReplay(**columns), np.random.default_rng(7))
                out.setdefault(f"{height:g}", {}).setdefault(name, {})[way] = found
                print(name, height, way, json.dumps(found), flush=True)
    return out


def goals(seeds: tuple[int, ...] = _SEEDS, minutes: float = 5.0) -> dict[str, Any]:
    """Watch the default hall's people ten times a second, with and without their goals; the first half only teaches."""
    loaded = load_scenario("default")
    horizon = np.round(np.array(KNOTS_S) * 1e6).astype(np.int64)
    errors: dict[str, list[Floats]] = defaultdict(list)
    nobody = Occupancy.empty()
    for seed in seeds:
        crowd = create_crowd(loaded.scenario.people, walk_space(loaded.scenario.hall), np.random.default_rng(seed), None)
        ways = {name: Forecaster(crowd.n, ForecastConfig(), None, np.random.default_rng(1)) for name in ("none", "known")}
        waiting: list[tuple[int, np.ndarray, dict[str, Floats]]] = []
        where: dict[int, Floats] = {}
        frames = round(minutes * 600)
        for k in range(1, frames + 1):
            for sub in range(5):
                crowd.step((5 * k + sub - 4) * 20_000, 20_000, nobody)
            state = crowd.state()
            where[k] = state.position_m
            walking = np.hypot(*state.tracked_velocity_mps.T) > 0.3
            said = {
                "constant velocity": state.position_m[:, None] + state.tracked_velocity_mps[:, None] * np.array(KNOTS_S)[:, None]
            }
            for name, one in ways.items():
                one.observe(state.time_us, state.position_m, state.present, goal_m=state.goal_m if name == "known" else None)
                said[name] = one.predict(horizon).position_m
            if k > frames // 2 and k % 2 == 0:
                waiting.append((k, walking, said))
            while waiting and waiting[0][0] + 20 <= k:
                then, moved, forecast = waiting.pop(0)
                truth = np.stack([where[then + round(10 * h)] for h in KNOTS_S], axis=1)
                for name, position in forecast.items():
                    errors[name].append(np.hypot(*np.moveaxis(position - truth, -1, 0))[moved])
    return {name: _rounded(np.concatenate(parts).mean(axis=0)) for name, parts in errors.items()} | {
        "forecasts": sum(map(len, errors["none"]))
    }


def study(folder: Path) -> dict[str, Any]:
    """Work everything out; minutes."""
    where = recorded_folder()
    if where is None:
        raise FileNotFoundError("the recorded scenes are not at hand; set FACTORY_TWIN_SHARED to the folder that holds people/")
    kept: dict[str, Any] = {"knots_s": list(KNOTS_S), "clean": {}, "noisy": {}}
    for name in HELD_OUT:
        tracks, numbers = read_scene(where, name), numbers_for(name, folder)
        kept["clean"][name] = of_scene(name, replay_scene(tracks, numbers, seed=1))
        if name != "thor_a":
            noisy = [of_scene(name, replay_scene(tracks, numbers, seed=s, sigma_m=NOISE_M, blockage=False)) for s in _SEEDS]
            kept["noisy"][name] = noisy[0] | {
                key: _rounded(np.mean([part[key] for part in noisy], axis=0))
                for key in ("fde_m", "constant_velocity_m", "cover50", "cover90")
            }
        print(name, json.dumps(kept["clean"][name]), flush=True)
    kept["published"] = constant_velocity(where)
    kept["watched"] = hall_watched(where)
    kept["recovery"] = recovery(where, lambda scene: numbers_for(scene, folder))
    kept["links"] = radio_links(where, folder)
    kept["goals"] = goals()
    return kept


if __name__ == "__main__":
    result = study(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
    STUDY_FILE.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
