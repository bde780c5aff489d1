"""Radio measurements at a broker become alarms of the live twin, and correct its radio where that is allowed."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.inbox import Answer, Command
from bridges.mqtt import Message, MqttConnection
from bridges.opcua.audit import AuditLog
from bridges.radio_reports import RadioReadings
from bridges.vda5050.base import stamp
from factory.live_connect import connect_plant
from factory.live_radio import LiveRadio
from factory.live_record import fingerprint
from factory.live_twin import LiveTwin
from factory.publish import build_view
from factory.scenario import load_scenario
from factory.twin import Twin
from radio.recalibration.base import RecalibrationConfig, Residuals

FAST = RecalibrationConfig(enabled=True, learning_s=60)
ON = ["bridges.radio_reports.enabled=true", "live.recalibration.enabled=true", "live.recalibration.learning_s=60"]
NONE = RadioReadings(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def samples(second: float, value_db: float, trp: int = 0) -> Residuals:
    """Return five devices' samples at five places, all the same."""
    ue = np.arange(5)
    place = np.stack((3.0 + 5 * ue, np.full(5, 9.0), np.ones(5)), axis=1)
    return Residuals(np.full(5, int(second * 1e6)), ue, np.full(5, trp), place, np.full(5, value_db), np.zeros(5))


def fault(live: LiveRadio, quiet_s: int = 200, end_s: int = 400) -> None:
    """Let a TRP lose 8 dB, as measurements would tell."""
    for second in range(end_s):
        for finding in live.recalibration.recalibrator.add(samples(second, -8.0 if second > quiet_s else 0.0)):
            live._found(finding)


def test_alarm_is_told_written_down_and_stays_until_a_person_accepts_it(tmp_path: Path) -> None:
    twin = Twin(load_scenario("small", []))
    audit = AuditLog(tmp_path)
    radio = LiveRadio(twin, FAST, lambda: NONE, corrects=True, audit=audit)
    LiveTwin(twin, radio=radio, now=lambda: 1000.0 + twin.time_us * 1e-6)
    before = twin.channel._tx_dl_w.copy()
    fault(radio)
    twin.time_us = 400_000_000
    view = radio.view()
    assert [(a.kind, a.trp) for a in view.alarms] == [("trp", twin.scenario.radio.trps[0].name)]
    assert view.alarms[0].change_db == pytest.approx(-8.0, abs=1.0)
    radio._note_offsets(twin.time_us)
    assert np.array_equal(twin.channel._tx_dl_w, before)  # a fault is not calibrated away
    answers: list[Answer] = []
    for target in ("nowhere", view.alarms[0].trp):
        twin.steering.apply([Command("test", "radio_accept", target, reply=answers.append)])
    assert [a.done for a in answers] == [False, True]
    assert "known: " in answers[0].message
    assert radio.view().alarms == ()
    change_db = 10 * np.log10(twin.channel._tx_dl_w / before)
    assert change_db[0] == pytest.approx(-8.0, abs=0.5)
    assert np.all(change_db[1:] == 0.0)
    radio.stop()
    assert np.array_equal(twin.channel._tx_dl_w, before)
    lines = [json.loads(line) for line in (tmp_path / "audit.log").read_text().splitlines()]
    assert [x["action"] for x in lines if x["action"] != "offset"] == ["alarm", "asked", "correct", "correct"]
    twin.close()


def test_offsets_are_only_told_where_they_may_not_correct() -> None:
    twin = Twin(load_scenario("small", []))
    radio = LiveRadio(twin, FAST, lambda: NONE)
    before = twin.channel._tx_dl_w.copy()
    fault(radio)
    radio.carry_out(Command("test", "radio_accept", twin.scenario.radio.trps[0].name))
    assert radio.view().offset_db[0][1] == pytest.approx(-8.0, abs=0.5)
    assert not radio.view().corrects
    assert np.array_equal(twin.channel._tx_dl_w, before)
    twin.close()


def test_measurements_are_compared_with_the_prediction_of_their_time_and_leave_no_trace() -> None:
    prints, offsets = [], []
    for reports in (False, True):
        twin = Twin(load_scenario("small", ["seed=4"]))
        told: list[RadioReadings] = []
        radio = LiveRadio(twin, FAST, lambda told=told: told.pop() if told else NONE)  # type: ignore[misc]
        if reports:
            LiveTwin(twin, radio=radio, now=lambda twin=twin: 1000.0 + twin.time_us * 1e-6)  # type: ignore[misc]
        for k in range(350):  # a window of 2 s is closed by the first sample after it, a second after that was measured
            if reports and k % 10 == 5:
                n, t = len(twin.devices), twin.channel.n_trp
                ue, trp = np.repeat(np.arange(n), t), np.tile(np.arange(t), n)
                told.append(
                    RadioReadings(ue, trp, np.full(n * t, 1000.0 + k // 10 * 0.1), np.full(n * t, -80.0), np.full(n * t, 9.0))
                )
            twin.tick()
        prints.append(fingerprint(twin))
        if reports:
            assert radio.recalibration.missed == 0
            _agrees_with_a_whole_sweep(radio, twin)
            offsets.append(radio.recalibration.recalibrator.counts["used"])
        twin.close()
    assert prints[0] == prints[1]
    assert offsets[0] > 0


def _agrees_with_a_whole_sweep(radio: LiveRadio, twin: Twin) -> None:
    """Compare the residual of one link with the prediction of all links at once."""
    scene = radio.recalibration._kept[-1]
    time_us, _, ues, blockers = scene
    channel, trp = twin.channel, twin.scenario.radio.trps[1]
    residual = radio.recalibration._compare(scene, [(0, 1, -80.0)]).residuals
    paths = channel.paths(ues, remember=False)
    loss_db = channel.blockage(paths, blockers, ues, np.ones(len(ues.owner) * channel.n_trp, np.bool_)).loss_db
    gain = channel.sweep(paths, ues, loss_db, time_us).gain[0, 1].max()
    blocks = channel.config.carrier_of(trp).resource_blocks
    rsrp_dbm = trp.tx_power_dbm - 10 * np.log10(12 * blocks) + 10 * np.log10(gain)
    assert residual.residual_db[0] == pytest.approx(-80.0 - rsrp_dbm, abs=1e-6)


def test_reports_at_a_broker_reach_the_view(tmp_path: Path) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    broker = EmbeddedBroker(port, tmp_path / "broker.log", None, None)
    broker.start()
    settings = [f"bridges.mqtt.port={port}", "bridges.mqtt.host=127.0.0.1", *ON]
    twin = Twin(load_scenario("small", settings), beside_a_plant=True)
    plant = connect_plant(twin, tmp_path)
    assert plant is not None
    gateway = MqttConnection(MqttConfig(host="127.0.0.1", port=port), "gateway")
    gateway.start()
    try:
        assert gateway.wait_connected(30.0)
        trp, device = twin.scenario.radio.trps[0].name, twin.devices[0]
        answers: Any = None
        begun, told_s = time.monotonic(), -1.0
        while time.monotonic() - begun < 120.0:
            at_s = time.monotonic() - begun
            if at_s - told_s > 0.1:
                told_s = at_s
                one = {"ue": device, "trp": trp, "rsrp_dbm": -80.0, "time": stamp(time.time())}
                gateway.publish(Message("plant/radio/gnb-1", json.dumps([one, {**one, "ue": "nobody"}]).encode()))
                gateway.publish(Message("plant/radio-ask", b'{"ask": "dismiss", "trp": "%s"}' % trp.encode(), qos=1))
            twin.tick()
            answers = build_view(twin, 1.0).calibration
            if answers.used and answers.refused:
                break
            time.sleep(max(0.0, begun + twin.time_us * 1e-6 - time.monotonic()))
        assert answers.used > 0
        assert answers.refused > 0  # the unknown device's
        assert answers.learning
    finally:
        plant[0].stop()
        gateway.stop()
        broker.stop()
        twin.close()
