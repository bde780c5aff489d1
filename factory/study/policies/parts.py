"""The parts of the study as points: margins chosen on training seeds, the table, the curve, every policy acting by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from factory.study.paired import Estimate, pooled_ratio
from factory.study.policies.aims import spent_ratio
from factory.study.policies.figures import CONTROL, EVERYTHING, GROUPS, Floats, Pool
from factory.study.policies.session import Session, of_policies, pairs_of, pool_of
from factory.study.policies.settings import OUTER_LOOP, RISK_KNOB, Asked, Hall, has_outer_loop, has_risk_knob
from factory.study.study_folder import StudyFolder, StudyVariant
from radio.messages.reliability import SMALLEST_RATE

_HARDLY_DEARER = 1.05
_TAKEN = 0.1
OWN, BEST, LOOP, RIDING = "own", "best-margin", "outer-loop", "riding"


def fixed_margin(asked: Asked) -> tuple[str, ...]:
    """Policies that hold a fixed margin for everyone always."""
    return tuple(p for p in ("reactive", "duplicate") if p in asked.policies)


def variant(hall: Hall, name: str, overrides: tuple[str, ...], why: str = "") -> StudyVariant:
    """Return a variant of a hall, whose own overrides hold first."""
    return StudyVariant(name, why, (*hall.base.fixed, *overrides))


def margin_name(margin_db: float) -> str:
    """Name of the variant of a margin."""
    return f"margin-{margin_db:g}"


def _margin(asked: Asked, hall: Hall, margin_db: float, name: str | None = None) -> StudyVariant:
    more = f"radio.link_adaptation.margin_db={margin_db:g}"
    return variant(hall, name or margin_name(margin_db), of_policies(fixed_margin(asked), None, more))


def margins_of(asked: Asked, hall: Hall) -> tuple[float, ...]:
    """Margins that are tried in a hall, its own among them [dB]."""
    return tuple(sorted({*asked.margins_db, hall.margin_db}))


@dataclass(frozen=True, slots=True)
class Tuned:
    """Reactive at every margin that was tried, over the training seeds.

    Attributes
    ----------
    margin_db : (M,) margins. risk, every : (M,) unavailability of all control, and of all services.
    symbols : (M,) symbols of control per second.
    worst : (M,) largest unavailability of a control service against what its target leaves.
    best : index of the one that is taken: the least ``worst``; of those that are equal within a factor of 1.1 the largest margin
        that spends at most 5 % more than the cheapest of them.
    twice : (M,) unavailability of all control under duplicate, None where it was not run.
    """

    margin_db: tuple[float, ...]
    risk: tuple[float, ...]
    every: tuple[float, ...]
    symbols: tuple[float, ...]
    worst: tuple[float, ...]
    best: int
    twice: tuple[float, ...] | None = None

    @property
    def best_db(self) -> float:
        """The margin that is taken [dB]."""
        return self.margin_db[self.best]


def train(asked: Asked, session: Session) -> dict[str, Tuned]:
    """Find reactive's best fixed margin in every hall, on seeds that judge nothing."""
    found = {}
    for hall in asked.halls:
        margins = margins_of(asked, hall)
        folder = session.folder("margins", hall, [_margin(asked, hall, m) for m in margins], asked.training)
        session.run(folder, f"margins, {hall.name}")
        tuned = tuned_of(folder, margins)
        if tuned is not None:
            found[hall.name] = tuned
    return found


def tuned_of(folder: StudyFolder, margins: tuple[float, ...]) -> Tuned | None:
    """Choose among the margins of a folder, None where its points are not there."""
    if any(margin_name(m) not in folder.variants for m in margins):
        return None
    pools = pairs_of(folder, *(margin_name(m) for m in margins))
    if pools is None:
        return None
    risk = [float(p.risk("reactive", CONTROL).mean()) for p in pools]
    told = all("duplicate" in p.policies for p in pools)
    twice = tuple(float(p.risk("duplicate", CONTROL).mean()) for p in pools) if told else None
    spent = [float(p.symbols("reactive", CONTROL).sum() / p.simulated_s.sum()) for p in pools]
    worst = [_worst(p) for p in pools]
    least = min(worst)
    good = [i for i, w in enumerate(worst) if w <= 1.1 * least]
    cheapest = min(spent[i] for i in good)
    best = max((i for i in good if spent[i] <= _HARDLY_DEARER * cheapest), key=lambda i: margins[i])
    every = [float(p.risk("reactive", EVERYTHING).mean()) for p in pools]
    return Tuned(margins, tuple(risk), tuple(every), tuple(spent), tuple(worst), best, twice)


def _worst(pool: Pool) -> float:
    out = 0.0
    for service in pool.services:
        if not service["video"]:
            risk = float(pool.risk("reactive", service["name"]).mean())
            out = max(out, risk / (1.0 - service["availability_target"]) if risk >= SMALLEST_RATE else 0.0)
    return out


def table_folder(asked: Asked, session: Session, hall: Hall, tuned: Tuned | None) -> StudyFolder:
    """Make the folder of the table: all policies; those of a fixed margin also at the best one, and with an outer loop."""
    variants = [variant(hall, OWN, of_policies(asked.policies))]
    if tuned is not None and tuned.best_db != hall.margin_db:
        variants.append(_margin(asked, hall, tuned.best_db, BEST))
    if has_outer_loop():
        follows = f"radio.link_adaptation.{OUTER_LOOP}.enabled=true"
        variants.append(variant(hall, LOOP, of_policies(fixed_margin(asked), None, follows)))
    return session.folder("table", hall, variants, asked.table)


def ranked(asked: Asked, tuned: dict[str, Tuned]) -> tuple[Hall, ...]:
    """Order halls by reactive's unavailability at its best margin on the training seeds: of control, then of all services."""

    def how_bad(hall: Hall) -> tuple[float, float]:
        found = tuned.get(hall.name)
        return (0.0, 0.0) if found is None else (-found.risk[found.best], -found.every[found.best])

    return tuple(sorted(asked.halls, key=how_bad))  # a stable sort


def ranked_by_use(asked: Asked, tuned: dict[str, Tuned]) -> tuple[Hall, ...]:
    """Order halls as `ranked` does, those first in which a second leg takes most of reactive's unavailability away.

    What a hall loses to interference, or where no TRP is seen, no plan can save: nothing would be sensitive to anything there.
    """

    def useless(hall: Hall) -> bool:
        found = tuned.get(hall.name)
        return found is None or found.twice is None or found.twice[found.best] > _TAKEN * found.risk[found.best]

    return tuple(sorted(ranked(asked, tuned), key=useless))


def curve_folder(asked: Asked, session: Session, hall: Hall) -> StudyFolder:
    """Make the folder of the curve: margins of reactive and duplicate, targets of risk of human_aware, and the rest as it is."""
    variants = [variant(hall, OWN, of_policies(asked.policies))]
    variants += [_margin(asked, hall, m) for m in margins_of(asked, hall)]
    if "human_aware" in asked.policies and has_risk_knob():
        for target in asked.risk_targets:
            more = f"radio.human_aware.{RISK_KNOB}={target:g}"
            variants.append(variant(hall, f"risk-{target:g}", of_policies(("reactive", "human_aware"), None, more)))
    return session.folder("curve", hall, variants, asked.curve)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of the curve: one of `GROUPS`, policy, its knob (NaN for none), (S,) unavailability and symbols per second."""

    service: str
    policy: str
    knob: float
    risk: Floats
    symbols_per_s: Floats


def curve_points(asked: Asked, hall: Hall, folder: StudyFolder) -> list[CurvePoint]:
    """Read the points of the curve that are there."""
    out = []

    def add(name: str, policy: str, knob: float) -> None:
        pool = pool_of(folder, name) if name in folder.variants else None
        if pool is not None and policy in pool.policies:
            for group in GROUPS:
                spent = pool.symbols(policy, group) / pool.simulated_s
                out.append(CurvePoint(group, policy, knob, pool.risk(policy, group), spent))

    for policy in fixed_margin(asked):
        for margin in margins_of(asked, hall):
            add(margin_name(margin), policy, margin)
    with_knob = "human_aware" in asked.policies and has_risk_knob()
    if with_knob:
        for target in asked.risk_targets:
            add(f"risk-{target:g}", "human_aware", target)
    for policy in asked.policies:
        if policy not in fixed_margin(asked) and not (policy == "human_aware" and with_knob):
            add(OWN, policy, float("nan"))
    return out


@dataclass(frozen=True, slots=True)
class Equal:
    """A point of human_aware beside reactive's margins.

    Attributes
    ----------
    service : one of `GROUPS`. knob : of human_aware, NaN for none.
    risk, risk_margin_db : its unavailability against that of the best margin that spends no more; None where all spend more.
    spent, spent_margin_db : its symbols against those of the cheapest margin that is no worse; None where all are worse.
    """

    service: str
    knob: float
    risk: Estimate | None
    risk_margin_db: float
    spent: Estimate | None
    spent_margin_db: float


def equals(curve: list[CurvePoint]) -> list[Equal]:
    """Compare at equal resources and at equal unavailability over the seeds of the curve; nothing is put between two margins."""
    margins = [p for p in curve if p.policy == "reactive"]
    out = []
    for point in curve:
        same = [p for p in margins if p.service == point.service and len(p.risk) == len(point.risk)]
        if point.policy != "human_aware" or not same:
            continue
        cheap = [p for p in same if p.symbols_per_s.mean() <= point.symbols_per_s.mean()]
        good = [p for p in same if p.risk.mean() <= point.risk.mean()]
        best = min(cheap, key=lambda p: (float(p.risk.mean()), float(p.symbols_per_s.mean())), default=None)
        least = min(good, key=lambda p: float(p.symbols_per_s.mean()), default=None)
        out.append(
            Equal(
                point.service,
                point.knob,
                None if best is None else pooled_ratio(best.risk, point.risk),
                float("nan") if best is None else best.knob,
                None if least is None else spent_ratio(least.symbols_per_s, point.symbols_per_s),
                float("nan") if least is None else least.knob,
            )
        )
    return out


def acting_folder(asked: Asked, session: Session, hall: Hall) -> StudyFolder:
    """Make the folder in which every policy moves the machines by itself, beside the run in which reactive does."""
    variants = [variant(hall, RIDING, of_policies(asked.policies))]
    variants += [variant(hall, f"acting-{p}", of_policies((p,), p)) for p in asked.policies if p != "reactive"]
    return session.folder("acting", hall, variants, asked.acting)


@dataclass(frozen=True, slots=True)
class ActingRow:
    """What a policy's ride says beside what its own run says, (S,) each: unavailability, stops and minutes lost."""

    policy: str
    risk_riding: Floats
    risk_acting: Floats
    stops_riding: Floats
    stops_acting: Floats
    minutes_riding: Floats
    minutes_acting: Floats


def acting_rows(asked: Asked, folder: StudyFolder) -> list[ActingRow]:
    """Compare the ledger of runs in which a policy acts with what was reckoned from its outages while it rode along."""
    out = []
    for policy in asked.policies:
        name = RIDING if policy == "reactive" else f"acting-{policy}"
        pools = pairs_of(folder, RIDING, name) if name in folder.variants else None
        if pools is None:
            continue
        ride, act = pools
        stops, minutes = ride.stops(policy)
        out.append(
            ActingRow(
                policy, ride.risk(policy, CONTROL), act.risk(policy, CONTROL), stops, act.of_run("stops"), minutes,
                act.of_run("radio_min"),
            )
        )  # fmt: skip
    return out


def mean_of(values: Floats) -> float:
    """Mean over seeds."""
    return float(np.mean(values))
