"""The forecaster of one hall: watches, forecasts, scores itself, and learns how sure it may be."""

from __future__ import annotations

import numpy as np

from humans import forecast_kernels as kernel
from humans.forecast_filter import MEMORIES, SUMS
from humans.forecast_numbers import KNOTS, LEVELS, MODES, SPEED_BINS, SPEED_EDGES_MPS, Numbers, fitted_numbers
from humans.forecast_places import Places, learn, recall, stay
from humans.forecast_types import ForecastConfig, PeopleForecast, PeopleSamples
from humans.gait import step_length_m
from humans.types import BoolArray, FloatArray, IntArray, PeopleState

_SLOTS = 42  # forecasts kept until they are due: 2 s and a little at the shortest period
_GAUSS_90 = 2.145966026289347  # radius of a plane Gaussian's 90 % region: sqrt(-2 ln 0.1)
_GROWN_US = 800_000  # time in view from which forecasts are scored
_YOUNG_US = 1_600_000  # time in view up to which regions are calibrated apart: the longest memory is not filled before
_FILTER_SHARE = 0.5  # of a position's noise, that is left after filtering


class Forecaster:
    """Forecasts of everybody in a hall, from perfect poses or from noisy location tags.

    It reads positions alone. Late stamps are dropped; a clock that is set back restarts the past of all; gaps beyond two seconds
    restart one person's; a jump is not believed until it is seen three times running; two tags that swap take their pasts along.

    Everybody's forecast reads the others (``humans.forecast_neighbours``). Regions are calibrated per speed bin; people who came
    into view less than 1.6 s ago have one of their own, for their errors are larger and would widen the others' regions.

    Parameters
    ----------
    n_people : number of people or tags, fixed.
    config : see :class:`ForecastConfig`.
    goals_m : (G, 2) places that people are known to go to, None for none [m].
    rng : generator for :meth:`samples` where none is given.
    numbers : fitted numbers, the shipped ones when absent.

    Attributes
    ----------
    places : what was learnt of the hall.
    count : (4,) gaps, jumps, swaps and restarts met so far.
    late, clock_steps : stamps dropped as late, clocks set back.
    covered : (levels, 2) scores inside each level's region, and all scores.

    Raises
    ------
    ValueError
        For a negative number of people, or goals that are not places.
    """

    def __init__(
        self,
        n_people: int,
        config: ForecastConfig,
        goals_m: FloatArray | None,
        rng: np.random.Generator,
        numbers: Numbers | None = None,
    ) -> None:
        if n_people < 0:
            raise ValueError(f"n_people is {n_people}; it must be 0 or more")
        goals = np.zeros((0, 2)) if goals_m is None else np.asarray(goals_m, dtype=np.float64)
        if goals.ndim != 2 or goals.shape[1] != 2 or not np.isfinite(goals).all():
            raise ValueError(f"goals_m of shape {goals.shape} are no places; it must be (G, 2) finite metres")
        self.n, self.config, self._goals, self._rng = n_people, config, goals, rng
        self._numbers = fitted_numbers() if numbers is None else numbers
        self._moment = self._numbers.second_moment
        self.places = Places()
        self.time_us, self._watching = 0, False
        self.count: IntArray = np.zeros(4, np.int64)
        self.late = self.clock_steps = 0
        self.covered: FloatArray = np.zeros((len(LEVELS), 2))
        n, g = n_people, len(goals) + 1
        self._hall_log: FloatArray = np.zeros((KNOTS, len(LEVELS)))
        self._bin_log: FloatArray = np.zeros((SPEED_BINS, KNOTS, len(LEVELS)))
        self._young_log: FloatArray = np.zeros((KNOTS, len(LEVELS)))
        self._place_trust: FloatArray = np.zeros((SPEED_BINS, KNOTS))
        self._goal_trust: FloatArray = np.zeros((SPEED_BINS, KNOTS))
        self._sums: FloatArray = np.zeros((n, MEMORIES, SUMS))
        self._last: FloatArray = np.zeros((n, 2))
        self._last_us = np.full(n, kernel.NEVER_US)
        self._before: FloatArray = np.zeros((n, 2))
        self._before_us = np.full(n, kernel.NEVER_US)
        self._first_us = np.zeros(n, np.int64)
        self._interval_s: FloatArray = np.full(n, 0.1)
        self._sigma: FloatArray = np.zeros(n)
        self._strikes, self._suspect = np.zeros(n, np.int64), np.zeros((n, 2))
        self._own_goal: FloatArray = np.full((n, 2), np.nan)
        self._frame: FloatArray = np.zeros((n, 5))
        self._point, self._unit, self._spread = np.zeros((n, KNOTS, 2)), np.ones((n, KNOTS, 2)), np.ones((n, KNOTS, 2))
        self._odds: FloatArray = np.zeros((n, len(MODES)))
        self._motion: FloatArray = np.zeros((n, 2, 2))
        self._recalled: FloatArray = np.zeros((n, KNOTS, 2))
        self._goal_weight, self._goal_away = np.zeros((n, g)), np.zeros((n, g, KNOTS, 2))
        self._fresh = False
        self._slot_us = np.full(_SLOTS, kernel.NEVER_US)
        self._slot_next, self._slot_last_us = 0, kernel.NEVER_US
        self._slot_who, self._slot_done = np.zeros((_SLOTS, n), np.bool_), np.zeros((_SLOTS, n), np.int64)
        self._slot_young = np.zeros((_SLOTS, n), np.bool_)
        self._slot_at, self._slot_frame = np.zeros((_SLOTS, n, 2)), np.zeros((_SLOTS, n, 5))
        shape = (_SLOTS, n, KNOTS, 2)
        self._slot_plain, self._slot_place, self._slot_goal, self._slot_spread = (np.zeros(shape) for _ in range(4))

    # ------------------------------------------------------------------ watching
    def observe(
        self,
        time_us: int,
        position_m: FloatArray,
        present: BoolArray,
        *,
        sigma_m: float | FloatArray = 0.0,
        goal_m: FloatArray | None = None,
    ) -> None:
        """Take in where people are.

        Parameters
        ----------
        time_us : stamp of the positions [us].
        position_m : (n, 2) positions; rows of people not present, and rows that are not finite, are not read [m].
        present : (n,) who was seen.
        sigma_m : standard deviation of each coordinate's noise, one for all or (n,) [m].
        goal_m : (n, 2) where each person is known to be bound for, not finite where that is not known [m].

        Raises
        ------
        ValueError
            For arrays of a wrong shape, or noise that is negative or not finite.
        """
        position = np.ascontiguousarray(position_m, dtype=np.float64)
        seen = np.asarray(present, dtype=np.bool_)
        sigma = np.broadcast_to(np.asarray(sigma_m, dtype=np.float64), (self.n,))
        if position.shape != (self.n, 2) or seen.shape != (self.n,):
            raise ValueError(
                f"position_m {position.shape} and present {seen.shape} do not fit; they must be ({self.n}, 2) and ({self.n},)"
            )
        if not (np.isfinite(sigma).all() and (sigma >= 0.0).all()):
            raise ValueError(f"sigma_m holds {sigma[~(np.isfinite(sigma) & (sigma >= 0.0))][0]}; it must be 0 or more metres")
        if self._watching and time_us <= self.time_us:
            if self.time_us - time_us <= round(self.config.late_s * 1e6):
                self.late += 1
                return
            self.clock_steps += 1
            self._restart_clock()
        since_us = time_us - self.time_us if self._watching else 0
        self._before[:], self._before_us[:] = self._last, self._last_us
        swaps = self.count[kernel.SWAPS] + self.count[kernel.RESTARTS]
        kernel.observe_all(
            time_us, position, seen, sigma, self.config.jump_m, self._sums, self._last, self._last_us, self._first_us,
            self._interval_s, self._sigma, self._strikes, self._suspect, self.count,
        )  # fmt: skip
        self.time_us, self._watching = time_us, True
        if self.count[kernel.SWAPS] + self.count[kernel.RESTARTS] != swaps:
            self._slot_us[:] = kernel.NEVER_US  # what was forecast then was forecast for somebody else
        if goal_m is not None:
            self._own_goal[:] = goal_m
        self._fresh = False
        new = self._last_us == time_us
        self._score(new)
        stay(self._last, new, self._frame[:, 2], min(since_us * 1e-6, 1.0), self.places.seconds)
        self.places.watched_s += min(since_us * 1e-6, 1.0)
        if time_us - self._slot_last_us >= round(self.config.score_every_s * 1e6) - 1:
            self._keep(time_us, new)

    def _restart_clock(self) -> None:
        """Forget what hangs on the old clock; the hall's memory and the calibration stay."""
        self._watching = False
        self._last_us[:] = kernel.NEVER_US
        self._before_us[:] = kernel.NEVER_US
        self._slot_us[:] = kernel.NEVER_US
        self._slot_last_us = kernel.NEVER_US

    def _score(self, new: BoolArray) -> None:
        place_off, place_ok = np.empty((self.n, KNOTS, 2)), np.empty((self.n, KNOTS), np.int64)
        steps = (self.config.hall_step, self.config.bin_step) if self.config.calibrate else (0.0, 0.0)
        scores = kernel.score_all(
            self.time_us, self._before_us, self._last, self._before, new, self._sigma, self._slot_us, self._slot_who,
            self._slot_young, self._slot_at, self._slot_frame, self._slot_plain, self._slot_place, self._slot_goal,
            self._slot_spread, self._slot_done, self._place_trust, self._goal_trust, self._numbers.radius, self._hall_log,
            self._bin_log, self._young_log, *steps, place_off, place_ok, self.covered,
        )  # fmt: skip
        if scores and self.config.learn_places:
            learn(self._slot_at, self._slot_frame, place_off, place_ok, self.places.miss, self.places.visits)

    def _keep(self, time_us: int, new: BoolArray) -> None:
        """Keep today's outlook, to be scored when it is due."""
        self._look()
        s = self._slot_next
        self._slot_next, self._slot_last_us = (s + 1) % _SLOTS, time_us
        # Who has only just come into view is not what the regions of the others should be judged by.
        self._slot_us[s], self._slot_who[s], self._slot_done[s] = time_us, new & (time_us - self._first_us >= _GROWN_US), 0
        self._slot_young[s] = self._young()
        self._slot_at[s], self._slot_frame[s], self._slot_plain[s] = self._last, self._frame, self._point
        self._slot_place[s], self._slot_spread[s] = self._recalled, self._spread
        self._slot_goal[s] = self._goal_shift()

    def _look(self) -> None:
        """Bring the outlook at the knots up to the last observation."""
        if self._fresh:
            return
        self._fresh = True
        who, k = self.known(), self._numbers
        kernel.look_out(
            self.time_us, who, self._last, self._sums, self._last_us, self._first_us, self._interval_s, self._sigma,
            k.point.feature, k.point.threshold, k.point.leaf, k.point.start,
            k.noisy.feature, k.noisy.threshold, k.noisy.leaf, k.noisy.start,
            k.scale.feature, k.scale.threshold, k.scale.leaf, k.scale.start,
            k.mode.feature, k.mode.threshold, k.mode.leaf, k.mode.start, self._moment,
            self._frame, self._point, self._unit, self._odds, self._spread, self._motion,
        )  # fmt: skip
        if self.config.learn_places:
            recall(who, self._last, self._frame, self.places.miss, self.places.visits, self._recalled)
        if len(self._goals) or np.isfinite(self._own_goal).any():
            kernel.goal_ways(
                who,
                self._last,
                self._frame,
                self._motion,
                self._point,
                self._goals,
                self._own_goal,
                self._goal_weight,
                self._goal_away,
            )

    def _goal_shift(self) -> FloatArray:
        """Where the goals would draw the forecast if they were believed in full, (n, KNOTS, 2) [m]."""
        shift: FloatArray = (self._goal_weight[..., None, None] * (self._goal_away - self._point[:, None])).sum(axis=1)
        return shift

    # ------------------------------------------------------------------ forecasting
    def known(self) -> BoolArray:
        """Return who has been seen lately, (n,)."""
        recent: BoolArray = (self._last_us > kernel.NEVER_US) & (
            self.time_us - self._last_us <= round(self.config.forget_s * 1e6)
        )
        return recent

    def _young(self) -> BoolArray:
        """Return who came into view only lately, (n,)."""
        young: BoolArray = self._last_us - self._first_us < _YOUNG_US
        return young

    @property
    def radius(self) -> FloatArray:
        """(speed bins, KNOTS, levels) radii as calibrated by now for people in view for long enough, in deviations."""
        grown = self._numbers.radius * np.exp(self._hall_log + self._bin_log)
        ordered: FloatArray = np.maximum.accumulate(grown, axis=-1)
        return ordered

    def _radius_of_each(self, bins: IntArray) -> FloatArray:
        """(n, KNOTS, levels) radii of everybody's regions; those who came lately have a calibration of their own."""
        lately = np.maximum.accumulate(self._numbers.radius[bins] * np.exp(self._young_log), axis=-1)
        each: FloatArray = np.where(self._young()[:, None, None], lately, self.radius[bins])
        return each

    def _centre(self, bins: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the knots' forecast without and with goals, (n, KNOTS, 2), body frame [m]."""
        plain = self._point + self._place_trust[bins][..., None] * self._recalled
        return plain, plain + self._goal_trust[bins][..., None] * self._goal_shift()

    def predict(self, horizon_us: IntArray) -> PeopleForecast:
        """Return the forecast.

        Parameters
        ----------
        horizon_us : (H,) how far ahead of the last observation [us]; fitted up to 2 s, beyond that as over the last stretch.

        Raises
        ------
        ValueError
            For a negative horizon, or before anything was observed.
        """
        horizon = self._horizons(horizon_us)
        self._look()
        bins = np.digitize(self._frame[:, 2], SPEED_EDGES_MPS)
        centre, radius = self._centre(bins)[1], self._radius_of_each(bins)
        ex, ey = self._frame[:, 0], self._frame[:, 1]
        # With the present as a first knot; what is unknown of it is the noise that filtering leaves.
        first = np.stack(
            [self._frame[:, 3] * ex + self._frame[:, 4] * ey, self._frame[:, 4] * ex - self._frame[:, 3] * ey], axis=-1
        )
        now = np.maximum(_FILTER_SHARE * self._sigma, kernel.MOTION_FLOOR_M)[:, None, None]
        ahead = self._after(horizon, np.concatenate([first[:, None], centre], axis=1))
        axis = self._after(horizon, np.concatenate([np.broadcast_to(now, (self.n, 1, 2)), self._spread], axis=1))
        reach = self._after(horizon, np.concatenate([radius[:, :1], radius], axis=1), beyond=False)
        offset = self._unit[:, None] * self._numbers.mode_mean.reshape(len(MODES), KNOTS, 2)
        modes = np.stack([
            self._after(horizon, np.concatenate([first[:, None], centre + offset[:, m]], axis=1)) for m in range(len(MODES))
        ], axis=1)  # fmt: skip
        e = np.stack([ex, ey], axis=-1)
        turn = np.stack([e, np.stack([-ey, ex], axis=-1)], axis=1)  # rows: along and across in hall coordinates
        wide = (axis * (reach[..., LEVELS.index(0.9)] / _GAUSS_90)[..., None]) ** 2
        covariance = np.einsum("nac,nha,nad->nhcd", turn, wide, turn)
        return PeopleForecast(
            time_us=self.time_us,
            horizon_us=np.asarray(horizon_us, dtype=np.int64).copy(),
            known=self.known(),
            position_m=self._last[:, None] + np.einsum("nha,nac->nhc", ahead, turn),
            covariance_m2=covariance,
            mode_weight=self._odds.copy(),
            mode_position_m=self._last[:, None, None] + np.einsum("nmha,nac->nmhc", modes, turn),
            goal_weight=self._goal_weight[:, :-1].copy(),
            axis_m=axis,
            direction=e,
            radius=reach,
        )

    def _horizons(self, horizon_us: IntArray) -> FloatArray:
        horizon = np.atleast_1d(np.asarray(horizon_us, dtype=np.float64)) * 1e-6
        if (horizon < 0.0).any():
            raise ValueError(f"horizon_us {round(horizon.min() * 1e6)} lies in the past; give 0 or more microseconds")
        if not self._watching:
            raise ValueError("nothing was observed yet; call observe first")
        return horizon

    def _age_s(self) -> FloatArray:
        age: FloatArray = np.where(self._last_us > kernel.NEVER_US, self.time_us - self._last_us, 0) * 1e-6
        return age

    def _after(self, horizon_s: FloatArray, knots: FloatArray, *, beyond: bool = True) -> FloatArray:
        """Read (n, KNOTS + 1, d) knot values at (H,) horizons after each person's own last observation, (n, H, d)."""
        at, share = np.empty(len(horizon_s), np.int64), np.empty(len(horizon_s))
        age = self._age_s()
        out = np.empty((self.n, len(horizon_s), knots.shape[2]))
        for wait in np.unique(age):
            own = age == wait
            kernel.between(horizon_s + wait, at, share)
            part = share if beyond else np.minimum(share, 1.0)
            low, high = knots[own][:, at + 1], knots[own][:, at + 2]
            out[own] = low + part[None, :, None] * (high - low)
        return out

    def samples(
        self,
        state: PeopleState | None,
        horizon_us: IntArray,
        n_samples: int,
        rng: np.random.Generator | None = None,
    ) -> PeopleSamples:
        """Draw futures that hang together over the horizons and whose spread is the calibrated one.

        Parameters
        ----------
        state : people now, for the way that those who stand face; None to have them face the way they last went.
        horizon_us : (H,) how far ahead of the last observation [us].
        n_samples : how many futures.
        rng : generator, the forecaster's own when absent.
        """
        horizon = self._horizons(horizon_us)
        rng = self._rng if rng is None else rng
        self._look()
        bins = np.digitize(self._frame[:, 2], SPEED_EDGES_MPS)
        plain = self._centre(bins)[0]
        heading = np.arctan2(self._frame[:, 1], self._frame[:, 0]) if state is None else state.heading_rad
        shape = (n_samples, self.n, len(horizon))
        position, facing, speed = np.empty((*shape, 2)), np.empty(shape), np.empty(shape)
        trust = self._goal_trust[bins][:, -1:]
        kernel.draw_futures(
            self.known(), horizon, self._age_s(), self._last, heading, self._frame, plain, self._goal_away,
            self._goal_weight * trust, self._unit, self._spread, self._odds, self._numbers.part_weight,
            self._numbers.part_mean, self._numbers.part_root, self._numbers.drawn_radius[bins], self._radius_of_each(bins),
            rng.random((n_samples, self.n, 3)), rng.standard_normal((n_samples, self.n, 2 * KNOTS)), position, facing, speed,
        )  # fmt: skip
        start = rng.random((n_samples, self.n, 1))
        way = np.hypot(*np.moveaxis(position - self._last[None, :, None], -1, 0))
        phase = (start + way / (2.0 * np.maximum(step_length_m(speed), 0.3))) % 1.0
        return PeopleSamples(self.time_us, np.asarray(horizon_us, np.int64).copy(), self.known(), position, facing, speed, phase)

    def occupancy(self, position_m: FloatArray) -> FloatArray:
        """Return how many people per square metre are at (k, 2) places on average, where no poses tell of now, (k,) [1/m^2]."""
        return self.places.density(position_m)
