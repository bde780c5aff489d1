"""Profiles of TS 22.104 inside their published ranges, and how services lay streams over devices."""

import re

import numpy as np
import pytest
from packet_scene import CLASSES, one_stream, radio_config
from pydantic import ValidationError

from radio.config import CarrierConfig, ServiceConfig
from radio.messages.traffic import DOWNLINK, UPLINK, build_traffic
from radio.messages.traffic_profiles import PROFILES, YEAR_S, find_profile
from radio.messages.user_plane import faults


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
        ("motion-control-a", (50, 50), (500, 500), 500, 0.99999, 10 * YEAR_S),
        ("motion-control-b", (40, 40), (1_000, 1_000), 1_000, 0.999999, 10 * YEAR_S),
        ("motion-control-c", (20, 20), (2_000, 2_000), 2_000, 0.999999, 10 * YEAR_S),
        ("control-to-control-b", (1000, 1000), (1, 50_000), 50_000, 0.999999, 10 * YEAR_S),
        ("wired-to-wireless-100m", (6250, 6250), (1, 1_000), 3_000, 0.999999, 10 * YEAR_S),  # 50 Mbit/s
        ("wired-to-wireless-1g", (31_250, 31_250), (1, 1_000), 3_000, 0.999999, 10 * YEAR_S),  # 250 Mbit/s
        ("mobile-robot-standard", (40, 250), (40_000, 500_000), None, 0.999999, YEAR_S),
        ("mobile-panel", (40, 250), (4_000, 8_000), None, 0.999999, YEAR_S / 12),
        ("mobile-panel-crane", (40, 250), (1, 12_000), 12_000, 0.999999, YEAR_S),
        ("operation-panel-safety", (1, 1023), (10_000, 10_000), 10_000, 0.9999999, 86_400),
        ("operation-panel-motion", (10, 100), (1_000, 1_000), 1_000, 0.99999999, 86_400),
        ("operation-panel-haptic", (50, 50), (2_000, 2_000), 2_000, 0.99999999, 86_400),
        ("process-monitoring", (20, 255), (100_000, 60_000_000), 3_000_000, 0.9999, 7 * 86_400),
    ],
)
def test_profiles_lie_in_the_standard(name, size, interval_us, survival_us, availability, mtbf_s):
    profile = find_profile(name)
    assert size[0] <= profile.message_bytes <= size[1]
    assert interval_us[0] <= profile.transfer_interval_us <= interval_us[1]
    assert profile.survival_time_us == survival_us
    assert profile.availability >= availability
    assert profile.mtbf_s == pytest.approx(mtbf_s)


@pytest.mark.parametrize(
    ("name", "latency_us", "mbit_per_s", "availability", "mtbf_s"),
    [
        # TS 22.104 Tables 5.3-1 and 5.4-1: end-to-end latency, bit rate, availability, MTBF
        ("video-streaming", 10_000, 10.0, 0.999999, 7 * 86_400),
        ("panel-parallel-data", 30_000, 5.0, 0.999999, YEAR_S / 12),
        ("augmented-reality", 10_000, None, 0.999, YEAR_S / 12),
        ("wired-to-wireless-100m-event", 1_000, 25.0, 0.999999, 10 * YEAR_S),
        ("wired-to-wireless-1g-event", 1_000, 500.0, 0.999999, 10 * YEAR_S),
    ],
)
def test_profiles_with_a_bit_rate_carry_it(name, latency_us, mbit_per_s, availability, mtbf_s):
    profile = find_profile(name)
    assert profile.max_latency_us == latency_us
    if mbit_per_s is not None:
        assert 8 * profile.message_bytes / profile.transfer_interval_us == pytest.approx(mbit_per_s, rel=1e-4)
    assert (profile.availability, profile.mtbf_s) == (availability, mtbf_s)
    assert "assumed" in profile.source


def test_the_emergency_stop_is_an_event():
    profile = find_profile("emergency-stop-event")
    assert (profile.max_latency_us, profile.survival_time_us, profile.availability) == (8_000, 16_000, 0.99999999)
    assert profile.aperiodic
    traffic = one_stream(radio_config(), profile="emergency-stop-event")
    assert traffic.sent.poisson.tolist() == [True]
    assert traffic.survival.tolist() == [1]


def test_a_survival_time_below_the_interval_forgives_nothing():
    # TS 22.104 C.3: down once the bad spell outlasts the survival time; the first bad message already lasts an interval
    for survival_us in (0, 1, 9_999):
        traffic = one_stream(radio_config(), profile="mobile-robot", transfer_interval_us=10_000, survival_time_us=survival_us)
        assert traffic.survival.tolist() == [1]
    traffic = one_stream(radio_config(), profile="mobile-robot", transfer_interval_us=10_000, survival_time_us=10_000)
    assert traffic.survival.tolist() == [2]


@pytest.mark.parametrize(
    ("service", "match"),
    [
        ({"access": "configured_grant"}, r"^access configured_grant of service 'only': that is for the uplink"),
        (
            {"access": "semi_persistent", "direction": "uplink"},
            r"^access semi_persistent of service 'only': that is for the downlink",
        ),
        ({"sr_period_us": 1000}, r"^sr_period_us 1000 of service 'only': only an uplink with access dynamic"),
        ({"periodicity_us": 1000}, r"^periodicity_us 1000 of service 'only': occasions belong to"),
        ({"peers": "cobot"}, r"^peers cobot of service 'only': direction uplink_downlink, and no other"),
        ({"direction": "uplink_downlink"}, r"^peers None of service 'only'"),
        ({"direction": "uplink_downlink", "peers": "agv"}, r"^peers agv of service 'only': the hall has no other device"),
        ({"jitter_us": 5_001}, r"^jitter_us 5001 of service 'only': .* use at most 5000"),
        ({"jitter_us": 1, "arrival": "poisson"}, r"^jitter_us 1 of service 'only': events"),
        ({"profile": "video", "max_transmissions": 2}, r"^profile video of service 'only': frames are queued"),
    ],
)
def test_ways_of_sending_that_do_not_go_together(service, match):
    with pytest.raises(ValueError, match=match):
        one_stream(radio_config(), **({"profile": "mobile-robot"} | service))


@pytest.mark.parametrize(
    ("carrier", "match"),
    [
        ({"bandwidth_hz": 0}, r"greater than or equal to 5000000"),
        ({"processing_capability": 2}, r"processing_capability 2 does not exist at 120 kHz"),
        ({"subcarrier_spacing_hz": 60_000, "processing_capability": 2}, r"60 kHz exists below 7\.125 GHz only"),
        ({"tdd_pattern": "DDSU"}, r"special_slot None: give downlink:guard:uplink"),
        ({"special_slot": "6:4:4"}, r"there is no tdd_pattern"),
        ({"tdd_pattern": "DDSU", "special_slot": "6:4:4", "duplex": "fdd"}, r"duplex fdd has no TDD pattern"),
        ({"tdd_pattern": "DDDSUUU", "special_slot": "6:4:4"}, r"7 slots at 120 kHz last 0\.875 ms, no period"),
        ({"tdd_pattern": "DDDD+SUUU", "special_slot": "6:4:4"}, r"a carrier takes one pattern"),
    ],
)
def test_carriers_that_cannot_be(carrier, match):
    with pytest.raises(ValidationError, match=match):
        CarrierConfig(**carrier)


def test_latencies_that_nobody_can_meet_are_found_before_the_run():
    services = (
        ServiceConfig(name="ok", profile="mobile-robot", devices="agv"),
        ServiceConfig(name="fast", profile="motion-control-a", devices="agv"),
        ServiceConfig(name="hurried", profile="mobile-robot", devices="agv", max_latency_us=600),
        ServiceConfig(name="typo", profile="mobile-robo", devices="agv"),
        ServiceConfig(name="twice", profile="control-to-control", devices="agv", direction="uplink_downlink", peers="cobot",
                      max_latency_us=1_500),
        ServiceConfig(name="wrong", profile="mobile-robot", devices="agv", sr_period_us=1_000),
    )  # fmt: skip
    found = dict(faults(radio_config(services=services)))
    assert list(found) == [
        f"services[{i}].{f}"
        for i, f in ((1, "profile"), (2, "max_latency_us"), (3, "profile"), (4, "max_latency_us"), (5, "sr_period_us"))
    ]
    assert "allow at least 768 us" in found["services[2].max_latency_us"]
    config = radio_config(services=services[1:2], core_delay_us=50)
    assert list(faults(config)) == []  # 120 kHz and a core near by do it
    few = CarrierConfig(tdd_pattern="DDDS", special_slot="6:4:4", resource_blocks=11)  # no slot with more than 3 uplink symbols
    none = CarrierConfig(subcarrier_spacing_hz=15_000, downlink_share=0.06, resource_blocks=50)
    assert "leaves the downlink 0 of 14 symbols" in dict(faults(radio_config(carrier=none)))["carrier.downlink_share"]
    large = ServiceConfig(name="large", profile="control-to-control", devices="agv", direction="uplink")
    assert list(faults(radio_config(services=(large,), carrier=few))) == []
    slow = radio_config(services=services[2:3], carrier=CarrierConfig(subcarrier_spacing_hz=15_000, resource_blocks=50))
    assert "at 15 kHz" in dict(faults(slow))["services[0].max_latency_us"]


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
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert re.match(r"TS 22\.104 (Table 5\.2-1|Tables 5\.3-1 and 5\.4-1), ", profile.source)
