"""One picture of a run for a document: the scene above, the floor map of its outages below."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.image
from matplotlib.figure import Figure

from factory.report.charts import style
from factory.report.data import acting_policy, digest
from factory.report.maps import outage_figure
from factory.run_folder import Run, RunFolderError, write_bytes

_WIDTH_IN, _DPI = 11.0, 110


def write_picture(run_path: Path, target: Path) -> Path:
    """Write the picture of a run as PNG.

    Parameters
    ----------
    run_path : the run folder.
    target : file to write.

    Raises
    ------
    RunFolderError
        When ``run_path`` is no run folder, or holds no picture of the scene.
    """
    run = Run(run_path)
    scene = run.scene_png()
    if scene is None:
        raise RunFolderError(f"{run_path} holds no scene.png; the run ended before the picture was taken")
    scenario, kpi = run.info["scenario"], run.kpi if run.has_kpi else {}
    buffer = io.BytesIO()
    with style():
        outages, _ = outage_figure(scenario, digest(run, run.events(), acting_policy(run, kpi)), run.grids().get("outage_s"))
        outages.set_dpi(_DPI)
        outages.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.1)
    panels = [matplotlib.image.imread(io.BytesIO(picture)) for picture in (scene, buffer.getvalue())]
    heights = [_WIDTH_IN * p.shape[0] / p.shape[1] for p in panels]
    with style():
        figure = Figure(figsize=(_WIDTH_IN, sum(heights) + 0.7))
        bottom, total = 1.0, sum(heights) + 0.7
        titles = ("The hall", f"Where messages were lost in {run.kept_s / 60:.0f} minutes, and where a service was down")
        for panel, height, title in zip(panels, heights, titles, strict=True):
            bottom -= (height + 0.35) / total
            axes = figure.add_axes((0.0, bottom, 1.0, height / total))
            axes.imshow(panel)
            axes.set_axis_off()
            axes.set_title(title, loc="left", x=0.02)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=_DPI)
    write_bytes(target, out.getvalue())
    return target
