"""Builds the view that leaves the twin. Privacy is applied here.

No person's position, name or track is in a view; where the scenario says ``bridges.opcua.people_for_safety: true``, places
without identity are, for the role safety of the OPC UA server alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bridges.view import ForecastView, LinkView, MachineView, OutageView, PoseView, ServiceView, TwinView, ZoneView
from factory.link_outlook import HORIZONS_S, LinkOutlook
from factory.margin import LinkMargin
from factory.publish_trps import TrpWatch
from factory.rooms import zone_index, zone_names
from factory.twin import Tick, Twin
from radio.messages.delivery import CAUSES
from robots.state import MODES

__all__ = ["Publisher", "build_view"]


def build_view(twin: Twin, real_time_factor: float) -> TwinView:
    """Return the twin as everyone outside may see it, once: without forecasts, and without what happened before.

    Parameters
    ----------
    twin : the twin after a tick.
    real_time_factor : twin time over wall time.
    """
    return Publisher(twin, forecasts=False).view(real_time_factor)


class Publisher:
    """Builds views of a twin that runs on, and remembers what a view tells of the past.

    Parameters
    ----------
    twin : what is shown.
    forecasts : whether views tell the risk of every link ahead (:mod:`factory.link_outlook`); None: as
        ``bridges.opcua.forecasts`` says. Without a network there is nothing to forecast.

    Attributes
    ----------
    outlook : where the risks come from, None where none are told.
    """

    def __init__(self, twin: Twin, forecasts: bool | None = None) -> None:
        self._twin = twin
        opcua = twin.scenario.bridges.opcua
        wanted = opcua.enabled and opcua.forecasts if forecasts is None else forecasts
        self.outlook = LinkOutlook(twin) if wanted and twin.networks else None
        self._people_too = opcua.people_for_safety
        self._margin = LinkMargin(twin.scenario.radio, twin.traffic, len(twin.devices))
        self._trps = TrpWatch(twin)
        self._zones = zone_names(twin.scenario.hall)
        n_services = len(twin.traffic.service_name)
        self._of_device: list[OutageView] = [OutageView(device) for device in twin.devices]
        self._of_service: list[OutageView] = [OutageView("", twin.traffic.service_name[s]) for s in range(n_services)]
        self._risk: npt.NDArray[np.float64] | None = None  # largest loss probability since the last view; None: nobody watches

    def watch(self, tick: Tick) -> None:
        """Take note of the services that went down or came back in a tick; call it with every tick."""
        changes = tick.changes
        if self.outlook is None and tick.delivered:
            messages = tick.delivered[0]
            if self._risk is None:
                self._risk = np.zeros(len(self._twin.devices))
            np.maximum.at(self._risk, self._twin.traffic.ue[messages.stream], messages.loss_probability)
        if changes is None or not len(changes.stream):
            return
        traffic, delivered = self._twin.traffic, tick.delivered[0]
        for stream, time_us, down, row in zip(changes.stream, changes.time_us, changes.down, changes.row, strict=True):
            ue, service = int(traffic.ue[stream]), int(traffic.service[stream])
            name = traffic.service_name[service]
            if down:
                trp = int(delivered.trp[row])
                outage = OutageView(
                    device=self._twin.devices[ue],
                    service=name,
                    since_us=int(time_us),
                    cause=CAUSES[delivered.cause[row]],
                    blocked_by=_who(self._twin, int(delivered.owner[row])),
                    trp=self._twin.scenario.radio.trps[trp].name if trp >= 0 else "",
                )
                self._of_device[ue] = self._of_service[service] = outage
                continue
            for book, at in ((self._of_device, ue), (self._of_service, service)):
                last = book[at]
                if last.device == self._twin.devices[ue] and last.service == name and last.until_us is None:
                    book[at] = OutageView(last.device, name, last.since_us, int(time_us), last.cause, last.blocked_by, last.trp)

    def view(self, real_time_factor: float) -> TwinView:
        """Return the twin after its last tick.

        Parameters
        ----------
        real_time_factor : twin time over wall time.
        """
        twin = self._twin
        links = self._links()
        forecasts: tuple[ForecastView, ...] = ()
        if self.outlook is not None:
            self.outlook.step(np.array([link.margin_db for link in links]))
            told = [[None if np.isnan(r) else float(r) for r in row] for row in self.outlook.risk.T]
            forecasts = tuple(ForecastView(d, HORIZONS_S, tuple(r)) for d, r in zip(twin.devices, told, strict=True))
            links = tuple(
                replace(link, risk=max((r for r in row if r is not None), default=link.risk))
                for link, row in zip(links, told, strict=True)
            )
        elif self._risk is not None:
            self._risk[:] = 0.0
        return TwinView(
            time_us=twin.time_us,
            name=twin.scenario.name,
            running=not twin.steering.paused,
            real_time_factor=real_time_factor,
            machines=_machines(twin),
            links=links,
            services=_services(twin),
            zones=self._people_in_zones(),
            trps=self._trps.views(),
            forecasts=forecasts,
            outages=tuple(self._of_device) if twin.networks else (),
            service_outages=tuple(self._of_service) if twin.networks else (),
            people=self._poses() if self._people_too else (),
            assets=() if twin.live is None else twin.live.assets(),
            advice=None if twin.live is None else twin.live.advice(),
            calibration=None if twin.live is None else twin.live.calibration(),
            qos=None if twin.live is None else twin.live.qos_figures(),
        )

    def _links(self) -> tuple[LinkView, ...]:
        twin = self._twin
        network = twin.networks[0] if twin.networks else None
        plan, state = (network.plan, network.state) if network else (None, None)
        if plan is None or state is None:
            nan = float("nan")
            return tuple(LinkView(d, "", -1, nan, nan, nan, "", 0.0, 0.0) for d in twin.devices)
        margin = self._margin.of(state, plan.trp)
        trps = twin.scenario.radio.trps
        risk = twin.tracker.risk if self._risk is None else self._risk
        views = []
        for u, device in enumerate(twin.devices):
            views.append(
                LinkView(
                    device=device,
                    trp=trps[plan.trp[u, 0]].name,
                    beam=int(plan.beam[u, 0]),
                    sinr_dl_db=float(state.sinr_dl_db[u, 0]),
                    sinr_ul_db=float(state.sinr_ul_db[u, 0]),
                    margin_db=float(margin[u]),
                    blocked_by=_who(twin, int(state.owner[u, 0])),
                    body_loss_db=float(state.body_loss_db[u, 0]),
                    risk=float(risk[u]),
                )
            )
        return tuple(views)

    def _people_in_zones(self) -> tuple[ZoneView, ...]:
        people = self._twin.people
        index = zone_index(self._twin.scenario.hall, people.position_m[people.present])
        counts = np.bincount(index, minlength=len(self._zones))
        return tuple(ZoneView(name, int(count)) for name, count in zip(self._zones, counts, strict=True))

    def _poses(self) -> tuple[PoseView, ...]:
        """Places of everybody present, in order of place: which row is whose is not told, nor does a row stay anyone's."""
        people = self._twin.people
        place, heading = people.position_m[people.present], people.heading_rad[people.present]
        order = np.lexsort((place[:, 1], place[:, 0]))
        turned = (heading + np.pi) % (2.0 * np.pi) - np.pi
        return tuple(PoseView(float(place[i, 0]), float(place[i, 1]), float(turned[i])) for i in order)


def _who(twin: Twin, owner: int) -> str:
    """Return who stands in the way in a word: no person is told from another."""
    if owner < 0:
        return ""
    n_people = len(twin.people.present)
    return "person" if owner < n_people else twin.devices[owner - n_people]


def _machines(twin: Twin) -> tuple[MachineView, ...]:
    agvs, cobots = twin.agvs, twin.cobot_state
    joints_rad = twin.world.cobot_joint_position()
    views = [
        MachineView(
            id=twin.devices[i],
            kind="agv",
            x_m=float(agvs.position_m[i, 0]),
            y_m=float(agvs.position_m[i, 1]),
            z_m=0.0,
            heading_rad=float(agvs.heading_rad[i]),
            speed_mps=float(agvs.speed_mps[i]),
            mode=MODES[agvs.mode[i]],
            loaded=bool(agvs.loaded[i]),
            battery=float(agvs.battery[i]),
            order=str(agvs.order_id[i]) if agvs.order_id[i] >= 0 else "",
        )
        for i in range(twin.fleet.n)
    ]
    for j, cobot in enumerate(twin.scenario.robots.cobots):
        x, y, z = cobot.position_m
        views.append(
            MachineView(
                id=cobot.name,
                kind="cobot",
                x_m=x,
                y_m=y,
                z_m=z,
                heading_rad=float(np.radians(cobot.yaw_deg)),
                speed_mps=float(twin.cobot_state.speed_scale[j]) * twin.scenario.robots.safety.cobot_speed_mps,
                mode=MODES[cobots.mode[j]],
                loaded=False,
                battery=None,
                order="",
                joints_rad=tuple(float(q) for q in joints_rad[j]),
                speed_scale=float(cobots.speed_scale[j]),
            )
        )
    return tuple(views)


def _services(twin: Twin) -> tuple[ServiceView, ...]:
    if not twin.networks:
        return ()
    traffic, tracker = twin.traffic, twin.tracker
    figures = twin.networks[0].kpi.running()
    views = []
    for s, name in enumerate(traffic.service_name):
        since = tracker.down_since_us[(traffic.service == s) & (tracker.down_since_us >= 0)]
        views.append(
            ServiceView(
                name=name,
                profile=traffic.profile[s],
                availability=figures[s].availability,
                mtbf_s=figures[s].mtbf_s,
                packet_error_ratio=figures[s].packet_error_ratio,
                up=not len(since),
                down_since_us=int(since.min()) if len(since) else None,
            )
        )
    return tuple(views)
