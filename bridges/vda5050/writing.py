"""The twin's AGVs in the words of each version of the standard.

Where 2.1.0 has no word the nearest is said: a paused action is RUNNING (its schema does not know PAUSED, ``paused`` of the state
says it), every level but FATAL is WARNING, an emergency stop is REMOTE.
"""

from __future__ import annotations

from typing import Any

from bridges.vda5050 import factsheet_v2, factsheet_v3, v2, v3
from bridges.vda5050.base import Part, Reference, Velocity, Version
from bridges.vda5050.limits import MAX_ACTIONS, MAX_BYTES, MAX_ID, MAX_NODES, MAX_PARAMETERS
from bridges.vda5050.view import ActionView, ErrorView, NodeView, VehicleSheet, VehicleView

__all__ = ["BRIDGE_ACTIONS", "connection_message", "factsheet_message", "state_message", "visualization_message"]

BRIDGE_ACTIONS = ("stateRequest", "factsheetRequest")
"""Instant actions that need no vehicle to be carried out."""
_LONGEST_LISTS = {
    "order_nodes": MAX_NODES, "order_edges": MAX_NODES, "node_actions": MAX_ACTIONS, "edge_actions": MAX_ACTIONS,
    "actions_actions_parameters": MAX_PARAMETERS, "instant_actions": MAX_ACTIONS,
}  # fmt: skip
_BLOCKING_V3 = ("NONE", "SOFT", "SINGLE", "HARD")


def connection_message(header: dict[str, Any], state: str, version: Version) -> Part:
    """Return a connection message: ``ONLINE``, ``OFFLINE`` or ``BROKEN``, which each version spells its own way."""
    if version == "2.1.0":
        return v2.Connection(**header, connection_state="CONNECTIONBROKEN" if state == "BROKEN" else state)  # type: ignore[arg-type]
    return v3.Connection(**header, connection_state="CONNECTION_BROKEN" if state == "BROKEN" else state)  # type: ignore[arg-type]


def state_message(header: dict[str, Any], vehicle: VehicleView, map_id: str, version: Version) -> Part:
    """Return a state message.

    Parameters
    ----------
    header : headerId, timestamp, version, manufacturer, serialNumber in Python's spelling.
    vehicle : the AGV. map_id : map of its position. version : of the standard.
    """
    return _state_v2(header, vehicle, map_id) if version == "2.1.0" else _state_v3(header, vehicle, map_id)


def _velocity(vehicle: VehicleView) -> Velocity:
    return Velocity(vx=round(vehicle.speed_mps, 4), vy=0.0, omega=round(vehicle.turn_radps, 4))


def _references(error: ErrorView) -> tuple[Reference, ...]:
    return tuple(Reference(reference_key=key, reference_value=value) for key, value in error.references)


def _pose(vehicle: VehicleView, map_id: str) -> dict[str, Any]:
    return {
        "x": round(vehicle.x_m, 4), "y": round(vehicle.y_m, 4), "theta": round(vehicle.heading_rad, 5), "map_id": map_id,
    }  # fmt: skip


def _common(vehicle: VehicleView) -> dict[str, Any]:
    return {
        "order_id": vehicle.order_id,
        "order_update_id": vehicle.order_update_id,
        "last_node_id": vehicle.last_node,
        "last_node_sequence_id": vehicle.last_sequence,
        "driving": vehicle.driving,
        "paused": vehicle.paused,
        "new_base_request": vehicle.base_ends,
        "distance_since_last_node": round(vehicle.since_node_m, 3),
        "velocity": _velocity(vehicle),
    }


def _state_v2(header: dict[str, Any], vehicle: VehicleView, map_id: str) -> v2.State:
    def node(n: NodeView) -> v2.NodeState:
        place = v2.NodePosition(x=n.x_m, y=n.y_m, map_id=map_id)
        return v2.NodeState(node_id=n.node_id, sequence_id=n.sequence_id, released=n.released, node_position=place)

    def action(a: ActionView) -> v2.ActionState:
        status = {"PAUSED": "RUNNING", "RETRIABLE": "FAILED"}.get(a.status, a.status)
        return v2.ActionState(
            action_id=a.action_id, action_type=a.action_type, action_status=status, result_description=a.result or None  # type: ignore[arg-type]
        )  # fmt: skip

    def error(e: ErrorView) -> v2.Error:
        return v2.Error(
            error_type=e.error_type_2_1,
            error_references=_references(e),
            error_description=e.description,
            error_level="FATAL" if e.level == "FATAL" else "WARNING",
        )

    stands = (v2.Information(info_type="standstill", info_description=vehicle.standstill, info_level="INFO"),)
    return v2.State(
        **header,
        **_common(vehicle),
        operating_mode="AUTOMATIC",
        node_states=tuple(node(n) for n in vehicle.nodes),
        edge_states=tuple(v2.EdgeState(edge_id=e.edge_id, sequence_id=e.sequence_id, released=e.released) for e in vehicle.edges),
        agv_position=v2.AgvPosition(**_pose(vehicle, map_id), position_initialized=True),
        loads=(v2.Load(load_type=vehicle.load_type),) if vehicle.load_type else (),
        action_states=tuple(action(a) for a in (*vehicle.actions, *vehicle.instant_actions)),
        battery_state=v2.BatteryState(battery_charge=round(100 * vehicle.battery, 2), charging=vehicle.charging),
        errors=tuple(error(e) for e in vehicle.errors),
        information=stands if vehicle.standstill else (),
        safety_state=v2.SafetyState(
            e_stop="REMOTE" if vehicle.emergency_stop else "NONE", field_violation=vehicle.field_violation
        ),
    )


def _state_v3(header: dict[str, Any], vehicle: VehicleView, map_id: str) -> v3.State:
    def node(n: NodeView) -> v3.NodeState:
        place = v3.NodePosition(x=n.x_m, y=n.y_m, map_id=map_id)
        return v3.NodeState(node_id=n.node_id, sequence_id=n.sequence_id, released=n.released, node_position=place)

    def action(a: ActionView) -> v3.ActionState:
        return v3.ActionState(
            action_id=a.action_id, action_type=a.action_type, action_status=a.status, action_result=a.result or None  # type: ignore[arg-type]
        )  # fmt: skip

    def error(e: ErrorView) -> v3.Error:
        return v3.Error(
            error_type=e.error_type, error_references=_references(e), error_description=e.description, error_level=e.level
        )

    stands = (v3.Information(info_type="standstill", info_descriptor=vehicle.standstill, info_level="INFO"),)
    return v3.State(
        **header,
        **_common(vehicle),
        operating_mode="AUTOMATIC",
        node_states=tuple(node(n) for n in vehicle.nodes),
        edge_states=tuple(v3.EdgeState(edge_id=e.edge_id, sequence_id=e.sequence_id, released=e.released) for e in vehicle.edges),
        mobile_robot_position=v3.MobileRobotPosition(**_pose(vehicle, map_id), localized=True),
        loads=(v3.Load(load_type=vehicle.load_type),) if vehicle.load_type else (),
        action_states=tuple(action(a) for a in vehicle.actions),
        instant_action_states=tuple(action(a) for a in vehicle.instant_actions),
        power_supply=v3.PowerSupply(state_of_charge=round(100 * vehicle.battery, 2), charging=vehicle.charging),
        errors=tuple(error(e) for e in vehicle.errors),
        information=stands if vehicle.standstill else (),
        safety_state=v3.SafetyState(
            active_emergency_stop="REMOTE" if vehicle.emergency_stop else "NONE", field_violation=vehicle.field_violation
        ),
    )


def visualization_message(
    header: dict[str, Any], vehicle: VehicleView, map_id: str, state_header_id: int, version: Version
) -> Part:
    """Return a visualization message; 3.0.0 refers to the state message that it goes with."""
    if version == "2.1.0":
        place = v2.VisualizationPosition(**_pose(vehicle, map_id), position_initialized=True)
        return v2.Visualization(**header, agv_position=place, velocity=_velocity(vehicle))
    position = v3.MobileRobotPosition(**_pose(vehicle, map_id), localized=True)
    return v3.Visualization(
        **header, reference_state_header_id=state_header_id, mobile_robot_position=position, velocity=_velocity(vehicle)
    )


# what the twin's AGVs do, where (robots.outside says the same in code), and whether it can be paused or cancelled
_ACTIONS: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bool, bool], ...] = (
    ("pick", ("NODE",), (("loadType", "STRING"), ("loadHeight", "NUMBER")), False, False),
    ("drop", ("NODE",), (), False, False),
    ("startCharging", ("NODE",), (), False, False),
    ("stopCharging", ("NODE",), (), False, False),
    ("finePositioning", ("NODE", "EDGE"), (), True, True),
    ("startPause", ("INSTANT",), (), False, False),
    ("stopPause", ("INSTANT",), (), False, False),
    ("cancelOrder", ("INSTANT",), (("orderId", "STRING"),), False, False),
    (
        "initPosition",
        ("INSTANT",),
        (("x", "NUMBER"), ("y", "NUMBER"), ("theta", "NUMBER"), ("mapId", "STRING"), ("lastNodeId", "STRING")),
        False,
        False,
    ),
    ("stateRequest", ("INSTANT",), (), False, False),
    ("factsheetRequest", ("INSTANT",), (), False, False),
)


def factsheet_message(
    header: dict[str, Any], sheet: VehicleSheet, min_state_s: float, state_s: float, visualization_s: float, version: Version
) -> Part:
    """Return a factsheet; intervals in s. Limits of the protocol that do not exist are left out; load masses are not modelled."""
    if version == "2.1.0":
        return _factsheet_v2(header, sheet, min_state_s, state_s, visualization_s)
    return _factsheet_v3(header, sheet, min_state_s, state_s, visualization_s)


def _factsheet_v2(
    header: dict[str, Any], sheet: VehicleSheet, min_state_s: float, state_s: float, visualization_s: float
) -> factsheet_v2.Factsheet:
    f = factsheet_v2
    actions = tuple(
        f.SupportedAction(
            action_type=name,
            action_scopes=scopes,  # type: ignore[arg-type]
            action_parameters=tuple(
                f.SupportedParameter(key=key, value_data_type=kind, is_optional=True)  # type: ignore[arg-type]
                for key, kind in parameters
            ),
        )
        for name, scopes, parameters, _, _ in _ACTIONS
    )
    return f.Factsheet(
        **header,
        type_specification=f.TypeSpecification(
            series_name="factory-twin", agv_kinematic="DIFF", agv_class="CARRIER", max_load_mass=0.0,
            localization_types=("NATURAL",), navigation_types=("VIRTUAL_LINE_GUIDED",),
        ),
        physical_parameters=f.PhysicalParameters(
            speed_min=0.0, speed_max=sheet.speed_max_mps, acceleration_max=sheet.acceleration_mps2,
            deceleration_max=sheet.deceleration_mps2, height_min=sheet.height_m, height_max=sheet.height_max_m,
            width=sheet.width_m, length=sheet.length_m,
        ),
        protocol_limits=f.ProtocolLimits(
            max_string_lens=f.StringLengths(msg_len=MAX_BYTES, id_len=MAX_ID),
            max_array_lens=f.ArrayLengths(**_LONGEST_LISTS),
            timing=f.Timing(
                min_order_interval=0.0, min_state_interval=min_state_s, default_state_interval=state_s,
                visualization_interval=visualization_s,
            ),
        ),
        protocol_features=f.ProtocolFeatures(optional_parameters=(), agv_actions=actions),
        agv_geometry=f.Geometry(),
        load_specification=f.LoadSpecification(
            load_sets=tuple(
                f.LoadSet(set_name=kind, load_type=kind, pick_time=sheet.load_time_s, drop_time=sheet.unload_time_s)
                for kind in sheet.load_types
            )
        ),
    )  # fmt: skip


def _factsheet_v3(
    header: dict[str, Any], sheet: VehicleSheet, min_state_s: float, state_s: float, visualization_s: float
) -> factsheet_v3.Factsheet:
    f = factsheet_v3
    actions = tuple(
        f.SupportedAction(
            action_type=name,
            action_scopes=scopes,  # type: ignore[arg-type]
            action_parameters=tuple(
                f.SupportedParameter(key=key, value_data_type=kind, is_optional=True)  # type: ignore[arg-type]
                for key, kind in parameters
            ),
            blocking_types=("NONE",) if scopes == ("INSTANT",) else _BLOCKING_V3,  # type: ignore[arg-type]
            pause_allowed=pause,
            cancel_allowed=cancel,
        )
        for name, scopes, parameters, pause, cancel in _ACTIONS
    )
    return f.Factsheet(
        **header,
        type_specification=f.TypeSpecification(
            series_name="factory-twin", mobile_robot_kinematics="DIFFERENTIAL", mobile_robot_class="CARRIER",
            maximum_load_mass=0.0, localization_types=("NATURAL",), navigation_types=("VIRTUAL_LINE_GUIDED",),
        ),
        physical_parameters=f.PhysicalParameters(
            minimum_speed=0.0, maximum_speed=sheet.speed_max_mps, maximum_angular_speed=sheet.turn_radps,
            maximum_acceleration=sheet.acceleration_mps2, maximum_deceleration=sheet.deceleration_mps2,
            minimum_height=sheet.height_m, maximum_height=sheet.height_max_m, width=sheet.width_m, length=sheet.length_m,
        ),
        protocol_limits=f.ProtocolLimits(
            maximum_string_lengths=f.StringLengths(maximum_message_length=MAX_BYTES, maximum_id_length=MAX_ID),
            maximum_array_lengths=f.ArrayLengths(**_LONGEST_LISTS),
            timing=f.Timing(
                minimum_order_interval=0.0, minimum_state_interval=min_state_s, default_state_interval=state_s,
                visualization_interval=visualization_s,
            ),
        ),
        protocol_features=f.ProtocolFeatures(optional_parameters=(), mobile_robot_actions=actions),
        mobile_robot_geometry=f.Geometry(),
        load_specification=f.LoadSpecification(
            load_sets=tuple(
                f.LoadSet(set_name=kind, load_type=kind, pick_time=sheet.load_time_s, drop_time=sheet.unload_time_s)
                for kind in sheet.load_types
            )
        ),
    )  # fmt: skip
