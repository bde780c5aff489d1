"""The network that is told where bodies will be, and prepares another leg before they arrive."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.policies.base import Observation, capped_db
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import Report, best_pairs
from radio.types import BoolArray, FloatArray, IntArray, Plan

_HOLD_PERIODS = 2  # forecasts without risk before a prepared leg is given up


@njit(cache=True, fastmath=False)
def lower_to(
    dl_db: FloatArray,
    ul_db: FloatArray,
    best_dl_db: FloatArray,
    best_ul_db: FloatArray,
    trp: IntArray,
    evm: float,
    margin_db: float,
) -> None:
    """Lower what link adaptation reckons with, in place, to a forecast of the TRP under the EVM ceiling, less the margin.

    The best pair of the TRP counts: beams and sectors follow a moving UE within a sweep, bodies take what is left of all.
    """
    for u in range(dl_db.size):
        best = max(-200.0, best_dl_db[u, trp[u]])
        dl_db[u] = min(dl_db[u], -10.0 * np.log10(10.0 ** (-0.1 * best) + evm) - margin_db)
        best = max(-200.0, best_ul_db[u, trp[u]])
        ul_db[u] = min(ul_db[u], -10.0 * np.log10(10.0 ** (-0.1 * best) + evm) - margin_db)


@njit(cache=True, fastmath=False)
def lower_floor(floor_db: FloatArray, snr_db: FloatArray) -> None:
    """Lower ``floor_db`` (U, T, B), in place, to the best sector's SNR of a forecast (U, T, B, S)."""
    n_ue, n_trp, n_beam, n_sector = snr_db.shape
    for u in range(n_ue):
        for t in range(n_trp):
            for b in range(n_beam):
                best = snr_db[u, t, b, 0]
                for s in range(1, n_sector):
                    best = max(best, snr_db[u, t, b, s])
                floor_db[u, t, b] = min(floor_db[u, t, b], best)


@njit(cache=True, fastmath=False)
def release(
    now_us: int, trp: IntArray, beam: IntArray, recovering: BoolArray, risk_until_us: IntArray,
    second_trp: IntArray, second_beam: IntArray, second_sector: IntArray, second_us: IntArray,
) -> bool:  # fmt: skip
    """Give up, in place, second legs without risk and those that are the first by now.

    Returns
    -------
    Whether a second leg is active beside a first one that is not being recovered.
    """
    any_active = False
    for u in range(trp.size):
        if second_trp[u] < 0:
            continue
        if risk_until_us[u] < now_us or (second_trp[u] == trp[u] and second_beam[u] == beam[u]):
            second_trp[u], second_beam[u], second_sector[u] = -1, -1, -1
        elif second_us[u] <= now_us and not recovering[u]:
            any_active = True
    return any_active


@njit(cache=True, fastmath=False)
def lower_gain(
    gain_db: FloatArray, snr_db: FloatArray, trp: IntArray, beam: IntArray, second_trp: IntArray, second_beam: IntArray
) -> None:
    """Lower ``gain_db`` (U,), in place, to what a forecast says that the second leg gains over the first, best sectors each."""
    for u in range(trp.size):
        if second_trp[u] >= 0:
            gain = snr_db[u, second_trp[u], second_beam[u]].max() - snr_db[u, trp[u], beam[u]].max()
            gain_db[u] = min(gain_db[u], gain)


@njit(cache=True, fastmath=False)
def judge_exchange(
    now_us: int, serving_us: int, serving_dl_db: FloatArray, serving_ul_db: FloatArray, gain_db: FloatArray, foreseen: bool,
    since_us: IntArray, recovering: BoolArray, second_trp: IntArray, second_us: IntArray, hysteresis_db: float, works_db: float,
) -> tuple[BoolArray, bool]:  # fmt: skip
    """Return for which UEs (U,) the second leg is to lead, and whether for any; ``gain_db`` counts where ``foreseen``."""
    swap = np.zeros(since_us.size, dtype=np.bool_)
    any_swap = False
    for u in range(since_us.size):
        if second_trp[u] < 0 or second_us[u] > now_us or recovering[u]:
            continue
        fresh = second_us[u] <= serving_us and since_us[u] <= serving_us
        # the worse direction; NaN, not measured, is never better
        first_db = np.minimum(serving_dl_db[u, 0], serving_ul_db[u, 0])
        second_db = np.minimum(serving_dl_db[u, 1], serving_ul_db[u, 1])
        better = fresh and second_db > first_db + hysteresis_db
        if foreseen:
            works = fresh and second_db >= np.minimum(first_db, works_db)
            better = (better and gain_db[u] > -hysteresis_db) or (works and gain_db[u] > hysteresis_db)
        swap[u] = better
        any_swap = any_swap or better
    return swap, any_swap


class HumanAwarePolicy(ReactivePolicy):
    """Reactive at its base, with a second leg prepared from forecast sweeps.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - Risk: within the horizon, the serving beam is forecast below ``risk_sinr_db`` in either direction, less what interference
      takes now, or below its last report by more than ``margin_db``. It ends when the forecast was better than both bounds by
      ``hysteresis_db`` twice.
    - While risk lasts the pair with the best forecast minimum over the horizon, of another TRP if one is at least as good as the
      other pairs of the serving TRP, and better than the serving SINR at risk by ``hysteresis_db``, carries every control message
      a second time, ``tci_activation_ms`` after it was chosen.
    - The legs change places, without interruption because both are active, when the second is better by the hysteresis in the
      nearest forecast and works already, or is measured better and not forecast worse; and instead of a beam recovery. While a
      second leg is held, reports change no TRP.
    - Link adaptation reckons with the lesser of what the reactive base knows and the nearest forecast of its TRP, so that the
      MCS falls before the body arrives.
    - With no forecast, or one whose targets have all passed, the reactive base remains.
    """

    name = "human_aware"

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        aware = config.human_aware
        self._risk_db = aware.risk_sinr_db
        self._near_us = round(min(aware.horizons_ms) * 1000)
        self._hold_us = round(_HOLD_PERIODS * aware.period_ms * 1000)
        self._second_trp: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._second_beam: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._second_sector: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._second_us: IntArray = np.zeros(n_ue, dtype=np.int64)  # second leg active from
        self._risk_until_us: IntArray = np.full(n_ue, -1, dtype=np.int64)
        self._now_us = 0
        self._forecast: tuple[Report, ...] = ()
        self._forecast_key: tuple[int, ...] = ()

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        self._now_us = now_us = observation.time_us
        self._advance(observation)
        forecast = observation.forecast or ()
        if forecast is not self._forecast:
            self._forecast = forecast
            key = tuple([f.time_us for f in forecast])
            coming = tuple([f for f in forecast if f.time_us >= now_us])
            if coming and key != self._forecast_key:
                self._forecast_key = key
                self._assess(coming, now_us)
        near = [f for f in forecast if now_us <= f.time_us <= now_us + self._near_us]
        if release(
            now_us, self._trp, self._beam, self._recovering, self._risk_until_us,
            self._second_trp, self._second_beam, self._second_sector, self._second_us,
        ):  # fmt: skip
            self._exchange_by_merit(observation, near)
        plan = self._planned(now_us, self._second_trp, self._second_beam, self._second_sector, self._second_us)
        for f in near:
            best = f.best()
            lower_to(plan.sinr_dl_db, plan.sinr_ul_db, best.dl_db, best.ul_db, self._trp, self._evm, self._margin_db)
        return plan

    def _assess(self, coming: tuple[Report, ...], now_us: int) -> None:
        """Judge the risk of every serving pair by a new forecast, and choose second legs."""
        rows = self._rows
        floor_dl_db = np.full(coming[0].snr_dl_db.shape[:3], np.inf)
        floor_ul_db = np.full(len(rows), np.inf)
        for f in coming:
            lower_floor(floor_dl_db, f.snr_dl_db)
            floor_ul_db = np.minimum(floor_ul_db, f.snr_ul_db[rows, self._trp, self._beam].max(axis=1))
        serving_db = floor_dl_db[rows, self._trp, self._beam]
        reported_dl, reported_ul = self._reported(self._report or coming[0])
        dl, ul = capped_db(serving_db, self._evm), capped_db(floor_ul_db, self._evm)
        # what interference now takes from the measured SINR, it will take from the forecast
        lowest = np.minimum(
            dl - np.maximum(reported_dl - self._known_dl_db, 0.0), ul - np.maximum(reported_ul - self._known_ul_db, 0.0)
        )
        drop = np.maximum(reported_dl - dl, reported_ul - ul)
        held = self._second_trp >= 0
        ease = np.where(held, self._hysteresis_db, 0.0)
        risk = (lowest < self._risk_db + ease) | (drop > self._margin_db - ease)
        self._risk_until_us = np.where(risk, now_us + self._hold_us, self._risk_until_us)
        if not risk.any():
            return
        best_db, beam, _ = best_pairs(floor_dl_db[..., None])
        own_db = np.where(beam[rows, self._trp] == self._beam, -np.inf, best_db[rows, self._trp])
        best_db[rows, self._trp] = -np.inf
        other = best_db.argmax(axis=1)
        trp = np.where(best_db[rows, other] >= own_db, other, self._trp)
        score_db = np.maximum(best_db[rows, other], own_db)
        held_db = floor_dl_db[rows, self._second_trp, self._second_beam]
        choose = risk & (score_db > np.where(held, held_db, lowest) + self._hysteresis_db)
        self._second_trp = np.where(choose, trp, self._second_trp)
        self._second_beam = np.where(choose, beam[rows, trp], self._second_beam)
        self._second_us = np.where(choose, now_us + self._tci_us, self._second_us)
        sector = coming[0].snr_dl_db[rows, self._second_trp, self._second_beam].argmax(axis=1)
        self._second_sector = np.where(self._second_trp >= 0, sector, -1)

    def _reported(self, report: Report) -> tuple[FloatArray, FloatArray]:
        """Return what a report says of the serving beams on their best sector, under the EVM ceiling [dB]."""
        beam = (self._rows, self._trp, self._beam)
        dl, ul = report.snr_dl_db[beam].max(axis=1), report.snr_ul_db[beam].max(axis=1)
        return capped_db(dl, self._evm), capped_db(ul, self._evm)

    def _active(self) -> BoolArray:
        return np.asarray((self._second_trp >= 0) & (self._second_us <= self._now_us), dtype=np.bool_)

    def _held(self) -> BoolArray:
        return np.asarray(self._second_trp >= 0, dtype=np.bool_)

    def _exchange_by_merit(self, observation: Observation, near: list[Report]) -> None:
        """Let the second leg lead where it is better by the hysteresis, measured or predicted."""
        gain_db = np.full(len(self._rows), np.inf)
        for f in near:
            lower_gain(gain_db, f.snr_dl_db, self._trp, self._beam, self._second_trp, self._second_beam)
        swap, any_swap = judge_exchange(
            self._now_us, observation.serving_time_us, observation.serving_dl_db, observation.serving_ul_db, gain_db, bool(near),
            self._since_us, self._recovering, self._second_trp, self._second_us,
            self._hysteresis_db, self._risk_db + self._margin_db,
        )  # fmt: skip
        if any_swap:
            self._exchange(swap, observation)

    def _exchange(self, swap: BoolArray, observation: Observation) -> None:
        """Let the legs of a mask change places; both carry data, so nothing is interrupted."""
        first = (self._trp, self._beam, self._sector)
        measured = swap & (self._second_us <= observation.serving_time_us) & np.isfinite(observation.serving_dl_db[:, 1])
        self._move(swap, self._second_trp, self._second_beam, self._second_sector, observation.time_us)
        self._known_dl_db = np.where(measured, observation.serving_dl_db[:, 1], self._known_dl_db)
        self._known_ul_db = np.where(measured, observation.serving_ul_db[:, 1], self._known_ul_db)
        self._second_trp = np.where(swap, first[0], self._second_trp)
        self._second_beam = np.where(swap, first[1], self._second_beam)
        self._second_sector = np.where(swap, first[2], self._second_sector)
        self._second_us = np.where(swap, np.maximum(self._free_us, observation.time_us), self._second_us)
        self._free_us = np.where(swap, observation.time_us, self._free_us)

    def _fail(self, failed: BoolArray, observation: Observation) -> None:
        alive = self._active() & (observation.serving_dl_db[:, 1] >= self._qout_db)
        saved = failed & alive & (self._second_us <= observation.serving_time_us)
        if saved.any():
            self._exchange(saved, observation)
        lost = failed & ~saved
        if lost.any():
            super()._fail(lost, observation)
