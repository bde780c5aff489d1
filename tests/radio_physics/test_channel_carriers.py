"""Several carriers in one hall: each TRP has its own wavelength, noise, tones and interferers."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from radio_scenes import TRPS, assembly_hall, radio_config, random_blockers, random_ues

from radio.config import CarrierConfig, NamedCarrierConfig, PathConfig, RadioConfig, RemainderConfig
from radio.links import Channel
from radio.propagation.geometry import Hall
from radio.types import LinkState, Plan

LOW = NamedCarrierConfig(
    name="n78", frequency_hz=3.7e9, bandwidth_hz=100e6, subcarrier_spacing_hz=30000, resource_blocks=273, tones=8
)
OFF = RemainderConfig(enabled=False)


def on(carrier, *trps):
    return tuple(t.model_copy(update={"carrier": carrier}) for t in trps)


def plan_of(trp, beam, sector) -> Plan:
    n = len(trp)
    return Plan(trp, beam, sector, np.ones((n, 2), bool), np.ones(n, np.int64), np.zeros(n), np.zeros(n))


def test_carriers_of_trps_by_name():
    config = radio_config(trps=(TRPS[0], *on("n78", *TRPS[1:3])), carriers=(LOW,))
    assert [config.carrier_of(t).frequency_hz for t in config.trps] == [28e9, 3.7e9, 3.7e9]
    assert config.trp_carrier == (0, 1, 1)
    assert config.used_carriers == (config.carrier, LOW)
    # a carrier that nobody is on is no carrier of the hall
    alone = radio_config(trps=on("n78", *TRPS), carriers=(LOW, NamedCarrierConfig(name="n257", frequency_hz=29e9)))
    assert alone.used_carriers == (LOW,)
    assert alone.trp_carrier == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"trps": on("n79", *TRPS), "carriers": (LOW,)},
            r"'ceiling-west' is on carrier 'n79', which does not exist; carriers: 'n78'",
        ),
        ({"trps": on("n79", *TRPS)}, "carriers: none"),
        ({"carriers": (LOW, LOW)}, "carriers: name 'n78' is used twice"),
        (
            {"trps": (TRPS[0], *on("near", TRPS[1])), "carriers": (NamedCarrierConfig(name="near", frequency_hz=28.05e9),)},
            "the carrier section at 2.8e[+]10 Hz and 'near' at 2.805e[+]10 Hz overlap",
        ),
    ],
)
def test_wrong_carriers_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        radio_config(**changes)


def test_a_frequency_in_the_wrong_unit_is_refused():
    with pytest.raises(ValidationError, match="frequency_hz"):
        CarrierConfig(frequency_hz=28)


def test_wavelength_and_noise_are_each_carriers_own():
    low = LOW.model_copy(update={"bandwidth_hz": 20e6, "resource_blocks": 51})
    channel = Channel(radio_config(trps=(TRPS[0], *on("n78", TRPS[1])), carriers=(low,)), assembly_hall())
    np.testing.assert_allclose(channel.wavelength_m, [299_792_458 / 28e9, 299_792_458 / 3.7e9])
    np.testing.assert_array_equal(channel.trp_carrier, [0, 1])
    assert 10 * math.log10(channel.noise_dl_w[0] / channel.noise_dl_w[1]) == pytest.approx(10 * math.log10(5))
    # k T B = -174 dBm/Hz + 80 dB for 100 MHz, noise figure 9 dB
    assert 10 * math.log10(channel.noise_dl_w[0] * 1e3) == pytest.approx(-84.98, abs=0.01)


def test_free_space_between_the_carriers_differs_by_their_frequencies():
    trps = (TRPS[2], *on("n78", TRPS[2].model_copy(update={"name": "same place"})))
    config = radio_config(trps=trps, carriers=(LOW,), remainder=OFF, paths=PathConfig(max_order=0))
    channel = Channel(config, Hall.empty((60, 40, 8)))
    ues = random_ues(np.random.default_rng(1), channel.hall, 5)
    paths = channel.paths(ues)
    gain = channel.sweep(paths, ues, None, 0).gain.max(axis=(2, 3))
    np.testing.assert_allclose(gain[:, 1] / gain[:, 0], (28 / 3.7) ** 2, rtol=1e-9)
    np.testing.assert_allclose(paths.wavelength_m, channel.wavelength_m)


@pytest.mark.parametrize("remainder", [OFF, RemainderConfig()])
def test_two_carriers_are_two_halls(remainder):
    """TRPs of another carrier change nothing: what a mixed hall gives a TRP is what a hall of that carrier alone gives it."""
    rng = np.random.default_rng(2)
    hall = assembly_hall()
    mixed = Channel(radio_config(trps=(*TRPS[:2], *on("n78", *TRPS[2:])), carriers=(LOW,), remainder=remainder), hall, seed=3)
    high = Channel(radio_config(trps=TRPS[:2], remainder=remainder), hall, seed=3)
    ues = random_ues(rng, hall, 8)
    bodies = random_blockers(rng, 60)
    load = np.array([0.5, 0.8, 1.0, 0.7])
    trp = np.stack([rng.integers(0, 4, 8), rng.integers(-1, 4, 8)], axis=1)
    beam, sector = rng.integers(0, 64, (8, 2)), rng.integers(0, 4, (8, 2))

    def state(channel, plan, load) -> LinkState:
        paths = channel.paths(ues)
        return channel.state(paths, ues, channel.blockage(paths, bodies, ues), plan, load, load, time_us=70_000)

    both = state(mixed, plan_of(trp, beam, sector), load)
    one = state(high, plan_of(np.where(trp < 2, trp, -1), beam, sector), load[:2])
    used = (trp >= 0) & (trp < 2)
    assert used.any()
    names = ("sinr", "clear") if remainder is OFF else ()
    for name in (f"{n}_{way}_db" for n in names for way in ("dl", "ul")):
        np.testing.assert_allclose(getattr(both, name)[used], getattr(one, name)[used], atol=1e-9, err_msg=name)
    # rays of the remainder are numbered by link, so only their mean carries over
    np.testing.assert_allclose(
        mixed.sweep(mixed.paths(ues), ues, None, 0).gain[:, :2], high.sweep(high.paths(ues), ues, None, 0).gain, rtol=1e-9
    )
    low = trp >= 2
    quiet = both.quiet_dl_db
    assert (both.sinr_dl_db[low] <= quiet[low]).all()


def test_tones_are_each_carriers_own():
    trps = (TRPS[0], *on("n78", TRPS[1]))
    hall = assembly_hall()
    mixed = Channel(radio_config(trps=trps, carriers=(LOW,), remainder=OFF), hall)  # 4 tones and 8
    same = {"carrier": CarrierConfig(**LOW.model_dump(exclude={"name"})), "remainder": OFF}
    alone = Channel(radio_config(trps=(TRPS[1],), **same), hall)
    ues = random_ues(np.random.default_rng(3), hall, 6)
    n = np.full((6, 1), -1)
    legs = np.concatenate([np.zeros((6, 1), np.int64), n], axis=1)
    plan = plan_of(legs, np.abs(legs) * 0 + 20, np.abs(legs) * 0)
    other = plan_of(np.where(legs == 0, 1, -1), plan.beam, plan.sector)
    results = []
    for channel, p in ((alone, plan), (mixed, other)):
        paths = channel.paths(ues)
        blockage = channel.blockage(paths, random_blockers(np.random.default_rng(4)), ues)
        zero = np.zeros(channel.n_trp)
        results.append(channel.state(paths, ues, blockage, p, zero, zero))
    np.testing.assert_allclose(results[0].sinr_dl_db[:, 0], results[1].sinr_dl_db[:, 0], atol=1e-9)


def test_every_field_says_what_it_is():
    def check(model, where):
        for name, field in model.model_fields.items():
            assert field.description, f"{where}.{name}"

    for model in (RadioConfig, NamedCarrierConfig, RemainderConfig, type(radio_config().ue), type(TRPS[0]), PathConfig):
        check(model, model.__name__)
