"""Messages of several policies that are compared: delivered and counted side by side, in one compiled call a tick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radio.config import RadioConfig
from radio.figures.kpi import KpiAccumulator, new_tables
from radio.figures.tails import new_margins
from radio.messages.delivery import Delivered, Delivery
from radio.messages.packets_kernel import run_all
from radio.messages.traffic import Traffic
from radio.types import BoolArray, FloatArray, IntArray, LinkStates, Plan


class Packets:
    """Delivers the traffic of n policies and keeps their key figures.

    Parameters
    ----------
    config : the radio section.
    traffic : streams.
    n : number of policies.
    n_ue : number of UEs U.
    draw_seed : seed of the messages' draws, see `radio.messages.delivery.Delivery`.

    Attributes
    ----------
    load : (n, 2, T) share of each TRP's symbols spent in the last tick, by direction.
    kpis : what each policy delivered so far. traffic : the streams.

    Notes
    -----
    The same tables and kernels as `delivery.Delivery.deliver` and `kpi.KpiAccumulator.add`, with an axis of policies
    in front.
    """

    def __init__(self, config: RadioConfig, traffic: Traffic, n: int, n_ue: int, draw_seed: int) -> None:
        self._delivery = Delivery(config, traffic, draw_seed, n=n)
        self.traffic = self._traffic = traffic
        self._n_ue = n_ue
        self._kpi = new_tables(traffic, n, len(config.trps), n_ue)
        self.load = self._delivery.load
        self._margins = new_margins(traffic, n, int(self._kpi.block_us[0, 0]) if n else 1, self._kpi.units.shape[2])
        self.kpis = tuple(
            KpiAccumulator(traffic, draw_seed, tables=self._kpi.row(p), margins=self._margins.row(p)) for p in range(n)
        )
        self._plan: list[Plan | None] = [None] * n
        self._legs: IntArray = np.zeros((n, 2, n_ue, 2), dtype=np.int64)
        self._usable: BoolArray = np.zeros((n, n_ue, 2), dtype=np.bool_)
        self._repetitions: IntArray = np.zeros((n, n_ue), dtype=np.int64)
        self._plan_db: FloatArray = np.zeros((n, 4, n_ue))  # SINR by direction, and the margin in it
        self._finished: IntArray = np.zeros(n, dtype=np.int64)
        self._rows: dict[tuple[int, ...], IntArray] = {}
        self._dt_us = 0

    def reseed(self, draw_seed: int) -> None:
        """Draw the messages that are not decided yet by another seed, as a branch of a run does."""
        self._delivery.reseed(draw_seed)
        self._dt_us = 0  # the tables that the kernel is given hold the seed

    def deliver(
        self, time_us: int, dt_us: int, policies: tuple[int, ...], plans: Sequence[Plan], states: LinkStates
    ) -> tuple[Delivered, ...]:
        """Handle a tick of some policies, each under its plan and its plan's states; see `delivery.Delivery.deliver`."""
        if dt_us != self._dt_us:
            self._delivery.prepare(time_us, dt_us, self._n_ue, states.levels.shape[2:])
            traffic = self._traffic
            self._tables = (
                *self._delivery.tables(), traffic.service, traffic.survival, *self._kpi, traffic.ue, *self._margins,
            )  # fmt: skip
            self._dt_us = dt_us
        for p, plan in zip(policies, plans, strict=True):
            if plan is not self._plan[p]:  # a plan is never written to, so the one of the last tick is in place
                self._plan[p] = plan
                legs, plan_db = self._legs[p], self._plan_db[p]
                legs[0], legs[1], plan_db[0], plan_db[1] = plan.trp, plan.beam, plan.sinr_dl_db, plan.sinr_ul_db
                self._usable[p], self._repetitions[p] = plan.usable, plan.repetitions
                plan_db[2:] = plan.frames_margin_db(self._delivery.margin_db)
        rows = self._rows.get(policies)
        if rows is None:
            rows = self._rows[policies] = np.array(policies, dtype=np.int64)
        finished = self._finished
        run_all(
            time_us, dt_us, rows, self._legs, self._usable, self._repetitions, self._plan_db, states.levels, states.whom,
            finished, *self._tables,
        )  # fmt: skip
        counts = finished.tolist()
        return tuple([self._delivery.finished(p, counts[p]) for p in policies])
