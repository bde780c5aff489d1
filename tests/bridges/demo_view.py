"""A small hall's view, for tests of what leaves the twin."""

from __future__ import annotations

import math

from bridges.view import (
    AdviceView,
    AssetView,
    CalibrationView,
    ForecastView,
    LinkView,
    MachineView,
    OutageView,
    QosView,
    RadioAlarmView,
    ServiceView,
    TrpView,
    TwinView,
    ZoneView,
)


def demo_view(time_us: int, agvs: int = 12, cobots: int = 4, panels: int = 3, sinr_db: float | None = None) -> TwinView:
    """Return a view of the default hall's size; numbers move with the time, names stay.

    Parameters
    ----------
    time_us : twin time [us].
    agvs, cobots, panels : devices with a link.
    sinr_db : downlink SINR of the first AGV [dB]; default: one that changes with the time.
    """
    t = time_us * 1e-6
    machines = []
    for i in range(agvs):
        x_m, y_m = 1.5 * i + math.sin(t + i), 2.0 + 0.1 * t
        machines.append(MachineView(f"agv-{i + 1:02d}", "agv", x_m, y_m, 0.0, 0.1 * t, 1.25, "driving", i % 2 == 0, 0.8, f"o{i}"))
    for i in range(cobots):
        speed_mps = 0.3 + 0.01 * math.sin(t)
        joints_rad = tuple(0.1 * j + 0.01 * math.sin(t) for j in range(7))
        name, x_m = f"cobot-{i + 1}", 5.0 + i
        machines.append(
            MachineView(name, "cobot", x_m, 30.0, 0.9, 0.0, speed_mps, "working", False, None, "", joints_rad, speed_mps)
        )
    devices = [m.id for m in machines] + [f"panel-{i + 1}" for i in range(panels)]
    links = []
    for i, device in enumerate(devices):
        down_db, up_db = 18.0 - i + math.sin(t), 15.0 - i + math.cos(t)
        who, loss_db = ("person", 18.2) if i == 1 else ("", 0.0)
        links.append(LinkView(device, "aisle-west", 10 + i, down_db, up_db, 6.5 - i, who, loss_db, 0.02 * i))
    if sinr_db is not None:
        first = links[0]
        links[0] = LinkView(first.device, first.trp, first.beam, sinr_db, first.sinr_ul_db, first.margin_db, "", 0.0, first.risk)
    # the last device has no serving beam
    links[-1] = LinkView(devices[-1], "", -1, math.nan, math.nan, math.nan, "", 0.0, 1.0)
    services = (
        ServiceView("agv-control", "mobile-robot", 0.999_999_1, 86_400.0, 1.25e-6, True, None),
        ServiceView("panel-estop", "mobile-panel-estop", 0.999_5, None, 0.01, False, 1_500_000),
    )
    zones = (ZoneView("assembly", 5), ZoneView("aisle-a", 0))
    assets = (
        AssetView("agv-01", "agv", 1, True, 0.2, 0.2, 0.03, 0.03, 0.04, 0.95, 1.1),
        AssetView("people", "people", 0, False, *[math.nan] * 7),
    )
    advice = (AdviceView("agv_slow", "agv-01", "0.60 m/s", "-3.0 dB of margin expected in 0.4 s", 0.8, 900_000, ""),)
    alarm = RadioAlarmView("trp", "aisle-west", "", 1.0, 15.0, -6.1, 5, 100_000, 900_000, "aisle-west is 6.1 dB weaker")
    trps = (TrpView("aisle-west", 1.0, 15.0, 6.0, 0.0, 0.3, 28e9, 64, True, 0.2, 0.1, 0.5, tuple(devices[:-1])),)
    return TwinView(
        time_us,
        "assembly-hall",
        True,
        1.0,
        tuple(machines),
        tuple(links),
        services,
        zones,
        trps,
        tuple(ForecastView(device, (0.5, 1.0, 2.0), (0.1, 0.2, None)) for device in devices),
        tuple(OutageView(device) for device in devices),
        tuple(OutageView("", service.name) for service in services),
        assets=assets,
        advice=advice,
        calibration=CalibrationView(False, True, 900, 3, 1, (("aisle-west", -0.4),), (alarm,)),
        qos=QosView(("agv-01",), 2, 1, 0, 0, 0, ""),
    )
