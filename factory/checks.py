"""Check what needs more than one room: does everything stand inside the hall and outside the boxes.

They run at loading time, so that a wrong scenario ends with file, line and column before anything is built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from factory.config import BoxConfig, HallConfig
from humans.config import PeopleConfig
from radio.config import RadioConfig
from radio.messages import user_plane
from radio.propagation.materials import permittivity
from robots.config import RobotsConfig

AGV_CLEARANCE_M = 0.1


def box_at(hall: HallConfig, x_m: float, y_m: float, z_m: float = 0.0, margin_m: float = 0.0) -> BoxConfig | None:
    """Box that contains the point, grown by ``margin_m`` sideways; None where the point is free."""
    for box in hall.boxes:
        yaw = math.radians(box.yaw_deg)
        dx, dy = x_m - box.center_m[0], y_m - box.center_m[1]
        along, across = dx * math.cos(yaw) + dy * math.sin(yaw), -dx * math.sin(yaw) + dy * math.cos(yaw)
        length, width, height = box.size_m
        if abs(along) < length / 2 + margin_m and abs(across) < width / 2 + margin_m and z_m < height:
            return box
    return None


def faults(hall: HallConfig, robots: RobotsConfig, people: PeopleConfig, radio: RadioConfig) -> Iterator[tuple[str, str]]:
    """Yield every fault as the key that holds it and what is wrong."""
    yield from _hall_faults(hall, radio)
    yield from _trp_faults(hall, radio)
    yield from _robot_faults(hall, robots)
    yield from _people_faults(hall, people)
    for key, fault in user_plane.faults(radio):
        yield f"radio.{key}", fault


def _outside(hall: HallConfig, point: tuple[float, ...]) -> bool:
    return not all(0.0 <= p <= size for p, size in zip(point, hall.size_m, strict=False))


def _where(hall: HallConfig) -> str:
    length, width, height = hall.size_m
    return f"the hall is x 0..{length:g}, y 0..{width:g}, z 0..{height:g} m"


def _hall_faults(hall: HallConfig, radio: RadioConfig) -> Iterator[tuple[str, str]]:
    measured = {m.name for m in radio.materials}
    frequencies_hz = sorted({c.frequency_hz for c in radio.used_carriers})
    materials = [(f"hall.{k}", getattr(hall, k)) for k in ("wall_material", "floor_material", "ceiling_material")]
    materials += [(f"hall.boxes[{i}].material", b.material) for i, b in enumerate(hall.boxes)]
    for key, material in materials:
        try:
            for frequency_hz in frequencies_hz if material not in measured else ():
                permittivity(material, frequency_hz)
        except ValueError as error:
            yield key, str(error)
    named = {material for _, material in materials}
    for i, override in enumerate(radio.materials):
        if override.name not in named:
            yield (
                f"radio.materials[{i}].name",
                f"{override.name!r}: nothing in the hall is made of it; it has {', '.join(sorted(named))}",
            )
    for i, box in enumerate(hall.boxes):
        yaw = math.radians(box.yaw_deg)
        half_x = (abs(box.size_m[0] * math.cos(yaw)) + abs(box.size_m[1] * math.sin(yaw))) / 2
        half_y = (abs(box.size_m[0] * math.sin(yaw)) + abs(box.size_m[1] * math.cos(yaw))) / 2
        corners = (
            (box.center_m[0] - half_x, box.center_m[1] - half_y, 0.0),
            (box.center_m[0] + half_x, box.center_m[1] + half_y, box.size_m[2]),
        )
        tolerance = 1e-6
        if any(_outside(hall, tuple(np.clip(c, tolerance, None) - tolerance)) for c in corners) or min(corners[0]) < -tolerance:
            yield f"hall.boxes[{i}].center_m", f"box {box.name!r} reaches outside the hall; {_where(hall)}"


def _trp_faults(hall: HallConfig, radio: RadioConfig) -> Iterator[tuple[str, str]]:
    for i, trp in enumerate(radio.trps):
        key = f"radio.trps[{i}].position_m"
        if _outside(hall, trp.position_m):
            yield key, f"{list(trp.position_m)}: TRP {trp.name!r} is outside the hall; {_where(hall)}"
        elif box := box_at(hall, *trp.position_m):
            yield key, f"{list(trp.position_m)}: TRP {trp.name!r} is inside {box.kind} {box.name!r}"


def _robot_faults(hall: HallConfig, robots: RobotsConfig) -> Iterator[tuple[str, str]]:
    place = {node.id: node.position_m for node in robots.routes.nodes}
    reach = robots.agvs.width_m / 2 + AGV_CLEARANCE_M
    for i, node in enumerate(robots.routes.nodes):
        key = f"robots.routes.nodes[{i}].position_m"
        if _outside(hall, node.position_m):
            yield key, f"{list(node.position_m)}: node {node.id!r} is outside the hall; {_where(hall)}"
        elif box := box_at(hall, *node.position_m, margin_m=reach):
            yield key, f"{list(node.position_m)}: an AGV on node {node.id!r} would touch {box.kind} {box.name!r}"
    for i, edge in enumerate(robots.routes.edges):
        start, end = np.array(place[edge.start]), np.array(place[edge.end])
        for point in np.linspace(start, end, max(2, int(np.linalg.norm(end - start) / 0.25) + 1)):
            if box := box_at(hall, float(point[0]), float(point[1]), margin_m=reach - AGV_CLEARANCE_M / 2):
                yield f"robots.routes.edges[{i}]", f"the edge {edge.start} -> {edge.end} runs through {box.kind} {box.name!r}"
                break
    for i, cobot in enumerate(robots.cobots):
        if _outside(hall, cobot.position_m):
            yield (
                f"robots.cobots[{i}].position_m",
                f"{list(cobot.position_m)}: cobot {cobot.name!r} is outside the hall; {_where(hall)}",
            )


def _people_faults(hall: HallConfig, people: PeopleConfig) -> Iterator[tuple[str, str]]:
    spots = [(f"people.stations[{i}].position_m", f"station {s.name!r}", s.position_m) for i, s in enumerate(people.stations)]
    spots += [(f"people.start[{i}]", f"person {i + 1}", p) for i, p in enumerate(people.start)]
    for key, what, point in spots:
        if _outside(hall, point):
            yield key, f"{list(point)}: {what} is outside the hall; {_where(hall)}"
        elif box := box_at(hall, *point):
            yield key, f"{list(point)}: {what} is inside {box.kind} {box.name!r}"
