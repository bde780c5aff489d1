"""The fast paths against the plain image method, and what any hall's paths must obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radio_scenes import assembly_hall, free_points, mixed_hall

from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.paths import compute_paths
from radio.propagation.paths_oracle import basis, reference_paths
from radio.types import Paths

CARRIERS_HZ = (28e9, 3.7e9)


def same(fast: Paths, slow: Paths) -> None:
    np.testing.assert_array_equal(fast.offset, slow.offset)
    np.testing.assert_array_equal(fast.facet, slow.facet)
    np.testing.assert_array_equal(fast.order, slow.order)
    np.testing.assert_array_equal(fast.wavelength_m, slow.wavelength_m)
    np.testing.assert_allclose(fast.vertex_m, slow.vertex_m, atol=1e-9)
    np.testing.assert_allclose(fast.length_m, slow.length_m, rtol=1e-12)
    np.testing.assert_allclose(fast.departure, slow.departure, atol=1e-9)
    np.testing.assert_allclose(fast.arrival, slow.arrival, atol=1e-9)
    # relative to free space: a component may vanish
    free = fast.wavelength_m[_trp(fast)] / (4 * np.pi * fast.length_m)
    np.testing.assert_allclose(fast.transfer / free[:, None, None], slow.transfer / free[:, None, None], atol=1e-8)
    np.testing.assert_allclose(fast.amplitude / free, slow.amplitude / free, atol=1e-8)


def _trp(paths: Paths) -> np.ndarray:
    return np.repeat(np.arange(paths.n_ue * paths.n_trp), np.diff(paths.offset)) % max(paths.n_trp, 1)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(0, 2**31), st.integers(0, 7), st.sampled_from([(400, 200.0), (12, 40.0), (4, 30.0), (1, 10.0)]), st.booleans())
def test_kernel_equals_the_oracle(seed, n_boxes, limits, slanted):
    rng = np.random.default_rng(seed)
    hall = mixed_hall(rng, n_boxes)
    prepared = prepare_hall(hall, CARRIERS_HZ)
    trp, ue = free_points(rng, hall, 2), free_points(rng, hall, 2)
    options = {"trp_carrier": (1, 0)}
    if slanted:
        options |= {"trp_slant_rad": tuple(rng.uniform(-1.6, 1.6, 2)), "ue_slant_rad": float(rng.uniform(-1.6, 1.6))}
    same(compute_paths(prepared, trp, ue, *limits, **options), reference_paths(prepared, trp, ue, *limits, **options))


@pytest.mark.parametrize("max_order", [0, 1])
def test_lower_orders_equal_the_oracle(max_order):
    rng = np.random.default_rng(21 + max_order)
    hall = mixed_hall(rng, 6)
    prepared = prepare_hall(hall, 28e9)
    trp, ue = free_points(rng, hall, 2), free_points(rng, hall, 6)
    fast = compute_paths(prepared, trp, ue, 64, 100.0, max_order)
    same(fast, reference_paths(prepared, trp, ue, 64, 100.0, max_order))
    assert fast.order.max() == max_order


def test_assembly_hall_equals_the_oracle_to_the_second_order():
    rng = np.random.default_rng(7)
    hall = assembly_hall()
    prepared = prepare_hall(hall, 28e9)
    trp = np.array([[15, 33, 7.5], [59, 14, 3]])
    ue = free_points(rng, hall, 2, 0.5, 1.6)
    fast = compute_paths(prepared, trp, ue, 12, 40.0)
    same(fast, reference_paths(prepared, trp, ue, 12, 40.0))
    assert set(fast.order.tolist()) == {0, 1, 2}
    assert (fast.facet >= 6).any()


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 2**31), st.integers(0, 8))
def test_swapped_ends_transpose_the_transfer(seed, n_boxes):
    """Reciprocity: the same antennas at swapped places. Both ends look along the path, so no sign changes."""
    rng = np.random.default_rng(seed)
    hall = mixed_hall(rng, n_boxes)
    prepared = prepare_hall(hall, 28e9)
    a, b = free_points(rng, hall, 1), free_points(rng, hall, 1)
    there, back = compute_paths(prepared, a, b, 400, 200.0), compute_paths(prepared, b, a, 400, 200.0)
    mirrored = {tuple(f for f in back.facet[p][::-1] if f >= 0): p for p in range(len(back.order))}
    assert len(mirrored) == len(there.order) > 0
    for p in range(len(there.order)):
        q = mirrored[tuple(f for f in there.facet[p] if f >= 0)]
        np.testing.assert_allclose(there.transfer[p], back.transfer[q].T, atol=1e-8 * abs(there.transfer[p]).max())
        np.testing.assert_allclose(there.departure[p], back.arrival[q], atol=1e-9)
        assert there.length_m[p] == pytest.approx(back.length_m[q], rel=1e-12)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.integers(0, 2**31), st.integers(0, 8))
def test_no_path_carries_more_than_free_space_and_all_geometry_holds(seed, n_boxes):
    rng = np.random.default_rng(seed)
    hall = mixed_hall(rng, n_boxes)
    prepared = prepare_hall(hall, CARRIERS_HZ)
    paths = compute_paths(prepared, free_points(rng, hall, 2), free_points(rng, hall, 3), 400, 200.0, trp_carrier=(0, 1))
    free = paths.wavelength_m[_trp(paths)] / (4 * np.pi * paths.length_m)
    assert (np.linalg.norm(paths.transfer, ord=2, axis=(1, 2)) <= free * (1 + 1e-9)).all()
    legs = np.diff(paths.vertex_m, axis=1)
    np.testing.assert_allclose(np.linalg.norm(legs, axis=2).sum(axis=1), paths.length_m, rtol=1e-12)
    for p in range(len(paths.order)):
        for i in range(int(paths.order[p])):
            f = paths.facet[p, i]
            before, after = legs[p, i] / np.linalg.norm(legs[p, i]), legs[p, i + 1] / np.linalg.norm(legs[p, i + 1])
            n = prepared.normal[f]
            np.testing.assert_allclose(before - 2 * (before @ n) * n, after, atol=1e-9)  # as a mirror
            assert abs((paths.vertex_m[p, i + 1] - prepared.center_m[f]) @ n) < 1e-9
        assert (paths.facet[p, int(paths.order[p]) :] == -1).all()


def test_metal_turns_a_wave_round_without_loss():
    """Head-on at a metal wall, and between two: |R| = 1 within the loss of 1e7 S/m, and both polarisations alike."""
    prepared = prepare_hall(Hall.empty((20, 10, 6), "metal", "metal", "metal"), 28e9)
    paths = compute_paths(prepared, np.array([[5.0, 5, 3]]), np.array([[9.0, 5, 3]]), 400, 200.0)
    for facets, length in (([0, -1], 14.0), ([1, -1], 26.0), ([0, 1], 36.0), ([1, 0], 44.0)):
        p = paths.facet.tolist().index(facets)
        assert paths.length_m[p] == pytest.approx(length, abs=1e-12)
        gain = np.abs(paths.transfer[p]) * 4 * np.pi * length / paths.wavelength_m[0]
        np.testing.assert_allclose(gain, np.eye(2), atol=3e-3)


def test_straight_below_a_trp_the_paths_are_finite_and_equal_the_oracle():
    prepared = prepare_hall(Hall.empty((20, 10, 6)), 28e9)
    trp, ue = np.array([[5.0, 5, 5]]), np.array([[5.0, 5, 1]])
    fast = compute_paths(prepared, trp, ue, 400, 200.0)
    assert np.isfinite(fast.transfer).all()
    by_facets = {tuple(f): p for p, f in enumerate(fast.facet.tolist())}
    slow = reference_paths(prepared, trp, ue, 400, 200.0)
    assert len(slow.order) == len(by_facets)
    for p, f in enumerate(slow.facet.tolist()):  # walls at equal distances tie, so by facets
        np.testing.assert_allclose(fast.transfer[by_facets[tuple(f)]], slow.transfer[p], atol=1e-12)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(0.01, np.pi - 0.01), st.floats(-np.pi, np.pi))
def test_basis_is_that_of_spherical_coordinates(theta, phi):
    r = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    theta_hat, phi_hat = basis(r)
    np.testing.assert_allclose(theta_hat, [np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), -np.sin(theta)], atol=1e-12)
    np.testing.assert_allclose(phi_hat, [-np.sin(phi), np.cos(phi), 0.0], atol=1e-12)


def test_a_floating_box_reflects_from_below_and_a_standing_one_has_no_bottom():
    def hall(bottom_m: float) -> Hall:
        center = np.array([[15.0, 10, bottom_m + 1]])
        return Hall(np.array([30.0, 20, 8]), center, np.array([[3.0, 3, 1]]), np.zeros(1), ("metal",))

    floating, standing = prepare_hall(hall(3.0), 28e9), prepare_hall(hall(0.0), 28e9)
    assert floating.facet_name[-1] == "box 0 bottom"
    assert "box 0 bottom" not in standing.facet_name
    bottom = len(floating.facet_name) - 1
    paths = compute_paths(floating, np.array([[13.0, 10, 1]]), np.array([[17.0, 10, 1]]), 400, 200.0)
    p = paths.facet.tolist().index([bottom, -1])
    np.testing.assert_allclose(paths.vertex_m[p, 1], [15, 10, 3])


def test_each_trp_has_the_carrier_it_is_given():
    rng = np.random.default_rng(2)
    hall = mixed_hall(rng, 4)
    trp, ue = free_points(rng, hall, 1), free_points(rng, hall, 3)
    both = compute_paths(prepare_hall(hall, CARRIERS_HZ), np.repeat(trp, 2, axis=0), ue, 12, 40.0, trp_carrier=(1, 0))
    for t, frequency_hz in enumerate(CARRIERS_HZ[::-1]):
        alone = compute_paths(prepare_hall(hall, frequency_hz), trp, ue, 12, 40.0)
        of_trp = _trp(both) == t
        np.testing.assert_array_equal(both.amplitude[of_trp], alone.amplitude)
        np.testing.assert_array_equal(both.facet[of_trp], alone.facet)
        assert both.wavelength_m[t] == pytest.approx(299_792_458.0 / frequency_hz)
