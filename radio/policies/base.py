"""The policies' contract: what a network can observe, and the plan it answers with.

A policy sees reports of finished beam sweeps, the serving legs as measured at reference signals, the survey of the empty hall,
the load of each TRP, and forecasts that someone offers it. It never sees the true state of the coming tick; the oracle does, as
a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from radio.config import RadioConfig
from radio.messages import nr
from radio.policies.reports import Report
from radio.types import FloatArray, Plan

if TYPE_CHECKING:  # what these are made from imports this module
    from radio.policies.outer_loop import LinkFeedback
    from radio.policies.sensing import Sensed

MIN_BFD_INTERVAL_MS = 2.0  # TS 38.213 clause 6: indications no more often than max(BFD-RS period, 2 ms)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a network could know at the start of a tick.

    Attributes
    ----------
    time_us : start of the tick that is planned [us].
    survey : the empty hall at the UEs' present places.
    report : latest usable sweep, None before the first.
    serving_time_us : instant of the last serving-leg measurement [us], -1 before the first.
    serving_occasions : beam failure detection occasions since the last observation.
    serving_dl_db, serving_ul_db : (U, 2) SINR of the legs then in use, NaN for an unused one [dB].
    load_dl, load_ul : (T,) share of symbols spent in the last tick.
    forecast : predicted sweeps in order of time, None where nobody forecasts. Of a link that their ``source`` has not covered
        nothing is known yet: a policy asks for the links that it looks at.
    truth : the true sweep of the tick that is planned. None for all policies but those with ``sees_truth``, which no network
        could be.
    feedback : what became of messages, as far as it is known by now; None for policies without ``wants_feedback``.
    sensed : what every device senses and hears by itself; None for policies without ``wants_sensing``.
    """

    time_us: int
    survey: Report
    report: Report | None
    serving_time_us: int
    serving_occasions: int
    serving_dl_db: FloatArray
    serving_ul_db: FloatArray
    load_dl: FloatArray
    load_ul: FloatArray
    forecast: tuple[Report, ...] | None
    truth: Report | None = None
    feedback: LinkFeedback | None = None
    sensed: Sensed | None = None


@runtime_checkable
class Policy(Protocol):
    """Chooses beams, TRPs, repetitions and the SINR that link adaptation reckons with, once per tick.

    ``plan`` is called once per tick in order of time and must not change the observation. Nobody writes into a plan that was
    given, so a policy may answer with the very same plan while nothing changed.

    A class may say ``wants_forecast = True``: without a policy that does, nobody forecasts. ``sees_truth = True`` asks for
    ``Observation.truth``; it is for bounds, since no network could have it. ``wants_feedback = True`` asks for
    ``Observation.feedback``, ``wants_sensing = True`` for ``Observation.sensed``. ``central = False`` says that nobody plans for
    all devices, so that a silent centre (``radio.centre_outages``) changes nothing. ``wants_demand = True``: ``take_demand`` is
    called with a `radio.policies.demand.Demand` before the first plan.
    """

    name: str

    def plan(self, observation: Observation) -> Plan:
        """Return the plan of the coming tick."""
        ...


class ServingMonitor:
    """Serving legs of one policy as measured at beam failure detection reference signals.

    Parameters
    ----------
    config : the radio section.
    n_ue : number of UEs.
    """

    def __init__(self, config: RadioConfig, n_ue: int) -> None:
        period_ms = max(config.beam_management.bfd_rs_period_ms, MIN_BFD_INTERVAL_MS)
        self._period_us = round(period_ms * 1000)
        self.time_us = -1
        self.occasions = 0
        self.dl_db: FloatArray = np.full((n_ue, 2), np.nan)
        self.ul_db: FloatArray = np.full((n_ue, 2), np.nan)

    def measure(self, time_us: int, dt_us: int, sinr_dl_db: FloatArray, sinr_ul_db: FloatArray) -> None:
        """Take what the occasions inside a tick show of the legs (U, 2), whose true SINR [dB] is held over it.

        Call once per tick, after that is known.
        """
        first = -(-time_us // self._period_us) * self._period_us
        self.occasions = max(0, -(-(time_us + dt_us - first) // self._period_us))
        if self.occasions:
            self.time_us = first + (self.occasions - 1) * self._period_us
            self.dl_db, self.ul_db = sinr_dl_db, sinr_ul_db

    def observe(
        self,
        time_us: int,
        survey: Report,
        report: Report | None,
        load_dl: FloatArray,
        load_ul: FloatArray,
        forecast: tuple[Report, ...] | None = None,
        truth: Report | None = None,
        feedback: LinkFeedback | None = None,
        sensed: Sensed | None = None,
    ) -> Observation:
        """Put an observation together for the tick that begins at ``time_us``."""
        return Observation(
            time_us, survey, report, self.time_us, self.occasions, self.dl_db, self.ul_db, load_dl, load_ul, forecast, truth,
            feedback, sensed,
        )  # fmt: skip


def evm_ceiling(config: RadioConfig) -> float:
    """Return the linear noise-to-signal ratio that EVM adds, ``(EVM / 100)^2``."""
    return (config.ue.evm_percent / 100.0) ** 2


def capped_db(snr_db: FloatArray, evm: float) -> FloatArray:
    """SINR that a receiver with an error vector magnitude sees: ``1 / (1 / snr + evm)`` [dB]."""
    return np.asarray(-10.0 * np.log10(10.0 ** (-0.1 * np.maximum(snr_db, -200.0)) + evm), dtype=np.float64)


def recovery_tail_us(config: RadioConfig) -> FloatArray:
    """Time from a PRACH occasion until a recovered beam carries data, (T,) by the numerology of each TRP's carrier [us].

    Monitoring starts 4 slots after PRACH, the response is a 2-symbol PDCCH, and the new beam holds 28 symbols after it
    (TS 38.213 clause 6).
    """
    mus = [nr.numerology(config.carrier_of(t).subcarrier_spacing_hz) for t in config.trps]
    return np.array([4 * nr.slot_us(mu) + (2 + 28) * nr.symbol_us(mu) for mu in mus])
