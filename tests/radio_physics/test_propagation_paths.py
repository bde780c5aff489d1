"""Line of sight and reflections against the plain oracle and closed forms."""

import numpy as np
import pytest
from radio_scenes import assembly_hall, free_points

from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.materials import permittivity, slab
from radio.propagation.paths import compute_paths

LAMBDA = 299_792_458.0 / 28e9


def test_free_space_gain_is_friis():
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    paths = compute_paths(prepared, np.array([[10.0, 20, 3]]), np.array([[20.0, 20, 3]]), 12, 100.0)
    assert paths.order[0] == 0
    np.testing.assert_array_equal(paths.facet[0], [-1, -1])
    np.testing.assert_allclose(paths.transfer[0], paths.amplitude[0] * np.diag([1.0, -1.0]), atol=1e-15)
    # Friis: 20 lg(4 pi 10 m / 10.707 mm) = 81.39 dB
    assert 20 * np.log10(abs(paths.amplitude[0])) == pytest.approx(-81.391, abs=1e-3)
    assert np.angle(paths.amplitude[0] * np.exp(2j * np.pi * 10 / LAMBDA)) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(paths.departure[0], [1, 0, 0])
    np.testing.assert_allclose(paths.arrival[0], [-1, 0, 0])


def test_floor_and_ceiling_bounces_are_tm_and_wall_bounces_are_te():
    """A vertical antenna's field lies in the plane of incidence at the floor and across it at a wall met at its own height."""
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    trp, ue = np.array([20.0, 20, 2]), np.array([28.0, 20, 2])
    paths = compute_paths(prepared, trp[None], ue[None], 12, 100.0)
    by_facet = {int(f): p for p, (f, g) in enumerate(paths.facet) if g < 0}
    concrete = permittivity("concrete", 28e9)
    free = LAMBDA / (4 * np.pi)

    d = np.hypot(8, 4)
    floor = paths.amplitude[by_facet[4]]
    _, tm = slab(concrete, np.array(4 / d), 0.1, LAMBDA)
    assert paths.length_m[by_facet[4]] == pytest.approx(d, abs=1e-12)
    # theta-hat in and out make the TM reference directions equal and opposite in z: the coefficient keeps its sign
    np.testing.assert_allclose(floor, tm * free / d * np.exp(-2j * np.pi * d / LAMBDA), rtol=1e-8)

    d = np.hypot(8, 40)
    wall = paths.amplitude[by_facet[2]]
    te, _ = slab(concrete, np.array(40 / d), 0.1, LAMBDA)
    np.testing.assert_allclose(wall, te * free / d * np.exp(-2j * np.pi * d / LAMBDA), rtol=1e-8)

    d = np.hypot(8, 12)
    ceiling = paths.amplitude[by_facet[5]]
    assert abs(ceiling) == pytest.approx(free / d, rel=2e-3)  # metal


def test_a_box_blocks_the_line_of_sight_but_not_the_bounce_on_its_own_face():
    hall = Hall(np.array([60.0, 40, 8]), np.array([[30.0, 20, 2]]), np.array([[1.0, 5, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    trp = np.array([[20.0, 18, 1.5]])
    behind = compute_paths(prepared, trp, np.array([[40.0, 20, 1.5]]), 64, 100.0)
    assert 0 not in behind.order
    assert [5, -1] in behind.facet.tolist()  # over the box by the ceiling
    before = compute_paths(prepared, trp, np.array([[20.0, 22, 1.5]]), 64, 100.0)
    face = prepared.facet_name.index("box 0 -x")
    assert 0 in before.order
    p = before.facet.tolist().index([face, -1])
    np.testing.assert_allclose(before.vertex_m[p, 1], [29, 20, 1.5])


def test_a_grazing_ray_is_not_blocked():
    hall = Hall(np.array([60.0, 40, 8]), np.array([[30.0, 20, 2]]), np.array([[5.0, 1, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    along_face = compute_paths(prepared, np.array([[20.0, 21, 1]]), np.array([[40.0, 21, 1]]), 12, 40.0)
    inside = compute_paths(prepared, np.array([[20.0, 20.999, 1]]), np.array([[40.0, 20.999, 1]]), 12, 40.0)
    assert 0 in along_face.order
    assert 0 not in inside.order


def test_a_ue_in_a_box_or_outside_has_no_path_and_harms_no_other():
    hall = Hall(np.array([60.0, 40, 8]), np.array([[30.0, 20, 2]]), np.array([[1.0, 5, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    trp = np.array([[20.0, 18, 1.5], [50, 20, 7]])
    good = np.array([[40.0, 20, 1.5], [10, 10, 1]])
    mixed = np.array([[40.0, 20, 1.5], [30, 20, 1], [61, 20, 1], [20, 18, -0.1], [10, 10, 1]])
    alone, among = compute_paths(prepared, trp, good, 12, 40.0), compute_paths(prepared, trp, mixed, 12, 40.0)
    counts = np.diff(among.offset).reshape(5, 2)
    np.testing.assert_array_equal(counts[1:4], 0)
    np.testing.assert_array_equal(np.delete(counts, [1, 2, 3], axis=0), np.diff(alone.offset).reshape(2, 2))
    np.testing.assert_array_equal(among.amplitude, alone.amplitude)


def test_no_ue_at_all_gives_no_path():
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    paths = compute_paths(prepared, np.array([[20.0, 18, 1.5]]), np.zeros((0, 3)), 12, 40.0)
    assert paths.n_ue == 0
    np.testing.assert_array_equal(paths.offset, [0])


def test_nan_is_refused_by_name():
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    with pytest.raises(ValueError, match=r"position_m of UE 1 is \[nan, 2.0, 3.0\]"):
        compute_paths(prepared, np.array([[20.0, 18, 1.5]]), np.array([[1.0, 2, 3], [np.nan, 2, 3]]), 12, 40.0)


def test_paths_are_strongest_first_within_reach():
    rng = np.random.default_rng(11)
    hall = assembly_hall()
    paths = compute_paths(prepare_hall(hall, 28e9), free_points(rng, hall, 4), free_points(rng, hall, 30), 5, 20.0)
    for first, last in zip(paths.offset[:-1], paths.offset[1:], strict=True):
        level = 20 * np.log10(np.abs(paths.amplitude[first:last]))
        assert (np.diff(level) <= 0).all()
        assert len(level) <= 5
        assert len(level) == 0 or level[0] - level[-1] <= 20.0
