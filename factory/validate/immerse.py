"""IMMERSE beside this twin: shadows of people and AGVs on measured mmWave links, as distributions.

The recordings are not part of the repository. ``immerse.json`` beside this file keeps what the tables need of them: histograms,
means and medians of each half of the runs. Where the recordings are at hand, ``factory-twin validate --docs`` writes it anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.validate.immerse_model import FITTED, traces
from factory.validate.immerse_traces import Trace, entry_and_exit, halves, read_traces, recorded_file, shadows
from factory.validate.rows import Row

Floats = npt.NDArray[np.float64]

SUMMARY_FILE = Path(__file__).with_name("immerse.json")
MODES = ("pedestrian_track1", "pedestrian_track2", "agv_track1", "agv_track2")
HALVES = ("fitted", "held out")
DEPTH_EDGES_DB = np.arange(-0.5, 61.0)
TIME_EDGES = np.arange(0.0, 4001.0, 10.0) - 0.5
_SOURCE = "IMMERSE, TU Dortmund 2024"
_SEED, _RUNS = 2024, 600
# The same over all runs of the set, odd ones too: mean depth and its spread, medians of the time below -10 dB, fall and rise.
_ALL_RUNS = {
    "pedestrian_track1": (19.7, 5.5, 111.0, 36.0, 84.0),
    "pedestrian_track2": (12.0, 4.7, 48.0, 0.0, 57.0),
    "agv_track1": (23.4, 8.2, 341.0, 152.0, 347.0),
    "agv_track2": (21.1, 6.0, 313.0, 180.0, 300.0),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept of n shadows; durations in samples.

    Attributes
    ----------
    n : runs times receivers.
    depth_mean_db, depth_sd_db, depth_median_db : of the depth [dB].
    below5_mean, below5_median, below10_median, fall_median, rise_median : durations.
    depth_counts : shadows per whole dB of depth, from 0 dB.
    below5_counts : shadows per 10 samples below -5 dB, from 0.
    entry_db, exit_db : mean loss every 20 samples from 100 before the entry, and from 100 after the exit backwards [dB].
    """

    n: int
    depth_mean_db: float
    depth_sd_db: float
    depth_median_db: float
    below5_mean: float
    below5_median: float
    below10_median: float
    fall_median: float
    rise_median: float
    depth_counts: tuple[int, ...]
    below5_counts: tuple[int, ...]
    entry_db: tuple[float, ...]
    exit_db: tuple[float, ...]


def summarise(runs: tuple[Trace, ...]) -> Summary:
    """Keep of the traces what tables and figures need."""
    seen = shadows(runs)
    entry, leave = entry_and_exit(runs)
    return Summary(
        n=len(runs),
        depth_mean_db=round(float(seen.depth_db.mean()), 2),
        depth_sd_db=round(float(seen.depth_db.std()), 2),
        depth_median_db=float(np.median(seen.depth_db)),
        below5_mean=round(float(seen.below5.mean()), 1),
        below5_median=float(np.median(seen.below5)),
        below10_median=float(np.median(seen.below10)),
        fall_median=float(np.nanmedian(seen.fall)),
        rise_median=float(np.nanmedian(seen.rise)),
        depth_counts=_counts(seen.depth_db, DEPTH_EDGES_DB),
        below5_counts=_counts(seen.below5, TIME_EDGES),
        entry_db=tuple(np.round(entry, 2).tolist()),
        exit_db=tuple(np.round(leave, 2).tolist()),
    )


def _counts(values: Floats, edges: Floats) -> tuple[int, ...]:
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return tuple(np.trim_zeros(counts, "b").tolist())


def share_below(counts: tuple[int, ...]) -> Floats:
    """Cumulated shares at the upper edges of a histogram."""
    reached: Floats = np.cumsum(counts) / sum(counts)
    return reached


def kolmogorov(ours: tuple[int, ...], theirs: tuple[int, ...]) -> float:
    """Kolmogorov-Smirnov distance of two histograms with the same edges: their largest difference in cumulated share."""
    bins = max(len(ours), len(theirs))
    first, second = (np.pad(share_below(h), (0, bins - len(h)), constant_values=1.0) for h in (ours, theirs))
    return float(np.abs(first - second).max())


@cache
def measured() -> Mapping[tuple[str, str], Summary]:
    """Read the kept summary: (mode, half) to what was measured."""
    kept = json.loads(SUMMARY_FILE.read_text(encoding="utf-8"))["shadows"]
    return {(mode, half): _from_json(kept[mode][half]) for mode in MODES for half in HALVES}


def _from_json(record: dict[str, Any]) -> Summary:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
    return Summary(**values)


def summary_of(path: Path) -> dict[str, Any]:
    """Summarise the recordings, as ``immerse.json`` keeps them."""
    kept: dict[str, Any] = {}
    for mode in MODES:
        parts = halves(read_traces(path, mode))
        kept[mode] = {
            half: {name: getattr(summary, name) for name in Summary.__slots__}
            for half, summary in zip(HALVES, map(summarise, parts), strict=True)
        }
    return {
        "source": "M. Haferkamp, S. Häger, S. Böcker, C. Wietfeld: Machine Learning-aided Sensing in Private mmWave Networks "
        "for Industrial Applications. IEEE Globecom Workshops 2024. Data set CC BY 4.0; here: statistics of it, 5G_drx_rsrp.",
        "shadows": kept,
    }


def refresh() -> bool:
    """Write the summary anew where the recordings are at hand; return whether they are."""
    path = recorded_file()
    if path is not None:
        SUMMARY_FILE.write_text(json.dumps(summary_of(path), indent=None, ensure_ascii=False) + "\n", encoding="utf-8")
        measured.cache_clear()
    return path is not None


@cache
def runs_of_twin(mode: str) -> tuple[Trace, ...]:
    """600 runs of the twin with the fitted site."""
    return traces(FITTED, mode, _RUNS, np.random.default_rng((_SEED, MODES.index(mode))))


@cache
def twin(mode: str) -> Summary:
    """Summarise the twin's runs."""
    return summarise(runs_of_twin(mode))


def immerse_rows() -> Iterator[Row]:
    """Shadows of the twin beside those of the recordings, first of all those that nothing was fitted to."""
    for mode in MODES[:2]:
        yield from _held_out(mode, "IMMERSE: pedestrians, runs held out", bound=True)
    for mode in MODES[2:]:
        yield from _held_out(mode, "IMMERSE: AGV, runs held out", bound=False)
    for mode in MODES:
        table, ours, theirs = "IMMERSE: runs fitted to", twin(mode), measured()[mode, "fitted"]
        source = f"{_SOURCE}, n = {theirs.n}"
        yield Row(
            table, f"{_name(mode)}, depth, median", ours.depth_median_db, theirs.depth_median_db, "dB", 1, source, "reported"
        )
        yield Row(
            table, f"{_name(mode)}, below -5 dB, mean", ours.below5_mean, theirs.below5_mean, "samples", 10, source, "reported"
        )


def _held_out(mode: str, table: str, bound: bool) -> Iterator[Row]:
    ours, theirs = twin(mode), measured()[mode, "held out"]
    source = f"{_SOURCE}, n = {theirs.n}"

    def row(what: str, name: str, unit: str, digits: float, tolerance: float | None = None) -> Row:
        a, b = float(getattr(ours, name)), float(getattr(theirs, name))
        if tolerance is None:
            return Row(table, f"{_name(mode)}, {what}", a, b, unit, digits, source, "reported")
        return Row(table, f"{_name(mode)}, {what}", a, b, unit, tolerance, source)

    yield row("depth, median", "depth_median_db", "dB", 1, 2.0 if bound else None)
    yield row("below -5 dB, mean", "below5_mean", "samples", 10, round(0.15 * theirs.below5_mean, 1) if bound else None)
    yield row("depth, mean", "depth_mean_db", "dB", 1)
    yield row("depth, standard deviation", "depth_sd_db", "dB", 1)
    yield row("below -5 dB, median", "below5_median", "samples", 10)
    yield row("below -10 dB, median", "below10_median", "samples", 10)
    yield row("fall from 3 dB to 90 %, median", "fall_median", "samples", 10)
    yield row("rise from 90 % to 3 dB, median", "rise_median", "samples", 10)
    level = 1.36 * math.sqrt(1 / ours.n + 1 / theirs.n)
    for what, name in (("depth", "depth_counts"), ("time below -5 dB", "below5_counts")):
        distance = kolmogorov(getattr(ours, name), getattr(theirs, name))
        case = f"{_name(mode)}, {what}, Kolmogorov-Smirnov distance"
        yield Row(table, case, distance, level, "1", 0.1, f"5 % level of two samples, n = {theirs.n}", "reported")


def extraction_rows() -> Iterator[Row]:
    """Our reading of the recordings at hand, every second run of the set, beside a summary over all runs."""
    table, source = "IMMERSE: our reading of the recordings", "summary over all runs"
    for mode, (mean_db, sd_db, below10, fall, rise) in _ALL_RUNS.items():
        parts = [measured()[mode, half] for half in HALVES]
        n = sum(part.n for part in parts)
        mean = sum(part.n * part.depth_mean_db for part in parts) / n
        spread = math.sqrt(sum(part.n * (part.depth_sd_db**2 + (part.depth_mean_db - mean) ** 2) for part in parts) / n)
        yield Row(table, f"{_name(mode)}, depth, mean", mean, mean_db, "dB", 0.7, source)
        yield Row(table, f"{_name(mode)}, depth, standard deviation", spread, sd_db, "dB", 0.8, source)
        for what, name, value in (
            ("below -10 dB, median", "below10_median", below10),
            ("fall, median", "fall_median", fall),
            ("rise, median", "rise_median", rise),
        ):
            both = sum(part.n * float(getattr(part, name)) for part in parts) / n
            yield Row(table, f"{_name(mode)}, {what} (mean of two halves)", both, value, "samples", 10, source, "reported")


def _name(mode: str) -> str:
    who, track = mode.split("_")
    return f"{'AGV' if who == 'agv' else 'pedestrian'}, track {track[-1]}"
