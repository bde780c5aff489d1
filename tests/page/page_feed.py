"""A fake twin for the page: a hall whose AGVs drive in circles, without physics, and which answers commands."""

from __future__ import annotations

import math
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bridges.credentials import hash_password
from bridges.inbox import Command, Inbox
from bridges.page.config import PageConfig
from bridges.page.scene import ActingView, PeopleView, SceneView
from bridges.page.server import PageServer
from bridges.view import AdviceView, LinkView, MachineView, ServiceView, TwinView, ZoneView
from bridges.view_parts import ForecastView

PASSWORDS = {"vera": "viewer-pass", "emil": "engineer-pass", "sara": "safety-pass"}
ROLES = {"vera": "viewer", "emil": "engineer", "sara": "safety"}
_HASHES: dict[str, str] = {}

SCENE = SceneView(
    size_m=(60.0, 40.0, 8.0),
    boxes=(
        *((f"rack-{c}", "rack", 44.0, 8.0 + 4.5 * i, 24.0, 1.2, 5.0, 0.0) for i, c in enumerate("abcdef")),
        ("cell-1-machine", "machine", 9.0, 5.3, 3.6, 2.0, 2.4, 0.0),
        ("cell-3-machine", "machine", 9.0, 34.7, 3.6, 2.0, 2.4, 0.3),
    ),
    zones=(
        ("aisle 1", 32.0, 56.0, 7.4, 12.5),
        ("west lanes", 26.5, 32.0, 0.0, 40.0),
        ("cells south", 0.0, 26.5, 0.0, 13.0),
    ),
    trps=(
        ("ceiling-south", 14.0, 10.0, 7.0, 0.0),
        ("ceiling-north", 14.0, 30.0, 7.0, 0.0),
        ("aisle-west", 31.0, 19.0, 3.0, 0.0),
        ("aisle-east", 58.0, 19.0, 3.0, math.pi),
    ),
    policies=("reactive", "human_aware"),
)


def make_view(time_us: int, agvs: int = 12, cobots: int = 4, extra_links: int = 3, running: bool = True) -> TwinView:
    """Return the hall at a time; from 3.0 s to 4.0 s the panels' service is down and agv-02 is short of margin."""
    t, down = time_us * 1e-6, 3_000_000 <= time_us < 4_000_000
    machines = []
    for i in range(agvs):
        angle = 0.2 * t + 2 * math.pi * i / agvs
        x_m, y_m = 30.0 + 26.0 * math.cos(angle), 20.0 + 17.0 * math.sin(angle)
        machines.append(
            MachineView(f"agv-{i + 1:02d}", "agv", x_m, y_m, 0.0, angle + math.pi / 2, 1.2, "driving", i % 2 == 0, 0.8, f"{i}")
        )
    for i in range(cobots):
        machines.append(MachineView(f"cobot-{i + 1}", "cobot", 8.0 + 5 * i, 8.5, 0.8, 0.5, 0.3, "working", False, None, ""))
    devices = [m.id for m in machines] + [f"panel-{i + 1}" for i in range(extra_links)]
    links = []
    for i, device in enumerate(devices):
        margin_db = 2.0 + (7 * i) % 25 + math.sin(t + i)
        short = down and i == 1
        links.append(
            LinkView(device, SCENE.trps[i % 4][0], i % 16, 20.0 + math.sin(t), 18.0, -6.5 if short else margin_db,
                     "person" if short or i == 4 else "", 18.2 if short else 0.0, 0.9 if short else 0.01)
        )  # fmt: skip
    services = (
        ServiceView("agv-control", "mobile-robot", 0.999_999_1, 86_400.0, 1.25e-6, True, None),
        ServiceView("panel-estop", "mobile-panel-estop", 0.999_5, None, 0.01, not down, 3_000_000 if down else None),
    )
    zones = tuple(ZoneView(name, n) for name, n in (("aisle 1", 2), ("west lanes", 0), ("cells south", 3), ("elsewhere", 1)))
    return TwinView(time_us, "fake-hall", running, 1.0, tuple(machines), tuple(links), services, zones)


ADVICE = (
    AdviceView("agv_detour", "agv-02", "avoid n3 -> n4", "at risk for 4 s on n3 -> n4", 0.8, 100_000, ""),
    AdviceView("agv_slow", "agv-02", "0.60 m/s", "-6.5 dB of margin expected in 0.4 s", 0.8, 100_000, ""),
    AdviceView("risk", "agv-02", "", "-6.5 dB of margin expected in 0.4 s", 0.8, 100_000, ""),
    AdviceView("serve_from", "agv-02", "aisle-west", "-6.5 dB of margin expected in 0.4 s", 0.8, 100_000, ""),
)
"""What is advised all the time."""


def write_users(path: Path) -> Path:
    """Write a user of every role; the viewer's line has no role."""
    for name, password in PASSWORDS.items():
        _HASHES.setdefault(name, hash_password(password))
    lines = [f"{n}:{_HASHES[n]}" if r == "viewer" else f"{n}:{r}:{_HASHES[n]}" for n, r in ROLES.items()]
    path.write_text("# users\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


class FakeTwin:
    """Publishes views at 10 Hz on a thread of its own and carries commands out as the twin does: between two views.

    Parameters
    ----------
    folder : state folder.
    port : where the page listens.
    sizes : of :func:`make_view`.
    people : how many people stand in the hall.
    config : fields of the configuration beyond port and users.
    """

    def __init__(self, folder: Path, port: int, people: int = 6, config: dict[str, object] | None = None, **sizes: int) -> None:
        self.inbox = Inbox()
        users = write_users(folder / "users.txt")
        self.config = PageConfig(port=port, user_file=users, **(config or {}))  # type: ignore[arg-type]
        self.server = PageServer(self.config, folder, self.inbox, SCENE)
        self.sizes, self.n_people = sizes, people
        self.time_us, self.paused, self.stopped = 0, False, set[str]()
        self.acting = ActingView("reactive", 1.0)
        self.advice: tuple[AdviceView, ...] | None = ADVICE
        self.commands: list[Command] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> FakeTwin:
        self.server.start(make_view(0, **self.sizes))
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stop.set()
        self._thread.join()
        self.server.stop()

    def _view(self) -> TwinView:
        view = make_view(self.time_us, running=not self.paused, **self.sizes)
        machines = tuple(replace(m, mode="paused", speed_mps=0.0) if m.id in self.stopped else m for m in view.machines)
        ahead = tuple(ForecastView(k.device, (0.5, 1.0, 2.0), (0.125, 0.25, None)) for k in view.links[:3])
        return replace(view, machines=machines, advice=self.advice, forecasts=ahead)

    def people(self) -> PeopleView:
        """Return places that no zone count tells: 12.34 m and on."""
        return PeopleView(np.array([[12.34 + i, 33.21] for i in range(self.n_people)]).reshape(-1, 2))

    def _run(self) -> None:
        while not self._stop.is_set():
            for command in self.inbox.drain():
                self.commands.append(command)
                self._carry_out(command)
            self.server.publish(self._view(), self.people(), self.acting)
            if not self.paused:
                self.time_us += 100_000
            self._stop.wait(0.1)

    def _carry_out(self, command: Command) -> None:
        ids = {m.id for m in make_view(0, **self.sizes).machines}
        if command.name in ("pause", "resume"):
            self.paused = command.name == "pause"
        elif command.name in ("stop_agv", "release_agv"):
            if command.target not in ids:
                command.answer(False, f"AGV {command.target!r} is unknown")
                return
            (self.stopped.add if command.name == "stop_agv" else self.stopped.discard)(command.target)
        elif command.name == "accept_advice":
            key = (str(command.argument("kind")), command.target)
            if key not in {(a.kind, a.target) for a in self.advice or ()}:
                command.answer(False, f"{' of '.join(key)} is not advised")
                return
            self.advice = tuple(replace(a, act="agv_pause") if (a.kind, a.target) == key else a for a in self.advice or ())
        elif command.name == "set_policy":
            self.acting = replace(self.acting, policy=str(command.argument("policy")))
        elif command.name == "set_speed":
            factor = command.argument("factor")
            if not isinstance(factor, int | float):
                command.answer(False, "no factor was given")
                return
            self.acting = replace(self.acting, speed=float(factor))
        command.answer(True, f"{command.name} {command.target}".strip())


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: object, seconds: float = 60.0) -> None:
    """Wait until a callable returns something true, fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
