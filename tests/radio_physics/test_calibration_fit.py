"""Calibration finds what made a log, says how well it knows it, and says what it cannot know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from calibration_logs import SETTINGS, TRPS, config, draw, fit, hall, log_of, measured, walk
from radio_scenes import person

from radio.config import NamedCarrierConfig, RadioConfig, UeConfig
from radio.fitting.calibration import CalibrationSettings, calibrate, parameters_of
from radio.fitting.calibration_csv import MeasurementLog
from radio.fitting.calibration_estimate import correlated_rows, scale_db
from radio.fitting.calibration_model import ForwardModel, PathCoefficient, hall_materials, path_table
from radio.fitting.calibration_words import report_text
from radio.links import Channel
from radio.types import Blockers, Ues

NAMES = tuple(t.name for t in TRPS)


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    return walk(np.random.default_rng(7), 160)


def test_path_fields_are_those_of_the_path_finder(places: np.ndarray) -> None:
    """Slanted antennas, two carriers, reflections up to second order."""
    low = NamedCarrierConfig(name="low", frequency_hz=3.7e9, bandwidth_hz=20e6, subcarrier_spacing_hz=30000, resource_blocks=51)
    trps = (TRPS[0].model_copy(update={"polarisation_deg": 45.0}), TRPS[1].model_copy(update={"carrier": "low"}), TRPS[2])
    radio = RadioConfig(trps=trps, carriers=(low,), ue=UeConfig(polarisation_deg=-30.0))
    channel = Channel(radio, hall())
    at = places[::12]
    paths = channel.paths(Ues(at, np.zeros(len(at)), np.full(len(at), -1)))
    link = np.repeat(np.arange(len(at) * len(trps)), np.diff(paths.offset))
    table = path_table(paths, hall(), channel.prepared, radio, link, np.arange(len(link)))
    _, eps = hall_materials(hall(), channel.prepared)
    field = PathCoefficient(table, channel.prepared.wavelength_m)(eps)
    assert set(paths.order.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(np.abs(field), np.abs(paths.amplitude), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("antenna", ["isotropic", "quad_sector"])
def test_prediction_is_the_beam_sweep_of_the_channel(places: np.ndarray, antenna: str) -> None:
    radio = config(ue={"antenna": antenna}, remainder={"enabled": False}, paths={"max_paths": 14, "reach_db": 45})
    at = places[::12]
    heading = np.linspace(-3.0, 3.0, len(at))
    channel = Channel(radio, hall())
    ues = Ues(at, heading, np.full(len(at), -1))
    gain = channel.sweep(channel.paths(ues), ues, None, 0).gain.max(axis=(2, 3)).ravel()
    log = replace(log_of(at), heading_rad=np.repeat(heading, len(TRPS)))
    model = ForwardModel(radio, hall(), log, parameters_of(radio, hall(), SETTINGS))
    # 30 dBm over 66 resource blocks of 12 subcarriers.
    expected = 30.0 - 10.0 * np.log10(66 * 12) + 10.0 * np.log10(gain[model.covered])
    np.testing.assert_allclose(model.predict(np.zeros(len(model.parameters))), expected, atol=1e-6)


def test_a_named_beam_is_the_one_predicted(places: np.ndarray) -> None:
    radio = config(ue={"antenna": "isotropic"}, remainder={"enabled": False}, paths={"max_paths": 14, "reach_db": 45})
    at = places[:5]
    channel = Channel(radio, hall())
    ues = Ues(at, np.zeros(5), np.full(5, -1))
    gain = channel.sweep(channel.paths(ues), ues, None, 0).gain[:, :, 9, 0].ravel()
    log = replace(log_of(at), beam=np.full(15, 9))
    model = ForwardModel(radio, hall(), log, parameters_of(radio, hall(), SETTINGS))
    expected = 30.0 - 10.0 * np.log10(66 * 12) + 10.0 * np.log10(gain[model.covered])
    np.testing.assert_allclose(model.predict(np.zeros(len(model.parameters))), expected, atol=1e-6)


def test_jacobian_is_the_slope_of_the_prediction(places: np.ndarray) -> None:
    parameters = parameters_of(config(), hall(), SETTINGS)
    model = ForwardModel(config(), hall(), log_of(places[::4]), parameters)
    x = draw(np.random.default_rng(3), parameters)
    slope = model.jacobian(x)
    for k in range(len(parameters)):
        up, down = x.copy(), x.copy()
        up[k] += 2e-3
        down[k] -= 2e-3
        error = np.abs((model.predict(up) - model.predict(down)) / 4e-3 - slope[:, k])
        # Rows where the strongest beam changes have a kink.
        assert np.quantile(error, 0.95) < 0.05 + 0.02 * np.abs(slope[:, k]).max(), parameters[k].name


def test_truth_lies_within_the_intervals() -> None:
    """Parameters drawn from their priors, 2 dB noise: of the identified ones and of the levels about 95 % are covered."""
    inside, total, better = 0, 0, 0
    parameters = parameters_of(config(), hall(), SETTINGS)
    for seed in range(3):
        rng = np.random.default_rng(100 + seed)
        x = draw(rng, parameters)
        result = fit(measured(config(), log_of(walk(rng, 240)), x, rng))
        for e, true in zip(result.estimates, x, strict=True):
            if e.identified:
                total += 1
                inside += abs(e.offset - true) <= 1.96 * e.sd
        for level, true in zip(result.levels, x[0] + x[1:4], strict=True):
            total += 1
            inside += level.low_db <= true <= level.high_db
            # The prior of a level is 4.2 dB, 16.6 dB from end to end of its interval.
            assert level.high_db - level.low_db < 4.0
        assert result.held_out is not None
        better += result.held_out.after.rmse_db < min(2.5, result.held_out.before.rmse_db)
        assert result.noise_db == pytest.approx(2.0, abs=0.25)
    assert total >= 27
    assert inside / total >= 0.85
    assert better == 3


def test_interval_of_a_single_power_is_the_textbook_one(places: np.ndarray) -> None:
    """Gaussian noise of 2 dB in n rows and a prior of 3 dB: sd = (n / 2^2 + 1 / 3^2)^-1/2."""
    rng = np.random.default_rng(5)
    log = measured(config(), log_of(places), np.zeros(16), rng)
    result = fit(log, fit=("power",), loss="linear")
    for t, name in enumerate(NAMES):
        n = result.trained.per_trp[t][1].rows
        assert result.of("power", name).sd == pytest.approx((n / 4 + 1 / 9) ** -0.5, rel=0.25)


def test_static_log_says_that_angles_are_not_identified() -> None:
    rng = np.random.default_rng(11)
    at = np.tile([[12.0, 9.0, 1.2]], (120, 1))
    result = fit(measured(config(), log_of(at), np.zeros(16), rng))
    for kind in ("azimuth", "downtilt"):
        for name in NAMES:
            e = result.of(kind, name)
            assert not e.identified
            assert not e.used
            assert e.offset == 0.0
            assert "hardly moved" in e.reason
    assert "azimuth of west" in report_text(result)
    assert all("azimuth_deg" not in t for t in result.fragment()["radio"]["trps"])
    # Held angles leave their uncertainty in the level.
    moving = fit(measured(config(), log_of(walk(rng, 120)), np.zeros(16), rng))
    assert result.levels[0].high_db - result.levels[0].low_db > moving.levels[0].high_db - moving.levels[0].low_db


def test_biased_log_is_found_in_the_levels_and_not_blamed_on_one(places: np.ndarray) -> None:
    rng = np.random.default_rng(12)
    log = measured(config(), log_of(places), np.zeros(16), rng)
    result = fit(replace(log, rsrp_dbm=log.rsrp_dbm + 4.0))
    for level in result.levels:
        assert level.low_db <= 4.0 <= level.high_db
        assert level.offset_db == pytest.approx(4.0, abs=0.6)
    common = result.of("common_gain")
    assert not common.identified
    assert "together with" in common.reason
    assert any("common gain" in w and "transmit power" in w for w in result.weak_directions)
    assert any("cannot be parted" in n for n in result.notes)
    assert result.held_out is not None
    assert abs(result.held_out.after.bias_db) < 0.5
    # Without the unknown receiver the powers are known.
    alone = fit(replace(log, rsrp_dbm=log.rsrp_dbm + 4.0), fit=("power", "azimuth", "downtilt"))
    assert all(alone.of("power", n).identified for n in NAMES)


def _only(log: MeasurementLog, rows: np.ndarray) -> MeasurementLog:
    names = ("time_s", "trp", "position_m", "rsrp_dbm", "beam", "heading_rad", "line")
    return replace(log, **{name: getattr(log, name)[rows] for name in names})


def test_gappy_log_flags_the_trp_with_few_rows(places: np.ndarray) -> None:
    rng = np.random.default_rng(13)
    log = measured(config(), log_of(places), np.zeros(16), rng)
    keep = log.trp != 2
    keep[np.flatnonzero(log.trp == 2)[[10, 40, 60, 110, 150]]] = True
    result = fit(_only(log, keep))
    e = result.of("azimuth", "north")
    assert not e.identified
    assert "rows, wanted 30 or more" in e.reason
    assert any(w.startswith("north: ") for w in result.warnings)
    never = fit(_only(log, log.trp != 2))
    assert "never heard" in never.of("power", "north").reason
    assert not never.of("power", "north").used
    assert any("north was never heard" in w for w in never.warnings)
    assert never.of("azimuth", "west").identified


def test_whole_db_steps_do_not_move_the_result(places: np.ndarray) -> None:
    parameters = parameters_of(config(), hall(), SETTINGS)
    x = np.array([{"azimuth": 4.0, "downtilt": -3.0, "power": 2.0}.get(p.kind, 0.0) for p in parameters])
    log = measured(config(), log_of(places), x, np.random.default_rng(14))
    steps = fit(replace(log, rsrp_dbm=np.round(log.rsrp_dbm)))
    for name in NAMES:
        assert abs(steps.of("azimuth", name).offset - 4.0) < 3.0 * steps.of("azimuth", name).sd
        assert abs(steps.of("downtilt", name).offset + 3.0) < 3.0 * steps.of("downtilt", name).sd
    assert all(level.low_db - 0.3 <= 2.0 <= level.high_db + 0.3 for level in steps.levels)


def test_shadowed_rows_do_not_pull_the_fit(places: np.ndarray) -> None:
    rng = np.random.default_rng(15)
    log = measured(config(), log_of(places), np.zeros(16), rng)
    shadowed = np.where(rng.random(len(log.line)) < 0.05, log.rsrp_dbm - 20.0, log.rsrp_dbm)
    robust, plain = fit(replace(log, rsrp_dbm=shadowed)), fit(replace(log, rsrp_dbm=shadowed), loss="linear")
    assert all(abs(level.offset_db) < 0.4 for level in robust.levels)
    assert robust.noise_db == pytest.approx(2.1, abs=0.3)
    # Least squares takes the mean shadow, 5 % of 20 dB, for lost power.
    assert np.mean([level.offset_db for level in plain.levels]) < -0.3


def test_held_out_rows_that_get_worse_are_a_warning(places: np.ndarray) -> None:
    """The fitted blocks of time are 6 dB up, the held-out ones are not: what was learnt does not carry over."""
    log = measured(config(), log_of(places), np.zeros(16), np.random.default_rng(16))
    blocks = np.array_split(np.unique(log.time_s), 20)
    aside = np.isin(log.time_s, np.concatenate(blocks[2::4]))
    result = fit(replace(log, rsrp_dbm=log.rsrp_dbm + np.where(aside, 0.0, 6.0)))
    assert result.held_out is not None
    assert result.held_out.after.rmse_db > result.held_out.before.rmse_db + 2.0
    assert any("do not take this result over" in w for w in result.warnings)


def test_scale_of_bodies_is_found() -> None:
    """A person walks around a moving device, 1.3 times as wide as the scenario has people."""
    t = np.arange(150) * 0.4
    at = np.column_stack([12.0 + 2.0 * np.cos(0.2 * t), 10.0 + 1.5 * np.sin(0.2 * t), np.full(len(t), 1.2)])

    def bodies(time_s: float) -> Blockers:
        x, y = 12.0 + 2.0 * np.cos(0.2 * time_s), 10.0 + 1.5 * np.sin(0.2 * time_s)
        return person(x + 0.7 * np.cos(1.1 * time_s), y + 0.7 * np.sin(1.1 * time_s), half=(0.18, 0.18), height_m=1.8)

    settings = CalibrationSettings(fit=("power", "body_scale"))
    parameters = parameters_of(config(), hall(), settings, with_bodies=True)
    log = log_of(at, interval_s=0.4)
    model = ForwardModel(config(), hall(), log, parameters, bodies=bodies)
    rsrp = np.full(len(log.line), np.nan)
    rsrp[model.covered] = model.predict(np.array([0.0, 0.0, 0.0, 0.3]))
    rsrp += np.random.default_rng(17).normal(scale=1.0, size=len(rsrp))
    result = calibrate(config(), hall(), replace(log, rsrp_dbm=rsrp), settings, bodies)
    e = result.of("body_scale")
    assert e.identified
    assert abs(e.value - 1.3) < 3.0 * e.sd
    assert e.value == pytest.approx(1.3, abs=0.1)
    assert result.fragment()["radio"]["blockage"] == {"body_scale": round(e.value, 3)}


def test_correlated_rows_count_less() -> None:
    """AR(1) with 0.8: (1 + 0.8) / (1 - 0.8) = 9 rows count as one; white noise as itself."""
    rng = np.random.default_rng(18)
    series = np.zeros(20000)
    shock = rng.normal(size=20000)
    for i in range(1, 20000):
        series[i] = 0.8 * series[i - 1] + shock[i]
    assert correlated_rows(series, scale_db(series)) == pytest.approx(9.0, rel=0.12)
    assert correlated_rows(shock, 1.0) == pytest.approx(1.0, abs=0.1)
    assert correlated_rows(np.full(50, 3.0), 1.0) == 1.0


def test_same_log_gives_the_same_bits(places: np.ndarray) -> None:
    log = measured(config(), log_of(places[:80]), np.zeros(16), np.random.default_rng(19))
    one, two = fit(log), fit(log)
    assert one.covariance.tobytes() == two.covariance.tobytes()
    assert [e.offset for e in one.estimates] == [e.offset for e in two.estimates]


def test_statistical_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="wanted channel: geometric"):
        calibrate(config(channel="statistical_inf"), hall(), log_of(np.array([[12.0, 9.0, 1.2]])))
