"""Devices that choose for themselves: what they sense, what they may not know, and what they do; and a centre that is silent."""

import dataclasses

import numpy as np
import pytest
from fabricated_air import FabricatedChannel, nobody
from packet_scene import CLASSES, DT_US, radio_config
from policy_drive import column, drive, report_of, standing, sweep_of

from radio.config import BeamManagementConfig
from radio.messages.traffic import build_traffic
from radio.network import Ether, Network
from radio.policies import Observation, create_policy
from radio.policies.decentralised_kernels import BLOCKED_DB, Tracks, follow_levels, rays_at_risk
from radio.policies.sensing import Sensed, Sensing, bodies_of
from radio.policy_config import CentreOutageConfig, DecentralisedConfig
from radio.types import Blockers


def levels(*trps):
    """SNR of one UE, one beam a TRP, one sector, (1, T, 1, 1) [dB]."""
    return np.array(trps, dtype=float)[None, :, None, None]


def sensed_of(report, n_ue, bodies=None, heard=None, apart=None, time_us=0):
    """Make what devices sense; bodies (U, N, 2)."""
    body = np.zeros((n_ue, 0, 2)) if bodies is None else bodies
    n = body.shape[1]
    return Sensed(
        report, time_us, np.zeros((n_ue, 2)), np.ones(n_ue), body, np.full(n, 1.8), np.full(n, 0.2),
        np.zeros((n_ue, n_ue), np.bool_) if heard is None else heard,
        np.zeros((n_ue, n_ue)) if apart is None else apart, np.ones(n_ue, np.bool_),
    )  # fmt: skip


# what devices sense


def test_sensors_see_bodies_within_their_radius_and_not_who_carries_them():
    config = radio_config(1, decentralised=DecentralisedConfig(sensing_radius_m=5.0, sensing_noise_m=0.0, hear_radius_m=3.0))
    ues, body = standing(4)  # devices at x = 0, 2, 4, 6; the body at (4, 1)
    ues = dataclasses.replace(ues, owner=np.array([-1, -1, 0, -1]))
    sensing = Sensing(config, np.random.default_rng(0))
    assert sensing.now() is None
    sensing.look(0, DT_US, ues, body)
    sensed = sensing.now()
    seen = np.isfinite(sensed.body_m[:, 0, 0])
    assert seen.tolist() == [True, True, False, True]  # device 2 is carried by that body
    np.testing.assert_allclose(sensed.body_m[0, 0], [4.0, 1.0])
    assert (sensed.body_top_m[0], sensed.body_radius_m[0]) == (1.8, 0.2)
    far = dataclasses.replace(ues, position_m=ues.position_m + np.array([20.0, 0, 0]))
    sensing.look(50_000, DT_US, far, body)
    assert np.isnan(sensing.now().body_m).all()


def test_beacons_go_round_and_reach_as_far_as_they_should():
    section = DecentralisedConfig(hear_radius_m=3.0, beacon_loss=0.25, beacon_period_ms=100, sensing_noise_m=0.0)
    ues, body = standing(5)
    sensing, heard, sent = (
        Sensing(radio_config(1, decentralised=section), np.random.default_rng(0)),
        np.zeros((5, 5)),
        np.zeros(5),
    )
    for k in range(4000):
        sensing.look(k * DT_US, DT_US, ues, body)
        heard, sent = heard + sensing.now().heard, sent + sensing.now().sent
    assert sent.tolist() == [400] * 5
    near = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) == 1  # 2 m apart; the next are 4 m away
    assert np.all(heard[~near] == 0)
    assert heard[near].mean() / 400 == pytest.approx(0.75, abs=0.03)


def test_own_measurements_are_finer_than_reports_and_noisy():
    def spread(noise_db):
        section = DecentralisedConfig(measurement_noise_db=noise_db)
        config = radio_config(1, decentralised=section)
        sensing = Sensing(config, np.random.default_rng(0))
        ues, body = standing(1)
        sensing.look(0, DT_US, ues, body)
        sensing.measure(sweep_of(config, np.full((1, 1, 2000, 1), 10.04), 0))
        return sensing.now().report.snr_dl_db

    np.testing.assert_allclose(spread(0.0), 10.0)  # in steps of 0.1 dB
    assert spread(1.5).std() == pytest.approx(1.5, rel=0.1)


def test_a_body_is_the_rectangle_of_its_screens():
    body = Blockers(
        np.array([[0.0, 0, 0], [2.0, 0, 1.0], [9.0, 9, 0]]), np.array([[0.0, 0, 1.5], [2.0, 1.0, 1.7], [9.0, 9, 2.0]]),
        np.array([[0.2, 0.1], [0.3, 0.3], [0.4, 0.1]]), np.zeros(3), np.zeros(3, np.int64), np.array([5, 5, 7]),
        np.zeros(3, np.int64),
    )  # fmt: skip
    place, top, wide, owner = bodies_of(body)
    np.testing.assert_allclose(place, [[1.0, 0.5], [9.0, 9.0]])
    np.testing.assert_allclose(top, [1.7, 2.0])
    np.testing.assert_allclose(wide, [0.3, 0.4])
    assert owner.tolist() == [5, 7]


# what follows from it


def test_tracks_find_the_velocity_of_a_walker():
    tracks, rng = Tracks.empty(1), np.random.default_rng(3)
    for k in range(80):
        seen = np.array([[[1.4 * 0.05 * k, 2.0]]]) + 0.02 * rng.standard_normal((1, 1, 2))
        tracks = tracks.follow(seen, 0.05)
    np.testing.assert_allclose(tracks.velocity_mps[0, 0], [1.4, 0.0], atol=0.15)
    lost = tracks.follow(np.full((1, 1, 2), np.nan), 0.05)
    assert np.isnan(lost.place_m).all()
    assert lost.velocity_mps[0, 0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("body", "velocity", "risk"),
    [
        ((2.0, 0.0), (0.0, 0.0), True),  # stands in the ray, where it is 1.8 m high
        ((2.0, 1.0), (0.0, 0.0), False),
        ((2.0, 1.0), (0.0, -2.0), True),  # walks into it within the horizon of 0.5 s
        ((2.0, 1.0), (0.0, 2.0), False),
        ((8.0, 0.0), (0.0, 0.0), False),  # the ray is 4.2 m high there
        ((-2.0, 0.0), (0.0, 0.0), False),  # behind the device
    ],
)
def test_a_ray_is_at_risk_where_a_body_comes(body, velocity, risk):
    found = rays_at_risk(
        np.zeros((1, 2)), np.array([1.0]), np.array([[10.0, 0.0, 5.0]]), np.array([[body]]), np.array([[velocity]]),
        np.array([1.8]), np.array([0.2]), 0.5, 0.25,
    )  # fmt: skip
    assert found.tolist() == [[risk]]


def test_a_trp_is_blocked_while_it_is_far_below_its_mean():
    mean, blocked = np.full((1, 1), np.nan), np.zeros((1, 1), np.bool_)
    seen = []
    for k in range(200):
        body = 50 <= k < 100
        follow_levels(mean, blocked, np.array([[20.0 - (BLOCKED_DB + 4.0) * body]]), 20_000.0)
        seen.append(bool(blocked[0, 0]))
    assert seen == [50 <= k < 100 for k in range(200)]


def test_a_second_leg_is_there_before_a_sensed_body_arrives():
    config = radio_config(2, decentralised=DecentralisedConfig(horizon_ms=500.0))  # TRPs at (0, 5) and (10, 5)
    policy, load = create_policy("decentralised", config, 1), np.zeros(2)
    report, legs = report_of(levels(20.0, 18.0), 0), np.array([[19.0, np.nan]])
    seconds = []
    for k in range(100):
        now = k * DT_US
        x = 1.5 - 1.5 * (now - now % 50_000) * 1e-6  # walks towards the ray to TRP 0, along the y axis at x = 0
        sensed = sensed_of(report, 1, np.array([[[x, 0.6]]]), time_us=now - now % 50_000)
        plan = policy.plan(Observation(now, report, None, now - DT_US, int(k > 0), legs, legs, load, load, None, sensed=sensed))
        seconds.append(int(plan.trp[0, 1]))
    first = seconds.index(1) * DT_US * 1e-6
    # it takes the tracker some looks to believe the velocity; the body is in the ray at 0.7 to 1.3 s
    assert 0.2 < first < 0.7
    assert set(seconds[seconds.index(1) :]) == {1}
    assert set(seconds[: seconds.index(1)]) == {-1}


def test_a_second_leg_moves_on_while_risk_lasts():
    """A device whose first and second TRP both fade away, with somebody in its way all the while, is not left with them."""
    config = radio_config(3)
    policy, load = create_policy("decentralised", config, 1), np.zeros(3)
    somebody = np.array([[[0.0, 0.6]]])  # in the ray to TRP 0
    served = []
    for k in range(80):
        now = k * DT_US
        report = report_of(levels(20.0, 18.0, 5.0) if k < 30 else levels(2.0, 1.0, 20.0), now - now % 20_000)
        legs = np.array([[19.0, 17.0]]) if k < 30 else np.array([[2.0, 19.0 if served[-1][1] == 2 else 1.0]])
        if k > 30 and served[-1][0] == 2:
            legs = legs[:, ::-1].copy()
        sensed = sensed_of(report, 1, somebody, time_us=now - now % 50_000)
        plan = policy.plan(Observation(now, report, None, now - DT_US, int(k > 0), legs, legs, load, load, None, sensed=sensed))
        served.append(plan.trp[0].tolist())
    assert served[20] == [0, 1]
    assert 2 in served[40]
    assert served[-1][0] == 2


def test_a_neighbours_beacon_prepares_a_second_leg():
    config = radio_config(2, decentralised=DecentralisedConfig(neighbour_radius_m=3.0))

    def second(apart_m, hears):
        policy, load = create_policy("decentralised", config, 2), np.zeros(2)
        legs, found = np.array([[19.0, np.nan]] * 2), []
        for k in range(40):
            now = k * DT_US
            snr = np.concatenate([levels(20.0, 18.0), levels(20.0 if k < 20 else 8.0, 18.0)])  # device 1 loses TRP 0
            report = report_of(snr, now - now % 20_000)
            heard = np.array([[False, hears], [False, False]])
            sensed = sensed_of(report, 2, None, heard, np.full((2, 2), apart_m), now)
            plan = policy.plan(
                Observation(now, report, None, now - DT_US, int(k > 0), legs, legs, load, load, None, sensed=sensed)
            )
            found.append(int(plan.trp[0, 1]))
        return found

    told = second(2.0, True)
    assert set(told[:21]) == {-1}
    assert set(told[22:]) == {1}  # a tick after device 1 found out
    assert set(second(2.0, False)) == {-1}
    assert set(second(8.0, True)) == {-1}


def test_a_device_knows_nothing_of_another_that_it_does_not_hear():
    """Other measurements, bodies, loads, reports and forecasts of others change no row of device 0."""
    config = radio_config(3)
    rows = []
    for other in (0, 1):
        mine, theirs = np.random.default_rng(4), np.random.default_rng(50 + other)
        policy, plans = create_policy("decentralised", config, 3), []
        for k in range(150):
            now = k * DT_US
            gain = np.concatenate([mine.uniform(0, 25, (1, 3, 4, 2)), theirs.uniform(0, 25, (2, 3, 4, 2))])
            bodies = np.concatenate([mine.uniform(-3, 3, (1, 4, 2)), theirs.uniform(-3, 3, (2, 4, 2))])
            legs = np.concatenate([mine.uniform(0, 20, (1, 2)), theirs.uniform(0, 20, (2, 2))])
            own, central = report_of(gain, now - now % 20_000), report_of(theirs.uniform(0, 25, gain.shape), now)
            survey = report_of(np.concatenate([np.full((1, 3, 4, 2), 10.0), gain[1:]]), 0)
            load = theirs.random(3)
            sensed = sensed_of(own, 3, bodies, np.zeros((3, 3), np.bool_), None, now)
            seen = Observation(now, survey, central, now - DT_US, 1, legs, legs, load, load, (central,), central, sensed=sensed)
            plans.append(policy.plan(seen))
        rows.append([np.array([column(plans, name, 0, leg) for leg in (0, 1)]) for name in ("trp", "beam", "sector", "usable")])
        rows[-1] += [column(plans, name) for name in ("sinr_dl_db", "sinr_ul_db", "repetitions")]
    for a, b in zip(*rows, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_follows_a_better_beam_before_the_report_is_there():
    beams = BeamManagementConfig(report_delay_ms=40.0)

    def snr_at(t):
        snr = np.full((1, 1, 2, 1), -20.0)
        snr[0, 0, 0, 0], snr[0, 0, 1, 0] = (20.0, 0.0) if t < 100_000 else (8.0, 20.0)
        return snr

    changed = {}
    for name in ("reactive", "decentralised"):
        plans = drive(name, radio_config(1, beam_management=beams), snr_at, 40)
        changed[name] = int(np.flatnonzero(column(plans, "beam", leg=0) == 1)[0]) * DT_US
    assert changed["reactive"] - changed["decentralised"] >= 30_000


def test_a_hall_with_sensing_needs_a_generator():
    config = radio_config(1).model_copy(update={"policy": "decentralised", "compare": ()})
    with pytest.raises(ValueError, match="needs a generator: pass rng to Ether"):
        Ether(config, FabricatedChannel(config, 1, 0))


def test_whole_networks_run_bit_identically():
    def fingerprints(seed):
        config = radio_config(3).model_copy(update={"policy": "decentralised", "compare": ()})
        channel = FabricatedChannel(config, len(CLASSES), 11)
        traffic = build_traffic(config, CLASSES, np.random.default_rng(11))
        ether = Ether(config, channel, np.random.default_rng(seed))
        network = Network(config, channel, traffic, "decentralised", len(CLASSES), 5)
        (ues, _), body = nobody(len(CLASSES)), standing(len(CLASSES))[1]
        sums = []
        for k in range(120):
            known = ether.begin(k * DT_US, DT_US, ues)
            delivered = network.step(ether.finish(known, body, [network.decide(known)]))
            sums.append(
                (float(delivered.loss_probability.sum()), int(network.plan.trp.sum()), float(network.plan.sinr_dl_db.sum()))
            )
        return sums

    assert fingerprints(7) == fingerprints(7)
    assert fingerprints(7) != fingerprints(8)


# a silent centre


def silent_run(name, at_us=300_000, until_us=900_000, wait_ms=60.0):
    """TRP 0 is lost for good 100 ms after the centre fell silent; legs and whether they carry data, tick by tick."""
    outage = CentreOutageConfig(start_s=at_us * 1e-6, duration_s=(until_us - at_us) * 1e-6, reestablishment_ms=wait_ms)
    config = radio_config(2, centre_outages=(outage,)).model_copy(update={"policy": name, "compare": ()})
    channel = FabricatedChannel(config, 1, 0)
    channel.clear_db = lambda t: np.stack(
        [np.full((1, 8, 2), 24.0 if t < at_us + 100_000 else -20.0), np.full((1, 8, 2), 18.0)], 1
    )
    channel.body_db = lambda t: np.zeros((1, 2))
    traffic = build_traffic(config, ("agv",), np.random.default_rng(0))
    ether, network = Ether(config, channel, np.random.default_rng(0)), Network(config, channel, traffic, name, 1, 5)
    ues, body = nobody(1)[0], standing(1)[1]
    found = []
    for k in range(140):
        known = ether.begin(k * DT_US, DT_US, ues)
        plan = network.decide(known)
        network.step(ether.finish(known, body, [plan]))
        found.append((int(plan.trp[0, 0]), bool(plan.usable[0, 0])))
    return found


def test_a_device_re_establishes_by_itself_while_the_centre_is_silent():
    found = silent_run("reactive")
    served = [k for k, (trp, usable) in enumerate(found) if trp == 1 and usable]
    # lost at 400 ms, two failed occasions (one a tick), PRACH, beam recovery, and 60 ms
    assert 48 <= served[0] <= 52
    back = silent_run("reactive", wait_ms=0.0)
    assert next(k for k, (trp, usable) in enumerate(back) if trp == 1 and usable) in (served[0] - 6, served[0] - 7)
    assert all(trp == 1 for trp, _ in found[60:])


def test_a_static_plan_stays_until_the_device_acts():
    found = silent_run("static")
    assert {trp for trp, _ in found[:40]} == {0}
    assert found[60][0] == 1


def test_devices_that_choose_do_not_mind():
    config_with = silent_run("decentralised")
    never = silent_run("decentralised", at_us=300_000, until_us=300_001)  # over before its first tick ends
    assert config_with == never


def test_a_centre_that_comes_back_plans_again():
    found = silent_run("duplicate", until_us=500_000)
    assert found[-1] == (1, True)
