"""Drills: a broker, a line or a fleet manager fails while an order is on its way.

``python tests/counterparts/vda_drills.py N`` runs N of them and prints what came of it as JSON; the test runs a few.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "bridges"))

import numpy as np
from cut_line import Line
from test_mosquitto import run_broker
from vda_plant import Plant

from bridges.config import MqttConfig
from bridges.vda5050.config import RealAgvConfig, Vda5050Config
from bridges.vda5050.fleet_manager import FleetManager
from robots.order_messages import write_order
from robots.orders import order_of

FAULTS = ("broker", "agv_line", "manager_line", "manager")
RING = ["r0", "r1", "r2", "r3", "r4", "r5"]


class Site:
    """A broker, an AGV behind a line of its own, and a fleet manager behind another."""

    def __init__(self, mosquitto: str, folder: Path, port: int) -> None:
        self._start_broker = lambda: run_broker(mosquitto, folder, port, "allow_anonymous true")
        self.broker: subprocess.Popen[bytes] = self._start_broker()
        self.agv_line, self.manager_line = Line(port), Line(port)
        self.plant = Plant(self.agv_line.port, speed=20.0)
        real = RealAgvConfig(manufacturer="factory-twin", serial_number="agv-01", twin="agv-01")
        self._config = Vda5050Config(real=(real,), may_send=("order", "instantActions"))
        self.manager = self._new_manager()
        self.begun: list[tuple[str, int]] = []
        receive = self.plant.fleet.receive

        def noting(i, order):
            known = (self.plant.fleet.order(i).order_id, self.plant.fleet.order(i).order_update_id)
            error = receive(i, order)
            if error is None and known != (order.order_id, order.order_update_id):
                self.begun.append((order.order_id, order.order_update_id))
            return error

        self.plant.fleet.receive = noting

    def _new_manager(self) -> FleetManager:
        config = MqttConfig(host="127.0.0.1", port=self.manager_line.port, reconnect_min_s=0.05, reconnect_max_s=0.3)
        manager = FleetManager(config, self._config)
        manager.start()
        return manager

    def fail(self, fault: str) -> None:
        if fault == "broker":
            self.broker.send_signal(signal.SIGKILL)
            self.broker.wait(10)
        elif fault == "manager":
            self.manager.stop()
        else:
            getattr(self, fault).cut()

    def mend(self, fault: str) -> None:
        if fault == "broker":
            self.broker = self._start_broker()
        elif fault == "manager":
            self.manager = self._new_manager()
        else:
            getattr(self, fault).mend()

    def close(self) -> None:
        self.manager.stop()
        self.agv_line.close()
        self.manager_line.close()
        self.broker.kill()
        self.broker.wait(10)


def run_drills(mosquitto: str, folder: Path, port: int, count: int, seed: int = 1) -> dict:
    """Run drills one after the other on one site, each with an order of three nodes and one or two faults.

    Returns
    -------
    orders, lost, twice : orders sent; not carried out; accepted more than once.
    back_s : per drill, from the last part mended to the fleet manager knowing the AGV's state again [s].
    """
    rng = np.random.default_rng(seed)
    pairs = [(f,) for f in FAULTS] + list(combinations(FAULTS, 2))
    site = Site(mosquitto, folder, port)
    lost, back_s = 0, []
    with site.plant:
        for k in range(count):
            names = [RING[(2 * k + j) % 6] for j in range(3)]
            order = write_order(order_of(f"drill-{k}", 0, names, 3), "2.1.0")
            faults = pairs[k % len(pairs)]
            wait_until(lambda: known(site))
            site.manager.send_order("agv-01", order)
            time.sleep(float(rng.uniform(0.0, 0.2)))
            for fault in faults:
                site.fail(fault)
            time.sleep(float(rng.uniform(0.2, 1.0)))
            for fault in faults:
                site.mend(fault)
            mended_s, since_s = time.monotonic(), time.time()
            if wait_until(lambda since_s=since_s: known(site, since_s)):
                back_s.append(time.monotonic() - mended_s)
            resent_s = time.monotonic()
            goal, deadline = names[-1], time.monotonic() + 20
            while time.monotonic() < deadline:
                seen = site.manager.observe()
                if seen.order_id[0] == f"drill-{k}" and seen.last_node[0] == goal and not seen.driving[0]:
                    break
                # orders are sent with QoS 0: a fleet manager sends again what the state does not show
                if seen.online[0] and seen.order_id[0] != f"drill-{k}" and time.monotonic() - resent_s > 0.5:
                    resent_s = time.monotonic()
                    site.manager.send_order("agv-01", order)
                time.sleep(0.02)
            else:
                lost += 1
    site.close()
    twice = len(site.begun) - len(set(site.begun))
    return {"orders": count, "lost": lost, "twice": twice, "back_s": [round(b, 3) for b in back_s]}


def known(site: Site, since_s: float = 0.0) -> bool:
    """Whether the fleet manager has heard the AGV's state, or pose, after an instant (since 1970) [s]."""
    seen = site.manager.observe()
    return bool(seen.online[0] and seen.measured_s[0] > since_s and seen.last_node[0])


def wait_until(condition, timeout_s: float = 15.0) -> bool:
    """Wait until something is so; False where it is not by then."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    import shutil
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = int(probe.getsockname()[1])
    path = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(run_drills(str(path), Path(place), free, int(sys.argv[1]), int(sys.argv[2]))))
