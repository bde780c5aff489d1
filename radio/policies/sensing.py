"""What devices sense and hear by themselves: their own sweeps, bodies around them, and neighbours' beacons.

A device knows its own measurements before the network does: they wait for no report and are rounded finer. Its sensors see places
of bodies within a radius, with noise; which track belongs to which body is taken as known, and nothing hides a body from them.
A beacon that a neighbour sent in one tick is heard, or lost, before the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.policies.reports import LinkBudget, Report
from radio.types import Blockers, BoolArray, FloatArray, IntArray, Sweep, Ues

SENSING_PERIOD_US = 50_000


@dataclass(frozen=True, slots=True)
class Sensed:
    """What each device has sensed and heard by the start of a tick; row u is device u's and nobody else's.

    Attributes
    ----------
    report : latest own sweep, None before the first; row u is what device u measured.
    places_us : instant of the places below [us], -1 before the first.
    position_m : (U, 2) each device's own place, with noise [m].
    height_m : (U,) height of its antenna [m].
    body_m : (U, N, 2) places of bodies, with noise; NaN for one that is out of reach, or carries the device [m].
    body_top_m, body_radius_m : (N,) height and half width of the bodies [m].
    heard : (U, U) whether device u heard the beacon that device v sent in the last tick.
    apart_m : (U, U) how far away that was by the places in the beacon and one's own [m].
    sent : (U,) which devices sent one.
    """

    report: Report | None
    places_us: int
    position_m: FloatArray
    height_m: FloatArray
    body_m: FloatArray
    body_top_m: FloatArray
    body_radius_m: FloatArray
    heard: BoolArray
    apart_m: FloatArray
    sent: BoolArray


class Sensing:
    """Sensors, receivers and sidelinks of all devices of a hall.

    Parameters
    ----------
    config : the radio section.
    rng : generator of every noise and loss of beacons.
    """

    def __init__(self, config: RadioConfig, rng: np.random.Generator) -> None:
        self._config = config.decentralised
        self._budget, self._rng = LinkBudget(config), rng
        self._report: Report | None = None
        self._places_us = -1
        none = np.zeros((0, 2))
        self._position_m, self._height_m = none, np.zeros(0)
        self._body_m, self._top_m, self._radius_m = np.zeros((0, 0, 2)), np.zeros(0), np.zeros(0)
        self._heard: BoolArray = np.zeros((0, 0), np.bool_)
        self._apart_m: FloatArray = np.zeros((0, 0))
        self._sent: BoolArray = np.zeros(0, np.bool_)

    def correct_power(self, power_db: FloatArray) -> None:
        """As :meth:`LinkBudget.correct_power`, for what devices measure from now on."""
        self._budget.correct_power(power_db)

    def measure(self, sweep: Sweep) -> None:
        """Let every device measure a sweep."""
        noise_db = self._config.measurement_noise_db
        if noise_db > 0.0:
            noisy = sweep.gain * 10.0 ** (0.1 * noise_db * self._rng.standard_normal((*sweep.gain.shape[:3], 1)))
            sweep = Sweep(sweep.time_us, noisy)
        self._report = self._budget.report(sweep, self._config.measurement_step_db)

    def look(self, time_us: int, dt_us: int, ues: Ues, blockers: Blockers) -> None:
        """Let devices look around and exchange beacons in the tick that begins at ``time_us``."""
        config, n_ue = self._config, len(ues.position_m)
        if not len(self._position_m) or time_us % SENSING_PERIOD_US < dt_us:
            self._places_us = time_us
            own = ues.position_m[:, :2]
            self._position_m = own + config.sensing_noise_m * self._rng.standard_normal(own.shape)
            self._height_m = ues.position_m[:, 2]
            place, self._top_m, self._radius_m, owner = bodies_of(blockers)
            seen = np.linalg.norm(place[None] - own[:, None], axis=2) <= config.sensing_radius_m
            seen &= owner[None] != ues.owner[:, None]
            noise = config.sensing_noise_m * self._rng.standard_normal((n_ue, *place.shape))
            self._body_m = np.where(seen[..., None], place[None] + noise, np.nan)
        period_us = config.beacon_period_ms * 1000
        turn_us = np.arange(n_ue) * period_us // max(n_ue, 1)  # by turns, so that they do not meet on the air
        self._sent = ((time_us - turn_us) % period_us < dt_us) & (config.hear_radius_m > 0.0)
        if self._sent.any():
            apart = np.linalg.norm(ues.position_m[:, None, :2] - ues.position_m[None, :, :2], axis=2)
            self._heard = (apart <= config.hear_radius_m) & self._sent[None, :] & ~np.eye(n_ue, dtype=np.bool_)
            self._heard &= self._rng.random((n_ue, n_ue)) >= config.beacon_loss
            self._apart_m = np.linalg.norm(self._position_m[:, None] - self._position_m[None], axis=2)
        else:
            self._heard, self._apart_m = np.zeros((n_ue, n_ue), np.bool_), np.zeros((n_ue, n_ue))

    def now(self) -> Sensed | None:
        """Return what devices know by now; None before they looked for the first time."""
        if self._places_us < 0:
            return None
        return Sensed(
            self._report, self._places_us, self._position_m, self._height_m, self._body_m, self._top_m, self._radius_m,
            self._heard, self._apart_m, self._sent,
        )  # fmt: skip


def bodies_of(blockers: Blockers) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Return place (N, 2), top (N,) and half width (N,) [m] of each owner of screens, and who that is (N,).

    The place is the middle of the owner's bounding rectangle; the half width that of its widest screen's cross-section.
    """
    owner, index = np.unique(blockers.owner, return_inverse=True)
    low, high = np.full((len(owner), 2), np.inf), np.full((len(owner), 2), -np.inf)
    top, wide = np.full(len(owner), -np.inf), np.zeros(len(owner))
    for ends in (blockers.start_m, blockers.end_m):
        np.minimum.at(low, index, ends[:, :2])
        np.maximum.at(high, index, ends[:, :2])
        np.maximum.at(top, index, ends[:, 2])
    np.maximum.at(wide, index, blockers.half_width_m.max(axis=1, initial=0.0))
    place: FloatArray = 0.5 * (low + high)
    return place, top, wide, owner
