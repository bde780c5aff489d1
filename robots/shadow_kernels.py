"""Kernels of the AGV shadows: prediction along an arc, and update with a pose that an AGV told.

State (5,): x, y [m], heading [rad], speed [m/s], turn rate [rad/s]; covariance (5, 5).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def predict(state, cov, dt_s, noise, out, out_cov) -> None:  # type: ignore[no-untyped-def]
    """Write state and covariance after ``dt_s`` at constant speed and turn rate.

    ``noise`` (3,): spectral densities of acceleration [m^2/s^3], of turning acceleration [rad^2/s^3] and of slip [m^2/s].
    """
    th, v, w = state[2], state[3], state[4]
    h = 0.5 * w * dt_s
    if abs(h) > 1e-4:
        s, ds = np.sin(h) / h, (h * np.cos(h) - np.sin(h)) / (h * h)
    else:
        s, ds = 1.0 - h * h / 6.0, -h / 3.0
    c, n = np.cos(th + h), np.sin(th + h)
    way = v * dt_s * s
    f = np.eye(5)
    f[0, 2], f[0, 3], f[0, 4] = -way * n, dt_s * s * c, 0.5 * v * dt_s * dt_s * (ds * c - s * n)
    f[1, 2], f[1, 3], f[1, 4] = way * c, dt_s * s * n, 0.5 * v * dt_s * dt_s * (ds * n + s * c)
    f[2, 4] = dt_s
    turned = f @ cov @ f.T
    out[0], out[1], out[2], out[3], out[4] = state[0] + way * c, state[1] + way * n, th + w * dt_s, v, w
    # White acceleration along the way, integrated twice; and the same of the heading.
    q1, q2, q3 = dt_s, 0.5 * dt_s * dt_s, dt_s * dt_s * dt_s / 3.0
    along = (c, n)
    for a in range(2):
        for b in range(2):
            turned[a, b] += noise[0] * q3 * along[a] * along[b]
        turned[a, a] += noise[2] * dt_s
        turned[a, 3] += noise[0] * q2 * along[a]
        turned[3, a] += noise[0] * q2 * along[a]
    turned[3, 3] += noise[0] * q1
    turned[2, 2] += noise[1] * q3
    turned[2, 4] += noise[1] * q2
    turned[4, 2] += noise[1] * q2
    turned[4, 4] += noise[1] * q1
    out_cov[:] = turned


@njit(cache=True)
def wrapped(angle_rad) -> float:  # type: ignore[no-untyped-def]
    """Return an angle between -pi and pi."""
    return float((angle_rad + np.pi) % (2.0 * np.pi) - np.pi)


@njit(cache=True)
def update(state, cov, measured, variance, gate) -> float:  # type: ignore[no-untyped-def]
    """Take a pose, and speed and turn rate where finite, into ``state`` and ``cov`` in place, unless it is beyond ``gate``.

    ``measured`` (5,) and ``variance`` (5,) of its parts, independent of each other. Returns the normalised innovation squared
    of the pose (three degrees of freedom); above ``gate`` nothing was changed.
    """
    off = np.empty(3)
    off[0], off[1], off[2] = measured[0] - state[0], measured[1] - state[1], wrapped(measured[2] - state[2])
    s = cov[:3, :3].copy()
    for k in range(3):
        s[k, k] += variance[k]
    nis = float(np.dot(off, np.linalg.solve(s, off)))
    if not nis <= gate:
        return nis
    # Independent parts may be taken in one after the other; each is a division.
    for k in range(5):
        if not np.isfinite(measured[k]):
            continue
        d = wrapped(measured[k] - state[k]) if k == 2 else measured[k] - state[k]
        gain = cov[:, k] / (cov[k, k] + variance[k])
        row = cov[k].copy()
        for a in range(5):
            state[a] += gain[a] * d
            for b in range(5):
                cov[a, b] -= gain[a] * row[b]
    return nis


@njit(cache=True)
def estimate(state, cov, at_us, known, rest, time_us, noise, out, spread_m) -> None:  # type: ignore[no-untyped-def]
    """Write every AGV's state at ``time_us``, ``out`` (n, 5), and the deviation of its place along each axis, (n,) [m].

    ``rest`` (n,) standing AGVs, which are taken to go on standing.
    """
    after, after_cov = np.empty(5), np.empty((5, 5))
    for i in range(at_us.shape[0]):
        if not known[i]:
            out[i], spread_m[i] = np.nan, np.nan
            continue
        dt_s = max(time_us - at_us[i], 0) * 1e-6
        predict(state[i], cov[i], dt_s, noise[1] if rest[i] else noise[0], after, after_cov)
        if rest[i]:
            after[:3] = state[i, :3]
        out[i] = after
        spread_m[i] = np.sqrt(0.5 * (after_cov[0, 0] + after_cov[1, 1]))
