"""What the removal of a box would change: against the channel of the hall without it, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from factory.rooms import radio_hall
from factory.scenario import load_scenario
from radio.links import Channel
from radio.propagation.geometry import Hall
from radio.recalibration.removal import Removal, boxes_cut
from radio.types import FloatArray, Ues

SEED = 7


def hall_of(name: str) -> tuple[Channel, Hall]:
    """Return a scenario's channel and hall."""
    scenario = load_scenario(name, []).scenario
    hall = radio_hall(scenario.hall)
    return Channel(scenario.radio, hall, SEED), hall


def ues_in(hall: Hall, n: int, seed: int) -> Ues:
    """Return devices anywhere in the hall, 1.2 m high."""
    rng = np.random.default_rng(seed)
    place = np.column_stack((rng.random((n, 2)) * hall.size_m[:2], np.full(n, 1.2)))
    return Ues(place, rng.random(n) * 6.0, np.full(n, -1))


def clear_gain(channel: Channel, ues: Ues) -> FloatArray:
    """Return the gain of the strongest beam (U, T)."""
    gain: FloatArray = channel.sweep(channel.paths(ues), ues, None, 0).gain.max(axis=(2, 3))
    return gain


def true_change_db(channel: Channel, hall: Hall, ues: Ues) -> FloatArray:
    """Return what halls without one box change, worked out for all links (U * T, N)."""
    before = clear_gain(channel, ues)
    columns = []
    for k in range(len(hall.box_material)):
        kept = np.arange(len(hall.box_material)) != k
        less = replace(
            hall, box_center_m=hall.box_center_m[kept], box_half_m=hall.box_half_m[kept], box_yaw_rad=hall.box_yaw_rad[kept],
            box_material=tuple(m for i, m in enumerate(hall.box_material) if i != k),
            box_thickness_m=None if hall.box_thickness_m is None else hall.box_thickness_m[kept],
        )  # fmt: skip
        after = clear_gain(Channel(channel.config, less, SEED), ues)
        columns.append(np.where(before > 1e-30, 10 * np.log10(np.maximum(after, 1e-30) / np.maximum(before, 1e-30)), 0.0).ravel())
    return np.stack(columns, axis=1)


def test_boxes_cut_by_a_way_are_those_that_hold_a_point_of_it() -> None:
    rng = np.random.default_rng(1)
    n = 6
    hall = replace(
        Hall.empty((20.0, 15.0, 6.0)), box_center_m=rng.random((n, 3)) * [20, 15, 4], box_half_m=0.3 + 2 * rng.random((n, 3)),
        box_yaw_rad=rng.random(n) * 6, box_material=("metal",) * n,
    )  # fmt: skip
    start, end = (rng.random((300, 3)) * hall.size_m for _ in range(2))
    share = np.linspace(0, 1, 4001)[:, None]
    sampled = np.array([[_holds(hall, k, a + share * (b - a)) for k in range(n)] for a, b in zip(start, end, strict=True)])
    cut = boxes_cut(hall, start, end)
    assert not (sampled & ~cut).any()
    assert (cut & ~sampled).sum() <= 3  # a corner cut on less than the samples' distance
    assert 100 < cut.sum() < 1000
    beside = np.array([[9.0, 0.0, 0.0]])  # two of three coordinates stand still
    assert boxes_cut(hall, hall.box_center_m[:1] - beside, hall.box_center_m[:1] + beside)[0, 0]


def _holds(hall: Hall, k: int, points_m: FloatArray) -> bool:
    one = replace(
        hall, box_center_m=hall.box_center_m[k : k + 1], box_half_m=hall.box_half_m[k : k + 1],
        box_yaw_rad=hall.box_yaw_rad[k : k + 1], box_material=("metal",),
    )  # fmt: skip
    return bool(one.inside_any_box(points_m).any())


def test_change_is_that_of_the_hall_without_the_box_and_few_links_are_asked() -> None:
    channel, hall = hall_of("default")
    ues = ues_in(hall, 60, 2)
    removal, truth = Removal(channel, SEED), true_change_db(channel, hall, ues)
    paths, clear = channel.paths(ues), clear_gain(channel, ues)
    concerned = removal.concerned(paths, ues, np.ones(60 * channel.n_trp, np.bool_))
    for k in range(removal.n_boxes):
        told = removal.change_db(k, ues, concerned[:, k], clear, 0).ravel()
        assert told[concerned[:, k]] == pytest.approx(truth[concerned[:, k], k], abs=1e-6)
        assert not told[~concerned[:, k]].any()
    large = np.abs(truth) >= 5.0
    assert large.sum() > 50
    assert (concerned & large).sum() >= 0.6 * large.sum()  # the rest: ways past three boxes, and off one past another
    assert concerned.sum() < 0.15 * concerned.size
    few = np.zeros(60 * channel.n_trp, np.bool_)
    few[::7] = True
    assert np.array_equal(removal.concerned(channel.paths(ues), ues, few)[few], concerned[few])
    assert not removal.concerned(paths, ues, few)[~few].any()


def test_a_channel_without_geometry_has_no_boxes() -> None:
    scenario = load_scenario("small", ["radio.channel=statistical_inf"]).scenario
    channel = Channel(scenario.radio, radio_hall(scenario.hall), SEED)
    ues = ues_in(channel.hall, 4, 1)
    removal = Removal(channel, SEED)
    assert removal.n_boxes == 0
    assert removal.concerned(channel.paths(ues), ues, np.ones(4 * channel.n_trp, np.bool_)).shape == (4 * channel.n_trp, 0)
