"""Subscriptions: dead-bands, sampling, queues; status of stale values and their time."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from asyncua import ua
from demo_view import demo_view
from opcua_client import PASSWORD, USER, Raw, node_id, port_of_its_own, secured

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.server import _Clock

SINR = "Links/agv-01/SinrDownlink"
ABSOLUTE, PERCENT = ua.DeadbandType.Absolute, ua.DeadbandType.Percent


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_TWIN_OPCUA_USER", USER)
        patch.setenv("FACTORY_TWIN_OPCUA_PASSWORD", PASSWORD)
        twin = OpcUaServer(OpcUaConfig(port=port_of_its_own(), trust_any_client=True), tmp_path_factory.mktemp("state"))
        twin.start(demo_view(0, agvs=1, cobots=0, panels=1, sinr_db=0.0))
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


class Publisher:
    """Shows one SINR after the other, each in a view of its own."""

    def __init__(self, server: OpcUaServer) -> None:
        self.server, self.time_us = server, 0

    def show(self, sinr_db: float) -> None:
        self.time_us += 100_000
        before = self.server.views_shown
        self.server.publish(demo_view(self.time_us, agvs=1, cobots=0, panels=1, sinr_db=sinr_db))
        deadline = time.monotonic() + 10
        while self.server.views_shown == before:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def follow(server, folder, shown, period_ms=30.0, pause_s=0.08, identifier=SINR, before=0.0, **item):
    """Subscribe, show values one after the other, and return the result of making the item and what was told."""
    publisher = Publisher(server)

    async def run():
        publisher.show(before)
        async with await secured(server.endpoint_url, folder) as client:
            async with Raw(client, period_ms) as raw:
                result = await raw.item(identifier, **item)
                await asyncio.sleep(max(pause_s, 0.15))
                for value in shown:
                    await asyncio.to_thread(publisher.show, value)
                    await asyncio.sleep(pause_s)
                await asyncio.sleep(max(1.2 * period_ms / 1000, 0.2))
                return result, raw

    return asyncio.run(run())


def band(kind, value, trigger=ua.DataChangeTrigger.StatusValue):
    return ua.DataChangeFilter(Trigger=trigger, DeadbandType=kind, DeadbandValue=value)


def test_a_slow_drift_is_told_once_it_leaves_the_band(server, client_folder):
    """Steps of 0.4 within a band of 1: compared with the value before, none would ever be told."""
    drift = [0.4 * k for k in range(1, 9)]
    _, raw = follow(server, client_folder, drift, rule=band(ABSOLUTE, 1.0), queue=20)
    assert raw.numbers() == pytest.approx([0.0, 1.2, 2.4])


def test_a_percent_band_is_a_share_of_the_range(server, client_folder):
    # SINR ranges over 90 dB: 2 % are 1.8 dB
    _, raw = follow(server, client_folder, [1.7, 1.9, 3.6, 3.8], rule=band(PERCENT, 2.0), queue=20)
    assert raw.numbers() == pytest.approx([0.0, 1.9, 3.8])


def test_a_change_of_status_passes_every_band(server, client_folder):
    _, raw = follow(server, client_folder, [float("inf"), 0.1], rule=band(ABSOLUTE, 50.0), queue=20)
    assert [v.StatusCode.name for v in raw.values] == ["Good", "BadNoData", "Good"]


@pytest.mark.parametrize(
    ("identifier", "rule", "status"),
    [
        ("Machines/agv-01/Mode", band(ABSOLUTE, 1.0), "BadFilterNotAllowed"),
        ("Machines/agv-01/Loaded", band(ABSOLUTE, 1.0), "BadFilterNotAllowed"),
        ("Links/agv-01/ServingBeam", band(PERCENT, 1.0), "BadMonitoredItemFilterUnsupported"),
        (SINR, band(PERCENT, 101.0), "BadDeadbandFilterInvalid"),
        (SINR, band(ABSOLUTE, -1.0), "BadDeadbandFilterInvalid"),
        (SINR, band(ABSOLUTE, float("nan")), "BadDeadbandFilterInvalid"),
        (SINR, ua.EventFilter(), "BadFilterNotAllowed"),
        ("Links/agv-77/SinrDownlink", None, "BadNodeIdUnknown"),
    ],
)
def test_an_item_that_cannot_be_is_refused(server, client_folder, identifier, rule, status):
    result, raw = follow(server, client_folder, [], identifier=identifier, rule=rule)
    assert result.StatusCode.name == status
    assert raw.values == []


def test_sampling_takes_the_latest_of_each_interval_and_misses_no_last_value(server, client_folder):
    result, raw = follow(server, client_folder, [float(k) for k in range(1, 9)], sampling_ms=400.0, queue=20, pause_s=0.05)
    assert result.RevisedSamplingInterval == 400.0
    assert raw.numbers()[0] == 0.0
    assert len(raw.numbers()) <= 4
    time.sleep(0.3)
    _, raw = follow(server, client_folder, [1.0, 2.0], sampling_ms=300.0, queue=20, pause_s=0.2)
    assert raw.numbers()[-1] == 2.0  # came within the interval and was sampled after it


def test_a_full_queue_keeps_the_newest_and_says_what_is_missing(server, client_folder):
    shown = [1.0, 2.0, 3.0, 4.0, 5.0]
    result, raw = follow(server, client_folder, shown, period_ms=1000.0, pause_s=0.05, queue=3)
    assert result.RevisedQueueSize == 3
    later = raw.numbers()[1:] if raw.numbers()[0] == 0.0 else raw.numbers()
    assert later == [3.0, 4.0, 5.0]
    overflow = [bool(v.StatusCode.value & 0x480) for v in raw.values if v.Value.Value != 0.0]
    assert overflow == [True, False, False]


def test_a_full_queue_may_keep_the_oldest(server, client_folder):
    shown = [1.0, 2.0, 3.0, 4.0, 5.0]
    _, raw = follow(server, client_folder, shown, period_ms=1000.0, pause_s=0.05, queue=3, discard_oldest=False)
    later = raw.numbers()[1:] if raw.numbers()[0] == 0.0 else raw.numbers()
    assert later in ([1.0, 2.0, 5.0], [1.0, 5.0])  # the value before them may still have been in the queue
    assert raw.values[-1].StatusCode.value & 0x480 == 0x480


def test_a_queue_of_one_has_no_overflow(server, client_folder):
    _, raw = follow(server, client_folder, [1.0, 2.0, 3.0], period_ms=1000.0, pause_s=0.05, queue=0)
    assert raw.numbers()[-1] == 3.0
    assert all(v.StatusCode.name == "Good" for v in raw.values)


def test_values_keep_the_twins_distances_in_time(server, client_folder):
    _, raw = follow(server, client_folder, [1.0, 2.0, 3.0, 4.0], queue=20, pause_s=0.1)
    stamps = [v.SourceTimestamp for v in raw.values][1:]
    steps = [(b - a).total_seconds() for a, b in itertools.pairwise(stamps)]
    assert steps == pytest.approx([0.1] * 3, abs=2e-6)


def test_the_clock_follows_pauses_and_speeds():
    clock = _Clock()
    assert clock.utc_s(0, 1000.0) == 1000.0
    assert clock.utc_s(100_000, 1000.13) == pytest.approx(1000.1)  # late by 30 ms: the twin's own distance counts
    assert clock.utc_s(200_000, 1010.0) == pytest.approx(1010.0)  # after a pause
    assert clock.utc_s(10_200_000, 1010.5) == pytest.approx(1010.5)  # 20 x: never ahead of the plant's clock by much


def test_values_go_stale_without_views_and_come_back(server, client_folder):
    publisher = Publisher(server)
    publisher.show(3.5)

    async def status():
        async with await secured(server.endpoint_url, client_folder) as client:
            node = client.get_node(await node_id(client, SINR))
            value = await node.read_data_value(raise_on_bad_status=False)
            return value.StatusCode.name, value.Value.Value, value.SourceTimestamp

    fresh = asyncio.run(status())
    assert fresh[:2] == ("Good", 3.5)
    time.sleep(2.6)
    assert asyncio.run(status()) == ("UncertainLastUsableValue", *fresh[1:])
    publisher.show(3.5)
    assert asyncio.run(status())[:2] == ("Good", 3.5)


def test_a_disabled_item_is_silent_and_an_enabled_one_tells_at_once(server, client_folder):
    publisher = Publisher(server)

    async def run():
        await asyncio.to_thread(publisher.show, 1.0)
        async with await secured(server.endpoint_url, client_folder) as client, Raw(client, 30.0) as raw:
            result = await raw.item(SINR, mode=ua.MonitoringMode.Disabled, queue=10)
            await asyncio.to_thread(publisher.show, 2.0)
            await asyncio.sleep(0.2)
            silent = list(raw.numbers())
            params = ua.SetMonitoringModeParameters(
                SubscriptionId=raw.number,
                MonitoringMode=ua.MonitoringMode.Reporting,
                MonitoredItemIds=[result.MonitoredItemId],
            )
            await client.uaclient.set_monitoring_mode(params)
            await asyncio.sleep(0.2)
            return silent, raw.numbers()

    assert asyncio.run(run()) == ([], [2.0])
