"""Relative energy: the states of TR 38.864, and an account that closes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packet_scene import CLASSES, make_plan, make_state, radio_config
from pydantic import ValidationError

from radio.config import CarrierConfig
from radio.figures.energy import (
    POWER_MODELS,
    ResourceAccount,
    downlink_power,
    power_model,
    sleep_energy,
    uplink_power,
)
from radio.figures.energy_config import EnergyConfig
from radio.messages.delivery import Delivery
from radio.messages.traffic import build_traffic

DT_US = 10_000


def available(config):
    """Symbols of a tick at 120 kHz, half of them downlink: 560 each, over every TRP's chains."""
    return np.array([[560 * t.rf_chains for t in config.trps]] * 2)


def test_powers_are_those_of_the_report():
    """TR 38.864: category 1 set 1 is 1, 25, 55, 280, 110, set 3 is 1, 25, 38, 152, 80; category 2 set 1 5.5 and 32."""
    m = POWER_MODELS[1, "set1"]
    assert (m.deep, m.light, m.micro, m.downlink, m.uplink) == (1, 25, 55, 280, 110)
    m = POWER_MODELS[1, "set3"]
    assert (m.deep, m.light, m.micro, m.downlink, m.uplink) == (1, 25, 38, 152, 80)
    m = POWER_MODELS[2, "set1"]
    assert (m.micro, m.downlink, m.light_ms, m.light_energy, m.deep_ms, m.deep_energy) == (5.5, 32, 640, 1088, 10_000, 17_000)


def test_power_scales_as_the_report_says():
    """P3 + s_a (P4 - P3) (A + s_f s_p / eta (1 - A)) with A = 0.4, by hand for set 1."""
    m = POWER_MODELS[1, "set1"]
    assert downlink_power(m) == pytest.approx(280.0)
    assert downlink_power(m, active=0.5) == pytest.approx(55 + 0.5 * 225)
    assert downlink_power(m, band=0.5) == pytest.approx(55 + 225 * (0.4 + 0.5 * 0.6))
    assert downlink_power(m, band=0.25, efficiency=0.76) == pytest.approx(55 + 225 * (0.4 + 0.25 / 0.76 * 0.6))
    assert downlink_power(m, active=0.0) == 55.0
    assert uplink_power(m) == 110.0
    assert uplink_power(m, 0.25) == pytest.approx(55 + 0.25 * 55)


def test_the_carrier_chooses_the_reference():
    assert power_model(EnergyConfig(), CarrierConfig(frequency_hz=28e9)) is POWER_MODELS[1, "set3"]
    assert power_model(EnergyConfig(), CarrierConfig(frequency_hz=3.7e9)) is POWER_MODELS[1, "set1"]
    assert power_model(EnergyConfig(category=2, reference="set2"), CarrierConfig()) is POWER_MODELS[2, "set2"]


@pytest.mark.parametrize(
    ("gap_ms", "deepest", "wanted"),
    [
        (5.9, "light", 38 * 5.9),  # shorter than the transitions
        (10.0, "light", 25 * 10 + 90),
        (10.0, "micro", 38 * 10),
        (6.0, "light", 38 * 6),  # long enough, but not worth it
        (49.0, "deep", 25 * 49 + 90),
        (100.0, "deep", 1 * 100 + 1000),
    ],
)
def test_a_gap_is_slept_through_where_that_pays(gap_ms, deepest, wanted):
    assert sleep_energy(POWER_MODELS[1, "set3"], gap_ms, deepest) == pytest.approx(wanted)


def test_an_idle_trp_costs_micro_sleep_and_its_ssb():
    """Set 3: 38 per ms. Four symbols of 64 beams every 20 ms on 20 of 66 PRBs: 256 x 8.92 us x 114 x (0.4 + 0.303 x 0.6)."""
    config = radio_config(1)
    account = ResourceAccount(config, ("control",))
    for k in range(100):
        account.add_tick(k * DT_US, DT_US, np.zeros((2, 1), np.int64), available(config))
    result = account.result()
    trp = result["trps"]["trp-0"]
    assert trp["base"] == pytest.approx(38_000.0)
    assert trp["ssb"] == pytest.approx(50 * 256 * 8.919e-3 * 114 * (0.4 + 20 / 66 * 0.6), rel=2e-3)
    assert trp["downlink"] == trp["uplink"] == 0.0
    assert result["relative_energy"] == pytest.approx(trp["base"] + trp["ssb"])
    assert result["mean_relative_power"] == pytest.approx(result["relative_energy"] / 1000.0)


def test_light_sleep_between_ssb_saves_in_idle_ticks_alone():
    config = radio_config(1)
    account = ResourceAccount(config, ("control",), EnergyConfig(deepest_sleep="light"))
    for k in range(100):  # every second tick is a gap of 10 ms: 25 x 10 + 90 instead of 380
        account.add_tick(k * DT_US, DT_US, np.zeros((2, 1), np.int64), available(config))
    assert account.result()["trps"]["trp-0"]["base"] == pytest.approx(50 * 380 + 50 * 340)


def test_a_full_tick_costs_what_both_directions_draw():
    """All symbols of both directions: 560 x 8.92 us is 5 ms each way, at 152 and 80."""
    config = radio_config(1)
    account = ResourceAccount(config, ("control",))
    account.add_tick(DT_US, DT_US, available(config), available(config))
    trp = account.result()["trps"]["trp-0"]
    assert trp["base"] + trp["downlink"] + trp["uplink"] == pytest.approx(380 + 5 * (152 - 38) + 5 * (80 - 38), rel=2e-3)
    assert trp["symbols_share"] == 1.0
    assert trp["rf_chains_busy"] == 1.0


def test_two_chains_draw_as_much_as_one_when_both_send():
    one, two = radio_config(1), radio_config(1)
    two = two.model_copy(update={"trps": (two.trps[0].model_copy(update={"rf_chains": 2}),)})
    energies = []
    for config in (one, two):
        account = ResourceAccount(config, ("control",))
        account.add_tick(DT_US, DT_US, available(config), available(config))
        energies.append(account.result()["trps"]["trp-0"]["downlink"])
    assert energies[0] == pytest.approx(energies[1])


def test_who_spends_more_than_there_is_is_refused():
    config = radio_config(2)
    spent = np.zeros((2, 2), np.int64)
    spent[1, 1] = 561
    with pytest.raises(ValueError, match="TRP 'trp-1' spent 561 symbols of 560 in the tick at 20000 us"):
        ResourceAccount(config, ("control",)).add_tick(2 * DT_US, DT_US, spent, available(config))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_what_messages_spend_is_what_trps_spend(seed):
    """Shares add up to one, energies of the services to the data energy of the TRPs, and base and SSB to the rest."""
    rng = np.random.default_rng(seed)
    config = radio_config(3)
    services = ("a", "b", "c")
    account = ResourceAccount(config, services, EnergyConfig(deepest_sleep="deep"))
    sent = delivered = 0
    for k in range(5):
        n = int(rng.integers(0, 12))
        service, trp, direction = rng.integers(0, 3, n), rng.integers(-1, 3, n), rng.integers(0, 2, n)
        symbols = np.where(trp >= 0, rng.integers(0, 40, n), 0)
        ok = rng.random(n) < 0.7
        second = rng.random(n) < 0.3  # a second leg belongs to the same message
        service_of = np.where(second, -1 - service, service)
        spent = np.zeros((2, 3), np.int64)
        np.add.at(spent, (direction[trp >= 0], trp[trp >= 0]), symbols[trp >= 0])
        account.add_tick(k * DT_US, DT_US, spent, available(config))
        account.add_messages(service_of, trp, direction, symbols, rng.integers(0, 64, n), ok)
        sent += int((~second).sum())
        delivered += int((ok & ~second).sum())
    result = account.result()
    mine, trps = result["services"].values(), result["trps"].values()
    assert sum(s["messages"] for s in mine) == sent
    assert sum(s["delivered"] for s in mine) == delivered
    assert sum(s["share"] for s in mine) == pytest.approx(1.0 if any(s["prb_symbols"] for s in mine) else 0.0)
    data = sum(t["downlink"] + t["uplink"] for t in trps)
    assert sum(s["energy"] for s in mine) == pytest.approx(data)
    with_base = sum((s["energy_per_delivered_with_base"] or 0.0) * s["delivered"] for s in mine)
    if all(s["delivered"] for s in mine):
        assert with_base == pytest.approx(result["relative_energy"])


def test_messages_are_counted_by_hand():
    config = radio_config(2)
    account = ResourceAccount(config, ("control", "video"))
    # a control message over two legs, a frame in the uplink that is lost, one that was never sent
    service, trp = np.array([0, -1, 1, 1]), np.array([0, 1, 0, -1])
    direction, symbols = np.array([0, 0, 1, 1]), np.array([2, 2, 40, 0])
    account.add_messages(service, trp, direction, symbols, np.array([5, 9, 6, -1]), np.array([True, True, False, False]))
    control, video = account.result()["services"].values()
    assert (control["messages"], control["delivered"], control["prb_symbols"]) == (1, 1, 4 * 66)
    assert (video["messages"], video["delivered"], video["prb_symbols"]) == (2, 0, 40 * 66)
    assert control["share"] == pytest.approx(4 / 44)
    assert control["energy_per_delivered"] == pytest.approx(4 * 8.919e-3 * 114, rel=2e-3)
    assert video["energy"] == pytest.approx(40 * 8.919e-3 * 42, rel=2e-3)
    assert video["energy_per_delivered"] is None
    assert account.result()["trps"]["trp-0"]["beam_switches"] == 1
    assert account.result()["trps"]["trp-1"]["beam_switches"] == 0


def test_nothing_yet_is_told_without_numbers_that_are_none():
    result = ResourceAccount(radio_config(1), ("control",)).result()
    assert result["mean_relative_power"] is None
    assert result["services"]["control"]["share"] == 0.0


@pytest.mark.parametrize(
    "changes", [{"category": 3}, {"reference": "set4"}, {"deepest_sleep": "hibernate"}, {"static_share": 1.2}]
)
def test_wrong_settings_are_refused(changes):
    with pytest.raises(ValidationError):
        EnergyConfig(**changes)


def test_a_tick_of_a_network_is_added_whole():
    """What a real tick spends on its messages is what its TRPs spend: one leg each, nothing left in the queue."""
    config = radio_config(2)
    traffic = build_traffic(config, CLASSES, np.random.default_rng(1))
    control = np.flatnonzero(~traffic.video)
    delivery = Delivery(config, traffic, 1)
    account = ResourceAccount(config, traffic.service_name)
    n_ue = len(CLASSES)
    for k in range(20):
        done = delivery.deliver(k * DT_US, DT_US, make_plan(n_ue, 2), make_state(n_ue))
        # two symbols or more for every control message; frames take what was spent beside them
        symbols = np.where(np.isin(done.stream, control) & (done.trp >= 0), 2, 0)
        account.add(k * DT_US, DT_US, done, traffic, symbols)
    result = account.result()
    assert sum(s["messages"] for s in result["services"].values()) > 300
    assert result["services"]["agv-control"]["delivered"] > 0
    assert 0.0 < result["services"]["cobot-control"]["share"] < 1.0
    used = sum(t["downlink"] + t["uplink"] for t in result["trps"].values())
    assert sum(s["energy"] for s in result["services"].values()) < used
