"""A rack that is carried out of the plant is named by the live twin, from what devices measure on their rounds."""

from __future__ import annotations

import numpy as np
import pytest

from bridges.radio_reports import RadioReadings
from factory.recalibrate_live import PERIOD_US, LiveRecalibration, finding_text
from factory.rooms import channel_seed, radio_hall
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.links import Channel
from radio.recalibration.base import Finding, RecalibrationConfig
from radio.types import Blockers, FloatArray, Ues

LEARNING_S, GONE_S, END_S, DEVICES = 300, 330, 450, 14
AISLES_M = (5.5, 10.2, 14.7, 19.2, 23.7, 28.2, 33.0)
NOBODY = Blockers(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64),
                  np.zeros(0, np.int64))  # fmt: skip


def on_their_rounds(second: int) -> Ues:
    """Return devices that go up one aisle between the racks and down the next, 1.5 m a second."""
    along = (1.5 * second + 9.0 * np.arange(DEVICES)) % 56.0
    aisle = np.arange(DEVICES) % (len(AISLES_M) - 1)
    x = np.where(along < 28.0, 30.0 + along, 86.0 - along)
    y = np.where(along < 28.0, np.array(AISLES_M)[aisle], np.array(AISLES_M)[aisle + 1])
    heading = np.where(along < 28.0, 0.0, np.pi)
    return Ues(np.column_stack((x, y, np.full(DEVICES, 1.2))), heading, np.full(DEVICES, -1))


def measured_dbm(channel: Channel, power_dbm: FloatArray, ues: Ues, time_us: int) -> FloatArray:
    """Return what devices would measure in a channel's hall (U, T) [dBm]."""
    gain = channel.sweep(channel.paths(ues), ues, None, time_us).gain.max(axis=(2, 3))
    level: FloatArray = power_dbm + 10.0 * np.log10(np.maximum(gain, 1e-30))
    return level


@pytest.mark.parametrize("gone", ["rack-c", None])
def test_a_rack_that_was_carried_away_is_named(gone: str | None) -> None:
    loaded = load_scenario("default", [])
    scenario, hall = loaded.scenario, loaded.scenario.hall
    boxes = tuple(b for b in hall.boxes if b.name != gone)
    plants = [
        Channel(scenario.radio, radio_hall(hall.model_copy(update={"boxes": kept})), channel_seed(scenario.seed))
        for kept in (hall.boxes, boxes)
    ]
    twin = Twin(loaded)
    live = LiveRecalibration(twin, RecalibrationConfig(enabled=True, learning_s=LEARNING_S))
    blocks = [twin.channel.config.carrier_of(t).resource_blocks for t in scenario.radio.trps]
    power_dbm = np.array([t.tx_power_dbm for t in scenario.radio.trps]) - 10 * np.log10(12 * np.array(blocks))
    rng, found, ticks = np.random.default_rng(1), list[Finding](), []
    for second in range(1, END_S):
        now_us, ues = second * 1_000_000, on_their_rounds(second)
        live.keep(now_us, now_us, ues, NOBODY)
        level = measured_dbm(plants[second > GONE_S], power_dbm, ues, now_us)
        heard = level > -120.0
        ue, trp = np.nonzero(heard)
        noisy = np.round(level + rng.normal(0, 2, level.shape))[heard]
        live.take(RadioReadings(ue, trp, np.full(len(ue), now_us * 1e-6), noisy, np.full(len(ue), 9.0)))
        steps = 0
        for tick in range(100):
            found += live.step(now_us + PERIOD_US * tick // 10)
            steps += live._compared is not None
        ticks.append(steps)
    twin.close()
    assert live.missed == 0
    assert max(ticks) < 50  # an instant's boxes are asked in half the time to the next
    if gone is None:
        assert found == []
        return
    box = next(i for i, b in enumerate(hall.boxes) if b.name == gone)
    first = next(f for f in found if f.kind == "box")
    assert first.box == box
    assert GONE_S * 1_000_000 < first.time_us <= (GONE_S + 120) * 1_000_000
    assert first.position_m == hall.boxes[box].center_m
    assert {f.kind for f in found} <= {"box", "place"}  # and no TRP is blamed
    words = finding_text(first, tuple(t.name for t in scenario.radio.trps), tuple(b.name for b in hall.boxes))
    assert words.startswith("rack-c no longer stands at (44.0, 17.0) m: ")
