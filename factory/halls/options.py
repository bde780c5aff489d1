"""What somebody asks of a generated hall. What is left open is drawn from the seed."""

from __future__ import annotations

from typing import Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from factory.errors import UserError

TrpLayout = Literal["ceiling", "aisle-ends", "corners", "crossing"]
Carrier = Literal["28ghz", "28ghz-wide", "3.7ghz"]
Mix = Literal["standard", "video", "control", "panels"]
T = TypeVar("T")

# AGVs of the default size (1.2 x 0.8 m) and people who work beside their lane.
NARROWEST_AISLE_M = 2.8  # lane of 0.8 m, 0.1 m scanner margin, a person of 0.3 m radius on either side, 0.3 m to the rack
CELLS_M, CELLS_OF_FOUR_M = 11.0, 21.0  # length of the floor for up to two and up to four cobots
LANES_M = 7.0  # west lane before the racks and east lane behind them
RACK_DEPTH_M = 1.2
SHORTEST_AISLE_M, LONGEST_AISLE_M = 6.0, 80.0
BAY_M = 3.0  # one picking place for every bay of this length
HEADROOM_M = 0.8  # between the highest rack and the ceiling


class HallOptions(BaseModel):
    """Options of ``factory-twin hall``; None is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(1, ge=0, lt=2**63, description="Seed of what is left open.")
    name: str | None = Field(None, min_length=1, max_length=60, pattern=r"^[A-Za-z0-9._-]+$", description="Scenario's name.")
    aisles: int | None = Field(None, ge=1, le=6, description="Rack aisles, 1 to 6.")
    length_m: float | None = Field(None, ge=15, le=120, description="Length of the hall in m, 15 to 120.")
    aisle_length_m: float | None = Field(
        None, ge=SHORTEST_AISLE_M, le=LONGEST_AISLE_M, description="Length of an aisle in m, 6 to 80."
    )
    aisle_width_m: float | None = Field(None, ge=0.5, le=8, description="Free width of an aisle in m, 2.8 to 8.")
    rack_height_m: float | None = Field(None, ge=1, le=12, description="Height of the racks in m, 1 to 12.")
    rack_material: Literal["metal", "chipboard", "wood"] | None = Field(None, description="Material of the racks.")
    height_m: float | None = Field(None, ge=4, le=15, description="Height of the hall in m, 4 to 15.")
    cobots: int | None = Field(None, ge=0, le=4, description="Cobot cells, 0 to 4.")
    agvs: int | None = Field(None, ge=0, le=40, description="AGVs.")
    people: int | None = Field(None, ge=0, le=200, description="People.")
    panels: int | None = Field(None, ge=0, le=200, description="Hand-held panels.")
    trps: int | None = Field(None, ge=1, le=12, description="Transmission points, 1 to 12.")
    trp_layout: TrpLayout | None = Field(None, description="Where they are.")
    carrier: Carrier | None = Field(None, description="Carrier and link budget.")
    mix: Mix | None = Field(None, description="Services.")


class Hall(BaseModel):
    """A hall without anything left open; fields as :class:`HallOptions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    name: str
    aisles: int
    aisle_length_m: float
    aisle_width_m: float
    cells_m: float
    rack_height_m: float
    rack_material: str
    height_m: float
    cobots: int
    agvs: int
    people: int
    panels: int
    trps: int
    trp_layout: TrpLayout
    carrier: Carrier
    mix: Mix

    @property
    def length_m(self) -> float:
        """Length of the hall along x [m]."""
        return self.cells_m + LANES_M + self.aisle_length_m

    @property
    def bays(self) -> int:
        """Picking places of an aisle, the last beside the aisle's end."""
        return max(2, int(self.aisle_length_m // BAY_M))

    @property
    def work_places(self) -> int:
        """Stations where somebody works: two at each cell, one a bay, and a desk."""
        return 2 * self.cobots + self.aisles * self.bays + 1


def decide(ask: HallOptions) -> Hall:
    """Draw what an ask leaves open, and refuse what does not go together.

    Draws are made in one order whatever is given, so that giving one option leaves the others as they were.

    Raises
    ------
    UserError
        With the option, its value and what would be right.
    """
    rng = np.random.default_rng([ask.seed, 0x4A11])
    aisles = _drawn(ask.aisles, int(rng.integers(1, 4)))
    drawn_aisle_m = float(rng.integers(9, 16))
    width_m = _drawn(ask.aisle_width_m, round(float(rng.uniform(2.9, 3.5)), 1))
    rack_m = float(rng.choice([2.5, 3.0, 4.0, 5.0]))
    material = _drawn(ask.rack_material, str(rng.choice(["metal", "chipboard"])))
    cobots = _drawn(ask.cobots, int(rng.integers(1, 3)))
    spare = rng.uniform(size=4)
    layout: TrpLayout = _drawn(ask.trp_layout, _pick(rng, ("ceiling", "aisle-ends", "corners", "crossing")))
    trps = _drawn(ask.trps, int(rng.integers(2, 5)))
    carrier: Carrier = _drawn(ask.carrier, _pick(rng, ("28ghz", "28ghz-wide", "3.7ghz")))
    mix: Mix = _drawn(ask.mix, _pick(rng, ("standard", "video", "control", "panels")))

    if width_m < NARROWEST_AISLE_M:
        raise UserError(
            f"--aisle-width-m {width_m:g}: an AGV of 0.8 m and a person beside its lane need {NARROWEST_AISLE_M:g} m or more"
        )
    cells_m = CELLS_M if cobots <= 2 else CELLS_OF_FOUR_M
    aisle_m, cells_m = _lengths(ask, cells_m, drawn_aisle_m)
    rack_m, height_m = _heights(ask, rack_m)
    hall = Hall(
        seed=ask.seed, name=ask.name or f"hall-{ask.seed}", aisles=aisles, aisle_length_m=aisle_m, aisle_width_m=width_m,
        cells_m=cells_m, rack_height_m=rack_m, rack_material=material, height_m=height_m, cobots=cobots, agvs=0, people=0,
        panels=0, trps=trps, trp_layout=layout, carrier=carrier, mix=mix,
    )  # fmt: skip
    agvs = _drawn(ask.agvs, min(most_agvs(hall), 3 + int(3 * spare[0])))
    people = _drawn(ask.people, min(hall.work_places, 5 + int(6 * spare[1])))
    panels = _drawn(ask.panels, min(people, 3 + int(2 * spare[2]) if mix == "panels" else 1))
    if agvs > most_agvs(hall):
        raise UserError(
            f"--agvs {agvs}: the routes of {aisles} aisles of {aisle_m:g} m hold {most_agvs(hall)} AGVs; ask for fewer, or for "
            "more or longer aisles"
        )
    if people > hall.work_places:
        raise UserError(
            f"--people {people}: there are {hall.work_places} places to work at ({2 * cobots} at cells, {aisles * hall.bays} in "
            "aisles, a desk); ask for fewer people, or for more or longer aisles"
        )
    if panels > people:
        raise UserError(f"--panels {panels}: there are {people} people to hold them; ask for {people} or fewer")
    if agvs + cobots + panels == 0:
        raise UserError("--agvs 0 --cobots 0 --panels 0: nothing in the hall has a radio; ask for one device or more")
    if mix == "panels" and panels == 0 and ask.mix == "panels":
        raise UserError("--mix panels: there is no panel; ask for --panels 1 or more")
    return hall.model_copy(update={"agvs": agvs, "people": people, "panels": panels})


def most_agvs(hall: Hall) -> int:
    """AGVs that the routes hold: half of their nodes, as the right of way needs."""
    per_aisle = 2 + picks(hall.aisle_length_m)
    loop = 6 if hall.cells_m < CELLS_OF_FOUR_M else 8
    return (4 + hall.aisles * per_aisle + loop) // 2


def picks(aisle_length_m: float) -> int:
    """Return the picking nodes of an aisle: one for every 6 m of it."""
    return max(1, int(aisle_length_m // 6))


def _lengths(ask: HallOptions, cells_m: float, drawn_m: float) -> tuple[float, float]:
    """Length of the aisles and of the floor west of them [m]."""
    around_m = cells_m + LANES_M
    if ask.length_m is None:
        return _drawn(ask.aisle_length_m, drawn_m), cells_m
    aisle_m = ask.length_m - around_m if ask.aisle_length_m is None else ask.aisle_length_m
    least_m = max(aisle_m, SHORTEST_AISLE_M)
    if ask.length_m < around_m + least_m:
        raise UserError(
            f"--length-m {ask.length_m:g}: {cells_m:g} m for cells, {LANES_M:g} m for lanes and aisles of {least_m:g} m need "
            f"{around_m + least_m:g} m or more"
        )
    aisle_m = min(aisle_m, LONGEST_AISLE_M)
    return aisle_m, ask.length_m - LANES_M - aisle_m


def _heights(ask: HallOptions, drawn_rack_m: float) -> tuple[float, float]:
    """Height of the racks and of the hall [m]."""
    rack_m = ask.rack_height_m
    if rack_m is None:
        rack_m = drawn_rack_m if ask.height_m is None else min(drawn_rack_m, ask.height_m - HEADROOM_M)
    height_m = max(6.0, rack_m + 2.0) if ask.height_m is None else ask.height_m
    if rack_m > height_m - HEADROOM_M:
        raise UserError(
            f"--rack-height-m {rack_m:g}: below a ceiling at {height_m:g} m racks may be {height_m - HEADROOM_M:g} m high; lower "
            f"them, or give --height-m {rack_m + HEADROOM_M:g} or more"
        )
    return rack_m, height_m


def _drawn(given: T | None, drawn: T) -> T:
    return drawn if given is None else given


def _pick(rng: np.random.Generator, among: tuple[T, ...]) -> T:
    return among[int(rng.integers(len(among)))]
