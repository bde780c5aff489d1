"""A hall with every way of sending at once runs, is the same again with its seed, and keeps its slices."""

from pathlib import Path

import numpy as np

from factory.scenario import load_scenario, shipped_scenario
from factory.twin import Twin
from radio.messages.slices import Slices
from robots.state import COMMUNICATION

SERVICES = """  services:
    - {name: agv-control, profile: mobile-robot, devices: agv, access: semi_persistent, periodicity_us: 1000,
       max_transmissions: 2}
    - {name: cobot-control, profile: control-to-control, devices: cobot, jitter_us: 500}
    - {name: agv-to-cobot, profile: mobile-robot, devices: agv, direction: uplink_downlink, peers: cobot, repetitions: 2}
    - {name: panel-estop, profile: mobile-panel-estop, devices: panel, access: dynamic, sr_period_us: 2000}
    - {name: panel-button, profile: emergency-stop-event, devices: panel, transfer_interval_us: 100000}
    - {name: agv-video, profile: video, devices: agv, share: 0.5, message_bytes: 75000}
  slices:
    - {name: control, services: [agv-control, cobot-control, agv-to-cobot], guaranteed_share: 0.3, dedicated_share: 0.1}
    - {name: video, services: [agv-video], maximum_share: 0.6}
  link_adaptation: {redundancy: tdm_repetition, soft_combining: incremental_redundancy, feedback: cqi}
  core_delay_us: 300
"""


def ticks(file: Path, n: int):
    twin = Twin(load_scenario(str(file)))
    try:
        got = [twin.tick() for _ in range(n)]
        return [t.delivered for t in got], got[-1], twin
    finally:
        twin.close()


def test_every_way_of_sending_runs_in_the_twin(tmp_path):
    text = shipped_scenario("small").read_text()
    text = text[: text.index("  services:\n")] + SERVICES + text[text.index("    - {name: agv-video") :].partition("\n")[2]
    text = text.replace("resource_blocks: 32}", 'resource_blocks: 32, tdd_pattern: DDSU, special_slot: "6:4:4"}')
    file = tmp_path / "hall.yaml"
    file.write_text(text)
    first, last, twin = ticks(file, 120)
    again, _, _ = ticks(file, 120)
    traffic = twin.traffic
    assert [traffic.service_name[v] for v in np.unique(traffic.service)] == list(traffic.service_name)
    slices = Slices(twin.scenario.radio.slices, traffic.service_name)
    for a, b in zip(first, again, strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one.ints, other.ints)
            np.testing.assert_array_equal(one.floats, other.floats)
            np.testing.assert_array_equal(one.spent_by_service.sum(axis=0), one.spent)
            video = one.spent_by_service[slices.of_service == 1].sum(axis=0)
            assert np.all(video <= 0.6 * one.available)
    acting = [d[0] for d in first]
    ok, stream = (np.concatenate([getattr(d, name) for d in acting]) for name in ("ok", "stream"))
    by_service = [ok[traffic.service[stream] == v].mean() for v in range(5)]
    assert min(by_service) > 0.9  # a calm second in the small hall
    # a button that nobody presses is no lost command
    assert not np.any(twin.agvs.mode == COMMUNICATION)
    assert not np.any(twin.cobot_state.mode == COMMUNICATION)
    assert last.time_us == 1_190_000
