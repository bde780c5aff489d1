"""Replay a recorded scene through the forecaster and score what it said: errors, coverage over time, blockage of random links."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.validate.forecast_data import Track
from humans.forecast_numbers import KNOTS_S, Numbers
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig

Floats = npt.NDArray[np.float64]

HISTORY_S = 1.6
SAMPLES = 100
LINKS = 60
LINK_M = (4.0, 16.0)
PERSON_RADIUS_M = 0.3
BLOCKAGE_EVERY_S = 0.8
_FREE_S = 3.5
_KNOTS = np.array(KNOTS_S)


@dataclass(frozen=True, slots=True)
class Replay:
    """What was scored; k forecasts of single people at all knots, b of links.

    Attributes
    ----------
    watched_s : (k,) how long the scene had been watched [s].
    person : (k,) whose forecast.
    unit : (k,) which ten seconds of which run, for intervals: people in one scene act on each other.
    error_m, constant_m : (k, KNOTS) final displacement errors, ours and constant velocity's over 0.4 s [m].
    inside : (k, KNOTS, 2) whether the 50 % and 90 % regions held.
    probability, blocked : (b, KNOTS) forecast probability that a link is blocked, and whether it was.
    block : (b,) which ten seconds the forecast falls in, for intervals.
    """

    watched_s: Floats
    person: Floats
    unit: Floats
    error_m: Floats
    constant_m: Floats
    inside: Floats
    probability: Floats
    blocked: Floats
    block: Floats


def frames_of(tracks: list[Track]) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return (T,) times [s], (T, slots, 2) places, not finite where nobody is, and (slots, tracks) none of which overlap.

    The second index reuses a slot only after it was free for a while.
    """
    times = np.unique(np.round(np.concatenate([t.t_s for t in tracks]), 3))
    free: list[float] = []
    slot_of = np.empty(len(tracks), np.int64)
    for k in sorted(range(len(tracks)), key=lambda i: float(tracks[i].t_s[0])):
        start, end = float(tracks[k].t_s[0]), float(tracks[k].t_s[-1])
        s = next((s for s, since in enumerate(free) if start - since > _FREE_S), len(free))
        free[s:] = [end, *free[s + 1 :]] if s < len(free) else [end]
        slot_of[k] = s
    place = np.full((len(times), len(free), 2), np.nan)
    for k, track in enumerate(tracks):
        place[np.searchsorted(times, np.round(track.t_s, 3)), slot_of[k]] = track.xy_m
    return times, place, slot_of


@njit(cache=True)
def crosses(place, end_a, end_b, radius_m) -> bool:  # type: ignore[no-untyped-def]
    """Return whether a disc at ``place`` (2,) meets the segment between two ends."""
    dx, dy = end_b[0] - end_a[0], end_b[1] - end_a[1]
    at = ((place[0] - end_a[0]) * dx + (place[1] - end_a[1]) * dy) / (dx * dx + dy * dy)
    at = min(max(at, 0.0), 1.0)
    return bool(np.hypot(place[0] - end_a[0] - at * dx, place[1] - end_a[1] - at * dy) < radius_m)


@njit(cache=True)
def _blockage(sample, who, truth, ends, radius_m, probability, blocked) -> None:  # type: ignore[no-untyped-def]
    """Write the share of samples (S, n, H, 2) in which somebody of ``who`` meets each link, and whether it came true, (L, H)."""
    for link in range(ends.shape[0]):
        for h in range(sample.shape[2]):
            hits = 0
            for s in range(sample.shape[0]):
                for i in range(sample.shape[1]):
                    if who[i] and crosses(sample[s, i, h], ends[link, 0], ends[link, 1], radius_m):
                        hits += 1
                        break
            probability[link, h] = hits / sample.shape[0]
            blocked[link, h] = 0.0
            for i in range(sample.shape[1]):
                if who[i] and crosses(truth[h, i], ends[link, 0], ends[link, 1], radius_m):
                    blocked[link, h] = 1.0
                    break


def random_links(place: Floats, rng: np.random.Generator) -> Floats:
    """Return (LINKS, 2, 2) ends drawn over the scene's floor, 4 to 16 m apart [m]."""
    seen = place[np.isfinite(place[..., 0])]
    low, high = np.percentile(seen, 1, axis=0), np.percentile(seen, 99, axis=0)
    longest = min(LINK_M[1], 0.9 * float(np.hypot(*(high - low))))
    out: list[Floats] = []
    while len(out) < LINKS:
        ends = rng.uniform(low, high, (2, 2))
        if min(LINK_M[0], 0.5 * longest) <= np.hypot(*(ends[1] - ends[0])) <= longest:
            out.append(ends)
    return np.stack(out)


def replay(
    tracks: list[Track],
    numbers: Numbers,
    *,
    seed: int,
    sigma_m: float = 0.0,
    scored: frozenset[int] | None = None,
    forecaster: Forecaster | None = None,
    config: ForecastConfig | None = None,
    blockage: bool = True,
) -> Replay:
    """Watch a scene from its first frame to its last, and score every forecast whose two seconds were recorded in full.

    Parameters
    ----------
    tracks : of one run, one clock.
    numbers : fitted without this scene's scored persons.
    seed : of noise, links and samples.
    sigma_m : noise of the observations [m]; errors are against the noise-free recording.
    scored : persons whose forecasts count, all when absent.
    forecaster : one that has watched before, with enough slots.
    config : of a fresh one.
    blockage : whether links are scored too.
    """
    noise, link_rng, draw = (np.random.default_rng([seed, k]) for k in range(3))
    times, place, slot_of = frames_of(tracks)
    n = place.shape[1]
    one = forecaster or Forecaster(n, config or ForecastConfig(), None, draw, numbers)
    shift_us = 0 if forecaster is None else one.time_us + 10_000_000 - round(times[0] * 1e6)
    if one.n < n:
        raise ValueError(f"the forecaster has room for {one.n} people; the scene needs {n}")
    pad = np.full((len(times), one.n - n, 2), np.nan)
    place = np.concatenate([place, pad], axis=1)
    seen = place + sigma_m * noise.standard_normal(place.shape)
    owner = np.full((len(times), one.n), -1)
    start, end = np.full((len(times), one.n), np.inf), np.full((len(times), one.n), -np.inf)
    for track, s in zip(tracks, slot_of, strict=True):
        at = np.searchsorted(times, np.round(track.t_s, 3))
        owner[at, s], start[at, s], end[at, s] = track.person, track.t_s[0], track.t_s[-1]
    ends = random_links(place, link_rng)
    horizon = np.round(_KNOTS * 1e6).astype(np.int64)
    out: dict[str, list[Floats]] = {name: [] for name in Replay.__slots__}
    last_blockage = -np.inf
    for f, now in enumerate(times):
        present = np.isfinite(place[f, :, 0])
        one.observe(round(now * 1e6) + shift_us, seen[f], present, sigma_m=sigma_m)
        full = present & (now - start[f] >= HISTORY_S - 1e-6) & (end[f] - now >= KNOTS_S[-1] - 1e-6)
        if scored is not None:
            full &= np.isin(owner[f], list(scored))
        if not full.any():
            continue
        forecast = one.predict(horizon)
        truth = _truth(times, place, now)
        before = _truth(times, seen, now - 0.4, (0.0,))[0]
        straight = seen[f][None] + (seen[f] - before)[None] * (_KNOTS / 0.4)[:, None, None]
        error = np.hypot(*np.moveaxis(forecast.position_m.swapaxes(0, 1) - truth, -1, 0)).T
        constant = np.hypot(*np.moveaxis(straight - truth, -1, 0)).T
        actual = truth.swapaxes(0, 1)
        ok = full & np.isfinite(error).all(axis=1) & np.isfinite(constant).all(axis=1)
        count = int(ok.sum())
        out["watched_s"].append(np.full(count, now - times[0]))
        out["unit"].append(np.full(count, now // 10.0))
        out["person"].append(owner[f][ok].astype(np.float64))
        out["error_m"].append(error[ok])
        out["constant_m"].append(constant[ok])
        out["inside"].append(np.stack([forecast.covers(actual, q)[ok] for q in (0.5, 0.9)], axis=-1).astype(np.float64))
        if blockage and now - last_blockage >= BLOCKAGE_EVERY_S - 1e-6 and ok.any():
            last_blockage = now
            drawn = one.samples(None, horizon, SAMPLES, draw)
            chance, met = np.empty((LINKS, len(horizon))), np.empty((LINKS, len(horizon)))
            _blockage(drawn.position_m, ok, truth, ends, PERSON_RADIUS_M, chance, met)
            out["probability"].append(chance)
            out["blocked"].append(met)
            out["block"].append(np.full(LINKS, now // 10.0))
    empty = {"error_m": (0, len(_KNOTS)), "constant_m": (0, len(_KNOTS)), "inside": (0, len(_KNOTS), 2)}
    empty |= {"probability": (0, len(_KNOTS)), "blocked": (0, len(_KNOTS))}
    columns = [np.concatenate(v) if v else np.zeros(empty.get(name, (0,))) for name, v in out.items()]
    return Replay(*columns)


def _truth(times: Floats, place: Floats, now: float, after: tuple[float, ...] = KNOTS_S) -> Floats:
    """Return everybody's recorded place some seconds after ``now``, between frames by a straight line, (H, n, 2)."""
    out = np.full((len(after), *place.shape[1:]), np.nan)
    for h, wait in enumerate(after):
        at = now + wait
        j = int(np.searchsorted(times, at - 1e-6))
        if j >= len(times):
            continue
        if j == 0 or abs(times[j] - at) < 1e-5:
            out[h] = place[j]
            continue
        share = (at - times[j - 1]) / (times[j] - times[j - 1])
        out[h] = place[j - 1] + share * (place[j] - place[j - 1])
    return out


def brier_skill(probability: Floats, blocked: Floats) -> Floats:
    """Return the Brier skill against the base rate, per horizon."""
    base = blocked.mean(axis=0)
    skill: Floats = 1.0 - ((probability - blocked) ** 2).mean(axis=0) / (base * (1.0 - base))
    return skill


def calibration_error(probability: Floats, blocked: Floats, bins: int = 10) -> Floats:
    """Return the expected calibration error per horizon: mean gap of forecast and frequency over ten bins of probability."""
    out = np.zeros(probability.shape[1])
    for h in range(probability.shape[1]):
        at = np.minimum((probability[:, h] * bins).astype(np.int64), bins - 1)
        for b in range(bins):
            own = at == b
            if own.any():
                out[h] += own.mean() * abs(probability[own, h].mean() - blocked[own, h].mean())
    return out
