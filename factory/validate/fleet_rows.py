"""What hours of a large fleet came to, and what network-aware routing trades: rows and a figure from what was kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from factory.validate.figures import BLUE, GREY, ORANGE, plain, write
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
    for weight, orders, silent in curve(found) if found else ():
        case = f"link_risk_weight {weight:g}"
        source = f"mean of fleets on one map, {found['hours']:g} h each" if found else ""
        yield Row(_ROUTING, f"{case}: orders", orders.mean(), np.nan, "1/h", 1, source, "reported")
        yield Row(
            _ROUTING,
            f"{case}: silence expected on the map",
            1e6 * silent.mean(),
            np.nan,
            "ppm",
            1,
            source,
            "reported",
        )

    for check in found["checks"] if found else ():
        case = f"radio on, seed {check['seed']:g}, link_risk_weight {check['weight']:g}: silence"
        silent = 1e6 * check["silent_share"]
        yield Row(_ROUTING, case, silent, np.nan, "ppm", 1, f"shift of {check['minutes']:g} min, map of another seed", "reported")


def curve(found: dict[str, list[dict[str, float]]]) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Give weight, orders per hour (seeds,) and silent share (seeds,) of the kept fleets, by weight."""
    weights = sorted({entry["weight"] for entry in found["curve"]})
    out = []
    for weight in weights:
        mine = [entry for entry in found["curve"] if entry["weight"] == weight]
        out.append((weight, np.array([e["orders_per_hour"] for e in mine]), np.array([e["silent_share"] for e in mine])))
    return out


def write_fleet(folder: Path) -> None:
    """Draw orders an hour against the nines of the commands, one point per weight."""
    found = kept_routing()
    if found is not None:
        write(lambda: _figure(curve(found)), folder / FIGURE)


def _figure(points: list[tuple[float, np.ndarray, np.ndarray]]) -> Figure:
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    nines = np.array([-np.log10(silent.mean()) for _, _, silent in points])
    rate = np.array([orders.mean() for _, orders, _ in points])
    for k, (weight, orders, silent) in enumerate(points):
        axes.plot(-np.log10(silent), orders, "o", color=GREY, markersize=3, alpha=0.6, label="one seed" if k == 0 else None)
        # A label stands on the side to which the line does not go on.
        below = k + 1 == len(points) or rate[k] < rate[k + 1]
        at, side = ((-6, -10), "right") if below else ((6, 5), "left")
        axes.annotate(f"{weight:g}", (nines[k], rate[k]), textcoords="offset points", xytext=at, ha=side, fontsize=8)
    axes.plot(nines, rate, "-o", color=BLUE, label="mean, with its link_risk_weight")
    axes.plot(nines[0], rate[0], "o", color=ORANGE, label="the fastest way")
    plain(axes, "What a weight on the radio trades", "nines of the time with commands, expected on the map", "orders per hour")
    axes.legend(frameon=False, fontsize=8)
    return figure
