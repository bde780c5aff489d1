"""Says whether runs are worse than a baseline: bounds are compared, not points, so that other draws of the same code pass.

Every figure of the baseline is tested alone ("worse than before by more than the tolerated factor"; seeds are the independent
units), and Holm's procedure holds the rate of false alarms for all figures of a check together. docs/regression.md has the rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factory.errors import UserError
from factory.study.baseline import Baseline, GatedKpi, SeedFigures
from factory.study.gate_statistics import Statistic, factor_interval, holm, holm_adjusted, p_worse, smallest_p
from factory.study.measures import Measure, measures

STATISTIC: Statistic = "mann_whitney"
"""The test that checks use; `gate_power` compares it with the others."""
_GATED_SERVICE = ("unavailability", "failures_per_hour")
_GATED_HALL = ("stops.communication", "stops.person_near", "radio_minutes.total", "production.orders", "production.parts")


@dataclass(frozen=True, slots=True)
class KpiVerdict:
    """What became of one figure.

    Attributes
    ----------
    key, label, unit : which figure.
    before, now : means over the seeds; ``now`` is NaN where a run has no such figure any more.
    factor : the factor of getting worse, from, to (95 %): of the typical seed, not of the means.
    tolerance : factor that is tolerated.
    p : p value of "worse by no more than the tolerance", after Holm's correction.
    alarm : whether it is worse.
    lacking : number of seeds that have no such figure any more.
    """

    key: str
    label: str
    unit: str
    before: float
    now: float
    factor: tuple[float, float]
    tolerance: float
    p: float
    alarm: bool
    lacking: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to.

    Attributes
    ----------
    scenario : name of the scenario.
    kpis : every figure, alarms first, then by p value.
    causes : (cause, messages lost per seed before, now), those first that grew most.
    n_before, n_now : number of seeds.
    rate : largest probability of a false alarm.
    worst_seed : seed with the largest part in the first alarm, None without one.
    """

    scenario: str
    kpis: tuple[KpiVerdict, ...]
    causes: tuple[tuple[str, float, float], ...]
    n_before: int
    n_now: int
    rate: float
    worst_seed: int | None

    @property
    def alarms(self) -> tuple[KpiVerdict, ...]:
        """Figures that are worse."""
        return tuple(k for k in self.kpis if k.alarm)


def gated(kpi: Mapping[str, object]) -> dict[str, Measure]:
    """Return the figures of a run that a check looks at: of every service unavailability and failures, stops, minutes, orders."""
    found = measures(kpi)
    return {
        key: measure
        for key, measure in found.items()
        if key in _GATED_HALL or (key.startswith("service.") and key.rsplit(".", 1)[1] in _GATED_SERVICE)
    }


def figures_of(seeds: tuple[int, ...], kpis: list[dict[str, object]]) -> SeedFigures:
    """Collect what a check looks at from the kpi.json of its seeds.

    Parameters
    ----------
    seeds : the seeds.
    kpis : content of kpi.json of each.
    """
    rows = [gated(kpi) for kpi in kpis]
    known = {key: measure for row in rows for key, measure in row.items()}
    lost: list[Mapping[str, Mapping[str, int]]] = [kpi.get("outages_by_cause") or {} for kpi in kpis]  # type: ignore[misc]
    causes = sorted({cause for row in lost for cause in row})
    return SeedFigures(
        seeds,
        {key: tuple(row[key].value if key in row else float("nan") for row in rows) for key in known},
        {key: measure.unit for key, measure in known.items()},
        {key: measure.label for key, measure in known.items()},
        {key: "higher" if measure.better == "higher" else "lower" for key, measure in known.items()},
        {cause: tuple(int(row[cause]["messages"]) if cause in row else 0 for row in lost) for cause in causes},
    )


def refuse_few_seeds(n_before: int, n_now: int, n_kpis: int, rate: float, statistic: Statistic = STATISTIC) -> None:
    """Raise where so few seeds could never raise an alarm.

    Raises
    ------
    UserError
        With the number of seeds that would be enough.
    """
    wanted = rate / n_kpis
    if min(n_before, n_now) >= 2 and smallest_p(statistic, n_before, n_now) <= wanted:
        return
    enough = next(n for n in range(2, 1000) if smallest_p(statistic, max(n, n_before), max(n, n_now)) <= wanted)
    raise UserError(
        f"{n_now} seeds against {n_before} of the baseline can never raise an alarm about any of {n_kpis} figures at a "
        f"false-alarm rate of {rate:g}: take at least {enough} of each (--seeds {enough}), or gate fewer figures"
    )


def judge(baseline: Baseline, figures: SeedFigures, statistic: Statistic = STATISTIC) -> Verdict:
    """Compare what a check's seeds came to with a baseline.

    Parameters
    ----------
    baseline : what it was before.
    figures : what it is now; figures that the baseline does not have are not looked at.
    statistic : name of the test.

    Raises
    ------
    UserError
        Where there are too few seeds to ever raise an alarm.
    """
    rate, n_now, n_before = baseline.false_alarm_rate, len(figures.seeds), len(baseline.seeds)
    refuse_few_seeds(n_before, n_now, len(baseline.kpis), rate, statistic)
    keys = list(baseline.kpis)
    now = {key: np.array(figures.values.get(key, (np.nan,) * n_now), dtype=np.float64) for key in keys}
    p = np.array([_p(statistic, baseline.kpis[key], now[key]) for key in keys])
    rejected, adjusted = holm(p, rate), holm_adjusted(p)
    found = [
        _verdict(statistic, key, baseline.kpis[key], now[key], float(adjusted[k]), bool(rejected[k]))
        for k, key in enumerate(keys)
    ]
    found.sort(key=lambda v: (not v.alarm, v.p, v.key))
    first = next((v for v in found if v.alarm and not v.lacking), None)
    worst = None
    if first is not None:
        sign = 1.0 if baseline.kpis[first.key].better == "lower" else -1.0
        worst = figures.seeds[int(np.argmax(sign * now[first.key]))]
    return Verdict(baseline.scenario, tuple(found), _causes(baseline, figures), n_before, n_now, rate, worst)


def _p(statistic: Statistic, kpi: GatedKpi, now: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    if not np.isfinite(now).all():
        return 0.0  # a figure that the code gave before and does not give any more
    before = np.array(kpi.values, dtype=np.float64)
    return float(p_worse(statistic, before, now, kpi.tolerance, kpi.floor, kpi.better))


def _verdict(
    statistic: Statistic, key: str, kpi: GatedKpi, now: np.ndarray[tuple[int, ...], np.dtype[np.float64]], p: float, alarm: bool
) -> KpiVerdict:
    lacking = int((~np.isfinite(now)).sum())
    before = np.array(kpi.values, dtype=np.float64)
    if lacking:
        factor, mean = (float("nan"), float("nan")), float("nan")
    else:
        factor, mean = factor_interval(statistic, before, now, kpi.floor, kpi.better), float(now.mean())
    return KpiVerdict(key, kpi.label or key, kpi.unit, float(before.mean()), mean, factor, kpi.tolerance, p, alarm, lacking)


def _causes(baseline: Baseline, figures: SeedFigures) -> tuple[tuple[str, float, float], ...]:
    """Messages lost per seed by cause, before and now, the largest growth first."""
    rows = []
    for cause in sorted(set(baseline.causes) | set(figures.causes)):
        before = float(np.mean(baseline.causes.get(cause, (0,))))
        now = float(np.mean(figures.causes.get(cause, (0,))))
        rows.append((cause, before, now))
    return tuple(sorted(rows, key=lambda row: row[1] - row[2]))
