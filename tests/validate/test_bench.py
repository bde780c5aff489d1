"""The benchmark runs from the repository's root and its numbers hang together; how large they are is the machine's business."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )


def test_bench_measures_kernels_ticks_and_stages(tmp_path):
    done = bench("--scenario", "small", "--ticks", "20", "--json", str(tmp_path / "b.json"), "--docs", str(tmp_path / "b.md"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "b.json").read_text())
    # plain Python beside compiled code: were the two alike, the kernel would not be compiled
    assert result["kernels"]["blockage: reference / kernel"] > 10
    assert result["kernels"]["paths: reference / kernel"] > 10
    assert abs(sum(result["shares"].values()) - 1.0) < 1e-6
    stages = {name: share for name, share in result["shares"].items() if name != "all else"}
    assert all(share > 0 for share in stages.values()), stages  # a stage at 0 was renamed and is no longer found
    assert result["shares"]["all else"] < 0.4
    assert 0 < result["tick"]["tick / real time, median"] <= result["tick"]["tick / real time, 99 % below"]
    page = (tmp_path / "b.md").read_text()
    assert all(f"| {name} |" in page for part in ("kernels", "tick", "shares") for name in result[part])
    assert "Shares of a tick" in done.stdout


def test_bench_says_why_it_refuses():
    done = bench("--ticks", "3")
    assert done.returncode == 2
    assert "measure at least 10" in done.stderr
