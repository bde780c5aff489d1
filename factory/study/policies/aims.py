"""What was aimed for, hall by hall: met, not met, or cannot be told, with the reason in words.

Ratios of unavailability are compared within seeds by `factory.study.paired.pooled_ratio`; a verdict needs the whole 95 %
interval on one side of the aim. Symbols are compared by the ratio of their means with Student's t. An aim of several conditions
is met where all are, not met where one is not, else cannot be told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.study.paired import Estimate, mean_difference, pooled_ratio

Floats = npt.NDArray[np.float64]

MET, NOT_MET, OPEN, NOT_ASKED = "met", "not met", "cannot be told", "not asked"
LESS_RISK, ASKED_ABOVE, MORE_SYMBOLS = 0.01, 1e-6, 1.15
FEWER_REDUNDANT, OF_ORACLE, CAPACITY, DECADES_LEFT = 0.2, 2.0, 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """An aim in a hall: `MET`, `NOT_MET`, `OPEN` or `NOT_ASKED`; ``figure`` with its interval in words; why."""

    aim: str
    verdict: str
    figure: str
    reason: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy's control services over seeds: (S,) unavailability, symbols, and of these the redundant ones."""

    risk: Floats
    symbols: Floats
    redundant: Floats


def spent_ratio(a: Floats, b: Floats) -> Estimate:
    """Give the ratio of the means of symbols, b to a, with Student's t of ``b - R a`` over seeds; they are not rare.

    Parameters
    ----------
    a, b : (n,) of the same seeds. NaN where ``a`` has none.
    """
    n, base = len(a), float(np.mean(a)) if len(a) else 0.0
    if base <= 0.0:
        return Estimate(math.nan, math.nan, math.nan, math.nan, n, "none in the one it is compared with")
    value = float(np.mean(b)) / base
    found = mean_difference(value * a, b)
    if not found.told:
        return Estimate(value, math.nan, math.nan, math.nan, n, found.reason)
    return Estimate(value, max(value + found.low / base, 0.0), value + found.high / base, math.nan, n)


def below(found: Estimate, bound: float) -> str:
    """Say whether a ratio is at most ``bound``, by its interval."""
    if math.isnan(found.value) and found.reason == "none in either":
        return MET
    if math.isfinite(found.high) and found.high <= bound:
        return MET
    if found.value == math.inf and found.p <= 0.05:
        return NOT_MET
    if math.isfinite(found.low) and found.low > bound:
        return NOT_MET
    return OPEN


def both(*verdicts: str) -> str:
    """Put conditions together."""
    return NOT_MET if NOT_MET in verdicts else OPEN if OPEN in verdicts else MET


def in_words(found: Estimate) -> str:
    """Tell a ratio with its interval."""
    if math.isnan(found.value):
        return found.reason or "no ratio"
    if not found.told:
        return f"x {found.value:.3g} ({found.reason or 'no interval'})"
    return f"x {found.value:.3g} ({found.low:.2g} to {found.high:.2g})"


def against_reactive(aware: Compared, reactive: Compared) -> Verdict:
    """>= 100 times less unavailability than reactive at its best fixed margin, at <= 15 % more symbols of control."""
    aim = ">= 100x less unavailability than reactive at <= 15 % more symbols, where reactive's exceeds 1e-6"
    level = float(reactive.risk.mean())
    risk, spent = pooled_ratio(reactive.risk, aware.risk), spent_ratio(reactive.symbols, aware.symbols)
    figure = f"unavailability {in_words(risk)}, symbols {in_words(spent)}"
    if level <= ASKED_ABOVE:
        return Verdict(aim, NOT_ASKED, figure, f"reactive's unavailability is {level:.2g}")
    one, other = below(risk, LESS_RISK), below(spent, MORE_SYMBOLS)
    why = f"unavailability: {one}, symbols: {other}; reactive's unavailability is {level:.2g}"
    return Verdict(aim, both(one, other), figure, why)


def against_duplicate(aware: Compared, duplicate: Compared) -> Verdict:
    """>= 80 % fewer redundant symbols than duplicate at no worse availability."""
    aim = ">= 80 % fewer redundant symbols than duplicate at no worse unavailability"
    risk, spent = pooled_ratio(duplicate.risk, aware.risk), spent_ratio(duplicate.redundant, aware.redundant)
    figure = f"redundant symbols {in_words(spent)}, unavailability {in_words(risk)}"
    if not duplicate.redundant.any():
        return Verdict(aim, NOT_ASKED, figure, "duplicate had no second leg to send on")
    one, other = below(spent, FEWER_REDUNDANT), below(risk, 1.0)
    return Verdict(aim, both(one, other), figure, f"redundant symbols: {one}, unavailability no worse: {other}")


def against_oracle(aware: Compared, oracle: Compared) -> Verdict:
    """Unavailability within twice the oracle's."""
    risk = pooled_ratio(oracle.risk, aware.risk)
    verdict = below(risk, OF_ORACLE)
    reason = "neither had any" if math.isnan(risk.value) else "the oracle had none" if not oracle.risk.any() else ""
    return Verdict("within 2x of the oracle's unavailability", verdict, in_words(risk), reason)


def never_worse(aware: Compared, reactive: Compared) -> Verdict:
    """Not worse than reactive at the hall's own margin by more than the interval."""
    aim = "never worse than reactive by more than the interval"
    risk = pooled_ratio(reactive.risk, aware.risk)
    worse = (math.isfinite(risk.low) and risk.low > 1.0) or (risk.value == math.inf and risk.p <= 0.05)
    few = bool(risk.reason) and not math.isnan(risk.value) and not risk.told and risk.value != math.inf
    verdict = NOT_MET if worse else OPEN if few and risk.value > 1.0 else MET
    return Verdict(aim, verdict, in_words(risk), risk.reason)


def by_forecasts(aware: Compared, adaptive: Compared) -> Verdict:
    """Less unavailability than the same planner that is not told where people go."""
    aim = "forecasts of people pay: less unavailability than adaptive, which has none"
    risk, spent = pooled_ratio(adaptive.risk, aware.risk), spent_ratio(adaptive.symbols, aware.symbols)
    figure = f"unavailability {in_words(risk)}, symbols {in_words(spent)}"
    if math.isnan(risk.value):
        return Verdict(aim, NOT_ASKED, figure, "neither had any")
    verdict = below(risk, 1.0)
    if verdict == MET and risk.low >= 1.0:
        return Verdict(aim, NOT_MET, figure, "both have the same: what is lost here people do not take")
    if verdict == MET and risk.high >= 1.0:
        return Verdict(aim, OPEN, figure, "the interval holds 1")
    return Verdict(aim, verdict, figure, risk.reason)


def capacity_aim(aware: tuple[float, float, float], reactive: tuple[float, float, float], most: bool) -> Verdict:
    """>= 2 times the devices of reactive at its best fixed margin.

    Parameters
    ----------
    aware, reactive : devices carried: value, low, high. most : whether human_aware carried the most that was tried.
    """
    aim = "carries >= 2x the devices of reactive at its best fixed margin"
    figure = " against ".join(f"{v:.0f} ({low:.0f} to {high:.0f})" for v, low, high in (aware, reactive))
    if aware[0] == 0.0 and reactive[0] == 0.0:
        return Verdict(aim, OPEN, figure, "neither meets the targets even without further devices, so there is no ratio")
    if most and reactive[0] * CAPACITY > aware[0]:
        return Verdict(aim, OPEN, figure, "human_aware carries the most that was tried")
    if aware[1] > 0.0 and aware[1] >= CAPACITY * reactive[2]:
        return Verdict(aim, MET, figure, "reactive carries none" if reactive[0] == 0.0 else "")
    if aware[2] < CAPACITY * reactive[1]:
        return Verdict(aim, NOT_MET, figure, f"ratio {aware[0] / reactive[0]:.2g}" if reactive[0] else "")
    return Verdict(aim, OPEN, figure, "the intervals over seeds hold both")


def decades(reactive: Floats, aware: Floats) -> float:
    """Gain in decades, NaN where one of them had no risk."""
    a, b = float(np.mean(reactive)), float(np.mean(aware))
    return math.log10(a / b) if a > 0.0 and b > 0.0 else math.nan


def tags_aim(reactive: Floats, by_poses: Floats, by_tags: Floats) -> Verdict:
    """At least half of the gain in decades stays with tags of 10 cm at 5 Hz; the interval is by resampling seeds."""
    aim = "with tags of 10 cm at 5 Hz at least half of the gain in decades stays"
    full, left = decades(reactive, by_poses), decades(reactive, by_tags)
    figure = f"{left:.2f} of {full:.2f} decades"
    if math.isnan(full) or math.isnan(left):
        return Verdict(aim, OPEN, "no decades", "a policy had no risk in these seeds, so a gain has no decades")
    if full <= 0.0:
        return Verdict(aim, NOT_ASKED, figure, "there is no gain with true poses, so none can stay")
    n = len(reactive)
    drawn = np.random.default_rng([510, n]).multinomial(n, np.full(n, 1.0 / n), size=1000).astype(np.float64)
    means = [drawn @ values for values in (reactive, by_poses, by_tags)]
    kept = (means[0] > 0.0) & (means[1] > 0.0) & (means[2] > 0.0)
    gain = np.log10(means[0][kept] / means[1][kept])
    surplus = np.log10(means[0][kept] / means[2][kept]) - DECADES_LEFT * gain
    low, high = np.quantile(surplus, (0.025, 0.975))
    verdict = OPEN if n < 4 else MET if low >= 0.0 else NOT_MET if high < 0.0 else OPEN
    return Verdict(aim, verdict, figure, f"share that stays {left / full:.2f}; {n} seeds")


def agree(risk: dict[str, Floats]) -> Verdict:
    """With people absent all policies agree within their intervals with reactive."""
    aim = "with people absent all policies agree within their intervals"
    apart = []
    for name, values in risk.items():
        if name == "reactive":
            continue
        found = pooled_ratio(risk["reactive"], values)
        by_difference = mean_difference(risk["reactive"], values)
        equal = math.isnan(found.value) or found.value == 1.0
        if equal or (math.isfinite(found.low) and found.low <= 1.0 and not found.high < 1.0):
            continue
        if not found.told and (math.isnan(by_difference.p) or by_difference.p > 0.05):
            continue
        apart.append(f"{name} {in_words(found)}")
    known = f"{len(next(iter(risk.values())))} seeds"
    return Verdict(aim, NOT_MET if apart else MET, known, "; ".join(apart) or "all agree with reactive")
