"""What a scenario may say about the hall itself and the clock."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Length = Annotated[float, Field(gt=0, le=500)]
Thickness = Annotated[float, Field(ge=0.0005, le=5)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxConfig(_Model):
    """A rack, a machine cell or a wall: a box that may be turned about the vertical."""

    name: str = Field(description="Name in reports and errors.")
    kind: Literal["rack", "cell", "machine", "wall", "office"] = Field(
        "machine", description="What stands there; colours the pictures."
    )
    center_m: tuple[float, float] = Field(description="Centre of the footprint in the hall frame in m.")
    size_m: tuple[Length, Length, Length] = Field(description="Length, width and height in m.")
    yaw_deg: float = Field(0.0, ge=-360, le=360, description="Turn about the vertical, degrees counter-clockwise.")
    material: str = Field("metal", description="Material of its faces, a row of ITU-R P.2040.")
    thickness_m: Thickness = Field(0.1, description="Thickness of its faces in m; they reflect as a layer (ITU-R P.2040).")


class ZoneConfig(_Model):
    """A named part of the floor: where people are counted and outages are summed up."""

    name: str = Field(description="Name in reports.")
    x_m: tuple[float, float] = Field(description="From and to along the hall in m.")
    y_m: tuple[float, float] = Field(description="From and to across the hall in m.")


class HallConfig(_Model):
    """The hall: a box seen from inside, and the boxes that stand in it."""

    size_m: tuple[Length, Length, Length] = Field(description="Length (x), width (y) and height (z) in m.")
    wall_material: str = Field("concrete", description="Material of the four walls (ITU-R P.2040).")
    floor_material: str = Field("concrete", description="Material of the floor (ITU-R P.2040).")
    ceiling_material: str = Field("metal", description="Material of the ceiling (ITU-R P.2040).")
    wall_thickness_m: Thickness = Field(0.1, description="Thickness of the walls in m; they reflect as a layer (ITU-R P.2040).")
    floor_thickness_m: Thickness = Field(0.1, description="Thickness of the floor in m.")
    ceiling_thickness_m: Thickness = Field(0.1, description="Thickness of the ceiling in m.")
    boxes: tuple[BoxConfig, ...] = Field((), description="Racks, cells, machines, walls.")
    zones: tuple[ZoneConfig, ...] = Field((), description="Named parts of the floor; the first that holds a point counts.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> HallConfig:
        for what, names in (("boxes", [b.name for b in self.boxes]), ("zones", [z.name for z in self.zones])):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: name {twice[0]!r} is used twice; give each its own")
        return self


class ProductionConfig(_Model):
    """What the plan expects of the machines, for the figures of ISO 22400-2."""

    planned_order_s: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="Planned time of a transport order in s; absent: loading, unloading and driving at full speed between a pick "
        "and a drop and back, the mean over all pairs.",
    )
    good_share: float = Field(
        1.0, ge=0, le=1, description="Share of orders and parts that are good, 0..1; the twin models no cause of scrap (assumed)."
    )


class ClockConfig(_Model):
    """Rates of the twin. Time itself is counted in whole microseconds."""

    tick_hz: Literal[50, 100, 200] = Field(100, description="People, machines and radio in Hz.")
    physics_hz: Literal[25, 50, 100] = Field(50, description="Bullet steps in Hz; divides tick_hz.")
    publish_hz: Literal[1, 2, 5, 10] = Field(10, description="Views for bridges and rows of the recording in Hz.")

    @model_validator(mode="after")
    def _rates_divide(self) -> ClockConfig:
        for name in ("physics_hz", "publish_hz"):
            if self.tick_hz % getattr(self, name):
                raise ValueError(f"{name} {getattr(self, name)} must divide tick_hz {self.tick_hz}")
        return self
