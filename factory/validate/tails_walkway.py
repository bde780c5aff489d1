"""Whether the estimators of rare outages can be believed: beside plain counting, on a walkway where fades are frequent.

``python -m factory.validate.tails_walkway count --first 1 --keys 16 --seconds 1000 --out FOLDER`` simulates the walkway of
``tails_walkway.yaml`` and keeps the loss probability of every message; keys are independent runs. ``... split --first 401
--keys 20 --service beat --out FOLDER`` estimates by splitting, ``... judge --out FOLDER`` sums up in ``tails_walkway.json``.

Runs with keys up to ``LAST_TRUTH`` make the truth: their messages are lost or not by draws, again and again on the same
probabilities, through the same survival-time rule. That is counting, of which only the geometry is shared between draws; the
runs are the units of its interval. Keys from there to ``LAST_SINGLE`` are those of single
estimates, and those of splitting again others: none of them has the truth seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, t

from factory.saved_state import reseed
from factory.scenario import load_scenario
from factory.splitting_twin import Effort, estimate
from factory.twin import Twin
from radio.figures.kpi_kernels import DOWN, DOWN_COUNTED, MESSAGES
from radio.figures.tails import conditional, peaks_over_threshold
from radio.messages.traffic import resolve

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Json = dict[str, Any]

HERE = Path(__file__).parent
SCENARIO, KEPT = HERE / "tails_walkway.yaml", HERE / "tails_walkway.json"
BLOCK_S, WARM_UP_S = 10, 40
LAST_TRUTH, LAST_SINGLE = 100, 200
DRAWS = 3000
"""How often the luck of all messages is drawn again for the truth."""
EFFORT = Effort(replicas=10, seconds=20.0, warm_up_s=40.0, factor=3, pilot_s=40.0, most_levels=2)


def count(key: int, seconds: int, out: Path) -> None:
    """Simulate one run and write what every block and every message came to.

    Parameters
    ----------
    key : number of the run.
    seconds : its length, a multiple of ``BLOCK_S`` [s].
    out : folder of ``count-KEY.npz``: ``loss`` (N, n) loss probabilities of the messages of each stream in order, ``sums``
        (V, B, 3) messages, probability of being down, and counted ones down of each block, ``margins`` (V, B, BINS).
    """
    twin = Twin(load_scenario(str(SCENARIO)))
    try:
        reseed(twin, (1, key))
        _run(twin, WARM_UP_S)
        found = _run(twin, seconds)
        units, _, _, block_us, margins, _ = twin.networks[0].kpi.totals
        if int(block_us[0]) != BLOCK_S * 1_000_000:
            raise ValueError(f"{seconds} s are more than blocks of {BLOCK_S} s are kept for; take several keys of 4800 s or less")
        service, span = twin.traffic.service, slice(WARM_UP_S // BLOCK_S, (WARM_UP_S + seconds) // BLOCK_S)
        own = [units[service == v].sum(axis=0)[span] for v in range(len(twin.traffic.service_name))]
        sums = np.stack(own)[:, :, [MESSAGES, DOWN, DOWN_COUNTED]]
        n = min(len(of) for of in found)
        loss = np.array([of[:n] for of in found])
        np.savez_compressed(out / f"count-{key:04d}.npz", loss=loss, sums=sums, margins=margins[:, span], service=service)
    finally:
        twin.close()


def _run(twin: Twin, seconds: int) -> list[list[float]]:
    """Run, and return the loss probabilities of each stream's messages."""
    found: list[list[float]] = [[] for _ in range(twin.traffic.n_streams)]
    for _ in range(round(seconds * 1e6 / twin.dt_us)):
        delivered = twin.tick().delivered[0]
        for stream, loss in zip(delivered.stream.tolist(), delivered.loss_probability.tolist(), strict=True):
            found[stream].append(loss)
    return found


def split_once(key: int, name: str, out: Path) -> None:
    """Estimate a service once by splitting, and write the estimate."""
    loaded = load_scenario(str(SCENARIO))
    index = [s.name for s in loaded.scenario.radio.services].index(name)
    answer = estimate(loaded, index, EFFORT, key=key)
    futures = [p.futures for p in answer.replicas if p.futures is not None]
    found = answer.estimate | {
        "margins": list(answer.margins),
        "reached": np.sum([p.reached for p in answer.replicas], axis=0).tolist(),
        "futures": float(np.mean(futures)) if futures else None,
    }
    (out / f"split-{name}-{key:04d}.json").write_text(json.dumps(found) + "\n", encoding="utf-8")


def counted_down(loss: Floats, m: int, draws: int, rng: np.random.Generator, least: float = 1e-13) -> Floats:
    """Count how many messages find the service down, drawing the luck of all of them again and again.

    Parameters
    ----------
    loss : (N, n) loss probability of the messages of each stream, in order.
    m : messages in a row that take the service down.
    draws : how often.
    rng : of the draws.
    least : messages that are down with less than this probability are not drawn: not one would be met.

    Returns
    -------
    Count of each draw, (draws,). The first ``m - 1`` messages of a stream have no full past and never count.
    """
    counted = np.zeros(draws)
    for row in loss:
        near = np.lib.stride_tricks.sliding_window_view(row, m).prod(axis=1) > least
        for first, last in _spans(near):
            lost = rng.random((draws, last - first + m - 1)) < row[first : last + m - 1]
            counted += np.lib.stride_tricks.sliding_window_view(lost, m, axis=1).all(axis=2).sum(axis=1)
    return counted


def _spans(wanted: Bools, longest: int = 2000) -> list[tuple[int, int]]:
    """Return the runs of True in it as first and beyond last, none longer than ``longest``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(a, min(a + longest, last)) for first, last in edges.reshape(-1, 2) for a in range(int(first), int(last), longest)]


def truth_of(losses: list[Floats], m: int, draws: int, seed: int) -> Json:
    """Return the unavailability by counting, its interval, and what counting costs.

    Parameters
    ----------
    losses : (N, n) of each run, see ``counted_down``.
    m, draws : see ``counted_down``.
    seed : of the draws.

    Returns
    -------
    ``value``, ``low``, ``high`` (Student's t over runs), ``messages`` drawn and ``down`` among them; ``geometry`` and ``luck``:
    relative variance times messages that the runs' expectations and the draws bring to a single counting run. Their sum over the
    square of a relative error is what counting needs for it; were messages independent of one another, it would be 1 / value - 1.
    """
    each = [counted_down(loss, m, draws, np.random.default_rng([seed, i])) for i, loss in enumerate(losses)]
    n = np.array([loss.shape[0] * (loss.shape[1] - m + 1) for loss in losses], dtype=np.float64)
    share = np.array([counts.mean() for counts in each]) / n
    value = float(np.average(share, weights=n))
    runs = len(losses)
    spread = float(share.std(ddof=1))
    half = float(t.ppf(0.975, runs - 1)) * spread / np.sqrt(runs)
    luck = float(np.mean([counts.var(ddof=1) for counts in each] / n)) / value**2
    expected = np.array([np.lib.stride_tricks.sliding_window_view(loss, m, axis=1).prod(axis=2).mean() for loss in losses])
    geometry = float(n.mean() * expected.var(ddof=1)) / value**2
    return {
        "value": value,
        "low": float(value - half),
        "high": float(value + half),
        "runs": runs,
        "messages": float(n.sum() * draws),
        "down": float(sum(counts.sum() for counts in each)),
        "geometry": geometry,
        "luck": luck,
    }


def judge(out: Path) -> Json:
    """Judge the estimators by what was counted, whatever runs and estimates the folder holds by now."""
    radio = load_scenario(str(SCENARIO)).scenario.radio
    runs = {int(path.stem.split("-")[1]): np.load(path) for path in sorted(out.glob("count-*.npz"))}
    truths = [run for key, run in runs.items() if key <= LAST_TRUTH]
    singles: dict[int, list[tuple[int, Any]]] = {}
    for key, run in runs.items():
        if LAST_TRUTH < key <= LAST_SINGLE:
            singles.setdefault(BLOCK_S * int(run["sums"].shape[1]), []).append((key, run))
    if len(truths) < 2 or not singles:
        raise SystemExit(f"{out}: wanted two runs or more with keys up to {LAST_TRUTH}, and one or more up to {LAST_SINGLE}")
    services = []
    for v, service in enumerate(radio.services):
        resolved = resolve(service)
        m, interval_s = resolved.survival, resolved.interval_us * 1e-6
        truth = truth_of([run["loss"][run["service"] == v] for run in truths], m, DRAWS, v)
        sums = np.concatenate([run["sums"][v] for run in truths])
        truth |= {"own_draws": int(sums[:, 2].sum()), "own_messages": int(sums[:, 0].sum())}
        truth["conditional"] = float(sums[:, 1].sum() / sums[:, 0].sum())
        figures: list[Json] = []
        for run_s, of in sorted(singles.items()):
            by_mean = [conditional(run["sums"][v, :, 1], run["sums"][v, :, 0], interval_s) for _, run in of]
            by_tail = [peaks_over_threshold(run["margins"][v], m, key) for key, run in of]
            figures += [{"kind": "conditional", "run_s": run_s} | judged(by_mean, truth)]
            figures += [{"kind": "peaks_over_threshold", "run_s": run_s} | judged(by_tail, truth)]
        splits = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob(f"split-{service.name}-*.json"))]
        whole_s = EFFORT.pilot_s + EFFORT.warm_up_s + EFFORT.replicas * (EFFORT.warm_up_s + EFFORT.seconds)
        figures.append({"kind": "splitting", "run_s": round(whole_s)} | judged(splits, truth))
        services.append({"name": service.name, "survival": m, "truth": truth, "estimators": figures})
    return {"draws": DRAWS, "truth_run_s": BLOCK_S * int(truths[0]["sums"].shape[1]), "services": services}


def judged(found: list[Json], truth: Json) -> Json:
    """Tell how often the intervals hold the truth, how wide they are, and how many times fewer messages they cost than counting.

    Parameters
    ----------
    found : independent estimates of one estimator.
    truth : see ``truth_of``.

    Notes
    -----
    Counting N independent messages has a relative error of ``sqrt((1 - U) / (U N))``; counting those of the hall, which come in
    fades, one of ``sqrt((geometry + luck) / N)``. Times fewer: N at the estimator's own root mean square error about the truth,
    over the messages that it simulated, warm-ups and pilots with it. By width: the N for which counting's 95 % interval is as
    wide as the median of the estimator's.
    """
    given = [f for f in found if f["value"] is not None]
    n = len(given)
    if n < 2:
        return {"given": n, "of": len(found)}
    value, low, high = (np.array([f[which] for f in given]) for which in ("value", "low", "high"))
    share, clustered = truth["value"], truth["geometry"] + truth["luck"]
    covered = int(((low <= share) & (share <= high)).sum())
    packets = float(np.mean([f["packets"] for f in given]))
    error = float(np.sqrt(np.mean((value / share - 1.0) ** 2)))
    width = float(np.median((high - low) / value)) / 2.0
    futures = [f["futures"] for f in given if f.get("futures") is not None]
    return {
        "given": n,
        "of": len(found),
        "covered": covered,
        "coverage_low": float(beta.ppf(0.025, covered, n - covered + 1)) if covered else 0.0,
        "coverage_high": float(beta.ppf(0.975, covered + 1, n - covered)) if covered < n else 1.0,
        "too_low": int((high < share).sum()),
        "median": float(np.median(value)),
        "mean": float(value.mean()),
        "half_width": width,
        "highest_of_median": float(np.median(high)),
        "relative_error": error,
        "packets": packets,
        "times_fewer_independent": (1.0 - share) / share / error**2 / packets,
        "times_fewer_clustered": clustered / error**2 / packets,
        "times_fewer_by_width": clustered * (1.96 / width) ** 2 / packets,
        "futures": float(np.mean(futures)) if futures else None,
    }


def kept() -> Json:
    """Return what was found last."""
    found: Json = json.loads(KEPT.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Run the part that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=("count", "split", "judge"))
    parser.add_argument("--first", type=int, default=1, help="number of the first run; every number is an independent one")
    parser.add_argument("--keys", type=int, default=1, help="how many runs")
    parser.add_argument("--seconds", type=int, default=1000, help="simulated seconds of a run, at most 4800")
    parser.add_argument("--service", default="beat", help="of the walkway, for split: beat or status")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is counted")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for key in range(given.first, given.first + given.keys) if given.part != "judge" else ():
        if given.part == "count":
            count(key, given.seconds, given.out)
        else:
            split_once(key, given.service, given.out)
    if given.part == "judge":
        KEPT.write_text(json.dumps(judge(given.out), indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
