"""The channel: link budgets, sweeps, and the state of a plan's legs against a plain sum over paths and tones."""

import dataclasses
import math

import numpy as np
import pytest
import radio_scenes
from radio_scenes import TRPS, assembly_hall, join, person, random_blockers, random_ues, ues_at

from radio.carrier_config import CarrierConfig
from radio.config import BlockageConfig, MaterialOverride, PathConfig, RadioConfig, RemainderConfig, TrpConfig, UeConfig
from radio.links import Channel
from radio.links_kernels import _effective
from radio.propagation.antennas import codebook, panel_axes, panel_gain, ue_gain
from radio.propagation.geometry import Hall
from radio.types import SPEED_OF_LIGHT_MPS, Blockage, LinkState, Plan, Sweep, Ues

FREE = PathConfig(max_paths=1, reach_db=40.0, tones=4)  # the line of sight alone, where there is one


def radio_config(**changes: object) -> RadioConfig:
    """Followed paths alone; the remainder has its own tests."""
    return radio_scenes.radio_config(**{"remainder": RemainderConfig(enabled=False), **changes})


def plan_of(trp, beam, sector) -> Plan:
    trp, beam, sector = (np.array(a, dtype=np.int64).reshape(-1, 2) for a in (trp, beam, sector))
    n = len(trp)
    return Plan(trp, beam, sector, np.ones((n, 2), bool), np.ones(n, np.int64), np.zeros(n), np.zeros(n))


def best_plan(sweep: Sweep, second: bool = True) -> Plan:
    """Best beam pair of the best TRP, and of the second-best."""
    n, n_trp, _, n_sectors = sweep.gain.shape
    flat = sweep.gain.reshape(n, n_trp, -1)
    order = np.argsort(-flat.max(axis=2), axis=1, kind="stable")[:, :2]
    pair = np.take_along_axis(flat.argmax(axis=2), order, axis=1)
    trp, beam, sector = order.copy(), pair // n_sectors, pair % n_sectors
    if not second:
        trp[:, 1] = beam[:, 1] = sector[:, 1] = -1
    return plan_of(trp, beam, sector)


def no_loss(n: int) -> Blockage:
    return Blockage(np.ones(n, complex), np.zeros(n), np.full(n, -1), np.full(n, -1), np.zeros(n))


def scene(seed: int = 1, n_ue: int = 19, n_people: int = 40, **changes):
    rng = np.random.default_rng(seed)
    channel = Channel(radio_config(**changes), assembly_hall())
    ues = random_ues(rng, channel.hall, n_ue)
    paths = channel.paths(ues)
    return channel, ues, paths, channel.blockage(paths, random_blockers(rng, n_people), ues)


# --- link budget -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("distance_m", "expected_db"), [(10.0, 71.0), (25.0, 63.0), (50.0, 57.0)])
def test_honest_downlink_budget_at_28_ghz(distance_m, expected_db):
    """30 dBm over 100 MHz, 8 x 8 panel (26 dBi), device 2 x 2 (11 dBi), noise figure 9 dB, free space, peak beams."""
    trp = TrpConfig(name="only", position_m=(1.0, 20.0, 3.0), azimuth_deg=0)
    channel = Channel(radio_config(trps=(trp,), paths=FREE), Hall.empty((60, 40, 8)))
    ues = ues_at((1.0 + distance_m, 20.0, 3.0), heading_rad=math.pi)
    paths = channel.paths(ues)
    snr = channel.snr_dl_db(channel.sweep(paths, ues, None, 0).gain)
    assert snr.shape == (1, 1, 64, 4)
    assert snr.max() == pytest.approx(expected_db, abs=0.5)
    assert np.unravel_index(snr.argmax(), snr.shape) == (0, 0, 36, 0)


def test_honest_uplink_budget_at_28_ghz():
    """23 dBm over 20 MHz, the same antennas, noise figure 6 dB: 74 dB at 10 m. Over 100 MHz it is 7 dB less."""
    trp = TrpConfig(name="only", position_m=(1.0, 20.0, 3.0), azimuth_deg=0)
    channel = Channel(radio_config(trps=(trp,), paths=FREE), Hall.empty((60, 40, 8)))
    ues = ues_at((11.0, 20.0, 3.0), heading_rad=math.pi)
    snr = channel.snr_ul_db(channel.sweep(channel.paths(ues), ues, None, 0).gain)
    assert snr.max() == pytest.approx(74.0 - 10 * math.log10(5), abs=0.5)


def test_the_best_beam_loses_no_more_than_between_two_beams():
    """Within 30 degrees of boresight: at most 3.9 dB for lying between two columns' beams, besides the element's own."""
    trp = TrpConfig(name="only", position_m=(1.0, 20.0, 3.0), azimuth_deg=0)
    channel = Channel(radio_config(trps=(trp,), paths=FREE, ue=UeConfig(antenna="isotropic")), Hall.empty((60, 40, 8)))
    azimuth = np.radians(np.linspace(-30, 30, 61))
    ues = ues_at(*[(1 + 25 * math.cos(a), 20 + 25 * math.sin(a), 3.0) for a in azimuth])
    best = channel.snr_dl_db(channel.sweep(channel.paths(ues), ues, None, 0).gain).max(axis=(1, 2, 3))
    peak = best[30]
    element = 12 * (np.degrees(azimuth) / 65) ** 2
    assert ((peak - element - best) >= -1e-6).all()
    assert ((peak - element - best) <= 3.95).all()


def test_evm_of_3_5_percent_caps_the_sinr_at_29_db():
    channel = Channel(radio_config(), assembly_hall())
    assert channel.cap_sinr_db(np.array([100.0]))[0] == pytest.approx(29.12, abs=0.01)
    assert channel.cap_sinr_db(np.array([0.0]))[0] == pytest.approx(-0.005, abs=0.001)


# --- sweep -----------------------------------------------------------------------------------------------------------------


def test_sweep_is_the_sum_of_the_paths_powers():
    trps = (TRPS[0], TRPS[2].model_copy(update={"panel": TRPS[2].panel.model_copy(update={"rows": 2, "columns": 4})}))
    channel, ues, paths, blockage = scene(3, 5, trps=trps)
    sweep = channel.sweep(paths, ues, blockage.loss_db, 123)
    assert sweep.time_us == 123
    assert sweep.gain.shape == (5, 2, 64, 4)
    for u in range(5):
        for t, trp in enumerate(trps):
            n_beams = trp.panel.rows * trp.panel.columns
            expected = np.zeros((n_beams, 4))
            for p in range(paths.offset[2 * u + t], paths.offset[2 * u + t + 1]):
                axes = panel_axes(trp.azimuth_deg, trp.downtilt_deg)
                at_trp = panel_gain(paths.departure[p : p + 1], axes, trp.panel.rows, trp.panel.columns)[0]
                at_ue = ue_gain(paths.arrival[p : p + 1], ues.heading_rad[u], "quad_sector")[0]
                expected += abs(paths.amplitude[p]) ** 2 * 10 ** (-blockage.loss_db[p] / 10) * np.outer(at_trp, at_ue)
            np.testing.assert_allclose(sweep.gain[u, t, :n_beams], expected, rtol=1e-9)
            assert (sweep.gain[u, t, n_beams:] == 0).all()


def test_snr_of_chosen_beams_takes_the_trp_axis():
    trps = (TRPS[0], TRPS[1].model_copy(update={"tx_power_dbm": 20.0, "noise_figure_db": 8.0}))
    channel = Channel(radio_config(trps=trps), assembly_hall())
    gain = np.full((3, 2), 1e-9)
    assert np.ptp(channel.snr_dl_db(gain), axis=1) == pytest.approx(10.0)
    assert np.ptp(channel.snr_ul_db(gain), axis=1) == pytest.approx(2.0)
    np.testing.assert_allclose(channel.snr_dl_db(gain.T, trp_axis=0), channel.snr_dl_db(gain).T)
    assert channel.snr_dl_db(np.zeros((1, 2))).max() < -150


# --- state -----------------------------------------------------------------------------------------------------------------


def reference_state(channel, ues, paths, blockage, plan, load_dl, load_ul) -> dict[str, np.ndarray]:
    """Sum over paths, tones and interferers, written out."""
    config, n_ue, n_trp = channel.config, paths.n_ue, paths.n_trp
    noise = 1.380649e-23 * 290 * config.carrier.bandwidth_hz
    noise_dl = noise * 10 ** (config.ue.noise_figure_db / 10)
    evm2 = (config.ue.evm_percent / 100) ** 2
    tones = (np.arange(config.paths.tones) + 0.5) / config.paths.tones - 0.5
    tones = tones * config.carrier.bandwidth_hz
    tx_ul = 1e-3 * 10 ** (config.ue.tx_power_dbm / 10)

    def pair(u, t, beam, sector):
        trp = config.trps[t]
        index = range(int(paths.offset[u * n_trp + t]), int(paths.offset[u * n_trp + t + 1]))
        axes = panel_axes(trp.azimuth_deg, trp.downtilt_deg)
        at_trp = panel_gain(paths.departure[index], axes, trp.panel.rows, trp.panel.columns)[:, beam]
        at_ue = ue_gain(paths.arrival[index], ues.heading_rad[u], config.ue.antenna)[:, sector]
        return np.array(index, dtype=int), np.sqrt(at_trp * at_ue)

    def sum_power(u, t, beam, sector):
        index, field = pair(u, t, beam, sector)
        return float((np.abs(paths.amplitude[index] * field * blockage.field[index]) ** 2).sum())

    def effective(gain, ratio):
        sinr = 1 / (1 / np.maximum(gain * ratio, 1e-300) + evm2)
        return 10 * np.log10(max(2 ** np.mean(np.log2(1 + sinr)) - 1, 1e-20))

    out = {name: np.full((n_ue, 2), np.nan) for name in LinkState.__slots__}
    for u in range(n_ue):
        for leg in range(2):
            t = plan.trp[u, leg]
            if t < 0:
                continue
            trp = config.trps[t]
            index, _ = pair(u, t, 0, 0)
            # Signs of the factors matter in a coherent sum: take them from the complex weights.
            field = signed_field(channel, ues, paths, u, t, plan.beam[u, leg], plan.sector[u, leg])
            turn = np.exp(-2j * np.pi * tones[:, None] * paths.length_m[index] / 299_792_458.0)
            alone = np.abs((paths.amplitude[index] * field * turn).sum(axis=1)) ** 2
            real = np.abs((paths.amplitude[index] * field * turn * blockage.field[index]).sum(axis=1)) ** 2
            i_dl = i_ul = 0.0
            for other in range(n_trp):
                served = np.flatnonzero(plan.trp[:, 0] == other)
                if other == t or len(served) == 0:
                    continue
                heard = np.mean([sum_power(u, other, plan.beam[v, 0], plan.sector[u, leg]) for v in served])
                i_dl += 1e-3 * 10 ** (config.trps[other].tx_power_dbm / 10) * load_dl[other] * heard
                for v in served[served != u]:
                    i_ul += tx_ul * load_ul[other] / len(served) * sum_power(v, t, plan.beam[u, leg], plan.sector[v, 0])
            tx_dl = 1e-3 * 10 ** (trp.tx_power_dbm / 10)
            noise_ul = noise * 10 ** (trp.noise_figure_db / 10)
            for name, gain, extra in (("sinr", real, 1.0), ("clear", alone, 1.0), ("quiet", real, 0.0)):
                out[f"{name}_dl_db"][u, leg] = effective(gain, tx_dl / (noise_dl + extra * i_dl))
                out[f"{name}_ul_db"][u, leg] = effective(gain, tx_ul / (noise_ul + extra * i_ul))
            out["body_loss_db"][u, leg] = 10 * np.log10(alone.sum() / real.sum()) if len(index) else 0.0
            strongest = index[np.argmax(np.abs(paths.amplitude[index] * field))] if len(index) else None
            out["owner"][u, leg] = -1 if strongest is None else blockage.worst_owner[strongest]
            out["part"][u, leg] = -1 if strongest is None else blockage.worst_part[strongest]
    return out


def signed_field(channel, ues, paths, u, t, beam, sector) -> np.ndarray:
    trp = channel.config.trps[t]
    index = slice(int(paths.offset[u * paths.n_trp + t]), int(paths.offset[u * paths.n_trp + t + 1]))
    axes = panel_axes(trp.azimuth_deg, trp.downtilt_deg)
    local = paths.departure[index] @ axes.T
    m = (np.arange(trp.panel.rows) - (trp.panel.rows - 1) / 2)[:, None]
    n = (np.arange(trp.panel.columns) - (trp.panel.columns - 1) / 2)[None, :]
    phase = np.exp(1j * np.pi * (m * local[:, 2, None, None] + n * local[:, 1, None, None]))
    array = (np.conj(codebook(trp.panel.rows, trp.panel.columns)[beam]) * phase).sum(axis=(1, 2))
    element = np.sqrt(panel_gain(paths.departure[index], axes, 1, 1)[:, 0])
    return array * element * np.sqrt(ue_gain(paths.arrival[index], ues.heading_rad[u], channel.config.ue.antenna)[:, sector])


@pytest.mark.parametrize(("seed", "antenna", "tones"), [(1, "quad_sector", 4), (2, "isotropic", 1), (3, "quad_sector", 16)])
def test_state_equals_the_written_out_sum(seed, antenna, tones):
    channel, ues, paths, blockage = scene(seed, 9, 500, ue=UeConfig(antenna=antenna), paths=PathConfig(tones=tones))
    plan = best_plan(channel.sweep(paths, ues, None, 0))
    plan.trp[4, 1] = -1
    load_dl, load_ul = np.array([0.3, 0.9, 0.5, 0.0]), np.array([0.2, 0.0, 1.0, 0.4])
    state = channel.state(paths, ues, blockage, plan, load_dl, load_ul)
    expected = reference_state(channel, ues, paths, blockage, plan, load_dl, load_ul)
    for name in expected:
        if name.startswith("shadow"):
            continue
        got = getattr(state, name)
        if name in ("owner", "part"):
            np.testing.assert_array_equal(got, np.nan_to_num(expected[name], nan=-1.0))
        else:
            np.testing.assert_allclose(got, expected[name], atol=1e-6, rtol=0, err_msg=name)
    assert np.isnan(state.sinr_dl_db[4, 1])
    assert state.owner[4, 1] == -1
    assert (np.abs(state.body_loss_db[:, 0]) > 1).any()
    assert np.abs(blockage.field.imag).max() > 0.1  # the bodies' phases are in the sum


def test_shadow_is_the_best_of_the_empty_hall():
    channel, ues, paths, blockage = scene(4)
    empty = channel.sweep(paths, ues, None, 0)
    plan = best_plan(empty, second=False)
    state = channel.state(paths, ues, blockage, plan, np.ones(4), np.ones(4), empty)
    best = channel.snr_dl_db(empty.gain).max(axis=(1, 2, 3))
    np.testing.assert_allclose(state.shadow_dl_db[:, 0], channel.cap_sinr_db(best), atol=1e-9)
    best = channel.snr_ul_db(empty.gain).max(axis=(1, 2, 3))
    np.testing.assert_allclose(state.shadow_ul_db[:, 0], channel.cap_sinr_db(best), atol=1e-9)
    assert np.isnan(state.shadow_dl_db[:, 1]).all()
    without = channel.state(paths, ues, blockage, plan, np.ones(4), np.ones(4))
    np.testing.assert_array_equal(without.shadow_dl_db, state.shadow_dl_db)


def test_interference_only_harms_and_bodies_are_named():
    channel, ues, paths, _ = scene(5)
    plan = best_plan(channel.sweep(paths, ues, None, 0), second=False)
    busy, idle = np.ones(4), np.zeros(4)
    u = int(np.flatnonzero(paths.order[paths.offset[np.arange(19) * 4 + plan.trp[:, 0]]] == 0)[0])
    trp = channel.trp_position_m[plan.trp[u, 0]]
    on_the_way = trp + 0.97 * (ues.position_m[u] - trp)
    blockage = channel.blockage(paths, join(person(3, 3, owner=6), person(*on_the_way[:2], owner=9)), ues)
    state = channel.state(paths, ues, blockage, plan, busy, busy)
    quiet = channel.state(paths, ues, blockage, plan, idle, idle)
    assert (state.sinr_dl_db[:, 0] <= state.quiet_dl_db[:, 0]).all()
    np.testing.assert_allclose(quiet.sinr_dl_db, quiet.quiet_dl_db, atol=1e-12)
    np.testing.assert_allclose(quiet.quiet_ul_db, state.quiet_ul_db, atol=1e-12)
    assert state.owner[u, 0] == 9
    assert state.body_loss_db[u, 0] > 3


def test_without_bodies_clear_is_what_is_met():
    channel, ues, paths, _ = scene(6)
    plan = best_plan(channel.sweep(paths, ues, None, 0))
    state = channel.state(paths, ues, no_loss(len(paths.length_m)), plan, np.ones(4), np.ones(4))
    np.testing.assert_array_equal(state.clear_dl_db, state.sinr_dl_db)
    np.testing.assert_array_equal(state.clear_ul_db, state.sinr_ul_db)
    np.testing.assert_allclose(np.nan_to_num(state.body_loss_db), 0.0, atol=1e-12)
    assert (state.owner == -1).all()
    assert np.nanmax(state.sinr_dl_db) < 29.2  # the EVM ceiling


def test_a_walk_through_the_serving_link_dips_it_and_the_sweep_alike():
    trp = TrpConfig(name="only", position_m=(10.0, 20.0, 1.0), azimuth_deg=0, tx_power_dbm=-10.0)
    screens = BlockageConfig(model="model_b")
    channel = Channel(radio_config(trps=(trp,), paths=FREE, blockage=screens), Hall.empty((60, 40, 8)))
    ues = ues_at((20.0, 20.0, 1.0), heading_rad=math.pi)
    paths = channel.paths(ues)
    plan = plan_of([[0, -1]], [[36, -1]], [[0, -1]])
    sinr, gain = [], []
    for y in np.arange(18.5, 21.5, 0.014):  # 1.4 m/s in 10 ms steps
        blockage = channel.blockage(paths, person(15, y, owner=3), ues)
        sinr.append(channel.state(paths, ues, blockage, plan, np.zeros(1), np.zeros(1)).body_loss_db[0, 0])
        gain.append(channel.sweep(paths, ues, blockage.loss_db, 0).gain.max())
    dip = np.array(sinr)
    assert dip.max() == pytest.approx(8.74, abs=0.03)  # the 5 + 5 m vector at 28 GHz, antennas at 1 m
    assert np.abs(np.diff(dip)).max() < 0.8
    np.testing.assert_allclose(-10 * np.log10(np.array(gain) / max(gain)), dip, atol=1e-9)
    assert 180 <= 10 * (dip > 3).sum() <= 260


def test_bodies_scale_with_the_configuration():
    hall, ues = Hall.empty((60, 40, 8)), ues_at((20.0, 20.0, 1.0), heading_rad=math.pi)
    trp = TrpConfig(name="only", position_m=(10.0, 20.0, 1.0))
    loss = []
    for scale, half in ((1.0, 0.15), (1.5, 0.15), (1.0, 0.225)):
        blockage = BlockageConfig(model="model_b", body_scale=scale)
        channel = Channel(radio_config(trps=(trp,), paths=FREE, blockage=blockage), hall)
        loss.append(channel.blockage(channel.paths(ues), person(15, 20, half=(half, half)), ues).loss_db[0])
    assert loss[1] > loss[0] + 1
    assert loss[1] == loss[2]


def test_a_trps_gain_offset_counts_both_ways_and_in_the_remainder():
    trps = tuple(t.model_copy(update={"gain_offset_db": -7.0}) for t in TRPS)
    for remainder in (RemainderConfig(enabled=False), RemainderConfig()):
        channel, ues, paths, _ = scene(13, 4, remainder=remainder)
        lower = Channel(radio_config(trps=trps, remainder=remainder), channel.hall)
        full = channel.sweep(paths, ues, None, 0).gain
        np.testing.assert_allclose(lower.sweep(paths, ues, None, 0).gain, full * 10**-0.7, rtol=1e-9)
        assert full.max() > 0


def test_own_materials_replace_the_recommendations():
    mirror = MaterialOverride(name="concrete", relative_permittivity=1.0, conductivity_s_per_m=1e7)
    hall = Hall.empty((20, 20, 6))
    trp = TrpConfig(name="only", position_m=(5.0, 10.0, 3.0))
    metal = dataclasses.replace(hall, wall_material="metal", floor_material="metal", ceiling_material="metal")
    ues = ues_at((12.0, 11.0, 1.0))
    own = Channel(radio_config(trps=(trp,), materials=(mirror,)), hall).paths(ues)
    ready = Channel(radio_config(trps=(trp,)), metal).paths(ues)
    np.testing.assert_allclose(own.amplitude, ready.amplitude, rtol=1e-12)
    assert np.abs(Channel(radio_config(trps=(trp,)), hall).paths(ues).amplitude).sum() < 0.9 * np.abs(own.amplitude).sum()
    unknown = dataclasses.replace(hall, wall_material="sandwich panel")
    panel = MaterialOverride(name="sandwich panel", relative_permittivity=1.0, conductivity_s_per_m=1e7)
    assert len(Channel(radio_config(trps=(trp,), materials=(panel,)), unknown).paths(ues).order) > 1
    with pytest.raises(ValueError, match="'sandwich panel' is unknown"):
        Channel(radio_config(trps=(trp,)), unknown)


def test_measured_constants_reach_above_the_recommendations_frequencies():
    ues = ues_at((12.0, 11.0, 1.0))
    hall = dataclasses.replace(Hall.empty((20, 20, 6)), ceiling_material="concrete")
    trp = TrpConfig(name="only", position_m=(5.0, 10.0, 3.0))
    carrier = CarrierConfig(frequency_hz=140e9, bandwidth_hz=2e9, subcarrier_spacing_hz=120000, resource_blocks=264)
    with pytest.raises(ValueError, match="concrete"):
        Channel(radio_config(trps=(trp,), carrier=carrier), hall)
    measured = MaterialOverride(name="concrete", relative_permittivity=5.24, conductivity_s_per_m=2.2)
    paths = Channel(radio_config(trps=(trp,), carrier=carrier, materials=(measured,)), hall).paths(ues)
    direct = np.abs(paths.amplitude[paths.order == 0])
    np.testing.assert_allclose(direct, SPEED_OF_LIGHT_MPS / 140e9 / (4 * np.pi * paths.length_m[paths.order == 0]), rtol=1e-9)
    assert 0 < np.abs(paths.amplitude[paths.order == 1]).max() < direct[0]


def test_effective_sinr_equals_the_mean_of_information():
    rng = np.random.default_rng(1)
    evm2 = 0.035**2
    for n in (1, 3, 4, 16, 64):
        for level in (1e-12, 1e-6, 1e-3, 1.0, 1e3, 1e9):
            gain = rng.exponential(1.0, n)
            sinr = level * gain / (1 + level * gain * evm2)
            expected = 10 * np.log10(np.expm1(np.log1p(sinr).mean()))
            assert _effective(gain, n, level, evm2) == pytest.approx(expected, abs=1e-9)
    assert _effective(np.zeros(4), 4, 1.0, evm2) == -200.0
    assert _effective(np.full(64, 1.0), 64, 1e30, 1e-12) == pytest.approx(120.0)


def test_a_ue_without_paths_poisons_nobody():
    channel, ues, _, _ = scene(7)
    inside = channel.hall.box_center_m[0] + [0.3, 0.1, 0.2]
    position = ues.position_m.copy()
    position[2] = inside
    position[11] = [-5.0, 3.0, 1.0]
    lost = Ues(position, ues.heading_rad, ues.owner)
    paths = channel.paths(lost)
    body = join(person(float(position[2, 0]), float(position[2, 1]), owner=0), person(30, 20, owner=1))
    blockage = channel.blockage(paths, body, lost)
    sweep = channel.sweep(paths, lost, blockage.loss_db, 0)
    assert (sweep.gain[[2, 11]] == 0).all()
    plan = best_plan(sweep)
    state = channel.state(paths, lost, blockage, plan, np.ones(4), np.ones(4))
    for name in ("sinr_dl_db", "sinr_ul_db", "clear_dl_db", "quiet_ul_db", "shadow_dl_db"):
        values = getattr(state, name)
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values[[2, 11]], -200.0)
        assert (np.delete(values, [2, 11], axis=0)[:, 0] > -60).all()
    assert (state.body_loss_db[[2, 11]] == 0).all()


def test_a_ue_inside_a_foreign_body_stays_finite():
    channel, ues, paths, _ = scene(8)
    x, y, _ = ues.position_m[0]
    blockage = channel.blockage(paths, person(float(x), float(y), owner=0), ues)
    state = channel.state(paths, ues, blockage, best_plan(channel.sweep(paths, ues, None, 0)), np.ones(4), np.ones(4))
    assert np.isfinite(blockage.loss_db).all()
    assert np.isfinite(state.sinr_dl_db).all()


def test_same_inputs_give_the_same_bits():
    runs = []
    for _ in range(2):
        channel, ues, paths, blockage = scene(9)
        sweep = channel.sweep(paths, ues, blockage.loss_db, 0)
        state = channel.state(paths, ues, blockage, best_plan(sweep), np.full(4, 0.3), np.full(4, 0.6))
        runs.append((sweep.gain.tobytes(), state.sinr_dl_db.tobytes(), state.sinr_ul_db.tobytes(), blockage.loss_db.tobytes()))
    assert runs[0] == runs[1]


def test_the_cache_never_serves_another_tick():
    """Interleaved ticks (as forecasts do) give what a fresh channel gives."""
    channel, ues, paths, blockage = scene(10)
    later = Ues(ues.position_m, ues.heading_rad + 1.0, ues.owner)
    loads = np.full(4, 0.5)
    plan = best_plan(channel.sweep(paths, ues, None, 0))
    first = channel.state(paths, ues, blockage, plan, loads, loads)
    turned = channel.state(paths, later, blockage, plan, loads, loads)
    again = channel.state(paths, ues, no_loss(len(paths.length_m)), plan, loads, loads)
    fresh = Channel(channel.config, channel.hall)
    np.testing.assert_array_equal(turned.sinr_dl_db, fresh.state(paths, later, blockage, plan, loads, loads).sinr_dl_db)
    nobody = no_loss(len(paths.length_m))
    np.testing.assert_array_equal(again.sinr_dl_db, fresh.state(paths, ues, nobody, plan, loads, loads).sinr_dl_db)
    np.testing.assert_array_equal(first.sinr_dl_db, fresh.state(paths, ues, blockage, plan, loads, loads).sinr_dl_db)
    assert not np.array_equal(first.sinr_dl_db, turned.sinr_dl_db)


# --- what is refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ((61.0, 20.0, 3.0), r"TRP 'lost' at \(61.0, 20.0, 3.0\) m lies outside the hall of 60 x 40 x 8 m"),
        ((40.0, 12.0, 2.0), r"TRP 'lost' at \(40.0, 12.0, 2.0\) m lies inside box 3, centred at \[40.0, 12.0, 2.5\] m"),
        ((math.nan, 12.0, 2.0), r"TRP 'lost' position_m is \(nan, 12.0, 2.0\)"),
    ],
)
def test_a_misplaced_trp_is_refused(position, message):
    with pytest.raises(ValueError, match=message):
        Channel(radio_config(trps=(*TRPS, TrpConfig(name="lost", position_m=position))), assembly_hall())


def test_positions_that_are_not_numbers_are_refused():
    channel = Channel(radio_config(), assembly_hall())
    with pytest.raises(ValueError, match=r"position_m of UE 1 is \[1.0, nan, 1.0\]"):
        channel.paths(ues_at((1, 1, 1), (1, math.nan, 1)))
    with pytest.raises(ValueError, match="heading_rad of UE 0 is nan"):
        channel.paths(ues_at((1, 1, 1), heading_rad=math.nan))


@pytest.mark.parametrize(("trp", "beam", "sector"), [(4, 0, 0), (0, 64, 0), (0, -1, 0), (0, 0, 4), (0, 0, -1)])
def test_a_plan_beyond_the_antennas_is_refused(trp, beam, sector):
    channel, ues, paths, blockage = scene(11, 1)
    with pytest.raises(ValueError, match=rf"plan of UE 0 leg 0 names TRP {trp}, beam {beam}, sector {sector}"):
        channel.state(paths, ues, blockage, plan_of([[trp, -1]], [[beam, -1]], [[sector, -1]]), np.ones(4), np.ones(4))


def test_a_plan_for_other_ues_or_loads_of_other_trps_are_refused():
    channel, ues, paths, blockage = scene(12, 2)
    with pytest.raises(ValueError, match=r"have shapes \(\(1, 2\), .* wanted \(\(2, 2\)"):
        channel.state(paths, ues, blockage, plan_of([[0, -1]], [[0, -1]], [[0, -1]]), np.ones(4), np.ones(4))
    two = plan_of([[0, -1]] * 2, [[0, -1]] * 2, [[0, -1]] * 2)
    with pytest.raises(ValueError, match=r"have shapes .*\(3,\)"):
        channel.state(paths, ues, blockage, two, np.ones(3), np.ones(4))
