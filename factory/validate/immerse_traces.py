"""The IMMERSE recordings: RSRP of a private mmWave network while a pedestrian or an AGV crosses its links.

Source: M. Haferkamp, S. Häger, S. Böcker, C. Wietfeld, "Machine Learning-aided Sensing in Private mmWave Networks for Industrial
Applications", IEEE Globecom Workshops 2024; data set CC BY 4.0. Three receivers, two tracks, RSRP in whole dB.

Times count the set's samples. The set does not say how long a sample is; its changes come in multiples of 9.15 samples (LTE) and
18.3 samples (mmWave). These would be the 10 ms and 20 ms between reference signals if a sample is 1.09 ms. Every duration here
is in samples, measured and ours alike; a published summary calls them ms.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TRACKS = ("track1", "track2")
MMWAVE = "5G_drx_rsrp"
EDGE_DB = 3.0
"""A shadow begins and ends where the loss passes this."""


@dataclass(frozen=True, slots=True)
class Trace:
    """RSRP of one receiver during one run, as pieces of equal value.

    Attributes
    ----------
    run, ue : which run and receiver.
    start : (k,) first sample of each piece, the first is 0.
    level_db : (k,) RSRP of each piece [dBm, or dB relative to anything].
    samples : length of the trace.
    """

    run: int
    ue: str
    start: Ints
    level_db: Floats
    samples: int

    @property
    def length(self) -> Ints:
        """(k,) samples of each piece."""
        return np.diff(self.start, append=self.samples)


@dataclass(frozen=True, slots=True)
class Shadows:
    """What each of n runs and receivers saw.

    Attributes
    ----------
    depth_db : (n,) clear level less the lowest one [dB].
    below5, below10 : (n,) samples that lie 5 or 10 dB or more below the clear level.
    fall : (n,) samples from 3 dB of loss to 90 % of the depth, NaN where the depth is below 3 dB.
    rise : (n,) samples from the last 90 % of the depth back to 3 dB, NaN likewise.
    """

    depth_db: Floats
    below5: Floats
    below10: Floats
    fall: Floats
    rise: Floats


def recorded_file() -> Path | None:
    """Return the file beside the checkout, or below ``FACTORY_TWIN_SHARED``; None where there is none."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("FACTORY_TWIN_SHARED", beside))
    path = folder / "radio" / "immerse_rsrp_rle.csv"
    return path if path.is_file() else None


def read_traces(path: Path, mode: str, metric: str = MMWAVE) -> tuple[Trace, ...]:
    """Read the traces of one mode, run after run.

    Parameters
    ----------
    path : the set as one CSV file: mode, run, ue, metric, n_samples, rle ("start:value" pairs).
    mode : ``pedestrian_track1``, ``agv_track2``, ``los``...
    metric : RSRP of which receiver chain.

    Raises
    ------
    ValueError
        If the file holds no trace of that mode and metric.
    """
    table = pd.read_csv(path)
    chosen = table[(table["mode"] == mode) & (table["metric"] == metric)].sort_values(["run", "ue"])
    if chosen.empty:
        raise ValueError(f"{path}: no {metric} of {mode}; it holds the modes {', '.join(sorted(set(table['mode'])))}")
    return tuple(_trace(row) for row in chosen.itertuples(index=False))


def _trace(row: Any) -> Trace:
    pairs = np.array([pair.split(":") for pair in row.rle.split()], dtype=np.int64)
    return Trace(int(row.run), str(row.ue), pairs[:, 0], pairs[:, 1].astype(np.float64), int(row.n_samples))


def halves(traces: Iterable[Trace]) -> tuple[tuple[Trace, ...], tuple[Trace, ...]]:
    """Split into the runs that are fitted to and those held out: every second of the file's runs, whatever the receiver."""
    traces = tuple(traces)
    return tuple(t for t in traces if t.run // 2 % 2 == 0), tuple(t for t in traces if t.run // 2 % 2 == 1)


def shadows(traces: Sequence[Trace]) -> Shadows:
    """Measure the shadow in every trace.

    The clear level is the median of all samples that lie at most 3 dB below the 90th percentile, so that a trace that is shadowed
    for half of its length keeps its clear level.
    """
    rows = np.array([_shadow(trace) for trace in traces], dtype=np.float64).reshape(len(traces), 5)
    return Shadows(*np.ascontiguousarray(rows.T))


def _losses(trace: Trace) -> tuple[Floats, int, int]:
    """Loss of each piece against the clear level, and first and last piece of the shadow that holds the largest loss."""
    level, length = trace.level_db, trace.length
    clear = level >= _quantile(level, length, 0.9) - EDGE_DB
    loss = _quantile(level[clear], length[clear], 0.5) - level
    first = last = int(loss.argmax())
    while first > 0 and loss[first - 1] >= EDGE_DB:
        first -= 1
    while last < len(loss) - 1 and loss[last + 1] >= EDGE_DB:
        last += 1
    return loss, first, last


def _shadow(trace: Trace) -> tuple[float, float, float, float, float]:
    loss, first, last = _losses(trace)
    length = trace.length
    depth = float(loss.max())
    below5, below10 = float(length[loss >= 5.0].sum()), float(length[loss >= 10.0].sum())
    if depth < EDGE_DB:
        return depth, below5, below10, np.nan, np.nan
    full = first + np.flatnonzero(loss[first : last + 1] >= 0.9 * depth)
    end = trace.start + length
    return depth, below5, below10, float(trace.start[full[0]] - trace.start[first]), float(end[last] - end[full[-1]])


def _quantile(level: Floats, length: Ints, share: float) -> float:
    """Level that the share of all samples stays at or below."""
    order = np.argsort(level, kind="stable")
    reached = np.cumsum(length[order])
    return float(level[order][np.searchsorted(reached, share * reached[-1])])


def entry_and_exit(traces: Sequence[Trace], before: int = 100, inside: int = 400, every: int = 20) -> tuple[Floats, Floats]:
    """Mean loss around the entry into the deepest shadow of each trace, and backwards around the exit from it.

    Parameters
    ----------
    traces : traces; those whose shadow is less than 3 dB deep or too close to an end of the trace are left out.
    before, inside, every : samples outside and inside the shadow, and from one value to the next.

    Returns
    -------
    entry_db, exit_db : ((before + inside) / every,) means; the shadow begins, or ends, ``before`` samples after the first value.
    """
    sides: tuple[list[Floats], list[Floats]] = ([], [])
    for trace in traces:
        loss, first, last = _losses(trace)
        if loss.max() < EDGE_DB:
            continue
        whole = np.repeat(loss, trace.length)
        for side, line, edge in (
            (sides[0], whole, int(trace.start[first])),
            (sides[1], whole[::-1], trace.samples - int(trace.start[last] + trace.length[last])),
        ):
            if edge >= before and edge + inside <= trace.samples:
                side.append(line[edge - before : edge + inside : every])
    return np.mean(sides[0], axis=0), np.mean(sides[1], axis=0)
