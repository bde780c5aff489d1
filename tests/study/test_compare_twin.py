"""The comparison of real runs: what the maps and curves add up to is what the twin counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.journal import Journal
from factory.kpi import collect
from factory.run_folder import RunFolder
from factory.scenario import load_scenario
from factory.study.compare import compare, load_runs
from factory.study.compare_maps import floor_maps, table_total_s
from factory.study.compare_words import answer
from factory.twin import Twin

COMMON = ["people.count=12", "radio.policy=static", "radio.compare=[static]", "duration_s=8", "radio.trps[0].tx_power_dbm=-10"]


def simulate(path: Path, overrides: list[str]) -> Path:
    loaded = load_scenario("small", COMMON + overrides)
    twin = Twin(loaded)
    folder = RunFolder.create(path, loaded.text, loaded.scenario.model_dump(mode="json"), loaded.scenario.seed)
    journal = Journal(twin, folder)
    try:
        with journal.recorder:
            while twin.time_us < 8_000_000:
                journal.add(twin.tick())
            journal.close()
            journal.recorder.close(collect(twin), simulated_s=8.0, wall_s=1.0)
    finally:
        twin.close()
    return path


@pytest.mark.system
def test_the_maps_of_real_runs_add_up_to_their_figures(tmp_path: Path) -> None:
    weak = simulate(tmp_path / "weak", ["radio.trps[1].tx_power_dbm=-10", "radio.ue.tx_power_dbm=0"])
    strong = simulate(tmp_path / "strong", ["radio.trps[1].tx_power_dbm=20"])
    material = load_runs([weak, strong])
    floor = floor_maps(material)
    assert table_total_s(material, "outage_s", "weak")
    assert table_total_s(material, "blocked_s", "weak")
    for name in ("weak", "strong"):
        assert floor.grids["outage_s"][name].sum() == pytest.approx(table_total_s(material, "outage_s", name), abs=1e-6)
        assert floor.grids["blocked_s"][name].sum() == pytest.approx(table_total_s(material, "blocked_s", name), abs=1e-6)
        assert floor.grids["people_s"][name].sum() == pytest.approx(12 * 8.0, rel=0.02)
    told = answer(compare(material))
    assert "single runs (they share their seed)" in told[1]
