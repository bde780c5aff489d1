"""What a scenario may say about people. Every number carries its unit in its name."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Point = tuple[float, float]
StationKind = Literal["cell", "rack", "desk", "break"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StationConfig(_Model):
    """A place where somebody works, waits or rests."""

    name: str = Field(min_length=1, description="Name in reports and errors.")
    position_m: Point = Field(description="Where a person stands, x and y in the hall frame in m.")
    facing_deg: float = Field(0.0, ge=-360, le=360, description="Where that person looks, degrees counter-clockwise from +x.")
    kind: StationKind = Field(description="cell (work at a machine), rack (picking), desk (standing), break (resting).")


class RoleConfig(_Model):
    """What a kind of person does all day."""

    name: str = Field(min_length=1, description="Name in reports.")
    share: float = Field(gt=0, le=1, description="Share of all people; the shares of all roles add up to 1.")
    stations: tuple[StationKind, ...] = Field(min_length=1, description="Kinds of station that the role works at.")
    speed_mean_mps: float = Field(1.04, ge=0.3, le=2.5, description="Mean walking speed in m/s, for example 1.04.")
    speed_sd_mps: float = Field(0.2, ge=0, le=0.6, description="Standard deviation of walking speed between people in m/s.")
    dwell_mean_s: float = Field(17.2, ge=1, le=3600, description="Mean time at a station in s.")
    dwell_cv: float = Field(0.8, ge=0, le=2, description="Standard deviation of that time divided by its mean.")
    wave_per_min: float = Field(0.0, ge=0, le=20, description="Hand waves per minute.")
    reach_per_min: float = Field(0.0, ge=0, le=40, description="Reaches per minute while at work.")
    carries_panel: bool = Field(False, description="Whether hand-held panels go to this role first.")


class BreakConfig(_Model):
    """Breaks, taken at stations of kind break; none are taken where there is no such station."""

    every_min: float = Field(60.0, ge=1, le=720, description="Time from one break to the next in min.")
    for_min: float = Field(5.0, gt=0, le=120, description="Length of a break in min.")


def _default_roles() -> tuple[RoleConfig, ...]:
    """Return roles near the workers and visitors recorded in THOR (Rudenko 2020), computed from its tracks at 0.4 s.

    Walking (faster than 0.6 m/s): workers 1.04 +- 0.20 m/s, visitors 0.99 +- 0.17 m/s. Standing (slower than 0.25 m/s for
    more than 2 s): workers 17.2 s (sd 19.4, 31 spells), visitors 15.7 s (sd 13.2). The operator's longer dwell is a design
    value, for THOR has no machine cells.
    """
    return (
        RoleConfig(name="operator", share=0.4, stations=("cell",), dwell_mean_s=60.0, reach_per_min=6.0, wave_per_min=0.1),
        RoleConfig(
            name="picker", share=0.4, stations=("rack",), dwell_mean_s=17.2, dwell_cv=1.1, reach_per_min=10.0, wave_per_min=0.1
        ),
        RoleConfig(
            name="supervisor",
            share=0.2,
            stations=("cell", "rack", "desk"),
            speed_mean_mps=0.99,
            speed_sd_mps=0.17,
            dwell_mean_s=15.7,
            wave_per_min=1.0,
            carries_panel=True,
        ),
    )


class PeopleConfig(_Model):
    """The people of a hall: simulated by role, or replayed from recorded tracks."""

    count: int = Field(16, ge=0, le=500, description="Number of people; a replay brings its own number.")
    panels: int = Field(3, ge=0, le=500, description="People who carry a hand-held panel; never more than there are people.")
    stature_p5_m: float = Field(
        1.535, ge=1.2, le=2.1, description="Body height that 5 % fall short of in m (DIN 33402-2, women)."
    )
    stature_p95_m: float = Field(1.86, ge=1.3, le=2.3, description="Body height that 5 % exceed in m (DIN 33402-2, men).")
    stations: tuple[StationConfig, ...] = Field(
        (), description="Stations; where none are given, people roam over the free floor."
    )
    roles: tuple[RoleConfig, ...] = Field(default_factory=_default_roles, min_length=1, description="Roles by share.")
    breaks: BreakConfig = Field(default_factory=BreakConfig, description="Breaks.")
    start: tuple[Point, ...] = Field((), description="Initial x and y in m of the first people; the others start at stations.")
    pseudonym_rotation_s: float = Field(3600.0, ge=1, description="Time after which everybody gets another pseudonym in s.")
    replay: str | None = Field(
        None, description="CSV file of recorded tracks (columns t in s, id, x and y in m) to replay instead."
    )
    replay_offset_m: Point | None = Field(
        None, description="Where the recording's origin lies in the hall in m; absent: where fewest recorded people meet boxes."
    )
    replay_yaw_deg: float | None = Field(
        None,
        ge=-360,
        le=360,
        description="Rotation of the recording in degrees; absent: chosen among quarter turns with the offset.",
    )
    replay_scale: float = Field(1.0, ge=1e-4, le=100, description="Metres per unit of the recording, for example 0.001 for mm.")
    replay_loop: bool = Field(True, description="Whether the recording starts again when the run is longer.")

    @property
    def panel_count(self) -> int:
        """Panels carried: ``panels``, or ``count`` where there are fewer people."""
        return min(self.panels, self.count)

    @model_validator(mode="after")
    def _consistent(self) -> PeopleConfig:
        if self.stature_p5_m >= self.stature_p95_m:
            raise ValueError(f"stature_p5_m {self.stature_p5_m} must be below stature_p95_m {self.stature_p95_m}")
        total = sum(role.share for role in self.roles)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"roles: the shares add up to {total:.6g}, they must add up to 1")
        for what, names in (("stations", [s.name for s in self.stations]), ("roles", [r.name for r in self.roles])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what}: the name {twice[0]!r} is used more than once; every name must be unique")
        return self
