"""One shift from the command line: scenario in, run folder out, progress on the way."""

from __future__ import annotations

import signal
import threading
import time
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from factory.blocked_paths import BlockedPaths
from factory.errors import UserError
from factory.journal import Journal
from factory.kpi import collect
from factory.recording import RunFolder
from factory.report import build_report
from factory.scenario import LoadedScenario, load_scenario
from factory.twin import Twin


def run_shift(name: str, overrides: list[str], out: Path | None, console: Console, errors: Console) -> int:
    """Run a scenario to its end or to Ctrl-C, and build its report.

    Returns
    -------
    int
        0 when the shift was finished, 130 when it was interrupted (its finished parts are kept).

    Raises
    ------
    UserError
        For wrong input; nothing has been written then.
    """
    loaded = load_scenario(name, overrides)
    path = out if out is not None else Path("runs") / f"{loaded.scenario.name}-{datetime.now():%Y%m%d-%H%M%S}"
    if path.exists():
        raise UserError(f"{path} exists already; choose another folder with --out or remove it")
    with console.status("building the hall"):
        twin = Twin(loaded)
    folder = RunFolder.create(path, loaded.text, loaded.scenario.model_dump(mode="json"), loaded.scenario.seed)
    try:
        finished = _simulate(twin, folder, console)
    finally:
        twin.close()
    report = build_report(path)
    if not finished:
        errors.print(
            f"interrupted: {twin.time_us / 1e6:.1f} s of {loaded.scenario.duration_s:g} s are kept in {path}", soft_wrap=True
        )
    console.print(f"Report: {report}", soft_wrap=True)
    return 0 if finished else 130


def _simulate(twin: Twin, folder: RunFolder, console: Console) -> bool:
    """Tick until the end or a signal; True when the end was reached."""
    stop = threading.Event()

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    journal, blocked_paths = Journal(twin, folder), BlockedPaths(twin, folder)
    end_us = round(twin.scenario.duration_s * 1e6)
    begun = time.monotonic()
    columns = (
        TextColumn("{task.fields[clock]}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console) as progress, journal.recorder:
            bar = progress.add_task("shift", total=end_us, clock="00:00", speed="")
            picture_us = min(end_us // 2, 300_000_000)
            while twin.time_us < end_us and not stop.is_set():
                tick = twin.tick()
                journal.add(tick)
                blocked_paths.add(tick)
                if twin.time_us % 1_000_000 == 0:
                    wall_s = max(time.monotonic() - begun, 1e-9)
                    minutes, seconds = divmod(twin.time_us // 1_000_000, 60)
                    progress.update(
                        bar,
                        completed=twin.time_us,
                        clock=f"{minutes:02d}:{seconds:02d}",
                        speed=f"{twin.time_us / 1e6 / wall_s:5.1f} x real time",
                    )
                if picture_us <= twin.time_us < picture_us + twin.dt_us:
                    folder.write_scene(twin.picture())
            finished = twin.time_us >= end_us
            blocked_paths.close()
            journal.close()
            kpi = collect(twin)
            journal.recorder.close(
                kpi,
                simulated_s=twin.time_us / 1e6,
                wall_s=time.monotonic() - begun,
                state="finished" if finished else "interrupted",
            )
    finally:
        for s, handler in previous.items():
            signal.signal(s, handler)
    console.print(_table(kpi, twin.loaded, twin.time_us / 1e6 / (time.monotonic() - begun)))
    return finished


def _figure(figure: dict[str, Any] | None, form: str) -> str:
    if not figure or figure.get("value") is None:
        low = (figure or {}).get("low")
        return f"> {low:{form}}" if low is not None else "-"
    return f"{figure['value']:{form}}"


def _table(kpi: dict[str, Any], loaded: LoadedScenario, speed: float) -> Table:
    table = Table(title=f"{loaded.scenario.name}: {kpi['acting_policy']}, {speed:.1f} x real time")
    for column in ("service", "availability", "MTBF s", "lost", "p99 ms", "target"):
        table.add_column(column, justify="left" if column == "service" else "right")
    for s in kpi["services"]:
        met, latency = s.get("met"), s.get("latency_ms") or {}
        table.add_row(
            s["name"],
            _figure(s.get("availability"), ".7f"),
            _figure(s.get("mtbf_s"), ".3g"),
            f"{s.get('lost', 0)}/{s['messages']}",
            _figure(latency.get("p99"), ".2f"),
            "met" if met else "missed" if met is False else "open",
        )
    return table
