"""Changes of the AGVs: how many, how fast, how much work, and where they drive."""

from __future__ import annotations

from pydantic import Field, model_validator

from factory.study.changes import Change, ChangeError, Draft, change, unknown
from factory.study.changes_hall import close_routes, inside, zone_named

Edge = tuple[str, str]


@change("agvs")
class Agvs(Change):
    """More or fewer AGVs, faster or slower ones, more or less to carry."""

    count: int | None = Field(None, ge=0, le=200, description="New number of AGVs.")
    add: int | None = Field(None, ge=-200, le=200, description="AGVs more, or fewer (negative).")
    max_speed_mps: float | None = Field(None, gt=0, le=5, description="New speed on a free edge in m/s.")
    orders_per_hour: float | None = Field(None, gt=0, le=1e5, description="Transport orders per hour of the whole fleet.")

    @model_validator(mode="after")
    def _something(self) -> Agvs:
        if not self.model_dump(exclude_none=True):
            raise ValueError("give count, add, max_speed_mps or orders_per_hour")
        if self.count is not None and self.add is not None:
            raise ValueError("give count (the new number) or add (the change), not both")
        return self

    def apply(self, draft: Draft) -> None:
        """Write what is given."""
        section = draft.mapping("robots", "agvs")
        section.update(self.model_dump(exclude_none=True, exclude={"add"}))
        if self.add is not None:
            there = draft.scenario.robots.agvs.count
            if there + self.add < 0:
                raise ChangeError(f"there are {there} AGVs; at most that many can be taken away", "add")
            section["count"] = there + self.add


@change("speed_limit")
class SpeedLimit(Change):
    """A speed limit on a part of the routes."""

    max_speed_mps: float = Field(gt=0, le=5, description="Speed limit in m/s.")
    zone: str | None = Field(None, description="Zone of hall.zones; every edge that begins or ends in it.")
    edges: tuple[Edge, ...] = Field((), description="Edges as pairs of node ids, for example [[w1, e1]].")

    @model_validator(mode="after")
    def _somewhere(self) -> SpeedLimit:
        if (self.zone is None) == (not self.edges):
            raise ValueError("give zone or edges: where the limit holds")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the limit to the edges; one that is lower already stays."""
        edges = draft.entries("robots", "routes", "edges")
        if self.zone is not None:
            zone = zone_named(draft, self.zone)
            within = {n.id for n in draft.scenario.robots.routes.nodes if inside(zone, n.position_m)}
            chosen = [e for e in edges if e["start"] in within or e["end"] in within]
        else:
            chosen = [e for pair in self.edges for e in edges if {e["start"], e["end"]} == set(_known(draft, pair))]
        if not chosen:
            raise ChangeError("no edge of the routes is there; nothing would be slower", "zone" if self.zone else "edges")
        for edge in chosen:
            edge["max_speed_mps"] = min(self.max_speed_mps, edge.get("max_speed_mps") or self.max_speed_mps)


@change("close_route")
class CloseRoute(Change):
    """A part of the routes is closed."""

    edges: tuple[Edge, ...] = Field((), description="Edges as pairs of node ids, for example [[w1, e1]].")
    nodes: tuple[str, ...] = Field((), description="Node ids; all edges to them are closed too.")

    @model_validator(mode="after")
    def _something(self) -> CloseRoute:
        if not self.edges and not self.nodes:
            raise ValueError("give edges, nodes or both")
        return self

    def apply(self, draft: Draft) -> None:
        """Take them out of the routes."""
        known = [n.id for n in draft.scenario.robots.routes.nodes]
        for node in self.nodes:
            if node not in known:
                raise ChangeError(unknown("node", node, known), "nodes")
        close_routes(draft, set(self.nodes), {_known(draft, pair) for pair in self.edges})


@change("add_route")
class AddRoute(Change):
    """Edges more, and nodes for them."""

    edges: tuple[Edge, ...] = Field(min_length=1, description="Edges as pairs of node ids, driven from the first to the second.")
    nodes: dict[str, tuple[float, float]] = Field(default_factory=dict, description="New nodes: id and place in m.")
    two_way: bool = Field(False, description="true: driven in both directions, one at a time.")

    def apply(self, draft: Draft) -> None:
        """Append nodes and edges."""
        nodes = draft.entries("robots", "routes", "nodes")
        nodes += [{"id": name, "position_m": list(place)} for name, place in self.nodes.items()]
        edges = draft.entries("robots", "routes", "edges")
        edges += [{"start": a, "end": b, "two_way": self.two_way} for a, b in self.edges]


def _known(draft: Draft, pair: Edge) -> Edge:
    """Return an edge that is there.

    Raises
    ------
    ChangeError
        Where it is not.
    """
    for edge in draft.scenario.robots.routes.edges:
        if {edge.start, edge.end} == set(pair):
            return pair
    nodes = [n.id for n in draft.scenario.robots.routes.nodes]
    for node in pair:
        if node not in nodes:
            raise ChangeError(unknown("node", node, nodes), "edges")
    raise ChangeError(f"no edge joins {pair[0]!r} and {pair[1]!r}", "edges")
