"""How fast the twin is, and beside what: ``python -m tests.bench``, which is ``make bench``.

Everything is measured in one run on one core, in processor time, and told as ratios, which carry from one machine to another
better than times do. ``--parts`` chooses what is measured:

kernels  the compiled kernels beside their plain references and beside Bullet's rays, in the scenario's hall
tick     a tick against the time that it simulates
stages   where a tick's time goes
bodies   silhouettes of 200 people on 36,000 legs beside NumPy and SciPy
sionna   paths and bodies beside Sionna RT at equal recall; left out with a reason where Sionna RT cannot run
growth   our time against the numbers of people, links and boxes
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from factory.blocked_paths import BlockedPaths
from factory.journal import Journal
from factory.recording import RunFolder
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.bodies.blockage import blockage_db
from radio.bodies.blockage_oracle import reference_blockage
from radio.bodies.silhouette_oracle import reference_field
from radio.propagation.paths import PathFinder
from radio.propagation.paths_oracle import reference_paths
from tests.bench_bodies import bodies_ratios
from tests.bench_page import page
from tests.bench_sionna import growth, mean_seconds, sionna_ratios
from tests.bench_stages import stage_shares

Say: TypeAlias = Callable[[str], None]
_T = TypeVar("_T")
PARTS = ("kernels", "tick", "stages", "bodies", "sionna", "growth")
WARM_UP = 100  # ticks: kernels are compiled, people walk, AGVs have left the places where they begin
_REFERENCE_UES = 2  # a link takes the plain image method tens of milliseconds
_REFERENCE_FIELDS = 60  # pairs of path and body that the brute-force silhouette integrates
_RAY_CALLS = 20


def once_s(work: Callable[[], Any]) -> float:
    """Processor time of one call [s]."""
    start = time.process_time()
    work()
    return time.process_time() - start


def kernels(twin: Twin, repeats: int, say: Say) -> dict[str, Any]:
    """Measure kernels and references on the twin's present scene.

    Parameters
    ----------
    twin : the twin, some ticks under way.
    repeats : calls of each kernel.
    say : is told what is being done.

    Returns
    -------
    dict
        ``ratios`` (times longer than the kernel), ``cpu_s`` (seconds per link, path, pair or call, as its name says) and
        ``sizes`` of the scene.
    """
    scene = twin.scene(twin.time_us, twin.people, twin.agvs)
    channel, config = twin.channel, twin.scenario.radio
    prepared, trp, ue, owner = channel.prepared, channel.trp_position_m, scene.ues.position_m, scene.ues.owner
    limits: dict[str, Any] = {
        "max_paths": config.paths.max_paths,
        "reach_db": config.paths.reach_db,
        "trp_carrier": tuple(config.trp_carrier),
    }
    finder = PathFinder(prepared, trp, **limits)
    paths = finder.find(ue)
    few = slice(0, _REFERENCE_UES)
    few_paths = PathFinder(prepared, trp, **limits).find(ue[few])
    owners = np.unique(scene.blockers.owner)
    n_links, n_paths, n_pairs = len(ue) * len(trp), len(paths.order), len(paths.order) * len(owners)

    say("kernels: paths and bodies, compiled")
    step_m = np.array([5e-4, 0.0, 0.0])  # everybody moves a little at each call: what stands still would be copied
    find = mean_seconds(lambda k: finder.find(ue + step_m * (k % 100 + 1)), repeats) / n_links
    tick = mean_seconds(lambda _: blockage_db(paths, scene.blockers, owner, effort="tick"), repeats)
    fine = mean_seconds(lambda _: blockage_db(paths, scene.blockers, owner), max(repeats // 10, 5))
    model_b = mean_seconds(lambda _: blockage_db(paths, scene.blockers, owner, "model_b"), repeats)

    say(f"kernels: plain image method on {len(few_paths.offset) - 1} links")
    plain_find = once_s(lambda: reference_paths(prepared, trp, ue[few], **limits)) / (len(few_paths.offset) - 1)
    say("kernels: plain model B")
    plain_b = once_s(lambda: reference_blockage(few_paths, scene.blockers, owner[few])) / max(len(few_paths.order), 1)
    say("kernels: silhouettes by brute force")
    rng = np.random.default_rng(1)
    drawn = zip(rng.integers(n_paths, size=_REFERENCE_FIELDS).tolist(), rng.choice(owners, _REFERENCE_FIELDS), strict=True)
    pairs = [(int(p), int(o)) for p, o in drawn]
    plain_field = once_s(lambda: [reference_field(paths, scene.blockers, p, o) for p, o in pairs]) / len(pairs)

    say("kernels: rayTestBatch")
    twin.world.sync_people(twin.people.present, twin.people.capsule_a, twin.people.capsule_b)
    leg = np.arange(3)[None] <= paths.order[:, None]
    start_m, end_m = paths.vertex_m[:, :3][leg], paths.vertex_m[:, 1:][leg]
    rays = mean_seconds(lambda _: twin.world.ray_test(start_m, end_m), _RAY_CALLS)
    return {
        "ratios": {
            "paths of a link: plain image method": plain_find / find,
            "model B: plain": plain_b * n_paths / model_b,
            "silhouettes, fine: brute force": plain_field * n_pairs / fine,
            "silhouettes, tick: brute force": plain_field * n_pairs / tick,
            "silhouettes, tick: rayTestBatch on the same legs": rays / tick,
            "model B: rayTestBatch on the same legs": rays / model_b,
        },
        "cpu_s": {
            "paths, per link": find,
            "paths by the plain image method, per link": plain_find,
            "model B, per call": model_b,
            "model B in plain Python, per path": plain_b,
            "silhouettes with effort tick, per call": tick,
            "silhouettes with effort fine, per call": fine,
            "silhouette by brute force, per path and body": plain_field,
            "rayTestBatch on all legs, per call": rays,
        },
        "sizes": {
            "links": n_links,
            "paths": n_paths,
            "legs": len(start_m),
            "bodies": len(owners),
            "parts of bodies": len(scene.blockers.owner),
            "facets": len(prepared.normal),
        },
    }


def tick_figures(twin: Twin, ticks: int) -> dict[str, float]:
    """Measure ticks with their recording, which is written to a folder that is deleted afterwards.

    Parameters
    ----------
    twin : the twin, some ticks under way.
    ticks : ticks to measure.

    Returns
    -------
    dict
        Processor time of a tick (``mean_s``, ``median_s``, ``p99_s``) and of recording one (``recording_s``) [s], and the time
        simulated per processor time without and with recording (``rtf``, ``rtf_recorded``).
    """
    scenario = twin.scenario
    spent = np.zeros((ticks, 2))
    with tempfile.TemporaryDirectory() as directory:
        text = twin.loaded.text
        folder = RunFolder.create(Path(directory) / "run", text, scenario.model_dump(mode="json"), scenario.seed)
        journal, blocked = Journal(twin, folder), BlockedPaths(twin, folder)
        with journal.recorder:
            for k in range(ticks):
                start = time.process_time()
                tick = twin.tick()
                ticked = time.process_time()
                journal.add(tick)
                blocked.add(tick)
                spent[k] = ticked - start, time.process_time() - ticked
            start = time.process_time()
            blocked.close()
            journal.close()
            journal.recorder.close()
            closing = time.process_time() - start
    mean, recording = float(spent[:, 0].mean()), float(spent[:, 1].mean()) + closing / ticks
    dt_s = twin.dt_us * 1e-6
    return {
        "mean_s": mean,
        "median_s": float(np.median(spent[:, 0])),
        "p99_s": float(np.quantile(spent[:, 0], 0.99)),
        "recording_s": recording,
        "rtf": dt_s / mean,
        "rtf_recorded": dt_s / (mean + recording),
    }


@contextlib.contextmanager
def under_way(scenario: str) -> Iterator[Twin]:
    """Give a twin of a scenario, ``WARM_UP`` ticks after its start."""
    twin = Twin(load_scenario(scenario))
    try:
        for _ in range(WARM_UP):
            twin.tick()
        yield twin
    finally:
        twin.close()


def rehearsed(scenario: str, work: Callable[[Twin], _T], what: str, say: Say) -> _T:
    """Do the work on two twins of a scenario, and return the second result: by then every kernel that it needs is compiled."""
    for attempt in ("rehearsal of", "measuring"):
        say(f"{scenario}: {attempt} {what}")
        with under_way(scenario) as twin:
            result = work(twin)
    return result


def of_tick(scenarios: Sequence[str], ticks: int, say: Say) -> list[dict[str, Any]]:
    """Return :func:`tick_figures` of each scenario with its size."""

    def figures(twin: Twin) -> dict[str, float]:
        return _size(twin) | tick_figures(twin, ticks)

    return [{"scenario": name, **rehearsed(name, figures, f"{ticks} ticks", say)} for name in scenarios]


def _size(twin: Twin) -> dict[str, float]:
    return {
        "agvs": twin.fleet.n,
        "cobots": len(twin.cobots.names),
        "people": twin.crowd.n,
        "trps": twin.channel.n_trp,
        "links": len(twin.devices) * twin.channel.n_trp,
        "policies": len(twin.networks),
    }


def measure(parts: Sequence[str], scenario: str, ticks: int, say: Say, done: Callable[[], None]) -> dict[str, Any]:
    """Measure the parts in their order; ``say`` is told what is being done, ``done`` called after each part."""
    result: dict[str, Any] = {
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load": os.getloadavg()[0],
        },
        "scenario": scenario,
        "ticks": ticks,
    }
    scenarios = [scenario] if scenario != "default" else ["small", "default", "medium"]
    for part in [p for p in PARTS if p in parts]:
        if part == "kernels":
            say(f"{scenario}: building the hall and its first {WARM_UP} ticks")
            with under_way(scenario) as twin:
                result[part] = kernels(twin, 200, say)
        elif part == "tick":
            result[part] = of_tick(scenarios, ticks, say)
        elif part == "stages":
            result[part] = rehearsed(scenario, lambda twin: stage_shares(twin, ticks), f"the stages of {ticks} ticks", say)
        elif part == "bodies":
            say("silhouettes of 200 people on 36,000 legs, ours and NumPy's")
            result[part] = bodies_ratios()
        elif part == "sionna":
            result[part] = sionna_ratios(say=say)
        else:
            result[part] = growth(say=say)
        done()
    return result


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Measure, print, and write where asked."""
    description = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=description)
    parser.add_argument("--scenario", default="default", help="small, default, medium or a scenario file")
    parser.add_argument("--ticks", type=int, default=1000, help="ticks to measure")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, help="write every ratio and processor time to this file")
    parser.add_argument("--docs", type=Path, help="write the tables as Markdown to this file")
    options = parser.parse_args(arguments)
    if options.ticks < 10:
        parser.error(f"--ticks {options.ticks}: forecasts and Bullet's scene come every 10 ticks, so measure at least 10")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    console = console or Console()
    begun = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=len(set(options.parts)))

        def say(what: str) -> None:
            progress.update(bar, description=what)
            progress.console.print(f"[dim]{time.monotonic() - begun:6.1f} s[/dim]  {what}", highlight=False)

        result = measure(options.parts, options.scenario, options.ticks, say, lambda: progress.advance(bar))
    text = page(result)
    console.print(Markdown(text))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if options.docs is not None:
        options.docs.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
