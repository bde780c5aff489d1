"""Alarms: they come and go with the views, wait for somebody to see to them, and pass where-clauses."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import pytest
from asyncua import ua
from demo_view import demo_view
from opcua_client import PASSWORDS, Raw, name_of_error, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer

FIELDS = ("EventId", "ConditionName", "SourceName", "Severity", "ActiveState/Id", "AckedState/Id", "ConfirmedState/Id", "Retain")
ACKNOWLEDGE, CONFIRM = (
    ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Acknowledge),
    ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType_Confirm),
)
REFRESH = ua.NodeId(ua.ObjectIds.ConditionType_ConditionRefresh)


_round = 0  # every test has sources of its own, for alarms of earlier ones may still be retained


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    (state / "users").write_text(user_lines())
    config = OpcUaConfig(port=port_of_its_own(), user_file=state / "users", trust_any_client=True)
    twin = OpcUaServer(config, state)
    twin.start(quiet())
    yield twin
    twin.stop()


@pytest.fixture
def server(running):
    global _round
    _round += 1
    asyncio.run(show(running, quiet()))
    return running


def agv():
    return f"agv-{_round:02d}"


def service_name():
    return f"control-{_round:02d}"


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("client")


def quiet(**changes):
    """Return a view of one AGV, one panel and one service in which nothing is wrong but what is said to be."""
    view = demo_view(0, agvs=1, cobots=0, panels=1)
    machine = dataclasses.replace(view.machines[0], id=agv(), mode=changes.get("mode", "driving"))
    link = dataclasses.replace(view.links[0], device=agv(), risk=changes.get("risk", 0.0))
    links = (link, dataclasses.replace(view.links[1], risk=0.0))
    service = dataclasses.replace(view.services[0], name=service_name(), up=changes.get("up", True))
    return dataclasses.replace(view, machines=(machine,), links=links, services=(service,))


async def show(server, view):
    before = server.views_shown
    server.publish(view)
    deadline = time.monotonic() + 10
    while server.views_shown == before:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.15)  # a publishing interval and more


def path(name):
    return [ua.QualifiedName(part, 0) for part in name.split("/")]


def operand(name):
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=ua.NodeId(ua.ObjectIds.BaseEventType), BrowsePath=path(name), AttributeId=ua.AttributeIds.Value
    )


def selected(*elements):
    return ua.EventFilter(
        SelectClauses=[operand(name) for name in FIELDS],
        WhereClause=ua.ContentFilter(
            Elements=[
                ua.ContentFilterElement(FilterOperator=operator, FilterOperands=list(operands))
                for operator, *operands in elements
            ]
        ),
    )


def literal(value, kind):
    return ua.LiteralOperand(Value=ua.Variant(value, kind))


async def watch(raw, *elements):
    result = await raw.item(
        ua.NodeId(ua.ObjectIds.Server), selected(*elements), queue=100, attribute=ua.AttributeIds.EventNotifier
    )
    assert result.StatusCode.is_good()


def told(raw):
    """Return the events without their ids."""
    return [tuple(event[1:]) for event in raw.events]


async def call(client, condition, method, *arguments):
    variants = [ua.Variant(*argument) for argument in arguments]
    target = await node_id(client, f"Alarms/{condition}") if isinstance(condition, str) else condition
    request = ua.CallMethodRequest(ObjectId=target, MethodId=method, InputArguments=variants)
    (result,) = await client.uaclient.call([request])
    return result.StatusCode.name


def seen_to(event_id):
    return (event_id, ua.VariantType.ByteString), (ua.LocalizedText("seen"), ua.VariantType.LocalizedText)


def run(server, folder, what, user="egon"):
    async def use():
        async with await secured(server.endpoint_url, folder, user, PASSWORDS[user]) as client, Raw(client, 50.0) as raw:
            return await what(client, raw)

    return asyncio.run(use())


def test_an_alarm_lives_until_it_is_over_acknowledged_and_confirmed(server, client_folder):
    name = f"ServiceDown/{service_name()}"

    async def live(client, raw):
        await watch(raw)
        await show(server, quiet(up=False))
        first = raw.events[0][0]
        codes = [await call(client, name, CONFIRM, *seen_to(first))]  # nobody has seen it yet
        codes.append(await call(client, name, ACKNOWLEDGE, *seen_to(b"no such event")))
        codes.append(await call(client, name, ACKNOWLEDGE, *seen_to(first)))
        codes.append(await call(client, name, ACKNOWLEDGE, *seen_to(first)))
        await show(server, quiet())
        codes.append(await call(client, name, CONFIRM, *seen_to(first)))
        codes.append(await call(client, name, CONFIRM, *seen_to(first)))
        await asyncio.sleep(0.15)
        state = await client.get_node(await node_id(client, f"Alarms/{name}/AckedState")).read_value()
        return codes, told(raw), len({e[0] for e in raw.events}), state.Text

    codes, events, ids, state = run(server, client_folder, live)
    assert codes == [
        "BadInvalidState",
        "BadEventIdUnknown",
        "Good",
        "BadConditionBranchAlreadyAcked",
        "Good",
        "BadConditionBranchAlreadyConfirmed",
    ]
    who = ("ServiceDown", service_name(), 900)
    assert events == [
        (*who, True, False, False, True),
        (*who, True, True, False, True),
        (*who, False, True, False, True),
        (*who, False, True, True, False),
    ]
    assert ids == 4, "each event has an id of its own"
    assert state == "Acknowledged"
    audit = (server._folder / "audit.log").read_text()
    assert '"Acknowledge"' in audit
    assert f"Good: ServiceDown {service_name()}" in audit


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"mode": "breakdown"}, ("MachineStopped", 700)),
        ({"mode": "emergency_stop"}, ("MachineStopped", 700)),
        ({"mode": "person_near"}, ("PersonClose", 500)),
        ({"risk": 0.6}, ("RiskHigh", 300)),
    ],
)
def test_each_condition_comes_and_goes(server, client_folder, changes, condition):
    async def live(client, raw):
        await watch(raw)
        for view in (quiet(**changes), quiet(**changes), quiet()):
            await show(server, view)
        return told(raw)

    name, severity = condition
    assert run(server, client_folder, live, "vera") == [
        (name, agv(), severity, True, False, False, True),
        (name, agv(), severity, False, False, False, True),
    ]


def test_a_risk_near_its_limit_rings_once(server, client_folder):
    async def live(client, raw):
        await watch(raw)
        for risk in (0.52, 0.48, 0.52, 0.41, 0.39):
            await show(server, quiet(risk=risk))
        return [event[3] for event in told(raw)]

    assert run(server, client_folder, live) == [True, False]


def test_a_where_clause_chooses(server, client_folder):
    alarm, base = ua.NodeId(ua.ObjectIds.AlarmConditionType), ua.NodeId(ua.ObjectIds.AcknowledgeableConditionType)
    audit = ua.NodeId(ua.ObjectIds.AuditEventType)
    severe = (ua.FilterOperator.GreaterThanOrEqual, operand("Severity"), literal(700, ua.VariantType.UInt16))
    active = (ua.FilterOperator.Equals, operand("ActiveState/Id"), literal(True, ua.VariantType.Boolean))
    cases = [
        ((), 4),
        ((severe,), 2),
        ((active,), 2),
        (((ua.FilterOperator.And, ua.ElementOperand(1), ua.ElementOperand(2)), severe, active), 1),
        (((ua.FilterOperator.OfType, literal(alarm, ua.VariantType.NodeId)),), 4),
        (((ua.FilterOperator.OfType, literal(base, ua.VariantType.NodeId)),), 4),  # a supertype
        (((ua.FilterOperator.OfType, literal(audit, ua.VariantType.NodeId)),), 0),
        (((ua.FilterOperator.GreaterThan, operand("NoSuchField"), literal(1, ua.VariantType.UInt16)),), 0),
        (((ua.FilterOperator.Not, ua.ElementOperand(0)),), 0),  # refers to itself
    ]

    async def live(client, raw):
        raws = [Raw(client, 50.0) for _ in cases]
        for one, (elements, _) in zip(raws, cases, strict=True):
            await one.__aenter__()
            await watch(one, *elements)
        await show(server, quiet(up=False, risk=0.9))
        await show(server, quiet())
        deadline = time.monotonic() + 10
        while [len(one.events) for one in raws] != wanted and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)  # and no more than that
        return [len(one.events) for one in raws]

    wanted = [count for _, count in cases]
    assert run(server, client_folder, live) == wanted


def test_a_refresh_tells_what_is_retained_to_whom_asked(server, client_folder):
    async def live(client, raw):
        await show(server, quiet(up=False, mode="breakdown"))
        await watch(raw)
        async with Raw(client, 50.0) as other:
            await watch(other)
            code = await call(client, ua.NodeId(ua.ObjectIds.ConditionType), REFRESH, (raw.number, ua.VariantType.UInt32))
            await asyncio.sleep(0.3)
            wrong = await call(client, ua.NodeId(ua.ObjectIds.ConditionType), REFRESH, (raw.number + 99, ua.VariantType.UInt32))
            return code, wrong, [(e[1], e[2]) for e in raw.events], other.events

    code, wrong, names, others = run(server, client_folder, live, "vera")
    assert (code, wrong) == ("Good", "BadSubscriptionIdInvalid")
    assert (names[0], names[-1]) == ((None, "Server"), (None, "Server"))  # begin and end have no condition
    ours = [name for name, source in names if source in (agv(), service_name())]
    assert sorted(ours) == ["MachineStopped", "ServiceDown"]
    assert others == []


def test_a_viewer_acknowledges_nothing(server, client_folder):
    async def live(client, raw):
        await watch(raw)
        await show(server, quiet(up=False))
        return await call(client, f"ServiceDown/{service_name()}", ACKNOWLEDGE, *seen_to(raw.events[0][0]))

    assert run(server, client_folder, live, "vera") == "BadUserAccessDenied"


def test_the_limit_of_risk_is_an_engineers(server, client_folder):
    async def set_limit(client, raw):
        node = client.get_node(await node_id(client, "Settings/RiskLimit"))
        codes = [await name_of_error(node.write_value(ua.Variant(value, kind))) for value, kind in tries]
        level = await node.read_attribute(ua.AttributeIds.UserAccessLevel)
        await watch(raw)
        await show(server, quiet(risk=0.3))
        await show(server, quiet())
        return codes, level.Value.Value, len([event for event in raw.events if event[2] == agv()])

    tries = [(2.0, ua.VariantType.Double), ("x", ua.VariantType.String), (0.2, ua.VariantType.Double)]
    assert run(server, client_folder, set_limit, "vera") == (["BadUserAccessDenied"] * 3, 1, 0)
    codes, level, events = run(server, client_folder, set_limit, "egon")
    assert codes == ["BadOutOfRange", "BadTypeMismatch", "was let through: None"]
    assert (level, events) == (3, 2)
