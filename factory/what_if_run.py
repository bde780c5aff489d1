"""The part of a what-if from here that runs in the child: both futures of every pair, their measures, and the card.

Everything a study needs is imported here, and this module in the child alone: loading it takes longer than many ticks.
"""

from __future__ import annotations

import math
from typing import Any

from bridges.inbox import Inbox
from factory.branching import branch, changed, channel_of, present, why_not
from factory.child_jobs import JobError, Json, Tell, Teller
from factory.kpi import policy_figures
from factory.production import production
from factory.saved_state import generators_of, reseed, restore, save
from factory.scenario import LoadedScenario
from factory.study.compare import Material, Row, VariantRuns, compare
from factory.study.compare_words import amount, plain
from factory.study.measures import Measure, measures
from factory.twin import Twin

_ROWS = 24
_BASE, _VARIANT = "present", "changed"


def what_if(twin: Twin, changes: list[str], seconds: float, seeds: int, from_state: bool, teller: Teller) -> Json:
    """Run pairs of futures and return their card; see :class:`factory.what_if_jobs.WhatIfJobs`.

    Raises
    ------
    UserError
        For a change that is none, that the scenario refuses, or that makes no difference.
    """
    base = present(twin)
    other = changed(base, changes)
    if base.scenario == other.scenario:
        raise JobError(f"{', '.join(changes)}: nothing differs from the present; give another value")
    reason = (why_not(base.scenario, other.scenario) or _no_future(twin)) if from_state else "asked for"
    if reason:
        teller.about({"from": "start", "from_us": 0, "why": reason})
    runs = _from_start if reason else _from_here
    return card(*runs(twin, base, other, seconds, seeds, teller), seconds)


def _no_future(twin: Twin) -> str:
    """Say why nobody knows how the present of a twin beside a plant goes on, "" where it does."""
    live = twin.live
    if live is not None and live.people is not None:
        return "people are those of the plant, and no tag tells where they will go; from the start they are simulated"
    if (live is not None and live.agvs is not None) or twin.observed is not None:
        return "machines follow those of the plant, whose orders are not known; from the start they are simulated"
    return ""


Figures = dict[str, Measure]


def _from_here(
    twin: Twin, base: LoadedScenario, other: LoadedScenario, seconds: float, seeds: int, tell: Tell
) -> tuple[list[Figures], list[Figures]]:
    twin.inbox = Inbox()  # commands that wait are for the running twin; a copied lock may be held by nobody
    twin.live = None  # looking ahead, acting and keeping what was begun are the running twin's
    tell(0.0, "saving the present")
    channels = channel_of(base), channel_of(other)
    state = save(twin)
    found: tuple[list[Figures], list[Figures]] = ([], [])
    for seed in range(1, seeds + 1):
        for k, loaded in enumerate((base, other)):
            restore(state)
            branch(twin, loaded, channels[k])
            reseed(twin, (seed,), generators_of(twin))
            before = production(twin)
            _run(twin, seconds, _told(tell, seed, seeds, k))
            found[k].append(_figures(twin, before, seconds))
    return found


def _from_start(
    twin: Twin, base: LoadedScenario, other: LoadedScenario, seconds: float, seeds: int, tell: Tell
) -> tuple[list[Figures], list[Figures]]:
    first = base.scenario.seed
    found: tuple[list[Figures], list[Figures]] = ([], [])
    for seed in range(seeds):
        for k, loaded in enumerate((base, other)):
            fresh = Twin(changed(loaded, [f"seed={first + seed}", f"duration_s={seconds:.10g}"]))
            try:
                before = production(fresh)
                _run(fresh, seconds, _told(tell, seed + 1, seeds, k))
                found[k].append(_figures(fresh, before, seconds))
            finally:
                fresh.close()
    return found


def _told(tell: Tell, seed: int, seeds: int, k: int) -> Tell:
    def part(share: float, words: str) -> None:
        tell((2 * (seed - 1) + k + share) / (2 * seeds), f"{(_BASE, _VARIANT)[k]}, pair {seed} of {seeds}: {words}")

    return part


def _run(twin: Twin, seconds: float, tell: Tell) -> None:
    ticks = max(1, round(seconds * 1e6 / twin.dt_us))
    for n in range(ticks):
        twin.tick()
        if n % 20 == 0:
            tell(n / ticks, f"{n * twin.dt_us / 1e6:.0f} of {seconds:.0f} s")


def _figures(twin: Twin, before: Json, seconds: float) -> Figures:
    """Return the measures of a future: messages since its radio began, orders, parts and stops since ``before``."""
    network, account = twin.networks[0] if twin.networks else None, twin.accounts
    kpi: Json = {"acting_policy": None, "policies": {}}
    if network is not None:
        figures = policy_figures(twin, network.kpi.result(seconds, replicates=1), account[0].result())
        kpi = {"acting_policy": network.policy, "policies": {network.policy: figures}}
    after = production(twin)
    kpi["production"] = {key: _since(before[key], after[key]) for key in ("orders", "parts", "ledger")}
    kpi["acting_policy"] = None if network is None else network.policy
    return {k: m for k, m in measures(kpi).items() if math.isfinite(m.value)}


def _since(before: Any, after: Any) -> Any:
    """Return what was added to sums: numbers, or mappings of them in which what was none is absent."""
    if isinstance(after, dict):
        return {key: _since(before.get(key, {} if isinstance(after[key], dict) else 0), after[key]) for key in after}
    if isinstance(after, int | float) and not isinstance(after, bool):
        return after - (before if isinstance(before, int | float) else 0)
    return after


def card(base: list[Figures], other: list[Figures], seconds: float) -> Json:
    """Return the comparison card of pairs of futures.

    Parameters
    ----------
    base, other : measures of every pair.
    seconds : twin time of a future [s].

    Returns
    -------
    ``pairs``, ``note`` and ``rows``, the headline measures first: words, both means, difference with its 95 % interval where the
    pairs allow one, and the verdict of ``factory.study.compare`` (Holm over the rows of a family).
    """
    seeds = tuple(range(1, len(base) + 1))
    runs = [VariantRuns(name, "", (), (), tuple(figures)) for name, figures in ((_BASE, base), (_VARIANT, other))]
    comparison = compare(Material("what-if", tuple(runs), seeds, seconds / 60, True, ""))
    rows = comparison.headline + tuple(
        r for r in comparison.rows if not r.measure.headline and r.measure.key != comparison.key and _worth(r)
    )
    note = "one pair: no interval" if len(seeds) == 1 else f"{len(seeds)} pairs, 95 % intervals"
    return {"pairs": len(seeds), "note": note, "rows": [_row(r) for r in rows[:_ROWS]]}


def _worth(row: Row) -> bool:
    """Whether a measure that is not told first is worth a line: it differs, and no other line says the same."""
    return not row.measure.derived and row.base != row.other and row.measure.group in ("services", "stops", "minutes", "causes")


def _row(row: Row) -> Json:
    m, d = row.measure, row.difference
    low, high = (_number(x) for x in (d.low, d.high))
    interval = ""
    if low is not None and high is not None and d.pairs > 1:
        interval = f"{plain(amount(m, low))} to {plain(amount(m, high))}"
    return {
        "key": m.key,
        "label": m.label,
        "unit": m.unit,
        "base": row.base,
        "other": row.other,
        "base_text": plain(amount(m, row.base)),
        "other_text": plain(amount(m, row.other)),
        "difference": _number(d.value),
        "difference_text": ("+" if d.value > 0 else "") + plain(amount(m, d.value)),
        "low": low if d.pairs > 1 else None,
        "high": high if d.pairs > 1 else None,
        "interval_text": interval,
        "better": m.better,
        "verdict": "equal" if row.base == row.other and d.pairs == 1 else "too few" if d.pairs == 1 else row.verdict,
        "reason": "one pair: no interval" if d.pairs == 1 else row.reason,
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
