"""The file that a regression check compares with: figures of every seed, what is tolerated, and why it was written.

JSON, so that a review shows what changed. The gate is written out with the figures: which ones are looked at, which factor of
getting worse is tolerated, and below which value two runs are taken as equal. It may be edited by hand; ``--update`` keeps it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from factory.errors import UserError
from factory.run_folder import current_versions, write_json
from factory.scenario import LoadedScenario

FORMAT = 1
KIND = "factory-twin baseline"
TOLERANCE = 1.25
"""Factor of getting worse that is tolerated where a baseline does not say otherwise."""
FALSE_ALARM_RATE = 0.01
"""Largest probability that a check of unchanged code raises any alarm, where a baseline does not say otherwise."""
FLOOR_SHARE = 0.02
"""Share of a figure's mean below which differences do not count."""
SMALLEST_FLOOR: dict[str, float] = {"": 1e-9, "1/(device h)": 1e-6, "min": 0.005}
"""Smallest floor of a figure by its unit (assumed): 0.3 s of machine time, an unavailability of 1e-9."""
HISTORY = 50
"""Updates that are remembered."""

Value = Annotated[float, Field(ge=0)]


class BaselineError(UserError):
    """A baseline cannot be used; the message names the file and what to do."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GatedKpi(_Model):
    """What is asked of one figure."""

    tolerance: float = Field(TOLERANCE, ge=1, le=100, description="Factor of getting worse that is tolerated, 1.25 is a quarter.")
    floor: float = Field(gt=0, description="Values below it are taken as equal, in the unit of the figure.")
    better: Literal["lower", "higher"] = Field(description="Which way is better.")
    unit: str = Field("", description="Unit of the figure.")
    label: str = Field("", description="What the figure is, in words.")
    values: tuple[Value, ...] = Field(description="Value of every seed, in the order of the seeds.")


class UpdateRecord(_Model):
    """One time that the baseline was written."""

    reason: str = Field(min_length=1, description="Why.")
    written_utc: str = Field(description="When.")
    package: str = Field(description="Version of factory-twin.")
    scenario_sha256: str = Field(description="Hash of the scenario's content.")
    seeds: int = Field(ge=1, description="Number of seeds.")
    means: dict[str, float] = Field(description="Mean of every figure over the seeds.")


class Baseline(_Model):
    """Content of a baseline file."""

    kind: Literal["factory-twin baseline"] = Field(description="What the file is.")
    format: int = Field(description="Version of this file's form.")
    scenario: str = Field(description="Name of the scenario.")
    scenario_sha256: str = Field(description="Hash of the scenario's content without its seed; defaults left out.")
    duration_s: float = Field(gt=0, description="Simulated length of every seed in s.")
    versions: dict[str, str] = Field(description="Versions that the figures were made with.")
    false_alarm_rate: float = Field(
        FALSE_ALARM_RATE, gt=0, le=0.2, description="Largest probability of a false alarm of a whole check, 0.01 is one in 100."
    )
    seeds: tuple[int, ...] = Field(min_length=2, description="Seeds of the runs.")
    kpis: dict[str, GatedKpi] = Field(min_length=1, description="Figures that are looked at.")
    causes: dict[str, tuple[int, ...]] = Field(default_factory=dict, description="Messages lost by cause, of every seed.")
    reason: str = Field(min_length=1, description="Why the file was written last.")
    history: tuple[UpdateRecord, ...] = Field((), description="All updates, the first one first.")

    @model_validator(mode="after")
    def _one_value_per_seed(self) -> Baseline:
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("seeds: a seed is listed twice")
        for key, values in [(k, v.values) for k, v in self.kpis.items()] + list(self.causes.items()):
            if len(values) != len(self.seeds):
                raise ValueError(f"{key}: {len(values)} values for {len(self.seeds)} seeds; there must be one of each")
        return self


@dataclass(frozen=True, slots=True)
class SeedFigures:
    """What the seeds of a check came to.

    Attributes
    ----------
    seeds : the seeds.
    values : key to the value of every seed, NaN where a run has no such figure.
    units, labels, better : of every key.
    causes : messages lost by cause, of every seed.
    """

    seeds: tuple[int, ...]
    values: dict[str, tuple[float, ...]]
    units: dict[str, str]
    labels: dict[str, str]
    better: dict[str, Literal["lower", "higher"]]
    causes: dict[str, tuple[int, ...]] = field(default_factory=dict)


def scenario_hash(loaded: LoadedScenario) -> str:
    """Hash of what a scenario asks for, without seed and description.

    Values that equal their default are left out, so that a new key of a later version does not make an old baseline useless. A
    default that changes is a change of the program, which is what a check looks for.
    """
    content = loaded.scenario.model_dump(mode="json", exclude_defaults=True, exclude={"seed", "description"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Raises
    ------
    BaselineError
        Where the file is not there, is no baseline, or has another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BaselineError(
            f'{path}: no such file; make it with: factory-twin check SCENARIO --baseline {path} --update --reason "..."'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise BaselineError(f"{path}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise BaselineError(f"{path}: no baseline of factory-twin check (its kind should be {KIND!r})")
    if content.get("format") != FORMAT:
        raise BaselineError(
            f"{path}: format {content.get('format')!r}, this factory-twin reads format {FORMAT}; "
            'write it again with --update --reason "..."'
        )
    try:
        return Baseline.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(step) for step in fault["loc"])
        raise BaselineError(f"{path}: {where}: {fault['msg']}" if where else f"{path}: {fault['msg']}") from None


def refuse_other(baseline: Baseline, path: Path, loaded: LoadedScenario, across_versions: bool) -> None:
    """Raise where a baseline is not one of this scenario, or of another version of factory-twin.

    Parameters
    ----------
    baseline, path : the baseline and its file.
    loaded : the scenario that is checked.
    across_versions : True takes a baseline of another version of factory-twin.

    Raises
    ------
    BaselineError
        With what to do.
    """
    again = 'write it again with --update --reason "..."'
    if baseline.scenario != loaded.scenario.name:
        raise BaselineError(f"{path}: baseline of scenario {baseline.scenario!r}, not of {loaded.scenario.name!r}; {again}")
    if baseline.scenario_sha256 != scenario_hash(loaded):
        raise BaselineError(
            f"{path}: the scenario {loaded.scenario.name!r} is not the one that the baseline was made with (its content has "
            f"changed, or a --set differs); undo the change, or {again}"
        )
    mine, theirs = current_versions()["factory-twin"], baseline.versions.get("factory-twin", "none")
    if mine != theirs and not across_versions:
        raise BaselineError(
            f"{path}: made with factory-twin {theirs}, this is {mine}; compare all the same with --across-versions, or {again}"
        )


def new_baseline(loaded: LoadedScenario, figures: SeedFigures, reason: str, before: Baseline | None) -> Baseline:
    """Make a baseline of figures, keeping the gate and the history of the one before.

    Parameters
    ----------
    loaded : the scenario.
    figures : what its seeds came to; figures that a seed lacks are left out.
    reason : why it is written.
    before : the baseline that it replaces, None where there is none.
    """
    kept = before.kpis if before is not None else {}
    kpis = {}
    for key, values in figures.values.items():
        if not all(np.isfinite(values)) or (figures.better[key] == "higher" and not any(values)):
            continue  # what is nothing already cannot get worse
        rule = {"tolerance": kept[key].tolerance, "floor": kept[key].floor} if key in kept else {}
        floor = {"floor": default_floor(figures.units[key], values, counted=key.startswith(("stops.", "production.")))}
        kpis[key] = GatedKpi(
            better=figures.better[key], unit=figures.units[key], label=figures.labels[key], values=values, **(floor | rule)
        )
    if not kpis:
        raise BaselineError("no figure can be looked at: the scenario has no service that sent a message, and no machine")
    versions, sha256 = current_versions(), scenario_hash(loaded)
    record = UpdateRecord(
        reason=reason,
        written_utc=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        package=versions["factory-twin"],
        scenario_sha256=sha256,
        seeds=len(figures.seeds),
        means={key: float(np.mean(kpi.values)) for key, kpi in kpis.items()},
    )
    return Baseline(
        kind="factory-twin baseline",
        format=FORMAT,
        scenario=loaded.scenario.name,
        scenario_sha256=sha256,
        duration_s=loaded.scenario.duration_s,
        versions=versions,
        false_alarm_rate=before.false_alarm_rate if before is not None else FALSE_ALARM_RATE,
        seeds=figures.seeds,
        kpis=kpis,
        causes=figures.causes,
        reason=reason,
        history=(*(before.history if before is not None else ()), record)[-HISTORY:],
    )


def default_floor(unit: str, values: tuple[float, ...], counted: bool) -> float:
    """Value below which differences of a figure do not count.

    Parameters
    ----------
    unit : its unit.
    values : of the seeds.
    counted : True for whole numbers: half of one.
    """
    if counted:
        return 0.5
    return max(SMALLEST_FLOOR.get(unit, 1e-9), FLOOR_SHARE * float(np.mean(values)))


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline file whole or not at all.

    Raises
    ------
    BaselineError
        Where it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, baseline.model_dump(mode="json"))
    except OSError as error:
        raise BaselineError(f"{path}: cannot be written: {error.strerror}") from None
