"""Drives a policy through a world given as SNR over time, with measurements on the standard's occasions."""

import numpy as np
from packet_scene import DT_US

from radio.policies import LinkBudget, Report, ServingMonitor, SweepReports, create_policy
from radio.policies.base import capped_db
from radio.types import LinkState, Sweep


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


def drive(name, config, snr_at, ticks, survey=None, forecast_at=None):
    """Return the plans of each tick and the policy; ``snr_at(time_us)`` and ``survey`` are (U, T, B, S) in dB."""
    budget = LinkBudget(config)
    first = snr_at(0) if survey is None else survey
    n_ue, n_trp = first.shape[:2]
    policy, monitor, reports = create_policy(name, config, n_ue), ServingMonitor(config, n_ue), SweepReports(config)
    surveyed = budget.report(sweep_of(config, first, 0))
    load, plans = np.zeros(n_trp), []
    for k in range(ticks):
        now = k * DT_US
        forecast = None if forecast_at is None else forecast_at(now, budget)
        truth = budget.report(sweep_of(config, snr_at(now), now)) if getattr(policy, "sees_truth", False) else None
        observation = monitor.observe(now, surveyed, reports.latest(now), load, load, forecast, truth)
        plan = policy.plan(observation)
        plans.append(plan)
        snr = snr_at(now)
        if reports.due(now, DT_US):
            reports.add(sweep_of(config, snr, now))
        state = state_of(plan, snr)
        monitor.measure(now, DT_US, state.sinr_dl_db, state.sinr_ul_db)
    return plans


def column(plans, name, u=0, leg=None):
    """Follow one UE's entry of a plan over the ticks."""
    return np.array([getattr(p, name)[u] if leg is None else getattr(p, name)[u, leg] for p in plans])
