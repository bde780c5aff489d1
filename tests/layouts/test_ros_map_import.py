"""Occupancy maps: thresholds, negate and origin as map_server has them; boxes cover what is occupied."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layout_tools import imported, lines, plan_of
from PIL import Image

from factory.layouts.rectangles import cover
from factory.layouts.report import LayoutError


def _map(folder: Path, grey: np.ndarray, **keys: object) -> Path:
    Image.fromarray(grey.astype(np.uint8)).save(folder / "map.png")
    content = {"image": "map.png", "resolution": 0.1, "origin": [-2.0, -1.0, 0.0], "negate": 0, "occupied_thresh": 0.65,
               "free_thresh": 0.196} | keys  # fmt: skip
    file = folder / "map.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in content.items() if value is not None))
    return file


def _room() -> np.ndarray:
    """Return 20 m x 10 m of floor; the lower left corner of a rack of 4 m x 1 m is 3 m right of and 2 m above the origin."""
    grey = np.full((100, 200), 254)
    grey[100 - 30 : 100 - 20, 30:70] = 0
    return grey


def test_a_rack_becomes_one_box_where_it_stands(tmp_path: Path) -> None:
    boxes = plan_of(_map(tmp_path, _room())).found
    (box,) = boxes.boxes
    assert (box.length_m, box.width_m) == pytest.approx((4.0, 1.0))
    plan = plan_of(_map(tmp_path, _room()))
    x, y = plan.found.boxes[0].x_m + plan.origin_m[0], plan.found.boxes[0].y_m + plan.origin_m[1]
    assert (x, y) == pytest.approx((-2.0 + 5.0, -1.0 + 2.5))


def test_origin_turns_the_map(tmp_path: Path) -> None:
    plan = plan_of(_map(tmp_path, _room(), origin=[-2.0, -1.0, math.pi / 6]))
    (box,) = plan.found.boxes
    cos, sin = math.cos(math.pi / 6), math.sin(math.pi / 6)
    assert box.yaw_deg == pytest.approx(30.0)
    assert box.x_m + plan.origin_m[0] == pytest.approx(-2.0 + 5.0 * cos - 2.5 * sin)
    assert box.y_m + plan.origin_m[1] == pytest.approx(-1.0 + 5.0 * sin + 2.5 * cos)


def test_negate_swaps_black_and_white(tmp_path: Path) -> None:
    straight = plan_of(_map(tmp_path, _room())).found.boxes
    negated = plan_of(_map(tmp_path, 254 - _room(), negate=1)).found.boxes
    assert [(b.x_m, b.y_m, b.length_m) for b in negated] == [(b.x_m, b.y_m, b.length_m) for b in straight]


def test_threshold_decides_what_is_occupied(tmp_path: Path) -> None:
    grey = _room()
    grey[grey == 0] = 100  # occupied with probability 0.61
    with_default = plan_of(_map(tmp_path, grey))
    assert not with_default.found.boxes
    assert "400 unknown" in lines(with_default.found.report, "read")
    assert len(plan_of(_map(tmp_path, grey, occupied_thresh=0.6)).found.boxes) == 1


def test_specks_are_left_out_and_counted(tmp_path: Path) -> None:
    grey = _room()
    grey[5, 5] = grey[50, 150] = 0
    plan = plan_of(_map(tmp_path, grey))
    assert len(plan.found.boxes) == 1
    assert "2 specks smaller than 0.03 m2 (2 pixels)" in lines(plan.found.report, "ignored")


def test_scenario_without_lanes_can_be_loaded(tmp_path: Path) -> None:
    loaded, _ = imported(_map(tmp_path, _room()), tmp_path / "s.yaml")
    assert loaded.scenario.robots.agvs.count == 0
    assert [s.devices for s in loaded.scenario.radio.services] == ["panel"]


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.95))
def test_rectangles_cover_exactly_what_is_occupied(seed: int, share: float) -> None:
    cells = np.random.default_rng(seed).random((9, 13)) < share
    covered = np.zeros(cells.shape, int)
    areas = []
    for row, column, height, width in cover(cells):
        covered[row : row + height, column : column + width] += 1
        areas.append(height * width)
    np.testing.assert_array_equal(covered, cells.astype(int))
    assert areas == sorted(areas, reverse=True)


BROKEN = {
    "zero scale": ({"resolution": 0}, r"resolution: is 0; give metres per pixel"),
    "NaN scale": ({"resolution": ".nan"}, r"resolution is nan; give a finite number"),
    "no resolution": ({"resolution": None}, r"resolution: resolution is None"),
    "origin too short": ({"origin": [0, 0]}, r"origin: is a list of 2 entries; give x, y in m and yaw"),
    "infinite origin": ({"origin": "[.inf, 0, 0]"}, r"origin\[0\]: origin is inf"),
    "threshold": ({"occupied_thresh": 65}, r"occupied_thresh: is 65; give a share from 0 to 1"),
    "thresholds swapped": ({"free_thresh": 0.9}, r"free_thresh: 0\.9 is above occupied_thresh 0\.65"),
    "mode": ({"mode": "grey"}, r"mode: is 'grey'; give trinary, scale or raw"),
    "picture is absent": ({"image": "other.png"}, r"image: 'other\.png' is not there"),
    "no picture": ({"image": None}, r"image: is None; name the picture"),
    "kilometres": ({"resolution": 9}, r"a hall at most 500 m"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_map_is_refused(case: str, tmp_path: Path) -> None:
    keys, message = BROKEN[case]
    grey = np.full((100, 200), 254)
    grey[0, :] = grey[-1, :] = 0
    file = _map(tmp_path, grey, **keys)
    if keys.get("image", "") is None:
        file.write_text(file.read_text() + "negative: 1\nimage:\n")
    with pytest.raises(LayoutError, match=message):
        plan_of(file)


def test_truncated_picture_is_refused(tmp_path: Path) -> None:
    file = _map(tmp_path, np.random.default_rng(1).integers(0, 255, (100, 200)))
    picture = tmp_path / "map.png"
    picture.write_bytes(picture.read_bytes()[:900])
    with pytest.raises(LayoutError, match=r"map\.png: cannot be read as a picture"):
        plan_of(file)


def test_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    file = _map(tmp_path, _room())
    Image.new("L", (8_000, 8_000), 254).save(tmp_path / "map.png")
    with pytest.raises(LayoutError, match=r"has 8000 x 8000 pixels; maps of up to 40,000,000 are read"):
        plan_of(file)
