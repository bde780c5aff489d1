"""The revised NIOSH lifting equation: how much may be lifted, and how much of that a lift is.

References
----------
.. [1] Waters, Putz-Anderson and Garg, Applications manual for the revised NIOSH lifting equation, DHHS (NIOSH) 94-110 (1994),
       tables 2, 5 and 7.
"""

from __future__ import annotations

import numpy as np

from humans.tasks import LiftConfig

LOAD_CONSTANT_KG = 23.0

_PER_MIN = (0.2, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
# Table 5 of [1]: up to 1, 2 and 8 hours, each with the hands below 75 cm and above.
_FREQUENCY = {
    (1.0, False): (1.0, 0.97, 0.94, 0.91, 0.88, 0.84, 0.80, 0.75, 0.70, 0.60, 0.52, 0.45, 0.41, 0.37, 0.0, 0.0, 0.0),
    (1.0, True): (1.0, 0.97, 0.94, 0.91, 0.88, 0.84, 0.80, 0.75, 0.70, 0.60, 0.52, 0.45, 0.41, 0.37, 0.34, 0.31, 0.28),
    (2.0, False): (0.95, 0.92, 0.88, 0.84, 0.79, 0.72, 0.60, 0.50, 0.42, 0.35, 0.30, 0.26, 0.0, 0.0, 0.0, 0.0, 0.0),
    (2.0, True): (0.95, 0.92, 0.88, 0.84, 0.79, 0.72, 0.60, 0.50, 0.42, 0.35, 0.30, 0.26, 0.23, 0.21, 0.0, 0.0, 0.0),
    (8.0, False): (0.85, 0.81, 0.75, 0.65, 0.55, 0.45, 0.35, 0.27, 0.22, 0.18, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (8.0, True): (0.85, 0.81, 0.75, 0.65, 0.55, 0.45, 0.35, 0.27, 0.22, 0.18, 0.15, 0.13, 0.0, 0.0, 0.0, 0.0, 0.0),
}
# Table 7 of [1]: hands below 75 cm and above.
_COUPLING = {"good": (1.0, 1.0), "fair": (0.95, 1.0), "poor": (0.90, 0.90)}


def frequency_multiplier(per_min: float, hours: float, height_m: float) -> float:
    """Frequency multiplier FM, linear between the rows of the table.

    Parameters
    ----------
    per_min : lifts per minute; above 15 nothing may be lifted.
    hours : duration of the lifting in a shift [h], up to 8.
    height_m : height of the hands [m].
    """
    if per_min > _PER_MIN[-1]:
        return 0.0
    longest = next((limit for limit in (1.0, 2.0) if hours <= limit), 8.0)
    return float(np.interp(per_min, _PER_MIN, _FREQUENCY[longest, height_m >= 0.75]))


def recommended_limit_kg(lift: LiftConfig, height_m: float | None = None) -> float:
    """Recommended weight limit RWL at one end of a lift [kg].

    Parameters
    ----------
    lift : the lift.
    height_m : height of the hands [m], the lift's start when absent.

    Returns
    -------
    ``23 kg HM VM DM AM FM CM`` [1]_; 0 where a measure is outside what the equation allows.
    """
    hands_m = lift.from_m if height_m is None else height_m
    horizontal_cm, height_cm = max(100 * lift.horizontal_m, 25.0), 100 * hands_m
    distance_cm = max(100 * abs(lift.to_m - lift.from_m), 25.0)
    if horizontal_cm > 63 + 1e-9 or height_cm > 175 + 1e-9 or distance_cm > 175 + 1e-9 or lift.asymmetry_deg > 135:
        return 0.0
    position = (25.0 / horizontal_cm) * (1.0 - 0.003 * abs(height_cm - 75.0)) * (0.82 + 4.5 / distance_cm)
    turn = 1.0 - 0.0032 * lift.asymmetry_deg
    grip = _COUPLING[lift.coupling][int(hands_m >= 0.75)]
    return LOAD_CONSTANT_KG * position * turn * frequency_multiplier(lift.per_min, lift.hours, hands_m) * grip


def lifting_index(lift: LiftConfig) -> float:
    """Lifting index: the load over the smaller limit of both ends; above 1 the risk of back pain grows, inf where none may be."""
    limit = min(recommended_limit_kg(lift, lift.from_m), recommended_limit_kg(lift, lift.to_m))
    return lift.load_kg / limit if limit > 0 else float("inf")
