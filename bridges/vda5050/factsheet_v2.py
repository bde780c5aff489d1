"""The factsheet of VDA 5050 2.1.0, as its JSON schema has it.

Two slips of the schema are read with mercy and never written: ``blockingTypes`` is a list there that must equal one word, and the
``description`` of an ``envelopes3d`` is a whole number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bridges.vda5050.base import BoundingBox, Integer, LoadDimensions, NatInteger, Part, Timestamp

__all__ = ["Factsheet"]

_NotNegative = Annotated[float, Field(ge=0)]


class TypeSpecification(Part):
    """What kind of vehicle it is: mass in kg."""

    series_name: str
    series_description: str | None = None
    agv_kinematic: Literal["DIFF", "OMNI", "THREEWHEEL"]
    agv_class: Literal["FORKLIFT", "CONVEYOR", "TUGGER", "CARRIER"]
    max_load_mass: _NotNegative
    localization_types: tuple[Literal["NATURAL", "REFLECTOR", "RFID", "DMC", "SPOT", "GRID"], ...]
    navigation_types: tuple[Literal["PHYSICAL_LINE_GUIDED", "VIRTUAL_LINE_GUIDED", "AUTONOMOUS"], ...]


class PhysicalParameters(Part):
    """Speeds in m/s, accelerations in m/s^2, sizes in m."""

    speed_min: float
    speed_max: float
    acceleration_max: float
    deceleration_max: float
    height_min: float | None = None
    height_max: float
    width: float
    length: float


class StringLengths(Part):
    """Longest texts in characters."""

    msg_len: Integer | None = None
    topic_serial_len: Integer | None = None
    topic_elem_len: Integer | None = None
    id_len: Integer | None = None
    id_numerical_only: bool | None = None
    enum_len: Integer | None = None
    load_id_len: Integer | None = None


class ArrayLengths(Part):
    """Longest lists."""

    order_nodes: Integer | None = Field(None, alias="order.nodes")
    order_edges: Integer | None = Field(None, alias="order.edges")
    node_actions: Integer | None = Field(None, alias="node.actions")
    edge_actions: Integer | None = Field(None, alias="edge.actions")
    actions_actions_parameters: Integer | None = Field(None, alias="actions.actionsParameters")
    instant_actions: Integer | None = None
    trajectory_knot_vector: Integer | None = Field(None, alias="trajectory.knotVector")
    trajectory_control_points: Integer | None = Field(None, alias="trajectory.controlPoints")
    state_node_states: Integer | None = Field(None, alias="state.nodeStates")
    state_edge_states: Integer | None = Field(None, alias="state.edgeStates")
    state_loads: Integer | None = Field(None, alias="state.loads")
    state_action_states: Integer | None = Field(None, alias="state.actionStates")
    state_errors: Integer | None = Field(None, alias="state.errors")
    state_information: Integer | None = Field(None, alias="state.information")
    error_error_references: Integer | None = Field(None, alias="error.errorReferences")
    information_info_references: Integer | None = Field(None, alias="information.infoReferences")


class Timing(Part):
    """Intervals in s."""

    min_order_interval: float
    min_state_interval: float
    default_state_interval: float | None = None
    visualization_interval: float | None = None


class ProtocolLimits(Part):
    """Longest texts and lists, and times in s."""

    max_string_lens: StringLengths
    max_array_lens: ArrayLengths
    timing: Timing


class OptionalParameter(Part):
    """An optional member that is supported or required."""

    parameter: str
    support: Literal["SUPPORTED", "REQUIRED"]
    description: str | None = None


class SupportedParameter(Part):
    """A parameter of a supported action."""

    key: str
    value_data_type: Literal["BOOL", "NUMBER", "INTEGER", "FLOAT", "STRING", "OBJECT", "ARRAY"]
    description: str | None = None
    is_optional: bool | None = None


class SupportedAction(Part):
    """An action that the vehicle can do."""

    action_type: str
    action_description: str | None = None
    action_scopes: tuple[Literal["INSTANT", "NODE", "EDGE"], ...]
    action_parameters: tuple[SupportedParameter, ...] | None = None
    result_description: str | None = None
    blocking_types: tuple[Literal["NONE", "SOFT", "HARD"], ...] | None = None


class ProtocolFeatures(Part):
    """What of the protocol is supported."""

    optional_parameters: tuple[OptionalParameter, ...]
    agv_actions: tuple[SupportedAction, ...]


class WheelPosition(Part):
    """Where a wheel is in the vehicle frame [m, rad]."""

    x: float
    y: float
    theta: float | None = None


class Wheel(Part):
    """A wheel: sizes in m."""

    type: Literal["DRIVE", "CASTER", "FIXED", "MECANUM"]
    is_active_driven: bool
    is_active_steered: bool
    position: WheelPosition
    diameter: float
    width: float
    center_displacement: float | None = None
    constraints: str | None = None


class Vertex(Part):
    """A corner [m]."""

    x: float
    y: float


class Envelope2d(Part):
    """An outline on the floor."""

    set: str
    polygon_points: tuple[Vertex, ...]
    description: str | None = None


class Envelope3d(Part):
    """An outline in space."""

    set: str
    format: str
    data: dict[str, Any] | None = None
    url: str | None = None
    description: Integer | str | None = None


class Geometry(Part):
    """Wheels and envelopes [m]."""

    wheel_definitions: tuple[Wheel, ...] | None = None
    envelopes2d: tuple[Envelope2d, ...] | None = Field(None, alias="envelopes2d")
    envelopes3d: tuple[Envelope3d, ...] | None = Field(None, alias="envelopes3d")


class LoadSet(Part):
    """One kind of load: sizes in m, weights in kg, times in s, speeds in m/s."""

    set_name: str
    load_type: str
    load_positions: tuple[str, ...] | None = None
    bounding_box_reference: BoundingBox | None = None
    load_dimensions: LoadDimensions | None = None
    max_weight: float | None = None
    min_loadhandling_height: float | None = None
    max_loadhandling_height: float | None = None
    min_loadhandling_depth: float | None = None
    max_loadhandling_depth: float | None = None
    min_loadhandling_tilt: float | None = None
    max_loadhandling_tilt: float | None = None
    agv_speed_limit: float | None = None
    agv_acceleration_limit: float | None = None
    agv_deceleration_limit: float | None = None
    pick_time: float | None = None
    drop_time: float | None = None
    description: str | None = None


class LoadSpecification(Part):
    """What can be carried."""

    load_positions: tuple[str, ...] | None = None
    load_sets: tuple[LoadSet, ...] | None = None


class SoftwareVersion(Part):
    """A version of hardware or software."""

    key: str
    value: str


class Network(Part):
    """Network of the vehicle."""

    dns_servers: tuple[str, ...] | None = None
    local_ip_address: str | None = None
    ntp_servers: tuple[str, ...] | None = None
    netmask: str | None = None
    default_gateway: str | None = None


class Configuration(Part):
    """Software and network of the vehicle."""

    versions: tuple[SoftwareVersion, ...] | None = None
    network: Network | None = None


class Factsheet(Part):
    """What a vehicle is and can do; retained. 2.1.0 asks for no header id and no timestamp here."""

    header_id: NatInteger | None = None
    timestamp: Timestamp | None = None
    version: str
    manufacturer: str
    serial_number: str
    type_specification: TypeSpecification
    physical_parameters: PhysicalParameters
    protocol_limits: ProtocolLimits
    protocol_features: ProtocolFeatures
    agv_geometry: Geometry
    load_specification: LoadSpecification
    vehicle_config: Configuration | None = None
