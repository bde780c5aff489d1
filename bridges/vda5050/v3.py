"""Messages of VDA 5050 3.0.0, as its JSON schemas have them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bridges.vda5050.base import (
    ActionParameter,
    Angle,
    BoundingBox,
    ControlPoint,
    Header,
    Info,
    Integer,
    NatInteger,
    Part,
    Reference,
    Score,
    Velocity,
)  # fmt: skip

__all__ = ["Connection", "InstantActions", "Order", "State", "Visualization"]

_NotNegative = Annotated[float, Field(ge=0)]
_Knot = Annotated[float, Field(ge=0, le=1)]
_Percent = Annotated[float, Field(ge=0, le=100)]


class Connection(Header):
    """Whether a mobile robot is connected; retained, and its broken form is the last will."""

    connection_state: Literal["ONLINE", "OFFLINE", "HIBERNATING", "CONNECTION_BROKEN"]


class InstantAction(Part):
    """An action to be carried out at once, while all else goes on."""

    action_type: str
    action_id: str
    action_descriptor: str | None = None
    blocking_type: Literal["NONE"]
    action_parameters: tuple[ActionParameter, ...] | None = None


class InstantActions(Header):
    """Actions to be carried out at once."""

    actions: tuple[InstantAction, ...]


class Action(Part):
    """Something to do at a node or on an edge."""

    action_type: str
    action_id: str
    action_descriptor: str | None = None
    blocking_type: Literal["NONE", "SOFT", "SINGLE", "HARD"]
    action_parameters: tuple[ActionParameter, ...] | None = None
    retriable: bool | None = None


class Ellipse(Part):
    """How exactly a node has to be met: half axes [m] and their turn [rad]."""

    a: _NotNegative
    b: _NotNegative
    theta: Annotated[float, Field(ge=-1.570796327, le=1.570796327)]


class OrderNodePosition(Part):
    """Where a node is [m, rad], and how exactly it has to be met."""

    x: float
    y: float
    theta: Angle | None = None
    allowed_deviation_xy: Ellipse | None = Field(None, alias="allowedDeviationXY")
    allowed_deviation_theta: Annotated[float, Field(ge=0, le=3.141592654)] | None = None
    map_id: str


class Node(Part):
    """A node of an order."""

    node_id: str
    sequence_id: NatInteger
    node_descriptor: str | None = None
    released: bool
    node_position: OrderNodePosition | None = None
    actions: tuple[Action, ...]


class Trajectory(Part):
    """A NURBS curve."""

    degree: Annotated[Integer, Field(ge=1)] | None = None
    knot_vector: tuple[_Knot, ...] | None = None
    control_points: tuple[ControlPoint, ...]


class Corridor(Part):
    """How far a mobile robot may leave its edge [m]."""

    left_width: _NotNegative
    right_width: _NotNegative
    corridor_reference_point: Literal["KINEMATIC_CENTER", "CONTOUR"] | None = None
    release_required: bool | None = None
    release_loss_behavior: Literal["STOP", "RETURN"] | None = None


class Edge(Part):
    """An edge of an order: lengths in m, speeds in m/s, angles in rad."""

    edge_id: str
    sequence_id: NatInteger
    edge_descriptor: str | None = None
    released: bool
    maximum_speed: float | None = None
    maximum_mobile_robot_height: float | None = None
    minimum_load_handling_device_height: float | None = None
    orientation: Angle | None = None
    orientation_type: Literal["GLOBAL", "TANGENTIAL"] | None = None
    direction: str | None = None
    reach_orientation_before_entering: bool | None = None
    max_rotation_speed: float | None = None
    trajectory: Trajectory | None = None
    length: float | None = None
    corridor: Corridor | None = None
    actions: tuple[Action, ...]


class Order(Header):
    """An order or an order update."""

    order_id: str
    order_update_id: NatInteger
    order_description: str | None = None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class Map(Part):
    """A map that a mobile robot has."""

    map_id: str
    map_version: str
    map_descriptor: str | None = None
    map_status: Literal["ENABLED", "DISABLED"]


class ZoneSet(Part):
    """A set of zones that a mobile robot has."""

    zone_set_id: str
    map_id: str
    zone_set_status: Literal["ENABLED", "DISABLED"]


class NodePosition(Part):
    """Where a node is [m, rad]."""

    x: float
    y: float
    theta: Angle | None = None
    map_id: str


class NodeState(Part):
    """A node that is still to be reached."""

    node_id: str
    sequence_id: Integer
    node_descriptor: str | None = None
    released: bool
    node_position: NodePosition | None = None


class EdgeState(Part):
    """An edge that is still to be driven."""

    edge_id: str
    sequence_id: Integer
    edge_descriptor: str | None = None
    released: bool
    trajectory: Trajectory | None = None


class PlannedPath(Part):
    """The way ahead as a curve."""

    trajectory: Trajectory
    traversed_nodes: tuple[str, ...] | None = None


class Waypoint(Part):
    """A point of the way ahead [m, rad], and when it will be reached."""

    x: float
    y: float
    theta: Angle | None = None
    eta: str


class IntermediatePath(Part):
    """The next metres of the way as points."""

    polyline: tuple[Waypoint, ...]


class MobileRobotPosition(Part):
    """Where a mobile robot is [m, rad]."""

    x: float
    y: float
    theta: Angle
    map_id: str
    localized: bool
    localization_score: Score | None = None
    deviation_range: _NotNegative | None = None


class LoadSize(Part):
    """Size of a load [m]."""

    length: _NotNegative
    width: _NotNegative
    height: _NotNegative | None = None


class Load(Part):
    """A load on board: weight in kg."""

    load_id: str | None = None
    load_type: str | None = None
    load_position: str | None = None
    bounding_box_reference: BoundingBox | None = None
    load_dimensions: LoadSize | None = None
    weight: _NotNegative | None = None


class ZoneRequest(Part):
    """A wish to enter a zone or to replan in it."""

    request_id: str
    request_type: Literal["ACCESS", "REPLANNING"]
    zone_id: str
    zone_set_id: str
    request_status: Literal["REQUESTED", "GRANTED", "REVOKED", "EXPIRED"]
    trajectory: Trajectory | None = None


class EdgeRequest(Part):
    """A wish to use the corridor of an edge."""

    request_id: str
    request_type: Literal["CORRIDOR"]
    edge_id: str
    sequence_id: Integer
    request_status: Literal["REQUESTED", "GRANTED", "REVOKED", "EXPIRED"]


class ActionState(Part):
    """How far an action is."""

    action_id: str
    action_type: str | None = None
    action_descriptor: str | None = None
    action_status: Literal["WAITING", "INITIALIZING", "RUNNING", "PAUSED", "RETRIABLE", "FINISHED", "FAILED"]
    action_result: str | None = None


class PowerSupply(Part):
    """Battery: charge and health in %, voltage in V, current in A, range in m."""

    state_of_charge: _Percent
    battery_voltage: float | None = None
    battery_current: float | None = None
    battery_health: _Percent | None = None
    charging: bool
    range: _NotNegative | None = None


class Translation(Part):
    """A text in another language."""

    translation_key: str
    translation_value: str


class Error(Part):
    """What is wrong, and how much it matters."""

    error_type: str
    error_references: tuple[Reference, ...] | None = None
    error_description: str | None = None
    error_description_translations: tuple[Translation, ...] | None = None
    error_hint: str | None = None
    error_hint_translations: tuple[Translation, ...] | None = None
    error_level: Literal["WARNING", "URGENT", "CRITICAL", "FATAL"]


class Information(Info):
    """Something for people who debug."""

    info_descriptor: str | None = None


class SafetyState(Part):
    """Emergency stop and protective field."""

    active_emergency_stop: Literal["MANUAL", "REMOTE", "NONE"]
    field_violation: bool


class State(Header):
    """All that fleet control needs to know about a mobile robot; distances in m."""

    maps: tuple[Map, ...] | None = None
    zone_sets: tuple[ZoneSet, ...] | None = None
    order_id: str
    order_update_id: Integer
    last_node_id: str
    last_node_sequence_id: Integer
    node_states: tuple[NodeState, ...]
    edge_states: tuple[EdgeState, ...]
    planned_path: PlannedPath | None = None
    intermediate_path: IntermediatePath | None = None
    mobile_robot_position: MobileRobotPosition | None = None
    velocity: Velocity | None = None
    loads: tuple[Load, ...] | None = None
    driving: bool
    paused: bool | None = None
    new_base_request: bool | None = None
    zone_requests: tuple[ZoneRequest, ...] | None = None
    edge_requests: tuple[EdgeRequest, ...] | None = None
    distance_since_last_node: float | None = None
    action_states: tuple[ActionState, ...]
    instant_action_states: tuple[ActionState, ...]
    zone_action_states: tuple[ActionState, ...] | None = None
    power_supply: PowerSupply
    operating_mode: Literal["STARTUP", "AUTOMATIC", "SEMIAUTOMATIC", "INTERVENED", "MANUAL", "SERVICE", "TEACH_IN"]
    errors: tuple[Error, ...]
    information: tuple[Information, ...] | None = None
    safety_state: SafetyState


class Visualization(Header):
    """Position and speed for a display, and the state that they go with."""

    reference_state_header_id: Integer
    planned_path: PlannedPath | None = None
    intermediate_path: IntermediatePath | None = None
    mobile_robot_position: MobileRobotPosition | None = None
    velocity: Velocity | None = None
