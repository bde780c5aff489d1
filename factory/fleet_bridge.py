"""Between the fleet and VDA 5050: orders from outside in, the fleet's view out. Called on the tick's thread."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bridges.config import BridgesConfig
from bridges.inbox import Command, Inbox
from bridges.vda5050.agvs import VirtualAgvs
from bridges.vda5050.memory import OrdersFile
from bridges.vda5050.vehicle import INSTANT_COMMAND, ORDER_COMMAND
from bridges.vda5050.view import ActionView, EdgeView, ErrorView, FleetView, NodeView, VehicleSheet, VehicleView
from bridges.view import TwinView
from robots.agv_config import AgvsConfig
from robots.fleet import Fleet
from robots.order_messages import read_instant_actions, read_order
from robots.orders import Action, ActionState, Order, OrderError
from robots.state import BREAKDOWN, CHARGING, DRIVING, EMERGENCY_STOP, MODES, NO_ORDER, PERSON_NEAR, WORKING

__all__ = ["FleetBridge", "FleetSpeaker", "start_vda5050", "vehicle_sheet"]

_log = logging.getLogger(__name__)

_KEPT_ERRORS = 10
_PLACES_US = 1_000_000  # an AGV that drives is kept this often
_QUIET = (DRIVING, WORKING, NO_ORDER, CHARGING)


def vehicle_sheet(agvs: AgvsConfig) -> VehicleSheet:
    """Return what a factsheet says about the AGVs."""
    return VehicleSheet(
        speed_max_mps=agvs.max_speed_mps,
        acceleration_mps2=agvs.max_acceleration_mps2,
        deceleration_mps2=agvs.deceleration_mps2,
        turn_radps=float(np.radians(agvs.turn_rate_deg_per_s)),
        length_m=agvs.length_m,
        width_m=agvs.width_m,
        height_m=agvs.body_height_m,
        height_max_m=agvs.body_height_m + agvs.highest_load_m,
        load_types=tuple(kind.name for kind in agvs.loads),
        load_time_s=agvs.load_time_s,
        unload_time_s=agvs.unload_time_s,
    )


def start_vda5050(
    config: BridgesConfig, fleet: Fleet, serials: Sequence[str], inbox: Inbox, state: Path | None = None
) -> tuple[FleetBridge, VirtualAgvs] | None:
    """Let a fleet speak VDA 5050 where the scenario enables it.

    Parameters
    ----------
    config : the bridges section. fleet : the AGVs. serials : their names, in the fleet's order. inbox : the twin's.
    state : folder that outlives a run, where orders are kept; None: they are not.

    Returns
    -------
    FleetBridge, VirtualAgvs
        What the tick hands commands to and takes views from, and the running AGVs at the broker; None where it is not enabled.

    Raises
    ------
    BridgeError
        Names, versions, password or certificates cannot be used, or another twin keeps its orders in the state folder.
    """
    if not config.vda5050.enabled:
        return None
    bridge = FleetBridge(fleet, serials, config.vda5050.map_id)
    file = None
    if state is not None and config.vda5050.remember_orders and fleet.memory is not None:
        file = OrdersFile(state / "vda5050")
    try:
        if file is not None:
            bridge.recall(file)
        known = {serial: fleet.instant_action_ids(i) for i, serial in enumerate(serials)}
        agvs = VirtualAgvs(config.mqtt, config.vda5050, tuple(serials), vehicle_sheet(fleet.config.agvs), inbox, file, known)
        agvs.start()
    except BaseException:
        if file is not None:
            file.close()
        raise
    return bridge, agvs


class FleetSpeaker:
    """The AGVs at the broker, as live mode asks of a bridge.

    Parameters
    ----------
    fleet : what says how the fleet stands. agvs : the running AGVs at the broker.
    """

    def __init__(self, fleet: FleetBridge, agvs: VirtualAgvs) -> None:
        self._fleet, self._agvs = fleet, agvs

    @property
    def recalled(self) -> dict[str, Any] | None:
        """Orders of a twin before this one that the AGVs go on with."""
        return self._fleet.recalled

    def publish(self, view: TwinView) -> None:
        """Hand the fleet's own view over and return at once."""
        self._agvs.publish_fleet(self._fleet.view())

    def stop(self) -> None:
        """Say goodbye for every AGV."""
        self._agvs.stop()


class FleetBridge:
    """Hands VDA 5050 messages to a fleet and says how it stands.

    Parameters
    ----------
    fleet : the AGVs. serials : their names, in the fleet's order. map_id : name of the hall's map in messages.

    Attributes
    ----------
    notice : what to tell the person at the keyboard, "" for nothing.
    recalled : orders of a twin before this one that the AGVs go on with; None where there are none.
    faults : messages that could not be carried out.
    """

    def __init__(self, fleet: Fleet, serials: Sequence[str], map_id: str = "hall") -> None:
        self._fleet, self._serials, self._map_id = fleet, tuple(serials), map_id
        self._index = {serial: i for i, serial in enumerate(self._serials)}
        n = len(self._serials)
        self._errors: list[tuple[OrderError, ...]] = [()] * n
        self._edge_ids: list[dict[int, str]] = [{} for _ in range(n)]
        self._order_id = [""] * n
        self._known_cancel = [""] * n  # actionId of the last cancelOrder that is taken into account
        self._cancelled: list[str | None] = [None] * n  # orderId of what was cancelled
        self.notice = ""
        self.recalled: dict[str, Any] | None = None
        self.faults = 0
        self._memory: dict[str, Any] | None = None
        self._memory_of, self._memory_us = -1, 0
        places = fleet.graph.node_xy.tolist()
        self._place = {name: (x_m, y_m) for name, (x_m, y_m) in zip(fleet.graph.node_id, places, strict=True)}
        self._heading: dict[int, tuple[int, float]] = {}

    def carry_out(self, command: Command) -> bool:
        """Carry out a command where it is one of VDA 5050; False where it is not."""
        if command.name not in (ORDER_COMMAND, INSTANT_COMMAND):
            return False
        i = self._index.get(command.target)
        if i is None or command.payload is None:
            command.answer(False, f"{command.target!r} is no AGV; there are {', '.join(self._serials[:8]) or 'none'}")
            return True
        try:
            error = self._take_order(i, command.payload) if command.name == ORDER_COMMAND else self._act(i, command.payload)
        except Exception:  # whatever a message holds, it must not end the twin
            self.faults += 1
            if self.faults % 100 == 1:
                _log.exception("VDA 5050: a message to %s could not be carried out", command.target)
            error = OrderError("VALIDATION_FAILURE", "the message could not be carried out; the twin's log says more")
            self._keep(i, error)
        command.answer(error is None, "accepted" if error is None else f"{error.error_type}: {error.description}")
        return True

    def _take_order(self, i: int, payload: Mapping[str, Any]) -> OrderError | None:
        order = read_order(payload)
        error = order if isinstance(order, OrderError) else self._cannot(payload)
        if error is not None:
            self._keep(i, error)
            return error
        assert isinstance(order, Order)
        error = self._fleet.receive(i, order)
        if error is not None and error not in self._fleet.errors(i):  # a fleet that takes orders keeps its errors itself
            self._keep(i, error)
        if error is None:
            if order.order_id != self._order_id[i]:
                self._edge_ids[i], self._order_id[i] = {}, order.order_id
                self._known_cancel[i], self._cancelled[i] = _last_cancel(self._fleet.instant_action_states(i))[0], None
            self._edge_ids[i] |= {int(edge["sequenceId"]): str(edge["edgeId"]) for edge in payload["edges"]}
            behind = order.nodes[0].sequence_id  # an order may go on by updates for days
            passed = self._fleet.order(i).nodes
            behind = min(behind, passed[0].sequence_id) if passed else behind
            self._edge_ids[i] = {s: name for s, name in self._edge_ids[i].items() if s > behind}
            self._errors[i] = ()
        return error

    def _cannot(self, payload: Mapping[str, Any]) -> OrderError | None:
        """Find what an order asks for and an AGV would silently not do: another map, a slower edge."""
        who = (("orderId", str(payload["orderId"])),)
        for k, node in enumerate(payload["nodes"]):
            named = node.get("nodePosition", {}).get("mapId", self._map_id)
            if named != self._map_id:
                text = f"nodes[{k}].nodePosition.mapId: {named!r}; the AGV is on {self._map_id!r}"
                return OrderError("UNKNOWN_MAP_ID", text, (*who, ("nodeId", str(node["nodeId"]))))
        slowest = self._fleet.config.agvs.max_speed_mps
        for k, edge in enumerate(payload["edges"]):
            for name in ("maxSpeed", "maximumSpeed"):
                if edge.get(name, slowest) < slowest:
                    text = (
                        f"edges[{k}].{name}: {edge[name]:g} m/s; AGVs drive by the limits of the routes, up to {slowest:g} m/s, "
                        "and take no lower one from an order"
                    )
                    return OrderError("UNSUPPORTED_PARAMETER", text, (*who, ("edgeId", str(edge["edgeId"]))))
        return None

    def _act(self, i: int, payload: Mapping[str, Any]) -> OrderError | None:
        actions = read_instant_actions(payload)
        if isinstance(actions, OrderError):
            self._keep(i, actions)
            return actions
        first: OrderError | None = None
        for action in actions:
            error = self._elsewhere(action) or self._fleet.instant_action(i, action)
            if error is not None:
                self._keep(i, error)
                first = first or error
        return first

    def _elsewhere(self, action: Action) -> OrderError | None:
        """Refuse an initPosition on another map."""
        named = action.parameters.get("mapId", self._map_id)
        if action.action_type != "initPosition" or named == self._map_id:
            return None
        text = f"initPosition.mapId: {str(named)[:40]!r}; the AGV is on {self._map_id!r}"
        return OrderError("UNKNOWN_MAP_ID", text, (("actionId", action.action_id),))

    def _keep(self, i: int, error: OrderError) -> None:
        self._errors[i] = (*self._errors[i], error)[-_KEPT_ERRORS:]

    def view(self) -> FleetView:
        """Return the fleet as VDA 5050 may see it, and what must be kept before it is told."""
        state = self._fleet.state()
        vehicles = tuple(self._vehicle(i, serial) for i, serial in enumerate(self._serials))
        return FleetView(state.time_us, vehicles, self._remember(state.time_us))

    def _remember(self, time_us: int) -> dict[str, Any] | None:
        """Give a snapshot of the orders: a new one where anything changed that is told, and once a second for the places."""
        memory = self._fleet.memory
        if memory is None:
            return None
        if self._memory is None or memory.changes != self._memory_of or time_us - self._memory_us >= _PLACES_US:
            self._memory_of, self._memory_us = memory.changes, time_us
            names = [{str(sequence): name for sequence, name in ids.items()} for ids in self._edge_ids]
            told = {"edge_ids": names, "order_id": list(self._order_id), "known_cancel": list(self._known_cancel)}
            self._memory = {"fleet": memory.take(), "told": {**told, "cancelled": list(self._cancelled)}}
        return self._memory

    def recall(self, file: OrdersFile) -> None:
        """Go on with the orders of a twin that ended; a file that does not fit is set aside, and ``notice`` says so."""
        snapshot, fault = file.load()
        if snapshot is None and not fault:
            return
        if not fault:
            fault = self.take_up(snapshot)
        if fault:
            self.notice = f"VDA 5050: kept orders are not used ({fault}); they lie in {file.set_aside()}"
            return
        going = [serial for i, serial in enumerate(self._serials) if self._fleet.order_active(i)]
        named = ", ".join(going[:4]) + (", ..." if len(going) > 4 else "")
        what = f"{len(going)} of them with an order ({named})" if going else "none with an order"
        self.notice = f"VDA 5050: AGVs go on where the last twin ended, {what}; delete {file.path} to begin anew"

    def take_up(self, snapshot: Any) -> str:
        """Go on with orders that were kept; returns why that cannot be, "" where it can."""
        try:
            fleet, told = snapshot["fleet"], snapshot["told"]
            edge_ids = [{int(sequence): str(name) for sequence, name in ids.items()} for ids in told["edge_ids"]]
            order_id, known = [str(name) for name in told["order_id"]], [str(name) for name in told["known_cancel"]]
            cancelled = [None if name is None else str(name) for name in told["cancelled"]]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return f"a part is missing or of another kind: {error!r}"
        if any(len(part) != len(self._serials) for part in (edge_ids, order_id, known, cancelled)):
            return "it is of another number of AGVs"
        try:
            self._fleet.recall(fleet)
        except ValueError as error:
            return str(error)
        self._edge_ids, self._order_id, self._known_cancel, self._cancelled = edge_ids, order_id, known, cancelled
        self.recalled = snapshot
        return ""

    def _vehicle(self, i: int, serial: str) -> VehicleView:
        fleet, state = self._fleet, self._fleet.state()
        order = fleet.order(i)
        instant = fleet.instant_action_states(i)
        mode, speed_mps, heading_rad = int(state.mode[i]), float(state.speed_mps[i]), _wrapped(float(state.heading_rad[i]))
        turn_radps = self._turn(i, state.time_us, heading_rad)
        last = int(state.node[i])
        over = self._is_cancelled(i, order.order_id, instant)
        nodes = () if over else tuple(self._node(n.node_id, n.sequence_id, n.released) for n in order.nodes[1:])
        ids = self._edge_ids[i]
        edges = () if over else tuple(
            EdgeView(ids.get(e.sequence_id, e.edge_id), e.sequence_id, e.released) for e in order.edges
        )  # fmt: skip
        x_m, y_m = float(state.position_m[i, 0]), float(state.position_m[i, 1])
        at = fleet.graph.node_xy[last]
        errors = (*fleet.errors(i)[-_KEPT_ERRORS:], *self._errors[i])
        broken = (ErrorView("breakdown", "breakdown", "FATAL", "the AGV is out of order"),) if mode == BREAKDOWN else ()
        released = [n for n in nodes if n.released]
        return VehicleView(
            serial=serial,
            x_m=x_m,
            y_m=y_m,
            heading_rad=heading_rad,
            speed_mps=speed_mps,
            turn_radps=turn_radps,
            order_id=order.order_id,
            order_update_id=order.order_update_id,
            last_node=fleet.graph.node_id[last],
            last_sequence=order.nodes[0].sequence_id if order.nodes else 0,
            since_node_m=float(np.hypot(x_m - at[0], y_m - at[1])),
            nodes=nodes,
            edges=edges,
            actions=tuple(_action(a) for a in fleet.action_states(i)),
            instant_actions=tuple(_action(a) for a in instant[-20:]),
            driving=speed_mps > 0.0 or turn_radps != 0.0,
            paused=fleet.paused(i),
            base_ends=len(released) < len(nodes) and len(released) <= 1,
            battery=float(state.battery[i]),
            charging=mode == CHARGING,
            load_type=(fleet.load_kind(i) or "load") if state.loaded[i] else "",
            errors=(*(_error(e) for e in errors), *broken),
            standstill="" if mode in _QUIET else MODES[mode],
            emergency_stop=mode == EMERGENCY_STOP,
            field_violation=mode == PERSON_NEAR,
        )

    def _node(self, node_id: str, sequence_id: int, released: bool) -> NodeView:
        x_m, y_m = self._place[node_id]
        return NodeView(node_id, sequence_id, released, x_m, y_m)

    def _is_cancelled(self, i: int, order_id: str, instant: Sequence[ActionState]) -> bool:
        """Whether the present order was cancelled: what was left of it is left no longer."""
        action_id, finished = _last_cancel(instant)
        if finished and action_id != self._known_cancel[i]:
            self._known_cancel[i], self._cancelled[i] = action_id, order_id
        return self._cancelled[i] == order_id

    def _turn(self, i: int, time_us: int, heading_rad: float) -> float:
        """Turn rate since the last view [rad/s]."""
        before_us, before_rad = self._heading.get(i, (time_us, heading_rad))
        self._heading[i] = (time_us, heading_rad)
        return _wrapped(heading_rad - before_rad) / ((time_us - before_us) * 1e-6) if time_us > before_us else 0.0


def _last_cancel(instant: Sequence[ActionState]) -> tuple[str, bool]:
    """Give the actionId of the last cancelOrder, "" for none, and whether it is finished."""
    for state in reversed(instant):
        if state.action.action_type == "cancelOrder" and state.status != "FAILED":
            return state.action.action_id, state.status == "FINISHED"
    return "", False


def _wrapped(angle_rad: float) -> float:
    return float((angle_rad + np.pi) % (2 * np.pi) - np.pi)


def _action(state: ActionState) -> ActionView:
    return ActionView(state.action.action_id, state.action.action_type, state.status, state.result)


def _error(error: OrderError) -> ErrorView:
    level = error.error_level
    assert level in ("WARNING", "CRITICAL")
    return ErrorView(
        error.error_type,
        error.error_type_2_1,
        "CRITICAL" if level == "CRITICAL" else "WARNING",
        error.description,
        error.references,
    )
