"""What a worker does with a point of the study of policies: runs the twin, and keeps sums instead of recordings.

A point is a ``kpi.json`` alone. Loss probabilities have gone through the survival-time rule in the twin already
(``radio.figures.kpi_kernels``); what is kept here is their sum of every device, so that whoever reads many points can take seeds,
not messages, as independent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.run_folder import write_json
from factory.scenario import load_text
from factory.study.worker import PointTask
from factory.twin import Twin
from radio.config import RadioConfig
from radio.figures.kpi_kernels import (
    DOWN,
    DOWN_COUNTED,
    ENTRIES,
    ENTRIES_COUNTED,
    LOSS,
    LOST,
    MESSAGES,
    SECOND_LEGS,
    SWITCHES,
    TICKS,
)
from radio.messages import nr
from radio.messages.delivery import MAX_SLOTS, Delivered
from radio.messages.traffic import Traffic
from robots.state import COMMUNICATION

Json = dict[str, Any]
Ints = npt.NDArray[np.int64]
POINT_FORMAT = 1
"""Part of a study's versions: points of different formats are never put into one study."""
SUMMED = {
    "messages": MESSAGES,
    "loss": LOSS,
    "lost": LOST,
    "down": DOWN,
    "entries": ENTRIES,
    "down_counted": DOWN_COUNTED,
    "outages": ENTRIES_COUNTED,
}
"""Sums of every device of a service, by the columns of ``radio.figures.kpi_kernels``."""


def simulate_policies(task: PointTask, path: Path) -> None:
    """Run the twin under all policies of a point side by side, and write the sums to ``path``/kpi.json.

    Raises
    ------
    UserError
        Where the scenario cannot be run.
    """
    loaded = load_text(task.base_text, Path(task.base_source), task.all_overrides)
    twin = Twin(loaded)
    try:
        spent = Spent(loaded.scenario.radio, twin.traffic, len(twin.networks), len(twin.devices))
        end_us = round(loaded.scenario.duration_s * 1e6)
        while twin.time_us < end_us:
            tick = twin.tick()
            for p, (network, delivered) in enumerate(zip(twin.networks, tick.delivered, strict=True)):
                spent.add(p, delivered, network.plan.trp[:, 0] if network.plan is not None else None)
        path.mkdir(parents=True)
        write_json(path / "kpi.json", figures_of(twin, spent))
    finally:
        twin.close()


def needed_symbols(radio: RadioConfig, traffic: Traffic) -> Ints:
    """Symbols of one transmission of each stream's message on one leg, (carriers, N, MCS), as `Delivery` reckons them."""
    bits = np.array([b + nr.crc_bits(int(b)) for b in traffic.bits], dtype=np.float64)[:, None]
    rows = [np.ceil(bits / nr.SPECTRAL_EFFICIENCY / nr.resource_elements(c.resource_blocks, 1)) for c in radio.used_carriers]
    symbols: Ints = np.clip(np.stack(rows), nr.MINI_SLOT_SYMBOLS, MAX_SLOTS * nr.SYMBOLS_PER_SLOT).astype(np.int64)
    return symbols


class Spent:
    """Adds up symbols of every service, what one transmission on one leg would have taken, and changes of TRPs.

    Parameters
    ----------
    radio : the radio section. traffic : the streams. n : number of policies. n_ue : number of devices.

    Attributes
    ----------
    symbols, needed : (n, V) data symbols, and those of one transmission on the first leg at the MCS that was chosen; of messages
        of control alone, for video has neither repetitions nor second legs.
    trp_switches : (n,) changes of the serving TRP.
    """

    def __init__(self, radio: RadioConfig, traffic: Traffic, n: int, n_ue: int) -> None:
        self._traffic = traffic
        self._table = needed_symbols(radio, traffic)
        self._carrier: Ints = np.array(radio.trp_carrier, dtype=np.int64)
        n_services = len(traffic.service_name)
        self.symbols: Ints = np.zeros((n, n_services), dtype=np.int64)
        self.needed: Ints = np.zeros((n, n_services), dtype=np.int64)
        self.trp_switches: Ints = np.zeros(n, dtype=np.int64)
        self._last: Ints = np.full((n, n_ue), -1, dtype=np.int64)

    def add(self, policy: int, delivered: Delivered, trp: Ints | None) -> None:
        """Add a tick of a policy; ``trp`` (U,) serves every device now."""
        if trp is not None:
            before = self._last[policy]
            self.trp_switches[policy] += int(np.count_nonzero((trp != before) & (before >= 0) & (trp >= 0)))
            self._last[policy] = trp
        spent = delivered.spent_symbols
        if not len(spent):
            return
        stream = delivered.stream
        service = self._traffic.service[stream]
        self.symbols[policy] += np.bincount(service, spent, len(self.symbols[policy])).astype(np.int64)
        once = self._table[self._carrier[np.maximum(delivered.trp, 0)], stream, np.maximum(delivered.mcs, 0)]
        once = np.where(self._traffic.video[stream], spent, np.minimum(once, spent))
        self.needed[policy] += np.bincount(service, once, len(self.needed[policy])).astype(np.int64)


def figures_of(twin: Twin, spent: Spent) -> Json:
    """Return what a point keeps, plain JSON data."""
    traffic, radio = twin.traffic, twin.scenario.radio
    policies = {}
    for p, (network, account) in enumerate(zip(twin.networks, twin.accounts, strict=True)):
        tables, energy = network.kpi.tables, account.result()
        by_stream, counts = tables.units.sum(axis=1), tables.counts
        services = []
        for v in range(len(traffic.service_name)):
            rows = traffic.service == v
            histogram = tables.latency[v].sum(axis=0)
            bins = np.flatnonzero(histogram)
            services.append(
                {name: by_stream[rows, column].tolist() for name, column in SUMMED.items()}
                | {
                    "latency": [bins.tolist(), histogram[bins].tolist()],
                    "symbols": int(spent.symbols[p, v]),
                    "needed_symbols": int(spent.needed[p, v]),
                }
            )
        ticks = max(int(counts[TICKS]), 1)
        policies[network.policy] = {
            "services": services,
            "beam_switches": int(counts[SWITCHES]),
            "trp_switches": int(spent.trp_switches[p]),
            "second_leg_share": int(counts[SECOND_LEGS]) / (ticks * max(len(twin.devices), 1)),
            "energy": energy["relative_energy"],
        }
    ledger = twin.stops.ledger
    return {
        "format": POINT_FORMAT,
        "simulated_s": twin.time_us / 1e6,
        "acting": twin.networks[0].policy,
        "devices": len(twin.devices),
        "services": services_of(twin),
        "policies": policies,
        "stops": int(ledger.starts[:, COMMUNICATION].sum()),
        "radio_min": float(twin.stops.radio_s()["total"].sum()) / 60.0,
        "orders": int(twin.fleet.finished.sum()),
        "parts": int(twin.cobot_state.parts.sum()),
        "margin_db": radio.link_adaptation.margin_db,
    }


def services_of(twin: Twin) -> list[Json]:
    """Return how sums are to be read: intervals, targets, and after how long a machine goes on [s], None for no machine."""
    traffic, robots = twin.traffic, twin.scenario.robots
    cobot_s = [c.restart_delay_s for c in robots.cobots]
    out = []
    for v, service in enumerate(twin.scenario.radio.services):
        rows = np.flatnonzero(traffic.service == v)
        machine = service.peers or service.devices
        restart_s: float | None = robots.agvs.restart_delay_s if machine == "agv" else None
        if machine != "agv" and cobot_s:
            restart_s = float(np.mean(cobot_s))
        stops = len(rows) > 0 and not traffic.video[rows[0]] and not traffic.sent.poisson[rows[0]]
        out.append(
            {
                "name": service.name,
                "profile": service.profile,
                "video": bool(traffic.video[rows].any()),
                "interval_s": float(traffic.interval_us[rows[0]]) * 1e-6 if len(rows) else 0.0,
                "availability_target": float(traffic.availability_target[v]),
                "mtbf_target_s": float(traffic.mtbf_target_s[v]),
                "restart_s": restart_s if stops else None,
                "copies": service.copies,
            }
        )
    return out
