"""What a search may change, what it looks for and what must hold: a YAML file, checked against the scenario that it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from factory.errors import Problem, ScenarioError, UserError
from factory.scenario import LoadedScenario, Locator, load_scenario, load_text, parse_text, plain

COST = "cost"
"""Name of the objective that is the sum of the costs of the TRPs that are there."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError(f"[{limits[0]:g}, {limits[1]:g}] should be [from, to] with from below to")
    return limits


class _Limits(_Model):
    @model_validator(mode="after")
    def _from_is_below_to(self) -> _Limits:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple):
                try:
                    _ordered(value)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        return self


Range = tuple[float, float]


class PlaceRange(_Limits):
    """Where a TRP may hang; an axis that is absent stays as it is."""

    x: Range | None = Field(None, description="[from, to] along the hall in m.")
    y: Range | None = Field(None, description="[from, to] across the hall in m.")
    z: Range | None = Field(None, description="[from, to] of the height in m.")


class TrpRange(_Limits):
    """What may change about one TRP; what is absent stays as it is."""

    position_m: PlaceRange | None = Field(None, description="Where it may hang, {x: [from, to], y: ..., z: ...} in m.")
    azimuth_deg: Range | None = Field(None, description="[from, to] of its direction, degrees counter-clockwise from +x.")
    downtilt_deg: Range | None = Field(None, description="[from, to] of its downtilt in degrees.")
    tx_power_dbm: Range | None = Field(None, description="[from, to] of its transmit power in dBm.")


class Objective(_Model):
    """A figure that should be as good as it can be."""

    kpi: str = Field(description="Key of a figure, such as service.agv-control.unavailability, or cost.")
    direction: Literal["minimize", "maximize"] = Field("minimize", description="Which way is better.")


class Constraint(_Model):
    """A figure that must hold, by its mean over the seeds."""

    kpi: str = Field(description="Key of a figure, or cost.")
    at_most: float | None = Field(None, description="Largest mean over the seeds that is allowed.")
    at_least: float | None = Field(None, description="Smallest mean over the seeds that is allowed.")

    @model_validator(mode="after")
    def _one_limit(self) -> Constraint:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"{self.kpi}: give at_most or at_least, one of them")
        return self

    def excess(self, value: float) -> float:
        """How far a value is on the wrong side: at most 0 where the constraint holds."""
        if self.at_most is not None:
            return value - self.at_most
        assert self.at_least is not None
        return self.at_least - value


class SearchSpec(_Model):
    """Content of the file."""

    scenario: str = Field("default", description="Shipped name, or a file (relative to this one).")
    set: dict[str, Any] = Field(default_factory=dict, description="Overrides of the scenario, key to value.")
    trps: dict[str, TrpRange] = Field(default_factory=dict, description="What may change, by the TRP's name.")
    choose: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="TRPs that may be left out, by name, with their cost; at least one TRP stays."
    )
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=2, description="One figure, or two for a Pareto front.")
    constraints: tuple[Constraint, ...] = Field((), description="What must hold.")
    trials: int = Field(40, ge=1, le=10_000, description="Points of the search.")
    seeds: int = Field(4, ge=1, le=1000, description="Seeds of every point, the same for all.")
    minutes: float | None = Field(
        None, gt=0, le=10_080, description="Simulated minutes of every seed; the scenario's when absent."
    )
    sampler: Literal["tpe", "nsga2"] = Field(
        "tpe", description="How points are proposed; nsga2 pays from some hundred trials on."
    )
    seed: int = Field(1, ge=0, lt=2**32, description="Seed of the search.")

    @model_validator(mode="after")
    def _something_varies(self) -> SearchSpec:
        if not self.choose and not any(ranges_of(r) for r in self.trps.values()):
            raise ValueError("nothing may change: give trps with ranges, or choose with costs")
        if any(o.kpi == COST for o in self.objectives) and not self.choose:
            raise ValueError(f"objective {COST!r} needs choose: TRPs with their costs")
        if len({o.kpi for o in self.objectives}) < len(self.objectives):
            raise ValueError("objectives: the same figure is asked for twice")
        return self


def ranges_of(trp: TrpRange) -> dict[str, Range]:
    """Return what may change about a TRP, ``position_m.x`` and so on, with its limits."""
    place = trp.position_m or PlaceRange()
    found = {f"position_m.{axis}": getattr(place, axis) for axis in "xyz"}
    found |= {name: getattr(trp, name) for name in ("azimuth_deg", "downtilt_deg", "tx_power_dbm")}
    return {name: limits for name, limits in found.items() if limits is not None}


@dataclass(frozen=True, slots=True)
class Search:
    """A search whose file and scenario are valid.

    Attributes
    ----------
    spec : content of the file.
    loaded : the scenario with the file's overrides.
    text : the scenario file's text.
    overrides : the file's overrides, texts ``key=value``.
    """

    spec: SearchSpec
    loaded: LoadedScenario
    text: str
    overrides: tuple[str, ...]

    def parameters(self) -> dict[str, Range | None]:
        """Return what a point is made of: name to limits, None of a TRP that may be left out."""
        found: dict[str, Range | None] = {f"{name}/present": None for name in self.spec.choose}
        for name, trp in self.spec.trps.items():
            found |= {f"{name}/{what}": limits for what, limits in ranges_of(trp).items()}
        return found

    def variant(self, point: Mapping[str, float | bool]) -> tuple[str, ...]:
        """Return the overrides that make a point of the scenario."""
        trps = []
        for trp in self.loaded.scenario.radio.trps:
            if not point.get(f"{trp.name}/present", True):
                continue
            row = trp.model_dump(mode="json", exclude_defaults=True)
            row["position_m"] = list(trp.position_m)
            for what in ranges_of(self.spec.trps.get(trp.name, TrpRange())):
                value = float(point[f"{trp.name}/{what}"])
                key, _, axis = what.partition(".")
                if axis:
                    row[key]["xyz".index(axis)] = value
                else:
                    row[key] = value
            trps.append(row)
        return (*self.overrides, f"radio.trps={json.dumps(trps)}")

    def cost(self, point: Mapping[str, float | bool]) -> float:
        """Return the sum of the costs of the TRPs that are there."""
        return sum(cost for name, cost in self.spec.choose.items() if point.get(f"{name}/present", True))


def read_search(path: Path) -> Search:
    """Read the file of a search and the scenario that it is about.

    Raises
    ------
    UserError
        With file, line and column of every fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    root = parse_text(text, str(path))
    locator = Locator(str(path), root, {})
    try:
        spec = SearchSpec.model_validate(plain(root))
    except ValidationError as error:
        raise ScenarioError([_problem(fault, locator) for fault in error.errors()]) from None
    beside = path.parent / spec.scenario
    overrides = tuple(f"{key}={json.dumps(value)}" for key, value in spec.set.items())
    if spec.minutes is not None:
        overrides += (f"duration_s={spec.minutes * 60:.10g}",)
    loaded = load_scenario(str(beside) if beside.is_file() else spec.scenario, overrides)
    known = [trp.name for trp in loaded.scenario.radio.trps]
    strange = [
        locator.problem((part, name), f"no TRP of that name in the scenario; it has {', '.join(known)}", at_key=True)
        for part, names in (("trps", spec.trps), ("choose", spec.choose))
        for name in names
        if name not in known
    ]
    if strange:
        raise ScenarioError(strange)
    search = Search(spec, loaded, loaded.path.read_text(encoding="utf-8"), overrides)
    for low in (True, False):  # both ends of all ranges must be a scenario; what lies between is judged point by point
        corner: dict[str, float | bool] = {n: True if r is None else r[0 if low else 1] for n, r in search.parameters().items()}
        load_text(search.text, loaded.path, search.variant(corner))
    return search


def _problem(fault: Any, locator: Locator) -> Problem:
    loc = tuple(fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        message = f"unknown key {str(loc[-1])!r}"
    elif fault["type"] == "missing":
        message = "is missing"
    elif not isinstance(fault.get("input"), dict | list | tuple):
        message = f"{fault['input']!r}: {message}"
    return locator.problem(loc, message, at_key=fault["type"] == "extra_forbidden")
