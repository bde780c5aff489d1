"""Places and orientations after OPC 10000-210, and people's places for the role safety."""

from __future__ import annotations

import dataclasses
import math

from asyncua import ua

from bridges.opcua.sample import sample_view
from bridges.opcua.spatial import RSL
from bridges.view import PoseView

# numbers of the official Opc.Ua.RSL.NodeSet2.xml, version 1.00.0
OFFICIAL = {
    "RelativeValueType": 2002,
    "SpatialLocationType": 2003,
    "CartesianFrameAngleOrientationType": 2004,
    "RpyOrientationType": 2005,
    "SpatialObjectType": 1002,
    "SpatialObjectsListType": 1003,
    "RelativeSpatialLocations": 5001,
}


def rsl_index(hall) -> int:
    return hall.run(hall.sample.server.get_namespace_index(RSL))


def test_types_have_their_official_numbers(hall):
    index = rsl_index(hall)
    found = {hall.data(ua.NodeId(n, index), ua.AttributeIds.BrowseName).Value.Value.Name: n for n in OFFICIAL.values()}
    assert found == OFFICIAL


def test_a_moving_agv_moves_its_frame(hall):
    view = sample_view()
    agv = dataclasses.replace(view.machines[0], x_m=7.25, y_m=3.5, heading_rad=1.25)
    hall.show(dataclasses.replace(view, machines=(agv, view.machines[1])))
    base = "Machines/agv-01/SpatialObject/PositionFrame"
    frame = hall.value(base)
    assert (frame.CartesianCoordinates.X, frame.CartesianCoordinates.Y, frame.CartesianCoordinates.Z) == (7.25, 3.5, 0.0)
    assert (frame.Orientation.A, frame.Orientation.B, frame.Orientation.C) == (0.0, 0.0, 1.25)
    assert hall.value(f"{base}/Position/X") == 7.25
    assert hall.value(f"{base}/Position") == frame.CartesianCoordinates
    assert hall.value(f"{base}/Orientation/C") == 1.25
    assert hall.value(f"{base}/Base") == hall.id("Spatial/Hall/WorldFrame")
    assert hall.value(f"{base}/Position/LengthUnit").DisplayName.Text == "m"
    assert hall.value(f"{base}/Orientation/AngleUnit").DisplayName.Text == "rad"


def test_a_panel_that_looks_down_turns_its_x_axis_down(hall):
    view = sample_view()
    hall.show(dataclasses.replace(view, trps=(dataclasses.replace(view.trps[0], azimuth_rad=0.5, downtilt_rad=1.0),)))
    turn = hall.value("Trps/trp-1/SpatialObject/PositionFrame/Orientation")
    # R = Rz(C) Ry(B) Rx(A) on the x axis
    boresight = (math.cos(turn.B) * math.cos(turn.C), math.cos(turn.B) * math.sin(turn.C), -math.sin(turn.B))
    expected = (math.cos(1.0) * math.cos(0.5), math.cos(1.0) * math.sin(0.5), -math.sin(1.0))
    assert boresight == expected
    assert turn.A == 0.0


def test_the_world_frame_has_no_base(hall):
    assert hall.value("Spatial/Hall/WorldFrame/Base") == ua.NodeId()
    assert hall.value("Spatial/Hall/WorldFrame/Position/X") == 0.0
    assert hall.value("Spatial/Hall/Identifier") == "sample"
    assert int(hall.value("Spatial/Hall/NodeVersion")) == 3  # an AGV, a cobot, a transmission point


def test_a_machine_that_left_has_no_place(hall):
    view = sample_view()
    hall.show(dataclasses.replace(view, machines=view.machines[1:]))
    base = "Machines/agv-01/SpatialObject/PositionFrame"
    assert {hall.status(n) for n in (base, f"{base}/Position/X")} == {"BadNotConnected"}
    hall.show(view)
    assert hall.status(f"{base}/Position/X") == "Good"


def test_places_of_people_are_taken_and_left(hall):
    view = sample_view()
    hall.show(dataclasses.replace(view, people=(PoseView(3.0, 4.0, 0.5), PoseView(9.0, 1.0, -0.5))))
    assert hall.value("People/Count") == 2
    assert hall.value("People/Place_002/SpatialObject/PositionFrame/Position/X") == 9.0
    hall.show(dataclasses.replace(view, people=(PoseView(9.0, 1.0, -0.5),)))
    assert hall.value("People/Count") == 1
    assert hall.value("People/Place_001/SpatialObject/PositionFrame/Position/X") == 9.0
    assert hall.status("People/Place_002/SpatialObject/PositionFrame/Position/X") == "BadNoData"
    assert hall.status("People/Place_002/SpatialObject/PositionFrame") == "BadNoData"
    assert hall.data("People/Place_002/SpatialObject/PositionFrame").Value.Value is None


def test_a_frame_has_its_mandatory_members(hall):
    """Mandatory members of OPC 10000-210 clauses 6.1, 6.2 and 7.3, with namespace, type and data type."""
    rsl = rsl_index(hall)
    number = ua.ObjectIds.BaseDataVariableType
    members = {
        "": ((rsl, 2004), ua.ObjectIds.ThreeDFrame, rsl),
        "/Base": ((0, number), ua.ObjectIds.NodeId, rsl),
        "/Position": ((0, ua.ObjectIds.ThreeDCartesianCoordinatesType), ua.ObjectIds.ThreeDCartesianCoordinates, rsl),
        "/Position/LengthUnit": ((0, ua.ObjectIds.PropertyType), ua.ObjectIds.EUInformation, 0),
        "/Orientation": ((rsl, 2005), ua.ObjectIds.ThreeDOrientation, rsl),
        "/Orientation/AngleUnit": ((0, ua.ObjectIds.PropertyType), ua.ObjectIds.EUInformation, 0),
    }
    members |= {f"/Position/{axis}": ((0, number), ua.ObjectIds.Double, 0) for axis in "XYZ"}
    members |= {f"/Orientation/{turn}": ((0, number), ua.ObjectIds.Double, rsl) for turn in "ABC"}
    for base in (
        "Machines/agv-01/SpatialObject/PositionFrame",
        "Trps/trp-1/SpatialObject/PositionFrame",
        "Spatial/Hall/WorldFrame",
    ):
        for below, (kind, data_type, space) in members.items():
            node = hall.id(base + below)
            assert type_of(hall, node) == ua.NodeId(kind[1], kind[0]), base + below
            assert hall.data(node, ua.AttributeIds.DataType).Value.Value == ua.NodeId(data_type), base + below
            assert hall.data(node, ua.AttributeIds.BrowseName).Value.Value.NamespaceIndex == space, base + below
    assert type_of(hall, hall.id("Spatial/Hall")) == ua.NodeId(1003, rsl)
    assert type_of(hall, hall.id("Machines/agv-01/SpatialObject")) == ua.NodeId(1002, rsl)


def test_the_entry_point_leads_to_every_object(hall):
    entry = ua.NodeId(5001, rsl_index(hall))
    lists = organized(hall, entry)
    assert lists == {hall.id("Spatial/Hall")}
    located = {hall.id(f"{owner}/SpatialObject") for owner in ("Machines/agv-01", "Machines/cobot-1", "Trps/trp-1")}
    assert organized(hall, hall.id("Spatial/Hall")) == located


def type_of(hall, node):
    wanted = ua.NodeId(ua.ObjectIds.HasTypeDefinition)
    (kind,) = (r.NodeId for r in hall.guarded.aspace[node].references if r.ReferenceTypeId == wanted and r.IsForward)
    return kind


def organized(hall, node):
    wanted = ua.NodeId(ua.ObjectIds.Organizes)
    return {r.NodeId for r in hall.guarded.aspace[node].references if r.ReferenceTypeId == wanted and r.IsForward}
