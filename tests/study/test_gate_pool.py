"""False alarms and power on figures of the twin itself, of hundreds of seeds that were kept (docs/regression.md)."""

import json
from pathlib import Path

import pytest

import factory.study.gate_pool as gate_pool
from factory.scenario import load_scenario
from factory.study.baseline import scenario_hash
from factory.study.gate_power import exact_interval, pool_alarms, pool_table
from factory.study.gate_run import SeedTask

POOL = json.loads((Path(gate_pool.__file__).parent / "gate_pool.json").read_text())
VARIANTS = POOL["variants"]
WEST_FOUND = 0.2
"""Least share of checks that see the western TRP halved, which costs less than the eastern one."""


def test_the_pool_is_of_the_shipped_scenario() -> None:
    assert POOL["scenario_sha256"] == scenario_hash(load_scenario("ci"))
    assert list(VARIANTS) == ["base", "half the power of east", "half the power of west"]
    assert gate_pool.changes("ci")["half the power of east"] == ("radio.trps[1].tx_power_dbm=-7.01",)


def test_checks_of_unchanged_code_hardly_ever_alarm() -> None:
    raised = pool_alarms(VARIANTS, "base", 24, 400, 2, "mann_whitney")
    assert exact_interval(int(raised.sum()), 400)[0] <= 0.01
    assert raised.mean() <= 0.02


def test_half_the_power_of_a_trp_is_caught() -> None:
    size = min(len(next(iter(figures.values()))) for figures in VARIANTS.values())
    n = min(24, size)
    assert pool_alarms(VARIANTS, "half the power of east", n, 100, 2, "mann_whitney").mean() >= 0.95
    assert pool_alarms(VARIANTS, "half the power of west", n, 100, 2, "mann_whitney").mean() >= WEST_FOUND


def test_the_table_tells_every_variant() -> None:
    lines = pool_table({v: {k: x[:12] for k, x in f.items()} for v, f in VARIANTS.items()}, 6, 5)
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "none, disjoint groups", "none, groups drawn anew", "half the power of east", "half the power of west",
    ]  # fmt: skip


def test_a_pool_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gate_stub

    asked: list[SeedTask] = []

    def run(task: SeedTask) -> dict[str, object]:
        asked.append(task)
        if len(asked) == 5:
            raise KeyboardInterrupt
        return gate_stub.stub_kpi(task.seed)

    monkeypatch.setattr(gate_pool, "run_seed", run)
    file = tmp_path / "pool.json"
    with pytest.raises(KeyboardInterrupt):
        gate_pool.main([str(file), "--base", "4", "--changed", "2"])
    gate_pool.main([str(file), "--base", "4", "--changed", "2"])
    kept = json.loads(file.read_text())["variants"]
    assert {name: len(figures["production.parts"]) for name, figures in kept.items()} == {
        "base": 4, "half the power of east": 2, "half the power of west": 2,
    }  # fmt: skip
    assert len(asked) == 9  # the one that was interrupted is run again
    assert len({task.seed for task in asked}) == 8
    with pytest.raises(SystemExit, match="another scenario or other seeds"):
        gate_pool.main([str(file), "--first", "7"])
