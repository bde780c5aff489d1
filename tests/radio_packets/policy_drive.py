"""Drives a policy through a world given as SNR over time, with measurements on the standard's occasions."""

import numpy as np
from packet_scene import DT_US

from radio.policies import LinkBudget, Report, ServingMonitor, SweepReports, create_policy
from radio.policies.base import capped_db
from radio.policies.sensing import Sensing
from radio.types import Blockers, LinkState, Sweep, Ues


def sweep_of(config, snr_dl_db, time_us):
    """Make the sweep that the link budget turns into a downlink SNR of (U, T, B, S)."""
    offset = LinkBudget(config).offset_dl_db[:, None, None]
    return Sweep(time_us, 10 ** ((np.asarray(snr_dl_db, dtype=float) - offset) / 10))


def report_of(snr_dl_db, time_us, ul_over_dl_db=0.0, step_db=0.0):
    """Make a report of a downlink SNR (U, T, B, S)."""
    budget = np.zeros((3, snr_dl_db.shape[1]))
    budget[1], budget[2] = ul_over_dl_db, step_db
    return Report(time_us, 10 ** (np.asarray(snr_dl_db, dtype=float) / 10), budget)


def state_of(plan, snr_dl_db):
    """Make the true state: SNR under the EVM ceiling, the uplink 4 dB below (23 dBm, NF 6 against 30 dBm, NF 9)."""
    legs = np.full(plan.trp.shape, np.nan)
    used = plan.trp >= 0
    u = np.nonzero(used)[0]
    legs[used] = snr_dl_db[u, plan.trp[used], plan.beam[used], plan.sector[used]]
    up, legs = capped_db(legs - 4.0, 0.035**2), capped_db(legs, 0.035**2)
    zero = np.zeros_like(legs)
    none = np.full(legs.shape, -1)
    return LinkState(legs, up, legs, up, legs, up, legs, up, zero, none, none)


def standing(n_ue):
    """Devices in a row, two metres apart, and one body that stands in the middle of it."""
    place = np.zeros((n_ue, 3))
    place[:, 0], place[:, 2] = 2.0 * np.arange(n_ue), 1.0
    index = np.zeros(1, np.int64)
    body = Blockers(
        np.array([[n_ue, 1.0, 0.0]]), np.array([[n_ue, 1.0, 1.8]]), np.full((1, 2), 0.2), np.zeros(1), index, index, index
    )
    return Ues(place, np.zeros(n_ue), np.full(n_ue, -1)), body


def drive(name, config, snr_at, ticks, survey=None, forecast_at=None):
    """Return the plans of each tick and the policy; ``snr_at(time_us)`` and ``survey`` are (U, T, B, S) in dB."""
    budget = LinkBudget(config)
    first = snr_at(0) if survey is None else survey
    n_ue, n_trp = first.shape[:2]
    policy, monitor, reports = create_policy(name, config, n_ue), ServingMonitor(config, n_ue), SweepReports(config)
    surveyed = budget.report(sweep_of(config, first, 0))
    load, plans = np.zeros(n_trp), []
    senses = getattr(policy, "wants_sensing", False)
    sensing, (ues, bodies) = Sensing(config, np.random.default_rng(1)), standing(n_ue)
    for k in range(ticks):
        now = k * DT_US
        forecast = None if forecast_at is None else forecast_at(now, budget)
        truth = budget.report(sweep_of(config, snr_at(now), now)) if getattr(policy, "sees_truth", False) else None
        sensed = sensing.now() if senses else None
        observation = monitor.observe(now, surveyed, reports.latest(now), load, load, forecast, truth, None, sensed)
        plan = policy.plan(observation)
        plans.append(plan)
        snr = snr_at(now)
        if reports.due(now, DT_US):
            reports.add(sweep_of(config, snr, now))
            sensing.measure(sweep_of(config, snr, now))
        sensing.look(now, DT_US, ues, bodies)
        state = state_of(plan, snr)
        monitor.measure(now, DT_US, state.sinr_dl_db, state.sinr_ul_db)
    return plans


def column(plans, name, u=0, leg=None):
    """Follow one UE's entry of a plan over the ticks."""
    return np.array([getattr(p, name)[u] if leg is None else getattr(p, name)[u, leg] for p in plans])
