"""What was imported drives: AGVs finish an order, people walk, messages arrive."""

from __future__ import annotations

from pathlib import Path

import pytest
from layout_tools import SAMPLES, imported

from factory.kpi import collect
from factory.layouts.to_scenario import Options
from factory.twin import Twin


@pytest.mark.parametrize("name", ["strays.lif.json", "workshop.building.yaml"])
def test_sample_finishes_an_order(name: str, tmp_path: Path) -> None:
    loaded, _ = imported(SAMPLES / name, tmp_path / "s.yaml", options=Options(people=2))
    twin = Twin(loaded)
    try:
        while twin.time_us < 90_000_000 and not twin.fleet.production()["orders_finished"]:
            twin.tick()
        kpi = collect(twin)
    finally:
        twin.close()
    assert kpi["production"]["orders"] >= 1
    agv = next(s for s in kpi["services"] if s["name"] == "agv-control")
    assert agv["messages"] > 100
    assert agv["lost"] < 0.05 * agv["messages"]
