"""People as location tags tell: one Kalman filter per person, with late places, jumps, swapped tags and silence.

A person stands or walks; two filters weigh each other (IMM). Velocity is an Ornstein-Uhlenbeck process, so that what is known of
a silent person spreads as a walk does: at first with the velocity, then with the square root of time (Singer's model one
derivative lower; Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation, 2001, 8.2 and 11.6). A
place that does not fit (chi-square of the innovation, two degrees of freedom) changes nothing; three that agree among themselves
begin the track anew. Where the places of two tags fit each other's track and not their own, the tags were swapped, and the tracks
change tags.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.linalg import expm
from scipy.stats import norm

from humans import tracking_kernels as kernel
from humans.types import BoolArray, FloatArray, IntArray

__all__ = ["PeopleEstimate", "PeopleTracker", "TrackingConfig", "filter_reference"]

_AGREE_MPS = 4.0  # places of one person are reached at less than this
_MEMORY = 200  # accepted places over which the figures are averaged


class TrackingConfig(BaseModel):
    """How people are followed from places that come now and then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    walking_sd_mps: float = Field(
        0.9, ge=0.1, le=3.0, description="Standard deviation of a walker's velocity along each axis in m/s."
    )
    walking_time_s: float = Field(
        1.5, ge=0.1, le=20.0, description="Time constant with which a walker's velocity is forgotten in s."
    )
    standing_sd_mps: float = Field(0.08, ge=0.001, le=0.5, description="The same of who stands and sways, in m/s.")
    standing_time_s: float = Field(0.5, ge=0.1, le=20.0, description="The same of who stands and sways, in s.")
    stands_s: float = Field(8.0, ge=0.5, le=600.0, description="How long people stand on average, in s.")
    walks_s: float = Field(6.0, ge=0.5, le=600.0, description="How long people walk on average, in s.")
    gate: float = Field(
        0.999, ge=0.9, lt=1.0, description="Share of true places that pass the gate (chi-square, 2 degrees of freedom)."
    )
    window_s: float = Field(
        1.0, ge=0.0, le=4.0, description="A place that comes later than this after newer ones is dropped, in s."
    )
    forget_s: float = Field(
        5.0, ge=0.5, le=300.0, description="Somebody whose tag is silent for longer is no longer taken to be there, in s."
    )
    restart_after: int = Field(3, ge=2, le=10, description="Places beyond the gate that must agree before they are believed.")
    swap_s: float = Field(1.0, ge=0.1, le=5.0, description="Two tags whose places exchange within this time were swapped, in s.")
    horizon_ms: float = Field(500.0, ge=100.0, le=2000.0, description="How far ahead the published forecast skill is, in ms.")

    def motion(self) -> FloatArray:
        """Return the numbers of the motion as the kernels take them, (MOTION,)."""
        stands, walks = (self.standing_sd_mps, self.standing_time_s), (self.walking_sd_mps, self.walking_time_s)
        return np.array([*stands, *walks, 1.0 / self.stands_s, 1.0 / self.walks_s])


@dataclass(frozen=True, slots=True)
class PeopleEstimate:
    """Where n people are thought to be at an instant.

    Attributes
    ----------
    time_us : instant [us]. known : (n,) seen lately, and more than once.
    position_m, velocity_mps : (n, 2) [m], [m/s]. sigma_m : (n,) standard deviation of the place along each axis [m].
    age_us : (n,) since the last place that was believed was measured [us], -1 for none.
    """

    time_us: int
    known: BoolArray
    position_m: FloatArray
    velocity_mps: FloatArray
    sigma_m: FloatArray
    age_us: IntArray


class PeopleTracker:
    """Follows up to n people.

    Parameters
    ----------
    n : number of people at the same time, fixed. config : see :class:`TrackingConfig`.

    Attributes
    ----------
    counts : places ``accepted``, ``gated``, ``late``, ``duplicate``, and without a free track (``full``); noticed: ``reordered``,
        ``restarted``, ``swapped``, ``forgotten``.
    squared_innovation : mean normalised innovation squared of late, 2 where accuracies are what they say; NaN before any.
    offset_m : (n,) distance of each person's last place to where the filter expected it [m], NaN for none.
    """

    def __init__(self, n: int, config: TrackingConfig) -> None:
        if n < 1:
            raise ValueError(f"n is {n}; at least one person must be followed")
        self.n, self.config = n, config
        self.counts: Counter[str] = Counter()
        self._gate, self._motion = -2.0 * math.log(1.0 - config.gate), config.motion()
        kept = kernel.KEPT
        self._at_us: IntArray = np.zeros((n, kept), np.int64)
        self._place: FloatArray = np.zeros((n, kept, 3))
        self._ok: BoolArray = np.zeros((n, kept), np.bool_)
        self._state: FloatArray = np.zeros((n, kept, kernel.STATE))
        self._count: IntArray = np.zeros(n, np.int64)
        self._slot: dict[int, int] = {}
        self._result: FloatArray = np.empty(kernel.RESULTS)
        self.squared_innovation = math.nan
        self.offset_m: FloatArray = np.full(n, np.nan)
        self._forecast_m2 = self._still_m2 = math.nan

    # ------------------------------------------------------------------ places in
    def take(self, key: IntArray, time_us: IntArray, position_m: FloatArray, sigma_m: FloatArray) -> IntArray:
        """Take places in, in the order they came.

        Parameters
        ----------
        key : (k,) whose tag, any numbers. time_us : (k,) when they were measured [us].
        position_m : (k, 2) [m]. sigma_m : (k,) standard deviation along each axis [m].

        Returns
        -------
        (k,) what became of each: ``tracking_kernels.ACCEPTED``, ``GATED``, ``LATE``, ``DUPLICATE``; -1 without a free track.

        Raises
        ------
        ValueError
            If a standard deviation is not above 0, or a place is no number.
        """
        if not ((sigma_m > 0.0).all() and np.isfinite(position_m).all()):
            raise ValueError("every place must be finite and its sigma_m above 0")
        fate = np.empty(len(key), np.int64)
        rows = zip(key.tolist(), time_us.tolist(), position_m.tolist(), sigma_m.tolist(), strict=True)
        for row, (name, at_us, (x, y), sigma) in enumerate(rows):
            fate[row] = self._take_one(name, at_us, x, y, sigma)
        return fate

    def _take_one(self, name: int, at_us: int, x: float, y: float, sigma: float) -> int:
        slot = self._slot_for(name, at_us)
        if slot < 0:
            self.counts["full"] += 1
            return -1
        newest = self._at_us[slot, self._count[slot] - 1] if self._count[slot] else at_us
        fate = self._insert(slot, at_us, x, y, sigma)
        self.counts[("accepted", "gated", "late", "duplicate")[fate]] += 1
        if fate == kernel.ACCEPTED:
            self.counts["reordered"] += int(at_us < newest)
            self._learn(slot)
        elif fate == kernel.GATED:
            self._learn(slot)
            other = self._swapped_with(slot, at_us, x, y, sigma)
            if other >= 0:
                self._swap(slot, other)
            else:
                self._restart_where_agreed(slot)
        return fate

    def _insert(self, slot: int, at_us: int, x: float, y: float, sigma: float) -> int:
        c = self.config
        return int(kernel.take(
            self._at_us, self._place, self._ok, self._state, self._count, slot, at_us, x, y, sigma, round(c.window_s * 1e6),
            self._motion, self._gate, round(c.horizon_ms * 1000.0), self._result,
        ))  # fmt: skip

    def _slot_for(self, name: int, at_us: int) -> int:
        slot = self._slot.get(name, -1)
        if slot >= 0:
            return slot
        free = np.flatnonzero(self._count == 0)
        if not len(free):
            self.forget(at_us)
            free = np.flatnonzero(self._count == 0)
        if not len(free):
            return -1
        slot = self._slot[name] = int(free[0])
        self.offset_m[slot] = np.nan
        return slot

    def _learn(self, slot: int) -> None:
        """Keep running means of what the last place says about filter and forecast."""
        nis, offset_m, forecast_m2, still_m2, _ = self._result.tolist()
        if math.isfinite(nis):
            self.offset_m[slot] = offset_m
            nis = min(nis, self._gate)  # one wild place must not count for hundreds
            self.squared_innovation = _faded(self.squared_innovation, nis)
        if math.isfinite(forecast_m2):
            self._forecast_m2 = _faded(self._forecast_m2, forecast_m2)
            self._still_m2 = _faded(self._still_m2, still_m2)

    # ------------------------------------------------------------------ jumps, swaps, silence
    def _rejected(self, slot: int) -> int:
        """Return how many of a track's last places in a row were beyond the gate."""
        n, k = int(self._count[slot]), 0
        while k < n and not self._ok[slot, n - 1 - k]:
            k += 1
        return k

    def _restart_where_agreed(self, slot: int) -> None:
        n, m = int(self._count[slot]), self.config.restart_after
        if self._rejected(slot) < m:
            return
        at_s, place = self._at_us[slot, n - m : n] * 1e-6, self._place[slot, n - m : n]
        way, reach = np.hypot(*np.diff(place[:, :2], axis=0).T), _AGREE_MPS * np.diff(at_s) + 3.0 * math.sqrt(2.0) * place[1:, 2]
        if (way <= reach).all():
            self._begin_with(slot, n - m)
            self.counts["restarted"] += 1

    def _begin_with(self, slot: int, first: int) -> None:
        tracks = self._at_us, self._place, self._ok, self._state, self._count
        kernel.begin_with(*tracks, slot, first, self._motion, self._gate)

    def _misfit(self, slot: int, at_us: int, x: float, y: float, sigma: float) -> float:
        return float(kernel.misfit(self._at_us, self._state, self._count, slot, at_us, x, y, sigma, self._motion))

    def _swapped_with(self, slot: int, at_us: int, x: float, y: float, sigma: float) -> int:
        """Find the track that this place fits, and whose own last place fits this track instead; -1 for none."""
        for other in self._slot.values():
            last = int(self._count[other]) - 1
            if other == slot or last < 1 or self._ok[other, last]:
                continue
            if abs(at_us - self._at_us[other, last]) > self.config.swap_s * 1e6:
                continue
            theirs = int(self._at_us[other, last]), *self._place[other, last].tolist()
            if self._misfit(other, at_us, x, y, sigma) <= self._gate and self._misfit(slot, *theirs) <= self._gate:
                return other
        return -1

    def _swap(self, a: int, b: int) -> None:
        """Let two tracks change tags; the places that were refused go to the track that they fit."""
        moved = []
        for slot in (a, b):
            n, k = int(self._count[slot]), self._rejected(slot)
            moved.append([(int(self._at_us[slot, j]), *self._place[slot, j].tolist()) for j in range(n - k, n)])
            self._count[slot] = n - k
        self._slot = {name: b if slot == a else a if slot == b else slot for name, slot in self._slot.items()}
        for slot, places in ((b, moved[0]), (a, moved[1])):
            for at_us, x, y, sigma in places:
                self._insert(slot, at_us, x, y, sigma)
        self.counts["swapped"] += 1

    def forget(self, time_us: int) -> None:
        """Let go of everybody who has been silent for longer than ``forget_s`` at ``time_us``."""
        latest = round(self.config.forget_s * 1e6)
        for name, slot in list(self._slot.items()):
            if time_us - int(self._at_us[slot, self._count[slot] - 1]) > latest:
                self._free(name)
                self.counts["forgotten"] += 1

    def _free(self, name: int) -> None:
        slot = self._slot.pop(name)
        self._count[slot] = 0
        self.offset_m[slot] = np.nan

    def clear(self) -> None:
        """Let go of everybody, as when all tags get new pseudonyms."""
        for name in list(self._slot):
            self._free(name)

    def shift(self, by_us: int) -> None:
        """Move all that was measured by ``by_us`` in time, as when the twin stood still while the plant went on."""
        self._at_us += by_us

    # ------------------------------------------------------------------ what is known
    def estimate(self, time_us: int) -> PeopleEstimate:
        """Return where people are at ``time_us`` [us], by all that is known when this is called."""
        state, age_us = np.empty((self.n, 7)), np.empty(self.n, np.int64)
        kernel.estimate(self._at_us, self._ok, self._state, self._count, time_us, self._motion, state, age_us)
        known = (self._count > 1) & (age_us >= 0) & (age_us <= round(self.config.forget_s * 1e6))
        return PeopleEstimate(time_us, known, state[:, :2].copy(), state[:, 2:4].copy(), np.sqrt(state[:, 4]), age_us)

    def slot_of(self, key: int) -> int:
        """Return the row of a tag's person, -1 for nobody."""
        return self._slot.get(int(key), -1)

    @property
    def skill(self) -> float:
        """Forecast skill against standing still, 1 - ratio of mean squared errors at ``horizon_ms``; NaN before any.

        Both errors hold the noise of the place they are judged by.
        """
        return 1.0 - self._forecast_m2 / self._still_m2 if self._still_m2 > 0.0 else math.nan


def _faded(mean: float, value: float) -> float:
    return value if math.isnan(mean) else mean + (value - mean) / _MEMORY


def filter_reference(
    time_s: FloatArray, position_m: FloatArray, sigma_m: FloatArray, at_s: float, config: TrackingConfig
) -> tuple[FloatArray, FloatArray, float]:
    """Return state (2, 2) place and velocity of both axes, its covariance (2, 2) and the probability of walking at ``at_s``.

    The same filter of (k,) places in order by matrices, without a gate: transition and process noise from a matrix exponential
    and a numerical integral, likelihoods from scipy's normal distribution. This is what the kernels are held against.
    """
    models = ((config.standing_sd_mps, config.standing_time_s), (config.walking_sd_mps, config.walking_time_s))
    chain = np.array([[-1.0 / config.stands_s, 1.0 / config.stands_s], [1.0 / config.walks_s, -1.0 / config.walks_s]])

    def moved(mean: FloatArray, cov: FloatArray, dt: float, model: int) -> tuple[FloatArray, FloatArray]:
        sd, tau = models[model]
        drift = np.array([[0.0, 1.0], [0.0, -1.0 / tau]])
        nodes, weights = np.polynomial.legendre.leggauss(8)
        noise = np.zeros((2, 2))
        for node, weight in zip(nodes, weights, strict=True):
            column = expm(drift * 0.5 * dt * (node + 1.0))[:, 1:]
            noise += 0.5 * dt * weight * (2.0 * sd**2 / tau) * column @ column.T
        f = expm(drift * dt)
        return f @ mean, f @ cov @ f.T + noise

    def mixed(weight: FloatArray, means: list[FloatArray], covs: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        mean = sum((w * m for w, m in zip(weight, means, strict=True)), np.zeros((2, 2)))
        away = [m - mean for m in means]
        cov = sum((w * (c + 0.5 * a @ a.T) for w, c, a in zip(weight, covs, away, strict=True)), np.zeros((2, 2)))
        return mean, cov

    def ahead(dt: float) -> tuple[list[FloatArray], list[FloatArray], FloatArray]:
        joint = probability[:, None] * expm(chain * dt)
        after: FloatArray = joint.sum(axis=0)
        steps = []
        for m in range(2):
            # Who changes from one to the other takes on a velocity of the new kind, of which nothing is known yet.
            own = [means[k] if k == m else means[k] * [[1.0], [0.0]] for k in range(2)]
            wide = [covs[k] if k == m else np.diag([covs[k][0, 0], models[m][0] ** 2]) for k in range(2)]
            steps.append(moved(*mixed(joint[:, m] / after[m], own, wide), dt, m))
        return [s[0] for s in steps], [s[1] for s in steps], after

    probability = np.array([config.stands_s, config.walks_s]) / (config.stands_s + config.walks_s)
    means = [np.array([position_m[0], np.zeros(2)]) for _ in models]
    covs = [np.diag([sigma_m[0] ** 2, sd**2]) for sd, _ in models]
    for k in range(1, len(time_s)):
        means, covs, probability = ahead(float(time_s[k] - time_s[k - 1]))
        likelihood = np.empty(2)
        for m in range(2):
            total = covs[m][0, 0] + sigma_m[k] ** 2
            off = position_m[k] - means[m][0]
            likelihood[m] = norm.pdf(off, scale=math.sqrt(total)).prod()
            gain = covs[m][:, :1] / total
            means[m] = means[m] + gain * off
            covs[m] = covs[m] - gain @ covs[m][:1]
        probability = probability * likelihood / (probability * likelihood).sum()
    means, covs, probability = ahead(at_s - float(time_s[-1]))
    mean, cov = mixed(probability, means, covs)
    return mean, cov, float(probability[1])
