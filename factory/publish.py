"""Builds the view that leaves the twin. Privacy is applied here: no person's position, name or track is in it."""

from __future__ import annotations

import numpy as np

from bridges.view import LinkView, MachineView, ServiceView, TwinView, ZoneView
from factory.margin import LinkMargin
from factory.rooms import zone_index, zone_names
from factory.twin import Twin
from robots.state import MODES


def build_view(twin: Twin, real_time_factor: float) -> TwinView:
    """Return the twin as everyone outside may see it.

    Parameters
    ----------
    twin : the twin after a tick.
    real_time_factor : twin time over wall time.
    """
    return TwinView(
        time_us=twin.time_us,
        name=twin.scenario.name,
        running=not twin.steering.paused,
        real_time_factor=real_time_factor,
        machines=_machines(twin),
        links=_links(twin),
        services=_services(twin),
        zones=_zones(twin),
    )


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


def _links(twin: Twin) -> tuple[LinkView, ...]:
    network = twin.networks[0] if twin.networks else None
    plan, state = (network.plan, network.state) if network else (None, None)
    if plan is None or state is None:
        return tuple(LinkView(d, "", -1, float("nan"), float("nan"), float("nan"), "", 0.0, 0.0) for d in twin.devices)
    margin = LinkMargin(twin.scenario.radio, twin.traffic, len(twin.devices)).of(state)
    n_people = len(twin.people.present)
    trps = twin.scenario.radio.trps
    views = []
    for u, device in enumerate(twin.devices):
        owner = int(state.owner[u, 0])
        blocked_by = "" if owner < 0 else "person" if owner < n_people else twin.devices[owner - n_people]
        views.append(
            LinkView(
                device=device,
                trp=trps[plan.trp[u, 0]].name,
                beam=int(plan.beam[u, 0]),
                sinr_dl_db=float(state.sinr_dl_db[u, 0]),
                sinr_ul_db=float(state.sinr_ul_db[u, 0]),
                margin_db=float(margin[u]),
                blocked_by=blocked_by,
                body_loss_db=float(state.body_loss_db[u, 0]),
                risk=float(twin.tracker.risk[u]),
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


def _zones(twin: Twin) -> tuple[ZoneView, ...]:
    hall = twin.scenario.hall
    names = zone_names(hall)
    index = zone_index(hall, twin.people.position_m[twin.people.present])
    counts = np.bincount(index, minlength=len(names))
    return tuple(ZoneView(name, int(count)) for name, count in zip(names, counts, strict=True))
