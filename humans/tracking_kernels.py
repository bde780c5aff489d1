"""Kernels of the people tracker: prediction, update in the order of measuring, and what is known at an instant.

A person stands or walks, and nobody says which; so two Kalman filters run side by side and weigh each other (interacting multiple
models, IMM: Blom and Bar-Shalom, IEEE Trans. Automatic Control 33(8), 1988). Standing is the same model as walking with a small
velocity. A state (15,) is the probability of walking, and for standing and walking each: x, y, vx, vy, and variance of place,
covariance, variance of velocity, which both axes share.

A track keeps its last ``KEPT`` places in the order of their measuring with the state after each. So a place that comes late is
put where it belongs, and only what follows is filtered again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

KEPT = 48
"""Places kept per track; at 5 Hz and two providers nearly 5 s."""
STATE = 15
SETTLES = 4
"""Places of a new track after which its forecasts are judged; the first tell no velocity."""
ACCEPTED, GATED, LATE, DUPLICATE = range(4)
"""What became of a place."""
RESULTS = 5
"""Normalised innovation squared, distance to the prediction [m], squared errors of forecast and of standing still [m^2], their
horizon [s]; NaN where there is none."""
MOTION = 6
"""Numbers of the model: velocity's deviation [m/s] and time constant [s] of standing, of walking; rates of setting out and of
stopping [1/s]."""


@njit(cache=True)
def _move(state, dt_s, time_s, sd_mps, out) -> None:  # type: ignore[no-untyped-def]
    """Write one model's state (7,) after ``dt_s``; velocities forget themselves (integrated Ornstein-Uhlenbeck process)."""
    e = np.exp(-dt_s / time_s)
    a = time_s * (1.0 - e)
    s2 = sd_mps * sd_mps
    pp, pv, vv = state[4], state[5], state[6]
    out[0] = state[0] + a * state[2]
    out[1] = state[1] + a * state[3]
    out[2] = e * state[2]
    out[3] = e * state[3]
    q = s2 * (2.0 * time_s * dt_s - 4.0 * time_s * a + time_s * time_s * (1.0 - e * e))
    out[4] = pp + 2.0 * a * pv + a * a * vv + max(q, 0.0)  # differences of nearly equal terms at short times
    out[5] = e * (pv + a * vv) + s2 * time_s * (1.0 - e) * (1.0 - e)
    out[6] = e * e * vv + s2 * (1.0 - e * e)


@njit(cache=True)
def _mix(state, weight, out) -> None:  # type: ignore[no-untyped-def]
    """Write the mixture (7,) of standing and walking in ``state`` (15,), with ``weight`` for walking."""
    u = 1.0 - weight
    for c in range(7):
        out[c] = u * state[1 + c] + weight * state[8 + c]
    both = 0.5 * u * weight  # both axes share their variances, so the means' spread is that of an axis on average
    dx, dy = state[8] - state[1], state[9] - state[2]
    dvx, dvy = state[10] - state[3], state[11] - state[4]
    out[4] += both * (dx * dx + dy * dy)
    out[5] += both * (dx * dvx + dy * dvy)
    out[6] += both * (dvx * dvx + dvy * dvy)


@njit(cache=True)
def predict(state, dt_s, motion, out) -> None:  # type: ignore[no-untyped-def]
    """Write ``state`` (15,) after ``dt_s`` into ``out``; ``motion`` (MOTION,)."""
    rate = motion[4] + motion[5]
    share = 1.0 - np.exp(-rate * dt_s)
    goes, stops = share * motion[4] / rate, share * motion[5] / rate
    p = state[0]
    walks = p * (1.0 - stops) + (1.0 - p) * goes
    stands = 1.0 - walks
    mixed, other = np.empty(7), state.copy()
    # Who stops or sets out takes on a velocity of the new kind, of which nothing is known yet.
    other[10], other[11], other[13], other[14] = 0.0, 0.0, 0.0, motion[0] * motion[0]
    _mix(other, p * stops / stands if stands > 0.0 else 0.0, mixed)
    _move(mixed, dt_s, motion[1], motion[0], out[1:8])
    other[:] = state
    other[3], other[4], other[6], other[7] = 0.0, 0.0, 0.0, motion[2] * motion[2]
    _mix(other, p * (1.0 - stops) / walks if walks > 0.0 else 1.0, mixed)
    _move(mixed, dt_s, motion[3], motion[2], out[8:15])
    out[0] = walks


@njit(cache=True)
def mixture(state, out) -> None:  # type: ignore[no-untyped-def]
    """Write place, velocity and variances (7,) of a state (15,), whatever the person does."""
    _mix(state, state[0], out)


@njit(cache=True)
def _update(state, x, y, r) -> None:  # type: ignore[no-untyped-def]
    """Take a place of variance ``r`` into both models of ``state`` (15,), in place."""
    log = np.empty(2)
    for m in range(2):
        own = state[1 + 7 * m : 8 + 7 * m]
        s = own[4] + r
        dx, dy = x - own[0], y - own[1]
        kp, kv = own[4] / s, own[5] / s
        log[m] = -np.log(s) - 0.5 * (dx * dx + dy * dy) / s
        own[0] += kp * dx
        own[1] += kp * dy
        own[2] += kv * dx
        own[3] += kv * dy
        own[6] -= kv * own[5]
        own[5] *= 1.0 - kp
        own[4] *= 1.0 - kp
    top = max(log[0], log[1])
    stands, walks = (1.0 - state[0]) * np.exp(log[0] - top), state[0] * np.exp(log[1] - top)
    state[0] = walks / (stands + walks)


@njit(cache=True)
def _misfit(ahead, seen, x, y, r) -> float:  # type: ignore[no-untyped-def]
    """Return the normalised innovation squared by the mixture or by walking, whichever fits better: who sets out is no jump."""
    mixed = ((x - seen[0]) ** 2 + (y - seen[1]) ** 2) / (seen[4] + r)
    walking = ((x - ahead[8]) ** 2 + (y - ahead[9]) ** 2) / (ahead[12] + r)
    return float(min(mixed, walking))


@njit(cache=True)
def _step(at_us, place, ok, state, j, motion, gate, ahead, seen) -> float:  # type: ignore[no-untyped-def]
    """Filter place ``j`` of one track; ``seen`` (7,) gets the prediction. Returns the normalised innovation squared."""
    x, y, r = place[j, 0], place[j, 1], place[j, 2] * place[j, 2]
    if j == 0:
        state[0, 0] = motion[4] / (motion[4] + motion[5])
        for m in range(2):
            k = 1 + 7 * m
            state[0, k], state[0, k + 1], state[0, k + 2], state[0, k + 3] = x, y, 0.0, 0.0
            state[0, k + 4], state[0, k + 5], state[0, k + 6] = r, 0.0, motion[2 * m] * motion[2 * m]
        ok[0] = True
        return np.nan
    predict(state[j - 1], (at_us[j] - at_us[j - 1]) * 1e-6, motion, ahead)
    mixture(ahead, seen)
    dx, dy = x - seen[0], y - seen[1]
    nis = (dx * dx + dy * dy) / (seen[4] + r)
    ok[j] = _misfit(ahead, seen, x, y, r) <= gate
    state[j] = ahead
    if ok[j]:
        _update(state[j], x, y, r)
    return float(nis)


@njit(cache=True)
def take(  # type: ignore[no-untyped-def]
    at_us, place, ok, state, count, slot, time_us, x, y, sigma, window_us, motion, gate, horizon_us, result
) -> int:
    """Put one place into a track, and filter it and what follows it.

    ``at_us`` (n, KEPT), ``place`` (n, KEPT, 3) x, y and standard deviation, ``ok`` (n, KEPT), ``state`` (n, KEPT, STATE) and
    ``count`` (n,) are changed in place; ``result`` (RESULTS,) is written. Returns what became of the place.
    """
    result[:] = np.nan
    n = count[slot]
    times = at_us[slot]
    k = n
    while k > 0 and times[k - 1] > time_us:
        k -= 1
    if n > 0 and (k == 0 or time_us < times[n - 1] - window_us):
        return LATE
    j = k - 1
    while j >= 0 and times[j] == time_us:
        if place[slot, j, 0] == x and place[slot, j, 1] == y and place[slot, j, 2] == sigma:
            return DUPLICATE
        j -= 1
    if n == times.shape[0]:
        for j in range(n - 1):
            times[j], ok[slot, j] = times[j + 1], ok[slot, j + 1]
            place[slot, j], state[slot, j] = place[slot, j + 1], state[slot, j + 1]
        n -= 1
        k -= 1
        if k == 0:
            count[slot] = n
            return LATE
    for j in range(n, k, -1):
        times[j], place[slot, j] = times[j - 1], place[slot, j - 1]
    times[k] = time_us
    place[slot, k, 0], place[slot, k, 1], place[slot, k, 2] = x, y, sigma
    count[slot] = n + 1
    ahead, seen = np.empty(STATE), np.empty(7)
    result[0] = _step(times, place[slot], ok[slot], state[slot], k, motion, gate, ahead, seen)
    if k > 0:
        result[1] = np.hypot(x - seen[0], y - seen[1])
    accepted = ok[slot, k]
    for j in range(k + 1, n + 1):
        _step(times, place[slot], ok[slot], state[slot], j, motion, gate, ahead, seen)
    if accepted and k == n:
        _score(times, state[slot], k, x, y, horizon_us, motion, ahead, seen, result)
    return ACCEPTED if accepted else GATED


@njit(cache=True)
def _score(times, state, k, x, y, horizon_us, motion, ahead, seen, result) -> None:  # type: ignore[no-untyped-def]
    """Judge the forecast that was made ``horizon_us`` or a little more before place ``k`` by it, and standing still as well."""
    j = k - 1
    while j >= 0 and times[j] > times[k] - horizon_us:
        j -= 1
    if j < SETTLES or times[k] - times[j] > 2 * horizon_us:
        return
    dt_s = (times[k] - times[j]) * 1e-6
    predict(state[j], dt_s, motion, ahead)
    mixture(ahead, seen)
    result[2] = (x - seen[0]) ** 2 + (y - seen[1]) ** 2
    mixture(state[j], seen)
    result[3] = (x - seen[0]) ** 2 + (y - seen[1]) ** 2
    result[4] = dt_s


@njit(cache=True)
def misfit(at_us, state, count, slot, time_us, x, y, sigma, motion) -> float:  # type: ignore[no-untyped-def]
    """Return the normalised innovation squared that a place would have in a track; inf where the track begins later."""
    j = count[slot] - 1
    while j >= 0 and at_us[slot, j] > time_us:
        j -= 1
    if j < 0:
        return np.inf
    ahead, seen = np.empty(STATE), np.empty(7)
    predict(state[slot, j], (time_us - at_us[slot, j]) * 1e-6, motion, ahead)
    mixture(ahead, seen)
    return _misfit(ahead, seen, x, y, sigma * sigma)


@njit(cache=True)
def begin_with(at_us, place, ok, state, count, slot, first, motion, gate) -> None:  # type: ignore[no-untyped-def]
    """Forget a track's places before ``first`` and filter the others anew, in place."""
    n = count[slot] - first
    for j in range(n):
        at_us[slot, j], place[slot, j] = at_us[slot, j + first], place[slot, j + first]
    count[slot] = n
    ahead, seen = np.empty(STATE), np.empty(7)
    for j in range(n):
        _step(at_us[slot], place[slot], ok[slot], state[slot], j, motion, gate, ahead, seen)


@njit(cache=True)
def estimate(at_us, ok, state, count, time_us, motion, out, age_us) -> None:  # type: ignore[no-untyped-def]
    """Write the states at ``time_us``, ``out`` (n, 7), and the ages of the last accepted places, ``age_us`` (n,), -1: none."""
    ahead = np.empty(STATE)
    for i in range(count.shape[0]):
        n = count[i]
        age_us[i] = -1
        if n == 0:
            out[i] = 0.0
            continue
        predict(state[i, n - 1], max(time_us - at_us[i, n - 1], 0) * 1e-6, motion, ahead)
        mixture(ahead, out[i])
        j = n - 1
        while j > 0 and not ok[i, j]:
            j -= 1
        age_us[i] = max(time_us - at_us[i, j], 0)
