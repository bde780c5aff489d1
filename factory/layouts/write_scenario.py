"""The text of an imported scenario: YAML to be finished by hand, with a comment where something was assumed or is missing."""

from __future__ import annotations

import math
import re

from factory.layouts.report import Report
from factory.layouts.to_scenario import Plan

_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_./-]*$")
_WORDS = {
    "true",
    "false",
    "null",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "nan",
    "inf",
}  # what some YAML reader takes for something else


def text_of(value: str) -> str:
    """Return a YAML scalar for a text: plain where nobody can misread it, else quoted."""
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in quoted) + '"'


def metres(value: float) -> str:
    """Return a length rounded to a millimetre."""
    rounded = round(value, 3)
    return f"{0.0 if rounded == 0 else rounded:g}" if abs(rounded) < 1e5 else f"{rounded:.3f}"


def _point(*values: float) -> str:
    return "[" + ", ".join(metres(v) for v in values) + "]"


def write_scenario(plan: Plan) -> str:
    """Return the YAML text of a plan."""
    report = plan.found.report
    parts = [_head(plan, report), _hall(plan), _robots(plan), _people(plan), _radio(plan)]
    return "\n".join(parts)


def _head(plan: Plan, report: Report) -> str:
    lines = ["# Imported layout; to be finished by hand. Lines marked assumed, proposed or missing are not from the file."]
    lines += [f"# Hall frame = plant frame - {_point(*plan.origin_m)} m."]
    for verdict in ("missing", "assumed", "repaired"):
        notes = report.of(verdict)
        if notes:
            lines.append(f"# {verdict} ({len(notes)}):")
            lines += [f"#   {_one_line(f'{n.place}: {n.message}' if n.place else n.message)}" for n in notes[:40]]
            if len(notes) > 40:
                lines.append(f"#   and {len(notes) - 40} more; factory-twin import --json lists them all")
    lines += [
        f"name: {text_of(plan.name)}",
        f"description: {text_of(plan.description)}",
        "seed: 1",
        "duration_s: 600",
        "",
    ]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text)


def _hall(plan: Plan) -> str:
    lines = [
        "hall:",
        f"  size_m: {_point(*plan.size_m)}  # around what was found; check the height",
        "  wall_material: concrete  # assumed",
        "  floor_material: concrete  # assumed",
        "  ceiling_material: metal  # assumed",
    ]
    if plan.found.boxes:
        lines.append("  boxes:  # heights and materials as the file gives them, else assumed (see above)")
    for box in plan.found.boxes:
        thick = (
            f", thickness_m: {metres(max(0.001, min(box.length_m, box.width_m)))}" if min(box.length_m, box.width_m) < 0.1 else ""
        )
        yaw = math.remainder(box.yaw_deg, 360.0)
        turn = f", yaw_deg: {round(yaw, 4):g}" if abs(yaw) > 1e-4 else ""
        lines.append(
            f"    - {{name: {text_of(box.name)}, kind: {box.kind}, center_m: {_point(box.x_m, box.y_m)}, "
            f"size_m: {_point(box.length_m, box.width_m, box.height_m or 1.0)}{turn}, "
            f"material: {text_of(str(box.material))}{thick}}}"
        )
    if plan.found.zones:
        lines.append("  zones:")
        lines += [f"    - {{name: {text_of(z.name)}, x_m: {_point(*z.x_m)}, y_m: {_point(*z.y_m)}}}" for z in plan.found.zones]
    return "\n".join([*lines, ""])


def _robots(plan: Plan) -> str:
    v = plan.vehicle
    lines = ["robots:", "  agvs:", f"    count: {v.count or 0}"]
    if v.count:
        if v.max_speed_mps is not None:
            lines.append(f"    max_speed_mps: {v.max_speed_mps:g}")
        lines += [f"    length_m: {metres(v.length_m or 1.2)}", f"    width_m: {metres(v.width_m or 0.8)}"]
        if v.height_m is not None:
            lines.append(f"    body_height_m: {metres(v.height_m)}")
            lines.append(f"    antenna_height_m: {metres(max(1.2, v.height_m + 0.2))}  # assumed: above the body")
        lines.append(f"    antenna_offset_m: [{metres(-((v.length_m or 1.2) / 2 - 0.05))}, 0]  # assumed: at the rear")
        if plan.load_heights_m is not None:
            lines.append(f"    load_heights_m: {_point(*plan.load_heights_m)}  # assumed: what fits below the lowest edge")
    if not plan.found.nodes:
        return "\n".join([*lines, "  # missing: routes (nodes and edges) and cobots", ""])
    lines += ["  # missing: cobots", "  routes:", "    nodes:"]
    for n in plan.found.nodes:
        action = f", action: {n.actions[0]}" if n.actions else ""
        lines.append(f"      - {{id: {text_of(n.id)}, position_m: {_point(n.x_m, n.y_m)}{action}}}")
    if plan.found.lanes:
        lines.append("    edges:")
    for lane in plan.found.lanes:
        speed = f", max_speed_mps: {lane.max_speed_mps:g}" if lane.max_speed_mps is not None else ""
        height = f", max_height_m: {lane.max_height_m:g}" if lane.max_height_m is not None else ""
        opened = "  # repaired: one-way in the file" if lane.opened else ""
        lines.append(
            f"      - {{start: {text_of(lane.start)}, end: {text_of(lane.end)}, two_way: {str(lane.two_way).lower()}"
            f"{speed}{height}}}{opened}"
        )
    return "\n".join([*lines, ""])


def _people(plan: Plan) -> str:
    lines = ["people:", f"  count: {plan.people}  # assumed", f"  panels: {min(1, plan.people)}  # assumed"]
    if plan.stations:
        lines.append("  stations:  # proposed: beside the nodes and stations of the file, off the lanes")
    for name, x, y, facing, kind in plan.stations:
        lines.append(f"    - {{name: {text_of(name)}, position_m: {_point(x, y)}, facing_deg: {round(facing)}, kind: {kind}}}")
    return "\n".join([*lines, ""])


def _radio(plan: Plan) -> str:
    lines = [
        "radio:",
        "  policy: reactive",
        "  compare: []  # add static and human_aware to see them on the same footsteps",
        "  carrier: {frequency_hz: 28e9, bandwidth_hz: 50e6, subcarrier_spacing_hz: 120000, resource_blocks: 32}  # assumed",
        f"  paths: {{max_order: {plan.max_order}}}",
        "  trps:  # proposed: one per field of 20 m x 20 m, 1 m below the ceiling, looking straight down",
    ]
    for k, (x, y, z) in enumerate(plan.trps):
        lines.append(f"    - {{name: trp-{k + 1}, position_m: {_point(x, y, z)}, downtilt_deg: 90, tx_power_dbm: 30}}")
    lines.append("  services:  # assumed")
    if plan.vehicle.count:
        lines.append("    - {name: agv-control, profile: mobile-robot, devices: agv}")
    if plan.people or not plan.vehicle.count:
        lines.append("    - {name: panel-estop, profile: mobile-panel-estop, devices: panel}")
    return "\n".join([*lines, ""])
