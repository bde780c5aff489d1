"""A second system on the carrier: what it adds to true SINRs, and when it is permitted."""

import math

import numpy as np
import pytest
from packet_scene import make_plan, make_state, radio_config

from radio.config import RadioConfig, RemainderConfig, TrpConfig
from radio.policies.reports import Report
from radio.policies.spectrum_access import AccessControl, Heard, Secondary, SecondaryChannel, disturb, noise_rise
from radio.propagation.geometry import Hall
from radio.types import Blockers, LinkStates, Ues

EVM = 0.035**2


def heard(n_ue, ue=0.0, trp=0.0, n_trp=2):
    return Heard(np.full((n_ue, 4), ue), np.full((n_trp, 64), trp))


def test_interference_over_noise_is_added_to_noise():
    # 20 dB over noise and EVM, and a secondary as strong as the noise: 3 dB of the signal-to-noise ratio
    snr = 10.0**2.0
    quiet = -10 * math.log10(1 / snr + EVM)
    states, plan = LinkStates.of((make_state(2, quiet, quiet_db=quiet),)), make_plan(2, 2)
    disturb(states, (plan,), heard(2, ue=1.0), EVM)
    wanted = -10 * math.log10(2 / snr + EVM)
    np.testing.assert_allclose(states[0].sinr_dl_db[:, 0], wanted)
    np.testing.assert_allclose(states[0].clear_dl_db[:, 0], wanted)
    np.testing.assert_allclose(states[0].sinr_ul_db, quiet)  # no TRP hears it
    np.testing.assert_allclose(states[0].quiet_dl_db, quiet)
    np.testing.assert_allclose(states[0].sinr_dl_db[:, 1], quiet)  # legs that are not there


def test_interference_of_others_stays():
    quiet, with_others = 20.0, 14.0
    states, plan = LinkStates.of((make_state(1, with_others, quiet_db=quiet),)), make_plan(1, 2)
    disturb(states, (plan,), heard(1, trp=3.0), 0.0)
    wanted = -10 * math.log10(10**-1.4 + 3.0 * 10**-2.0)
    np.testing.assert_allclose(states[0].sinr_ul_db[0, 0], wanted)
    np.testing.assert_allclose(states[0].sinr_dl_db[0, 0], with_others)


def test_without_the_body_the_signal_is_stronger():
    states = LinkStates.of((make_state(1, 5.0, clear_db=20.0, quiet_db=5.0, body_db=15.0),))
    disturb(states, (make_plan(1, 2),), heard(1, ue=1.0), 0.0)
    assert states[0].sinr_dl_db[0, 0] == pytest.approx(5.0 - 10 * math.log10(2))
    assert states[0].clear_dl_db[0, 0] == pytest.approx(20.0 - 10 * math.log10(2))


def test_every_leg_hears_its_own_sector_and_beam():
    plan = make_plan(2, 2, second=True)
    plan.sector[:] = [[0, 3], [1, 2]]
    plan.beam[:] = [[5, 6], [7, 8]]
    at_ues, at_trps = np.arange(8.0).reshape(2, 4), np.arange(128.0).reshape(2, 64)
    rise = noise_rise(Heard(at_ues, at_trps), plan)
    np.testing.assert_allclose(rise[0], [[0, 3], [5, 6]])
    np.testing.assert_allclose(rise[1], [[5, 64 + 6], [64 + 7, 8]])


def expected(snr_db, ul_over_dl_db=0.0):
    """Make reports in which every pair of two devices and two TRPs has an SNR."""
    budget = np.zeros((3, 2))
    budget[1] = ul_over_dl_db
    return tuple(Report(k, np.full((2, 2, 64, 4), 10.0 ** (0.1 * level)), budget) for k, level in enumerate(snr_db))


@pytest.mark.parametrize(
    ("snr_db", "over_noise_db", "permitted"),
    [
        ((30.0, 28.0), -20.0, True),
        ((30.0, 28.0), 6.0, True),  # 28 - 10 lg (1 + 2 * 4) = 18.5 dB before EVM
        ((30.0, 28.0), 15.0, False),
        ((30.0, 13.0), -60.0, False),  # a body is coming: what is left is the primary's
        ((13.0, 30.0), -60.0, False),
    ],
)
def test_it_is_permitted_where_every_link_keeps_its_margin(snr_db, over_noise_db, permitted):
    control = AccessControl(radio_config(2), need_db=8.0, guard_db=3.0)  # and 6 dB of margin
    ratio = 10.0 ** (0.1 * over_noise_db)
    assert control.permits(make_plan(2, 2), expected(snr_db), heard(2, ue=ratio)) is permitted
    assert control.permits(make_plan(2, 2), expected(snr_db), heard(2, trp=ratio)) is permitted


def test_the_weaker_direction_decides():
    control = AccessControl(radio_config(2), need_db=8.0)
    assert control.permits(make_plan(2, 2), expected((18.0,)), heard(2))
    assert not control.permits(make_plan(2, 2), expected((18.0,), -6.0), heard(2))


def hall_and_config():
    hall = Hall(np.array([40.0, 20.0, 8.0]), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), ())
    trps = (TrpConfig(name="a", position_m=(1.0, 10.0, 6.0), downtilt_deg=10),)
    return hall, RadioConfig(trps=trps, remainder=RemainderConfig(enabled=False), paths={"max_order": 0})


def test_what_arrives_falls_with_the_square_of_the_distance_and_with_a_body():
    hall, config = hall_and_config()
    channel = SecondaryChannel(config, hall, Secondary((10.0, 10.0, 1.5), 0.0, 10.0))
    ues = Ues(np.array([[15.0, 10.0, 1.5], [20.0, 10.0, 1.5]]), np.full(2, np.pi), np.full(2, -1))
    plan = make_plan(2, 1)
    free = channel.heard(ues, None, 0, plan)
    near, far = free.at_ues.max(axis=1)
    assert near / far == pytest.approx(4.0, rel=1e-6)
    # 10 dBm, element of 8 dBi, 5 m at 28 GHz, a panel of 2 x 2 elements of 5 dBi, noise of 100 MHz and NF 9
    noise_dbm = 10 * math.log10(1.380649e-23 * 290 * 1e3 * config.carrier.bandwidth_hz) + 9
    wanted_db = 10 + 8 + 11 - 20 * math.log10(4 * np.pi * 5 * 28e9 / 299_792_458) - noise_dbm
    assert 10 * math.log10(near) == pytest.approx(wanted_db, abs=0.3)
    index = np.zeros(1, np.int64)
    body = Blockers(
        np.array([[12.0, 10.0, 0.0]]), np.array([[12.0, 10.0, 1.8]]), np.full((1, 2), 0.25), np.zeros(1), index, index, index
    )
    behind = channel.heard(ues, body, 0, plan)
    assert 10 * math.log10(free.at_ues.max() / behind.at_ues.max()) > 8.0
    assert behind.at_trps.max() == pytest.approx(free.at_trps.max())  # nobody stands on that way


def test_another_carrier_hears_nothing():
    hall, config = hall_and_config()
    other = config.model_dump()
    other["carriers"] = [{"name": "other", "frequency_hz": 26e9, "bandwidth_hz": 50e6, "resource_blocks": 32}]
    other["trps"][0]["carrier"] = "other"
    channel = SecondaryChannel(RadioConfig.model_validate(other), hall, Secondary((10.0, 10.0, 1.5), 0.0, 10.0))
    ues = Ues(np.array([[15.0, 10.0, 1.5]]), np.zeros(1), np.full(1, -1))
    found = channel.heard(ues, None, 0, make_plan(1, 1))
    assert found.at_ues.max() == found.at_trps.max() == 0.0
