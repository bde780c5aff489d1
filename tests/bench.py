"""Where a tick's time goes, and how far the kernels are ahead of their references: ``python -m tests.bench``.

Everything is measured in one run on one core, and told as ratios, which carry from one machine to another better than times do.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from factory.scenario import load_scenario
from factory.twin import Twin
from radio.blockage import blockage_db
from radio.blockage_oracle import reference_blockage
from radio.paths import compute_paths
from radio.paths_oracle import reference_paths

# Stage, the file and functions that it consists of, and the function they are called from ("" for any).
_STAGES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("AGVs and fleet", "robots/fleet.py", ("step", "state"), "tick"),
    ("cobots' programs", "robots/cobot.py", ("step", "state"), "tick"),
    ("people", "humans/crowd.py", ("step", "state"), "tick"),
    ("Bullet: arms", "factory/world.py", ("step", "cobot_link_capsules"), "_physics"),
    ("Bullet: scene at 10 Hz", "factory/world.py", ("sync_people", "contacts"), "_physics"),
    ("separation", "robots/safety.py", ("nearest_person",), "_physics"),
    ("scene for the radio", "factory/twin.py", ("scene",), "tick"),
    ("forecast: scenes", "factory/twin.py", ("_expected",), ""),
    ("forecast: sweeps", "radio/network.py", ("take_forecast",), ""),
    ("paths", "radio/links.py", ("paths",), "tick"),
    ("blockage", "radio/links.py", ("blockage",), "tick"),
    ("beam sweeps", "radio/links.py", ("sweep",), "tick"),
    ("networks: what they see", "radio/policies/base.py", ("observe", "measure"), "step"),
    ("networks: plans", "radio/policies/", ("plan",), "step"),
    ("networks: link state", "radio/links.py", ("state",), "step"),
    ("networks: packets", "radio/delivery.py", ("deliver",), "step"),
    ("networks: key figures", "radio/kpi.py", ("add",), "step"),
)


def seconds(function: Callable[[], Any], repeats: int) -> float:
    """Median time of a call [s]."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def kernel_ratios(twin: Twin, slow_repeats: int, fast_repeats: int) -> dict[str, float]:
    """How many times longer references and Bullet's rays take than the kernels, on the twin's present scene."""
    scene = twin.scene(twin.time_us, twin.people, twin.agvs)
    channel = twin.channel
    limits = channel.config.paths
    places = (channel.prepared, channel.trp_position_m, scene.ues.position_m, limits.max_paths, limits.reach_db)
    paths = compute_paths(*places)
    bodies = (paths, scene.blockers, scene.ues.owner, channel.wavelength_m)
    # A ray test per leg: what it would take to ask Bullet, instead of the kernel, who stands in which path.
    reflected = paths.facet >= 0
    start = np.concatenate((paths.vertex_m[:, 0], paths.vertex_m[reflected, 1]))
    end = np.concatenate((paths.vertex_m[:, 1], paths.vertex_m[reflected, 2]))
    twin.world.sync_people(twin.people.present, twin.people.capsule_a, twin.people.capsule_b)

    blockage = seconds(lambda: blockage_db(*bodies), fast_repeats)
    return {
        "blockage: reference / kernel": seconds(lambda: reference_blockage(*bodies), slow_repeats) / blockage,
        "paths: reference / kernel": (
            seconds(lambda: reference_paths(*places), slow_repeats) / seconds(lambda: compute_paths(*places), fast_repeats)
        ),
        "who blocks what: rayTestBatch / blockage kernel": (
            seconds(lambda: twin.world.ray_test(start, end), max(slow_repeats, 10)) / blockage
        ),
    }


def tick_ratio(twin: Twin, ticks: int) -> dict[str, float]:
    """Time of a tick as a share of the time that it simulates: below 1 is faster than real time."""
    times = []
    for _ in range(ticks):
        start = time.perf_counter()
        twin.tick()
        times.append(time.perf_counter() - start)
    dt_s = twin.dt_us * 1e-6
    return {
        "tick / real time, mean": statistics.fmean(times) / dt_s,
        "tick / real time, median": statistics.median(times) / dt_s,
        "tick / real time, 99 % below": float(np.quantile(times, 0.99)) / dt_s,
    }


def stage_shares(twin: Twin, ticks: int) -> dict[str, float]:
    """Share of each stage in the time of a tick, by cProfile (which makes stages with many Python calls look larger)."""
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(ticks):
        twin.tick()
    profile.disable()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    whole = _spent(stats, "factory/twin.py", ("tick",), "")
    shares = {stage: _spent(stats, *where) / whole for stage, *where in _STAGES}
    shares["all else"] = max(0.0, 1.0 - sum(shares.values()))
    return shares


def _spent(stats: dict[Any, Any], file: str, names: Sequence[str], caller: str) -> float:
    """Cumulative time in functions of a file, counted where they are called by ``caller`` [s]."""
    total = 0.0
    for (path, _, name), (_, _, _, cumulative, callers) in stats.items():
        if name not in names or file not in path.replace(os.sep, "/"):
            continue
        if caller:
            total += sum(spent[3] for (_, _, by), spent in callers.items() if by == caller)
        else:
            total += cumulative
    return total


def measure(scenario: str, ticks: int, slow_repeats: int, fast_repeats: int) -> dict[str, Any]:
    """Measure everything; half a simulated second first, so that every kernel is compiled and people walk."""
    twin = Twin(load_scenario(scenario))
    try:
        for _ in range(50):
            twin.tick()
        return {
            "scenario": scenario,
            "ticks": ticks,
            "kernels": kernel_ratios(twin, slow_repeats, fast_repeats),
            "tick": tick_ratio(twin, ticks),
            "shares": stage_shares(twin, ticks),
        }
    finally:
        twin.close()


def markdown(result: dict[str, Any]) -> str:
    """Return the result as a page."""
    lines = [
        "# Performance",
        "",
        "Written by `python -m tests.bench --docs docs/performance.md`: one run, one core, ratios rather than times.",
        f"Scenario `{result['scenario']}`, {result['ticks']} ticks after the first 50.",
        "",
        "| kernel | times longer |",
        "|---|--:|",
        *(f"| {name} | {_times(ratio)} |" for name, ratio in result["kernels"].items()),
        "",
        "A tick against the time that it simulates (below 1 is faster than real time; this depends on the machine):",
        "",
        "| tick | ratio |",
        "|---|--:|",
        *(f"| {name} | {ratio:.3f} |" for name, ratio in result["tick"].items()),
        "",
        "Shares of a tick by cProfile, which makes stages with many Python calls look larger than they are:",
        "",
        "| stage | share |",
        "|---|--:|",
        *(f"| {name} | {100 * share:.1f} % |" for name, share in result["shares"].items()),
    ]
    return "\n".join(lines) + "\n"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.1f}"


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--scenario", default="default", help="small, default, medium or a scenario file")
    parser.add_argument("--ticks", type=int, default=500, help="ticks to measure")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--docs", type=Path, help="write the tables as Markdown to this file")
    options = parser.parse_args(arguments)
    if options.ticks < 10:
        parser.error(f"--ticks {options.ticks}: forecasts and Bullet's scene come every 10 ticks, so measure at least 10")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    result = measure(options.scenario, options.ticks, slow_repeats=3, fast_repeats=200)
    console = console or Console()
    for title, key, form in (
        ("Times longer than the kernel", "kernels", _times),
        ("A tick against real time", "tick", "{:.3f}".format),
        ("Shares of a tick", "shares", "{:.1%}".format),
    ):
        table = Table("", "ratio", title=title, title_justify="left")
        table.columns[1].justify = "right"
        for name, value in result[key].items():
            table.add_row(name, form(value))
        console.print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if options.docs is not None:
        options.docs.write_text(markdown(result), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
