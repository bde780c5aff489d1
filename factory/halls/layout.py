"""Where everything stands in a generated hall: racks and cells, lanes, stations and zones.

Seen from above, x to the east and y to the north: cells at the west end, the racks along x in the east, and around the racks a
one-way ring of lanes. Aisles and the loop past the drops leave the ring and join it again, so that every node reaches every
other, and the fleet's right of way (`robots.rightofway`) keeps the AGVs out of deadlocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from factory.halls.options import CELLS_M, RACK_DEPTH_M, Hall, picks

SOUTH_LANE_M = 2.0
FIRST_RACK_M = 4.2  # centre of the southern rack: AGVs on the south lane pass it at 1.6 m
NORTH_M = 4.2  # from the northern rack's face to the wall
NARROWEST_HALL_M = 20.0  # two cells with the loop past the drops between them
CELL_DEPTH_M = 7.4  # from the wall to where lanes may begin
BESIDE_RACK_M = 0.55  # where somebody picks
ROWS_APART_M = 2.4
NODES_APART_M = 1.6  # AGVs of 1.2 x 0.8 m pass one another without touching at any heading from 1.49 m

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A box that stands in the hall; lengths in m."""

    name: str
    kind: str
    center_m: Point
    size_m: tuple[float, float, float]
    material: str


@dataclass(frozen=True)
class Station:
    """A place for a person."""

    name: str
    position_m: Point
    facing_deg: int
    kind: str


@dataclass
class Layout:
    """A hall's floor; lengths in m.

    Attributes
    ----------
    size_m : length, width, height. west_lane_x_m, middle_y_m : the west lane, and the middle of the loop past the drops.
    aisle_y_m : centre lines of the aisles. rack_x_m : where the racks begin and end.
    nodes : id, place and action ("" for none). edges : from, to.
    """

    size_m: tuple[float, float, float]
    west_lane_x_m: float
    middle_y_m: float
    aisle_y_m: tuple[float, ...]
    rack_x_m: Point
    boxes: list[Box] = field(default_factory=list)
    zones: list[tuple[str, Point, Point]] = field(default_factory=list)
    cobots: list[tuple[str, tuple[float, float, float], int]] = field(default_factory=list)
    nodes: list[tuple[str, Point, str]] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)
    stations: list[Station] = field(default_factory=list)


def lay_out(hall: Hall) -> Layout:
    """Return the floor of a hall."""
    pitch = hall.aisle_width_m + RACK_DEPTH_M
    aisle_y = tuple(FIRST_RACK_M + pitch * (k + 0.5) for k in range(hall.aisles))
    width = max(NARROWEST_HALL_M, FIRST_RACK_M + pitch * hall.aisles + RACK_DEPTH_M / 2 + NORTH_M)
    rack_x = (hall.cells_m + 4.0, hall.cells_m + 4.0 + hall.aisle_length_m)
    drops = _drop_rows(aisle_y, width)
    while drops is None:
        width += 0.5
        drops = _drop_rows(aisle_y, width)
    layout = Layout((hall.length_m, width, hall.height_m), hall.cells_m + 1.4, sum(drops) / 2, aisle_y, rack_x)
    _racks(layout, hall, pitch)
    _cells(layout, hall)
    _ring(layout, drops)
    _aisles(layout, hall)
    _drops(layout, hall, drops)
    _places(layout, hall)
    _zones(layout, hall, pitch)
    return layout


def _drop_rows(aisle_y: tuple[float, ...], width: float) -> Point | None:
    """Two rows of the loop past the drops: off the cells and the nodes where aisles meet the west lane; None for no room."""
    steps = int((width - 2 * CELL_DEPTH_M) / 0.05 + 1e-6)
    rows = [CELL_DEPTH_M + 0.05 * i for i in range(steps + 1)]
    free = [y for y in rows if all(abs(y - a) >= NODES_APART_M for a in aisle_y)]
    if not free or free[-1] - free[0] < ROWS_APART_M:
        return None
    wanted = min(4.5, free[-1] - free[0])
    pairs = [(a, b) for a in free for b in free if b - a >= wanted - 1e-6]
    return min(pairs, key=lambda p: (round(abs(p[0] + p[1] - width), 2), p[1] - p[0], p[0]))


def _racks(layout: Layout, hall: Hall, pitch: float) -> None:
    x = sum(layout.rack_x_m) / 2
    for k in range(hall.aisles + 1):
        size = (hall.aisle_length_m, RACK_DEPTH_M, hall.rack_height_m)
        layout.boxes.append(Box(f"rack-{'abcdefg'[k]}", "rack", (x, FIRST_RACK_M + pitch * k), size, hall.rack_material))


def _cells(layout: Layout, hall: Hall) -> None:
    """Machine and bench of each cell, the cobot on it and its two places; cells 1 and 3 in the south, 2 and 4 in the north."""
    width = layout.size_m[1]
    for k in range(hall.cobots):
        north, x0 = k % 2 == 1, 10.0 * (k // 2)

        def at(x: float, y: float, x0: float = x0, north: bool = north) -> Point:
            return (x0 + x, width - y if north else y)

        name, out = f"cell-{k + 1}", 90 if north else -90
        layout.boxes.append(Box(f"{name}-machine", "machine", at(5.0, 2.2), (3.6, 2.0, 2.4), "metal"))
        layout.boxes.append(Box(f"{name}-bench", "cell", at(5.9, 5.4), (0.8, 1.0, 0.8), "metal"))
        layout.cobots.append((f"cobot-{k + 1}", (*at(4.9, 5.4), 0.8), 0))
        layout.stations.append(Station(f"{name}-bench", at(7.0, 5.4), 180, "cell"))
        layout.stations.append(Station(f"{name}-machine", at(3.8, 3.9), out, "cell"))


def _ring(layout: Layout, drops: Point) -> None:
    """One way around the racks: south on the west lane, north on the east lane."""
    north_y, west, east = layout.size_m[1] - 2.0, layout.west_lane_x_m, layout.rack_x_m[1] + 1.2
    on_west = [("sw", SOUTH_LANE_M), ("nw", north_y), ("in", drops[0]), ("out", drops[1])]
    on_west += [(f"w{k + 1}", y) for k, y in enumerate(layout.aisle_y_m)]
    on_east = [("se", SOUTH_LANE_M), ("ne", north_y)] + [(f"e{k + 1}", y) for k, y in enumerate(layout.aisle_y_m)]
    down = sorted(on_west, key=lambda n: -n[1])
    up = sorted(on_east, key=lambda n: n[1])
    layout.nodes += [(name, (west, y), "") for name, y in down] + [(name, (east, y), "") for name, y in up]
    ring = [name for name, _ in down] + [name for name, _ in up]
    layout.edges += list(zip(ring, ring[1:] + ring[:1], strict=True))


def _aisles(layout: Layout, hall: Hall) -> None:
    """Lanes through the aisles, one way each, by turns east and west, with the places where loads are picked."""
    n = picks(hall.aisle_length_m)
    first, last = layout.rack_x_m
    for k, y in enumerate(layout.aisle_y_m):
        at = [first + (last - first) * (i + 0.5) / n for i in range(n)]
        names = [f"a{k + 1}-{i + 1}" for i in range(n)]
        layout.nodes += [(name, (x, y), "pick") for name, x in zip(names, at, strict=True)]
        way = [f"w{k + 1}", *names, f"e{k + 1}"]
        if k % 2:
            way.reverse()
        layout.edges += list(pairwise(way))


def _drops(layout: Layout, hall: Hall, rows: Point) -> None:
    """Loop from the west lane past the drops and back, further south on the way there."""
    xs = [hall.cells_m - 3.0] if hall.cells_m < CELLS_M + 10.0 else [hall.cells_m - 3.0, hall.cells_m - 13.0]
    west = xs[-1] - 4.6
    layout.nodes += [(f"drop-s{i + 1}", (x, rows[0]), "drop") for i, x in enumerate(xs)]
    layout.nodes += [("turn-s", (west, rows[0]), ""), ("turn-n", (west, rows[1]), "")]
    layout.nodes += [(f"drop-n{i + 1}", (x, rows[1]), "drop") for i, x in enumerate(xs)]
    there = [f"drop-s{i + 1}" for i in range(len(xs))]
    back = [f"drop-n{i + 1}" for i in reversed(range(len(xs)))]
    way = ["in", *there, "turn-s", "turn-n", *back, "out"]
    layout.edges += list(pairwise(way))


def _places(layout: Layout, hall: Hall) -> None:
    """Stations in the aisles, by turns at either rack, a desk and two places for breaks."""
    first, last = layout.rack_x_m
    for k, y in enumerate(layout.aisle_y_m):
        for i in range(hall.bays):
            left = (i + k) % 2 == 1
            off = (hall.aisle_width_m / 2 - BESIDE_RACK_M) * (1 if left else -1)
            x = first + (last - first) * (i + 0.5) / hall.bays
            layout.stations.append(Station(f"aisle-{k + 1}-bay-{i + 1}", (x, y + off), 90 if left else -90, "rack"))
    layout.stations.append(Station("desk", (hall.cells_m - 0.8, 3.0), 0, "desk"))
    for i in range(2):
        layout.stations.append(Station(f"coffee-{i + 1}", (1.2, layout.middle_y_m + (0.7, -0.7)[i]), 0, "break"))


def _zones(layout: Layout, hall: Hall, pitch: float) -> None:
    length, width, _ = layout.size_m
    first, last = layout.rack_x_m
    for k in range(hall.aisles):
        south = FIRST_RACK_M + pitch * k
        layout.zones.append((f"aisle {k + 1}", (first, last), (south, south + pitch)))
    layout.zones += [
        ("east lane", (last, length), (0.0, width)),
        ("west lane", (hall.cells_m, first), (0.0, width)),
        ("cells", (0.0, hall.cells_m), (0.0, width)),
    ]
