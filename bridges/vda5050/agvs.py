"""The twin's AGVs as VDA 5050 vehicles: a fleet against which a fleet manager can be tested."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from bridges.config import MqttConfig
from bridges.errors import BridgeError
from bridges.inbox import Inbox
from bridges.mqtt.connection import mqtt_password
from bridges.mqtt.topics import level
from bridges.vda5050.config import Vda5050Config
from bridges.vda5050.memory import OrdersFile
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
    file : where a view's memory is kept before it is told; None: nowhere.
    known_actions : per serial number, ids of instant actions that were carried out before this process began.

    Raises
    ------
    BridgeError
        Two AGVs have one serial number or one topic, or a version is configured for an AGV that does not exist.
    """

    def __init__(
        self,
        mqtt: MqttConfig,
        config: Vda5050Config,
        serials: tuple[str, ...],
        sheet: VehicleSheet,
        inbox: Inbox,
        file: OrdersFile | None = None,
        known_actions: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        twice = [serial for serial, times in Counter(serials).items() if times > 1]
        if twice:
            raise BridgeError(f"bridges.vda5050: serial number {twice[0]!r} belongs to two AGVs; give each its own")
        shared = [name for name, times in Counter(level(serial) for serial in serials).items() if times > 1]
        if shared:
            both = " and ".join(repr(serial) for serial in serials if level(serial) == shared[0])
            raise BridgeError(f"bridges.vda5050: AGVs {both} would share the topics of {shared[0]!r}; rename one of them")
        strange = [serial for serial in config.versions if serial not in serials]
        if strange:
            raise BridgeError(f"bridges.vda5050.versions: {strange[0]!r} is no AGV; there are {', '.join(serials[:8]) or 'none'}")
        password = mqtt_password(mqtt)
        self.vehicles = {
            serial: VirtualAgv(serial, mqtt, config, sheet, inbox, password, known_actions.get(serial, ())) for serial in serials
        }
        self._file = file
        self._kept: Mapping[str, Any] | None = None
        self.not_kept = 0
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
        """Count messages by topic, refused ones by reason, what was noticed, and snapshots ``not_kept``; all AGVs together."""
        total: Counter[str] = Counter({"not_kept": self.not_kept} if self.not_kept else {})
        for vehicle in self.vehicles.values():
            total.update(vehicle.counts)
        return dict(total)

    def stop(self) -> None:
        """Say OFFLINE for every AGV and disconnect; harmless where nothing runs."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
            self._thread = None
        if self._latest is not None:
            self._keep(self._latest.memory)
        for vehicle in self.vehicles.values():
            vehicle.stop()
        if self._file is not None:
            self._file.close()

    def _keep(self, memory: Mapping[str, Any] | None) -> None:
        """Write what must be kept before it is told; where that fails the AGVs go on, and the log says what a kill would cost."""
        if self._file is None or memory is None or memory is self._kept:
            return
        try:
            self._file.save(memory)
        except OSError as error:
            self.not_kept += 1
            if self.not_kept % 100 == 1:
                _log.error("VDA 5050: orders were not kept (%s); a twin that is killed now would not know them", error)
        self._kept = memory

    def _run(self) -> None:
        told, told_s = None, 0.0
        while not self._stopping:
            view, now_s = self._latest, time.monotonic()
            if view is not None and (view is not told or now_s - told_s >= _AGAIN_S):
                told, told_s = view, now_s
                self._keep(view.memory)
                for vehicle in view.vehicles:
                    try:
                        self.vehicles[vehicle.serial].tell(vehicle, now_s)
                    except Exception:  # one AGV that cannot be told must not silence the others
                        _log.exception("VDA 5050: the state of %s was not sent", vehicle.serial)
            time.sleep(_LOOK_S)
