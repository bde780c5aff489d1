"""What the live view adds: how well the plant is known, for everybody, and advice, for those who may act on it."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from types import SimpleNamespace

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import UserRole
from demo_view import demo_view
from opcua_client import port_of_its_own

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.rights import ADVICE, concerns_advice
from bridges.opcua.sample import make_sample, sample_view
from bridges.opcua.session import TwinUser
from bridges.view import AdviceView, AssetView

NODE = "Advice/agv_slow_agv-01"
REASON = f"{NODE}/Reason"


def read(hall, session, *names):
    what = [ua.ReadValueId(NodeId=hall.id(name), AttributeId=ua.AttributeIds.Value) for name in names]
    return hall.run(session.read(ua.ReadParameters(NodesToRead=what)))


def browse(hall, session, name):
    what = ua.BrowseDescription(hall.id(name), ua.BrowseDirection.Forward, ua.NodeId(), True, 0, 63)
    return hall.run(session.browse(ua.BrowseParameters(NodesToBrowse=[what])))[0]


def items(hall, session, *names):
    async def ignore(*_):
        return None

    params = ua.CreateSubscriptionParameters(RequestedPublishingInterval=1000, PublishingEnabled=True)
    number = hall.run(session.create_subscription(params, ignore)).SubscriptionId
    wanted = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=hall.id(name), AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=k, QueueSize=1),
        )
        for k, name in enumerate(names)
    ]
    made = hall.run(
        session.create_monitored_items(ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=wanted))
    )
    return session.subscription_service.subscriptions[number], [m.StatusCode.name for m in made]


@pytest.mark.parametrize("role", ["viewer", "engineer", "safety"])
def test_everybody_reads_how_well_the_plant_is_known(hall, role):
    names = [f"Assets/agv-01/{name}" for name in ("Kind", "Known", "Fresh", "Age", "Offset", "Sigma", "Skill", "Innovation")]
    values = [data.Value.Value for data in read(hall, hall.session(role), *names)]
    assert values == ["agv", 1, True, 0.2, 0.03, 0.04, 0.9, 1.1]
    (unknown,) = read(hall, hall.session(role), "Assets/people/Age")
    assert unknown.StatusCode.name == "BadNoData", "there is no median over nobody"


@pytest.mark.parametrize("role", ["engineer", "safety"])
def test_who_may_act_reads_advice(hall, role):
    names = [f"{NODE}/{name}" for name in ("Kind", "Target", "Value", "Reason", "Risk", "Since", "Act")]
    values = [data.Value.Value for data in read(hall, hall.session(role), *names)]
    assert values == ["agv_slow", "agv-01", "0.60 m/s", "-3.0 dB of margin expected in 0.4 s", 0.8, pytest.approx(0.9), ""]
    assert "Advice" in {r.BrowseName.Name for r in browse(hall, hall.session(role), "FactoryTwin").References}


def test_for_viewers_there_is_no_advice(hall):
    viewer = hall.session("viewer")
    assert {data.StatusCode.name for data in read(hall, viewer, ADVICE, NODE, REASON)} == {"BadNodeIdUnknown"}
    assert "Advice" not in {r.BrowseName.Name for r in browse(hall, viewer, "FactoryTwin").References}
    assert "Assets" in {r.BrowseName.Name for r in browse(hall, viewer, "FactoryTwin").References}
    assert browse(hall, viewer, ADVICE).StatusCode.name == "BadNodeIdUnknown"
    assert items(hall, viewer, "Twin/Time", REASON)[1] == ["Good", "BadNodeIdUnknown"]
    path = ua.RelativePath(Elements=[ua.RelativePathElement(TargetName=ua.QualifiedName("Advice", hall.index))])
    (found,) = hall.run(viewer.translate_browsepaths_to_nodeids([ua.BrowsePath(hall.id("FactoryTwin"), path)]))
    assert (found.StatusCode.name, found.Targets) == ("BadNoMatch", [])


@pytest.mark.parametrize("role", ["engineer", "safety"])
@pytest.mark.parametrize("name", ["Assets/agv-01/Age", REASON])
def test_nobody_writes_them(hall, role, name):
    value = ua.WriteValue(NodeId=hall.id(name), AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(ua.Variant("x")))
    (code,) = hall.run(hall.session(role).write(ua.WriteParameters(NodesToWrite=[value])))
    assert code.name == "BadNotWritable"


@pytest.mark.parametrize(
    ("before", "after", "kept"), [("engineer", "viewer", 1), ("safety", "viewer", 1), ("safety", "engineer", 2)]
)
def test_who_loses_the_right_loses_the_subscription(hall, monkeypatch, before, after, kept):
    session = hall.session(before)
    subscription, codes = items(hall, session, "Twin/Time", REASON)
    assert codes == ["Good", "Good"]

    def becomes_another(self, params, certificate):
        self.user = TwinUser(role=UserRole.User, name="vera", twin_role=after)
        return ua.ActivateSessionResult()

    monkeypatch.setattr("bridges.opcua.session.GuardedSession.activate_session", becomes_another)
    session.activate_session(ua.ActivateSessionParameters(), None)
    left = [data.read_value_id.NodeId for data in subscription.monitored_item_srv._monitored_items.values()]
    assert left == [hall.id("Twin/Time"), hall.id(REASON)][:kept]
    assert len(subscription.notices) == kept


def test_advice_that_is_withdrawn_is_not_connected_and_may_come_back(hall):
    view = sample_view()
    other = AdviceView("serve_from", "cobot-1", "trp-2", "because", 0.4, 1_000_000, "radio_policy")
    for advice in ((other,), (), None):
        hall.show(dataclasses.replace(view, advice=advice))
        assert hall.status(REASON) == "BadNotConnected"
        assert hall.status("Advice/serve_from_cobot-1/Act") == ("Good" if advice else "BadNotConnected")
    hall.show(view)
    assert hall.status(REASON) == "Good"


def test_an_asset_that_is_lost_keeps_no_number(hall):
    lost = AssetView("agv-01", "agv", 1, False, *[math.nan] * 7)
    hall.show(dataclasses.replace(sample_view(), assets=(lost,)))
    assert hall.value("Assets/agv-01/Fresh") is False
    assert hall.status("Assets/agv-01/Offset") == "BadNoData"
    assert hall.status("Assets/people/Known") == "BadNotConnected"


def test_a_twin_that_observes_nothing_has_the_folders_alone():
    async def names():
        sample = await make_sample(dataclasses.replace(sample_view(), assets=(), advice=None), OpcUaConfig(), people=False)
        return {str(n.Identifier) for n in sample.nodes if n.NamespaceIndex == sample.model.nodes.index}, sample

    found, _ = asyncio.run(names())
    assert {n for n in found if n.startswith(("Assets", "Advice"))} == {"Assets", "Advice"}
    assert concerns_advice(ua.NodeId("Advice", 2))
    assert not concerns_advice(ua.NodeId("Adviceless/x", 2))


@pytest.mark.parametrize("pause_s", [-0.001, math.nan, math.inf])
def test_a_pause_that_is_no_time_is_refused(tmp_path, pause_s):
    with pytest.raises(ValueError, match=r"pause_s is .*0 or more"):
        OpcUaServer(OpcUaConfig(insecure=True), tmp_path, pause_s=pause_s)


def test_the_pause_is_the_servers_own(monkeypatch, tmp_path):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    server = OpcUaServer(
        OpcUaConfig(port=port_of_its_own(), insecure=True, history_days=0, stale_after_s=3600), tmp_path, pause_s=0.0125
    )
    monkeypatch.setattr("bridges.opcua.nodes.asyncio", SimpleNamespace(sleep=sleep))
    server.start(sample_view())
    try:
        assert not slept, "before clients may come, nobody is kept waiting"
        server.publish(demo_view(1_000_000))
        until = time.monotonic() + 60
        while server.views_shown < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        server.stop()
    assert set(slept) == {0.0125}
