"""The network that is told where bodies will be, and prepares another leg before they arrive."""

from __future__ import annotations

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.policies import kernels
from radio.policies.base import Observation
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import Report
from radio.types import BoolArray, FloatArray, IntArray, Plan

_HOLD_PERIODS = 2  # forecasts without risk before a prepared leg is given up


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
    wants_forecast = True

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        aware = config.human_aware
        self._timers[kernels.HOLD] = round(_HOLD_PERIODS * aware.period_ms * 1000)
        self._timers[kernels.NEAR] = round(min(aware.horizons_ms) * 1000)
        self._forecast: tuple[Report, ...] = ()
        self._forecast_key: tuple[int, ...] = ()
        self._nearing_us: int = kernels.NEVER_US

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        now_us = observation.time_us
        report, _ = self._advance(observation)
        forecast = observation.forecast or ()
        source = forecast[0].source if forecast else None
        if source is not None and _uncovered(self._legs, source.covered):
            source.cover(_links_of(self._legs, report.gain.shape[1]))
            self._nearing_us = now_us
        if forecast is not self._forecast:
            self._forecast = forecast
            key = tuple([f.time_us for f in forecast])
            coming = [f for f in forecast if f.time_us >= now_us]
            if coming and key != self._forecast_key:
                self._forecast_key = key
                self._assess(coming, report, now_us)
            self._nearing_us = now_us
        if now_us >= self._nearing_us:
            self._look_near(now_us)
        if kernels.release(now_us, self._legs):
            self._exchange_by_merit(observation, report)
        return self._planned(now_us)

    def _assess(self, coming: list[Report], report: Report, now_us: int) -> None:
        """Judge the risk of every serving pair by a new forecast, and choose second legs."""
        floor = _floor(coming)
        if coming[0].source is not None:
            _, risk = kernels.at_risk(self._legs, self._known, self._levels, report.gain, report.budget, floor, coming[0].budget)
            # a second leg may be at any TRP
            if risk.any() and coming[0].source.cover(risk.repeat(floor.shape[1])):
                floor = _floor(coming)
        kernels.judge_risk(
            now_us, self._legs, self._known, self._timers, self._levels, report.gain, report.budget,
            floor, coming[0].budget, coming[0].gain,
        )  # fmt: skip

    def _look_near(self, now_us: int) -> None:
        """Lay out the forecasts that link adaptation looks at now, and note when another one comes near."""
        horizon_us = now_us + int(self._timers[kernels.NEAR])
        near = [f for f in self._forecast if now_us <= f.time_us <= horizon_us]
        self._nearing_us = now_us + min(
            (f.time_us - horizon_us for f in self._forecast if f.time_us > horizon_us), default=kernels.NEVER_US
        )
        best = [f.best() for f in near]
        shape = (len(near), self._legs.shape[1], -1 if near else 0)
        self._forecast_us = np.array([f.time_us for f in near], dtype=np.int64)
        self._forecast_dl_db = np.array([b.dl_db for b in best]).reshape(shape)
        self._forecast_ul_db = np.array([b.ul_db for b in best]).reshape(shape)

    def _exchange_by_merit(self, observation: Observation, report: Report) -> None:
        """Let the second leg lead where it is better by the hysteresis, measured or predicted."""
        now_us = observation.time_us
        near_us = now_us + int(self._timers[kernels.NEAR])
        near = [f for f in self._forecast if now_us <= f.time_us <= near_us]
        gain_db = np.full(self._legs.shape[1], np.inf)
        for f in near:
            kernels.lower_gain(gain_db, self._legs, f.gain, f.budget)
        kernels.exchange_by_merit(
            now_us, observation.serving_time_us, observation.serving_dl_db, observation.serving_ul_db, gain_db, bool(near),
            self._legs, self._known, self._levels, report.gain, report.budget,
        )  # fmt: skip


def _floor(coming: list[Report]) -> FloatArray:
    """Least gain over the horizon of every beam's best sector (U, T, B)."""
    floor = np.full(coming[0].gain.shape[:3], np.inf)
    for f in coming:
        kernels.lower_floor(floor, f.gain)
    return floor


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
