"""The twin's AGVs as VDA 5050 vehicles: a fleet against which a fleet manager can be tested."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter

from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.inbox import Inbox
from bridges.mqtt.connection import mqtt_password
from bridges.vda5050.config import Vda5050Config
from bridges.vda5050.vehicle import VirtualAgv
from bridges.vda5050.view import FleetView, VehicleSheet

__all__ = ["VirtualAgvs"]

_log = logging.getLogger(__name__)
_LOOK_S, _AGAIN_S = 0.02, 0.1
_STOP_TIMEOUT_S = 3.0


class VirtualAgvs:
    """All AGVs of the twin at a broker, told from one thread.

    Parameters
    ----------
    mqtt : the broker; where it names none, the embedded one that the telemetry starts.
    config : names, versions, intervals.
    serials : serial numbers, the AGVs' ids in the hall.
    sheet : contents of the factsheets.
    inbox : where orders and instant actions go, as commands ``vda5050_order`` and ``vda5050_instant_actions`` with a payload.

    Raises
    ------
    BridgeError
        Two AGVs have one serial number, or a version is configured for an AGV that does not exist.
    """

    def __init__(
        self, mqtt: MqttConfig, config: Vda5050Config, serials: tuple[str, ...], sheet: VehicleSheet, inbox: Inbox
    ) -> None:
        twice = [serial for serial, times in Counter(serials).items() if times > 1]
        if twice:
            raise BridgeError(f"bridges.vda5050: serial number {twice[0]!r} belongs to two AGVs; give each its own")
        strange = [serial for serial in config.versions if serial not in serials]
        if strange:
            raise BridgeError(f"bridges.vda5050.versions: {strange[0]!r} is no AGV; there are {', '.join(serials[:8]) or 'none'}")
        password = mqtt_password(mqtt)
        self.vehicles = {serial: VirtualAgv(serial, mqtt, config, sheet, inbox, password) for serial in serials}
        self._latest: FleetView | None = None  # written by the tick's thread alone
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to connect all AGVs; raises BridgeError where certificates cannot be used."""
        for vehicle in self.vehicles.values():
            vehicle.start()
        self._thread = threading.Thread(target=self._run, name="vda5050", daemon=True)
        self._thread.start()

    def publish_fleet(self, view: FleetView) -> None:
        """Hand a view over and return at once. Called on the tick's thread."""
        self._latest = view

    def counts(self) -> dict[str, int]:
        """Count the messages that came, by topic, and those that were refused, by reason; all AGVs together."""
        total: Counter[str] = Counter()
        for vehicle in self.vehicles.values():
            total.update(vehicle.counts)
        return dict(total)

    def stop(self) -> None:
        """Say OFFLINE for every AGV and disconnect; harmless where nothing runs."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
            self._thread = None
        for vehicle in self.vehicles.values():
            vehicle.stop()

    def _run(self) -> None:
        told, told_s = None, 0.0
        while not self._stopping:
            view, now_s = self._latest, time.monotonic()
            if view is not None and (view is not told or now_s - told_s >= _AGAIN_S):
                told, told_s = view, now_s
                for vehicle in view.vehicles:
                    try:
                        self.vehicles[vehicle.serial].tell(vehicle, now_s)
                    except Exception:  # one AGV that cannot be told must not silence the others
                        _log.exception("VDA 5050: the state of %s was not sent", vehicle.serial)
            time.sleep(_LOOK_S)
