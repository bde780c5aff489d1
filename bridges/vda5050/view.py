"""What of an AGV leaves the twin for VDA 5050: frozen plain values, the same for both versions of the standard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["ActionView", "EdgeView", "ErrorView", "FleetView", "NodeView", "VehicleSheet", "VehicleView"]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node still to be reached: name, sequenceId, released (base) or not (horizon), place [m]."""

    node_id: str
    sequence_id: int
    released: bool
    x_m: float
    y_m: float


@dataclass(frozen=True, slots=True)
class EdgeView:
    """An edge still to be driven: name, sequenceId, released (base) or not (horizon)."""

    edge_id: str
    sequence_id: int
    released: bool


@dataclass(frozen=True, slots=True)
class ActionView:
    """An action: id, type, actionStatus by 3.0.0's words, and what came of it."""

    action_id: str
    action_type: str
    status: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class ErrorView:
    """Something wrong, by 3.0.0's name and level and by the nearest name of 2.1.0; references as (key, value)."""

    error_type: str
    error_type_2_1: str
    level: Literal["WARNING", "URGENT", "CRITICAL", "FATAL"]
    description: str
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VehicleView:
    """One AGV at one instant.

    Attributes
    ----------
    serial : serial number, the AGV's id in the hall.
    x_m, y_m, heading_rad : pose in the hall frame [m, rad]. speed_mps : along the heading [m/s]. turn_radps : [rad/s].
    order_id, order_update_id : present or last order, "" before the first.
    last_node, last_sequence : node passed last and its sequenceId. since_node_m : distance driven from there [m].
    nodes, edges : what is left of the order, empty when idle.
    actions : of the order. instant_actions : of instantActions messages.
    driving, paused : it moves; it was paused. base_ends : it is about to need a longer base.
    battery : charge 0..1. charging : at a charging station.
    load_type : what it carries, "" for nothing.
    errors : what was rejected and what is broken.
    standstill : word for what keeps it standing, "" while it drives or has nothing to do.
    emergency_stop, field_violation : an emergency stop is active; somebody is in the protective field.
    """

    serial: str
    x_m: float
    y_m: float
    heading_rad: float
    speed_mps: float
    turn_radps: float
    order_id: str
    order_update_id: int
    last_node: str
    last_sequence: int
    since_node_m: float
    nodes: tuple[NodeView, ...]
    edges: tuple[EdgeView, ...]
    actions: tuple[ActionView, ...]
    instant_actions: tuple[ActionView, ...]
    driving: bool
    paused: bool
    base_ends: bool
    battery: float
    charging: bool
    load_type: str
    errors: tuple[ErrorView, ...]
    standstill: str
    emergency_stop: bool
    field_violation: bool


@dataclass(frozen=True, slots=True)
class FleetView:
    """All AGVs at one instant of twin time [us].

    ``memory`` is what must be kept before this is told: JSON, the same object as long as nothing changed; None where nothing is.
    """

    time_us: int
    vehicles: tuple[VehicleView, ...]
    memory: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class VehicleSheet:
    """What all AGVs of the twin are: the contents of their factsheet.

    Attributes
    ----------
    speed_max_mps, acceleration_mps2, deceleration_mps2, turn_radps : limits.
    length_m, width_m, height_m, height_max_m : size, without and with the highest load [m].
    load_types : kinds of loads, empty where they have no names.
    load_time_s, unload_time_s : [s].
    """

    speed_max_mps: float
    acceleration_mps2: float
    deceleration_mps2: float
    turn_radps: float
    length_m: float
    width_m: float
    height_m: float
    height_max_m: float
    load_types: tuple[str, ...]
    load_time_s: float
    unload_time_s: float
