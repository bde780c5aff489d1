"""Condenses a run's recorded ticks and events to what the report draws, a few minutes at a time, so that a long shift fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from factory.run_folder import MINUTE_US, Run

TIME_BINS_MAX = 720
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300)
_CHUNK_MINUTES = 10
_LEVELS_DB = np.arange(-40.0, 60.5, 0.5)  # resolution of the percentiles on the map

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Digest:
    """A run, condensed.

    Attributes
    ----------
    devices : (D,) names in recorded order.
    edges_s : (B + 1,) edges of the time bins [s].
    margin_db : (D, B) smallest margin in each bin [dB], NaN where nothing is recorded.
    lost : (D, B) messages lost under the acting policy.
    down : (D, B) True where a service of the device went down or stayed down.
    lost_by_policy : messages lost per time bin, (B,) for every policy.
    margin_map_db : (ny, nx) margin that is exceeded 95 % of the time in each cell of 1 m [dB], NaN where no device was.
    cell_cause : causes that occur, and for each (ny, nx) messages lost under the acting policy.
    """

    devices: tuple[str, ...]
    edges_s: Floats
    margin_db: Floats
    lost: Floats
    down: npt.NDArray[np.bool_]
    lost_by_policy: dict[str, Floats]
    margin_map_db: Floats
    cell_cause: dict[str, Floats]


def digest(run: Run, events: pd.DataFrame, acting: str) -> Digest:
    """Condense a run.

    Parameters
    ----------
    run : the run.
    events : its events.
    acting : policy whose deliveries moved the machines.
    """
    length_us = max(int(run.kept_s * 1e6), 1)
    step_us = next((int(s * 1e6) for s in _STEPS_S if length_us <= s * 1e6 * TIME_BINS_MAX), -(-length_us // TIME_BINS_MAX))
    bins = -(-length_us // step_us)
    size = run.info["scenario"]["hall"]["size_m"]
    nx, ny = int(np.ceil(size[0])), int(np.ceil(size[1]))
    devices: list[str] = []
    smallest = np.empty((0, bins))
    counts = np.zeros((ny * nx, len(_LEVELS_DB)), dtype=np.int64)
    for start in range(0, length_us, _CHUNK_MINUTES * MINUTE_US):
        ticks = run.ticks(
            ["device", "x_m", "y_m", "margin_db", "time_us"], start_us=start, end_us=start + _CHUNK_MINUTES * MINUTE_US
        )
        ticks = ticks[np.isfinite(ticks["margin_db"].to_numpy(dtype=np.float64))]
        if ticks.empty:
            continue
        for name in ticks["device"].unique():
            if name not in devices:
                devices.append(str(name))
                smallest = np.vstack([smallest, np.full((1, bins), np.nan)])
        row = ticks["device"].astype(object).map({d: i for i, d in enumerate(devices)}).to_numpy(dtype=np.int64)
        column = np.minimum(ticks["time_us"].to_numpy() // step_us, bins - 1)
        margin = ticks["margin_db"].to_numpy(dtype=np.float64)
        np.fmin.at(smallest, (row, column), margin)
        x, y = ticks["x_m"].to_numpy(dtype=np.float64), ticks["y_m"].to_numpy(dtype=np.float64)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        cell = np.floor(y[inside]).astype(np.int64) * nx + np.floor(x[inside]).astype(np.int64)
        level = np.clip(np.searchsorted(_LEVELS_DB, margin[inside]), 0, len(_LEVELS_DB) - 1)
        np.add.at(counts, (cell, level), 1)
    seen = counts.sum(axis=1)
    below = np.cumsum(counts, axis=1) > 0.05 * np.maximum(seen, 1)[:, None]
    margin_map = np.where(seen > 0, _LEVELS_DB[np.argmax(below, axis=1)], np.nan).reshape(ny, nx)
    lost, down, by_policy, cell_cause = _losses(events, acting, devices, step_us, bins, (ny, nx))
    return Digest(
        devices=tuple(devices),
        edges_s=np.minimum(np.arange(bins + 1) * step_us, max(length_us, step_us)) / 1e6,
        margin_db=smallest,
        lost=lost,
        down=down,
        lost_by_policy=by_policy,
        margin_map_db=margin_map,
        cell_cause=cell_cause,
    )


def _losses(
    events: pd.DataFrame, acting: str, devices: list[str], step_us: int, bins: int, shape: tuple[int, int]
) -> tuple[Floats, npt.NDArray[np.bool_], dict[str, Floats], dict[str, Floats]]:
    lost = np.zeros((len(devices), bins))
    down = np.zeros((len(devices), bins), dtype=bool)
    by_policy: dict[str, Floats] = {}
    cell_cause: dict[str, Floats] = {}
    index = {d: i for i, d in enumerate(devices)}
    packets = events[events["kind"] == "packet_lost"]
    for policy, rows in packets.groupby("policy", observed=True):
        column = np.minimum(rows["time_us"].to_numpy() // step_us, bins - 1)
        by_policy[str(policy)] = np.bincount(column, minlength=bins).astype(np.float64)
        if policy != acting:
            continue
        row = rows["device"].astype(object).map(index).fillna(-1).to_numpy(dtype=np.int64)
        np.add.at(lost, (row[row >= 0], column[row >= 0]), 1.0)
        for cause, of_cause in rows.groupby("cause", observed=True):
            grid = np.zeros(shape)
            x, y = of_cause["x_m"].to_numpy(dtype=np.float64), of_cause["y_m"].to_numpy(dtype=np.float64)
            inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
            np.add.at(grid, (np.floor(y[inside]).astype(int), np.floor(x[inside]).astype(int)), 1.0)
            cell_cause[str(cause)] = grid
    changes = events[events["kind"].isin(["service_down", "service_up"]) & (events["policy"] == acting)]
    for (device, _), rows in changes.groupby(["device", "service"], observed=True):
        since: int | None = None
        for kind, time_us in zip(rows["kind"], rows["time_us"], strict=True):
            if kind == "service_down" and since is None:
                since = int(time_us) // step_us
            elif kind == "service_up" and since is not None:
                _mark(down, index.get(str(device)), since, int(time_us) // step_us)
                since = None
        if since is not None:
            _mark(down, index.get(str(device)), since, bins - 1)
    return lost, down, by_policy, cell_cause


def _mark(down: npt.NDArray[np.bool_], row: int | None, first: int, last: int) -> None:
    if row is not None:
        down[row, first : last + 1] = True


def acting_policy(run: Run, kpi: Mapping[str, Any] | None) -> str:
    """Policy whose deliveries moved the machines: from the figures, else from the scenario."""
    if kpi and kpi.get("acting_policy"):
        return str(kpi["acting_policy"])
    radio = run.info["scenario"].get("radio") or {}
    return str(radio.get("policy", "reactive"))


def production_totals(production: Mapping[str, Any]) -> dict[str, Any]:
    """Add up what the machines made and lost.

    Parameters
    ----------
    production : the figures of kpi.json, flat or one level down by kind of machine ("agvs", "cobots").

    Returns
    -------
    orders, orders_per_hour, parts (None where not counted), stops by cause ("" where the cause is not told), stops_known,
    minutes_lost by cause (None where not counted).
    """
    kinds = [v for v in (production, production.get("agvs"), production.get("cobots")) if isinstance(v, Mapping)]

    def first(*keys: str) -> float | None:
        return next((float(k[key]) for k in kinds for key in keys if isinstance(k.get(key), (int, float))), None)

    stops: dict[str, float] = {}
    minutes: dict[str, float] = {}
    # Where the sums are told, their parts by kind of machine are not added again.
    for kind in [production] if production.get("stops") is not None else kinds:
        held = kind.get("stops")
        by_cause: Mapping[str, Any] = held if isinstance(held, Mapping) else {} if held is None else {"": held}
        for cause, value in by_cause.items():
            stops[cause] = stops.get(cause, 0.0) + float(value)
        for cause, value in (kind.get("minutes_lost") or {}).items():
            minutes[cause] = minutes.get(cause, 0.0) + float(value or 0.0)
    return {
        "orders": first("orders", "orders_finished"),
        "orders_per_hour": first("orders_per_hour"),
        "parts": first("parts"),
        "stops": stops,
        "stops_known": any(k.get("stops") is not None for k in kinds),
        "minutes_lost": minutes if any(k.get("minutes_lost") is not None for k in kinds) else None,
    }
