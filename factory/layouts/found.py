"""What a layout file holds, in one form for all formats: metres, the plant's own frame, yaw counter-clockwise from +x.

Readers give back what the file says; ``None`` stands for what it does not say. Nothing here is fitted to the twin yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.layouts.report import Report

BoxKind = Literal["rack", "cell", "machine", "wall", "office"]
BOX_KINDS: tuple[BoxKind, ...] = ("rack", "cell", "machine", "wall", "office")
ACTIONS = ("pick", "drop", "charge", "park")


@dataclass(frozen=True, slots=True)
class FoundNode:
    """A node of the route graph.

    Attributes
    ----------
    id : unique name.
    x_m, y_m : position [m].
    actions : what can be done there, of ``ACTIONS``; the twin takes one of them.
    named : whether somebody gave it a name of meaning (a goal, a station), which makes it a likely place of work.
    place : where in the file.
    source_ids : ids in the file that it stands for; more than one after nodes were joined.
    """

    id: str
    x_m: float
    y_m: float
    actions: tuple[str, ...] = ()
    named: bool = False
    place: str = ""
    source_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundLane:
    """A lane between two nodes.

    Attributes
    ----------
    start, end : node ids.
    two_way : whether it is driven in both directions.
    max_speed_mps, max_height_m : limits, None where none is given [m/s, m].
    place : where in the file.
    source_ids : ids of the edges in the file that it stands for.
    opened : whether ``repair`` gave it its second direction.
    """

    start: str
    end: str
    two_way: bool = False
    max_speed_mps: float | None = None
    max_height_m: float | None = None
    place: str = ""
    source_ids: tuple[str, ...] = ()
    opened: bool = False


@dataclass(frozen=True, slots=True)
class FoundBox:
    """Something that stands on the floor.

    Attributes
    ----------
    name, kind : as in ``hall.boxes``.
    x_m, y_m : centre of the footprint [m].
    length_m, width_m : footprint along and across its own axis [m].
    height_m : None where the file does not say [m].
    yaw_deg : turn of its axis [degrees].
    material : row of ITU-R P.2040, None where the file does not say.
    place : where in the file.
    """

    name: str
    kind: BoxKind
    x_m: float
    y_m: float
    length_m: float
    width_m: float
    height_m: float | None = None
    yaw_deg: float = 0.0
    material: str | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class FoundZone:
    """A named rectangle of the floor, ``x_m`` and ``y_m`` from and to [m]."""

    name: str
    x_m: tuple[float, float]
    y_m: tuple[float, float]
    place: str = ""


@dataclass(frozen=True, slots=True)
class FoundStation:
    """A place where goods change hands or somebody works.

    Attributes
    ----------
    name : as in the file.
    node_ids : nodes that AGVs stand on to serve it.
    x_m, y_m : its own position, None where the file does not say [m].
    kind : kind of a person's station there.
    place : where in the file.
    """

    name: str
    node_ids: tuple[str, ...]
    x_m: float | None = None
    y_m: float | None = None
    kind: Literal["cell", "rack", "desk"] = "rack"
    place: str = ""


@dataclass(frozen=True, slots=True)
class FoundVehicle:
    """The vehicles, all alike in the twin; None where the file does not say.

    Attributes
    ----------
    count : how many there are.
    length_m, width_m, height_m : of the body [m].
    max_speed_mps : [m/s].
    """

    count: int | None = None
    length_m: float | None = None
    width_m: float | None = None
    height_m: float | None = None
    max_speed_mps: float | None = None


@dataclass(slots=True)
class Found:
    """All that a file held.

    Attributes
    ----------
    name : name of the layout.
    report : the account so far.
    nodes, lanes, boxes, zones, stations : see their types.
    vehicle : see :class:`FoundVehicle`.
    document : the file as parsed, kept where an export gives it back (LIF).
    level : part of the document that was taken (LIF: index of the layout).
    """

    name: str
    report: Report
    nodes: list[FoundNode] = field(default_factory=list)
    lanes: list[FoundLane] = field(default_factory=list)
    boxes: list[FoundBox] = field(default_factory=list)
    zones: list[FoundZone] = field(default_factory=list)
    stations: list[FoundStation] = field(default_factory=list)
    vehicle: FoundVehicle = field(default_factory=FoundVehicle)
    document: Any = None
    level: int = 0


def unique(names: Iterable[str]) -> list[str]:
    """Return the names with ``-2``, ``-3`` ... added to those that came before."""
    taken: set[str] = set()
    result = []
    for name in names:
        free, k = name, 2
        while free in taken:
            free, k = f"{name}-{k}", k + 1
        taken.add(free)
        result.append(free)
    return result
