"""Routing that weighs the radio: what a detour costs in orders, and what it saves in seconds without commands.

Three steps, each with seeds of its own. A shift of the assembly hall with the radio on measures for every edge how long an AGV is
without commands on it. Fleets that know this map, with the radio off, drive for hours under growing weights: the curve. Shifts
with the radio on check its two ends on other seeds. ``python -m factory.validate.fleet_routing`` writes what it found to
``fleet_routing.json`` beside this file, which ``factory-twin validate`` shows and draws.
"""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.rooms import generator
from factory.scenario import load_scenario
from factory.twin import Twin
from robots.edge_costs import LINK_RISK
from robots.fleet import Fleet

Floats = npt.NDArray[np.float64]
KEPT = "fleet_routing.json"
WEIGHTS = (0.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)
_STEP_US = 100_000
_PRIOR_PASSAGES = 1.0  # an edge counts as the average one until it was passed a few times


class Silence:
    """Expected time without commands, by edge.

    Parameters
    ----------
    n_edges : directed edges.

    Attributes
    ----------
    lost_s, passages : (E,) seconds without commands, weighted by the loss probability of each message, and AGVs that entered.
    """

    def __init__(self, n_edges: int) -> None:
        self.lost_s, self.passages = np.zeros(n_edges), np.zeros(n_edges)
        self.total_s, self.machine_s = 0.0, 0.0
        self._last: npt.NDArray[np.int64] | None = None

    def add(self, twin: Twin, edge: npt.NDArray[np.int64], delivered: Any) -> None:
        """Add one tick: the messages of the AGVs' control streams, by the edge that each AGV is on."""
        n = twin.fleet.n
        entered = (edge >= 0) & (edge != (edge if self._last is None else self._last))
        np.add.at(self.passages, edge[entered], 1.0)
        self._last = edge
        self.machine_s += n * twin.dt_us * 1e-6
        if not len(delivered.stream):
            return
        stream = delivered.stream
        ue = twin.traffic.ue[stream]
        mine = (ue < n) & ~twin.traffic.video[stream]
        lost = delivered.loss_probability[mine] * twin.traffic.interval_us[stream[mine]] * 1e-6
        where = edge[ue[mine]]
        self.total_s += float(lost.sum())
        np.add.at(self.lost_s, where[where >= 0], lost[where >= 0])

    def per_passage_s(self) -> Floats:
        """Seconds without commands per passage of each edge (E,), drawn to the average where little was seen."""
        usual = self.lost_s.sum() / max(self.passages.sum(), 1.0)
        return np.asarray((self.lost_s + _PRIOR_PASSAGES * usual) / (self.passages + _PRIOR_PASSAGES))


def shift(seed: int, minutes: float, weight: float = 0.0, risk_s: Floats | None = None) -> tuple[dict[str, float], Floats]:
    """Run the assembly hall with the radio on.

    Parameters
    ----------
    seed, minutes : of the shift. weight : link_risk_weight. risk_s : (E,) what AGVs take for the edges' risk, see ``EdgeCosts``.

    Returns
    -------
    What came out, and the seconds without commands per passage of each edge (E,).
    """
    overrides = [f"seed={seed}", "radio.compare=[reactive]", f"robots.routing.link_risk_weight={weight}"]
    twin = Twin(load_scenario("default", overrides))
    try:
        if risk_s is not None:
            twin.fleet.set_edge_cost(LINK_RISK, risk_s)
        silence = Silence(len(twin.fleet.graph.edge_start))
        for _ in range(round(minutes * 60e6 / twin.dt_us)):
            tick = twin.tick()
            silence.add(twin, twin.fleet.edges(), tick.delivered[0])
        ledger = twin.fleet.production()
    finally:
        twin.close()
    found = {
        "seed": seed,
        "minutes": minutes,
        "weight": weight,
        "orders_per_hour": round(ledger["orders_per_hour"], 2),
        "silent_share": silence.total_s / silence.machine_s,
    }
    return found, silence.per_passage_s()


def drive(seed: int, hours: float, weight: float, risk_s: Floats) -> dict[str, float]:
    """Run the hall's fleet alone, which knows the map; the silence is what the map says of the edges driven."""
    loaded = load_scenario("default", [f"robots.routing.link_risk_weight={weight}"])
    fleet = Fleet(loaded.scenario.robots, generator(seed, "fleet"))
    fleet.set_edge_cost(LINK_RISK, risk_s)
    nobody = (np.zeros((0, 2)), np.zeros(0, np.bool_))
    age, last, silent_s = np.zeros(fleet.n, np.int64), fleet.edges(), 0.0
    for step in range(1, round(hours * 3600e6 / _STEP_US) + 1):
        fleet.step(step * _STEP_US, _STEP_US, age, *nobody)
        edge = fleet.edges()
        entered = (edge >= 0) & (edge != last)
        silent_s += float(risk_s[edge[entered]].sum())
        last = edge
    ledger = fleet.production()
    return {
        "seed": seed,
        "weight": weight,
        "orders_per_hour": round(ledger["orders_per_hour"], 2),
        "order_time_s": round(ledger["order_time_s"] or 0.0, 2),
        "silent_share": silent_s / (hours * 3600 * fleet.n),
        "silent_s_per_order": silent_s / max(ledger["orders_finished"], 1),
    }


def kept() -> dict[str, Any] | None:
    """Read what the last study found, None before the first."""
    file = resources.files("factory.validate").joinpath(KEPT)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def main() -> None:
    """Run from the command line and keep the result."""
    parser = argparse.ArgumentParser(
        description="orders against seconds without commands, over the weight of the radio in routing"
    )
    parser.add_argument("--map-minutes", type=float, default=10.0, help="radio on, to measure the map, default 10")
    parser.add_argument("--hours", type=float, default=4.0, help="of every fleet that drives by it, default 4")
    parser.add_argument("--seeds", type=int, default=3, help="of the fleets and of the shifts that check, default 3")
    parser.add_argument("--check-minutes", type=float, default=10.0, help="of every shift that checks, 0 for none, default 10")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(KEPT), help="where to keep the result")
    given = parser.parse_args()
    mapped, risk_s = shift(1, given.map_minutes)
    found: dict[str, Any] = {
        "map": mapped,
        "risk_s": [round(float(r), 6) for r in risk_s],
        "hours": given.hours,
        "curve": [],
        "checks": [],
    }
    found["curve"] = [drive(100 + seed, given.hours, weight, risk_s) for weight in WEIGHTS for seed in range(given.seeds)]
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for seed in range(given.seeds if given.check_minutes else 0):
        for weight in (0.0, WEIGHTS[-1]):
            found["checks"].append(shift(200 + seed, given.check_minutes, weight, risk_s)[0])
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
