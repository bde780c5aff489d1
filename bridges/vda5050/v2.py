"""Messages of VDA 5050 2.1.0, as its JSON schemas have them."""

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
    LoadDimensions,
    NatInteger,
    Part,
    Reference,
    Score,
    Timestamp,
    Velocity,
)  # fmt: skip

__all__ = ["Connection", "InstantActions", "Order", "State", "Visualization"]

_NotNegative = Annotated[float, Field(ge=0)]
_Knot = Annotated[float, Field(ge=0, le=1)]
_Weight = Annotated[float, Field(ge=0)]


class Connection(Header):
    """Whether an AGV is connected; retained, and its broken form is the last will."""

    connection_state: Literal["ONLINE", "OFFLINE", "CONNECTIONBROKEN"]


class Action(Part):
    """Something to do at a node, on an edge or at once."""

    action_type: str
    action_id: str
    action_description: str | None = None
    blocking_type: Literal["NONE", "SOFT", "HARD"]
    action_parameters: tuple[ActionParameter, ...] | None = None


class InstantActions(Header):
    """Actions to be carried out at once."""

    actions: tuple[Action, ...]


class OrderNodePosition(Part):
    """Where a node is [m, rad], and how exactly it has to be met."""

    x: float
    y: float
    theta: Angle | None = None
    allowed_deviation_xy: _NotNegative | None = Field(None, alias="allowedDeviationXY")
    allowed_deviation_theta: Annotated[float, Field(ge=-3.141592654, le=3.141592654)] | None = None
    map_id: str
    map_description: str | None = None


class Node(Part):
    """A node of an order."""

    node_id: str
    sequence_id: NatInteger
    node_description: str | None = None
    released: bool
    node_position: OrderNodePosition | None = None
    actions: tuple[Action, ...]


class OrderControlPoint(Part):
    """A control point of an ordered trajectory [m]."""

    x: float
    y: float
    weight: _Weight | None = None


class OrderTrajectory(Part):
    """A NURBS curve to be driven."""

    degree: Annotated[Integer, Field(ge=1)]
    knot_vector: tuple[_Knot, ...]
    control_points: tuple[OrderControlPoint, ...]


class Corridor(Part):
    """How far an AGV may leave its edge [m]."""

    left_width: _NotNegative
    right_width: _NotNegative
    corridor_ref_point: Literal["KINEMATICCENTER", "CONTOUR"] | None = None


class Edge(Part):
    """An edge of an order: lengths in m, speeds in m/s, angles in rad."""

    edge_id: str
    sequence_id: NatInteger
    edge_description: str | None = None
    released: bool
    start_node_id: str
    end_node_id: str
    max_speed: float | None = None
    max_height: float | None = None
    min_height: float | None = None
    orientation: Angle | None = None
    orientation_type: str | None = None
    direction: str | None = None
    rotation_allowed: bool | None = None
    max_rotation_speed: float | None = None
    length: float | None = None
    trajectory: OrderTrajectory | None = None
    corridor: Corridor | None = None
    actions: tuple[Action, ...]


class Order(Header):
    """An order or an order update."""

    order_id: str
    order_update_id: NatInteger
    zone_set_id: str | None = None
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


class Map(Part):
    """A map that an AGV has."""

    map_id: str
    map_version: str
    map_description: str | None = None
    map_status: Literal["ENABLED", "DISABLED"]


class NodePosition(Part):
    """Where a node is [m, rad]."""

    x: float
    y: float
    theta: float | None = None
    map_id: str


class NodeState(Part):
    """A node that is still to be reached."""

    node_id: str
    sequence_id: Integer
    node_description: str | None = None
    released: bool
    node_position: NodePosition | None = None


class Trajectory(Part):
    """A NURBS curve."""

    degree: Integer
    knot_vector: tuple[_Knot, ...]
    control_points: tuple[ControlPoint, ...]


class EdgeState(Part):
    """An edge that is still to be driven."""

    edge_id: str
    sequence_id: Integer
    edge_description: str | None = None
    released: bool
    trajectory: Trajectory | None = None


class VisualizationPosition(Part):
    """Where an AGV is [m, rad]."""

    x: float
    y: float
    theta: float
    map_id: str
    position_initialized: bool
    localization_score: Score | None = None
    deviation_range: float | None = None


class AgvPosition(VisualizationPosition):
    """Where an AGV is [m, rad], with words about the map."""

    map_description: str | None = None


class Load(Part):
    """A load on board: weight in kg."""

    load_id: str | None = None
    load_type: str | None = None
    load_position: str | None = None
    bounding_box_reference: BoundingBox | None = None
    load_dimensions: LoadDimensions | None = None
    weight: _NotNegative | None = None


class ActionState(Part):
    """How far an action is."""

    action_id: str
    action_type: str | None = None
    action_description: str | None = None
    action_status: Literal["WAITING", "INITIALIZING", "RUNNING", "PAUSED", "FINISHED", "FAILED"]
    result_description: str | None = None


class BatteryState(Part):
    """Battery: charge and health in %, voltage in V, reach in m."""

    battery_charge: float
    battery_voltage: float | None = None
    battery_health: Annotated[float, Field(ge=0, le=100)] | None = None
    charging: bool
    reach: _NotNegative | None = None


class Error(Part):
    """What is wrong: WARNING goes on, FATAL needs a person."""

    error_type: str
    error_references: tuple[Reference, ...] | None = None
    error_description: str | None = None
    error_hint: str | None = None
    error_level: Literal["WARNING", "FATAL"]


class Information(Info):
    """Something for people who debug."""

    info_description: str | None = None


class SafetyState(Part):
    """Emergency stop and protective field."""

    e_stop: Literal["AUTOACK", "MANUAL", "REMOTE", "NONE"]
    field_violation: bool


class State(Header):
    """All that a fleet manager needs to know about an AGV; distances in m."""

    maps: tuple[Map, ...] | None = None
    order_id: str
    order_update_id: Integer
    zone_set_id: str | None = None
    last_node_id: str
    last_node_sequence_id: Integer
    driving: bool
    paused: bool | None = None
    new_base_request: bool | None = None
    distance_since_last_node: float | None = None
    operating_mode: Literal["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL", "SERVICE", "TEACHIN"]
    node_states: tuple[NodeState, ...]
    edge_states: tuple[EdgeState, ...]
    agv_position: AgvPosition | None = None
    velocity: Velocity | None = None
    loads: tuple[Load, ...] | None = None
    action_states: tuple[ActionState, ...]
    battery_state: BatteryState
    errors: tuple[Error, ...]
    information: tuple[Information, ...] | None = None
    safety_state: SafetyState


class Visualization(Part):
    """Position and speed for a display; 2.1.0 asks for no member at all."""

    header_id: Integer | None = None
    timestamp: Timestamp | None = None
    version: str | None = None
    manufacturer: str | None = None
    serial_number: str | None = None
    agv_position: VisualizationPosition | None = None
    velocity: Velocity | None = None
