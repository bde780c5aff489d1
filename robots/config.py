"""What a scenario may say about machines. Every number carries its unit in its name."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from robots.kinematics import shortest_cycle_s
from robots.routes import Graph, unreachable_pair

Point2 = tuple[float, float]
Point3 = tuple[float, float, float]
Action = Literal["pick", "drop", "charge", "park"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BatteryConfig(_Model):
    """A battery that drives down evenly and is charged at a `charge` node (at a `park` node where the routes have none).

    Where they have neither, batteries stay full.
    """

    driving_time_s: float = Field(6 * 3600.0, ge=600, description="Time a full battery drives in s, for example 21600 (6 h).")
    standing_time_s: float = Field(24 * 3600.0, ge=600, description="Time a full battery stands in s.")
    charging_time_s: float = Field(1800.0, ge=60, description="Time from empty to full in s.")
    low_share: float = Field(0.25, ge=0, le=0.9, description="An AGV charges after its order below this charge (0..1).")
    full_share: float = Field(0.9, gt=0.1, le=1, description="It takes orders again above this charge (0..1).")


class AgvsConfig(_Model):
    """The fleet of differential-drive AGVs, all alike."""

    count: int = Field(0, ge=0, le=200, description="Number of AGVs.")
    max_speed_mps: float = Field(1.5, gt=0, le=5, description="Speed on a free edge in m/s, usually 1 to 2.")
    max_acceleration_mps2: float = Field(0.5, gt=0, le=5, description="Acceleration in m/s^2, usually 0.3 to 1.")
    deceleration_mps2: float = Field(0.7, gt=0, le=5, description="Service deceleration in m/s^2, usually 0.3 to 1.")
    emergency_deceleration_mps2: float = Field(
        2.0, gt=0, le=10, description="Deceleration of a protective stop in m/s^2, usually 1 to 3 (ISO 3691-4)."
    )
    turn_rate_deg_per_s: float = Field(60.0, gt=0, le=360, description="Turning in place in degrees per s.")
    length_m: float = Field(1.2, gt=0.1, le=6, description="Length of vehicle and load in m.")
    width_m: float = Field(0.8, gt=0.1, le=4, description="Width of vehicle and load in m.")
    body_height_m: float = Field(0.35, gt=0, le=3, description="Height of the vehicle without load in m.")
    antenna_height_m: float = Field(1.2, gt=0, le=5, description="Height of the antenna's mast above the floor in m.")
    antenna_offset_m: Point2 = Field((-0.55, 0.0), description="Antenna from the centre, forward and left, in m.")
    load_heights_m: tuple[float, ...] = Field(
        (0.6, 1.2, 1.8), min_length=1, description="Heights of loads above the vehicle in m, drawn evenly."
    )
    loaded_share: float = Field(0.85, ge=0, le=1, description="Share of orders with a load of height; the others carry empties.")
    load_time_s: float = Field(15.0, ge=0, le=3600, description="Time to take a load at a pick node in s.")
    unload_time_s: float = Field(12.0, ge=0, le=3600, description="Time to give a load at a drop node in s.")
    restart_delay_s: float = Field(2.0, ge=0, le=600, description="From commands being back to moving again in s.")
    stop_distance_m: float = Field(0.5, ge=0.05, le=5, description="Gap kept to a person ahead in m.")
    orders_per_hour: float | None = Field(
        None, gt=0, le=1e5, description="Transport orders per hour of the whole fleet (Poisson); absent: one is always waiting."
    )
    battery: BatteryConfig = Field(default_factory=BatteryConfig, description="Battery and charging.")

    @model_validator(mode="after")
    def _heights_and_braking(self) -> AgvsConfig:
        for height in self.load_heights_m:
            if not 0 < height <= 6:
                raise ValueError(f"load_heights_m: {height} m is not a load's height; give metres above the vehicle, 0 to 6")
        if self.emergency_deceleration_mps2 < self.deceleration_mps2:
            raise ValueError(
                f"emergency_deceleration_mps2: {self.emergency_deceleration_mps2} is below deceleration_mps2 "
                f"{self.deceleration_mps2}; a protective stop must brake at least as hard"
            )
        return self

    @property
    def clearance_m(self) -> float:
        """Centres of two AGVs kept this far apart never touch at any heading: the footprint's diagonal plus 5 cm [m]."""
        return float((self.length_m**2 + self.width_m**2) ** 0.5 + 0.05)


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

    human_speed_mps: float = Field(1.6, gt=0, le=3, description="Speed of an approaching person in m/s (ISO 13855: 1.6).")
    human_speed_monitored: bool = Field(False, description="true: the measured speed is used where it is below human_speed_mps.")
    reaction_time_s: float = Field(
        0.1, ge=0, le=2, description="Tr: sensing and control in s; the age of the last command over the radio is added."
    )
    stopping_time_s: float = Field(0.3, gt=0, le=5, description="Ts: the cobot's stop from full speed in s.")
    cobot_speed_mps: float = Field(1.0, gt=0, le=3, description="Speed of the cobot's tool in an undisturbed cycle in m/s.")
    intrusion_distance_m: float = Field(
        0.1, ge=0, le=1.5, description="C: reach that the detection does not see in m (0.85 for a trunk detected without arms)."
    )
    human_uncertainty_m: float = Field(0.05, ge=0, le=1, description="Zd: uncertainty of the person's position in m.")
    robot_uncertainty_m: float = Field(0.05, ge=0, le=1, description="Zr: uncertainty of the robot's position in m.")
    hysteresis_m: float = Field(0.1, ge=0, le=1, description="A stopped cobot starts when the person is farther by this in m.")
    agv_reaction_time_s: float = Field(0.15, ge=0, le=2, description="From a person in the AGV's field to braking in s.")
    person_radius_m: float = Field(0.3, gt=0, le=1, description="Radius of a person as the AGV's scanner sees it in m.")
    side_margin_m: float = Field(0.1, ge=0, le=1, description="Width added to each side of the AGV's protective field in m.")


class RobotsConfig(_Model):
    """The robots section of a scenario."""

    agvs: AgvsConfig = Field(default_factory=AgvsConfig, description="AGVs.")
    cobots: tuple[CobotConfig, ...] = Field((), description="Cobots.")
    routes: RoutesConfig = Field(default_factory=RoutesConfig, description="Route graph of the AGVs.")
    safety: SafetyConfig = Field(default_factory=SafetyConfig, description="Distances to people.")

    @model_validator(mode="after")
    def _machines_fit(self) -> RobotsConfig:
        twice = [name for name, times in Counter(c.name for c in self.cobots).items() if times > 1]
        if twice:
            raise ValueError(f"cobots: name {twice[0]!r} is used twice; give each its own")
        if self.agvs.count:
            self._routes_serve()
        return self

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
