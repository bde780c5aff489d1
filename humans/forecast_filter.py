"""From positions to what a forecast needs of the past: least squares with several memories, and what the body frame sees of it.

Each person's straight motion is fitted by least squares with exponentially fading weights, for five memories at once
(``MEMORY_S``): the shortest is nearly the last displacement, the longest averages noise of location tags out. How far the
fits differ is what says whether somebody turns, brakes or sways; the trees of ``humans.forecast_trees`` read all five.
Sums are kept relative to now and to the last position, so that neither time nor place loses digits in a long run.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.types import FloatArray

MEMORY_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Time constants of the fits [s]."""
MEMORIES = len(MEMORY_S)
BASE_NOISE_M = (0.07, 0.2)
"""Noise at 10 Hz up to which the fit of 0.4 s, and that of 0.8 s, carries the body frame [m]; above it the one of 1.6 s."""
SUMS = 7
"""Sums per memory: weight, weighted time, its square, weighted x and y, weighted time times x and y."""
FEATURES = 4 * MEMORIES + 9
_MEMORY_S = np.array(MEMORY_S)
_TINY = 1e-9


@njit(cache=True)
def fade(sums, dt_s, dx_m, dy_m) -> None:  # type: ignore[no-untyped-def]
    """Let ``dt_s`` pass and move the origin by (dx, dy), in place; ``sums`` (memories, SUMS) of one person."""
    for k in range(sums.shape[0]):
        w, s, ss = sums[k, 0], sums[k, 1], sums[k, 2]
        d = np.exp(-dt_s / _MEMORY_S[k])
        for c in range(2):
            shift = dx_m if c == 0 else dy_m
            p = sums[k, 3 + c] - w * shift
            q = sums[k, 5 + c] - s * shift
            sums[k, 3 + c] = d * p
            sums[k, 5 + c] = d * (q - dt_s * p)
        sums[k, 0] = d * w
        sums[k, 1] = d * (s - dt_s * w)
        sums[k, 2] = d * (ss - 2.0 * dt_s * s + dt_s * dt_s * w)


@njit(cache=True)
def take_in(sums) -> None:  # type: ignore[no-untyped-def]
    """Add an observation at the origin, now, in place."""
    for k in range(sums.shape[0]):
        sums[k, 0] += 1.0


@njit(cache=True)
def straight_fits(sums, out) -> None:  # type: ignore[no-untyped-def]
    """Write offset from the last position [m] and velocity [m/s] of each memory's fit, ``out`` (memories, 4)."""
    for k in range(sums.shape[0]):
        w, s, ss = sums[k, 0], sums[k, 1], sums[k, 2]
        det = w * ss - s * s
        for c in range(2):
            v = (w * sums[k, 5 + c] - s * sums[k, 3 + c]) / det if det > _TINY else 0.0
            out[k, 2 + c] = v
            out[k, c] = (sums[k, 3 + c] - v * s) / w if w > 0.0 else 0.0


@njit(cache=True)
def base_memory(noise_m) -> int:  # type: ignore[no-untyped-def]
    """Return which memory carries the body frame at a noise [m] (scaled to ten observations a second)."""
    if noise_m <= BASE_NOISE_M[0]:
        return 2
    return 3 if noise_m <= BASE_NOISE_M[1] else 4


@njit(cache=True)
def body_features(fits, sigma_m, interval_s, age_s, out, frame) -> None:  # type: ignore[no-untyped-def]
    """Write what the regression reads of one person.

    ``fits`` (memories, 4) from :func:`straight_fits`; ``sigma_m`` noise of a position; ``interval_s`` between observations;
    ``age_s`` since the first. ``out`` (FEATURES,); ``frame`` (5,): unit vector ahead, speed along it, and the base fit's offset.
    """
    noise = sigma_m * np.sqrt(interval_s / 0.1)
    k0 = base_memory(noise)
    vx, vy = fits[k0, 2], fits[k0, 3]
    speed = np.hypot(vx, vy)
    if speed > 1e-6:
        ex, ey = vx / speed, vy / speed
    else:
        ex, ey = 1.0, 0.0
    m = fits.shape[0]
    for k in range(m):
        out[k] = fits[k, 2] * ex + fits[k, 3] * ey - speed
        out[m + k] = -fits[k, 2] * ey + fits[k, 3] * ex
        out[2 * m + k] = fits[k, 0] * ex + fits[k, 1] * ey
        out[3 * m + k] = -fits[k, 0] * ey + fits[k, 1] * ex
    late = np.hypot(fits[0, 2] - fits[2, 2], fits[0, 3] - fits[2, 3])
    slow = np.hypot(fits[1, 2] - fits[3, 2], fits[1, 3] - fits[3, 3])
    long_ago = np.hypot(fits[4, 2], fits[4, 3])
    at = 4 * m
    out[at] = speed
    out[at + 1] = np.exp(-speed / 0.15)
    out[at + 2] = np.log(late + 0.003)
    out[at + 3] = np.log(slow + 0.003)
    out[at + 4] = np.log(sigma_m + 0.003)
    out[at + 5] = np.log(min(max(interval_s, 0.02), 1.0))
    out[at + 6] = min(age_s, 3.0)
    out[at + 7] = speed * speed
    out[at + 8] = long_ago
    frame[0], frame[1], frame[2] = ex, ey, speed
    frame[3], frame[4] = fits[k0, 0], fits[k0, 1]


@njit(cache=True)
def track_features(t_s, xy_m, sigma_m) -> tuple:  # type: ignore[no-untyped-def, type-arg]
    """Return features (k, FEATURES) and frames (k, 5) at every observation of one track, (k,) [s] and (k, 2) [m].

    The same arithmetic as a run's, for fitting and for tests.
    """
    n = len(t_s)
    features, frames = np.zeros((n, FEATURES)), np.zeros((n, 5))
    sums, fits = np.zeros((MEMORIES, SUMS)), np.zeros((MEMORIES, 4))
    interval = 0.1
    for i in range(n):
        if i:
            dt = t_s[i] - t_s[i - 1]
            interval = dt if i == 1 else interval + 0.1 * (dt - interval)
            fade(sums, dt, xy_m[i, 0] - xy_m[i - 1, 0], xy_m[i, 1] - xy_m[i - 1, 1])
        take_in(sums)
        straight_fits(sums, fits)
        body_features(fits, sigma_m, interval, t_s[i] - t_s[0], features[i], frames[i])
    return features, frames


def straight_fit_reference(t_s: FloatArray, xy_m: FloatArray, memory_s: float) -> tuple[FloatArray, FloatArray]:
    """Return position [m] and velocity [m/s] at the last of (k,) times by weighted least squares, written plainly.

    Parameters
    ----------
    t_s : (k,) times [s].
    xy_m : (k, 2) positions [m].
    memory_s : time constant of the weights [s].
    """
    age = t_s - t_s[-1]
    root = np.exp(0.5 * age / memory_s)
    design = np.stack([np.ones_like(age), age], axis=1)
    solution = np.linalg.lstsq(design * root[:, None], xy_m * root[:, None], rcond=None)[0]
    return solution[0], solution[1]
