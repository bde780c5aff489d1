"""The halls of the policy study: honest link budgets, loadable, runnable with and without people."""

from __future__ import annotations

import numpy as np
import pytest
from hall_files import FOLDER, GENERATED, REGIMES, ROWS, ROWS_OF, load, snr_db

from factory.halls.options import HallOptions
from factory.halls.write import generate
from factory.rooms import radio_hall
from factory.twin import Twin
from radio.links import Channel

ALL = (*REGIMES, *GENERATED)


def test_every_file_is_known():
    assert sorted(p.stem for p in FOLDER.glob("*.yaml")) == sorted(ALL)
    assert len(ALL) + len(("small",)) >= 10


@pytest.mark.parametrize("name", ALL)
def test_the_link_budget_is_the_one_that_the_hall_is_said_to_have(name):
    radio = load(name).scenario.radio
    for row_name in ROWS_OF[name]:
        row = ROWS[row_name]
        for k in range(len(radio.trps)):
            for distance_m, wanted_db in zip((10.0, 25.0, 50.0), row.snr_db, strict=True):
                assert snr_db(radio, k, row, distance_m) == pytest.approx(wanted_db, abs=1.0), (row_name, distance_m)


@pytest.mark.parametrize("name", ALL)
def test_carrier_and_bandwidth_stay_on_the_favourable_side_of_the_table(name):
    """The carrier's bandwidth is at most the row's, so that the same power meets no more noise; its frequency is no higher."""
    radio = load(name).scenario.radio
    row = ROWS[ROWS_OF[name][0]]
    assert radio.carrier.bandwidth_hz <= row.bandwidth_hz
    assert radio.carrier.frequency_hz <= row.frequency_hz


@pytest.mark.parametrize("name", ["aisle-ends", "narrow-licence", "well-planned"])
def test_the_channel_has_that_budget(name):
    """The formula of these tests against the twin's own noise and powers."""
    scenario = load(name).scenario
    channel = Channel(scenario.radio, radio_hall(scenario.hall))
    row = ROWS[ROWS_OF[name][0]]
    wavelength_m = channel.wavelength_m[0]
    trp, ue = scenario.radio.trps[0], scenario.radio.ue
    device_db = 11.02 if ue.antenna == "quad_sector" else 0.0
    gains_db = 8.0 + 10.0 * np.log10(trp.panel.rows * trp.panel.columns) + trp.gain_offset_db + device_db
    gain = 10 ** (gains_db / 10) * (wavelength_m / (4 * np.pi * 25.0)) ** 2
    wider_db = 10 * np.log10(row.bandwidth_hz / scenario.radio.carrier.bandwidth_hz)
    snr = channel.snr_dl_db(np.full((1, channel.n_trp), gain))[0, 0]
    assert snr - wider_db == pytest.approx(snr_db(scenario.radio, 0, row, 25.0), abs=0.05)


@pytest.mark.parametrize(("name", "seed"), GENERATED.items())
def test_generated_halls_are_what_their_command_gives(name, seed):
    text = (FOLDER / f"{name}.yaml").read_bytes()
    assert text.startswith(f"# Made by: factory-twin hall --seed {seed} --name {name}\n".encode())
    assert generate(HallOptions(seed=seed, name=name)).encode() == text


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("people", [True, False])
def test_halls_run_two_seconds(name, people):
    changes = ["radio.compare=[reactive]"] + ([] if people else ["people.count=0", "people.panels=0"])
    twin = Twin(load(name, *changes))
    try:
        for _ in range(200):
            twin.tick()
        result = twin.networks[0].kpi.result(2.0, replicates=2)
        assert len(twin.people.present) == (twin.scenario.people.count if people else 0)
        assert sum(s["messages"] for s in result["services"]) > 100
    finally:
        twin.close()


@pytest.mark.parametrize("name", REGIMES)
def test_regimes_say_why_they_are_hard(name):
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    head = text[: text.index("\nname: ")]
    assert "Regime: " in head
    assert "link budget" in head.lower()
