"""Changes of the hall: boxes (racks, machines, walls) moved, raised, added, removed; an aisle closed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from factory.config import ZoneConfig
from factory.study.changes import Change, ChangeError, Draft, change, unknown

Point = tuple[float, float]
Side = Annotated[float, Field(gt=0, le=500)]
Name = Annotated[str, Field(min_length=1, description="Name of the box; * and ? stand for anything, as in rack-*.")]


@change("move_box")
class MoveBox(Change):
    """A rack, machine or wall stands elsewhere."""

    name: Name
    to_m: Point | None = Field(None, description="New centre in the hall frame in m.")
    by_m: Point | None = Field(None, description="Way from the old centre in m.")
    yaw_deg: float | None = Field(None, ge=-360, le=360, description="New turn about the vertical in degrees.")

    @model_validator(mode="after")
    def _one_way(self) -> MoveBox:
        if (self.to_m is None) == (self.by_m is None):
            raise ValueError("give to_m (the new centre) or by_m (the way from the old one)")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the new centre."""
        for box in draft.named("box", self.name, "hall", "boxes"):
            old = [float(v) for v in box["center_m"]]
            box["center_m"] = (
                list(self.to_m) if self.to_m else [round(a + b, 6) for a, b in zip(old, self.by_m or (), strict=True)]
            )
            if self.yaw_deg is not None:
                box["yaw_deg"] = self.yaw_deg


@change("box_height")
class BoxHeight(Change):
    """A rack, machine or wall is higher or lower."""

    name: Name
    to_m: float | None = Field(None, gt=0, le=500, description="New height in m.")
    by_m: float | None = Field(None, ge=-500, le=500, description="Change of the height in m.")

    @model_validator(mode="after")
    def _one_way(self) -> BoxHeight:
        if (self.to_m is None) == (self.by_m is None):
            raise ValueError("give to_m (the new height) or by_m (the change)")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the new height."""
        for box in draft.named("box", self.name, "hall", "boxes"):
            length, width, height = (float(v) for v in box["size_m"])
            box["size_m"] = [length, width, self.to_m if self.to_m is not None else round(height + (self.by_m or 0.0), 6)]


@change("add_box")
class AddBox(Change):
    """A rack, machine or wall more."""

    name: str = Field(min_length=1, description="Its name.")
    kind: Literal["rack", "cell", "machine", "wall", "office"] = Field("machine", description="What stands there.")
    center_m: Point = Field(description="Centre of its footprint in the hall frame in m.")
    size_m: tuple[Side, Side, Side] = Field(description="Length, width and height in m.")
    yaw_deg: float = Field(0.0, ge=-360, le=360, description="Turn about the vertical in degrees.")
    material: str = Field("metal", description="Material of its faces, a row of ITU-R P.2040.")

    def apply(self, draft: Draft) -> None:
        """Append the box."""
        draft.entries("hall", "boxes").append(self.model_dump(mode="json"))


@change("remove_box")
class RemoveBox(Change):
    """A rack, machine or wall less."""

    name: Name

    def apply(self, draft: Draft) -> None:
        """Take the boxes out."""
        gone = {b["name"] for b in draft.named("box", self.name, "hall", "boxes")}
        hall = draft.mapping("hall")
        hall["boxes"] = [b for b in hall["boxes"] if b["name"] not in gone]


@change("close_aisle")
class CloseAisle(Change):
    """An aisle is closed: no AGV drives in it, nobody has anything to do there. Whoever walks may still pass through."""

    zone: str = Field(min_length=1, description="Zone of hall.zones that is the aisle.")

    def apply(self, draft: Draft) -> None:
        """Take out the nodes and edges that lie in the zone, and its stations."""
        zone = zone_named(draft, self.zone)
        close_routes(draft, {n.id for n in draft.scenario.robots.routes.nodes if inside(zone, n.position_m)}, set())
        stations = draft.entries("people", "stations")
        gone = {s["name"] for s in stations if inside(zone, (float(s["position_m"][0]), float(s["position_m"][1])))}
        draft.mapping("people")["stations"] = [s for s in stations if s["name"] not in gone]
        shift = draft.data["people"].get("shift") or {}
        for what in ("tasks", "visitors"):
            for entry in shift.get(what) or []:
                if gone & set(entry.get("stations") or ()):
                    entry["stations"] = [s for s in entry["stations"] if s not in gone]
                    if not entry["stations"]:
                        raise ChangeError(
                            f"{what[:-1]} {entry['name']!r} is only done in {zone.name!r}; give it stations elsewhere"
                        )


def inside(zone: ZoneConfig, point: tuple[float, ...]) -> bool:
    """Whether a place lies in a zone."""
    return zone.x_m[0] <= point[0] <= zone.x_m[1] and zone.y_m[0] <= point[1] <= zone.y_m[1]


def zone_named(draft: Draft, name: str) -> ZoneConfig:
    """Return a zone by its name.

    Raises
    ------
    ChangeError
        Where there is none of that name.
    """
    zones = draft.scenario.hall.zones
    for zone in zones:
        if zone.name == name:
            return zone
    raise ChangeError(unknown("zone", name, [z.name for z in zones]) + " (hall.zones)", "zone")


def close_routes(draft: Draft, nodes: set[str], edges: set[tuple[str, str]]) -> None:
    """Take nodes with all their edges, and edges, out of the routes; nodes without edges go as well."""
    routes = draft.mapping("robots", "routes")
    before = draft.entries("robots", "routes", "edges")
    left = [
        e
        for e in before
        if e["start"] not in nodes
        and e["end"] not in nodes
        and (e["start"], e["end"]) not in edges
        and (e["end"], e["start"]) not in edges
    ]
    if len(left) == len(before):
        raise ChangeError("no AGV drives there; nothing would be closed")
    used = {e[end] for e in left for end in ("start", "end")}
    routes["edges"] = left
    routes["nodes"] = [n for n in draft.entries("robots", "routes", "nodes") if n["id"] not in nodes and n["id"] in used]
