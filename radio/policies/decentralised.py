"""No centre: every device chooses its TRP, beam, second leg and margin from what it senses and hears by itself."""

from __future__ import annotations

import dataclasses

import numpy as np

from radio.config import RadioConfig
from radio.policies import decentralised_kernels as local
from radio.policies import kernels
from radio.policies.base import Observation
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import Best, Report
from radio.policies.sensing import SENSING_PERIOD_US, Sensed
from radio.types import BoolArray, FloatArray, IntArray, Plan


class DecentralisedPolicy(ReactivePolicy):
    """Reactive timers, but on each device's own measurements, and a second leg where its own eyes or a neighbour see trouble.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs U.

    Notes
    -----
    - Row u of every array is decided by what device u sensed and heard; nobody knows loads or forecasts of a centre.
    - A device measures each SSB sweep itself, so it waits for no report; that the network follows takes ``request_ms`` more than
      ``tci_activation_ms`` (L1/L2-triggered mobility by the UE; the delay is assumed). The timers of reactive hold otherwise.
    - A link is at risk when a sensed body, carried on at the velocity that its track shows, comes nearer to the direct ray than
      its half width and ``clearance_m`` within ``horizon_ms``, below its top; when a neighbour within ``neighbour_radius_m``
      tells in its beacon that the TRP is blocked to it; or when the device itself measures it ``BLOCKED_DB`` below its mean of
      the last seconds. Where TRPs hang it knows from its map.
    - While the first leg is at risk, or its worse direction below ``human_aware.risk_sinr_db``, the best other TRP (one at risk
      counts for ``BODY_DB`` less) carries every control message a second time, and link adaptation reckons with the lesser of
      the two legs. Legs change places on merit, and instead of a beam recovery.
    - A serving SINR that falls is carried on for ``trend_ms``.
    - The uplink's SINR at the serving TRP comes to the device with its grants (assumed).
    """

    name = "decentralised"
    wants_sensing = True
    central = False

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        super().__init__(config, n_ue)
        own = config.decentralised
        n_trp = len(config.trps)
        self._timers[kernels.TCI] += round(own.request_ms * 1000)
        self._hold_us = round(max(own.horizon_ms * 1000, 2 * SENSING_PERIOD_US, own.beacon_period_ms * 1000))
        self._timers[kernels.HOLD] = self._hold_us
        self._trp_m: FloatArray = np.array([t.position_m for t in config.trps], dtype=np.float64)
        self._view = (own.horizon_ms * 1e-3, own.clearance_m)
        self._near_m, self._trend_ticks_us = own.neighbour_radius_m, own.trend_ms * 1000.0
        self._tracks = local.Tracks.empty(n_ue)
        self._body_risk: BoolArray = np.zeros((n_ue, n_trp), np.bool_)
        self._blocked: BoolArray = np.zeros((n_ue, n_trp), np.bool_)
        self._told: BoolArray = np.zeros((n_ue, n_trp), np.bool_)
        self._told_until_us: IntArray = np.full((n_ue, n_trp), -1, np.int64)
        self._mean_db: FloatArray = np.full((n_ue, n_trp), np.nan)
        self._before_db: FloatArray = np.full((2, n_ue), np.nan)
        self._slope: FloatArray = np.zeros((2, n_ue))
        self._before_us = self._swept_us = self._looked_us = -1
        self._no_gain_db: FloatArray = np.zeros(n_ue)

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        sensed, now_us = observation.sensed, observation.time_us
        own = None if sensed is None else sensed.report
        report, best = self._advance(dataclasses.replace(observation, report=own))
        if own is not None and own.time_us != self._swept_us:
            local.follow_levels(self._mean_db, self._blocked, best.dl_db, own.time_us - self._swept_us)
            self._swept_us = own.time_us
        if sensed is not None:
            self._sense(sensed, now_us)
        self._follow_trend(observation)
        risk = self._body_risk | self._blocked | (self._told_until_us >= now_us)
        self._choose(now_us, risk, report, best)
        if kernels.release(now_us, self._legs):
            kernels.exchange_by_merit(
                now_us, observation.serving_time_us, observation.serving_dl_db, observation.serving_ul_db,
                self._no_gain_db, False, self._legs, self._known, self._levels, report.gain, report.budget,
            )  # fmt: skip
        plan = self._planned(now_us)
        local.lower_reckoned(
            plan.sinr_dl_db, plan.sinr_ul_db, plan.usable, self._legs, self._known, self._slope, self._trend_ticks_us,
            report.gain, report.budget, self._levels[kernels.EVM],
        )  # fmt: skip
        if self._reckoned_db is not None:
            self._reckoned_db = np.array([plan.sinr_dl_db, plan.sinr_ul_db])
        return plan

    def _sense(self, sensed: Sensed, now_us: int) -> None:
        """Take places and beacons into what each device knows."""
        if sensed.places_us != self._looked_us:
            self._tracks = self._tracks.follow(sensed.body_m, (sensed.places_us - self._looked_us) * 1e-6)
            self._looked_us = sensed.places_us
            self._body_risk = local.rays_at_risk(
                sensed.position_m, sensed.height_m, self._trp_m, self._tracks.place_m, self._tracks.velocity_mps,
                sensed.body_top_m, sensed.body_radius_m, *self._view,
            )  # fmt: skip
        if sensed.heard.any():
            near = sensed.heard & (sensed.apart_m <= self._near_m)
            self._told_until_us[near.astype(np.int64) @ self._told.astype(np.int64) > 0] = now_us + self._hold_us
        # what the next beacons say is what is known now
        self._told = self._blocked.copy()

    def _follow_trend(self, observation: Observation) -> None:
        """Note how fast the serving leg's SINR falls [dB/us]."""
        if observation.serving_occasions <= 0 or observation.serving_time_us == self._before_us:
            return
        level_db = np.array([observation.serving_dl_db[:, 0], observation.serving_ul_db[:, 0]])
        same = self._legs[kernels.SINCE] <= self._before_us
        gone_us = max(observation.serving_time_us - self._before_us, 1)
        slope = (level_db - self._before_db) / gone_us
        self._slope = np.where(same & np.isfinite(slope), slope, 0.0)
        self._before_db, self._before_us = level_db, observation.serving_time_us

    def _choose(self, now_us: int, risk: BoolArray, report: Report, best: Best) -> None:
        """Choose second legs."""
        local.choose_seconds(
            now_us, risk, self._legs, self._known, self._timers, self._levels, report.gain, report.budget,
            best.dl_db, best.beam, best.sector,
        )  # fmt: skip
