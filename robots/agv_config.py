"""What a scenario may say about the AGVs: the vehicles, what they carry, their batteries, and what a way costs them."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BatteryConfig(_Model):
    """A battery, and when it is charged at a `charge` node (at a `park` node where the routes have none).

    Where they have neither, batteries stay full. Charging goes at constant current up to ``taper_share`` and then at constant
    voltage, at which the current falls with what is missing, as lithium cells are charged. An AGV that runs empty stands until
    somebody comes.
    """

    driving_time_s: float = Field(6 * 3600.0, ge=600, description="Time a full battery drives an empty AGV in s: 21600 is 6 h.")
    standing_time_s: float = Field(24 * 3600.0, ge=600, description="Time a full battery stands in s.")
    loaded_drain_factor: float = Field(
        1.25, ge=1, le=5, description="Drain while driving with a load, relative to driving without one."
    )
    charging_time_s: float = Field(1800.0, ge=60, description="Time from empty to full at the full charging current in s.")
    taper_share: float = Field(0.8, gt=0, le=1, description="Above this charge (0..1) the charging current falls.")
    low_share: float = Field(0.25, ge=0, le=0.9, description="An AGV charges after its order below this charge (0..1).")
    critical_share: float = Field(
        0.1, ge=0, le=0.9, description="Below this charge it takes no order, even if every charging station is taken."
    )
    idle_share: float = Field(0.6, ge=0, le=1, description="Below this charge it charges while there is no order for it.")
    enough_share: float = Field(
        0.5, ge=0, le=1, description="Above this charge it gives the station to another AGV that is low, if none is free."
    )
    rescue_time_s: float = Field(900.0, ge=0, le=1e5, description="Time until somebody has got an empty AGV going again in s.")
    full_share: float = Field(0.9, gt=0.1, le=1, description="Charging ends at this charge (0..1).")

    @model_validator(mode="after")
    def _shares_are_in_order(self) -> BatteryConfig:
        if not self.critical_share <= self.low_share < self.full_share:
            raise ValueError(
                f"critical_share {self.critical_share:g}, low_share {self.low_share:g}, full_share {self.full_share:g}: "
                "give them in this order, for example 0.1, 0.25, 0.9"
            )
        if not self.low_share <= self.enough_share:
            raise ValueError(
                f"enough_share: {self.enough_share:g} is below low_share {self.low_share:g}; an AGV would be sent back at once"
            )
        return self


class LoadKindConfig(_Model):
    """One kind of load: something that stands on a carrier, in layers whose number is drawn evenly."""

    name: str = Field(min_length=1, description="Name of the kind (VDA 5050 loadType).")
    share: float = Field(1.0, gt=0, le=1e6, description="How often, relative to the other kinds.")
    carrier_height_m: float = Field(0.0, ge=0, le=3, description="Height of pallet or frame in m; a Euro pallet has 0.144.")
    layer_height_m: float = Field(gt=0, le=6, description="Height of a layer in m.")
    layers: tuple[int, int] = Field((1, 1), description="Fewest and most layers.")
    load_time_s: float | None = Field(None, ge=0, le=3600, description="Time to take it in s, the AGVs' own when absent.")
    unload_time_s: float | None = Field(None, ge=0, le=3600, description="Time to give it in s, the AGVs' own when absent.")

    @model_validator(mode="after")
    def _layers_are_in_order(self) -> LoadKindConfig:
        if not 1 <= self.layers[0] <= self.layers[1]:
            raise ValueError(f"layers: {list(self.layers)} of {self.name!r}; give the fewest, 1 or more, and then the most")
        return self

    @property
    def highest_m(self) -> float:
        """Height with most layers [m]."""
        return self.carrier_height_m + self.layers[1] * self.layer_height_m


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
    antenna_offset_m: tuple[float, float] = Field((-0.55, 0.0), description="Antenna from the centre, forward and left, in m.")
    load_heights_m: tuple[float, ...] = Field(
        (0.6, 1.2, 1.8), min_length=1, description="Heights of loads above the vehicle in m, drawn evenly, where loads is absent."
    )
    loads: tuple[LoadKindConfig, ...] = Field((), description="Kinds of loads, instead of load_heights_m.")
    max_load_height_m: float = Field(6.0, gt=0, le=6, description="Highest load that the vehicle may carry in m.")
    loaded_share: float = Field(0.85, ge=0, le=1, description="Share of orders with a load of height; the others carry empties.")
    load_time_s: float = Field(15.0, ge=0, le=3600, description="Time to take a load at a pick node in s.")
    unload_time_s: float = Field(12.0, ge=0, le=3600, description="Time to give a load at a drop node in s.")
    restart_delay_s: float = Field(2.0, ge=0, le=600, description="From commands being back to moving again in s.")
    stop_distance_m: float = Field(0.5, ge=0.05, le=5, description="Gap kept to a person ahead in m.")
    orders_from: Literal["twin", "outside"] = Field(
        "twin", description="Who gives orders: the twin's own fleet control, or VDA 5050 orders from outside."
    )
    orders_per_hour: float | None = Field(
        None, gt=0, le=1e5, description="Transport orders per hour of the whole fleet (Poisson); absent: one is always waiting."
    )
    battery: BatteryConfig = Field(default_factory=BatteryConfig, description="Battery and charging.")

    @model_validator(mode="after")
    def _heights_and_braking(self) -> AgvsConfig:
        for height in self.load_heights_m:
            if not 0 < height <= 6:
                raise ValueError(f"load_heights_m: {height} m is not a load's height; give metres above the vehicle, 0 to 6")
        if self.loads and "load_heights_m" in self.model_fields_set:
            raise ValueError("load_heights_m and loads: both say how high loads are; keep one of them")
        twice = [name for name, times in Counter(kind.name for kind in self.loads).items() if times > 1]
        if twice:
            raise ValueError(f"loads: name {twice[0]!r} is used twice; give each kind its own")
        for kind in self.loads:
            if kind.highest_m > self.max_load_height_m:
                raise ValueError(
                    f"loads: {kind.name!r} is up to {kind.highest_m:g} m high, above max_load_height_m "
                    f"{self.max_load_height_m:g}; take fewer layers, or a vehicle that may carry it"
                )
        if not self.loads and max(self.load_heights_m) > self.max_load_height_m:
            raise ValueError(
                f"load_heights_m: {max(self.load_heights_m):g} m is above max_load_height_m {self.max_load_height_m:g}; "
                "lower the load, or take a vehicle that may carry it"
            )
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

    @property
    def highest_load_m(self) -> float:
        """Height of the highest load there is [m]."""
        return max(kind.highest_m for kind in self.loads) if self.loads else max(self.load_heights_m)


class RoutingConfig(_Model):
    """What a way costs: weighted seconds of driving, of expected radio silence, and of people met.

    With the default an AGV takes the fastest way. ``link_risk_weight: 20`` lets it drive up to 20 s longer for every second that
    it expects to be without commands on the shorter way; ``people_weight: 5`` up to 5 s for every person that it expects there.
    """

    time_weight: float = Field(1.0, ge=0, le=1000, description="Cost of a second of driving or waiting.")
    link_risk_weight: float = Field(0.0, ge=0, le=1e6, description="Cost of an expected second without commands over the radio.")
    people_weight: float = Field(0.0, ge=0, le=1e6, description="Cost of an expected person on an edge.")
    memory_s: float = Field(
        1800.0, ge=60, le=1e6, description="How long the fleet remembers where commands were late and people stood, in s."
    )

    @model_validator(mode="after")
    def _weighs_something(self) -> RoutingConfig:
        if self.time_weight == self.link_risk_weight == self.people_weight == 0:
            raise ValueError("time_weight, link_risk_weight and people_weight are all 0; give at least one a weight")
        return self
