"""Routing that weighs the radio: what a detour costs in orders, and what it saves in outages of the AGVs' control.

Everything runs with the radio on, in the hall of :mod:`factory.validate.fleet_aisles`. One shift by the fastest ways measures
for every edge how long an AGV is without commands on it: the map. Other seeds then drive by it under growing weights, every seed
under every weight, so that weights are compared seed by seed. Outages are the conditional expectation of the run's key figures,
not counted ones. ``python -m factory.validate.fleet_routing`` writes what it found to ``fleet_routing.json`` beside this file,
which ``factory-twin validate`` shows and draws.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from factory.scenario import load_scenario
from factory.twin import Twin
from factory.validate import fleet_aisles
from robots.edge_costs import LINK_RISK

Floats = npt.NDArray[np.float64]
KEPT = "fleet_routing.json"
WEIGHTS = (0.0, 300.0, 1000.0, 3000.0, 10_000.0)
_PRIOR_PASSAGES = 1.0  # an edge counts as the average one until it was passed a few times
_MAP_SEED = 1000


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


def shift(seed: int, minutes: float, weight: float = 0.0, risk_s: Floats | None = None) -> tuple[dict[str, Any], Floats]:
    """Run the hall of aisles with the radio on.

    Parameters
    ----------
    seed, minutes : of the shift. weight : link_risk_weight. risk_s : (E,) what AGVs take for the edges' risk, see ``EdgeCosts``.

    Returns
    -------
    What came out, and the seconds without commands per passage of each edge (E,). ``down_s``, ``outages`` and ``lost_s`` are
    expectations over the messages' draws: time that control services are down by the survival-time rule, how often they go
    down, and time without commands; each of the whole fleet, per AGV hour.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "aisles.yaml"
        file.write_text(json.dumps(fleet_aisles.scenario(seed, weight)), encoding="utf-8")
        twin = Twin(load_scenario(str(file)))
    try:
        if risk_s is not None:
            twin.fleet.set_edge_cost(LINK_RISK, risk_s)
        graph = twin.fleet.graph
        silence = Silence(len(graph.edge_start))
        for _ in range(round(minutes * 60e6 / twin.dt_us)):
            tick = twin.tick()
            silence.add(twin, twin.fleet.edges(), tick.delivered[0])
        ledger = twin.fleet.production()
        control = twin.networks[0].kpi.result(twin.time_us * 1e-6)["services"][0]
    finally:
        twin.close()
    hours = silence.machine_s / 3600.0
    aisle = np.array([fleet_aisles.hidden(graph.node_id[a]) for a in graph.edge_start])
    found = {
        "seed": seed,
        "minutes": minutes,
        "weight": weight,
        "orders_per_hour": round(ledger["orders_per_hour"], 3),
        "order_time_s": round(ledger["order_time_s"] or 0.0, 2),
        "down_s": control["unavailability"]["value"] * 3600.0,
        "outages": control["expected_outages"] / hours,
        "lost_s": silence.total_s / hours,
        "aisle_passages": float(silence.passages[aisle].sum()),
        "minutes_lost": {k: round(v, 3) for k, v in ledger["minutes_lost"].items()},
        "causes": control["causes"],
    }
    return found, silence.per_passage_s()


@dataclass(frozen=True)
class Trade:
    """What a weight trades, beside the fastest ways on the same seeds.

    Attributes
    ----------
    weight : link_risk_weight. seeds : how many.
    orders_per_hour, down_s, outages, lost_s, order_time_s, aisle_passages : (seeds,), see :func:`shift`.
    orders_lost, down_saved : mean share of the fastest ways' orders that is lost, and of their down time that is saved, each with
        the ends of its 95 % interval over seeds (Student's t of the paired differences, over the fastest ways' mean).
    """

    weight: float
    seeds: int
    orders_per_hour: Floats
    down_s: Floats
    outages: Floats
    lost_s: Floats
    order_time_s: Floats
    aisle_passages: Floats
    orders_lost: tuple[float, float, float]
    down_saved: tuple[float, float, float]


def paired(first: Floats, second: Floats) -> tuple[float, float, float]:
    """Return by what share of the mean of ``first`` (n,) ``second`` (n,) is lower, and its 95 % interval over the n pairs."""
    gap = (first - second) / first.mean()
    mean = float(gap.mean())
    if len(gap) < 2:
        return mean, -np.inf, np.inf
    half = float(stats.t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)))
    return mean, mean - half, mean + half


def trades(found: dict[str, Any]) -> list[Trade]:
    """Give what every weight trades, from seeds that were driven under all of them; the fastest ways first."""
    curve = found["curve"]
    weights = sorted({entry["weight"] for entry in curve})
    by = {(entry["weight"], entry["seed"]): entry for entry in curve}
    seeds = sorted(s for s in {e["seed"] for e in curve} if all((w, s) in by for w in weights))
    out = []
    for weight in weights:
        names = ("orders_per_hour", "down_s", "outages", "lost_s", "order_time_s", "aisle_passages")
        mine = {name: np.array([by[weight, s][name] for s in seeds]) for name in names}
        base = {name: np.array([by[weights[0], s][name] for s in seeds]) for name in names}
        out.append(
            Trade(
                weight,
                len(seeds),
                **mine,
                orders_lost=paired(base["orders_per_hour"], mine["orders_per_hour"]),
                down_saved=paired(base["down_s"], mine["down_s"]),
            )
        )
    return out


def kept() -> dict[str, Any] | None:
    """Read what the last study found; nothing before the first."""
    file = resources.files("factory.validate").joinpath(KEPT)
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Run from the command line and keep the result."""
    parser = argparse.ArgumentParser(description="orders against outages, by link_risk_weight")
    parser.add_argument("--map-minutes", type=float, default=40.0, help="shift that measures the map, default 40")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each shift, default 20")
    parser.add_argument("--seeds", type=int, default=6, help="seeds, each under every weight, default 6")
    parser.add_argument("--weights", type=float, nargs="+", default=list(WEIGHTS), help="link_risk_weight values, 0 among them")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(KEPT), help="where to keep the result")
    given = parser.parse_args()
    measured, risk_s = shift(_MAP_SEED, given.map_minutes)
    found: dict[str, Any] = {"map": measured, "risk_s": [round(r, 6) for r in risk_s.tolist()], "curve": []}
    print(measured, flush=True)
    for seed in range(1, given.seeds + 1):
        for weight in given.weights:
            entry, _ = shift(seed, given.minutes, weight, risk_s)
            found["curve"].append(entry)
            print(entry, flush=True)
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
