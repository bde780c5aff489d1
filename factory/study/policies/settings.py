"""What the study of policies is asked for, and how much of it: halls, seeds, seconds, parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from factory.errors import UserError
from factory.study.variants import Base
from factory.study.whatif_command import seeds_of
from radio.config import HumanAwareConfig, LinkAdaptationConfig
from radio.messages.traffic import resolve
from radio.policy_names import BUILT_IN, known_policy

PARTS = ("table", "curve", "capacity", "sensitivity", "acting")
POLICIES = ("static", "reactive", "duplicate", "adaptive", "human_aware", "decentralised", "oracle")
"""Policies of the study, of which those that this version has are taken where none are named."""
HALLS = "examples/policies/halls/*.yaml"
MARGINS_DB = (0.0, 3.0, 6.0, 10.0, 15.0, 20.0, 25.0, 30.0)
RISK_TARGETS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
RISK_KNOB, OUTER_LOOP = "risk_target", "outer_loop"
TRAINING_FROM, CURVE_FROM, CAPACITY_FROM, SENSITIVITY_FROM, ACTING_FROM = 90_001, 50_001, 60_001, 70_001, 80_001
"""First seeds of what is not the table, so that nothing is chosen by the seeds that it is judged by."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Seeds, simulated seconds of each, and of how many halls."""

    seeds: tuple[int, ...]
    seconds: float
    halls: int

    @property
    def minutes(self) -> float:
        """Simulated length of a point [min]."""
        return self.seconds / 60.0


@dataclass(frozen=True, slots=True)
class Hall:
    """A hall of the study.

    Attributes
    ----------
    name : of its scenario. base : the scenario. scaled : indices of the services whose devices capacity
        counts.
    """

    name: str
    base: Base
    scaled: tuple[int, ...]

    @property
    def margin_db(self) -> float:
        """The hall's own margin [dB]."""
        return self.base.scenario.radio.link_adaptation.margin_db


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for, checked.

    Attributes
    ----------
    halls : in the order in which they are named. policies : names. parts : of `PARTS`. out : folder of the study.
    table, training, curve, capacity, sensitivity, acting : how much of each part.
    margins_db, risk_targets : points of the curve. most_copies : most devices for one that capacity tries.
    workers : worker processes.
    """

    halls: tuple[Hall, ...]
    policies: tuple[str, ...]
    parts: tuple[str, ...]
    out: Path
    table: Effort
    training: Effort
    curve: Effort
    capacity: Effort
    sensitivity: Effort
    acting: Effort
    margins_db: tuple[float, ...]
    risk_targets: tuple[float, ...]
    most_copies: int
    workers: int


def asked_of(
    halls: Sequence[str],
    policies: str | None,
    seeds: str,
    seconds: float,
    workers: int,
    out: Path,
    part: str | None,
    fixes: Sequence[str],
    quick: bool,
) -> Asked:
    """Check what the command line says.

    Raises
    ------
    UserError
        For anything that cannot be run; nothing has been written then.
    """
    if not 1.0 <= seconds <= 86_400.0:
        raise UserError(f"--seconds {seconds:g}: give simulated seconds from 1 to 86400")
    if not 1 <= workers <= 512:
        raise UserError(f"--workers {workers}: give a number of processes from 1 to 512")
    numbers = seeds_of(seeds)
    n = len(numbers)
    if max(numbers) >= CURVE_FROM:
        raise UserError(f"--seeds {seeds}: seeds from {CURVE_FROM} on choose margins and draw curves; give smaller ones")
    return Asked(
        halls=halls_of(halls, fixes),
        policies=policies_of(policies),
        parts=parts_of(part),
        out=out,
        table=Effort(numbers[:3] if quick else numbers, min(seconds, 8.0) if quick else seconds, 10_000),
        training=_effort(TRAINING_FROM, 2 if quick else 4, 5.0 if quick else 20.0, 10_000),
        curve=_effort(CURVE_FROM, 2 if quick else 6, 5.0 if quick else 20.0, 1 if quick else 3),
        capacity=_effort(CAPACITY_FROM, 2 if quick else min(n, 6), 4.0 if quick else 8.0, 1 if quick else 4),
        sensitivity=_effort(SENSITIVITY_FROM, 2 if quick else 6, 5.0 if quick else 10.0, 1 if quick else 2),
        acting=_effort(ACTING_FROM, 2 if quick else 6, 5.0 if quick else 20.0, 1 if quick else 2),
        margins_db=(0.0, 6.0, 15.0) if quick else MARGINS_DB,
        risk_targets=(RISK_TARGETS[0], RISK_TARGETS[-1]) if quick else RISK_TARGETS,
        most_copies=4 if quick else 256,
        workers=workers,
    )


def _effort(first: int, n: int, seconds: float, halls: int) -> Effort:
    return Effort(tuple(range(first, first + n)), seconds, halls)


def parts_of(part: str | None) -> tuple[str, ...]:
    """Return the parts of ``table,curve``; all where nothing is said."""
    if part is None or part == "all":
        return PARTS
    named = tuple(p.strip() for p in part.split(","))
    for name in named:
        if name not in PARTS:
            raise UserError(f"--part {part}: {name!r} is no part of the study; give {', '.join(PARTS)}, or all")
    return tuple(p for p in PARTS if p in named)


def policies_of(text: str | None) -> tuple[str, ...]:
    """Return policies by name, reactive among them; those of `POLICIES` that there are where nothing is said."""
    if text is None:
        return tuple(p for p in POLICIES if p in BUILT_IN)
    named = tuple(p.strip() for p in text.split(","))
    for name in named:
        try:
            known_policy(name)
        except ValueError as error:
            raise UserError(f"--policies {text}: {error}") from None
        if named.count(name) > 1:
            raise UserError(f"--policies {text}: {name} is there twice; give each once")
    if "reactive" not in named:
        raise UserError(f"--policies {text}: reactive is what all others are compared with; add it")
    return named


def halls_of(names: Sequence[str], fixes: Sequence[str] = ()) -> tuple[Hall, ...]:
    """Load halls by name or file, those of `HALLS` where none are named."""
    found = list(names) or sorted(glob(HALLS))
    if not found:
        raise UserError(f"no hall: there is no {HALLS} here; name scenarios (small, default, medium) or files of them")
    halls: dict[str, Hall] = {}
    for name in found:
        base = Base.load(name, fixes)
        scenario = base.scenario
        if scenario.name in halls:
            raise UserError(f"{name}: a hall called {scenario.name!r} is there twice; give each its own name")
        if not scenario.radio.enabled:
            raise UserError(f"{name}: radio.enabled is false; a study of policies needs the radio")
        halls[scenario.name] = Hall(scenario.name, base, _scaled(base))
    return tuple(halls.values())


def _scaled(base: Base) -> tuple[int, ...]:
    """Return indices of the first control and the first video service that stand on devices which the hall has."""
    scenario = base.scenario
    there = {"agv": scenario.robots.agvs.count, "cobot": len(scenario.robots.cobots), "panel": scenario.people.panels}
    first: dict[bool, int] = {}
    for index, service in enumerate(scenario.radio.services):
        if there[service.devices] > 0:
            first.setdefault(resolve(service).video, index)
    return tuple(first[video] for video in (False, True) if video in first)


def has_outer_loop() -> bool:
    """Whether link adaptation of this version can follow the messages instead of holding a fixed margin."""
    return OUTER_LOOP in LinkAdaptationConfig.model_fields


def has_risk_knob() -> bool:
    """Whether human_aware of this version takes a target of risk, over which the curve is drawn."""
    return RISK_KNOB in HumanAwareConfig.model_fields
