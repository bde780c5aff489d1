"""TRPs that are out of service for a while: they radiate nothing, receive nothing and are measured by nobody.

Nobody tells the networks. A policy finds out by its own measurements: the serving SINR is gone, and the next sweep's report holds
no gain of that TRP. A map of the empty hall knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radio.config import RadioConfig
from radio.figures.kpi import KpiTables
from radio.messages.delivery import Cause, Delivered
from radio.types import BoolArray, IntArray, LinkStates, Plan, Sweep

SILENCE_DB = -200.0  # what LinkState gives for a leg without any path
_LEVELS = 6  # rows of LinkStates.levels that a dead TRP takes: true, clear and quiet SINR, both directions
_BODY_LOSS = 8


class TrpOutages:
    """Says which TRPs are out of service.

    Parameters
    ----------
    config : the radio section with its ``outages``.
    """

    def __init__(self, config: RadioConfig) -> None:
        names = [t.name for t in config.trps]
        self._n_trp = len(names)
        self._spans = [
            (names.index(o.trp), round(o.from_s * 1e6), 2**62 if o.to_s is None else round(o.to_s * 1e6)) for o in config.outages
        ]

    @property
    def any_planned(self) -> bool:
        """Whether a TRP is ever out of service."""
        return bool(self._spans)

    def at(self, time_us: int) -> BoolArray | None:
        """TRPs (T,) that are out of service in the tick that begins at ``time_us``, None for none; nobody writes into it."""
        if not self._spans:
            return None
        off = np.zeros(self._n_trp, np.bool_)
        for trp, start_us, end_us in self._spans:
            off[trp] |= start_us <= time_us < end_us
        return off if off.any() else None


def silenced_sweep(sweep: Sweep, off: BoolArray | None) -> Sweep:
    """Return a sweep in which TRPs that are ``off`` (T,) are not heard."""
    if off is None:
        return sweep
    gain = sweep.gain.copy()
    gain[:, off] = 0.0
    return Sweep(sweep.time_us, gain)


def silence_legs(states: LinkStates, plans: Sequence[Plan], off: BoolArray) -> None:
    """Take away, in place, the SINR of every leg on a TRP that is ``off`` (T,), with and without bodies and interference."""
    for k, plan in enumerate(plans):
        dead = (plan.trp >= 0) & off[plan.trp]
        states.levels[k, :_LEVELS][:, dead] = SILENCE_DB
        states.levels[k, _BODY_LOSS][dead] = 0.0
        states.whom[k][:, dead] = -1


def name_cause(delivered: Delivered, off: BoolArray, tables: KpiTables, service: IntArray) -> None:
    """Let a TRP that is ``off`` (T,) be the cause of every message lost on it, in place, in what was delivered and counted.

    Parameters
    ----------
    delivered : messages of a tick. tables : sums that they are in already. service : (N,) of the streams.
    """
    rows = np.flatnonzero(~delivered.ok & (delivered.trp >= 0) & off[delivered.trp])
    if not len(rows):
        return
    of = service[delivered.stream[rows]]
    np.subtract.at(tables.causes, (of, delivered.cause[rows]), 1)
    delivered.cause[rows] = int(Cause.TRP_DOWN)
    delivered.owner[rows] = delivered.part[rows] = -1
    np.add.at(tables.causes, (of, delivered.cause[rows]), 1)
