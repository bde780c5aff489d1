"""The view along a blocked path says who stood where, with which part, and what the link had beside it."""

import math

import numpy as np
import pytest

from factory.report import why

SCENARIO = {"hall": {"size_m": [20.0, 10.0, 5.0], "boxes": []}, "radio": {"trps": [{"name": "north", "position_m": [1, 5, 2]}]}}


def case(device: str = "agv-01", loss_db: float = 12.5, time_us: int = 62_400_000) -> dict:
    forearm = {"part": "left forearm", "axis_m": [[8.0, 5.0, 1.9], [8.0, 5.0, 2.1]], "half_m": [0.04, 0.04], "yaw_rad": 0.0}
    trunk = {"part": "trunk", "axis_m": [[8.0, 5.5, 0.9], [8.0, 5.5, 1.4]], "half_m": [0.12, 0.12], "yaw_rad": 0.0}
    return {
        "time_us": time_us, "device": device, "service": "agv-control", "cause": "body", "trp": "north", "wavelength_m": 0.0107,
        "blocker": "person-1a2b", "part": "left forearm", "loss_db": loss_db,
        "vertices_m": [[1.0, 5.0, 2.0], [11.0, 5.0, 2.0]],
        "paths": [
            {"via": [], "length_m": 10.0, "gain_db": -81.4, "body_loss_db": 12.5, "hit": True},
            {"via": ["floor"], "length_m": 10.8, "gain_db": -91.4, "body_loss_db": 0.0, "hit": False},
        ],
        "body": [
            {**forearm, "capsule": True, "deepest": True},
            {**trunk, "capsule": True, "deepest": False},
            {**trunk, "part": "load", "half_m": [0.6, 0.4], "yaw_rad": 0.3, "capsule": False, "deepest": False},
        ],
    }  # fmt: skip


def test_the_crossing_is_where_the_part_stands() -> None:
    where = why.crossing(case())
    assert where.near_m == pytest.approx(7.0)
    assert where.far_m == pytest.approx(3.0)
    assert where.zone_m(1, 0.0107) == pytest.approx(math.sqrt(0.0107 * 2.1))
    np.testing.assert_allclose(where.right, [0, -1, 0], atol=1e-12)  # who looks along +x has -y at the right hand
    np.testing.assert_allclose(where.up, [0, 0, 1], atol=1e-12)


def test_the_sentence_names_path_part_place_and_the_way_round() -> None:
    assert why.sentence(case()) == (
        "At 01:02.4 person-1a2b's left forearm stood in the path from north to agv-01 in line of sight, 3.0 m from agv-01, "
        "and took 12.5 dB of it. The best other path, over floor, was 10 dB weaker than this one would be with nobody there."
    )


def test_a_reflected_path_counts_its_way_from_both_ends() -> None:
    bent = case()
    bent["vertices_m"] = [[1.0, 5.0, 2.0], [8.0, 5.0, 0.0], [8.0, 5.0, 4.0]]
    bent["paths"][0]["via"] = ["floor"]
    where = why.crossing(bent)
    assert where.near_m == pytest.approx(math.hypot(7, 2) + 2.0, abs=0.11)
    assert "over floor" in why.sentence(bent)
    assert why.view(bent, SCENARIO).startswith("<svg")  # straight up: the view has still a right and an up


def test_the_drawing_is_the_same_every_time_and_says_what_it_shows() -> None:
    first, second = why.view(case(), SCENARIO), why.view(case(), SCENARIO)
    assert first == second
    for words in ("first Fresnel zone", "left forearm", "rest of person-1a2b", "across the path [m]"):
        assert words in first


def test_pictures_go_to_the_worst_case_of_each_device_first() -> None:
    cases = [case("a", 20, 1), case("a", 19, 2), case("b", 5, 3), case("c", 9, 4)]
    assert [(c["device"], c["loss_db"]) for c in why.choose(cases, 3)] == [("a", 20), ("b", 5), ("c", 9)]
    assert [c["time_us"] for c in why.choose(cases[:2], 3)] == [1, 2]
