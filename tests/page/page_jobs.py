"""A fake twin that answers what-ifs and radio maps as the real one does, with figures made up for the screen."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from page_feed import SCENE, FakeTwin

from bridges.inbox import Command

_KNOBS = (
    ("people.count", "People", 16.0, 0.0, 200.0, 1.0),
    ("robots.agvs.max_speed_mps", "AGV speed at most [m/s]", 1.5, 0.2, 3.0, 0.1),
)
JOBS_SCENE = replace(SCENE, movable=True, knobs=_KNOBS)


def _row(label: str, base: str, other: str, difference: str, interval: str, verdict: str) -> dict[str, Any]:
    return {
        "key": label, "label": label, "base_text": base, "other_text": other, "difference_text": difference,
        "interval_text": interval, "verdict": verdict,
    }  # fmt: skip


CARD = {
    "pairs": 6,
    "note": "6 pairs, 95 % intervals",
    "rows": [
        _row("lost to radio", "0.40 min", "0.12 min", "-0.28 min", "-0.36 min to -0.11 min", "better"),
        _row("agv-control unavailability", "1.2e-5", "3.0e-6", "-9.0e-6", "-1.1e-5 to 2.0e-6", "open"),
        _row("orders finished", "12", "12", "0", "0 to 0", "equal"),
    ],
}


def fake_map(nx: int = 120, ny: int = 80) -> dict[str, Any]:
    """Return a map of the fake hall."""
    margin = [round(20 * math.cos(0.05 * (i % nx)) * math.cos(0.07 * (i // nx)), 1) for i in range(nx * ny)]
    return {
        "nx": nx, "ny": ny, "cell_m": 0.5, "trps": [t[0] for t in SCENE.trps], "time_us": 0, "people": 6,
        "margin_db": [None if i % 97 == 0 else m for i, m in enumerate(margin)], "snr_db": [m + 8 for m in margin],
        "trp": [i // nx * 4 // ny for i in range(nx * ny)], "covered": [1.0 if m > 0 else 0.4 for m in margin],
        "shaded": [0.01 * (i % 30) for i in range(nx * ny)], "covered_cells": 0.76, "channel": "geometric",
    }  # fmt: skip


class JobsTwin(FakeTwin):
    """A fake twin with jobs: each is half done at the first look, and done at the second."""

    def __init__(self, folder: Path, port: int, **more: Any) -> None:
        super().__init__(folder, port, **more)
        self.server._scene = JOBS_SCENE
        self.jobs: dict[int, dict[str, Any]] = {}

    def _carry_out(self, command: Command) -> None:
        given = dict(command.payload or {})
        if command.name in ("start_whatif", "start_radio_map"):
            if any("nonsense" in c for c in given.get("changes", ())):
                command.answer(False, "nonsense: write KEY=VALUE")
                return
            kind = "whatif" if command.name == "start_whatif" else "radio_map"
            job = {"job": len(self.jobs) + 1, "kind": kind, "state": "running", "progress": 0.0, "words": "starting", **given}
            self.jobs[job["job"]] = job | {"from": "present", "from_us": self.time_us, "why": "", "result": None}
            command.answer(True, json.dumps(self.jobs[job["job"]]))
        elif command.name in ("read_job", "cancel_job"):
            job = self.jobs.get(given["job"], {})
            if not job:
                command.answer(False, f"there is no job {given['job']}; known: {', '.join(map(str, self.jobs)) or 'none yet'}")
                return
            self._go_on(job, command.name == "cancel_job")
            command.answer(True, json.dumps(job))
        else:
            super()._carry_out(command)

    @staticmethod
    def _go_on(job: dict[str, Any], cancelled: bool) -> None:
        if job["state"] != "running":
            return
        if cancelled:
            job |= {"state": "cancelled", "words": "cancelled"}
        elif job["progress"] == 0.0:
            job |= {"progress": 0.5, "words": "changed, pair 1 of 6: 30 of 60 s"}
        else:
            job |= {"state": "done", "progress": 1.0, "words": "done"}
            job["result"] = CARD if job["kind"] == "whatif" else fake_map()
