"""Where everybody's body will be.

Two forecasts: constant velocity over a 0.4 s baseline with the spread that it had over recorded people, which a run uses and
which forecasts of people are measured against; and :class:`Forecaster`, which watches a hall, draws whole futures and calibrates
how sure it is. Acceleration is not extrapolated by either, for that is about twice worse beyond a second.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from humans.forecast_bodies import bodies_of_samples
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig, PeopleForecast, PeopleSamples
from humans.types import FloatArray, PeopleState

__all__ = [
    "ForecastConfig",
    "Forecaster",
    "PeopleForecast",
    "PeopleSamples",
    "bodies_of_samples",
    "forecast_constant_velocity",
    "forecast_spread_m",
]

STANDING_MPS = 0.15  # who is slower is taken to stay

# Spread of this forecast over THOR (Rudenko 2020: 1,605 tracks of eight seconds in an industrial-like room), by
# tracked speed: root mean square error of each axis. Over all speeds the mean final displacement error is 0.036, 0.086, 0.146 and
# 0.306 m, between the published figures of its workers and its inspectors.
SPREAD_HORIZON_S = np.array([0.0, 0.4, 0.8, 1.2, 2.0])
SPREAD_SPEED_MPS = np.array([0.15, 0.5, 0.9, 1.3])
"""Upper edges of the speed bins but the last."""
SPREAD_M = np.array(
    [
        [0.0, 0.028, 0.071, 0.123, 0.250],
        [0.0, 0.047, 0.113, 0.188, 0.362],
        [0.0, 0.067, 0.160, 0.266, 0.528],
        [0.0, 0.045, 0.120, 0.214, 0.462],
        [0.0, 0.044, 0.126, 0.246, 0.564],
    ]
)
"""Standard deviation along x and along y (speed bin, horizon) [m]."""


@njit(cache=True)
def _move_on(horizon_s, velocity, position, a, b, holder, panel, out_xy, out, out_panel) -> None:  # type: ignore[no-untyped-def]
    """Write places (n, 2), capsules (2, n, 12, 3) and panels (k, 3) [m] shifted by velocity times horizon, if that moves."""
    shift = np.empty((position.shape[0], 2))
    for i in range(position.shape[0]):
        moving = np.hypot(velocity[i, 0], velocity[i, 1]) >= STANDING_MPS
        dx = velocity[i, 0] * horizon_s if moving else 0.0
        dy = velocity[i, 1] * horizon_s if moving else 0.0
        shift[i, 0], shift[i, 1] = dx, dy
        out_xy[i, 0], out_xy[i, 1] = position[i, 0] + dx, position[i, 1] + dy
        for c in range(a.shape[1]):
            out[0, i, c, 0], out[0, i, c, 1], out[0, i, c, 2] = a[i, c, 0] + dx, a[i, c, 1] + dy, a[i, c, 2]
            out[1, i, c, 0], out[1, i, c, 1], out[1, i, c, 2] = b[i, c, 0] + dx, b[i, c, 1] + dy, b[i, c, 2]
    for k in range(holder.shape[0]):
        i = holder[k]
        out_panel[k, 0], out_panel[k, 1], out_panel[k, 2] = panel[k, 0] + shift[i, 0], panel[k, 1] + shift[i, 1], panel[k, 2]


def forecast_constant_velocity(state: PeopleState, horizon_s: float) -> PeopleState:
    """Return everybody as expected ``horizon_s`` ahead.

    Parameters
    ----------
    state : people now; only positions, tracked velocities and bodies are used, never goals.
    horizon_s : how far ahead [s].

    Returns
    -------
    PeopleState
        Bodies moved rigidly by tracked velocity times horizon; whoever stands stays.

    Raises
    ------
    ValueError
        For a negative horizon.
    """
    if horizon_s < 0.0:
        raise ValueError(f"horizon_s {horizon_s} lies in the past; give 0 or more seconds")
    position, capsule = np.empty_like(state.position_m), np.empty((2, *state.capsule_a.shape))
    panel = np.empty_like(state.panel_position_m)
    _move_on(
        float(horizon_s), state.tracked_velocity_mps, state.position_m, state.capsule_a, state.capsule_b,
        state.panel_holder, state.panel_position_m, position, capsule, panel,
    )  # fmt: skip
    load = state.load_center_m
    if len(state.load_holder):
        load = load.copy()
        load[:, :2] += position[state.load_holder] - state.position_m[state.load_holder]
    return PeopleState(
        time_us=state.time_us + round(horizon_s * 1e6),
        present=state.present,
        position_m=position,
        velocity_mps=state.velocity_mps,
        tracked_velocity_mps=state.tracked_velocity_mps,
        heading_rad=state.heading_rad,
        stature_m=state.stature_m,
        capsule_a=capsule[0],
        capsule_b=capsule[1],
        capsule_radius_m=state.capsule_radius_m,
        activity=state.activity,
        role=state.role,
        pseudonym=state.pseudonym,
        panel_holder=state.panel_holder,
        panel_position_m=panel,
        goal_m=state.goal_m,
        load_holder=state.load_holder,
        load_center_m=load,
        load_half_m=state.load_half_m,
    )


def forecast_spread_m(state: PeopleState, horizon_s: float) -> FloatArray:
    """Return how far off the forecast may be: the standard deviation along each axis, by each person's speed bin.

    Parameters
    ----------
    state : people now.
    horizon_s : how far ahead [s]; linear between the measured horizons, and beyond the last one as over its last stretch.

    Returns
    -------
    (n,) standard deviations [m].
    """
    if horizon_s < 0.0:
        raise ValueError(f"horizon_s {horizon_s} lies in the past; give 0 or more seconds")
    velocity = state.tracked_velocity_mps
    row = SPREAD_M[np.digitize(np.hypot(velocity[:, 0], velocity[:, 1]), SPREAD_SPEED_MPS)]
    k = min(max(int(np.searchsorted(SPREAD_HORIZON_S, horizon_s)), 1), len(SPREAD_HORIZON_S) - 1)
    share = (horizon_s - SPREAD_HORIZON_S[k - 1]) / (SPREAD_HORIZON_S[k] - SPREAD_HORIZON_S[k - 1])
    spread: FloatArray = row[:, k - 1] + share * (row[:, k] - row[:, k - 1])
    return spread
