"""What the report draws against time and length: minutes lost over the shift, and how long outages last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from factory.run_folder import Run
from factory.study.compare import Material

Floats = npt.NDArray[np.float64]

_POINTS = 121


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves of all variants.

    Attributes
    ----------
    time_min : (T,) instants since the start [min].
    lost_min : by variant (runs, T) machine minutes lost up to each instant.
    causes : the causes that are counted.
    outage_s : by variant the sorted lengths of all outages [s].
    device_hours : by variant the observed time of all services' devices [h].
    """

    time_min: Floats
    lost_min: dict[str, Floats]
    causes: tuple[str, ...]
    outage_s: dict[str, Floats]
    device_hours: dict[str, float]


def curves(material: Material, blocking: Sequence[str]) -> Curves:
    """Read the stops and outages of every run.

    Parameters
    ----------
    material : the runs.
    blocking : causes to count where no machine of any run stood for the radio.
    """
    length_s = max(r.kept_s for v in material.variants for r in v.runs)
    time_s = np.linspace(0.0, length_s, _POINTS)
    stops = {v.name: [r.stops() for r in v.runs] for v in material.variants}
    by_radio = any((frame["cause"] == "communication").any() for frames in stops.values() for frame in frames)
    causes = ("communication",) if by_radio else tuple(blocking)
    lost = {name: np.stack([cumulative_min(f, causes, time_s) for f in frames]) for name, frames in stops.items()}
    outages, hours = {}, {}
    for v in material.variants:
        outages[v.name] = np.sort(np.concatenate([outage_lengths_s(r) for r in v.runs]))
        hours[v.name] = sum(float(s.get("device_hours") or 0.0) for r in v.runs for s in r.kpi.get("services") or ())
    return Curves(time_s / 60.0, lost, causes, outages, hours)


def cumulative_min(stops: pd.DataFrame, causes: Sequence[str], time_s: Floats) -> Floats:
    """Machine minutes that had been lost for some causes by each instant (T,)."""
    kept = stops[stops["cause"].isin(list(causes))]
    start, end = (kept[c].to_numpy(dtype=np.float64) / 1e6 for c in ("start_us", "end_us"))
    out = np.empty(len(time_s))
    for k, now in enumerate(time_s):
        out[k] = np.clip(np.minimum(end, now) - start, 0.0, None).sum() / 60.0
    return out


def outage_lengths_s(run: Run) -> Floats:
    """Lengths of a run's outages under the acting policy [s]; one that lasts at the end counts up to there."""
    events = run.events(["time_us", "kind", "device", "service"])
    events = events[events["kind"].isin(["service_down", "service_up"])]
    lengths = []
    for _, rows in events.groupby(["device", "service"], observed=True):
        since: int | None = None
        for kind, time_us in zip(rows["kind"], rows["time_us"], strict=True):
            if kind == "service_down" and since is None:
                since = int(time_us)
            elif kind == "service_up" and since is not None:
                lengths.append((int(time_us) - since) / 1e6)
                since = None
        if since is not None:
            lengths.append(max(run.kept_s - since / 1e6, 0.0))
    return np.array(lengths, dtype=np.float64)
