"""One policy's network in a hall, tick after tick: observe, plan, meet the channel, deliver, count.

Paths, bodies and sweeps do not depend on the policy. They are computed once a tick (:class:`Air`) and shared by the networks
of all policies that are compared, which therefore see the same footsteps and, by numbered draws, the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.delivery import Delivered, Delivery
from radio.kpi import KpiAccumulator
from radio.links import Channel
from radio.policies import create_policy
from radio.policies.base import ServingMonitor
from radio.policies.reports import LinkBudget, Report, SweepReports
from radio.traffic import Traffic
from radio.types import Blockage, Blockers, FloatArray, LinkState, Paths, Plan, Sweep, Ues


@dataclass(frozen=True, slots=True)
class Air:
    """What all networks share in a tick.

    Attributes
    ----------
    time_us, dt_us : start and length of the tick [us].
    ues, paths, blockage : UEs, their paths, and what bodies cost them.
    empty : sweep of the empty hall at the UEs' places, at most ``SURVEY_PERIOD_US`` old.
    survey : the same as a report.
    report : latest sweep that the network knows, None before the first.
    forecast : predicted sweeps in order of time, None where nobody forecasts.
    """

    time_us: int
    dt_us: int
    ues: Ues
    paths: Paths
    blockage: Blockage
    empty: Sweep
    survey: Report
    report: Report | None
    forecast: tuple[Report, ...] | None


SURVEY_PERIOD_US = 100_000  # an AGV moves 0.15 m meanwhile, a beam is metres wide


class Ether:
    """The part of the radio that no policy changes: paths, bodies, sweeps and what forecasts make of them.

    Parameters
    ----------
    config : the radio section.
    channel : channel of the hall.
    """

    def __init__(self, config: RadioConfig, channel: Channel) -> None:
        self._channel = channel
        self._budget = LinkBudget(config)
        self._reports = SweepReports(config)
        self._empty: Sweep | None = None
        self._survey: Report | None = None
        self._forecast: tuple[Report, ...] | None = None
        self._forecast_period_us = round(config.human_aware.period_ms * 1000)
        self._forecasting = "human_aware" in config.policies

    def forecast_due(self, time_us: int) -> bool:
        """Whether a policy wants a new forecast at this tick."""
        return self._forecasting and time_us % self._forecast_period_us == 0

    def take_forecast(self, scenes: Sequence[tuple[int, Ues, Blockers]]) -> None:
        """Turn predicted scenes, each with its target time [us], into predicted sweeps."""
        predicted = []
        for time_us, ues, blockers in scenes:
            paths = self._channel.paths(ues)
            loss_db = self._channel.blockage(paths, blockers, ues).loss_db
            predicted.append(self._budget.report(self._channel.sweep(paths, ues, loss_db, time_us)))
        self._forecast = tuple(predicted)

    def tick(self, time_us: int, dt_us: int, ues: Ues, blockers: Blockers) -> Air:
        """Return the air of the tick that begins at ``time_us``."""
        paths = self._channel.paths(ues)
        blockage = self._channel.blockage(paths, blockers, ues)
        if self._empty is None or self._survey is None or time_us % SURVEY_PERIOD_US == 0:
            self._empty = self._channel.sweep(paths, ues, None, time_us)
            self._survey = self._budget.report(self._empty)
        if self._reports.due(time_us, dt_us):
            self._reports.add(self._channel.sweep(paths, ues, blockage.loss_db, time_us))
        report = self._reports.latest(time_us)
        return Air(time_us, dt_us, ues, paths, blockage, self._empty, self._survey, report, self._forecast)


class Network:
    """The network under one policy.

    Parameters
    ----------
    config : the radio section.
    channel : channel of the hall.
    traffic : message streams.
    policy : name of the policy.
    n_ue : number of UEs.
    draw_seed : seed of the messages' draws; compared networks share it.

    Attributes
    ----------
    policy : name of the policy.
    kpi : what was delivered so far.
    plan, state : of the last tick; None before the first.
    load_dl, load_ul : (T,) share of symbols spent in the last tick.
    """

    def __init__(self, config: RadioConfig, channel: Channel, traffic: Traffic, policy: str, n_ue: int, draw_seed: int) -> None:
        self.policy = policy
        self.kpi = KpiAccumulator(traffic, draw_seed)
        self.plan: Plan | None = None
        self.state: LinkState | None = None
        self.load_dl: FloatArray = np.zeros(channel.n_trp)
        self.load_ul: FloatArray = np.zeros(channel.n_trp)
        self._channel = channel
        self._policy = create_policy(policy, config, n_ue)
        self._monitor = ServingMonitor(config, n_ue)
        self._delivery = Delivery(config, traffic, draw_seed)

    def step(self, air: Air) -> Delivered:
        """Plan the tick from what is known at its start, and deliver its messages over the true channel."""
        observation = self._monitor.observe(air.time_us, air.survey, air.report, self.load_dl, self.load_ul, air.forecast)
        self.plan = plan = self._policy.plan(observation)
        self.state = state = self._channel.state(air.paths, air.ues, air.blockage, plan, self.load_dl, self.load_ul, air.empty)
        delivered = self._delivery.deliver(air.time_us, air.dt_us, plan, state)
        self._monitor.measure(air.time_us, air.dt_us, state)
        self.load_dl, self.load_ul = delivered.load_dl, delivered.load_ul
        self.kpi.add(delivered, plan)
        return delivered
