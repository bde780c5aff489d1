"""A small hall behind the twin's OPC UA server that its clients steer themselves, by its methods.

``SetSpeed`` sets ``Twin/RealTimeFactor``; ``StopAgv`` puts agv-01 into emergency stop (MachineStopped, 700) and makes agv-02
stand for a person (PersonClose, 500); ``ReleaseAgv`` lets them drive. A call is answered once the view with its effect is shown,
so no step of a client has to wait for chance. The availability of ``control`` has a history of 2500 s.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo_view import demo_view
from matrix_values import HISTORY_S, availability
from opcua_client import Twin, port_of_its_own, user_lines

from bridges.config import OpcUaConfig
from bridges.inbox import Answer, Command, Inbox
from bridges.opcua import OpcUaServer
from bridges.opcua.history import History
from bridges.view import TwinView

_MODES = {"agv-01": "emergency_stop", "agv-02": "person_near"}


class MatrixHall:
    """The hall and its server, which can be restarted on the same port.

    Parameters
    ----------
    folder : where certificates, users and history are kept.

    Attributes
    ----------
    begin : time of the first kept value.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "users").write_text(user_lines())
        self._folder = folder
        self._config = OpcUaConfig(
            port=port_of_its_own(),
            user_file=folder / "users",
            trust_any_client=True,
            allow_sign=True,
            insecure=True,
            stale_after_s=3600,
        )
        self._factor, self._modes = 1.0, dict.fromkeys(_MODES, "driving")
        self.begin = (datetime.now(UTC) - timedelta(hours=2)).replace(microsecond=0)
        (folder / "opcua").mkdir()
        history = History(folder / "opcua" / "history.sqlite", days=7.0)
        for second in range(HISTORY_S):
            history.record("Services/control/Availability", self.begin + timedelta(seconds=second), availability(second))
        history.close()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return self._server.endpoint_url

    def __enter__(self) -> MatrixHall:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def restart(self) -> None:
        """Stop the server and start another one at the same address."""
        self._stop()
        self._start()

    def _start(self) -> None:
        inbox = Inbox()
        self._server = OpcUaServer(self._config, self._folder, inbox)
        # an alarm of the past, so that the node is there that a viewer may not acknowledge
        self._modes["agv-01"] = _MODES["agv-01"]
        self._server.start(self._view())
        self._modes["agv-01"] = "driving"
        self._show()
        self._twin = Twin(inbox, self._carry_out)
        self._twin.__enter__()

    def _stop(self) -> None:
        self._server.stop()
        self._twin.__exit__()

    def _view(self) -> TwinView:
        view = demo_view(0, agvs=2, cobots=0, panels=1, sinr_db=17.25)
        machines = tuple(dataclasses.replace(m, mode=self._modes[m.id]) for m in view.machines)
        links = tuple(dataclasses.replace(k, risk=0.0) for k in view.links)
        services = (dataclasses.replace(view.services[0], name="control", up=True),)
        return dataclasses.replace(
            view, real_time_factor=self._factor, machines=machines, links=links, services=services, service_outages=()
        )

    def _carry_out(self, command: Command) -> Answer:
        if command.name == "set_speed":
            self._factor = float(command.argument("factor") or 0.0)
        elif command.target in self._modes:
            self._modes[command.target] = _MODES[command.target] if command.name == "stop_agv" else "driving"
        else:
            return Answer(False, f"there is no AGV {command.target!r}; known: {', '.join(self._modes)}")
        self._show()
        return Answer(True, "done")

    def _show(self) -> None:
        before, until = self._server.views_shown, time.monotonic() + 5
        self._server.publish(self._view())
        while self._server.views_shown == before and time.monotonic() < until:
            time.sleep(0.002)
