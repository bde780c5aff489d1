"""The search for boxes that went: against a slow oracle, what may not count as evidence, and what a person accepts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from radio.recalibration.base import Finding, RecalibrationConfig, Residuals
from radio.recalibration.boxes import MissingBoxes
from radio.recalibration.recalibrator import Recalibrator
from radio.types import FloatArray, IntArray

CONFIG = RecalibrationConfig(memory_s=120, epoch_s=10)
BOXES = np.array([[5.0, 5.0], [15.0, 5.0], [25.0, 15.0]])
TRPS = np.array([[2.0, 2.0, 4.0], [28.0, 2.0, 4.0], [15.0, 18.0, 4.0]])
DEVICES, EPOCH_US = 12, 10_000_000
NULL = np.exp(-0.5 * (np.arange(-15, 16) / 2.5) ** 2) + 1e-3
NULL = np.tile(NULL / NULL.sum(), (DEVICES, 1))


def looks(rng: np.random.Generator) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray]:
    """Return device, TRP, square, change and what each box's going would change, for an epoch; a fifth of the rays matter."""
    ue, trp = np.repeat(np.arange(DEVICES), 3), np.tile(np.arange(3), DEVICES)
    gone = np.where(rng.random((len(ue), 3)) < 0.2, rng.choice([-12.0, -8.0, 8.0, 14.0], (len(ue), 3)), 0.0)
    return ue, trp, rng.integers(0, 150, len(ue)), rng.normal(0, 2, len(ue)), gone


def searched(seed: int, missing: int | None = 1, quiet: int = 60, epochs: int = 8, only: int | None = None,
             wrong_share: float = 0.0) -> tuple[MissingBoxes, list[Finding]]:  # fmt: skip
    """Return what is found after quiet epochs; ``wrong_share`` of the rays always hears what it would without the box."""
    rng, boxes, found = np.random.default_rng(seed), MissingBoxes(CONFIG, BOXES), list[Finding]()
    for epoch in range(-quiet, epochs):
        ue, trp, cell, change, gone = looks(rng)
        change = change + np.where(rng.random(len(ue)) < wrong_share, gone.sum(axis=1), 0.0)
        if epoch >= 0 and missing is not None:
            change = change + np.where((ue == only) | (only is None), gone[:, missing], 0.0)
        boxes.keep(epoch * EPOCH_US, ue, trp, cell, change, gone)
        if epoch >= 0 or wrong_share:
            found += boxes.search(epoch * EPOCH_US, NULL)
    return boxes, found


@pytest.mark.parametrize("seed", range(4))
def test_the_box_that_went_is_named(seed: int) -> None:
    boxes, found = searched(seed)
    assert [(f.kind, f.box, f.position_m) for f in found] == [("box", 1, (15.0, 5.0))]
    assert found[0].evidence >= 1.0
    assert found[0].devices >= 2
    assert boxes.active == found


def test_nothing_is_found_where_nothing_went() -> None:
    assert all(searched(seed, missing=None, epochs=60)[1] == [] for seed in range(6))


def test_one_device_alone_finds_nothing() -> None:
    assert all(searched(seed, epochs=40, only=seed)[1] == [] for seed in range(6))


def test_reflections_that_the_prediction_often_gets_wrong_are_no_evidence() -> None:
    assert all(searched(seed, missing=None, quiet=90, epochs=30, wrong_share=0.3)[1] == [] for seed in range(4))


def test_evidence_is_that_of_a_plain_sum_over_witnesses() -> None:
    boxes, _ = searched(5, epochs=3)
    now = 2 * EPOCH_US
    box_null = boxes._null(NULL)
    for span in (0.25, 0.5, 1.0):
        by: dict[tuple[int, int, int, int], list[tuple[float, float]]] = {}
        for e in boxes._epochs:
            if e.time_us > now - span * CONFIG.memory_s * 1e6:
                for row in zip(e.box, e.ue, e.trp, e.cell, e.change_db, e.gone_db, strict=True):
                    by.setdefault(tuple(int(v) for v in row[:4]), []).append((float(row[4]), float(row[5])))  # type: ignore[arg-type]
        witness: dict[tuple[int, int, int], list[float]] = {}
        for (box, ue, trp, _), values in by.items():
            seen, gone = (int(np.clip(round(float(np.median(v))), -15, 15)) + 15 for v in zip(*values, strict=True))
            near = [math.exp(-0.5 * ((b - (gone - 15)) / 4.0) ** 2) for b in range(-15, 16)]
            against = 0.5 * (NULL[ue, seen] + box_null[box, gone, seen])
            ratio = math.log(0.7 * near[seen] / sum(near) / against + 0.3)
            witness.setdefault((box, ue, trp), []).append(min(ratio, 3.0))
        wanted = np.zeros(3)
        for box in range(3):
            own = {(u, t): float(np.mean(v)) for (b, u, t), v in witness.items() if b == box}
            total = sum(own.values())
            largest = max(sum(v for (u, _), v in own.items() if u == ue) for ue, _ in own)
            wanted[box] = 0.0 if total - max(largest, 0.0) < 0.25 * total else total
        assert boxes.evidence(now, span, NULL)[0] == pytest.approx(wanted)


def residuals(rng: np.random.Generator, second: int, missing: bool, before_a_trp: bool = False) -> Residuals:
    """Return what twelve devices at places of their own hear of three TRPs.

    The first box's going matters to a third of it, or stood right ``before_a_trp``: then to nine devices of twelve there.
    """
    ue, trp = np.repeat(np.arange(DEVICES), 3), np.tile(np.arange(3), DEVICES)
    place = np.column_stack((2.0 + 2.3 * ue, 3.0 + (ue * 7) % 15, np.ones(len(ue))))
    gone = np.zeros((len(ue), 3))
    gone[((trp == 2) & (ue < 9)) if before_a_trp else ((ue + trp) % 3 == 0), 0] = 12.0
    value = rng.normal(0, 1.5, len(ue)) + (gone[:, 0] if missing else 0.0)
    return Residuals(np.full(len(ue), second * 1_000_000), ue, trp, place, value, np.zeros(len(ue)), gone)


def test_what_a_person_accepts_is_learnt_anew_and_not_told_again() -> None:
    rng, config = np.random.default_rng(3), RecalibrationConfig(learning_s=120)
    recalibrator = Recalibrator(config, TRPS, (30.0, 20.0), BOXES)
    found: list[Finding] = []
    for second in range(200):
        found += recalibrator.add(residuals(rng, second, missing=False))
    assert found == []
    for second in range(200, 300):
        found += recalibrator.add(residuals(rng, second, missing=True))
    assert [(f.kind, f.box) for f in found] == [("box", 0)]
    assert [f.box for f in recalibrator.places] == [0]
    recalibrator.accept_places()
    assert recalibrator.places == []
    for second in range(300, 900):
        assert recalibrator.add(residuals(rng, second, missing=True)) == ()


def test_a_box_that_stood_before_a_trp_is_no_fault_of_the_trp() -> None:
    rng, recalibrator = np.random.default_rng(4), Recalibrator(RecalibrationConfig(learning_s=120), TRPS, (30.0, 20.0), BOXES)
    found: list[Finding] = []
    for second in range(330):
        found += recalibrator.add(residuals(rng, second, missing=second >= 200, before_a_trp=True))
    assert [(f.kind, f.box) for f in found] == [("box", 0)]
    blind, found = Recalibrator(RecalibrationConfig(learning_s=120), TRPS, (30.0, 20.0)), []
    for second in range(330):
        told = residuals(rng, second, missing=second >= 200, before_a_trp=True)
        found += blind.add(replace(told, gone_db=None))
    assert [(f.kind, f.trp) for f in found] == [("trp", 2)]  # which is what it looks like where boxes are not known


def test_changes_for_another_number_of_boxes_are_refused() -> None:
    recalibrator = Recalibrator(CONFIG, TRPS, (30.0, 20.0))
    with pytest.raises(ValueError, match=r"gone_db has shape \(36, 3\), wanted \(36, 0\)"):
        recalibrator.add(residuals(np.random.default_rng(1), 0, missing=False))
