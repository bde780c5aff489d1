"""The benchmark runs from the repository's root and its figures hang together; how large they are is the machine's business."""

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINE = {"machine": {"processor": "x86_64", "cores": 2, "python": "3.11.7", "load": 0.4}, "scenario": "small", "ticks": 20}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch):
    """Give the benchmark's modules by name, from the folder that holds them."""
    monkeypatch.syspath_prepend(str(ROOT / "tests"))

    def load(name: str) -> types.ModuleType:
        return importlib.import_module(name)

    return load


def test_bench_measures_kernels_ticks_and_stages(tmp_path):
    files = ("--json", str(tmp_path / "b.json"), "--docs", str(tmp_path / "b.md"))
    done = bench("--scenario", "small", "--ticks", "20", "--parts", "stages", "tick", "kernels", *files)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "b.json").read_text())

    # plain Python beside compiled code: were the two alike, the kernel would not be compiled
    plain = {name: ratio for name, ratio in result["kernels"]["ratios"].items() if "rayTestBatch" not in name}
    assert len(plain) == 4
    assert all(ratio > 10 for ratio in plain.values()), plain
    assert all(seconds > 0 for seconds in result["kernels"]["cpu_s"].values())
    sizes = result["kernels"]["sizes"]
    assert sizes["legs"] > sizes["paths"] > sizes["links"]  # some paths are reflected, a link has several

    (tick,) = result["tick"]
    assert (tick["scenario"], tick["agvs"], tick["cobots"], tick["people"]) == ("small", 4, 2, 6)
    assert 0 < tick["median_s"] <= tick["p99_s"]
    assert tick["rtf"] == pytest.approx(0.01 / tick["mean_s"])
    assert tick["rtf_recorded"] < tick["rtf"]

    assert sum(result["stages"].values()) == pytest.approx(1.0)
    assert all(share > 0 for share in result["stages"].values()), result["stages"]  # at 0, a stage is no longer called by tick()
    assert result["stages"]["all else"] < 0.4

    page = (tmp_path / "b.md").read_text()
    for name in (*result["kernels"]["ratios"], *result["kernels"]["cpu_s"], *result["stages"]):
        assert f"| {name} |" in page
    assert "| `small` |" in page
    assert "Sionna" not in page  # not asked for
    assert "measuring 20 ticks" in done.stdout
    assert "Where a tick goes" in done.stdout


def test_bench_says_why_it_refuses():
    done = bench("--ticks", "3")
    assert done.returncode == 2
    assert "measure at least 10" in done.stderr


def sionna_result(tick_ratio: float) -> dict:
    recall = {
        "rays": 10_000.0,
        "kept": 0.9941,
        "matters": 0.9987,
        "reverse": 0.6866,
        "reverse_power": 0.9751,
        "reverse_all": 0.9999,
    }
    ratios = {"paths and bodies of a tick": tick_ratio, "only people moved": 1234.0}
    seconds = {"people in one mesh": 0.25, "people moved one by one": 0.3}
    return {
        "version": "2.2.0",
        "people": 30,
        "recall": [recall],
        "ours_s": {"paths, new ground": 5e-4, "bodies, tick": 2e-3},
        "levels": [{"recall": 0.99, **recall, "seconds": seconds, "ratios": ratios}],
    }


@pytest.mark.parametrize(
    ("ratio", "told", "verdict"), [(199.6, "199x", "**missed**"), (57.38, "57.3x", "**missed**"), (200.0, "200x", "met")]
)
def test_a_missed_target_stays_on_the_page(module, ratio, told, verdict):
    page = module("bench_page").page({**MACHINE, "sionna": sionna_result(ratio)})
    assert f"| paths and bodies of a tick, beside Sionna RT at 99 % recall | ≥ 200x | {told} | {verdict} |" in page
    assert "| only people moved, beside Sionna RT at 99 % recall | ≥ 1,000x | 1,230x | met |" in page
    assert "| 10,000 | 99.41 | 99.87 | 68.66 | 97.51 | 99.99 |" in page
    assert "| Sionna RT, people in one mesh | 250 ms |" in page
    assert "| paths, new ground | 500 µs |" in page


def test_bodies_are_told_as_ratios_and_times(module):
    bodies = {
        "pairs within reach": 9876.0,
        "tick, s": 0.0625,
        "error of effort tick, 99 % below, dB": 1.472,
        "unions, all at once / effort tick": 49.9,
        "unions / effort fine": 612.0,
    }
    page = module("bench_page").page({**MACHINE, "bodies": bodies})
    assert "| 36,000 legs, 200 people: unions, all at once / effort tick | ≥ 50x | 49.9x | **missed** |" in page
    assert "| unions / effort fine | 612 |" in page
    assert "| tick | 62.5 ms |" in page
    assert "| error of effort tick, 99 % below | 1.47 dB |" in page
    assert "| pairs within reach | 9,870 |" in page


def test_the_page_says_why_sionna_was_left_out(module):
    page = module("bench_page").page({**MACHINE, "sionna": "Sionna RT is not installed"})
    assert "Not measured in this run: Sionna RT is not installed." in page
    assert "## Targets" not in page


def test_each_moment_counts_for_the_innermost_stage(module, monkeypatch):
    stages = module("bench_stages")
    now = [0.0]
    monkeypatch.setattr(stages.time, "process_time", lambda: now[0])
    watch = stages.Stopwatch()

    def inner() -> None:
        now[0] += 2.0

    timed_inner = watch.around("paths", inner)

    def outer() -> None:
        now[0] += 1.0
        timed_inner()
        now[0] += 4.0

    watch.around("networks: plans", outer)()
    watch.around(stages.FORECASTS[1], outer)()  # a forecast keeps what it needs to itself
    now[0] += 8.0
    watch.count()
    spent = {stage: seconds for stage, seconds in watch.seconds.items() if seconds}
    assert spent == {"paths": 2.0, "networks: plans": 5.0, stages.FORECASTS[1]: 7.0, stages.ELSE: 8.0}


def test_the_stopwatch_leaves_the_twin_as_it_was(module):
    stages = module("bench_stages")
    before = [getattr(holder, name) for _, holder, name in stages.STAGES]
    with stages.watched(stages.Stopwatch()):
        within = [getattr(holder, name) for _, holder, name in stages.STAGES]
    assert [getattr(holder, name) for _, holder, name in stages.STAGES] == before
    assert all(a is not b for a, b in zip(before, within, strict=True))
