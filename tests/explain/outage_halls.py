"""Small halls in which an outage of known cause happens, run through the real twin and recorded."""

import dataclasses
from copy import deepcopy
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from factory.blocked_paths import BlockedPaths
from factory.explain_run import Facts
from factory.journal import Journal
from factory.kpi import collect
from factory.recording import Run, RunFolder
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.types import SHAPE_RECTANGLE, Blockers

COBOT = {"name": "cobot-1", "position_m": [12.6, 4.2, 0.8], "yaw_deg": 180, "antenna_position_m": [11.25, 4.0, 1.2]}
WEST = {"name": "west", "position_m": [0.6, 4.0, 1.2], "azimuth_deg": 0, "tx_power_dbm": -8, "gain_offset_db": -6}
SOUTH = {
    "name": "south",
    "position_m": [8.0, 0.5, 3.2],
    "azimuth_deg": 45,
    "downtilt_deg": 20,
    "tx_power_dbm": -8,
    "gain_offset_db": -14,
}
CONTROL = {"name": "cobot-control", "profile": "control-to-control", "devices": "cobot"}

BASE = {
    "name": "outage",
    "seed": 1,
    "duration_s": 60,
    "hall": {
        "size_m": [14, 8, 4],
        "wall_material": "plasterboard",
        "floor_material": "concrete",
        "ceiling_material": "plasterboard",
        "boxes": [],
    },
    "robots": {"agvs": {"count": 0}, "cobots": [COBOT]},
    "people": {
        "count": 1,
        "panels": 0,
        "stature_p5_m": 1.70,
        "stature_p95_m": 1.71,
        "stations": [{"name": "corner", "position_m": [2.0, 7.0], "facing_deg": 180, "kind": "cell"}],
        "roles": [
            {"name": "operator", "share": 1.0, "stations": ["cell"], "dwell_mean_s": 3600, "dwell_cv": 0, "wave_per_min": 0}
        ],
        "start": [[2.0, 7.0]],
    },
    "radio": {
        "policy": "static",
        "compare": ["static"],
        "ue": {"antenna": "isotropic", "tx_power_dbm": -8},
        "remainder": {"enabled": False},
        "trps": [WEST],
        "services": [CONTROL],
    },
}


def hall(**sections):
    """Return the base scenario with sections changed, one level deep."""
    out = deepcopy(BASE)
    for name, changes in sections.items():
        out[name] = {**out[name], **deepcopy(changes)}
    return out


def standing_at(x_m, y_m, facing_deg=180):
    """Return the people section with the one person standing somewhere."""
    stations = [{"name": "here", "position_m": [x_m, y_m], "facing_deg": facing_deg, "kind": "cell"}]
    return {"stations": stations, "start": [[x_m, y_m]]}


def twin_of(folder: Path, scenario, overrides=()):
    """Build the twin of a scenario, which is a mapping or the name of a shipped one."""
    if isinstance(scenario, str):
        return Twin(load_scenario(scenario, overrides))
    path = folder / "scenario.yaml"
    YAML().dump(scenario, path)
    return Twin(load_scenario(str(path), overrides))


def record(folder: Path, scenario, seconds, overrides=(), force=None):
    """Run a scenario for some seconds and return what the run holds.

    ``force(twin)`` may change the twin before its first tick.
    """
    twin = twin_of(folder, scenario, overrides)
    try:
        if force is not None:
            force(twin)
        kept = RunFolder.create(folder / "run", twin.loaded.text, twin.scenario.model_dump(mode="json"), twin.scenario.seed)
        journal, blocked = Journal(twin, kept), BlockedPaths(twin, kept)
        while twin.time_us < round(seconds * 1e6):
            tick = twin.tick()
            journal.add(tick)
            blocked.add(tick)
        blocked.close()
        journal.recorder.close(collect(twin), simulated_s=twin.time_us / 1e6)
    finally:
        twin.close()
    return Facts(Run(folder / "run"))


def door(at_m, size_m, from_us, until_us):
    """Let the one person carry a sheet (width, height) [m], upright across x at a place, for a while; a `force` for `record`.

    Nobody can step into a path and out of it within 30 ms; a sheet that is there for as long as it takes can.
    """

    def force(twin):
        scene = twin.scene

        def with_sheet(time_us, people, agvs):
            seen = scene(time_us, people, agvs)
            if not from_us <= time_us < until_us:
                return seen
            b = seen.blockers
            x, y, z = at_m
            sheet = Blockers(
                np.array([[x, y, z - size_m[1] / 2]]), np.array([[x, y, z + size_m[1] / 2]]), np.array([[0.02, size_m[0] / 2]]),
                np.zeros(1), np.array([SHAPE_RECTANGLE]), np.zeros(1, np.int64), np.zeros(1, np.int64),
            )  # fmt: skip
            fields = [f.name for f in dataclasses.fields(Blockers)]
            both = Blockers(*(np.concatenate((getattr(sheet, f), getattr(b, f))) for f in fields))
            return dataclasses.replace(seen, blockers=both)

        twin.scene = with_sheet

    return force
