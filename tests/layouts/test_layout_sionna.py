"""Sionna RT opens the exported scene and finds the paths that the twin finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factory.layouts.export_mitsuba import export_mitsuba
from factory.rooms import radio_hall
from factory.scenario import Scenario, load_scenario
from factory.validate.sionna_live import SAMPLES, Sionna, facet_numbers, read_paths, unavailable
from factory.validate.sionna_reference import Reference, compare
from factory.validate.sionna_rows import our_paths

UE_M = np.array([[12.4, 9.0, 1.2], [24.1, 6.3, 1.2], [17.3, 11.2, 1.6], [3.1, 12.2, 1.2]])


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(
        "small", ["hall.boxes[5].yaw_deg=25", "hall.boxes[0].material=brick", "hall.wall_thickness_m=0.2"]
    ).scenario


def test_exported_scene_gives_our_paths_in_sionna(scenario: Scenario, tmp_path: Path) -> None:
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    export_mitsuba(scenario, tmp_path / "hall.xml")
    hall, trp_m = radio_hall(scenario.hall), np.array([t.position_m for t in scenario.radio.trps])
    frequency_hz = scenario.radio.carrier.frequency_hz
    sionna = Sionna.load()
    scene = sionna.rt.load_scene(str(tmp_path / "hall.xml"), merge_shapes=False)
    scene.frequency = frequency_hz
    scene.tx_array = scene.rx_array = sionna.rt.PlanarArray(
        num_rows=1, num_cols=1, vertical_spacing=0.5, horizontal_spacing=0.5, pattern="iso", polarization="VH"
    )
    sionna.devices(scene, trp_m, UE_M)
    thickness = {n: float(m.thickness[0]) for n, m in scene.radio_materials.items() if n.startswith(("concrete", "brick"))}
    assert thickness == {
        "concrete-100mm": pytest.approx(0.1),
        "concrete-200mm": pytest.approx(0.2),
        "brick-100mm": pytest.approx(0.1),
    }
    found = sionna.rt.PathSolver(deterministic=True)(
        scene, max_depth=2, samples_per_src=SAMPLES, refraction=False, max_num_paths_per_src=200_000
    )
    names = {f"box-{k}": f"box-{k}-{box.name}" for k, box in enumerate(scenario.hall.boxes)}
    number = {(names.get(shape, shape), face): facet for (shape, face), facet in facet_numbers(hall).items()}
    theirs = read_paths(scene, found, number)
    reference = Reference("small", "Sionna RT", frequency_hz, hall, trp_m, UE_M, theirs, SAMPLES)
    agreement = compare(our_paths(reference), reference)
    assert agreement.unexplained == 0
    assert agreement.ours > 80
    assert agreement.matched >= agreement.theirs - 1
    np.testing.assert_allclose(agreement.power_error_db, 0.0, atol=0.01)
    assert agreement.length_error_m.max() < 50e-6
