"""One policy's network in a hall, tick after tick: observe, plan, meet the channel, deliver, count.

Paths, bodies and sweeps do not depend on the policy. They are computed once a tick (:class:`Air`) and shared by the networks
of all policies that are compared, which therefore see the same footsteps and, by numbered draws, the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.figures.trp_outages import TrpOutages, name_cause, silence_legs, silenced_sweep
from radio.foresight import Foresight, Scene
from radio.links import Channel
from radio.messages.delivery import Delivered
from radio.messages.packets import Packets
from radio.messages.traffic import Traffic
from radio.policies import create_policy, policy_class
from radio.policies.base import Observation, Policy, ServingMonitor
from radio.policies.demand import demand_of
from radio.policies.outer_loop import HarqFeedback
from radio.policies.reports import LinkBudget, Report, SweepReports
from radio.policies.sensing import Sensed, Sensing
from radio.policies.silent_centre import CentreSpans, LeftAlone
from radio.types import Blockage, Blockers, BoolArray, FloatArray, LinkState, LinkStates, Paths, Plan, Sweep, Ues


@dataclass(frozen=True, slots=True)
class Known:
    """What all networks share as a tick begins.

    Attributes
    ----------
    time_us, dt_us : start and length of the tick [us].
    ues : the UEs.
    paths : their paths where the tick's survey has them, None where there was no survey.
    empty : sweep of the empty hall at the UEs' places, at most ``SURVEY_PERIOD_US`` old.
    survey : the same as a report.
    report : latest sweep that the network knows, None before the first.
    forecast : predicted sweeps in order of time, None where nobody forecasts.
    truth : the sweep of this very tick, worked out only for a policy that is shown it (`radio.policies.oracle`).
    blockage : what bodies cost every path in this tick, where that was worked out for ``truth``.
    sensed : what devices sense and hear by themselves, None where no policy asks for it.
    measured : latest sweep as the devices measured it, which the network need not know yet; None before the first.
    """

    time_us: int
    dt_us: int
    ues: Ues
    paths: Paths | None
    empty: Sweep
    survey: Report
    report: Report | None
    forecast: tuple[Report, ...] | None
    truth: Report | None = None
    blockage: Blockage | None = None
    sensed: Sensed | None = None
    measured: Report | None = None


@dataclass(frozen=True, slots=True)
class Air:
    """The channel of a tick: what was known as it began, the paths of every link, and what bodies cost every path.

    Links that no plan uses may have the paths and the body loss of a few ticks ago, see :meth:`Ether.finish`.

    ``off`` (T,) are TRPs that are out of service, None for none; paths and blockage are as if they were not.
    """

    known: Known
    paths: Paths
    blockage: Blockage
    off: BoolArray | None = None


SURVEY_PERIOD_US = 100_000  # an AGV moves 0.15 m meanwhile, a beam is metres wide


class Ether:
    """The part of the radio that no policy changes: paths, bodies, sweeps and what forecasts make of them.

    Parameters
    ----------
    config : the radio section.
    channel : channel of the hall.
    rng : generator of what devices' sensors get wrong; needed where a policy has ``wants_sensing``.
    """

    def __init__(self, config: RadioConfig, channel: Channel, rng: np.random.Generator | None = None) -> None:
        self._channel = channel
        self._budget = LinkBudget(config)
        self._reports = SweepReports(config)
        self._outages = TrpOutages(config)
        self._heard: BoolArray | None = None
        self._empty: Sweep | None = None
        self._survey: Report | None = None
        self._forecast: tuple[Report, ...] | None = None
        self._plans: Sequence[Plan] = ()
        self._forecast_period_us = round(config.human_aware.period_ms * 1000)
        self._futures_share = config.human_aware.futures_share
        self._config, self._rng = config, rng
        self._sensing: Sensing | None = None
        self.serve(config.policies)

    def serve(self, policies: Sequence[str]) -> None:
        """Say which policies there are from now on; what none of them looks at is not worked out.

        Raises
        ------
        ValueError
            If one wants devices to sense by themselves, and there is no generator.
        """
        classes = [policy_class(name) for name in policies]
        self._forecasting = any(getattr(c, "wants_forecast", False) for c in classes)
        self._revealing = any(getattr(c, "sees_truth", False) for c in classes)
        if not any(getattr(c, "wants_sensing", False) for c in classes):
            self._sensing = None
        elif self._sensing is None:
            if self._rng is None:
                raise ValueError("a policy whose devices sense by themselves needs a generator: pass rng to Ether")
            self._sensing = Sensing(self._config, self._rng)

    def correct_power(self, power_db: FloatArray) -> None:
        """Let every TRP send that much stronger than configured, (T,) [dB], from now on; zeros take it back."""
        self._channel.correct_power(power_db)
        self._budget.correct_power(power_db)
        self._reports.correct_power(power_db)
        if self._sensing is not None:
            self._sensing.correct_power(power_db)

    def out_of_service(self, time_us: int) -> BoolArray | None:
        """Return which TRPs (T,) are out of service in the tick that begins at ``time_us``, None for none."""
        return self._outages.at(time_us)

    def take_outages(self, config: RadioConfig) -> None:
        """Switch TRPs off, from now on, as the ``outages`` of a configuration with the same TRPs say."""
        self._outages = TrpOutages(config)

    @property
    def newest(self) -> Report | None:
        """The newest sweep that was taken, which the networks may not know yet; for whoever looks back, never for a policy."""
        return self._reports.newest

    @property
    def survey(self) -> Report | None:
        """What the empty hall leads one to expect of a sweep; None before the first tick. For whoever looks on."""
        return self._survey

    def forecast_due(self, time_us: int) -> bool:
        """Whether a policy wants a new forecast at this tick."""
        return self._forecasting and time_us % self._forecast_period_us == 0

    def take_forecast(self, scenes: Sequence[Scene]) -> None:
        """Turn predicted scenes, each with its target time [us], into predicted sweeps; scenes of one time are drawn futures.

        What is forecast is anchored in what was measured: a TRP that the last report did not hear has no gain in it either.

        They begin with the legs of the last plans; what else a policy looks at it asks for by ``Report.cover``.
        """
        if self._plans:
            links = _legs(self._channel.n_trp, self._plans)
        else:
            links = np.ones(len(scenes[0][1].owner) * self._channel.n_trp, np.bool_)
        self._forecast = Foresight(self._channel, self._budget, scenes, links, self._futures_share, self._heard).reports

    def begin(self, time_us: int, dt_us: int, ues: Ues, blockers: Blockers | None = None) -> Known:
        """Return what the networks know as the tick that begins at ``time_us`` starts, before anybody plans.

        ``blockers`` are the bodies of the tick, which an oracle is shown the effect of; nobody else learns of them here.

        Raises
        ------
        ValueError
            If there is an oracle and no blockers.
        """
        paths = None
        if self._empty is None or self._survey is None or time_us % SURVEY_PERIOD_US == 0:
            paths = self._channel.paths(ues)
            self._empty = self._channel.sweep(paths, ues, None, time_us)
            self._survey = self._budget.report(self._empty)
        report = self._reports.latest(time_us)
        if self._outages.any_planned and report is not None:
            self._heard = np.asarray(report.gain.any(axis=(0, 2, 3)))
        sensed = None if self._sensing is None else self._sensing.now()
        if not self._revealing:
            return Known(
                time_us, dt_us, ues, paths, self._empty, self._survey, report, self._forecast, None, None, sensed, self.newest
            )  # fmt: skip
        if blockers is None:
            raise ValueError("an oracle needs the bodies of the tick: pass blockers to Ether.begin")
        paths = paths or self._channel.paths(ues)
        blockage = self._channel.blockage(paths, blockers, ues, None)
        sweep = silenced_sweep(self._channel.sweep(paths, ues, blockage.loss_db, time_us), self._outages.at(time_us))
        truth = self._budget.report(sweep)
        return Known(
            time_us, dt_us, ues, paths, self._empty, self._survey, report, self._forecast, truth, blockage, sensed, self.newest
        )  # fmt: skip

    def finish(self, known: Known, blockers: Blockers, plans: Sequence[Plan]) -> Air:
        """Return the air that the plans meet.

        Links that no plan uses are needed for sweeps, and as interference. Between sweeps their paths stay as they were, and what
        bodies cost these, for at most a sweep's period; in the 20 ms of the default an AGV moves 30 mm.
        """
        sweeping = self._reports.due(known.time_us, known.dt_us)
        self._plans = plans
        needed = None if sweeping else _legs(self._channel.n_trp, plans)
        paths = known.paths or self._channel.paths(known.ues, needed)
        blockage = known.blockage or self._channel.blockage(paths, blockers, known.ues, needed)
        off = self._outages.at(known.time_us)
        if sweeping:
            sweep = silenced_sweep(self._channel.sweep(paths, known.ues, blockage.loss_db, known.time_us), off)
            self._reports.add(sweep)
            if self._sensing is not None:
                self._sensing.measure(sweep)
        if self._sensing is not None:
            self._sensing.look(known.time_us, known.dt_us, known.ues, blockers)
        return Air(known, paths, blockage, off)


def _legs(n_trp: int, plans: Sequence[Plan]) -> BoolArray:
    """Links (U * T,) that a leg of a plan uses."""
    trp = np.concatenate([plan.trp for plan in plans], axis=1)
    used = np.zeros((len(trp), n_trp + 1), np.bool_)
    used[np.arange(len(trp))[:, None], trp] = True  # the column behind the last TRP is that of -1, no leg
    needed: BoolArray = used[:, :n_trp].ravel()
    return needed


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
    packets, row : what delivers for several networks, and this one's row in it; see :func:`create_networks`. One of its own if
        None.

    Attributes
    ----------
    policy, channel : name of the policy, and the channel. forecasting : whether the policy looks at forecasts.
    kpi : what was delivered so far.
    plan : of the last tick; None before the first.
    load_dl, load_ul : (T,) share of symbols spent in the last tick; written at every tick.
    """

    def __init__(
        self,
        config: RadioConfig,
        channel: Channel,
        traffic: Traffic,
        policy: str,
        n_ue: int,
        draw_seed: int,
        packets: Packets | None = None,
        row: int = 0,
    ) -> None:
        self.packets, self.row = packets or Packets(config, traffic, 1, n_ue, draw_seed), row
        self.kpi = self.packets.kpis[row]
        self.plan: Plan | None = None
        self.load_dl: FloatArray = self.packets.load[row, 0]
        self.load_ul: FloatArray = self.packets.load[row, 1]
        self.channel = channel
        self._states: tuple[LinkStates, int] | None = None
        self._config, self._traffic, self._n_ue = config, traffic, n_ue
        self._monitor = ServingMonitor(config, n_ue)
        self._spans = CentreSpans(config)
        self._enact(policy)

    def _made(self, name: str) -> Policy:
        """Make a policy, and tell it what the services ask for if it wants to know."""
        policy = create_policy(name, self._config, self._n_ue)
        if getattr(policy, "wants_demand", False):
            policy.take_demand(demand_of(self._config, self._traffic, self._n_ue))  # type: ignore[attr-defined]
        return policy

    def change_policy(self, policy: str) -> None:
        """Go on under another policy, which attaches every UE anew; messages and figures are those of before.

        Raises
        ------
        ValueError
            If there is no such policy.
        """
        self._enact(policy)

    def _enact(self, policy: str) -> None:
        made = self._made(policy)
        self._policy, self.policy = made, policy
        self.forecasting: bool = getattr(made, "wants_forecast", False)
        self._sees_truth: bool = getattr(made, "sees_truth", False)
        self._senses: bool = getattr(made, "wants_sensing", False)
        heeds = getattr(made, "wants_feedback", False)
        self._feedback = HarqFeedback(self._config, self._traffic, self._n_ue) if heeds else None
        self._silenced = self._spans.any_planned and getattr(made, "central", True)
        self._alone: LeftAlone | None = None

    @property
    def state(self) -> LinkState | None:
        """True state of the legs in the last tick; None before the first."""
        if self._states is None:
            return None
        states, k = self._states
        return states[k]

    def decide(self, known: Known) -> Plan:
        """Plan the tick from what is known at its start."""
        truth = known.truth if self._sees_truth else None
        feedback = None if self._feedback is None else self._feedback.latest(known.time_us)
        observation = self._monitor.observe(
            known.time_us, known.survey, known.report, self.load_dl, self.load_ul, known.forecast, truth,
            feedback, known.sensed if self._senses else None,
        )  # fmt: skip
        alone = self._plan_alone(known, observation) if self._silenced else None
        self.plan = self._policy.plan(observation) if alone is None else alone
        return self.plan

    def _plan_alone(self, known: Known, observation: Observation) -> Plan | None:
        """Plan of a tick in which the centre is silent; None while it speaks. A centre that comes back begins anew."""
        wait_ms = self._spans.at(known.time_us)
        if wait_ms is None:
            if self._alone is not None:
                self._alone, self._policy = None, self._made(self.policy)
            return None
        if self._alone is None:
            if self.plan is None:
                return None  # devices attach first
            self._alone = LeftAlone(self._config, self.plan, known.time_us, wait_ms)
        return self._alone.plan_alone(observation, known.measured or known.survey)

    def step(self, air: Air) -> Delivered:
        """Deliver the tick's messages over the channel as it is, under the plan decided on."""
        return step_all((self,), air)[0]

    def meet(self, known: Known, states: LinkStates, k: int) -> None:
        """Measure the legs of the plan, whose state, the k-th, is known by now."""
        self._states = states, k
        self._monitor.measure(known.time_us, known.dt_us, states.levels[k, 0], states.levels[k, 1])

    def learn(self, time_us: int, dt_us: int, delivered: Delivered) -> None:
        """Put the HARQ-ACKs of a tick on their way, where the policy listens to them."""
        if self._feedback is not None:
            self._feedback.add(time_us, dt_us, delivered)


def create_networks(
    config: RadioConfig, channel: Channel, traffic: Traffic, policies: Sequence[str], n_ue: int, draw_seed: int
) -> tuple[Network, ...]:
    """Return a network for each policy that is compared; parameters as :class:`Network`. They deliver side by side."""
    if not policies:
        return ()
    packets = Packets(config, traffic, len(policies), n_ue, draw_seed)
    return tuple(Network(config, channel, traffic, p, n_ue, draw_seed, packets, row) for row, p in enumerate(policies))


def step_all(networks: Sequence[Network], air: Air) -> tuple[Delivered, ...]:
    """Let networks of one channel, each under the plan that it decided on, deliver the tick's messages.

    Parameters
    ----------
    networks : the networks; what their plans have in common is worked out once.
    air : the channel as it is.

    Raises
    ------
    ValueError
        If a network has not decided on a plan.
    """
    known, plans = air.known, [network.plan for network in networks if network.plan is not None]
    if len(plans) != len(networks):
        raise ValueError("a network needs a plan before it can deliver: call decide first")
    if not networks:
        return ()
    off, load_dl, load_ul = air.off, [n.load_dl for n in networks], [n.load_ul for n in networks]
    if off is not None:
        load_dl, load_ul = ([np.where(off, 0.0, load) for load in loads] for loads in (load_dl, load_ul))
    states = LinkStates.of(
        networks[0].channel.states(
            air.paths, known.ues, air.blockage, plans, load_dl, load_ul, known.empty, time_us=known.time_us
        )
    )  # fmt: skip
    if off is not None:
        silence_legs(states, plans, off)
    packets, now_us, dt_us = networks[0].packets, known.time_us, known.dt_us
    for k, network in enumerate(networks):
        network.meet(known, states, k)
    if all([network.packets is packets for network in networks]):
        delivered = packets.deliver(now_us, dt_us, tuple([network.row for network in networks]), plans, states)
    else:
        one_by_one: list[Delivered] = []
        for k, network in enumerate(networks):
            one_by_one += network.packets.deliver(now_us, dt_us, (network.row,), plans[k : k + 1], states[k : k + 1])
        delivered = tuple(one_by_one)
    for network, messages in zip(networks, delivered, strict=True):
        network.learn(now_us, dt_us, messages)
    if off is not None:
        for network, messages in zip(networks, delivered, strict=True):
            name_cause(messages, off, network.kpi.tables, network.packets.traffic.service)
    return delivered
