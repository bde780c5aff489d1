"""Connects a live twin with its plant: location tags and real AGVs in, advice and permitted acts out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from bridges.errors import BridgeError
from bridges.inbox import Answer, Command
from bridges.opcua.audit import AuditLog
from bridges.qos import QosKeeper
from bridges.qos.adapters import create_port
from bridges.radio_listener import RadioListener
from bridges.tag_listener import TagListener
from bridges.vda5050.fleet_manager import FleetManager
from bridges.view import TwinView
from factory.live_agvs import LiveAgvs
from factory.live_lookahead import Lookahead
from factory.live_modes import ACT_SOURCE, Act, Machines, Modes, has_open_acts
from factory.live_people import LivePeople
from factory.live_qos import LiveQos
from factory.live_radio import LiveRadio
from factory.live_twin import LiveTwin
from factory.twin import Twin
from humans.tracked_crowd import TrackedCrowd

__all__ = ["DetourSimulated", "PauseReal", "PauseSimulated", "PlantLine", "SetPolicy", "connect_plant", "machines_of"]


class PlantLine:
    """The connections to the plant, as live mode asks of a bridge.

    Parameters
    ----------
    twin : its ``live`` is set. listener, manager, reports : running connections, None where there is none.
    """

    def __init__(
        self, twin: Twin, listener: TagListener | None, manager: FleetManager | None, reports: RadioListener | None = None
    ) -> None:
        self._twin, self._connections = twin, (manager, listener, reports)

    def publish(self, view: TwinView) -> None:
        """Do nothing: what leaves goes with the view."""

    def stop(self) -> None:
        """Take back what was done, and disconnect."""
        live = self._twin.live
        if live is not None and live.modes is not None:
            live.modes.stop(self._twin.time_us)
        if live is not None and live.qos is not None:
            live.qos.stop()
        if live is not None and live.radio is not None:
            live.radio.stop()
        for connection in self._connections:
            if connection is not None:
                connection.stop()


def connect_plant(twin: Twin, state: Path) -> tuple[PlantLine, list[str]] | None:
    """Connect a twin with its plant as its scenario says; None where the scenario asks for nothing.

    Parameters
    ----------
    twin : made with ``beside_a_plant``. state : folder that outlives a run; ``live`` in it has the audit log of acts.

    Raises
    ------
    BridgeError
        Password, certificates or names cannot be used; nothing runs then.
    """
    live, bridges = twin.scenario.live, twin.scenario.bridges
    listener: TagListener | None = None
    manager: FleetManager | None = None
    reports: RadioListener | None = None
    notices = []
    _check_qos(twin)
    try:
        if isinstance(twin.crowd, TrackedCrowd):
            listener = TagListener(bridges.mqtt, bridges.tags)
            listener.start()
            notices.append(f"People: from tags on {bridges.tags.topic}, {twin.crowd.n} at most")
        if live.agvs_from == "vda5050":
            names = twin.devices[: twin.fleet.n]
            unknown = [agv.twin for agv in bridges.vda5050.real if agv.twin not in names]
            if unknown:
                raise BridgeError(f"bridges.vda5050.real: {unknown[0]!r} is no AGV of the hall; it has {', '.join(names[:8])}")
            manager = FleetManager(bridges.mqtt, bridges.vda5050)
            manager.start()
            notices.append(f"AGVs:   {len(bridges.vda5050.real)} real ones drive their twins")
        if bridges.radio_reports.enabled:
            trps = tuple(trp.name for trp in twin.scenario.radio.trps)
            reports = RadioListener(bridges.mqtt, bridges.radio_reports, twin.devices, trps, twin.inbox.put)
            reports.start()
            notices.append(f"Radio:  measurements on {bridges.radio_reports.topic}, audited in {state / 'live' / 'radio'}")
    except BridgeError:
        for connection in (manager, listener, reports):
            if connection is not None:
                connection.stop()
        raise
    modes = _modes(twin, manager, state)
    if listener is None and manager is None and reports is None and modes is None:
        return None
    people = None
    if listener is not None and isinstance(twin.crowd, TrackedCrowd):
        people = LivePeople(twin.crowd, listener.drain, bridges.tags.same_instant_ms * 1e-3)
    agvs = None
    if manager is not None:
        row = [twin.devices.index(agv.twin) for agv in bridges.vda5050.real]
        agvs = LiveAgvs(manager.observe, row, live.shadows)
    radio = None
    if reports is not None:
        audit = AuditLog(state / "live" / "radio")
        corrects = "radio_offsets" in live.may
        radio = LiveRadio(twin, live.recalibration, reports.drain, corrects, audit, reports.reader.counts)
    qos = None
    if bridges.qos.enabled:
        keeper = QosKeeper(bridges.qos, create_port(bridges.qos))
        qos = LiveQos(keeper, twin.devices[: twin.n_machines], AuditLog(state / "live" / "qos"))
        notices.append(f"QoS:    sessions for {len(bridges.qos.device_ip)} machines asked at {bridges.qos.url}")
    LiveTwin(twin, people, agvs, modes, radio=radio, qos=qos)
    if modes is not None:
        may = f", and may {', '.join(live.may)} (audited in {state / 'live' / 'audit.log'})" if live.may else ""
        notices.append(f"Mode:   {live.mode}{may}")
    return PlantLine(twin, listener, manager, reports), notices


def _check_qos(twin: Twin) -> None:
    qos, machines = twin.scenario.bridges.qos, twin.devices[: twin.n_machines]
    if not qos.enabled:
        return
    unknown = [name for name in qos.device_ip if name not in machines]
    if unknown:
        raise BridgeError(f"bridges.qos.device_ip: {unknown[0]!r} is no machine of the hall; it has {', '.join(machines[:8])}")
    if not twin.networks:
        raise BridgeError("bridges.qos.enabled: without radio there is no risk to ask sessions for; set radio.enabled to true")


def _modes(twin: Twin, manager: FleetManager | None, state: Path) -> Modes | None:
    live = twin.scenario.live
    if not twin.networks or (live.mode == "observe" and not has_open_acts(state / "live")):
        return None
    acts: dict[str, Act] = {"radio_policy": SetPolicy(twin, live.advice.policy_at_risk)}
    if manager is None:
        acts["agv_pause"] = PauseSimulated(twin)
        acts["agv_detour"] = DetourSimulated(twin)
    else:
        acts["agv_pause"] = PauseReal(manager, {agv.twin: agv.serial_number for agv in twin.scenario.bridges.vda5050.real})
    trps = [trp.name for trp in twin.scenario.radio.trps]
    look = Lookahead(twin, live.advice.horizons_ms).look
    return Modes(live, look, lambda: machines_of(twin), trps, acts, state / "live")


def machines_of(twin: Twin) -> Machines:
    """Return what rules need to know of a twin's machines now."""
    n, graph = twin.fleet.n, twin.fleet.graph
    lanes = [""] * n
    for i, edge in enumerate(twin.fleet.edges().tolist()):
        if edge >= 0:
            lanes[i] = f"{graph.node_id[graph.edge_start[edge]]} -> {graph.node_id[graph.edge_end[edge]]}"
    if twin.live is not None and twin.live.agvs is not None:
        for row in twin.live.agvs.row.tolist():  # a real AGV's way is its fleet manager's; the simulated one is another
            lanes[row] = ""
    speed = [*twin.agvs.speed_mps.tolist(), *[0.0] * (twin.n_machines - n)]
    return Machines(twin.devices[: twin.n_machines], n, speed, lanes)


class PauseSimulated:
    """Pauses AGVs of the twin itself. Parameters: ``twin`` whose they are."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def begin(self, target: str) -> str:
        """Pause an AGV, unless somebody else has."""
        if self._paused(target):
            return f"{target} is paused already"
        return self._ask("stop_agv", target)

    def end(self, target: str) -> str:
        """Let it go on."""
        return self._ask("release_agv", target) if self._paused(target) else ""

    def _paused(self, target: str) -> bool:
        names = self._twin.devices[: self._twin.fleet.n]
        return target in names and self._twin.fleet.paused(names.index(target))

    def _ask(self, command: str, target: str) -> str:
        answers: list[Answer] = []
        self._twin.steering.apply([Command(ACT_SOURCE, command, target, reply=answers.append)])
        return "" if answers and answers[0].done else answers[0].message if answers else "nobody answered"


class DetourSimulated:
    """Sends AGVs of the twin itself another way, once. Parameters: ``twin`` whose they are."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def begin(self, target: str) -> str:
        """Send an AGV another way."""
        answers: list[Answer] = []
        self._twin.steering.apply([Command(ACT_SOURCE, "detour_agv", target, reply=answers.append)])
        return "" if answers and answers[0].done else answers[0].message if answers else "nobody answered"

    def end(self, target: str) -> str:
        """Leave it on its way; there is nothing to take back."""
        return ""


class PauseReal:
    """Pauses real AGVs by instant actions of VDA 5050 (startPause, stopPause).

    Parameters
    ----------
    manager : the fleet manager's end. serial : serial number of each AGV's twin.
    """

    def __init__(self, manager: FleetManager, serial: Mapping[str, str]) -> None:
        self._manager, self._serial = manager, dict(serial)

    def begin(self, target: str) -> str:
        """Ask an AGV to pause, unless it says that it is paused."""
        shadow = self._manager.agvs.get(self._serial.get(target, ""))
        if shadow is not None and shadow.paused:
            return f"{target} is paused already"
        return self._send(target, "startPause")

    def end(self, target: str) -> str:
        """Ask it to go on."""
        return self._send(target, "stopPause")

    def _send(self, target: str, action: str) -> str:
        if target not in self._serial:
            return f"{target} is no real AGV"
        asked = {"actionType": action, "actionId": f"live-{secrets.token_hex(8)}", "blockingType": "NONE"}
        try:
            sent = self._manager.send_instant_actions(self._serial[target], [asked])
        except BridgeError as error:
            return str(error)
        return "" if sent else "the broker is away"


class SetPolicy:
    """Lets another radio policy act while there is a reason.

    Parameters
    ----------
    twin : whose network it is. policy : its name.
    """

    def __init__(self, twin: Twin, policy: str) -> None:
        self._twin, self._policy = twin, policy
        self._before = ""

    def begin(self, target: str) -> str:
        """Change to the policy."""
        acting = self._twin.networks[0].policy
        if acting == self._policy:
            return f"{self._policy} acts already"
        error = self._set(self._policy)
        if not error:
            self._before = acting
        return error

    def end(self, target: str) -> str:
        """Change back, unless somebody else has changed it since."""
        before, self._before = self._before, ""
        if not before or self._twin.networks[0].policy != self._policy:
            return ""
        return self._set(before)

    def _set(self, policy: str) -> str:
        answers: list[Answer] = []
        self._twin.steering.apply([Command(ACT_SOURCE, "set_policy", arguments=(("policy", policy),), reply=answers.append)])
        return "" if answers and answers[0].done else answers[0].message if answers else "nobody answered"
