"""History: raw with continuation, aggregates against a hand-made reckoning, retention, and nothing on people or machines."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import ua
from demo_view import demo_view
from opcua_client import PASSWORD, USER, node_id, port_of_its_own, secured

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.history import History

NODE = "Services/control/Availability"
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
AVERAGE, TIME_AVERAGE, MINIMUM, MAXIMUM = (
    ua.ObjectIds.AggregateFunction_Average,
    ua.ObjectIds.AggregateFunction_TimeAverage,
    ua.ObjectIds.AggregateFunction_Minimum,
    ua.ObjectIds.AggregateFunction_Maximum,
)


@pytest.fixture
def history(tmp_path):
    kept = History(tmp_path / "history.sqlite", days=1.0)
    yield kept
    kept.close()


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def ask(history, details, point=None, node=NODE):
    what = ua.HistoryReadValueId(NodeId=ua.NodeId(node, 2))
    what.ContinuationPoint = point
    return history.read(details, what)


def raw(begin, end, most=0):
    return ua.ReadRawModifiedDetails(IsReadModified=False, StartTime=begin, EndTime=end, NumValuesPerNode=most)


def numbers(result):
    return [v.Value.Value for v in result.HistoryData.DataValues]


def test_raw_values_come_in_pages(history):
    for k in range(2500):
        history.record(NODE, at(k), float(k))
    got, point, pages = [], None, 0
    while True:
        result = ask(history, raw(at(0), at(2499)), point)
        got += numbers(result)
        pages, point = pages + 1, result.ContinuationPoint
        if not point:
            break
    assert (got, pages) == ([float(k) for k in range(2500)], 3)


def test_a_limit_and_a_reversed_time_are_kept_to(history):
    for k in range(10):
        history.record(NODE, at(k), float(k))
    assert numbers(ask(history, raw(at(2), at(8), 3))) == [2.0, 3.0, 4.0]
    assert numbers(ask(history, raw(at(8), at(2), 3))) == [8.0, 7.0, 6.0]
    assert numbers(ask(history, raw(None, at(8), 2))) == [8.0, 7.0]
    assert ask(history, raw(None, None, 0)).StatusCode.name == "BadHistoryOperationInvalid"
    assert ask(history, raw(at(50), at(60))).StatusCode.name == "GoodNoData"


def processed(begin, end, step_ms, kind):
    return ua.ReadProcessedDetails(StartTime=begin, EndTime=end, ProcessingInterval=step_ms, AggregateType=[ua.NodeId(kind)])


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (AVERAGE, [2.0, 8.0, None]),
        (MINIMUM, [1.0, 8.0, None]),
        (MAXIMUM, [3.0, 8.0, None]),
        # 9 stands for 2 s, 1 for 4 s, 3 for 4 s; then 3 for 5 s and 8 for 5 s; then 8 throughout
        (TIME_AVERAGE, [(9 * 2 + 1 * 4 + 3 * 4) / 10, (3 * 5 + 8 * 5) / 10, 8.0]),
    ],
)
def test_aggregates_over_intervals(history, kind, wanted):
    for second, value in ((-5, 9.0), (2, 1.0), (6, 3.0), (15, 8.0)):
        history.record(NODE, at(second), value)
    result = ask(history, processed(at(0), at(30), 10_000.0, kind))
    assert numbers(result) == pytest.approx(wanted)
    assert [v.SourceTimestamp for v in result.HistoryData.DataValues] == [at(0), at(10), at(20)]
    assert [v.StatusCode.name for v in result.HistoryData.DataValues] == ["BadNoData" if w is None else "Good" for w in wanted]


def test_aggregates_come_in_pages_that_join_without_a_seam(history):
    rng = np.random.default_rng(3)
    seconds = np.cumsum(rng.integers(1, 9, 900))
    for second in seconds:
        history.record(NODE, at(int(second)), float(rng.random()))
    details = processed(at(0), at(2500.5), 1_000.0, TIME_AVERAGE)
    got, stamps, point, pages = [], [], None, 0
    while True:
        result = ask(history, details, point)
        got += numbers(result)
        stamps += [v.SourceTimestamp for v in result.HistoryData.DataValues]
        pages, point = pages + 1, result.ContinuationPoint
        if not point:
            break
    assert (pages, len(got)) == (3, 2501)
    assert stamps == [at(k) for k in range(2501)]
    alone = [numbers(ask(history, processed(at(k), at(min(k + 1, 2500.5)), 0.0, TIME_AVERAGE)))[0] for k in range(2501)]
    assert got == alone
    for wrong in (b"short", struct.pack("<q", 0), struct.pack("<q", 2501), struct.pack("<qq", 1, 0)):
        assert ask(history, details, wrong).StatusCode.name == "BadContinuationPointInvalid"


def test_a_value_that_did_not_exist_has_no_weight(history):
    for second, value in ((0, 1.0), (4, None), (8, 3.0)):
        history.record(NODE, at(second), value)
    assert numbers(ask(history, processed(at(0), at(10), 0.0, TIME_AVERAGE))) == pytest.approx([(1 * 4 + 3 * 2) / 6])


def test_what_is_not_there_is_refused(history):
    history.record(NODE, at(0), 1.0)
    other = processed(at(0), at(1), 0.0, ua.ObjectIds.AggregateFunction_StandardDeviationSample)
    assert ask(history, other).StatusCode.name == "BadAggregateNotSupported"
    assert ask(history, raw(at(0), at(1)), node="Machines/agv-01/X").StatusCode.name == "BadHistoryOperationUnsupported"
    assert ask(history, raw(at(0), at(1)), b"short").StatusCode.name == "BadContinuationPointInvalid"
    assert ask(history, processed(at(0), at(86_400), 1.0, AVERAGE)).StatusCode.name == "BadHistoryOperationInvalid"


def test_old_values_go(history):
    for k in range(5):
        history.record(NODE, at(k), float(k))
    history.record(NODE, at(86_400 + 3), 9.0)
    assert numbers(ask(history, raw(at(-10), at(90_000)))) == [3.0, 4.0, 9.0]


def test_a_client_reads_a_services_history_and_no_machines(tmp_path, monkeypatch):
    monkeypatch.setenv("FACTORY_TWIN_OPCUA_USER", USER)
    monkeypatch.setenv("FACTORY_TWIN_OPCUA_PASSWORD", PASSWORD)
    server = OpcUaServer(OpcUaConfig(port=port_of_its_own(), trust_any_client=True, stale_after_s=3600), tmp_path / "state")
    first = demo_view(0, agvs=1, cobots=0, panels=1)
    begin = datetime.now(UTC) - timedelta(seconds=5)  # before the start, which takes seconds on a busy machine
    server.start(first)

    async def look():
        async with await secured(server.endpoint_url, tmp_path / "client") as client:
            node = client.get_node(await node_id(client, "Services/agv-control/Availability"))
            values = await node.read_raw_history(begin, datetime.now(UTC) + timedelta(seconds=20))
            machine = client.get_node(await node_id(client, "Machines/agv-01/X"))
            levels = [(await n.read_attribute(ua.AttributeIds.AccessLevel)).Value.Value for n in (node, machine)]
            historizing = [(await n.read_attribute(ua.AttributeIds.Historizing)).Value.Value for n in (node, machine)]
            try:
                await machine.read_raw_history(begin, datetime.now(UTC))
                refused = "was let through"
            except ua.UaStatusCodeError as error:
                refused = type(error).__name__
            return [v.Value.Value for v in values], levels, historizing, refused

    try:
        for k, availability in enumerate((0.9, 0.8), start=1):
            services = (dataclasses.replace(first.services[0], availability=availability), *first.services[1:])
            time.sleep(1.1)
            server.publish(dataclasses.replace(first, services=services, time_us=1_100_000 * k))
        time.sleep(0.3)
        values, levels, historizing, refused = asyncio.run(look())
    finally:
        server.stop()
    assert values == [0.999_999_1, 0.9, 0.8]
    assert levels == [ua.AccessLevel.CurrentRead.mask | ua.AccessLevel.HistoryRead.mask, ua.AccessLevel.CurrentRead.mask]
    assert historizing == [True, False]
    assert refused == "BadHistoryOperationUnsupported"
