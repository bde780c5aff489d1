"""Line of sight and reflections against the plain oracle and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radio_scenes import assembly_hall, free_points, random_hall

from radio.geometry import Hall, prepare_hall
from radio.materials import fresnel, permittivity
from radio.paths import compute_paths
from radio.paths_oracle import reference_paths

LAMBDA = 299_792_458.0 / 28e9


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 2**31), st.integers(0, 12), st.sampled_from([1, 4, 12, 64]), st.sampled_from([10.0, 40.0, 100.0]))
def test_kernel_equals_the_oracle(seed, n_boxes, max_paths, reach_db):
    rng = np.random.default_rng(seed)
    hall = random_hall(rng, n_boxes)
    prepared = prepare_hall(hall, 28e9)
    trp, ue = free_points(rng, hall, 3), free_points(rng, hall, 5)
    fast = compute_paths(prepared, trp, ue, max_paths, reach_db)
    slow = reference_paths(prepared, trp, ue, max_paths, reach_db)
    np.testing.assert_array_equal(fast.offset, slow.offset)
    np.testing.assert_array_equal(fast.facet, slow.facet)
    np.testing.assert_allclose(fast.length_m, slow.length_m, rtol=1e-12)
    np.testing.assert_allclose(fast.amplitude, slow.amplitude, rtol=1e-8)
    np.testing.assert_allclose(fast.vertex_m, slow.vertex_m, atol=1e-9)
    np.testing.assert_allclose(fast.departure, slow.departure, atol=1e-9)
    np.testing.assert_allclose(fast.arrival, slow.arrival, atol=1e-9)


def test_assembly_hall_equals_the_oracle():
    rng = np.random.default_rng(7)
    hall = assembly_hall()
    prepared = prepare_hall(hall, 28e9)
    trp = np.array([[15, 33, 7.5], [45, 33, 7.5], [1.0, 10, 3], [59, 14, 3]])
    ue = free_points(rng, hall, 12, 0.5, 1.6)
    fast = compute_paths(prepared, trp, ue, 12, 40.0)
    slow = reference_paths(prepared, trp, ue, 12, 40.0)
    np.testing.assert_array_equal(fast.facet, slow.facet)
    np.testing.assert_allclose(fast.amplitude, slow.amplitude, rtol=1e-8)
    assert (fast.facet >= 6).any()
    assert (fast.facet < 0).any()


def test_free_space_gain_is_friis():
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    paths = compute_paths(prepared, np.array([[10.0, 20, 3]]), np.array([[20.0, 20, 3]]), 12, 100.0)
    assert paths.facet[0] == -1
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
    by_facet = {int(f): p for p, f in enumerate(paths.facet)}
    concrete = permittivity("concrete", 28e9)
    free = LAMBDA / (4 * np.pi)

    d = np.hypot(8, 4)
    floor = paths.amplitude[by_facet[4]]
    _, tm = fresnel(concrete, np.array(4 / d))
    assert paths.length_m[by_facet[4]] == pytest.approx(d, abs=1e-12)
    # theta-hat in and out make the TM reference directions equal and opposite in z: the coefficient keeps its sign
    np.testing.assert_allclose(floor, tm * free / d * np.exp(-2j * np.pi * d / LAMBDA), rtol=1e-9)

    d = np.hypot(8, 40)
    wall = paths.amplitude[by_facet[2]]
    te, _ = fresnel(concrete, np.array(40 / d))
    np.testing.assert_allclose(wall, te * free / d * np.exp(-2j * np.pi * d / LAMBDA), rtol=1e-9)

    d = np.hypot(8, 12)
    ceiling = paths.amplitude[by_facet[5]]
    assert abs(ceiling) == pytest.approx(free / d, rel=2e-3)  # metal


def test_a_link_reversed_has_the_same_gain():
    rng = np.random.default_rng(3)
    hall = random_hall(rng, 8)
    prepared = prepare_hall(hall, 28e9)
    a, b = free_points(rng, hall, 1), free_points(rng, hall, 1)
    there, back = compute_paths(prepared, a, b, 64, 100.0), compute_paths(prepared, b, a, 64, 100.0)
    assert len(there.facet) > 2
    np.testing.assert_array_equal(there.facet, back.facet)
    np.testing.assert_allclose(there.amplitude, back.amplitude, rtol=1e-9)
    np.testing.assert_allclose(there.departure, back.arrival, atol=1e-12)


def test_a_box_blocks_the_line_of_sight_but_not_the_bounce_on_its_own_face():
    hall = Hall(np.array([60.0, 40, 8]), np.array([[30.0, 20, 2]]), np.array([[1.0, 5, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    trp = np.array([[20.0, 18, 1.5]])
    behind = compute_paths(prepared, trp, np.array([[40.0, 20, 1.5]]), 64, 100.0)
    assert -1 not in behind.facet
    assert 5 in behind.facet  # over the box by the ceiling
    before = compute_paths(prepared, trp, np.array([[20.0, 22, 1.5]]), 64, 100.0)
    face = prepared.facet_name.index("box 0 -x")
    assert -1 in before.facet
    assert face in before.facet
    p = int(np.flatnonzero(before.facet == face)[0])
    np.testing.assert_allclose(before.vertex_m[p, 1], [29, 20, 1.5])


def test_a_grazing_ray_is_not_blocked():
    hall = Hall(np.array([60.0, 40, 8]), np.array([[30.0, 20, 2]]), np.array([[5.0, 1, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    along_face = compute_paths(prepared, np.array([[20.0, 21, 1]]), np.array([[40.0, 21, 1]]), 12, 40.0)
    inside = compute_paths(prepared, np.array([[20.0, 20.999, 1]]), np.array([[40.0, 20.999, 1]]), 12, 40.0)
    assert -1 in along_face.facet
    assert -1 not in inside.facet


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
