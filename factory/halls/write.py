"""The text of a generated hall, written as the shipped scenarios are."""

from __future__ import annotations

import shlex

from factory.halls.layout import Layout, lay_out
from factory.halls.options import Hall, HallOptions, decide
from factory.halls.radio_plan import CARRIERS, place_trps, services
from factory.layouts.write_scenario import metres, text_of

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TRPS = {
    "ceiling": " below the ceiling",
    "aisle-ends": " at 3 m at the ends of the aisles",
    "corners": " in the corners",
    "crossing": ", one above the crossing and the others in the corners",
}
_ON = {
    "28ghz": "28 GHz, 100 MHz",
    "28ghz-wide": "28 GHz, 400 MHz, devices with one isotropic antenna",
    "3.7ghz": "3.7 GHz, a licence of 40 MHz that every TRP reuses",
}


def generate(ask: HallOptions) -> str:
    """Return the scenario that an ask gives; the same ask gives the same bytes.

    Raises
    ------
    UserError
        Where the ask cannot be met.
    """
    hall = decide(ask)
    layout = lay_out(hall)
    parts = [_head(ask, hall, layout), _hall(hall, layout), _robots(hall, layout), _people(hall, layout), _radio(hall, layout)]
    return "\n".join(parts)


def command_of(ask: HallOptions) -> str:
    """Return the command that generates an ask, without its output file."""
    given = [(name, value) for name, value in ask.model_dump().items() if value is not None]
    return " ".join(["factory-twin hall", *(f"--{n.replace('_', '-')} {shlex.quote(_shown(v))}" for n, v in given)])


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _count(n: int, one: str, many: str | None = None) -> str:
    word = _NUMBERS[n] if n < len(_NUMBERS) else str(n)
    return f"{word} {one if n == 1 else many or one + 's'}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _point(*values: float) -> str:
    return "[" + ", ".join(metres(v) for v in values) + "]"


def _head(ask: HallOptions, hall: Hall, layout: Layout) -> str:
    length, width, height = (metres(v) for v in layout.size_m)
    text = (
        f"A generated hall of {length} x {width} x {height} m: {_count(hall.aisles + 1, 'rack')} of {hall.rack_material}, "
        f"{hall.rack_height_m:g} m high, with {_count(hall.aisles, 'aisle')} of {hall.aisle_width_m:g} m, "
        f"{_count(hall.cobots, 'cobot cell')}, {_count(hall.agvs, 'AGV')}, {_count(hall.people, 'person', 'people')} with "
        f"{_count(hall.panels, 'panel')}. {_sentence(_count(hall.trps, 'TRP'))}{_TRPS[hall.trp_layout]}; "
        f"{_ON[hall.carrier]}. Services: {hall.mix}."
    )
    lines = [f"# Made by: {command_of(ask)}"]
    lines += [f"name: {text_of(hall.name)}", "description: >-", *_wrapped(text), "seed: 1", "duration_s: 120", ""]
    return "\n".join(lines)


def _wrapped(text: str, width: int = 116) -> list[str]:
    lines, line = [], " "
    for word in text.split():
        if len(line) + 1 + len(word) > width:
            lines.append(line)
            line = " "
        line += f" {word}"
    return [*lines, line]


def _hall(hall: Hall, layout: Layout) -> str:
    lines = ["hall:", f"  size_m: {_point(*layout.size_m)}"]
    lines += [f"  {what}_material: concrete" for what in ("wall", "floor", "ceiling")]
    lines.append("  boxes:")
    for box in layout.boxes:
        lines.append(
            f"    - {{name: {box.name}, kind: {box.kind}, center_m: {_point(*box.center_m)}, size_m: {_point(*box.size_m)}, "
            f"material: {box.material}}}"
        )
    lines.append("  zones:")
    lines += [f"    - {{name: {name}, x_m: {_point(*x)}, y_m: {_point(*y)}}}" for name, x, y in layout.zones]
    return "\n".join([*lines, ""])


def _robots(hall: Hall, layout: Layout) -> str:
    lines = ["robots:", "  agvs:", f"    count: {hall.agvs}", "    max_speed_mps: 1.5"]
    if layout.cobots:
        lines.append("  cobots:")
    lines += [f"    - {{name: {name}, position_m: {_point(*at)}, yaw_deg: {yaw}}}" for name, at, yaw in layout.cobots]
    lines += ["  routes:", "    nodes:"]
    for name, at, action in layout.nodes:
        lines.append(f"      - {{id: {name}, position_m: {_point(*at)}{f', action: {action}' if action else ''}}}")
    lines.append("    edges:")
    lines += [f"      - {{start: {a}, end: {b}, two_way: false}}" for a, b in layout.edges]
    return "\n".join([*lines, ""])


def _people(hall: Hall, layout: Layout) -> str:
    lines = ["people:", f"  count: {hall.people}", f"  panels: {hall.panels}"]
    if not hall.cobots:
        lines.append("  roles:  # there are no cells to work at")
        lines += [
            "    - {name: picker, share: 0.8, stations: [rack], dwell_mean_s: 17.2, dwell_cv: 1.1, reach_per_min: 10,"
            " wave_per_min: 0.1}",
            "    - {name: supervisor, share: 0.2, stations: [rack, desk], speed_mean_mps: 1.07, dwell_mean_s: 15.7,"
            " wave_per_min: 1, carries_panel: true}",
        ]
    lines.append("  stations:")
    for s in layout.stations:
        lines.append(f"    - {{name: {s.name}, position_m: {_point(*s.position_m)}, facing_deg: {s.facing_deg}, kind: {s.kind}}}")
    return "\n".join([*lines, ""])


def _radio(hall: Hall, layout: Layout) -> str:
    plan = CARRIERS[hall.carrier]
    lines = [
        "radio:",
        "  policy: reactive",
        "  compare: [static, reactive, human_aware]",
        f"  carrier: {plan.text}",
        f"  ue: {plan.ue}",
        "  trps:",
    ]
    for t in place_trps(hall, layout):
        lines.append(
            f"    - {{name: {t.name}, position_m: {_point(*t.position_m)}, azimuth_deg: {t.azimuth_deg}, "
            f"downtilt_deg: {t.downtilt_deg}, {plan.trp}}}"
        )
    lines += ["  services:", *(f"    - {text}" for text in services(hall))]
    return "\n".join([*lines, ""])
