"""The search for changed places: against a slow oracle, and what may not count as evidence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radio.recalibration.base import Finding, RecalibrationConfig
from radio.recalibration.places import Places, place_threshold
from radio.recalibration.rays import Rays, cells_of_ray
from radio.types import FloatArray, IntArray

CONFIG = RecalibrationConfig(memory_s=120, epoch_s=10)
TRPS = np.array([[2.0, 2.0, 4.0], [28.0, 2.0, 4.0], [15.0, 18.0, 4.0]])
SIZE, SHAPE = (30.0, 20.0), (30, 20)
AT = (14.5, 8.5)


def rays(rng: np.random.Generator, devices: int) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Return device, TRP, square and place of one look of every device at every TRP."""
    ue, trp = np.repeat(np.arange(devices), len(TRPS)), np.tile(np.arange(len(TRPS)), devices)
    place = np.column_stack((rng.random((devices, 2)) * SIZE, np.ones(devices)))[ue]
    return ue, trp, (place[:, 0] // 2).astype(int) * 10 + (place[:, 1] // 2).astype(int), place


def passes(trp: int, place: FloatArray) -> bool:
    """Whether a ray runs over the square at AT."""
    return int(AT[0]) * SHAPE[1] + int(AT[1]) in cells_of_ray(TRPS[trp], place, CONFIG.obstacle_height_m, SHAPE)


def learnt(rng: np.random.Generator, devices: int) -> Places:
    """Return a search that has seen ten minutes without a change, every TRP's median at 0."""
    places = Places(CONFIG, TRPS, SIZE)
    for epoch in range(60):
        ue, trp, cell, place = rays(rng, devices)
        places.look((epoch - 200) * 10_000_000, ue, trp, cell, place, rng.normal(0, 2, len(ue)), learning=True)
    return places


def drops(
    seed: int, devices: int = 14, epochs: int = 6, only: int | None = None, still: bool = False
) -> tuple[Places, list[Finding]]:
    """Return what is found where rays over AT become 12 dB weaker; ``only`` one device's, or with devices that stand still."""
    rng = np.random.default_rng(seed)
    places, found = learnt(rng, devices), []
    looks = rays(rng, devices)
    for epoch in range(epochs):
        ue, trp, cell, place = looks if still else rays(rng, devices)
        change = rng.normal(0, 2, len(ue))
        hit = np.array([passes(t, p) and only in (None, u) for u, t, p in zip(ue, trp, place, strict=True)])
        got = places.look(epoch * 10_000_000, ue, trp, cell, place, np.where(hit, change - 12.0, change), learning=False)
        found += [got] if got else []
    return places, found


def oracle(places: Places, span: float, now_us: int) -> FloatArray:
    """Sum the evidence for a drop square by square, with loops and dictionaries."""
    null = places.null()
    changed = places._changed[0]
    latest: dict[int, list[tuple[int, int, float, int]]] = {}
    for epoch in places._epochs:
        if epoch.time_us > now_us - span * CONFIG.memory_s * 1e6:
            for k, u, t, r, c in zip(epoch.key, epoch.ue, epoch.trp, epoch.ray, epoch.change_db, strict=True):
                latest.setdefault(int(k), []).append((int(u), int(t), float(c), int(r)))
    by_square: dict[int, dict[tuple[int, int], list[float]]] = {}
    for looks in latest.values():
        ue, trp, _, ray = looks[0]
        value = round(min(15.0, max(-15.0, float(np.median([look[2] for look in looks])))))
        ratio = math.log(0.7 * changed[value + 15] / null[ue, value + 15] + 0.3)
        for square in places._rays.cells(np.array([ray]))[0].tolist():
            by_square.setdefault(square, {}).setdefault((ue, trp), []).append(min(ratio, 3.0))
    sums = np.zeros(SHAPE[0] * SHAPE[1])
    for square, pairs in by_square.items():
        own = {pair: float(np.mean(values)) for pair, values in pairs.items()}
        total = sum(own.values())
        largest = max(sum(v for (u, _), v in own.items() if u == ue) for ue, _ in own)
        sums[square] = total if total - largest >= 0.25 * total else 0.0
    return sums


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_evidence_is_that_of_the_oracle(seed: int) -> None:
    places, found = drops(seed)
    assert found
    rng = np.random.default_rng(seed)
    again, now = learnt(rng, 14), 0
    rays(rng, 14)
    while not again.active:  # the same looks once more, up to the finding
        ue, trp, cell, place = rays(rng, 14)
        change = rng.normal(0, 2, len(ue))
        hit = np.array([passes(t, p) for t, p in zip(trp, place, strict=True)])
        again.look(now, ue, trp, cell, place, np.where(hit, change - 12.0, change), learning=False)
        now += 10_000_000
    f = again.active[0]
    assert f == places.active[0]
    peak = max(oracle(again, span, f.time_us).max() for span in (0.25, 0.5, 1.0))
    assert f.evidence * place_threshold(CONFIG) == pytest.approx(peak)
    assert f.change_db == pytest.approx(-12, abs=3)
    assert math.dist(f.position_m, AT) < 3.0


def test_rays_are_kept_as_they_were_worked_out() -> None:
    rng, kept = np.random.default_rng(3), Rays(TRPS, CONFIG.obstacle_height_m, SHAPE)
    wanted: list[IntArray] = []
    index: list[IntArray] = []
    for first in range(0, 400, 40):
        trp, place = rng.integers(0, len(TRPS), 40), np.column_stack((rng.random((40, 2)) * SIZE, np.ones(40)))
        index.append(kept.index(np.arange(first, first + 40), trp, place))
        wanted += [cells_of_ray(TRPS[t], p, CONFIG.obstacle_height_m, SHAPE) for t, p in zip(trp, place, strict=True)]
    asked = rng.permutation(400)
    cells, owner = kept.cells(np.concatenate(index)[asked])
    assert all(np.array_equal(cells[owner == i], wanted[k]) for i, k in enumerate(asked))
    assert np.array_equal(kept.index(np.array([7]), np.array([0]), np.zeros((1, 3))), [7])  # not worked out again


def test_one_device_alone_finds_nothing() -> None:
    assert all(drops(seed, epochs=40, only=seed)[1] == [] for seed in range(6))


def test_devices_that_stand_do_not_add_evidence_with_time() -> None:
    quick = [len(drops(seed, devices=10, epochs=6, still=True)[1]) for seed in range(8)]
    slow = [len(drops(seed, devices=10, epochs=60, still=True)[1]) for seed in range(8)]
    assert slow == quick


def test_threshold_is_that_of_the_rate_asked_for() -> None:
    # a look every 10 s, three spans, two signs: each false with exp(-threshold) at most
    per_h = 360 * 3 * 2 * math.exp(-place_threshold(CONFIG))
    assert per_h == pytest.approx(1 / CONFIG.place_run_length_h)


def test_a_witness_adds_no_more_than_a_likelihood_ratio_may() -> None:
    places = learnt(np.random.default_rng(5), 12)
    null = places.null()
    for changed in places._changed:
        score = np.minimum(np.log((0.7 * changed + 0.3 * null) / null), 3.0)
        assert ((null * np.exp(score)).sum(axis=1) <= 1 + 1e-9).all()
