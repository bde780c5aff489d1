"""A run folder as the page shows it: its instants as the messages of a live twin, its outages, figures and stories.

Minutes are read when somebody looks at them, a few are kept. What a run did not record (turn of an AGV, its load, the posture of
an arm, people per zone without tracks) is worked out where it follows from what it did, and otherwise left out.
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bridges.page import messages
from bridges.page.replay import RunCard
from bridges.page.scene import PeopleView, SceneView
from bridges.page.story import Story
from bridges.view import LinkView, MachineView, ServiceView, TwinView, ZoneView
from factory.errors import UserError
from factory.explain import CAUSE_WORDS
from factory.explain_run import Facts
from factory.page_story import is_person, tell_spell
from factory.run_folder import MINUTE_US, Run

__all__ = ["PageRun", "headings", "scene_of_json"]

_MINUTES_KEPT = 6
_LISTED = 2000
_MOVED_M = 0.01  # less than this between two instants says nothing of where an AGV points
_COLUMNS = [
    "device", "x_m", "y_m", "speed_mps", "mode", "trp", "beam", "sinr_dl_db", "sinr_ul_db", "margin_db", "body_loss_db",
    "blocker", "loss_probability",
]  # fmt: skip
Floats = npt.NDArray[np.float64]
Json = dict[str, Any]


def scene_of_json(scenario: Json) -> SceneView:
    """Return the hall of a recorded scenario, also of one that an older version wrote."""
    hall, agvs = scenario["hall"], (scenario.get("robots") or {}).get("agvs") or {}
    trps = (scenario.get("radio") or {}).get("trps") or ()
    return SceneView(
        size_m=tuple(hall["size_m"]),
        boxes=tuple(
            (b["name"], b["kind"], *b["center_m"][:2], *b["size_m"], math.radians(b.get("yaw_deg", 0.0)))
            for b in hall.get("boxes") or ()
        ),
        zones=tuple((z["name"], *z["x_m"], *z["y_m"]) for z in hall.get("zones") or ()),
        trps=tuple((t["name"], *t["position_m"], math.radians(t.get("azimuth_deg", 0.0))) for t in trps),
        agv_size_m=(agvs.get("length_m", 1.2), agvs.get("width_m", 0.8)),
    )


def headings(xy_m: Floats, before_rad: Floats) -> Floats:
    """Directions in which devices move, the last one while they stand.

    Parameters
    ----------
    xy_m : (T, D, 2) places [m]. before_rad : (D,) directions before, NaN where not known.

    Returns
    -------
    (T, D) [rad]; before the first movement that of it, 0 where there is none.
    """
    out = np.empty(xy_m.shape[:2])
    step = np.diff(xy_m, axis=0)
    moved = np.hypot(step[..., 0], step[..., 1]) >= _MOVED_M
    way = np.arctan2(step[..., 1], step[..., 0])
    first = np.where(moved.any(axis=0), way[moved.argmax(axis=0), np.arange(way.shape[1])], 0.0) if len(way) else 0.0
    last = np.where(np.isfinite(before_rad), before_rad, first)
    for k in range(len(xy_m)):
        if k < len(way):  # an AGV points to where it goes next
            last = np.where(moved[k], way[k], last)
        out[k] = last
    return out


@dataclass(frozen=True, slots=True)
class _Minute:
    """Instants (T,) [us], ticks of each as columns (T, D), headings (T, M) [rad], people's places of each [m]."""

    time_us: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[Any]]
    heading_rad: Floats
    people_m: dict[int, Floats]


@dataclass(frozen=True, slots=True)
class _Service:
    """A service, the spans in which devices had it down (n,) [us], when its messages were lost (n,) [us], and what was sent."""

    name: str
    profile: str
    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    lost_us: npt.NDArray[np.int64]
    devices: int | None
    messages: int | None


class PageRun:
    """A run for :class:`bridges.page.server.PageServer`; see :class:`bridges.page.replay.RecordedRun`.

    Parameters
    ----------
    folder : the run folder.

    Raises
    ------
    UserError
        Where it is no run folder, or holds no instant.
    """

    def __init__(self, folder: Path) -> None:
        self.run = run = Run(folder)
        self.facts = facts = Facts(run)
        first = run.ticks(["time_us", "device", "mode"], end_us=MINUTE_US)
        if first.empty:
            raise UserError(f"{folder}: no instant was recorded, so there is nothing to view; give a run that finished a minute")
        self._devices = tuple(str(d) for d in first["device"][first["time_us"] == first["time_us"].iloc[0]])
        instants = np.unique(first["time_us"].to_numpy())
        self._period_us = int(instants[1] - instants[0]) if len(instants) > 1 else 100_000
        cobots = {str(c["name"]): c for c in (facts.scenario.get("robots") or {}).get("cobots") or ()}
        carried = {str(d) for d, m in zip(first["device"], first["mode"], strict=True) if str(m) == "carried"}
        self._machines = tuple(d for d in self._devices if d not in carried)  # a panel is where its person is: never shown
        self._cobots = cobots
        self._is_machine = np.array([d not in carried for d in self._devices])
        self.scene = scene_of_json(facts.scenario)
        self._trp_index = {t[0]: i for i, t in enumerate(self.scene.trps)}
        self._tracks = self._people_tracks()
        self._services = self._read_services()
        self._minutes: OrderedDict[int, _Minute] = OrderedDict()
        self._lock = threading.Lock()
        # a run may end within its last period: the last instant is the last that was recorded
        end_us = round(run.kept_s * 1e6)
        last = run.ticks(["time_us"], start_us=max(end_us - MINUTE_US, 0))
        self.card = RunCard(
            title=folder.resolve().name,
            name=str(facts.scenario["name"]),
            policy=facts.acting if facts.radio_on else "",
            state=str(run.info["state"]),
            start_us=int(instants[0]),
            end_us=int(last["time_us"].iloc[-1]) if len(last) else int(instants[-1]),
            period_us=self._period_us,
            people=self._tracks is not None,
        )
        zones = (*(z[0] for z in self.scene.zones), "elsewhere" if self.scene.zones else "hall")
        self._zones: tuple[str, ...] = zones if self._tracks is not None else ()

    def _people_tracks(self) -> pd.DataFrame | None:
        if not self.run.info.get("people_tracks_days") or not (self.run.path / "people").is_dir():
            return None
        return self.run.people().sort_values("time_us", kind="stable", ignore_index=True)

    def _read_services(self) -> tuple[_Service, ...]:
        e, facts = self.facts.events, self.facts
        mine = e[e["policy"] == facts.acting]
        figures = {str(s["name"]): s for s in (self.run.kpi.get("services", ()) if self.run.has_kpi else ())}
        profiles = {str(s["name"]): str(s.get("profile", "")) for s in (facts.scenario.get("radio") or {}).get("services") or ()}
        kept_us = round(self.run.kept_s * 1e6)
        services = []
        for name in facts.services if facts.radio_on else ():
            of = mine[mine["service"] == name]
            spans: list[tuple[int, int]] = []
            for _, rows in of[of["kind"].isin(("service_down", "service_up"))].groupby("device", observed=True, sort=True):
                down: int | None = None
                for t, kind in zip(rows["time_us"], rows["kind"], strict=True):
                    if kind == "service_down" and down is None:
                        down = int(t)
                    elif kind == "service_up" and down is not None:
                        spans.append((down, int(t)))
                        down = None
                if down is not None:
                    spans.append((down, kept_us))
            both = np.array(sorted(spans), dtype=np.int64).reshape(-1, 2)
            lost = np.sort(of["time_us"][of["kind"] == "packet_lost"].to_numpy(dtype=np.int64))
            figure = figures.get(name, {})
            services.append(
                _Service(
                    name, profiles.get(name, ""), both[:, 0], both[:, 1], lost, figure.get("devices"), figure.get("messages")
                )
            )
        return tuple(services)

    @cached_property
    def names(self) -> messages.Names:
        """Names to which the messages refer."""
        return (
            tuple((m, "cobot" if m in self._cobots else "agv") for m in self._machines),
            self._devices if self.facts.radio_on else (),
            tuple((s.name, s.profile) for s in self._services),
            self._zones,
        )

    def _minute(self, number: int) -> _Minute:
        with self._lock:
            if number in self._minutes:
                self._minutes.move_to_end(number)
                return self._minutes[number]
        minute = self._read(number)
        with self._lock:
            self._minutes[number] = minute
            while len(self._minutes) > _MINUTES_KEPT:
                self._minutes.popitem(last=False)
        return minute

    def _table(self, number: int, columns: list[str]) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
        frame = self.run.ticks(["time_us", *columns], start_us=number * MINUTE_US, end_us=(number + 1) * MINUTE_US)
        n = len(self._devices)
        held = {c: np.asarray(frame[c]).reshape(-1, n) for c in columns}
        return frame["time_us"].to_numpy(dtype=np.int64)[::n], held

    def _read(self, number: int) -> _Minute:
        time_us, columns = self._table(number, _COLUMNS)
        before = np.full(int(self._is_machine.sum()), np.nan)
        if number > 0 and len(time_us):
            _, last = self._table(number - 1, ["x_m", "y_m"])
            before = headings(self._places(last), before)[-1]
        people: dict[int, Floats] = {}
        if self._tracks is not None and len(time_us):
            t = self._tracks["time_us"].to_numpy(dtype=np.int64)
            xy = self._tracks[["x_m", "y_m"]].to_numpy(dtype=np.float64)
            bounds = np.searchsorted(t, np.append(time_us, time_us[-1] + 1))
            people = {int(at): xy[i:j] for at, i, j in zip(time_us, bounds[:-1], bounds[1:], strict=True)}
        return _Minute(time_us, columns, headings(self._places(columns), before), people)

    def _places(self, columns: dict[str, npt.NDArray[Any]]) -> Floats:
        xy = np.stack((columns["x_m"], columns["y_m"]), axis=-1).astype(np.float64)
        return np.asarray(xy[:, self._is_machine], dtype=np.float64)

    def _instants(self, start_us: int, count: int, step: int) -> list[int]:
        card = self.card
        first = card.start_us + -(-(max(start_us, card.start_us) - card.start_us) // card.period_us) * card.period_us
        times = [first + k * step * card.period_us for k in range(count)]
        kept = [t for t in times if t <= card.end_us]
        return kept or [card.end_us]

    def frames(self, start_us: int, count: int, step: int) -> list[str]:
        """Return tick messages from the first instant not before ``start_us``; the last one where all are before."""
        views = [self.view(t) for t in self._instants(start_us, count, step)]
        return [messages.tick(v, self._trp_index) for v in views if v is not None]

    def people(self, start_us: int, count: int, step: int) -> list[str]:
        """Return messages with places of people of the same instants; none where the run kept none."""
        if self._tracks is None:
            return []
        none = np.zeros((0, 2))
        times = self._instants(start_us, count, step)
        return [messages.people(PeopleView(self._minute(t // MINUTE_US).people_m.get(t, none))) for t in times]

    def view(self, time_us: int) -> TwinView | None:
        """Return the run at an instant, None where that was not recorded."""
        minute = self._minute(time_us // MINUTE_US)
        k = int(np.searchsorted(minute.time_us, time_us))
        if k >= len(minute.time_us) or minute.time_us[k] != time_us:
            return None
        c = {name: column[k] for name, column in minute.columns.items()}
        zones: tuple[ZoneView, ...] = ()
        if self._zones:
            counts = np.bincount(self._zone_index(minute.people_m.get(time_us, np.zeros((0, 2)))), minlength=len(self._zones))
            zones = tuple(ZoneView(name, int(n)) for name, n in zip(self._zones, counts, strict=True))
        links = tuple(self._link(u, c) for u in range(len(self._devices))) if self.facts.radio_on else ()
        return TwinView(
            time_us=time_us,
            name=self.card.name,
            running=True,
            real_time_factor=1.0,
            machines=self._machine_views(c, minute.heading_rad[k]),
            links=links,
            services=tuple(self._service(s, time_us) for s in self._services),
            zones=zones,
        )

    def _machine_views(self, c: dict[str, npt.NDArray[Any]], heading_rad: Floats) -> tuple[MachineView, ...]:
        views = []
        for i, u in enumerate(np.flatnonzero(self._is_machine)):
            name = self._devices[u]
            cobot = self._cobots.get(name)
            x_m, y_m, z_m = cobot["position_m"] if cobot else (float(c["x_m"][u]), float(c["y_m"][u]), 0.0)
            turn = math.radians(cobot.get("yaw_deg", 0.0)) if cobot else float(heading_rad[i])
            kind: Literal["agv", "cobot"] = "cobot" if cobot else "agv"
            speed = float(c["speed_mps"][u])
            views.append(MachineView(name, kind, x_m, y_m, z_m, turn, speed, str(c["mode"][u]), False, None, ""))
        return tuple(views)

    def _link(self, u: int, c: dict[str, npt.NDArray[Any]]) -> LinkView:
        blocker = str(c["blocker"][u])
        return LinkView(
            device=self._devices[u],
            trp=str(c["trp"][u]),
            beam=int(c["beam"][u]),
            sinr_dl_db=float(c["sinr_dl_db"][u]),
            sinr_ul_db=float(c["sinr_ul_db"][u]),
            margin_db=float(c["margin_db"][u]),
            blocked_by="person" if is_person(blocker, self._devices) else blocker,
            body_loss_db=float(c["body_loss_db"][u]),
            risk=float(c["loss_probability"][u]),
        )

    def _service(self, s: _Service, time_us: int) -> ServiceView:
        began = s.start_us <= time_us
        down_us = int((np.minimum(s.end_us[began], time_us) - s.start_us[began]).sum())
        now = began & (s.end_us > time_us)
        lived_us = (s.devices or 0) * time_us
        sent = (s.messages or 0) * time_us / (self.run.kept_s * 1e6)  # messages go out at a steady rate
        outages = int(began.sum())
        return ServiceView(
            name=s.name,
            profile=s.profile,
            availability=1.0 - down_us / lived_us if lived_us else None,
            mtbf_s=lived_us / 1e6 / outages if lived_us and outages else None,
            packet_error_ratio=float(np.searchsorted(s.lost_us, time_us, side="right")) / sent if sent else None,
            up=not now.any(),
            down_since_us=int(s.start_us[now].min()) if now.any() else None,
        )

    def _zone_index(self, xy_m: Floats) -> npt.NDArray[np.int64]:
        index = np.full(len(xy_m), len(self.scene.zones), dtype=np.int64)
        for i in range(len(self.scene.zones) - 1, -1, -1):
            _, x0, x1, y0, y1 = self.scene.zones[i]
            index[(xy_m[:, 0] >= x0) & (xy_m[:, 0] < x1) & (xy_m[:, 1] >= y0) & (xy_m[:, 1] < y1)] = i
        return index

    @cached_property
    def _listed(self) -> pd.DataFrame:
        """Spells of the acting policy in order of time; of very many those that put a service down, and the longest."""
        spells = self.facts.spells
        mine = spells[spells["policy"] == self.facts.acting]
        if len(mine) > _LISTED:
            order = mine.sort_values(["service_down", "duration_s"], ascending=False, kind="stable")
            mine = order.head(max(_LISTED, int(mine["service_down"].sum())))
        return mine.sort_values("start_us", kind="stable", ignore_index=True)

    def outages(self) -> list[Json]:
        """Return the times in which a device lost messages; a person in the way is nobody by name here."""
        return [
            {
                "id": number,
                "device": str(s["device"]),
                "service": str(s["service"]),
                "start_us": int(s["start_us"]),
                "end_us": int(s["end_us"]),
                "messages": int(s["messages"]),
                "cause": CAUSE_WORDS.get(str(s["cause"]), str(s["cause"])),
                "blocked_by": "person" if is_person(str(s["blocker"]), self._devices) else str(s["blocker"]),
                "trp": str(s["trp"]),
                "down": bool(s["service_down"]),
            }
            for number, (_, s) in enumerate(self._listed.iterrows())
        ]

    def figures(self) -> list[Json]:
        """Return the figures of the services over the whole run, as kpi.json holds them; none where the run was broken off."""
        services = self.run.kpi.get("services", ()) if self.run.has_kpi else ()
        kept = ("name", "profile", "devices", "availability", "mtbf_s", "outages", "lost", "messages", "met", "targets")
        plain: list[Json] = json.loads(json.dumps([{k: s.get(k) for k in kept} for s in services], allow_nan=False))
        return plain

    def story(self, number: int, see_people: bool) -> Story | None:
        """Tell an outage by its number in :meth:`outages`."""
        if not 0 <= number < len(self._listed):
            return None
        return tell_spell(self.facts, self._listed.iloc[number], see_people)
