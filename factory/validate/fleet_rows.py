"""What hours of a large fleet came to, and what network-aware routing trades: rows and a figure from what was kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from factory.validate.figures import BLUE, GREY, ORANGE, plain, write
from factory.validate.fleet_routing import Trade, trades
from factory.validate.fleet_routing import kept as kept_routing
from factory.validate.fleet_soak import kept as kept_soaks
from factory.validate.rows import Row
from robots.agv import charging_current

FIGURE = "fleet-routing.svg"
_SOAK, _ROUTING = "Forty AGVs for a shift", "Routing that weighs the radio"


def fleet_rows() -> Iterator[Row]:
    """Return rows on collisions, deadlocks and orders of the fleet that was soaked, on charging, and on routing."""
    for soak in kept_soaks():
        who = f"{soak.agvs} AGVs, {soak.people} people, {soak.hours:g} h"
        rule = "none may be"
        yield Row(_SOAK, f"{who}: footprints that overlapped", soak.overlaps, 0, "instants", 0, rule, "at most")
        if soak.people:
            yield Row(_SOAK, f"{who}: moving AGVs that touched a person", soak.person_hits, 0, "instants", 0, rule, "at most")
        yield Row(_SOAK, f"{who}: longest time without an order", soak.longest_h, 1.0, "h", 0, "longer is a deadlock", "at most")
        yield Row(_SOAK, f"{who}: lowest charge of a battery", soak.lowest_battery, 0.1, "1", 0, "critical charge", "at least")
        rate = soak.orders_per_hour
        yield Row(_SOAK, f"{who}: orders", rate, np.nan, "1/h", 1, "as found", "reported")
    charge, taken_s = 0.0, 0.0
    while charge < 0.9:
        charge += charging_current(charge, 0.8) / 18_000
        taken_s += 0.1
    closed_form_s = 1800 * (0.8 + 0.2 * np.log(2.0))
    yield Row("Charging", "from 0 to 0.9 at 1800 s, tapering from 0.8", taken_s, closed_form_s, "s", 1, "dc/dt = (1 - c) / 0.2 T")
    found = kept_routing()
    for trade in trades(found) if found else ():
        case, source = f"link_risk_weight {trade.weight:g}", f"{trade.seeds} seeds, radio on"
        for what, values, unit, step in (
            ("orders", trade.orders_per_hour, "1/h", 0.1),
            ("control service expected down", 1e3 * trade.down_s, "ms/AGV h", 1.0),
            ("outages expected", trade.outages, "1/AGV h", 0.1),
            ("passages of hidden aisles", trade.aisle_passages, "1", 1.0),
        ):
            yield Row(_ROUTING, f"{case}: {what}", float(values.mean()), np.nan, unit, step, source, "reported")
        if trade.weight and trade.seeds > 1:
            for what, (share, low, high) in (("orders lost", trade.orders_lost), ("down time saved", trade.down_saved)):
                told = f"{case}: {what}, paired, 95 % from {100 * low:.1f} to {100 * high:.1f}"
                yield Row(_ROUTING, told, 100 * share, np.nan, "%", 0.1, source, "reported")


def write_fleet(folder: Path) -> None:
    """Draw orders lost against outages avoided, one point per weight with its interval over seeds."""
    found = kept_routing()
    if found is not None:
        write(lambda: _figure(trades(found)), folder / FIGURE)


def _figure(points: list[Trade]) -> Figure:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    fastest = points[0]
    minutes = np.array([60.0 * p.orders_lost[0] for p in points])
    nines = np.array([_nines(p.down_s.mean()) for p in points])
    for k, point in enumerate(points):
        lost_min = 60.0 * (1.0 - point.orders_per_hour / fastest.orders_per_hour)
        label = "one seed" if k == 0 else None
        axes.plot(lost_min, _nines(point.down_s), "o", color=GREY, markersize=3, alpha=0.6, label=label)
        if k and point.seeds > 1:
            _, low, high = point.orders_lost
            axes.plot([60.0 * low, 60.0 * high], [nines[k]] * 2, color=BLUE, linewidth=0.8)
            base = fastest.down_s.mean()
            _, low, high = point.down_saved
            ends = _nines(base * np.clip(1.0 - np.array([low, high]), 1e-9, None))
            axes.plot(
                [minutes[k]] * 2, ends, color=BLUE, linewidth=0.8, label="95 % of the paired difference" if k == 1 else None
            )
        axes.annotate(f"{point.weight:g}", (minutes[k], nines[k]), textcoords="offset points", xytext=(5, 5), fontsize=8)
    axes.plot(minutes, nines, "-o", color=BLUE, label="mean, with its link_risk_weight")
    axes.plot(minutes[0], nines[0], "o", color=ORANGE, label="the fastest way")
    plain(axes, "What a weight on the radio trades", "minutes of work lost per hour", "nines of the AGVs' control service")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _nines(down_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Nines of the availability, of seconds down per AGV hour."""
    return np.asarray(-np.log10(np.maximum(np.asarray(down_s, dtype=np.float64), 1e-9) / 3600.0))
