"""What a scenario may say about machines. Every number carries its unit in its name."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robots.agv_config import AgvsConfig, RoutingConfig
from robots.kinematics import GRIP_S, hold_out, peak_tool_speed_mps, pick_and_place, shortest_cycle_s, timed
from robots.routes import Graph, unreachable_pair

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]
Action = Literal["pick", "drop", "charge", "park"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HandoverConfig(_Model):
    """Parts that a cobot holds out to a person, who takes them from the standing arm."""

    azimuth_deg: float = Field(0.0, ge=-160, le=160, description="Where it holds them out, degrees from the arm's front.")
    reach_m: float = Field(0.65, ge=0.45, le=0.75, description="Distance of the part from the base axis in m.")
    height_m: float = Field(0.3, ge=0.1, le=0.8, description="Height of the flange above the base in m.")
    every_parts: int = Field(10, ge=1, le=10_000, description="Cycles between two hand-overs, where somebody waits for one.")
    take_s: float = Field(1.5, gt=0, le=60, description="Time that a person needs to take the part in s.")
    patience_s: float = Field(30.0, gt=0, le=3600, description="Then the part is put down as usual in s.")
    taker_reach_m: float = Field(0.85, gt=0.2, le=1.5, description="A standing person this near to the part can take it in m.")


class CobotConfig(_Model):
    """One KUKA iiwa at a pick-and-place station."""

    name: str = Field(min_length=1, description="Name in reports.")
    position_m: Point3 = Field(description="Base of the arm in the hall frame in m.")
    yaw_deg: float = Field(0.0, ge=-360, le=360, description="Direction of the arm's front, degrees counter-clockwise from +x.")
    antenna_position_m: Point3 | None = Field(
        None, description="Antenna in the hall frame in m; absent: on a post 0.5 m behind the base, 1.2 m above it."
    )
    cycle_s: float = Field(8.0, gt=0, le=600, description="Time of one undisturbed pick-and-place cycle in s.")
    pick_azimuth_deg: float = Field(45.0, ge=-160, le=160, description="Where it picks, degrees from the arm's front.")
    place_azimuth_deg: float = Field(-45.0, ge=-160, le=160, description="Where it places, degrees from the arm's front.")
    reach_m: float = Field(0.55, ge=0.45, le=0.7, description="Distance of pick and place from the base axis in m.")
    restart_delay_s: float = Field(1.0, ge=0, le=600, description="From commands being back to moving again in s.")
    payload_kg: float = Field(
        0.0, ge=0, le=14, description="Tool and part in kg; the arm stops later with it (iiwa 14: up to 14)."
    )
    handover: HandoverConfig | None = Field(None, description="Parts held out to people; absent: every part is put down.")

    @model_validator(mode="after")
    def _handover_is_within_reach(self) -> CobotConfig:
        if self.handover is not None:
            held = self.handover
            hold_out(self.pick_azimuth_deg, self.reach_m, held.azimuth_deg, held.reach_m, held.height_m)
        return self

    @model_validator(mode="after")
    def _cycle_is_feasible(self) -> CobotConfig:
        shortest_s = shortest_cycle_s(self.pick_azimuth_deg, self.place_azimuth_deg, self.reach_m)
        if self.cycle_s < shortest_s:
            raise ValueError(
                f"cycle_s: {self.cycle_s} s is too short for cobot {self.name!r}: the iiwa's joint speeds allow "
                f"{shortest_s:.1f} s or more between these places"
            )
        return self


class NodeConfig(_Model):
    """A node of the AGVs' route graph."""

    id: str = Field(min_length=1, description="Name of the node (VDA 5050 nodeId).")
    position_m: Point2 = Field(description="Position in the hall frame in m.")
    action: Action | None = Field(None, description="What AGVs do here.")


class EdgeConfig(_Model):
    """A straight lane between two nodes; one AGV at a time."""

    start: str = Field(description="Node id.")
    end: str = Field(description="Node id.")
    max_speed_mps: float | None = Field(None, gt=0, le=5, description="Speed limit in m/s, the vehicle's own when absent.")
    two_way: bool = Field(True, description="true: used in both directions, one direction at a time.")
    max_height_m: float | None = Field(
        None, gt=0, le=20, description="Vehicle and load may be this high in m (a door, a conveyor above); absent: any."
    )


class RoutesConfig(_Model):
    """Route graph of the AGVs."""

    nodes: tuple[NodeConfig, ...] = Field((), description="Nodes.")
    edges: tuple[EdgeConfig, ...] = Field((), description="Edges between them.")

    @model_validator(mode="after")
    def _is_a_graph(self) -> RoutesConfig:
        ids = [n.id for n in self.nodes]
        for node, times in Counter(ids).items():
            if times > 1:
                raise ValueError(f"nodes: id {node!r} is used {times} times; give each node its own")
        known = set(ids)
        lanes: dict[tuple[str, str], EdgeConfig] = {}
        for edge in self.edges:
            for end in (edge.start, edge.end):
                if end not in known:
                    raise ValueError(f"edges: edge {edge.start!r} -> {edge.end!r} names node {end!r}, which is not in nodes")
            if edge.start == edge.end:
                raise ValueError(f"edges: edge {edge.start!r} -> {edge.end!r} starts and ends at the same node")
            pair = (min(edge.start, edge.end), max(edge.start, edge.end))
            if pair in lanes:
                raise ValueError(
                    f"edges: {edge.start!r} and {edge.end!r} are joined twice; keep one edge (two_way: true for both directions)"
                )
            lanes[pair] = edge
        pair_or_none = unreachable_pair(self)
        if pair_or_none is not None:
            raise ValueError(
                f"edges: no way leads from node {pair_or_none[0]!r} to node {pair_or_none[1]!r}; "
                "every pick, drop, charge and park node must reach every other"
            )
        return self


class SafetyConfig(_Model):
    """Speed and separation (ISO/TS 15066 5.5.4, ISO 13855) and the AGVs' personnel detection."""

    human_speed_mps: float = Field(
        2.0, gt=0, le=3, description="Speed of an approaching person in m/s (ISO 13855: 2.0 for hands, 1.6 for walking alone)."
    )
    human_speed_monitored: bool = Field(False, description="true: the measured speed is used where it is below human_speed_mps.")
    reaction_time_s: float = Field(
        0.1, ge=0, le=2, description="Tr: sensing and control in s; the radio's part is added, see radio_delay."
    )
    radio_delay: Literal["overdue", "survival_and_latency"] = Field(
        "overdue",
        description="The radio's part of Tr. overdue: how long commands are overdue at present, up to their survival time; "
        "survival_and_latency: always the survival time and the 99.9 % latency measured so far.",
    )
    stopping_time_s: float = Field(0.3, gt=0, le=5, description="Ts: the cobot's stop from full speed without payload in s.")
    stopping_time_rated_s: float = Field(
        0.5, gt=0, le=5, description="Ts with the rated payload (iiwa 14: 14 kg) in s; between the two it grows with the payload."
    )
    cobot_speed_mps: float = Field(1.0, gt=0, le=3, description="Speed of the cobot's tool in an undisturbed cycle in m/s.")
    intrusion_distance_m: float = Field(
        0.1, ge=0, le=1.5, description="C: reach that the detection does not see in m (0.85 for a trunk detected without arms)."
    )
    human_uncertainty_m: float = Field(0.05, ge=0, le=1, description="Zd: uncertainty of the person's position in m.")
    robot_uncertainty_m: float = Field(0.05, ge=0, le=1, description="Zr: uncertainty of the robot's position in m.")
    reserve_m: float = Field(
        0.05, ge=0, le=1, description="Kept beyond the required separation in m: swinging hands are faster than human_speed_mps."
    )
    hysteresis_m: float = Field(0.1, ge=0, le=1, description="A stopped cobot starts when the person is farther by this in m.")
    agv_reaction_time_s: float = Field(0.15, ge=0, le=2, description="From a person in the AGV's field to braking in s.")
    person_radius_m: float = Field(0.3, gt=0, le=1, description="Radius of a person as the AGV's scanner sees it in m.")
    side_margin_m: float = Field(0.1, ge=0, le=1, description="Width added to each side of the AGV's protective field in m.")


class BreakdownConfig(_Model):
    """Random failures of one class of machines: exponential operating time between them, lognormal repair."""

    mtbf_s: float = Field(
        gt=1, le=1e9, description="Mean operating time between two failures of one machine in s (72000 is 20 h of work)."
    )
    mttr_s: float = Field(600.0, gt=0, le=1e7, description="Mean time until it is repaired in s.")
    repair_variation: float = Field(
        0.5, ge=0, le=5, description="Standard deviation of the repair time over its mean; 0: always the mean."
    )


class BreakdownsConfig(_Model):
    """Which machines fail; a class that is absent never does."""

    agvs: BreakdownConfig | None = Field(None, description="AGVs.")
    cobots: BreakdownConfig | None = Field(None, description="Cobots.")


class RobotsConfig(_Model):
    """The robots section of a scenario."""

    agvs: AgvsConfig = Field(default_factory=AgvsConfig, description="AGVs.")
    cobots: tuple[CobotConfig, ...] = Field((), description="Cobots.")
    routes: RoutesConfig = Field(default_factory=RoutesConfig, description="Route graph of the AGVs.")
    routing: RoutingConfig = Field(default_factory=RoutingConfig, description="What a way costs: time, radio, people.")
    safety: SafetyConfig = Field(default_factory=SafetyConfig, description="Distances to people.")
    breakdowns: BreakdownsConfig = Field(default_factory=BreakdownsConfig, description="Machines' own failures; none by default.")

    @model_validator(mode="after")
    def _machines_fit(self) -> RobotsConfig:
        twice = [name for name, times in Counter(c.name for c in self.cobots).items() if times > 1]
        if twice:
            raise ValueError(f"cobots: name {twice[0]!r} is used twice; give each its own")
        for cobot in self.cobots:
            self._speed_is_covered(cobot)
        if self.agvs.count:
            self._routes_serve()
        return self

    def _speed_is_covered(self, cobot: CobotConfig) -> None:
        """Refuse a cycle whose tool is faster than the separation monitoring reckons with."""
        poses, shortest_s = pick_and_place(cobot.pick_azimuth_deg, cobot.place_azimuth_deg, cobot.reach_m)
        slowness = (cobot.cycle_s - 2 * GRIP_S) / (shortest_s.sum() - 2 * GRIP_S)
        peak_mps = peak_tool_speed_mps(poses, timed(shortest_s, slowness))
        if cobot.handover is not None:
            held = cobot.handover
            poses, shortest_s = hold_out(cobot.pick_azimuth_deg, cobot.reach_m, held.azimuth_deg, held.reach_m, held.height_m)
            peak_mps = max(peak_mps, peak_tool_speed_mps(poses, timed(shortest_s, slowness)))
        if peak_mps > self.safety.cobot_speed_mps:
            raise ValueError(
                f"safety.cobot_speed_mps: {self.safety.cobot_speed_mps} m/s is less than the {peak_mps:.2f} m/s that the tool of "
                f"cobot {cobot.name!r} reaches in its cycle; give {peak_mps:.2f} or more, or a longer cycle_s"
            )

    def _routes_serve(self) -> None:
        actions = {n.action for n in self.routes.nodes}
        for action in ("pick", "drop"):
            if action not in actions:
                raise ValueError(f"routes.nodes: {self.agvs.count} AGVs need at least one node with action: {action}")
        graph = Graph(self.routes, self.agvs)
        close = graph.too_close()
        if close is not None:
            a, b, distance_m = close
            raise ValueError(
                f"routes.nodes: {a!r} and {b!r} are {distance_m:.2f} m apart; AGVs of {self.agvs.length_m} x "
                f"{self.agvs.width_m} m need {self.agvs.clearance_m:.2f} m or more between nodes"
            )
        if self.agvs.count > graph.capacity:
            raise ValueError(
                f"agvs.count: {self.agvs.count} AGVs are more than these routes hold: the limit is {graph.capacity}, half of the "
                f"{len(graph.node_id)} nodes that reach each other; add nodes (action: park) or take {graph.capacity} AGVs"
            )
        self._loads_fit(graph)
        self._batteries_last(graph)

    def _loads_fit(self, graph: Graph) -> None:
        """Check that every load has a way from every pick to every drop below what hangs over the edges."""
        pair = graph.too_low_for(self.agvs.body_height_m + self.agvs.highest_load_m)
        if pair is not None:
            raise ValueError(
                f"agvs: with its highest load of {self.agvs.highest_load_m:g} m an AGV is "
                f"{self.agvs.body_height_m + self.agvs.highest_load_m:g} m high and finds no way from pick {pair[0]!r} to drop "
                f"{pair[1]!r}; lower the load, or raise max_height_m of an edge between them"
            )

    def _batteries_last(self, graph: Graph) -> None:
        """Check that an AGV that turns to a station at the critical charge still gets there."""
        stations = graph.charging_nodes()
        if not stations.size:
            return
        seconds = float(graph.time_s[:, stations].min(axis=1).max())
        need = seconds * self.agvs.battery.loaded_drain_factor / self.agvs.battery.driving_time_s
        if need > self.agvs.battery.critical_share:
            raise ValueError(
                f"agvs.battery.critical_share: {self.agvs.battery.critical_share:g} does not take an AGV to the nearest charging "
                f"station, which is up to {seconds:.0f} s away; give {need * 1.5:.2g} or more, or add a node with action: charge"
            )
