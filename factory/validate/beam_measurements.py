"""Beam pairs that have to be measured: with the twin's knowledge, beside exhaustive and two-level sweeps, in halls with people.

``python -m factory.validate.beam_measurements --seeds 3 --seconds 60`` lets the shipped halls run and chooses a beam pair for
every AGV and panel once a second, each way on the same true gains and the same measurement noise; kept in
``beam_measurements.json`` beside this file. The twin's list is made 100 ms before: paths of the empty hall about the place
where the device is believed to be, less what the bodies cost them that are forecast to stand there (constant velocity). Nothing
was fitted. Seeds are the independent units.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.rooms import generator
from factory.scenario import load_scenario
from factory.validate.rows import Row
from radio.figures.beam_search import SearchTiming, loss_db, search_ranked, search_two_level
from radio.types import Blockers, Ues

KEPT = "beam_measurements.json"
TABLE = "Beam pairs to be measured"
HALLS = ("small", "assembly-hall")
BUDGETS = np.array([1, 2, 4, 8, 16, 32, 64, 128])
TAGS_M = (0.0, 0.1, 0.5)
NOISE_DB = 0.5
HEADING_DEG = 5.0
AHEAD_MS = 100
PLACES = 4
ALLOWED_DB, FEWER = 0.5, 0.8
WRONG_TAG_M, WRONG_DB = 0.1, 4.0
NO_BODIES, WRONG = f"twin {WRONG_TAG_M:g} m, no bodies", f"twin {WRONG_TAG_M:g} m, every path {WRONG_DB:g} dB off"
WAYS = ("exhaustive", "two levels", "two levels, 2 kept")
Json = dict[str, Any]

NOTE = f"""\
One selection for one AGV or panel over all TRPs, sectors and beams, people and machines moving; the loss is against the pair
that is truly best at that instant. Every measurement has {NOISE_DB} dB of noise (assumed), for every way to search alike. Two
levels: wide beams that are sums of two by two narrow ones, then the four narrow ones below the best. The twin: pairs of the
empty hall at the device's believed place, less forecast bodies, {AHEAD_MS} ms old; tags of 10 and 50 cm (standard deviation
along each axis, for devices and bodies alike; the heading has {HEADING_DEG:g} degrees), where the list is of the mean gain over
{PLACES} places, the one told and others as far from it as tags err. How many measurements fewer is at a median loss of at most
{ALLOWED_DB} dB. The twin's rays are the truth's as well, which no real hall grants; in one list every path's loss is therefore
wrong by {WRONG_DB:g} dB (standard deviation, drawn anew for every selection). Kept in `beam_measurements.json`; again:
`python -m factory.validate.beam_measurements`."""


def believed(ues: Ues, tag_m: float, rng: np.random.Generator) -> Ues:
    """Return where devices are believed to be: place and heading with noise; a perfect tag has none of either."""
    if tag_m == 0.0:
        return ues
    place = ues.position_m.copy()
    place[:, :2] += tag_m * rng.standard_normal((len(place), 2))
    return Ues(place, ues.heading_rad + np.radians(HEADING_DEG) * rng.standard_normal(len(place)), ues.owner)


def displaced(blockers: Blockers, tag_m: float, rng: np.random.Generator) -> Blockers:
    """Return bodies with the noise of their tags, each as a whole."""
    owner, index = np.unique(blockers.owner, return_inverse=True)
    off = np.zeros((len(index), 3))
    off[:, :2] = (tag_m * rng.standard_normal((len(owner), 2)))[index]
    return dataclasses.replace(blockers, start_m=blockers.start_m + off, end_m=blockers.end_m + off)


def run_hall(hall: str, seed: int, seconds: float) -> Json:
    """Let a hall run and choose pairs once a second; losses [dB] of every choice, by way to search."""
    from factory.twin import Twin  # with Bullet, which who reads the kept result does not need

    ahead = f"radio.human_aware.horizons_ms=[{AHEAD_MS}]"
    twin = Twin(load_scenario(hall, [f"seed={seed}", "radio.policy=static", "radio.compare=[]", ahead]))
    rng, channel, columns = generator(seed, "beam search"), twin.channel, twin.scenario.radio.trps[0].panel.columns
    losses: dict[str, list[Any]] = {way: [] for way in (*WAYS, *(f"twin {tag:g} m" for tag in TAGS_M), NO_BODIES, WRONG)}
    n_agv, n_cobot = twin.fleet.n, len(twin.cobots.names)
    movers = [u for u in range(len(twin.devices)) if not n_agv <= u < n_agv + n_cobot]  # who stands needs no search
    expected = None
    while twin.time_us < seconds * 1e6:
        now = twin.tick().time_us
        if now % 1_000_000 == 0 and now > 0:
            people = twin.outlook.ahead(now, twin.people)[0][0]
            expected = twin.scene(now + AHEAD_MS * 1000, people, twin.fleet.state_ahead(AHEAD_MS / 1e3))
        elif now % 1_000_000 == AHEAD_MS * 1000 and expected is not None:
            scene = twin.scene(now, twin.people, twin.agvs)
            ues = scene.ues
            paths = channel.paths(ues, remember=False)
            loss = channel.blockage(paths, scene.blockers, ues).loss_db
            true = channel.sweep(paths, ues, loss, now).gain
            wide = channel.wide_sweep(paths, ues, loss, now).gain
            measured = true * 10.0 ** (0.1 * NOISE_DB * rng.standard_normal(true.shape))
            wide = wide * 10.0 ** (0.1 * NOISE_DB * rng.standard_normal(wide.shape))
            lists = {}
            for tag in TAGS_M:
                told, bodies = believed(ues, tag, rng), displaced(expected.blockers, tag, rng)
                name, places = f"twin {tag:g} m", 1 if tag == 0.0 else PLACES
                lists[name] = np.zeros(true.shape)
                if tag == WRONG_TAG_M:
                    lists[NO_BODIES], lists[WRONG] = np.zeros(true.shape), np.zeros(true.shape)
                for i in range(places):  # the place that was told, and others that it may as well be
                    at = told if i == 0 else believed(told, tag, rng)
                    there = channel.paths(at, remember=False)
                    shadow = channel.blockage(there, bodies, at).loss_db
                    lists[name] += channel.sweep(there, at, shadow, now).gain
                    if tag == WRONG_TAG_M:
                        off = WRONG_DB * rng.standard_normal(len(shadow))
                        lists[NO_BODIES] += channel.sweep(there, at, None, now).gain
                        lists[WRONG] += channel.sweep(there, at, shadow + off, now).gain
            for u in movers:
                flat, seen = true[u].ravel(), measured[u].ravel()
                if flat.max() <= 0.0:
                    continue  # no path at all: nothing to choose
                losses["exhaustive"].append(float(loss_db(flat, int(seen.argmax()))))
                for kept, way in ((1, WAYS[1]), (2, WAYS[2])):
                    losses[way].append(float(loss_db(flat, search_two_level(wide[u], measured[u], columns, kept)[0])))
                for name, gain in lists.items():
                    losses[name].append(loss_db(flat, search_ranked(seen, gain[u].ravel(), BUDGETS)).tolist())
    twin.close()
    return losses


def study(seeds: int, seconds: float) -> Json:
    """Run every hall and sum up; minutes."""
    found: Json = {"seeds": seeds, "seconds": seconds, "budgets": BUDGETS.tolist(), "halls": {}}
    for hall in HALLS:
        runs = [run_hall(hall, seed, seconds) for seed in range(1, seeds + 1)]
        radio = load_scenario(hall, []).scenario.radio
        timing = SearchTiming(radio.carrier.subcarrier_spacing_hz, radio.beam_management.ssb_period_ms, len(radio.trps))
        beams, sectors = radio.trps[0].panel.rows * radio.trps[0].panel.columns, 4
        costs = {
            "exhaustive": timing.exhaustive(beams, sectors), "two levels": timing.two_level(beams, sectors),
            "two levels, 2 kept": timing.two_level(beams, sectors, 2), **{f"{k}": timing.ranked(int(k)) for k in BUDGETS},
        }  # fmt: skip
        found["halls"][hall] = {
            "selections": sum(len(r["exhaustive"]) for r in runs),
            "costs": {name: dataclasses.asdict(cost) for name, cost in costs.items()},
            "losses": {way: summary([np.array(r[way]) for r in runs]) for way in runs[0]},
        }
    return found


def summary(runs: list[npt.NDArray[np.float64]]) -> Json:
    """Median, 90th and 99th percentile of the loss over all seeds, and each seed's median; lists over budgets where there are."""
    every = np.concatenate(runs)
    figures = {name: np.percentile(every, p, axis=0).tolist() for name, p in (("median", 50), ("p90", 90), ("p99", 99))}
    return {**figures, "medians": [np.median(r, axis=0).tolist() for r in runs]}


def needed(hall: Json, way: str, budgets: list[int], seed: int | None = None) -> int | None:
    """Return the fewest pairs with a median loss of at most ``ALLOWED_DB``, over all seeds or of one; None if none is enough."""
    losses = hall["losses"][way]
    medians = losses["median"] if seed is None else losses["medians"][seed]
    return next((k for k, median in zip(budgets, medians, strict=True) if median <= ALLOWED_DB), None)


def needed_like(hall: Json, way: str, budgets: list[int], against: str) -> int | None:
    """Return the fewest pairs whose median, p90 and p99 are no worse than those of another way; None if none is enough."""
    ours, theirs = hall["losses"][way], hall["losses"][against]
    figures = ("median", "p90", "p99")
    return next((k for i, k in enumerate(budgets) if all(ours[f][i] <= theirs[f] + 1e-9 for f in figures)), None)


def kept() -> Json | None:
    """Return what the study found, None before it ran."""
    file = resources.files("factory.validate") / KEPT
    found: Json | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return found


def beam_rows() -> Iterator[Row]:
    """Return rows on measurements saved and what they cost; none before the study."""
    found = kept()
    if found is None:
        return
    for name, hall in found["halls"].items():
        costs, losses, n = hall["costs"], hall["losses"], hall["selections"]
        for way in WAYS:
            tail = f"{costs[way]['pairs']} pairs; p90 {losses[way]['p90']:.1f} dB, p99 {losses[way]['p99']:.1f} dB"
            yield Row(TABLE, f"{name}: {way}, median loss", losses[way]["median"], np.nan, "dB", 0.1, tail, "reported")
        for way in (*(f"twin {tag:g} m" for tag in TAGS_M), NO_BODIES, WRONG):
            k = needed(hall, way, found["budgets"])
            each = [needed(hall, way, found["budgets"], s) for s in range(found["seeds"])]
            if k is None:
                yield Row(
                    TABLE, f"{name}: {way}, share of pairs saved", 0.0, FEWER, "1", 0.0, "no budget is enough", "at least", True
                )
                continue
            at = found["budgets"].index(k)
            tail = ", ".join(f"{figure} {losses[way][figure][at]:.2f}" for figure in ("median", "p90", "p99"))
            source = f"{k} pairs (by seeds: {', '.join(map(str, each))}); {tail} dB; {n} selections"
            for against in ("exhaustive", "two levels"):
                saved = 1.0 - k / costs[against]["pairs"]
                yield Row(TABLE, f"{name}: {way}, share of pairs saved, {against}", saved, FEWER, "1", 0.001, source, "at least")
            alike = needed_like(hall, way, found["budgets"], "two levels")
            saved = 0.0 if alike is None else 1.0 - alike / costs["two levels"]["pairs"]
            source = f"{alike} pairs" if alike else f"more than {found['budgets'][-1]} pairs"
            yield Row(
                TABLE, f"{name}: {way}, share of pairs saved, two levels, p90 and p99 no worse", saved, FEWER, "1", 0.001,
                source, "at least",
            )  # fmt: skip


def main() -> None:
    """Run the study and keep what it found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60.0)
    asked = parser.parse_args()
    text = json.dumps(study(asked.seeds, asked.seconds), indent=1)
    Path(__file__).with_name(KEPT).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
