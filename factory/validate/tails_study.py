"""Whether the estimators of rare outages can be believed where geometry decides: beside plain counting, in a small hall.

A message is lost for certain or not at all here; ``tails_walkway`` is the study of a hall where fades leave something to luck.

``python -m factory.validate.tails_study count --key 1 --seconds 4000 --out FOLDER`` simulates the hall of ``tails_hall.yaml`` and
keeps what every 10 s came to; keys are independent runs of the same hall. ``... split --key 1 --out FOLDER`` estimates a
service once by splitting. ``... judge --out FOLDER`` cuts what was counted into shifts of 200 s, lets the other two estimators
judge each, and keeps coverage and cost in ``tails.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from factory.saved_state import reseed
from factory.scenario import load_scenario
from factory.splitting_twin import Effort, estimate
from factory.twin import Twin
from radio.figures.kpi_kernels import DOWN, DOWN_COUNTED, MESSAGES
from radio.figures.tails import EPISODE_S, conditional, peaks_over_threshold, share_interval

Floats = npt.NDArray[np.float64]
Json = dict[str, Any]

HERE = Path(__file__).parent
SCENARIO, KEPT = HERE / "tails_hall.yaml", HERE / "tails.json"
BLOCK_S, WARM_UP_S, SHIFT_S = 10, 40, 200
EFFORT = Effort(replicas=5, seconds=10.0, warm_up_s=10.0, factor=4, pilot_s=40.0, most_levels=5)
_PIECE_S = 400
_FEWEST = 5  # estimates from which their spread is told


def count(key: int, seconds: int, out: Path) -> None:
    """Simulate and keep what every block came to, piece by piece, so that an interrupted run loses little."""
    twin = Twin(load_scenario(str(SCENARIO)))
    try:
        reseed(twin, (1, key))
        _run(twin, WARM_UP_S)
        for piece in range(seconds // _PIECE_S):
            _keep(twin, out / f"count-{key:03d}-{piece:03d}.npz")
    finally:
        twin.close()


def _run(twin: Twin, seconds: int) -> None:
    for _ in range(round(seconds * 1e6 / twin.dt_us)):
        twin.tick()


def _keep(twin: Twin, path: Path) -> None:
    """Run a piece and write the sums (V, B, 3) and margins (V, B, BINS) of its blocks."""
    first = twin.time_us // (BLOCK_S * 1_000_000)
    _run(twin, _PIECE_S)
    last = twin.time_us // (BLOCK_S * 1_000_000)
    units, _, _, block_us, margins, _ = twin.networks[0].kpi.totals
    if int(block_us[0]) != BLOCK_S * 1_000_000:
        raise ValueError(f"key ran longer than its blocks of {BLOCK_S} s are kept; take several keys of 4800 s or less")
    traffic = twin.traffic
    own = [units[traffic.service == v].sum(axis=0)[first:last] for v in range(len(traffic.service_name))]
    sums = np.stack(own)[:, :, [MESSAGES, DOWN, DOWN_COUNTED]]
    np.savez_compressed(path, sums=sums, margins=margins[:, first:last])


def split_once(key: int, name: str, out: Path) -> None:
    """Estimate a service once by splitting, on draws of its own."""
    loaded = load_scenario(str(SCENARIO))
    index = [s.name for s in loaded.scenario.radio.services].index(name)
    answer = estimate(loaded, index, EFFORT, key=key)
    futures = [p.futures for p in answer.replicas if p.futures is not None]
    found = answer.estimate | {
        "margins": list(answer.margins),
        "reached": np.sum([p.reached for p in answer.replicas], axis=0).tolist(),
        "futures": _mean(futures),
    }
    (out / f"split-{name}-{key:03d}.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


def judge(out: Path) -> Json:
    """Judge the estimators by what was counted."""
    loaded = load_scenario(str(SCENARIO))
    pieces = [np.load(path) for path in sorted(out.glob("count-*.npz"))]
    if not pieces:
        raise SystemExit(f"{out}: nothing was counted there yet; run the part count first")
    services = [
        judge_service(
            service.name,
            np.concatenate([p["sums"][v] for p in pieces]),
            np.concatenate([p["margins"][v] for p in pieces]),
            [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"split-{service.name}-*.json"))],
        )
        for v, service in enumerate(loaded.scenario.radio.services)
    ]
    return {"shift_s": SHIFT_S, "counted_s": BLOCK_S * sum(p["sums"].shape[1] for p in pieces), "services": services}


def judge_service(name: str, sums: Floats, margins: npt.NDArray[np.int64], splits: list[Json]) -> Json:
    """Judge one service: its truth by counting, and every estimator's coverage, spread and cost.

    Parameters
    ----------
    name : of the service.
    sums : (B, 3) messages, probability of being down, and counted ones down, of each block of time.
    margins : (B, BINS) of each block. splits : estimates by splitting.
    """
    messages, down, counted = sums.T
    interval_s = 0.01
    unmet = EPISODE_S / interval_s
    truth = dict(zip(("value", "low", "high"), share_interval(counted, messages, unmet), strict=True))
    pooled = dict(zip(("value", "low", "high"), share_interval(down, messages, unmet), strict=True))
    # What counting needs for a relative error of 1: the variance of the counted share, blocks being independent.
    share = truth["value"]
    noise = float(((counted - share * messages) ** 2).sum() / messages.sum() / max(share, 1e-12) ** 2)
    length = SHIFT_S // BLOCK_S
    shifts = [slice(i, i + length) for i in range(0, len(sums) - length + 1, length)]
    told: dict[str, list[Json]] = {
        "conditional": [conditional(down[s], messages[s], interval_s) for s in shifts],
        "peaks_over_threshold": [peaks_over_threshold(margins[s], 2, i) for i, s in enumerate(shifts)],
        "splitting": splits,
    }
    figures = {kind: _coverage(found, truth, noise) for kind, found in told.items()}
    return {"name": name, "truth": truth, "conditional_of_all": pooled, "counting_packets": noise, "estimators": figures}


def _coverage(found: list[Json], truth: Json, noise: float) -> Json:
    """Coverage of the truth by the intervals, with its own 95 % interval, and packets beside those that counting needs."""
    given = [f for f in found if f["value"] is not None]
    n = len(given)
    if n == 0:
        return {"given": 0, "of": len(found)}
    value = np.array([f["value"] for f in given])
    covered = sum(f["low"] <= truth["value"] <= f["high"] for f in given)
    overlaps = sum(f["low"] <= truth["high"] and truth["low"] <= f["high"] for f in given)
    packets = float(np.mean([f["packets"] for f in given]))
    enough = n >= _FEWEST and truth["value"] > 0.0
    error = float(np.sqrt(np.mean((value / truth["value"] - 1.0) ** 2))) if enough else None
    return {
        "given": n,
        "of": len(found),
        "covered": int(covered),
        "coverage_low": float(beta.ppf(0.025, covered, n - covered + 1)) if covered else 0.0,
        "coverage_high": float(beta.ppf(0.975, covered + 1, n - covered)) if covered < n else 1.0,
        "overlaps": int(overlaps),
        "median": float(np.median(value)),
        "mean": float(value.mean()),
        "median_high": float(np.median([f["high"] for f in given])),
        "relative_error": error,
        "packets": packets,
        "times_fewer": None if not error else noise / error**2 / packets,
        "futures": _mean([f["futures"] for f in given if f.get("futures") is not None]),
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def kept() -> Json:
    """Return what was found last."""
    found: Json = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Run the part that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=("count", "split", "judge"))
    parser.add_argument("--key", type=int, default=1, help="number of the run; every number is an independent one")
    parser.add_argument("--seconds", type=int, default=4000, help="simulated seconds to count, at most 4800")
    parser.add_argument("--service", default="maps", help="of the hall, for split: status or maps")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is counted")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.part == "count":
        count(given.key, given.seconds, given.out)
    elif given.part == "split":
        split_once(given.key, given.service, given.out)
    else:
        KEPT.write_text(json.dumps(judge(given.out), indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
