"""Sensitivities: what of the gain stays when tags, horizon, people, TRPs, carrier, beams or the model of a body change."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from factory.errors import UserError
from factory.scenario import load_text
from factory.study.policies.figures import GROUPS, Floats
from factory.study.policies.parts import OWN, variant
from factory.study.policies.session import Session, of_policies, pool_of
from factory.study.policies.settings import Asked, Hall
from factory.study.study_folder import StudyFolder

ABSENT, POSES, TAGS = "people absent", "poses, drawn futures", "tags 10 cm, 5 Hz"
FUTURES = 16
"""Futures that are drawn where the scenario has one alone, which is not enough for a forecast from tags."""
_LOWER_M = (-2.0, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Turned:
    """A sensitivity: a group and a name in words, overrides."""

    group: str
    name: str
    overrides: tuple[str, ...]

    @property
    def key(self) -> str:
        """Name of the variant."""
        return "".join(c if c.isalnum() else "-" for c in self.name)


def turned(hall: Hall) -> list[Turned]:
    """Return the sensitivities of a hall, those that change nothing or cannot be run included."""
    scenario = hall.base.scenario
    radio, people = scenario.radio, scenario.people
    futures = max(radio.human_aware.futures, FUTURES)
    drawn = f"radio.human_aware.futures={futures}"

    def tags(sigma_m: float, rate_hz: float, delay_ms: float) -> tuple[str, ...]:
        told = {"tag_sigma_m": sigma_m, "tag_rate_hz": rate_hz, "tag_delay_ms": delay_ms}
        return (drawn, "people.forecast.observed_by=tags", *(f"people.forecast.{k}={v:g}" for k, v in told.items()))

    out = [
        Turned("forecast", POSES, (drawn, "people.forecast.observed_by=poses")),
        Turned("forecast", TAGS, tags(0.1, 5.0, 100.0)),
        Turned("forecast", "tags 30 cm, 5 Hz", tags(0.3, 5.0, 100.0)),
        Turned("forecast", "tags 10 cm, 1 Hz", tags(0.1, 1.0, 100.0)),
        Turned("forecast", "tags 10 cm, 5 Hz, 500 ms old", tags(0.1, 5.0, 500.0)),
        Turned("forecast", "nothing known of people", (drawn, "people.forecast.observed_by=nothing")),
    ]
    for last_ms in (100, 250, 1000):
        horizons = [h for h in (100, 250, 500, 1000) if h <= last_ms]
        out.append(Turned("horizon", f"horizon {last_ms} ms", (f"radio.human_aware.horizons_ms={json.dumps(horizons)}",)))
    out.append(Turned("people", ABSENT, ("people.count=0", "people.panels=0")))
    for factor in (0.5, 2.0):
        count = max(1, round(people.count * factor))
        out.append(Turned("people", f"{count} people instead of {people.count}", (f"people.count={count}",)))
    for lower_m in _LOWER_M:
        top = scenario.hall.size_m[2]
        heights = [min(max(t.position_m[2] + lower_m, 1.5), top - 0.2) for t in radio.trps]
        told = tuple(f"radio.trps[{i}].position_m[2]={h:g}" for i, h in enumerate(heights))
        out.append(Turned("TRPs", f"TRPs {abs(lower_m):g} m {'lower' if lower_m < 0 else 'higher'}", told))
    trps = [t.model_dump(mode="json") for t in radio.trps]
    if len(trps) > 1:
        out.append(Turned("TRPs", "one TRP less", (f"radio.trps={json.dumps(trps[:-1])}",)))
    for frequency_hz, word in ((3.7e9, "3.7 GHz"), (28e9, "28 GHz"), (60e9, "60 GHz"), (140e9, "140 GHz")):
        if frequency_hz != radio.carrier.frequency_hz:
            out.append(Turned("carrier", f"carrier at {word}", (f"radio.carrier.frequency_hz={frequency_hz:g}",)))
    for side in (4, 8, 16):
        panels = tuple(
            f"radio.trps[{i}].panel={json.dumps({'rows': side, 'columns': side})}"
            for i, t in enumerate(radio.trps)
            if (t.panel.rows, t.panel.columns) != (side, side)
        )
        if panels:
            out.append(Turned("beams", f"{side * side} beams per TRP", panels))
    for gap_db in (0.0, 3.0):
        if gap_db != radio.link_adaptation.implementation_gap_db:
            told = (f"radio.link_adaptation.implementation_gap_db={gap_db:g}",)
            out.append(Turned("receiver", f"implementation gap {gap_db:g} dB", told))
    other = "model_b" if radio.blockage.model == "silhouette" else "silhouette"
    out.append(Turned("body", f"bodies by {other}", (f"radio.blockage.model={other}",)))
    return out


def sensitivity_folder(asked: Asked, session: Session, hall: Hall) -> StudyFolder:
    """Make the folder of the sensitivities that a hall can have."""
    few = tuple(p for p in asked.policies if p in ("reactive", "human_aware", "duplicate"))
    variants = [variant(hall, OWN, of_policies(few))]
    for one in turned(hall):
        policies = asked.policies if one.name == ABSENT else few
        if refusal(hall, one) is None:
            variants.append(variant(hall, one.key, of_policies(policies, None, *one.overrides), one.name))
    return session.folder("sensitivity", hall, variants, asked.sensitivity)


def refusal(hall: Hall, one: Turned) -> str | None:
    """Return what validation says against a sensitivity in a hall, None where it can be run."""
    try:
        load_text(hall.base.text, hall.base.path, (*hall.base.fixed, *one.overrides))
    except UserError as error:
        return re.sub(r"^\S+:\d+:\d+: ", "", str(error).splitlines()[0])
    return None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """A row: (S,) unavailability of ``service`` (one of `GROUPS`) under reactive and human_aware; symbols per second."""

    group: str
    name: str
    service: str
    reactive: Floats
    aware: Floats
    symbols_reactive: Floats
    symbols_aware: Floats


def sensitivities(folder: StudyFolder, known: dict[str, Turned]) -> list[Sensitivity]:
    """Read the rows that are there, the hall as it is first."""
    out = []
    for name in folder.variants:
        pool = pool_of(folder, name)
        if pool is None or "human_aware" not in pool.policies or (name != OWN and name not in known):
            continue
        about = known.get(name)
        group, words = (about.group, about.name) if about else ("", "the hall as it is")
        for services in GROUPS:
            spent = [pool.symbols(p, services) / pool.simulated_s for p in ("reactive", "human_aware")]
            risk = [pool.risk(p, services) for p in ("reactive", "human_aware")]
            out.append(Sensitivity(group, words, services, *risk, *spent))
    return out
