"""Draw docs/halls/halls.svg: the halls of the policy study from above.

.venv/bin/python docs/halls/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from factory.report.charts import style
from factory.report.maps import draw_hall
from factory.scenario import load_scenario

HERE = Path(__file__).parent
HALLS = HERE.parents[1] / "examples" / "policies" / "halls"
COLUMNS, WIDTH_IN, ROW_IN = 3, 11.0, 2.7


def main() -> None:
    """Draw every hall of the folder, people's stations as dots."""
    files = sorted(HALLS.glob("*.yaml"))
    rows = -(-len(files) // COLUMNS)
    matplotlib.rcParams["svg.hashsalt"] = "halls"
    with style():
        figure = Figure(figsize=(WIDTH_IN, ROW_IN * rows), layout="constrained")
        grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes, path in zip(grid, files, strict=False):
            scenario = load_scenario(str(path)).scenario.model_dump(mode="json")
            draw_hall(axes, scenario, labels=False)
            at = [station["position_m"] for station in scenario["people"]["stations"]]
            axes.plot(*zip(*at, strict=True), ".", color="#0072b2", markersize=3, zorder=4)
            cobots = [cobot["position_m"][:2] for cobot in scenario["robots"]["cobots"]]
            if cobots:
                axes.plot(*zip(*cobots, strict=True), "s", color="#d55e00", markersize=4, zorder=5)
            axes.set_title(scenario["name"], fontsize=9)
            axes.set_xlabel("")
            axes.set_ylabel("")
        for axes in grid[len(files) :]:
            axes.set_axis_off()
        figure.savefig(HERE / "halls.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
