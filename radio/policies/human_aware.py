"""The network that is told where bodies will be, and serves everybody by the cheapest plan whose risk is low enough."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.policies import choice, kernels, planner_kernels, planner_load
from radio.policies import planner_options as planner
from radio.policies.base import Observation
from radio.policies.demand import Demand, demand_of
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import Best, Report
from radio.types import BoolArray, FloatArray, IntArray, Plan

_CARRIED_OVER = 0.8  # of what the last measurement was off the report, the next one is expected to be off as well (assumed)
_LOAD_FALL = 0.9  # per tick; a TRP is expected to be as busy again as it was a moment ago (assumed)
_LOAD_SHARE = 0.01  # of a tick in the mean load, about a second (assumed)
_JOINT_DB = 6.0  # a fall by this counts for what two legs have in common
_JOINT_PRIOR = (20.0, 1.0)  # falls of one leg, and of both, that are assumed before any was measured
_PRIOR_WEIGHT, _PRIOR_SCALE_DB = 5.0, 2.0  # residuals before anything was measured: both ways, exponential (assumed)
_LATE_US, _CLIP_DB, _FORGET = 20_000, 20.0, 0.1  # forecasts are judged by the report after their instant (assumed)
_WORSE, _WORSE_DB2 = 2.0, 4.0  # forecasts that are worse than no change by more than this are not trusted (assumed)
_MASKED = 8  # forecasts whose trusted part is kept
_TICK_US = 10_000  # measurements come about this often; only forgetting depends on it


class HumanAwarePolicy(ReactivePolicy):
    """For every device the cheapest legs and rung of robustness that keep the risk of its messages below a target.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - Expected SINR of a leg: the last report, the interference that the network's own loads make by that report, what the last
      measurement was off this, and the fall that forecasts have until then, in each drawn future.
    - Residuals, measured less expected, are recorded per device and direction; their distribution, with an exponential tail,
      tells how likely a leg fails at a rung. Wrong forecasts make it wide, and wide ones ask for more margin or legs.
    - Two legs fail together as often as they fall together in the drawn futures, and for a share of the residual's failures that
      is measured while two legs are up.
    - Options: rungs (every MCS, the lowest one repeated) by legs (the first; with any other TRP; with another beam of its own).
      The cheapest below ``risk_target`` over the horizon is chosen; where symbols are short, `radio.policies.choice` decides.
    - A second leg is ready ``tci_activation_ms`` after it was chosen and is kept for ``hold_ms``. It is sent on only in ticks in
      which the first alone misses the target, now or within the shortest horizon. Legs change places, without
      interruption because both are active, where the second is better by the hysteresis, and instead of a beam recovery. A TRP
      that the reports prefer is prepared as a second leg first, so that changing to it interrupts nothing.
    - A symbol is worth more where a TRP is busy (`planner_load.prices`), so robustness is bought where there is room for it.
    - Forecasts are judged by what the reports say when they are due: a device whose forecasts are worse than expecting no change
      is planned without them.
    - Video frames go over one leg; their MCS is chosen by what that leg carries now, whatever rung control messages have.
      TRPs are compared by what frames would get there (interference, load), and its legs may change places at once.
    - With no forecast, or one whose targets have all passed, the reactive base remains. Until enough was measured, link
      adaptation keeps its fixed margin as well.
    """

    name = "human_aware"
    wants_forecast = True
    wants_demand = True

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        aware = config.human_aware
        self._config, self._n_ue = config, n_ue
        self._demand: Demand | None = None
        self._timers[kernels.HOLD] = round(aware.hold_ms * 1000)
        self._timers[kernels.NEAR] = round(min(aware.horizons_ms) * 1000)
        self._keep = math.exp(-_TICK_US / 1e6 / aware.memory_s)
        bins = planner_kernels.BINS
        self._counts: FloatArray = np.zeros((n_ue, 2, bins))
        self._joint: FloatArray = np.zeros((n_ue, 2))
        self._log_shares: FloatArray = np.zeros((n_ue, 2, bins))
        self._cold: BoolArray = np.ones(n_ue, dtype=np.bool_)
        self._together: FloatArray = np.zeros(n_ue)
        self._prior = _prior(bins)
        self._shares_us = -1
        self._load: FloatArray = np.zeros((2, len(config.trps)))
        self._peak: FloatArray = np.zeros((2, len(config.trps)))
        self._mean_load: FloatArray = np.zeros((2, len(config.trps)))
        # of the last plan: its time, the legs, the loads that it met, and what was expected of it
        self._last: tuple[int, IntArray, FloatArray, FloatArray] | None = None
        self._scale: FloatArray = np.ones(n_ue)
        self._beyond: FloatArray = np.zeros((2, n_ue, 2))
        self._steered: tuple[int, int] = (-1, -1)
        self._ahead_key: tuple[int, ...] = ()
        self._ahead_of: Report | None = None
        self._risk: FloatArray = np.zeros(n_ue)
        # forecasts that are not due yet: due time, first legs (3, U), and what forecast and present report say of them [dB]
        self._due: deque[tuple[int, IntArray, FloatArray, FloatArray]] = deque(maxlen=64)
        self._wrong: FloatArray = np.zeros((2, n_ue))
        self._trusted: BoolArray = np.ones(n_ue, dtype=np.bool_)
        self._easy: BoolArray = np.ones(n_ue, dtype=np.bool_)
        self._masked: dict[int, tuple[Report, tuple[int, bytes], FloatArray]] = {}

    def take_demand(self, demand: Demand) -> None:
        """Learn what the services ask for; without it every device is taken to have 64 byte every 10 ms both ways."""
        self._demand = demand

    @property
    def demand(self) -> Demand:
        """What the services ask for, as far as it is known."""
        if self._demand is None:
            self._demand = demand_of(self._config, None, self._n_ue)
        return self._demand

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        now_us, legs = observation.time_us, self._legs
        report, best = self._advance(observation)
        coming = self._coming(observation, report)
        if not coming:
            legs[kernels.RISK_UNTIL] = -1
            kernels.release(now_us, legs)
            self._last, self._steered = None, (-1, -1)
            return self._planned(now_us)
        self._load = np.array([observation.load_dl, observation.load_ul])
        self._peak = np.maximum(self._load, _LOAD_FALL * self._peak)
        self._mean_load += _LOAD_SHARE * (self._load - self._mean_load)
        self._measure(observation, report)
        self._trust(coming, report)
        self._look_ahead(coming, report, best, now_us)
        if (coming[0].time_us, self._report_us) != self._steered:
            if self._steered[1] != self._report_us:
                planner.follow_seconds(
                    now_us, legs, self._timers, self._levels, self._gains(coming[0]), report.gain, report.budget,
                    best.dl_db, best.beam,
                )  # fmt: skip
            self._steered = (coming[0].time_us, self._report_us)
            self._choose(coming, report, best, now_us)
        active = kernels.release(now_us, legs)
        snr, inr = self._levels_of(report, legs, self._load)
        if active and self._exchange(observation, report, snr, inr):
            snr, inr = self._levels_of(report, legs, self._load)
        return self._order(now_us, snr, inr)

    def _coming(self, observation: Observation, report: Report) -> list[Report]:
        """Forecasts whose targets are still ahead, in order of time."""
        return [f for f in observation.forecast or () if f.time_us >= observation.time_us]

    def _levels_of(self, report: Report, legs: IntArray, load: FloatArray) -> tuple[FloatArray, FloatArray]:
        """SNR and interference over noise of both legs of every device by a report [dB], (2, U, 2) each."""
        levels: tuple[FloatArray, FloatArray] = planner_kernels.leg_levels(
            legs[[kernels.TRP, kernels.SECOND_TRP]], legs[[kernels.BEAM, kernels.SECOND_BEAM]],
            legs[[kernels.SECTOR, kernels.SECOND_SECTOR]], legs, load, report.gain, report.budget, self.demand.carrier,
        )  # fmt: skip
        return levels

    def _measure(self, observation: Observation, report: Report) -> None:
        """Learn from the last measurement: how far off it was, and what it says of the legs beyond the latest report."""
        self._beyond[:] = 0.0
        last = self._last
        if last is None or observation.serving_occasions == 0 or observation.serving_time_us < last[0]:
            return
        _, legs, load, expected = last
        measured = np.stack((observation.serving_dl_db.T, observation.serving_ul_db.T), axis=2)
        planner_kernels.learn(measured, expected, self._keep, self._counts, self._joint, _JOINT_DB)
        snr, inr = self._levels_of(report, legs, load)
        planner.beyond_report(measured, snr, inr, legs, self._legs, self._levels[kernels.EVM], _CARRIED_OVER, self._beyond)

    def _trust(self, coming: list[Report], report: Report) -> None:
        """Hold forecasts of serving pairs that fell due against the report, and note the newest one.

        A device's forecasts are trusted while their squared error, of which no single one counts for more than 20 dB, is not
        above that of expecting no change by more than a factor and a constant.
        """
        while self._due and self._due[0][0] <= self._report_us:
            due_us, pairs, ahead_db, still_db = self._due.popleft()
            if self._report_us - due_us > _LATE_US:
                continue
            came_db = _pairs_db(report, pairs)
            for row, said_db in ((0, ahead_db), (1, still_db)):
                error_db = np.clip(said_db - came_db, -_CLIP_DB, _CLIP_DB)
                self._wrong[row] += _FORGET * (error_db**2 - self._wrong[row])
            self._trusted = np.asarray(self._wrong[0] <= _WORSE * self._wrong[1] + _WORSE_DB2)
        nearest = coming[0]
        legs = self._legs[[kernels.TRP, kernels.BEAM, kernels.SECTOR]]
        links = np.arange(self._n_ue) * report.gain.shape[1] + legs[0]
        covered = nearest.source is None or bool(nearest.source.covered[links].all())
        if covered and (not self._due or self._due[-1][0] < nearest.time_us):
            self._due.append((nearest.time_us, legs, _pairs_db(nearest, legs), _pairs_db(report, legs)))

    def _gains(self, forecast: Report) -> FloatArray:
        """Gains of a forecast (U, T, B, S), without those of devices whose forecasts are not trusted."""
        if self._trusted.all():
            return forecast.gain
        covered = 0 if forecast.source is None else int(forecast.source.covered.sum())
        key = (covered, self._trusted.tobytes())
        kept = self._masked.get(forecast.time_us)
        if kept is None or kept[0] is not forecast or kept[1] != key:
            if len(self._masked) >= _MASKED:
                self._masked.clear()
            kept = (forecast, key, np.asarray(forecast.gain * self._trusted[:, None, None, None]))
            self._masked[forecast.time_us] = kept
        return kept[2]

    def _look_ahead(self, coming: list[Report], report: Report, best: Best, now_us: int) -> None:
        """Lay out by how much the forecasts are below the report: those of the near future, and all."""
        source = coming[0].source
        n_links = best.dl_db.size
        if source is not None and _uncovered(self._legs, source.covered):
            source.cover(_links_of(self._legs, best.dl_db.shape[1]))
        covered = np.ones(n_links, np.bool_) if source is None else source.covered
        near = np.array([f.time_us <= now_us + self._timers[kernels.NEAR] for f in coming])
        key = (
            int(self._trusted.sum()),
            coming[0].time_us,
            coming[-1].time_us,
            len(coming),
            self._report_us,
            int(near.sum()),
            int(covered.sum()),
        )
        if key != self._ahead_key or self._ahead_of is not coming[-1]:
            self._ahead_key, self._ahead_of = key, coming[-1]
            ahead = np.array([f.top_gain() for f in coming])
            self._covered = covered.copy()
            self._near_drop = planner_kernels.drops_ahead(best.dl_db, ahead, coming[0].budget, covered, near)
            every = np.ones(len(coming), np.bool_)
            self._far_drop = planner_kernels.drops_ahead(best.dl_db, ahead, coming[0].budget, covered, every)
        self._far_drop[:, ~self._trusted] = 0.0
        self._near_drop[:, ~self._trusted] = 0.0
        self._beam_drop = np.zeros(self._n_ue)
        for forecast, soon in zip(coming, near.tolist(), strict=True):
            if soon:
                planner.pair_drops(self._legs, forecast.gain, covered, report.gain, report.budget, self._beam_drop)
        self._beam_drop[~self._trusted] = 0.0

    def _choose(self, coming: list[Report], report: Report, best: Best, now_us: int) -> None:
        """Choose legs for the horizon."""
        demand, legs, evm = self.demand, self._legs, self._levels[kernels.EVM]
        self._settle(now_us)
        price = planner_load.prices(self._mean_load)
        planner.easy_devices(
            now_us, legs, self._beyond, self._far_drop, self._beam_drop, self._peak, report.gain, report.budget, evm,
            demand.rate_hz, demand.symbols_hz, demand.needed_db, demand.target, demand.carrier, price, self._log_shares,
            self._easy, self._risk,
        )  # fmt: skip
        source = coming[0].source
        n_trp = best.dl_db.shape[1]
        merit_db = self._merit_db(report, best)
        wanted = (~self._easy).repeat(n_trp)
        frames = np.flatnonzero(demand.video.any(axis=1))
        wanted[frames * n_trp + merit_db[frames].argmax(axis=1)] = True  # their second legs may be candidates by load
        if wanted.any() and source is not None and source.cover(wanted):
            self._look_ahead(coming, report, best, now_us)
        own_beam, own_drop = np.full(self._n_ue, -1, dtype=np.int64), np.zeros(self._n_ue)
        if not self._easy.all():
            gains = np.stack([self._gains(f) for f in coming])
            planner.own_beams(legs, self._easy, gains, self._gains(coming[0]), report.gain, report.budget, own_beam, own_drop)
        cost, risk, there = planner.options(
            now_us, legs, self._easy, self._beyond, self._far_drop, self._beam_drop, own_beam, own_drop, self._peak,
            self._gains(coming[0]),
            report.gain, report.budget, best.beam, evm, demand.rate_hz, demand.symbols_hz, demand.needed_db, demand.target,
            demand.carrier, demand.pairs, price, self._log_shares, self._together, self._covered.reshape(best.dl_db.shape),
        )  # fmt: skip
        decade = planner_kernels.DECADE_TIMES * demand.symbols_hz.min(axis=(2, 3)).sum(axis=1)
        value = choice.worth(cost, risk, demand.target, decade, there, price.ravel())
        chosen = choice.choose(cost, value, demand.available_hz.ravel())
        planner.steer(
            now_us, chosen, risk, self._easy, demand.target, own_beam, demand.pairs, self._timers,
            self._levels[kernels.HYSTERESIS], self._gains(coming[0]),
            report.gain, report.budget, merit_db, best.beam, demand.video, legs, self._scale,
        )  # fmt: skip

    def _merits(self, observation: Observation, report: Report, best: Best) -> FloatArray:
        """Return what TRPs are compared by (U, T) [dB]; without forecasts the reactive base remains."""
        return self._merit_db(report, best) if self._coming(observation, report) else best.dl_db

    def _merit_db(self, report: Report, best: Best) -> FloatArray:
        """SNR of the best pairs (U, T) [dB]; for devices with video what frames would get there, under mean loads."""
        merit_db = best.dl_db.copy()
        planner_load.prefer_for_frames(
            self._legs, self.demand.video, self._mean_load, report.gain, report.budget, self.demand.carrier, best.beam,
            self._levels[kernels.EVM], merit_db,
        )  # fmt: skip
        return merit_db

    def _settle(self, now_us: int) -> None:
        """Bring the residuals' distribution up to date."""
        planner_kernels.residual_shares(self._counts, self.demand.group, self._prior, self._log_shares)
        self._cold = np.asarray(self._counts.sum(axis=(1, 2)) < 2.0 * planner_kernels.FEWEST)
        fell, both = _JOINT_PRIOR
        self._together = (both + self._joint[:, 1]) / (fell + self._joint[:, 0])

    def _exchange(self, observation: Observation, report: Report, snr: FloatArray, inr: FloatArray) -> bool:
        """Let the second leg lead where it is better by the hysteresis, measured or predicted; tell whether any does now."""
        now_us = observation.time_us
        gain_db = np.empty(self._n_ue)
        planner.gains_of_seconds(
            now_us, self._legs, snr, inr, self._beyond, self._near_drop, self._levels[kernels.EVM],
            int(self._timers[kernels.HOLD]), self._levels[kernels.QOUT], self._known, self._mean_load, self.demand.video, gain_db,
        )  # fmt: skip
        before = self._legs.copy()
        kernels.exchange_by_merit(
            now_us, observation.serving_time_us, observation.serving_dl_db, observation.serving_ul_db, gain_db, True,
            self._legs, self._known, self._levels, report.gain, report.budget,
        )  # fmt: skip
        if np.array_equal(before, self._legs):
            return False
        changed = (before[kernels.TRP] != self._legs[kernels.TRP]) | (before[kernels.BEAM] != self._legs[kernels.BEAM])
        self._beyond[:, changed] = self._beyond[::-1, changed]
        self._beam_drop[changed] = 0.0
        return True

    def _order(self, now_us: int, snr: FloatArray, inr: FloatArray) -> Plan:
        """Write the plan: legs as they are, and the cheapest rung of each direction."""
        plan, demand = self._planned(now_us), self.demand
        expected, (sinr_db, frames_db) = np.full((2, self._n_ue, 2), np.nan), np.empty((2, 2, self._n_ue))
        repetitions = np.ones(self._n_ue, dtype=np.int64)
        planner.write_rungs(
            now_us, self._legs, self._known, self._levels, snr, inr, self._beyond, self._near_drop, self._beam_drop, self._scale,
            self._cold, demand.rate_hz, demand.level_db, demand.repeats, demand.symbols_hz, demand.needed_db, demand.target,
            demand.video, demand.carrier, demand.pairs, planner_load.prices(self._mean_load), self._log_shares, self._together,
            self._peak, expected, repetitions, sinr_db, frames_db, plan.usable,
        )  # fmt: skip
        self._last = (now_us, self._legs.copy(), self._load, expected)
        return Plan(plan.trp, plan.beam, plan.sector, plan.usable, repetitions, sinr_db[0], sinr_db[1], frames_db=frames_db)


def _pairs_db(report: Report, pairs: IntArray) -> FloatArray:
    """SNR of a pair (TRP, beam, sector; U) of every device by a report or forecast (U,) [dB]."""
    trp, beam, sector = pairs
    gain = np.maximum(report.gain[np.arange(len(trp)), trp, beam, sector], kernels.NO_GAIN)
    snr_db = 10.0 * np.log10(gain) + report.budget[kernels.OFFSET_DL, trp]
    step_db = report.budget[kernels.STEP, trp]
    rounded = np.rint(snr_db / np.where(step_db > 0.0, step_db, 1.0)) * step_db
    return np.asarray(np.where(step_db > 0.0, rounded, snr_db), dtype=np.float64)


def _prior(bins: int) -> FloatArray:
    """Residuals that are assumed before anything was measured (BINS,): exponential to both sides."""
    middle_db = planner_kernels.LOW_DB + planner_kernels.STEP_DB * (np.arange(bins) + 0.5)
    weight = np.exp(-np.abs(middle_db) / _PRIOR_SCALE_DB)
    return np.asarray(_PRIOR_WEIGHT * weight / weight.sum(), dtype=np.float64)


@njit(cache=True, fastmath=False)
def _uncovered(legs: IntArray, covered: BoolArray) -> bool:
    """Tell whether a forecast that covers links (U * T,) lacks one of the legs."""
    n_trp = covered.size // legs.shape[1]
    for u in range(legs.shape[1]):
        t, second = legs[kernels.TRP, u], legs[kernels.SECOND_TRP, u]
        if not covered[u * n_trp + t] or (second >= 0 and not covered[u * n_trp + second]):
            return True
    return False


@njit(cache=True, fastmath=False)
def _links_of(legs: IntArray, n_trp: int) -> BoolArray:
    """Return the links (U * T,) of both legs."""
    links = np.zeros(legs.shape[1] * n_trp, np.bool_)
    for u in range(legs.shape[1]):
        links[u * n_trp + legs[kernels.TRP, u]] = True
        if legs[kernels.SECOND_TRP, u] >= 0:
            links[u * n_trp + legs[kernels.SECOND_TRP, u]] = True
    return links
