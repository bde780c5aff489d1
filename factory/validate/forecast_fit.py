"""Fit the forecast's numbers to recorded tracks: ``python -m factory.validate.forecast_fit OUT.npz [SCENE LEFT OUT]``.

Without a second argument the shipped numbers are fitted; with one, that scene is left out
too, so that it can be scored as held out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numba import njit

from factory.validate.forecast_boost import Floats, fit
from factory.validate.forecast_data import DENSE, SCENES, TEST_PERSONS, Windows, read_scene, recorded_folder, windows
from humans.forecast_filter import FEATURES, MEMORIES
from humans.forecast_neighbours import INPUTS, MIRRORED_COLUMNS
from humans.forecast_numbers import (
    CLEAN_M,
    GO_ON,
    KNOTS,
    KNOTS_S,
    LEVELS,
    MODES,
    PARTS,
    SET_OFF,
    SPEED_BINS,
    SPEED_EDGES_MPS,
    STOP,
    TURN_LEFT,
    TURN_RIGHT,
    UNIT_M,
    Numbers,
    save_numbers,
)
from humans.forecast_trees import Trees, sum_leaves

ALWAYS_OUT = ("citr_veh_lat_uni", "univ")
"""Held out, and a scene whose hand-made notes jitter too much to count as clean."""
NOISE_M = ((0.0, 1.5), (0.02, 0.5), (0.05, 1.0), (0.1, 0.5), (0.2, 0.5))
"""Noise of the observations that are fitted [m], and how much each counts."""
SLOW_STEPS_S = (0.2, 0.5, 1.0)
TURN_RAD = np.deg2rad(25.0)
STANDING_MPS, STAYED_M = 0.15, 0.25
_UNIT = np.array(UNIT_M)
_SIGMA = 4 * MEMORIES + 4  # which feature tells the noise
_SPLITS = [2, 3, 6, 7, 10, 11]  # 0.4, 1.2 and 2.0 s
MIRRORED = np.ones(INPUTS)
MIRRORED[MEMORIES : 2 * MEMORIES] = -1.0
MIRRORED[3 * MEMORIES : 4 * MEMORIES] = -1.0
MIRRORED[FEATURES + np.array(MIRRORED_COLUMNS)] = -1.0
_SWAPPED = np.array([GO_ON, STOP, TURN_RIGHT, TURN_LEFT, SET_OFF])


@njit(cache=True)
def outputs(features, feature, threshold, leaf, start):  # type: ignore[no-untyped-def]
    """Return the trees' outputs of (k, F) features, (k, D)."""
    out = np.zeros((len(features), len(start)))
    for i in range(len(features)):
        sum_leaves(features[i], feature, threshold, leaf, start, out[i])
    return out


def of(trees: Trees, features: Floats) -> Floats:
    """Return the trees' outputs, (k, D)."""
    result: Floats = outputs(features, trees.feature, trees.threshold, trees.leaf, trees.start)
    return result


def straight_m(frame: Floats) -> Floats:
    """Return where the base fit's straight line leads, (k, KNOTS, 2) along and across, from (k, 5) frames [m]."""
    e = frame[:, :2]
    offset = frame[:, 3:5]
    out = np.zeros((len(frame), KNOTS, 2))
    out[..., 0] = (offset * e).sum(1)[:, None] + frame[:, 2:3] * np.array(KNOTS_S)
    out[..., 1] = (offset[:, 1] * e[:, 0] - offset[:, 0] * e[:, 1])[:, None]
    return out


def what_they_did(ahead_m: Floats, speed_mps: Floats) -> np.ndarray:
    """Return the mode of each window from what came after it."""
    ending = (ahead_m[:, 5] - ahead_m[:, 3]) / (KNOTS_S[5] - KNOTS_S[3])
    speed, angle = np.hypot(*ending.T), np.arctan2(ending[:, 1], ending[:, 0])
    did = np.full(len(speed), GO_ON)
    did[(speed > 1.4 * speed_mps + 0.1) & (np.abs(angle) <= TURN_RAD)] = SET_OFF
    did[angle > TURN_RAD] = TURN_LEFT
    did[angle < -TURN_RAD] = TURN_RIGHT
    did[speed < 0.4 * speed_mps] = STOP
    stood = speed_mps < STANDING_MPS
    did[stood] = np.where(np.hypot(*ahead_m[stood, 5].T) < STAYED_M, STOP, SET_OFF)
    return did


def fitting_windows(left_out: str | None, rng: np.random.Generator) -> tuple[Windows, Floats]:
    """Return the windows that are fitted to, noise variants included, and their weights."""
    folder = recorded_folder()
    if folder is None:
        raise FileNotFoundError("the recorded scenes are not at hand; set FACTORY_TWIN_SHARED to the folder that holds people/")
    parts, weights = [], []
    for name in SCENES:
        if name in (*ALWAYS_OUT, left_out):
            continue
        tracks = [t for t in read_scene(folder, name) if name != "thor_a" or t.person not in TEST_PERSONS]
        for sigma, weight in NOISE_M:
            main = sigma in (0.0, 0.05)
            every = 0.2 if name in DENSE and main else 0.4 if main else 0.8
            part = windows(tracks, every_s=every, sigma_m=sigma, rng=rng)
            parts.append(part)
            weights.append(np.full(len(part.person), weight))
            if sigma > 0.0 and name in DENSE:
                for step in SLOW_STEPS_S:
                    part = windows(tracks, every_s=max(step, 0.4), sigma_m=sigma, step_s=step, rng=rng)
                    parts.append(part)
                    weights.append(np.full(len(part.person), 0.3 * weight))
    columns = [np.concatenate([getattr(p, n) for p in parts]) for n in Windows.__slots__]
    return Windows(*columns), np.concatenate(weights)


def fit_numbers(left_out: str | None = None, seed: int = 11) -> Numbers:
    """Fit everything; ``left_out`` names a scene that is not looked at."""
    rng = np.random.default_rng(seed)
    data, weight = fitting_windows(left_out, rng)
    flip = rng.random(len(weight)) < 0.5
    features = np.where(flip[:, None], data.features * MIRRORED, data.features)
    side = np.where(flip[:, None, None], np.array([1.0, -1.0]), 1.0)
    residual = (data.ahead_m - straight_m(data.frame)) * side / _UNIT[:, None]
    flat = residual.reshape(len(weight), -1)
    clean = features[:, _SIGMA] < np.log(CLEAN_M + 0.003)
    point, noisy = (
        fit(
            features[own],
            flat[own],
            weight[own],
            np.random.default_rng([seed, k]),
            loss="distance",
            trees=110,
            rate=0.15,
            rows=20000,
            split_on=_SPLITS,
        )
        for k, own in enumerate((clean, ~clean))
    )
    left = flat - np.where(clean[:, None], of(point, features), of(noisy, features))
    size = np.log(np.abs(left) + 0.02)
    scale = fit(features, size, weight, rng, loss="absolute", trees=40, rate=0.25, rows=10000, split_on=_SPLITS)
    did = what_they_did(data.ahead_m, data.frame[:, 2])
    did = np.where(flip, _SWAPPED[did], did)
    mode = fit(features, np.eye(len(MODES))[did], weight, rng, loss="classes", trees=35, rate=0.25, rows=10000)
    unit = np.exp(of(scale, features))
    share, mean, root = _parts(left / unit, did, weight)
    numbers = Numbers(point, noisy, scale, mode, share, mean, root, np.empty(0), np.empty(0))
    odds = np.exp(of(mode, features))
    odds /= odds.sum(axis=1, keepdims=True)
    spread = np.sqrt(odds @ numbers.second_moment)
    speeds = np.digitize(data.frame[:, 2], SPEED_EDGES_MPS)
    drawn = _draw(odds, share, mean, root, rng)
    measured, simulated = (_quantiles(r / spread, speeds, weight) for r in (left / unit, drawn))
    return Numbers(point, noisy, scale, mode, share, mean, root, measured, simulated)


def _parts(normal: Floats, did: np.ndarray, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Two Gaussians per mode by expectation-maximisation, mirror images of each other for the turns."""
    mirror = np.tile([1.0, -1.0], KNOTS)
    share, mean = np.zeros((len(MODES), PARTS)), np.zeros((len(MODES), PARTS, 2 * KNOTS))
    root = np.zeros((len(MODES), PARTS, 2 * KNOTS, 2 * KNOTS))
    bounded = np.clip(normal, -25.0, 25.0)
    for m in (GO_ON, STOP, TURN_LEFT, SET_OFF):
        own = did == m
        x, w = bounded[own], weight[own]
        other = did == TURN_RIGHT if m == TURN_LEFT else own
        x, w = np.concatenate([x, bounded[other] * mirror]), np.concatenate([w, weight[other]])
        size = (x**2).mean(axis=1)
        belongs = np.stack([size <= np.median(size), size > np.median(size)], axis=1).astype(np.float64)
        for _ in range(25):
            logs = np.empty((len(x), PARTS))
            for p in range(PARTS):
                wp = w * belongs[:, p]
                share[m, p] = wp.sum() / w.sum()
                mean[m, p] = wp @ x / wp.sum()
                spread = (x - mean[m, p]).T @ ((x - mean[m, p]) * wp[:, None]) / wp.sum() + 0.01 * np.eye(2 * KNOTS)
                root[m, p] = np.linalg.cholesky(spread)
                z = np.linalg.solve(root[m, p], (x - mean[m, p]).T)
                logs[:, p] = np.log(share[m, p]) - np.log(np.diag(root[m, p])).sum() - 0.5 * (z**2).sum(axis=0)
            belongs = np.exp(logs - logs.max(axis=1, keepdims=True))
            belongs /= belongs.sum(axis=1, keepdims=True)
    share[TURN_RIGHT], mean[TURN_RIGHT] = share[TURN_LEFT], mean[TURN_LEFT] * mirror
    root[TURN_RIGHT] = mirror[:, None] * root[TURN_LEFT] * mirror
    return share, mean, root


def _draw(odds: Floats, share: Floats, mean: Floats, root: Floats, rng: np.random.Generator) -> Floats:
    """Draw one residual per window from its mixture."""
    m = (odds.cumsum(axis=1) < rng.random((len(odds), 1))).sum(axis=1).clip(0, len(MODES) - 1)
    p = (rng.random(len(odds)) > share[m, 0]).astype(np.int64)
    z = rng.standard_normal((len(odds), 2 * KNOTS))
    return np.asarray(mean[m, p] + np.einsum("kij,kj->ki", root[m, p], z))


def _quantiles(relative: Floats, speeds: np.ndarray, weight: Floats) -> Floats:
    """Weighted quantiles of the radius per speed bin, knot and level, never falling with the level."""
    radius = np.hypot(relative[:, 0::2], relative[:, 1::2])
    out = np.empty((SPEED_BINS, KNOTS, len(LEVELS)))
    for b in range(SPEED_BINS):
        own = speeds == b
        for k in range(KNOTS):
            order = np.argsort(radius[own, k])
            mass = np.cumsum(weight[own][order])
            out[b, k] = np.interp(np.array(LEVELS) * mass[-1], mass, radius[own, k][order])
    return out


if __name__ == "__main__":
    save_numbers(Path(sys.argv[1]), fit_numbers(sys.argv[2] if len(sys.argv) > 2 else None))
