"""Facets and boxes of the static hall."""

import numpy as np
import pytest
from radio_scenes import assembly_hall, random_hall

from radio.propagation.geometry import Hall, prepare_hall


def test_every_box_has_five_faces_and_the_hall_six():
    prepared = prepare_hall(assembly_hall(), 28e9)
    assert len(prepared.normal) == 6 + 5 * 17
    assert prepared.facet_name[4] == "floor"
    assert prepared.facet_name[6 + 5 * 2 + 4] == "box 2 top"
    np.testing.assert_array_equal(np.unique(prepared.facet_box, return_counts=True)[1], [6] + [5] * 17)


def test_facet_axes_are_orthonormal_and_normals_point_into_free_space():
    hall = random_hall(np.random.default_rng(4), 6)
    prepared = prepare_hall(hall, 28e9)
    frame = np.stack([prepared.normal, prepared.axis_u, prepared.axis_v], axis=1)
    np.testing.assert_allclose(frame @ frame.transpose(0, 2, 1), np.broadcast_to(np.eye(3), frame.shape), atol=1e-12)
    for f, k in enumerate(prepared.facet_box):
        inside = prepared.center_m[f] - 1e-6 * prepared.normal[f]
        if k < 0:
            assert hall.contains(prepared.center_m[f] + 1e-6 * prepared.normal[f])[0]
            assert not hall.contains(inside)[0]
        else:
            alone = Hall(
                hall.size_m, hall.box_center_m[k : k + 1], hall.box_half_m[k : k + 1], hall.box_yaw_rad[k : k + 1], ("metal",)
            )
            assert alone.inside_any_box(inside)[0]
            assert not alone.inside_any_box(prepared.center_m[f] + 1e-6 * prepared.normal[f])[0]


def test_inside_any_box_follows_the_boxes_turn():
    hall = Hall(np.array([20.0, 20, 8]), np.array([[10.0, 10, 1]]), np.array([[3.0, 0.5, 1]]), np.array([np.pi / 4]), ("wood",))
    points = np.array([[12, 12, 1], [12, 8, 1], [10, 10, 2.1], [10, 10, 1]], dtype=float)
    np.testing.assert_array_equal(hall.inside_any_box(points), [True, False, False, True])
    np.testing.assert_allclose(prepare_hall(hall, 28e9).box_high_m[0], [10 + 3.5 * np.sqrt(0.5), 10 + 3.5 * np.sqrt(0.5), 2])


def test_wrong_shapes_and_sizes_are_refused():
    size = np.array([20.0, 20, 8])
    with pytest.raises(ValueError, match=r"box_center_m has shape \(1, 3\), wanted \(2, 3\)"):
        Hall(size, np.zeros((1, 3)), np.ones((2, 3)), np.zeros(2), ("wood", "wood"))
    with pytest.raises(ValueError, match=r"box_half_m\[0\] is \[1.0, 0.0, 1.0\]"):
        Hall(size, np.zeros((1, 3)), np.array([[1.0, 0, 1]]), np.zeros(1), ("wood",))
    with pytest.raises(ValueError, match=r"box_yaw_rad\[0\] is nan"):
        Hall(size, np.zeros((1, 3)), np.ones((1, 3)), np.array([np.nan]), ("wood",))
    with pytest.raises(ValueError, match="size_m is"):
        Hall.empty((20, -1, 8))


def test_a_bad_material_names_its_box():
    hall = Hall(np.array([20.0, 20, 8]), np.full((1, 3), 5.0), np.ones((1, 3)), np.zeros(1), ("cheese",))
    with pytest.raises(ValueError, match="hall box 0: material 'cheese' is unknown"):
        prepare_hall(hall, 28e9)
    with pytest.raises(ValueError, match="hall floor_material: material 'floorboard' is defined from 50"):
        prepare_hall(Hall.empty((20, 20, 8), floor_material="floorboard"), 28e9)
