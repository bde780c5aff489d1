"""TRPs, carriers and services of a generated hall.

The carriers keep the powers, bandwidths, antennas and noise figures of the link budgets that tests/halls checks; none is ever
lowered to make a body's shadow look larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from factory.halls.layout import Layout
from factory.halls.options import Hall

AISLE_END_HEIGHT_M = 3.0
BELOW_CEILING_M = 0.5
FROM_WALL_M = 0.5


@dataclass(frozen=True)
class CarrierPlan:
    """A carrier as scenarios write it, and the ends of its links.

    Attributes
    ----------
    text : the carrier section. ue : the device's antenna and noise. trp : what every TRP has in common.
    """

    text: str
    ue: str
    trp: str


CARRIERS: dict[str, CarrierPlan] = {
    "28ghz": CarrierPlan(
        "{frequency_hz: 28e9, bandwidth_hz: 100e6, subcarrier_spacing_hz: 120000, resource_blocks: 66}",
        "{antenna: quad_sector, tx_power_dbm: 23, noise_figure_db: 9}",
        "tx_power_dbm: 30",
    ),
    "28ghz-wide": CarrierPlan(
        "{frequency_hz: 28e9, bandwidth_hz: 400e6, subcarrier_spacing_hz: 120000, resource_blocks: 264}",
        "{antenna: isotropic, tx_power_dbm: 23, noise_figure_db: 9}",
        "tx_power_dbm: 24",
    ),
    # One element of 8 dBi whose cable takes 3 dB: the 5 dBi of an indoor TRP.
    "3.7ghz": CarrierPlan(
        "{frequency_hz: 3.7e9, bandwidth_hz: 40e6, subcarrier_spacing_hz: 30000, resource_blocks: 106}",
        "{antenna: isotropic, tx_power_dbm: 23, noise_figure_db: 9}",
        "tx_power_dbm: 24, gain_offset_db: -3, panel: {rows: 1, columns: 1}",
    ),
}

_AGV = "{name: agv-control, profile: mobile-robot, devices: agv}"
_PANEL = "{name: panel-estop, profile: mobile-panel-estop, devices: panel}"
MIXES: dict[str, dict[str, tuple[str, ...]]] = {
    "standard": {
        "agv": (_AGV, "{name: agv-video, profile: video, devices: agv, share: 0.5, message_bytes: 40000}"),
        "cobot": ("{name: cobot-control, profile: control-to-control, devices: cobot}",),
        "panel": (_PANEL,),
    },
    "video": {
        "agv": (_AGV, "{name: agv-video, profile: video, devices: agv, message_bytes: 60000}"),
        "cobot": ("{name: cobot-control, profile: motion-control-c, devices: cobot}",),
        "panel": (_PANEL,),
    },
    "control": {
        "agv": (_AGV,),
        "cobot": (
            "{name: cobot-motion, profile: motion-control-c, devices: cobot}",
            "{name: cobot-state, profile: process-closed-loop, devices: cobot}",
        ),
        "panel": (_PANEL,),
    },
    "panels": {
        "agv": (_AGV,),
        "cobot": ("{name: cobot-control, profile: control-to-control, devices: cobot}",),
        "panel": (_PANEL, "{name: panel-data, profile: panel-parallel-data, devices: panel, message_bytes: 9000}"),
    },
}


@dataclass(frozen=True)
class Trp:
    """A transmission point: where it is in m, and where it looks in degrees."""

    name: str
    position_m: tuple[float, float, float]
    azimuth_deg: int
    downtilt_deg: int


def services(hall: Hall) -> list[str]:
    """Return the services of the devices that there are."""
    present = {"agv": hall.agvs, "cobot": hall.cobots, "panel": hall.panels}
    return [text for kind, texts in MIXES[hall.mix].items() if present[kind] for text in texts]


def place_trps(hall: Hall, layout: Layout) -> list[Trp]:
    """Return the TRPs of a hall by its layout's name."""
    if hall.trp_layout == "ceiling":
        return _ceiling(layout, hall.trps)
    if hall.trp_layout == "aisle-ends":
        return _aisle_ends(layout, hall.trps)
    if hall.trp_layout == "corners":
        return _corners(layout, hall.trps)
    over = (layout.west_lane_x_m, layout.middle_y_m, layout.size_m[2] - BELOW_CEILING_M)
    return [Trp("crossing", over, 0, 90), *_corners(layout, hall.trps - 1)]


def _ceiling(layout: Layout, n: int) -> list[Trp]:
    """Put a grid below the ceiling, as square as the number allows, looking down with a slight lean to the middle."""
    length, width, height = layout.size_m
    rows = min((r for r in range(1, n + 1) if n % r == 0), key=lambda r: abs(math.log(length * r * r / (width * n))))
    columns = n // rows
    trps = []
    for k in range(n):
        x, y = length * (k % columns + 0.5) / columns, width * (k // columns + 0.5) / rows
        trps.append(Trp(f"ceiling-{k + 1}", (x, y, height - BELOW_CEILING_M), 0 if x <= length / 2 else 180, 75))
    return trps


def _aisle_ends(layout: Layout, n: int) -> list[Trp]:
    """Put one TRP at each aisle's east end, then at the west wall looking along the aisles, then between them at the east end."""
    length, width, _ = layout.size_m
    aisles = layout.aisle_y_m
    east = [Trp(f"aisle-{k + 1}-east", (length - FROM_WALL_M, y, AISLE_END_HEIGHT_M), 180, 5) for k, y in enumerate(aisles)]
    west = [Trp(f"aisle-{k + 1}-west", (FROM_WALL_M, y, AISLE_END_HEIGHT_M), 0, 5) for k, y in enumerate(aisles)]
    trps = east + west
    more = n - len(trps)
    for k in range(more):
        trps.append(Trp(f"north-{k + 1}", (length * (k + 0.5) / more, width - FROM_WALL_M, AISLE_END_HEIGHT_M), -90, 5))
    return trps[:n]


def _corners(layout: Layout, n: int) -> list[Trp]:
    """Put TRPs into the corners, the first two across from each other, and further ones in the middle of the long walls."""
    length, width, height = layout.size_m
    z = min(4.0, height - BELOW_CEILING_M)
    near, far_x, far_y = FROM_WALL_M, length - FROM_WALL_M, width - FROM_WALL_M
    at = [("sw", near, near, 45), ("ne", far_x, far_y, -135), ("se", far_x, near, 135), ("nw", near, far_y, -45)]
    trps = [Trp(f"corner-{name}", (x, y, z), azimuth, 10) for name, x, y, azimuth in at]
    more = n - len(trps)
    for k in range(more):
        south = k % 2 == 0
        x = length * (k // 2 + 0.5) / math.ceil(more / 2)
        trps.append(Trp(f"wall-{k + 1}", (x, near if south else far_y, z), 90 if south else -90, 10))
    return trps[:n]
