"""Who sees what of people, service by service; and browsing page by page."""

from __future__ import annotations

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import UserRole

from bridges.opcua.rights import concerns_people
from bridges.opcua.session import TwinUser

POSITION = "People/Place_001/SpatialObject/PositionFrame"
STRANGERS = ("viewer", "engineer")


def read(hall, session, node):
    params = ua.ReadParameters(NodesToRead=[ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value)])
    return hall.run(session.read(params))[0]


def browse(hall, session, node, most=0, direction=ua.BrowseDirection.Forward):
    what = ua.BrowseDescription(
        NodeId=node, BrowseDirection=direction, ReferenceTypeId=ua.NodeId(), IncludeSubtypes=True, NodeClassMask=0, ResultMask=63
    )
    params = ua.BrowseParameters(RequestedMaxReferencesPerNode=most, NodesToBrowse=[what])
    return hall.run(session.browse(params))[0]


def subscribe(hall, session, *nodes):
    params = ua.CreateSubscriptionParameters(RequestedPublishingInterval=1000, PublishingEnabled=True)

    async def ignore(*_):
        return None

    number = hall.run(session.create_subscription(params, ignore)).SubscriptionId
    items = [
        ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=k, QueueSize=1),
        )
        for k, node in enumerate(nodes)
    ]
    made = hall.run(session.create_monitored_items(ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=items)))
    return number, made


def names(result):
    return {r.BrowseName.Name for r in result.References}


def test_what_concerns_people_is_told_by_its_identifier():
    assert concerns_people(ua.NodeId("People", 2))
    assert concerns_people(ua.NodeId("People/Place_001", 2))
    assert not concerns_people(ua.NodeId("Zones/aisle/People", 2))
    assert not concerns_people(ua.NodeId("PeopleMover", 2))
    assert not concerns_people(ua.NodeId(2253))
    assert not concerns_people(None)


def test_safety_sees_people(hall):
    session = hall.session("safety")
    value = read(hall, session, hall.id(POSITION))
    assert value.StatusCode.is_good()
    assert value.Value.Value.CartesianCoordinates.X == 3.0
    assert "People" in names(browse(hall, session, hall.id("FactoryTwin")))
    _, made = subscribe(hall, session, hall.id(POSITION))
    assert made[0].StatusCode.is_good()


@pytest.mark.parametrize("role", STRANGERS)
@pytest.mark.parametrize("node", ["People", "People/Count", POSITION, f"{POSITION}/Position/X"])
def test_for_the_others_it_does_not_exist(hall, role, node):
    session, target = hall.session(role), hall.id(node)
    value = read(hall, session, target)
    assert value.StatusCode.name == "BadNodeIdUnknown"
    assert value.Value.Value is None
    result = browse(hall, session, target, direction=ua.BrowseDirection.Both)
    assert (result.StatusCode.name, result.References) == ("BadNodeIdUnknown", [])
    written = hall.run(
        session.write(
            ua.WriteParameters(
                NodesToWrite=[
                    ua.WriteValue(NodeId=target, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(ua.Variant(1.0)))
                ]
            )
        )
    )
    assert written[0].name == "BadNodeIdUnknown"
    called = hall.call(role, target, hall.id("Methods/Pause"))
    assert called.StatusCode.name == "BadNodeIdUnknown"


@pytest.mark.parametrize("role", STRANGERS)
def test_no_browse_leads_there(hall, role):
    session = hall.session(role)
    assert "People" not in names(browse(hall, session, hall.id("FactoryTwin")))
    seen, todo = set(), [ua.NodeId(ua.ObjectIds.ObjectsFolder), ua.NodeId(ua.ObjectIds.TypesFolder)]
    while todo:
        node = todo.pop()
        for reference in browse(hall, session, node, direction=ua.BrowseDirection.Both).References:
            if reference.NodeId not in seen and reference.NodeId.NamespaceIndex > 1:
                seen.add(reference.NodeId)
                todo.append(reference.NodeId)
    assert len(seen) > 400
    assert not any(concerns_people(node) for node in seen)


@pytest.mark.parametrize("role", STRANGERS)
def test_no_path_leads_there(hall, role):
    def translate(session, start, *steps):
        elements = [
            ua.RelativePathElement(IsInverse=False, IncludeSubtypes=True, TargetName=ua.QualifiedName(name, hall.index))
            for name in steps
        ]
        path = ua.BrowsePath(StartingNode=start, RelativePath=ua.RelativePath(Elements=elements))
        return hall.run(session.translate_browsepaths_to_nodeids([path]))[0]

    root = hall.id("FactoryTwin")
    assert translate(hall.session("safety"), root, "People", "Count").Targets[0].TargetId == hall.id("People/Count")
    found = translate(hall.session(role), root, "People", "Count")
    assert (found.StatusCode.name, found.Targets) == ("BadNoMatch", [])
    found = translate(hall.session(role), hall.id("People"), "Count")
    assert (found.StatusCode.name, found.Targets) == ("BadNodeIdUnknown", [])
    assert translate(hall.session(role), root, "Twin", "Time").StatusCode.is_good()


@pytest.mark.parametrize("role", STRANGERS)
def test_no_subscription_and_no_history_leads_there(hall, role):
    session = hall.session(role)
    number, made = subscribe(hall, session, hall.id("Twin/Time"), hall.id(POSITION), hall.id("People/Count"))
    assert [m.StatusCode.name for m in made] == ["Good", "BadNodeIdUnknown", "BadNodeIdUnknown"]
    items = session.subscription_service.subscriptions[number].monitored_item_srv._monitored_items
    assert [data.read_value_id.NodeId for data in items.values()] == [hall.id("Twin/Time")]
    events = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=hall.id("People"), AttributeId=ua.AttributeIds.EventNotifier)
    )
    params = ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=[events])
    assert hall.run(session.create_monitored_items(params))[0].StatusCode.name == "BadNodeIdUnknown"


def test_who_is_no_longer_safety_keeps_nothing_of_people(hall, monkeypatch):
    session = hall.session("safety")
    number, _ = subscribe(hall, session, hall.id(POSITION), hall.id("Twin/Time"))
    subscription = session.subscription_service.subscriptions[number]
    subscription._not_acknowledged_results[1] = object()
    assert len(subscription.notices) == 2
    first = browse(hall, session, hall.id("FactoryTwin"), most=1)
    assert first.ContinuationPoint

    def becomes_viewer(self, params, certificate):
        self.user = TwinUser(role=UserRole.User, name="vera", twin_role="viewer")
        return ua.ActivateSessionResult()

    monkeypatch.setattr("bridges.opcua.session.GuardedSession.activate_session", becomes_viewer)
    session.activate_session(ua.ActivateSessionParameters(), None)
    left = subscription.monitored_item_srv._monitored_items
    assert [data.read_value_id.NodeId for data in left.values()] == [hall.id("Twin/Time")]
    assert set(subscription.notices) == set(left)
    assert not subscription._not_acknowledged_results
    params = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[first.ContinuationPoint])
    assert hall.run(session.browse_next(params))[0].StatusCode.name == "BadContinuationPointInvalid"


@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_browsing_page_by_page_gives_the_same(hall, most):
    session, node = hall.session("viewer"), hall.id("FactoryTwin")
    whole = [r.NodeId for r in browse(hall, session, node).References]
    result = browse(hall, session, node, most)
    paged = [r.NodeId for r in result.References]
    while result.ContinuationPoint:
        assert len(result.References) == most
        params = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[result.ContinuationPoint])
        result = hall.run(session.browse_next(params))[0]
        assert result.StatusCode.is_good()
        paged += [r.NodeId for r in result.References]
    assert paged == whole
    assert len(whole) > 7


def test_a_point_is_good_once_for_its_session_and_until_released(hall):
    session, other = hall.session("viewer"), hall.session("viewer")
    point = browse(hall, session, hall.id("FactoryTwin"), 1).ContinuationPoint

    def go_on(which, release=False):
        params = ua.BrowseNextParameters(ReleaseContinuationPoints=release, ContinuationPoints=[point])
        return hall.run(which.browse_next(params))[0].StatusCode.name

    assert go_on(other) == "BadContinuationPointInvalid"
    assert go_on(session) == "Good"
    assert go_on(session) == "BadContinuationPointInvalid"
    point = browse(hall, session, hall.id("FactoryTwin"), 1).ContinuationPoint
    assert go_on(session, release=True) == "Good"
    assert go_on(session) == "BadContinuationPointInvalid"


def test_points_are_bounded(hall):
    session = hall.session("viewer")
    first = browse(hall, session, hall.id("FactoryTwin"), 1).ContinuationPoint
    for _ in range(50):
        last = browse(hall, session, hall.id("FactoryTwin"), 1).ContinuationPoint
    for point, code in ((first, "BadContinuationPointInvalid"), (last, "Good")):
        params = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[point])
        assert hall.run(session.browse_next(params))[0].StatusCode.name == code
