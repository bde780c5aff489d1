"""Profiles of TS 22.104 inside their published ranges, and how services lay streams over devices."""

import numpy as np
import pytest
from packet_scene import CLASSES, one_stream, radio_config

from radio.config import ServiceConfig
from radio.traffic import DOWNLINK, PROFILES, UPLINK, YEAR_S, build_traffic, find_profile


@pytest.mark.parametrize(
    ("name", "size", "interval_us", "survival_us", "availability", "mtbf_s"),
    [
        # TS 22.104 Table 5.2-1: message bytes, transfer interval, survival time (None: the interval), availability, MTBF
        ("mobile-robot", (40, 250), (1_000, 50_000), None, 0.999999, 10 * YEAR_S),
        ("control-to-control", (1000, 1000), (1, 10_000), 10_000, 0.999999, 10 * YEAR_S),
        ("mobile-panel-estop", (40, 250), (8_000, 8_000), 16_000, 0.99999999, 86_400),
        ("video", (15_000, 250_000), (10_000, 100_000), None, 0.999999, YEAR_S),
        ("motion-control", (20, 20), (2_000, 2_000), 2_000, 0.999999, 10 * YEAR_S),
        ("process-closed-loop", (20, 20), (10_000, 10_000_000), 0, 0.999999, YEAR_S),
    ],
)
def test_profiles_lie_in_the_standard(name, size, interval_us, survival_us, availability, mtbf_s):
    profile = find_profile(name)
    assert size[0] <= profile.message_bytes <= size[1]
    assert interval_us[0] <= profile.transfer_interval_us <= interval_us[1]
    assert profile.survival_time_us == survival_us
    assert profile.availability >= availability
    assert profile.mtbf_s == pytest.approx(mtbf_s)


def test_unknown_profile_names_the_field_and_lists_the_known():
    with pytest.raises(ValueError, match=r"^profile 'mobile-robo' is unknown; known: mobile-robot, control-to-control"):
        find_profile("mobile-robo")


def test_default_scenario_streams():
    traffic = build_traffic(radio_config(), CLASSES, np.random.default_rng(1))
    assert np.bincount(traffic.service).tolist() == [12, 4, 3, 6]  # every second AGV sends video
    agv = traffic.service == 0
    assert set(traffic.direction[agv]) == {DOWNLINK}
    assert set(traffic.direction[traffic.service == 2]) == {UPLINK}
    assert set(traffic.survival[agv]) == {2}
    assert set(traffic.survival[traffic.service == 2]) == {3}
    assert np.all(traffic.deadline_us <= traffic.interval_us)
    assert np.all((traffic.offset_us >= 0) & (traffic.offset_us < traffic.interval_us))
    assert traffic.video.tolist() == [False] * 19 + [True] * 6
    assert traffic.bits[agv].tolist() == [512] * 12


def test_same_seed_same_offsets():
    first, second, other = (build_traffic(radio_config(), CLASSES, np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first.offset_us, second.offset_us)
    assert not np.array_equal(first.offset_us, other.offset_us)


def test_every_field_of_a_profile_can_be_overridden():
    traffic = one_stream(
        radio_config(),
        profile="mobile-robot",
        direction="uplink",
        transfer_interval_us=4_000,
        survival_time_us=12_000,
        max_latency_us=2_000,
        message_bytes=100,
        availability_target=0.999,
        mtbf_target_s=77.0,
    )
    assert traffic.direction.tolist() == [UPLINK]
    assert (int(traffic.interval_us[0]), int(traffic.survival[0]), int(traffic.deadline_us[0])) == (4_000, 4, 2_000)
    assert (int(traffic.bits[0]), traffic.availability_target[0], traffic.mtbf_target_s[0]) == (800, 0.999, 77.0)


def test_survival_and_latency_follow_an_overridden_interval():
    traffic = one_stream(radio_config(), profile="mobile-robot", transfer_interval_us=40_000)
    assert (int(traffic.survival[0]), int(traffic.deadline_us[0])) == (2, 40_000)


def test_absurd_survival_time_is_refused():
    with pytest.raises(ValueError, match="survival_time_us 60000000 of service 'only' spans 600001 messages"):
        one_stream(radio_config(), profile="mobile-robot", transfer_interval_us=100, survival_time_us=60_000_000)


def test_no_device_of_a_class_gives_no_stream():
    config = radio_config(services=(ServiceConfig(name="a", profile="mobile-robot", devices="cobot"),))
    assert build_traffic(config, ("agv", "panel"), np.random.default_rng(0)).n_streams == 0


def test_every_profile_names_its_row():
    assert all(p.source.startswith("TS 22.104 Table 5.2-1, ") and p.name == name for name, p in PROFILES.items())
