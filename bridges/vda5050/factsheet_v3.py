"""The factsheet of VDA 5050 3.0.0, as its JSON schema has it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bridges.vda5050.base import BoundingBox, Header, LoadDimensions, NatInteger, Part

__all__ = ["Factsheet"]

_NotNegative = Annotated[float, Field(ge=0)]
_Percent = Annotated[float, Field(ge=0, le=100)]


class TypeSpecification(Part):
    """What kind of vehicle it is: mass in kg."""

    series_name: str
    series_description: str | None = None
    mobile_robot_kinematics: str
    mobile_robot_class: str
    maximum_load_mass: _NotNegative
    localization_types: tuple[str, ...]
    navigation_types: tuple[str, ...]
    supported_zones: (
        tuple[
            Literal[
                "BLOCKED",
                "LINE_GUIDED",
                "RELEASE",
                "COORDINATED_REPLANNING",
                "SPEED_LIMIT",
                "ACTION",
                "PRIORITY",
                "PENALTY",
                "DIRECTED",
                "BIDIRECTED",
            ],
            ...,
        ]
        | None
    ) = None


class PhysicalParameters(Part):
    """Speeds in m/s, accelerations in m/s^2, sizes in m."""

    minimum_speed: _NotNegative
    maximum_speed: _NotNegative
    minimum_angular_speed: _NotNegative | None = None
    maximum_angular_speed: _NotNegative | None = None
    maximum_acceleration: _NotNegative
    maximum_deceleration: float
    minimum_height: float
    maximum_height: float
    width: float
    length: float


class StringLengths(Part):
    """Longest texts in characters."""

    maximum_message_length: NatInteger | None = None
    maximum_topic_serial_length: NatInteger | None = None
    maximum_topic_element_length: NatInteger | None = None
    maximum_id_length: NatInteger | None = None
    id_numerical_only: bool | None = None
    maximum_load_id_length: NatInteger | None = None


class ArrayLengths(Part):
    """Longest lists."""

    order_nodes: NatInteger | None = Field(None, alias="order.nodes")
    order_edges: NatInteger | None = Field(None, alias="order.edges")
    node_actions: NatInteger | None = Field(None, alias="node.actions")
    edge_actions: NatInteger | None = Field(None, alias="edge.actions")
    actions_actions_parameters: NatInteger | None = Field(None, alias="actions.actionsParameters")
    instant_actions: NatInteger | None = None
    trajectory_knot_vector: NatInteger | None = Field(None, alias="trajectory.knotVector")
    trajectory_control_points: NatInteger | None = Field(None, alias="trajectory.controlPoints")
    zone_set_zones: NatInteger | None = Field(None, alias="zoneSet.zones")
    state_node_states: NatInteger | None = Field(None, alias="state.nodeStates")
    state_edge_states: NatInteger | None = Field(None, alias="state.edgeStates")
    state_loads: NatInteger | None = Field(None, alias="state.loads")
    state_action_states: NatInteger | None = Field(None, alias="state.actionStates")
    state_instant_action_states: NatInteger | None = Field(None, alias="state.instantActionStates")
    state_zone_action_states: NatInteger | None = Field(None, alias="state.zoneActionStates")
    state_errors: NatInteger | None = Field(None, alias="state.errors")
    state_information: NatInteger | None = Field(None, alias="state.information")
    error_error_references: NatInteger | None = Field(None, alias="error.errorReferences")
    information_info_references: NatInteger | None = Field(None, alias="information.infoReferences")


class Timing(Part):
    """Intervals in s."""

    minimum_order_interval: _NotNegative
    minimum_state_interval: _NotNegative
    default_state_interval: _NotNegative | None = None
    visualization_interval: _NotNegative | None = None


class ProtocolLimits(Part):
    """Longest texts and lists, and times in s."""

    maximum_string_lengths: StringLengths
    maximum_array_lengths: ArrayLengths
    timing: Timing


class OptionalParameter(Part):
    """An optional member that is supported or required."""

    parameter: str
    support: Literal["SUPPORTED", "REQUIRED"]
    description: str | None = None


class SupportedParameter(Part):
    """A parameter of a supported action."""

    key: str
    value_data_type: Literal["BOOL", "NUMBER", "INTEGER", "STRING", "OBJECT", "ARRAY"]
    description: str | None = None
    is_optional: bool | None = None


class SupportedAction(Part):
    """An action that the mobile robot can do."""

    action_type: str
    action_description: str | None = None
    action_scopes: tuple[Literal["INSTANT", "NODE", "EDGE", "ZONE"], ...]
    action_parameters: tuple[SupportedParameter, ...] | None = None
    action_result: str | None = None
    blocking_types: tuple[Literal["NONE", "SOFT", "SINGLE", "HARD"], ...] | None = None
    pause_allowed: bool
    cancel_allowed: bool


class ProtocolFeatures(Part):
    """What of the protocol is supported."""

    optional_parameters: tuple[OptionalParameter, ...]
    mobile_robot_actions: tuple[SupportedAction, ...]


class WheelPosition(Part):
    """Where a wheel is in the vehicle frame [m, rad]."""

    x: float
    y: float
    theta: float | None = None


class Wheel(Part):
    """A wheel: sizes in m."""

    type: str
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

    envelope2d_id: str = Field(alias="envelope2dId")
    vertices: tuple[Vertex, ...]
    description: str | None = None


class Envelope3d(Part):
    """An outline in space."""

    envelope3d_id: str = Field(alias="envelope3dId")
    format: str
    data: dict[str, Any] | None = None
    url: str | None = None
    description: str | None = None


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
    maximum_weight: _NotNegative | None = None
    minimum_loadhandling_height: _NotNegative | None = None
    maximum_loadhandling_height: _NotNegative | None = None
    minimum_loadhandling_depth: float | None = None
    maximum_loadhandling_depth: float | None = None
    minimum_loadhandling_tilt: float | None = None
    maximum_loadhandling_tilt: float | None = None
    maximum_speed: _NotNegative | None = None
    maximum_acceleration: _NotNegative | None = None
    maximum_deceleration: float | None = None
    pick_time: _NotNegative | None = None
    drop_time: _NotNegative | None = None
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
    ntp_servers: tuple[str, ...] | None = None
    local_ip_address: str | None = None
    netmask: str | None = None
    default_gateway: str | None = None


class BatteryCharging(Part):
    """Charge in %, time in s."""

    critical_low_charging_level: _Percent | None = None
    minimum_desired_charging_level: _Percent | None = None
    maximum_desired_charging_level: _Percent | None = None
    minimum_charging_time: _NotNegative | None = None


class Configuration(Part):
    """Software, network and charging of the mobile robot."""

    versions: tuple[SoftwareVersion, ...] | None = None
    network: Network | None = None
    battery_charging: BatteryCharging | None = None


class Factsheet(Header):
    """What a mobile robot is and can do; retained."""

    header_id: NatInteger
    type_specification: TypeSpecification
    physical_parameters: PhysicalParameters
    protocol_limits: ProtocolLimits
    protocol_features: ProtocolFeatures
    mobile_robot_geometry: Geometry
    load_specification: LoadSpecification
    mobile_robot_configuration: Configuration | None = None
