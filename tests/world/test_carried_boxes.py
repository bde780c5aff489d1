"""Boxes in people's hands, as the radio gets them: a part of their holder, upright, turned with the chest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factory.snapshot import LOAD_PART, BlockageModel, person_blockers, person_parts
from factory.validate.links import direct_paths
from factory.validate.walker import walker
from radio.bodies.blockage import blockage_db
from radio.types import SHAPE_RECTANGLE

_EMPTY_HANDED = walker(5.0, 5.0, 0.3, 0.0, 0.0)
_CENTRE, _HALF = np.array([[5.4, 5.1, 1.1]]), np.array([[0.15, 0.25, 0.2]])
_CARRIER = replace(_EMPTY_HANDED, load_holder=np.zeros(1, np.int64), load_center_m=_CENTRE, load_half_m=_HALF)


@pytest.mark.parametrize("model", ["silhouette", "model_b"])
def test_a_carried_box_is_one_more_part_of_its_holder(model: BlockageModel) -> None:
    without, with_box = person_blockers(_EMPTY_HANDED, model), person_blockers(_CARRIER, model)
    n = len(without.owner)
    assert len(with_box.owner) == n + 1
    np.testing.assert_array_equal(with_box.start_m[:n], without.start_m)
    assert person_parts(model)[with_box.part[n]] == LOAD_PART
    assert with_box.owner[n] == 0
    assert with_box.shape[n] == SHAPE_RECTANGLE
    assert with_box.yaw_rad[n] == 0.3
    np.testing.assert_allclose(with_box.start_m[n], [5.4, 5.1, 0.9])
    np.testing.assert_allclose(with_box.end_m[n], [5.4, 5.1, 1.3])
    np.testing.assert_allclose(with_box.half_width_m[n], [0.15, 0.25])


def test_the_box_of_somebody_who_is_not_there_blocks_nothing() -> None:
    gone = replace(_CARRIER, present=np.zeros(1, np.bool_))
    assert len(person_blockers(gone).owner) == 0


def test_a_box_shadows_a_ray_that_passes_before_the_chest() -> None:
    paths = direct_paths([[5.4, 1.0, 1.1]], [[5.4, 9.0, 1.1]], 28e9)
    nobody = np.array([-1])
    with_box = blockage_db(paths, person_blockers(_CARRIER), nobody)
    assert with_box.loss_db[0] > blockage_db(paths, person_blockers(_EMPTY_HANDED), nobody).loss_db[0] + 6.0
    assert person_parts("silhouette")[with_box.worst_part[0]] == LOAD_PART
