"""The Rician remainder: its power, its statistics over places, tones and time, and what it leaves alone."""

import math

import numpy as np
import pytest
from radio_scenes import TRPS, assembly_hall, radio_config, random_blockers, random_ues, ues_at
from scipy.special import j0

from radio.config import CarrierConfig, PanelConfig, PathConfig, RemainderConfig, TrpConfig, UeConfig
from radio.fields import SpatialField
from radio.links import Channel
from radio.propagation.antennas import panel_axes, ue_antenna
from radio.propagation.geometry import Hall
from radio.propagation.inf import path_loss_db
from radio.propagation.remainder import RAYS, Remainder, angle_spread_deg, delay_spread_s, ray_delays, spread_shape
from radio.types import Plan, Ues

WAVELENGTH_M = 299_792_458 / 28e9


def plan_of(trp, beam=0, sector=0, n=1) -> Plan:
    def two(a):
        return np.stack([np.broadcast_to(a, n), np.full(n, -1)], axis=1)

    return Plan(two(trp), two(beam), two(sector), np.ones((n, 2), bool), np.ones(n, np.int64), np.zeros(n), np.zeros(n))


def make(seed=1, carriers=1, **config) -> Remainder:
    axes = np.stack([panel_axes(0, 0)] * carriers)
    trp = np.array([[5.0, 20.0, 3.0]] * carriers)
    hall, carrier, ue = Hall.empty((60.0, 40.0, 8.0)), (CarrierConfig(),) * carriers, ue_antenna(UeConfig(antenna="isotropic"))
    return Remainder(RemainderConfig(**config), hall, trp, axes, np.ones(carriers), np.zeros(carriers), carrier, ue, seed)


def fields_of(remainder, place_m, time_us=0, pairs=1, tone_hz=(0.0,)) -> np.ndarray:
    """Complex fields (U, pairs, K) of unit mean power at places (U, 3), the first link of each UE, one row per beam pair."""
    place = np.atleast_2d(np.asarray(place_m, float))
    n_ue, n_tones = len(place), len(tone_hz)
    link = np.repeat(np.arange(n_ue), pairs)
    tones = np.zeros((n_ue * pairs, 2, 2, n_tones))
    turns = remainder.tone_turns(np.array([tone_hz], float))
    remainder.add(
        tones, link, np.tile(np.arange(pairs), n_ue), 0, n_ue * pairs, np.ones((n_ue, 1)), np.zeros(n_ue, np.int64), turns, place,
        time_us,
    )  # fmt: skip
    np.testing.assert_array_equal(tones[:, 0], tones[:, 1])  # bodies leave it alone
    return (tones[:, 0, 0] + 1j * tones[:, 0, 1]).reshape(n_ue, pairs, n_tones)


# --- the numbers of table 7.5-6 ----------------------------------------------------------------------------------------------


def test_delay_spread_of_the_calibration_halls():
    """TR 38.901 table 7.5-6: 120 x 60 x 10 m has V/S = 4, lgDS -7.278 in sight; 300 x 150 x 10 m 4.545 and -7.229."""
    assert math.log10(delay_spread_s(72_000, 18_000, True)) == pytest.approx(-7.278, abs=1e-3)
    assert math.log10(delay_spread_s(450_000, 99_000, True)) == pytest.approx(-7.229, abs=1e-3)
    assert math.log10(delay_spread_s(72_000, 18_000, False)) == pytest.approx(math.log10(30 * 4 + 32) - 9.44)
    assert make().delay_spread_s[0] == pytest.approx((26 * 19200 / 6400 + 14) * 10**-9.35)


def test_angle_spreads_at_28_ghz():
    spread = angle_spread_deg(28e9)
    np.testing.assert_allclose(np.log10(spread[0]), [1.56, 1.35, 1.5168, 1.2075], atol=1e-4)
    np.testing.assert_allclose(np.log10(spread[1]), [1.57, 1.2, 1.72, 1.2599], atol=1e-4)


def test_rays_have_unit_delay_spread_and_an_exponential_profile():
    delay = ray_delays()
    assert len(delay) == RAYS
    assert delay.std() == pytest.approx(1.0)
    assert delay.mean() == pytest.approx(1.0, abs=0.1)  # mean and deviation of an exponential profile are equal


def test_spread_pattern_is_the_patterns_mean_over_a_normal_spread():
    rng = np.random.default_rng(1)
    shape = spread_shape(65.0, 8.0, np.array([20.0, 15.0]))
    for azimuth, elevation in ((0, 0), (40, -10), (80, 20)):
        a, e = rng.normal(azimuth, 20, 200_000), rng.normal(elevation, 15, 200_000)
        mean = (10 ** (0.8 - 1.2 * ((a / 65) ** 2 + (e / 65) ** 2))).mean()
        ours = shape[2] * math.exp(-shape[0] * math.radians(azimuth) ** 2 - shape[1] * math.radians(elevation) ** 2)
        assert 10 * math.log10(ours / mean) == pytest.approx(0, abs=0.1)


# --- power -------------------------------------------------------------------------------------------------------------------


def open_channel(antenna="isotropic", k_sigma_db=0.0, max_order=0, **changes):
    trp = TrpConfig(name="only", position_m=(5.0, 20.0, 3.0), panel=PanelConfig(rows=1, columns=1))
    remainder = RemainderConfig(k_sigma_db=k_sigma_db)
    config = radio_config(
        trps=(trp,), ue=UeConfig(antenna=antenna), remainder=remainder, paths=PathConfig(max_order=max_order), **changes
    )
    return Channel(config, Hall.empty((60, 40, 8)))


def test_remainder_is_k_below_the_line_of_sight():
    """One element each end, K = 7 dB: the remainder's mean lies 7 dB and the element's loss over the spread below the path."""
    channel = open_channel()
    ues = ues_at((30.0, 20.0, 3.0), (12.0, 20.0, 3.0))
    paths = channel.paths(ues)
    with_it = channel.sweep(paths, ues, None, 0).gain[:, 0, 0, 0]
    path = np.abs(paths.amplitude) ** 2 * 10**0.8
    spread = spread_shape(65.0, 8.0, angle_spread_deg(28e9)[0, :2])[2] / 10**0.8
    np.testing.assert_allclose(10 * np.log10((with_it - path) / path), -7 + 10 * math.log10(spread), atol=1e-6)
    assert -4 < 10 * math.log10(spread) < -2


def test_nothing_is_counted_twice():
    """What the followed reflections carry is taken off the remainder, down to nothing."""
    ues = ues_at(*[(8.0 + 2 * i, 12.0 + i, 1.5) for i in range(12)])
    one, two = open_channel(), open_channel(max_order=2)
    before, after = one.paths(ues), two.paths(ues)
    mean, _ = one._diffuse(before, ues)
    less, _ = two._diffuse(after, ues)
    power = np.abs(after.amplitude) ** 2
    power[after.order == 0] = 0.0
    reflected = np.add.reduceat(power, after.offset[:-1])
    direct = np.abs(before.amplitude) ** 2
    expected = np.maximum(direct * 10**-0.7 - reflected, 0.0)
    np.testing.assert_allclose(less[:, 0], mean[:, 0] * expected / (direct * 10**-0.7), rtol=1e-9)
    assert (less < mean).all()


def test_hidden_links_lose_the_line_of_sight_and_keep_the_rest():
    """Without the direct ray a link falls by K + 1 (7.8 dB): between InF's own NLOS and LOS path losses at 20 to 40 m."""
    d = np.array([20.0, 40.0])
    for scenario in ("SL", "SH", "DH"):
        gap = path_loss_db(scenario, 28e9, d, np.zeros(2, bool)) - path_loss_db(scenario, 28e9, d, np.ones(2, bool))
        assert (gap > 3).all()
        assert (gap < 12).all()
    hall = Hall(np.array([60.0, 40.0, 8.0]), np.array([[20.0, 20.0, 3.9]]), np.array([[0.5, 3.0, 3.9]]), np.zeros(1), ("metal",))
    open_one = open_channel(max_order=1)
    hidden = Channel(open_one.config, hall)
    ues = ues_at((35.0, 20.0, 1.5))
    there = hidden.paths(ues)
    assert (there.order > 0).all()
    mean, nlos = hidden._diffuse(there, ues)
    assert nlos[0] == 1
    free = (WAVELENGTH_M / (4 * math.pi * 30.04)) ** 2
    reflected = (np.abs(there.amplitude) ** 2).sum()
    spread = spread_shape(65.0, 8.0, angle_spread_deg(28e9)[1, :2])
    expected = (free * 10**-0.7 - reflected) * spread[2] * math.exp(-spread[1] * math.asin(1.5 / 30.04) ** 2)
    assert mean[0, 0] == pytest.approx(expected, rel=0.01)


def test_a_device_in_the_hall_hears_the_rest_even_where_no_path_leads():
    """Behind a rack with reflections left out nothing is followed: the scattered field stays."""
    config = radio_config(paths=PathConfig(max_order=0), remainder=RemainderConfig(k_sigma_db=0.0))
    channel = Channel(config, assembly_hall())
    ues = ues_at((20.0, 10.0, 1.0))
    paths = channel.paths(ues)
    assert paths.offset[1] == 0  # no path to the first TRP
    gain = channel.sweep(paths, ues, None, 0).gain[0, 0]
    assert (gain > 0).all()
    np.testing.assert_allclose(gain, gain[:1].repeat(64, axis=0))  # the same for every beam
    distance = math.dist((15.0, 33.0, 7.5), (20.0, 10.0, 1.0))
    assert gain.max() < (WAVELENGTH_M / (4 * math.pi * distance)) ** 2 * 10**1.3 * 10**-0.7


def test_a_device_in_a_box_or_outside_has_no_remainder():
    channel = Channel(radio_config(), assembly_hall())
    ues = ues_at((20.3, 8.1, 1.0), (-3.0, 5.0, 1.0))  # in a rack, outside
    paths = channel.paths(ues)
    assert len(paths.order) == 0
    assert (channel.sweep(paths, ues, None, 0).gain == 0).all()
    blockage = channel.blockage(paths, random_blockers(np.random.default_rng(1)), ues)
    state = channel.state(paths, ues, blockage, plan_of(0, n=2), np.zeros(4), np.zeros(4))
    np.testing.assert_array_equal(state.sinr_dl_db[:, 0], [-200.0, -200.0])


@pytest.mark.parametrize("antenna", ["isotropic", "dipole", "quad_sector", "panel"])
def test_antennas_gather_about_what_they_gather_from_all_sides(antenna):
    """Summed over sectors that look to all sides, the spread gain stays within a few dB of one element's own mean."""
    channel = open_channel(antenna)
    ues = Ues(np.tile([[25.0, 20.0, 2.5]], (36, 1)), np.radians(np.arange(0, 360, 10.0)), np.full(36, -1))
    mean, _ = channel._diffuse(channel.paths(ues), ues)
    iso, _ = open_channel()._diffuse(channel.paths(ues), ues)
    ratio = 10 * np.log10(mean.max(axis=1) / iso[:, 0])
    low, high = {"isotropic": (0, 0), "dipole": (0.5, 2.2), "quad_sector": (-1.5, 3.5), "panel": (-20.5, 3.5)}[antenna]
    assert ratio.min() >= low - 1e-9
    assert ratio.max() <= high + 1e-9
    if antenna == "quad_sector":
        assert mean.argmax(axis=1).tolist()[18] == 0  # heading pi: sector 0 looks back to the TRP


# --- statistics --------------------------------------------------------------------------------------------------------------


def test_fields_over_places_are_complex_normal():
    """Power of unit mean, exponentially distributed: 10 % below 0.105, 50 % below 0.693, 90 % below 2.303."""
    remainder = make()
    rng = np.random.default_rng(5)
    h = fields_of(remainder, rng.uniform([0, 0, 1], [60, 40, 2], (400, 3)), pairs=25).ravel()
    power = np.abs(h) ** 2
    assert power.mean() == pytest.approx(1.0, abs=0.04)
    np.testing.assert_allclose(np.quantile(power, [0.1, 0.5, 0.9]), [0.105, 0.693, 2.303], rtol=0.08)
    assert abs(h.mean()) < 0.03
    assert abs((h**2).mean()) < 0.04  # circular


def test_motion_decorrelates_as_clarkes_spectrum():
    """Autocorrelation over distance d is J0(2 pi d / wavelength) for rays from all sides."""
    remainder = make()
    rng = np.random.default_rng(6)
    start = rng.uniform([5, 5, 1], [55, 35, 2], (300, 3))
    first = fields_of(remainder, start, pairs=20)
    turn = rng.uniform(0, 2 * np.pi, 300)
    way = np.stack([np.cos(turn), np.sin(turn), np.zeros(300)], axis=1)
    for share in (0.05, 0.1, 0.25, 0.38, 0.6, 1.0, 2.0):
        moved = fields_of(remainder, start + share * WAVELENGTH_M * way, pairs=20)
        correlation = (first * moved.conj()).mean().real
        assert correlation == pytest.approx(j0(2 * math.pi * share), abs=0.06)


def test_tones_decorrelate_as_an_exponential_profile():
    """|E h(f) h*(f + F)| = 1 / sqrt(1 + (2 pi F DS)^2)."""
    remainder = make(delay_spread_ns=50.0)
    gaps_hz = np.array([0.0, 1e6, 3e6, 6e6, 10e6])
    rng = np.random.default_rng(7)
    h = fields_of(remainder, rng.uniform([0, 0, 1], [60, 40, 2], (300, 3)), pairs=20, tone_hz=gaps_hz)
    correlation = np.abs((h[:, :, :1] * h.conj()).mean(axis=(0, 1)))
    np.testing.assert_allclose(correlation, 1 / np.sqrt(1 + (2 * np.pi * gaps_hz * 50e-9) ** 2), atol=0.07)


def test_a_standing_device_fades_by_moving_reflectors_alone():
    place = np.array([[20.0, 15.0, 1.0]])
    still = make(moving_share=0.0)
    np.testing.assert_array_equal(fields_of(still, place, 0, 50), fields_of(still, place, 10_000_000, 50))
    slow, busy = make(moving_share=0.2), make(moving_share=1.0)

    def correlation(remainder, time_us):
        a, b = fields_of(remainder, place, 0, 2000), fields_of(remainder, place, time_us, 2000)
        return (a * b.conj()).mean().real

    # Velocities uniform in +-v with a factor 2 (TR 38.901 7.6.10): the moving share decays as sinc(4 v t / wavelength).
    for time_us in (500, 1000, 2500):
        expected = np.sinc(4 * 1.0 * time_us * 1e-6 / WAVELENGTH_M)
        assert correlation(busy, time_us) == pytest.approx(expected, abs=0.05)
        assert correlation(slow, time_us) == pytest.approx(0.8 + 0.2 * expected, abs=0.05)


def test_beams_and_devices_fade_on_their_own():
    h = fields_of(make(), np.tile([[20.0, 15.0, 1.0]], (60, 1)), pairs=60)
    between_pairs = (h[:, :-1] * h[:, 1:].conj()).mean()
    between_ues = (h[:-1] * h[1:].conj()).mean()
    assert abs(between_pairs) < 0.06
    assert abs(between_ues) < 0.06


def test_equal_seeds_give_equal_bits_whatever_was_asked_before():
    rng = np.random.default_rng(8)
    hall, config = assembly_hall(), radio_config(remainder=RemainderConfig(k_db=-5.0, k_floor_db=-20.0))
    ues = random_ues(rng, hall, 6)
    used, fresh, other = Channel(config, hall, seed=4), Channel(config, hall, seed=4), Channel(config, hall, seed=5)
    bodies = random_blockers(rng)
    plan, second, zero = plan_of(1, 20, 2, 6), plan_of(0, 3, 1, 6), np.zeros(4)

    def state(channel, plan, time_us):
        paths = channel.paths(ues)
        return channel.state(paths, ues, channel.blockage(paths, bodies, ues), plan, zero, zero, time_us=time_us).sinr_dl_db

    for time_us in (0, 10_000, 20_000):
        state(used, second, time_us)
        state(used, plan, time_us)
    paths = used.paths(ues)
    blockage = used.blockage(paths, bodies, ues)
    used.state(paths, ues, blockage, second, zero, zero, time_us=50_000)
    got = used.state(paths, ues, blockage, plan, zero, zero, time_us=50_000).sinr_dl_db
    assert got.tobytes() == state(fresh, plan, 50_000).tobytes()
    assert not np.array_equal(got[:, 0], state(other, plan, 50_000)[:, 0])
    assert not np.array_equal(got[:, 0], state(fresh, plan, 60_000)[:, 0])


def test_state_scatters_about_the_sweep():
    """Mean power over instants of a link's tones is what the sweep says, so that policies are not biased."""
    trp = TrpConfig(name="only", position_m=(5.0, 20.0, 3.0), tx_power_dbm=-10.0, panel=PanelConfig(rows=1, columns=1))
    config = radio_config(
        trps=(trp,),
        ue=UeConfig(antenna="isotropic", evm_percent=0.01),
        remainder=RemainderConfig(k_db=-3.0, k_sigma_db=0.0, moving_share=1.0),
        paths=PathConfig(max_order=0, tones=1),
    )
    channel = Channel(config, Hall.empty((60, 40, 8)))
    ues = ues_at(*[(20.0 + i, 18.0, 1.0) for i in range(20)])
    paths = channel.paths(ues)
    blockage = channel.blockage(paths, random_blockers(np.random.default_rng(1), 0, 0, 0), ues)
    zero = np.zeros(1)
    snr = [
        channel.state(paths, ues, blockage, plan_of(0, n=20), zero, zero, time_us=7_000 * i).quiet_dl_db[:, 0] for i in range(300)
    ]
    mean = (10 ** (np.array(snr) / 10)).mean(axis=0)
    expected = 10 ** (channel.snr_dl_db(channel.sweep(paths, ues, None, 0).gain)[:, 0, 0, 0] / 10)
    assert 10 * np.log10(mean / expected) == pytest.approx(np.zeros(20), abs=1.2)
    assert 10 * math.log10((mean / expected).mean()) == pytest.approx(0.0, abs=0.25)


def test_interference_is_what_the_sweep_says():
    """Interference over noise, found from the SINR with and without it, is the interferer's sweep gain, remainder included."""
    trps = tuple(t.model_copy(update={"panel": PanelConfig(rows=2, columns=2)}) for t in TRPS[:2])
    config = radio_config(
        trps=trps, ue=UeConfig(evm_percent=1e-3), paths=PathConfig(max_order=0, tones=1), remainder=RemainderConfig(k_db=-5.0)
    )
    channel = Channel(config, Hall.empty((60, 40, 8)), seed=2)
    ues = random_ues(np.random.default_rng(3), channel.hall, 3)
    paths = channel.paths(ues)
    blockage = channel.blockage(paths, random_blockers(np.random.default_rng(1), 0, 0, 0), ues)
    gain = channel.sweep(paths, ues, blockage.loss_db, 0).gain
    without = Channel(config.model_copy(update={"remainder": RemainderConfig(enabled=False)}), channel.hall)
    assert (gain > 1.05 * without.sweep(paths, ues, None, 0).gain).all()
    plan = plan_of(np.array([0, 1, 1]), np.array([1, 2, 3]), np.array([0, 1, 2]), 3)
    state = channel.state(paths, ues, blockage, plan, np.array([0.4, 0.6]), np.array([0.3, 0.8]))
    ratio = 10 ** ((state.quiet_dl_db - state.sinr_dl_db)[:, 0] / 10) - 1
    power = np.array([10 ** ((t.tx_power_dbm - 30) / 10) for t in trps]) / channel.noise_dl_w
    expected = [
        0.6 * power[1] * (gain[0, 1, 2, 0] + gain[0, 1, 3, 0]) / 2,
        0.4 * power[0] * gain[1, 0, 1, 1],
        0.4 * power[0] * gain[2, 0, 1, 2],
    ]
    np.testing.assert_allclose(ratio, expected, rtol=1e-6)
    ratio = 10 ** ((state.quiet_ul_db - state.sinr_ul_db)[:, 0] / 10) - 1
    power = 10**-0.7 / channel.noise_ul_w
    expected = [
        0.8 * power[0] * (gain[1, 0, 1, 1] + gain[2, 0, 1, 2]) / 2,
        0.3 * power[1] * gain[0, 1, 2, 0],
        0.3 * power[1] * gain[0, 1, 3, 0],
    ]
    np.testing.assert_allclose(ratio, expected, rtol=1e-6)


def test_k_varies_over_the_hall_as_asked():
    field = SpatialField(np.array([200.0, 200.0, 8.0]), 10.0, [np.random.SeedSequence([1, t]) for t in range(40)])
    rng = np.random.default_rng(9)
    place = rng.uniform(10, 190, (400, 2))
    here = field.at(place)
    assert here.shape == (400, 40)
    assert here.std() == pytest.approx(1.0, abs=0.05)
    assert abs(here.mean()) < 0.06
    for away in (0.5, 2.0, 5.0, 10.0, 20.0):
        turn = rng.uniform(0, 2 * np.pi, 400)
        there = field.at(place + away * np.stack([np.cos(turn), np.sin(turn)], axis=1))
        assert (here * there).mean() == pytest.approx(math.exp(-away / 10.0), abs=0.06)
    np.testing.assert_array_equal(field.at(np.array([[-5.0, 50.0]])), field.at(np.array([[0.0, 50.0]])))


def test_a_field_too_fine_for_its_floor_is_refused():
    with pytest.raises(ValueError, match=r"correlation distance 0\.1 m is too short for a floor of 600 x 200 m; wanted 0\.59 m"):
        SpatialField(np.array([600.0, 200.0]), 0.1, [np.random.SeedSequence(1)])


def test_crossed_slants_leave_the_cross_polar_share():
    """TR 38.901 table 7.5-6: XPR 12 dB in sight."""
    config = radio_config(trps=tuple(t.model_copy(update={"polarisation_deg": 90.0}) for t in TRPS))
    plain, crossed = Channel(radio_config(), assembly_hall()), Channel(config, assembly_hall())
    for a, b in zip(plain._remainder._copolar, crossed._remainder._copolar, strict=True):
        np.testing.assert_allclose(10 * np.log10(b / a), [-12.0, -11.0], atol=1e-9)
