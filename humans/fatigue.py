"""How muscles and people tire: the three-compartment muscle model, and general fatigue and recovery.

References
----------
.. [1] Xia and Frey-Law, A theoretical approach for modeling peripheral muscle fatigue and recovery, J. Biomech. 41 (2008).
.. [2] Frey-Law, Looft and Heitsman, A three-compartment muscle fatigue model accurately predicts joint-specific maximum
       endurance times for sustained isometric tasks, J. Biomech. 45 (2012): the rates below.
.. [3] Looft, Herkert and Frey-Law, Modification of a three-compartment muscle fatigue model to predict peak torque decline
       during intermittent tasks, J. Biomech. 77 (2018): faster recovery at rest.
.. [4] Jaber, Givi and Neumann, Incorporating human fatigue and recovery into the learning-forgetting process, Appl. Math.
       Modelling 37 (2013).
.. [5] Frey-Law and Avin, Endurance time is joint-specific: a modelling and meta-analysis investigation, Ergonomics 53 (2010).
"""

from __future__ import annotations

import math

import numpy as np

from humans.types import BoolArray, FloatArray

MUSCLE_RATES_PER_S = {"shoulder": (0.0182, 0.00168), "ankle": (0.00589, 0.00058)}
"""Rates of fatigue and recovery, F and R, of a joint's muscles [1/s], from [2]_."""

ENDURANCE_CURVES = {"shoulder": (14.86, -1.83), "ankle": (34.71, -2.06)}
"""Empirical endurance ``b0 load^b1``, b0 [s] and b1, from the power models of [5]_."""

DRIVE_PER_S = 10.0
"""How fast activation follows the wanted load, L_D and L_R of [1]_ [1/s]."""


def three_compartments(
    load: float, fatigue_per_s: float, recovery_per_s: float, duration_s: float, step_s: float = 0.005
) -> FloatArray:
    """Integrate the three-compartment model of [1]_ under a constant load; the plain reference of :func:`tire`.

    Parameters
    ----------
    load : wanted share of the greatest voluntary force, 0..1.
    fatigue_per_s, recovery_per_s : F and R [1/s].
    duration_s, step_s : how long, and the step of the midpoint rule [s].

    Returns
    -------
    (steps + 1, 3) shares of the muscle that rest, act and are fatigued, MR, MA and MF, at every step.
    """

    def rates(rest: float, active: float, tired: float) -> tuple[float, float, float]:
        missing = load - active
        # Eq. 4 of [1]: drive towards the load, as far as resting muscle reaches, and let go where there is too much.
        drive = DRIVE_PER_S * (min(missing, rest) if missing > 0 else missing)
        tiring, recovery = fatigue_per_s * active, recovery_per_s * tired
        return -drive + recovery, drive - tiring, tiring - recovery  # eqs. 1-3

    steps = round(duration_s / step_s)
    out = np.empty((steps + 1, 3))
    out[0] = rest, active, tired = 1.0, 0.0, 0.0
    for k in range(steps):
        a, b, c = rates(rest, active, tired)
        half = 0.5 * step_s
        a, b, c = rates(rest + half * a, active + half * b, tired + half * c)
        rest, active, tired = rest + step_s * a, active + step_s * b, tired + step_s * c
        out[k + 1] = rest, active, tired
    return out


def endurance_s(load: float, fatigue_per_s: float, recovery_per_s: float) -> float:
    """How long a load can be held [s], inf where for ever.

    The activation is taken to follow the load at once, so that the fatigued share is a first-order course towards ``F load / R``
    and the load is lost when it reaches ``1 - load``.

    Parameters
    ----------
    load : share of the greatest voluntary force, above 0 and below 1.
    fatigue_per_s, recovery_per_s : F and R [1/s].
    """
    if not 0 < load < 1:
        raise ValueError(f"load {load:g} must be a share of the greatest voluntary force, above 0 and below 1")
    left = 1.0 - recovery_per_s * (1.0 - load) / (fatigue_per_s * load)
    return -math.log(left) / recovery_per_s if left > 0 else math.inf


def tire(
    tired: FloatArray, load: FloatArray, fatigue_per_s: FloatArray, recovery_per_s: float, rest_multiplier: float, dt_s: float
) -> FloatArray:
    """Fatigued share of the muscle after ``dt_s`` under constant loads, in closed form.

    Parameters
    ----------
    tired : (n,) fatigued share now, 0..1.
    load : (n,) wanted share of the greatest voluntary force, 0..1; 0 at rest.
    fatigue_per_s, recovery_per_s : F (n,) and R [1/s].
    rest_multiplier : how many times faster muscle recovers at rest [3]_.
    dt_s : time [s].

    Returns
    -------
    (n,) fatigued share.
    """
    recovery = np.where(load > 0, recovery_per_s, recovery_per_s * rest_multiplier)
    limit = 1.0 - load
    # As long as there is muscle enough: MF' = F load - R MF.
    settled = fatigue_per_s * load / recovery
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (settled - limit) / (settled - tired)
        full_s = np.where((settled > limit) & (tired < limit), -np.log(share) / recovery, np.where(tired < limit, np.inf, 0.0))
    held_s = np.minimum(full_s, dt_s)
    out = settled + (tired - settled) * np.exp(-recovery * held_s)
    # Afterwards all that is not fatigued acts: MF' = F (1 - MF) - R MF.
    both = fatigue_per_s + recovery
    spent = fatigue_per_s / both
    return np.asarray(spent + (out - spent) * np.exp(-both * (dt_s - held_s)), dtype=np.float64)


def general_fatigue(
    fatigue: FloatArray, working: BoolArray, tiring_per_s: float, recovery_per_s: float, dt_s: float
) -> FloatArray:
    """General fatigue after ``dt_s`` more of work or rest [4]_.

    ``F(t) = 1 - exp(-lambda t)`` at work, ``F exp(-mu tau)`` after a rest of ``tau``.

    Parameters
    ----------
    fatigue : (n,) fatigue now, 0..1.
    working : (n,) whether at work.
    tiring_per_s, recovery_per_s : lambda and mu [1/s].
    dt_s : time [s].
    """
    at_work = 1.0 - (1.0 - fatigue) * math.exp(-tiring_per_s * dt_s)
    return np.where(working, at_work, fatigue * math.exp(-recovery_per_s * dt_s))
