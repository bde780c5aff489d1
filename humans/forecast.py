"""Where everybody's body will be: constant velocity over a 0.4 s baseline, and how far that is off.

Constant velocity is the reference that forecasts of people are measured against; acceleration is not extrapolated, for it is
about twice worse beyond a second.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from humans.types import PeopleState

STANDING_MPS = 0.15  # who is slower is taken to stay


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
    velocity = state.tracked_velocity_mps
    moving = np.hypot(velocity[:, 0], velocity[:, 1]) >= STANDING_MPS
    shift = np.where(moving[:, None], velocity * horizon_s, 0.0)
    body_shift = np.zeros((len(shift), 1, 3))
    body_shift[:, 0, :2] = shift
    panel = state.panel_position_m.copy()
    panel[:, :2] += shift[state.panel_holder]
    return replace(
        state,
        time_us=state.time_us + round(horizon_s * 1e6),
        position_m=state.position_m + shift,
        capsule_a=state.capsule_a + body_shift,
        capsule_b=state.capsule_b + body_shift,
        panel_position_m=panel,
    )
