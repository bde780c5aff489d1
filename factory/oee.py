"""Manufacturing key figures of ISO 22400-2, as pure functions of times and quantities.

Symbols are the standard's: P planned, A actual; PBT planned busy time, AUBT actual unit busy time, AUPT actual unit
processing time, APT actual production time, AUST actual unit set-up time, ADET actual unit delay time, AOET actual order
execution time, APWT and APAT actual personnel work and attendance time; PRI planned run time per item; PQ, GQ, SQ, RQ
produced, good, scrap and rework quantity; GP good parts of a first pass, IP inspected parts. Times share one unit, whatever
it is.

A ratio whose denominator is 0 (no time was planned, nothing was produced) is not defined: None, never 0 and never an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _product(*factors: float | None) -> float | None:
    out = 1.0
    for factor in factors:
        if factor is None:
            return None
        out *= factor
    return out


def availability(apt: float, pbt: float) -> float | None:
    """Availability, APT / PBT; None where no time was planned (PBT = 0)."""
    return _ratio(apt, pbt)


def effectiveness(pri: float, pq: float, apt: float) -> float | None:
    """Effectiveness, PRI PQ / APT: planned time of what was produced against the time that it took."""
    return _ratio(pri * pq, apt)


def quality_ratio(gq: float, pq: float) -> float | None:
    """Quality ratio, GQ / PQ."""
    return _ratio(gq, pq)


def oee(apt: float, pbt: float, pri: float, pq: float, gq: float) -> float | None:
    """Overall equipment effectiveness: availability times effectiveness times quality ratio.

    With PBT = 0 it is None: there was nothing to be effective in. In planned time in which nothing was produced it is 0.
    """
    if pbt > 0 and (apt <= 0 or pq <= 0):
        return 0.0
    return _product(availability(apt, pbt), effectiveness(pri, pq, apt), quality_ratio(gq, pq))


def nee(aupt: float, pbt: float, pri: float, pq: float, apt: float, gq: float) -> float | None:
    """Net equipment effectiveness: AUPT / PBT times effectiveness times quality ratio, so that setting up is no loss."""
    if pbt > 0 and (apt <= 0 or pq <= 0):
        return 0.0
    return _product(_ratio(aupt, pbt), effectiveness(pri, pq, apt), quality_ratio(gq, pq))


def allocation_efficiency(aubt: float, pbt: float) -> float | None:
    """Allocation efficiency, AUBT / PBT: share of the planned time in which the unit was busy."""
    return _ratio(aubt, pbt)


def allocation_ratio(aubt: float, aoet: float) -> float | None:
    """Allocation ratio, AUBT / AOET: busy time of the units against the time that the orders took."""
    return _ratio(aubt, aoet)


def utilization_efficiency(apt: float, aubt: float) -> float | None:
    """Utilization efficiency, APT / AUBT."""
    return _ratio(apt, aubt)


def technical_efficiency(apt: float, adet: float) -> float | None:
    """Technical efficiency, APT / (APT + ADET)."""
    return _ratio(apt, apt + adet)


def throughput_rate(pq: float, aoet: float) -> float | None:
    """Throughput rate, PQ / AOET, per unit of time."""
    return _ratio(pq, aoet)


def process_ratio(apt: float, aoet: float) -> float | None:
    """Process ratio, APT / AOET."""
    return _ratio(apt, aoet)


def setup_ratio(aust: float, aupt: float) -> float | None:
    """Give the set-up ratio, AUST / AUPT."""
    return _ratio(aust, aupt)


def worker_efficiency(apwt: float, apat: float) -> float | None:
    """Worker efficiency, APWT / APAT."""
    return _ratio(apwt, apat)


def first_pass_yield(gp: float, ip: float) -> float | None:
    """First pass yield, GP / IP."""
    return _ratio(gp, ip)


def scrap_ratio(sq: float, pq: float) -> float | None:
    """Scrap ratio, SQ / PQ."""
    return _ratio(sq, pq)


def rework_ratio(rq: float, pq: float) -> float | None:
    """Rework ratio, RQ / PQ."""
    return _ratio(rq, pq)


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """Times and quantities of one machine, or the sums of several.

    Attributes
    ----------
    pbt_s : planned busy time. apt_s : producing. aust_s : setting up, handing over. adet_s : standing while there is work.
    idle_s : planned, without work: no order, charging. PBT = APT + AUST + ADET + idle. All in s.
    aoet_s : execution time of finished orders, from taking to delivering [s]; a cobot's run is one order.
    pq, gq : produced, good quantity. planned_s : PRI PQ, summed over kinds of items [s].
    radio_s : what the radio cost of it [s]: standing, queues behind, speeding up, longer separations.
    radio_adet_s : the part of that which lies in the delay time [s].
    """

    pbt_s: float = 0.0
    apt_s: float = 0.0
    aust_s: float = 0.0
    adet_s: float = 0.0
    idle_s: float = 0.0
    aoet_s: float = 0.0
    pq: float = 0.0
    gq: float = 0.0
    planned_s: float = 0.0
    radio_s: float = 0.0
    radio_adet_s: float = 0.0

    @property
    def aupt_s(self) -> float:
        """AUPT, processing time: producing and setting up [s]."""
        return self.apt_s + self.aust_s

    @property
    def aubt_s(self) -> float:
        """AUBT, busy time: processing and delays [s]."""
        return self.aupt_s + self.adet_s

    @property
    def pri_s(self) -> float:
        """PRI, planned run time per item, the mean over what was produced [s]; 0 where nothing was."""
        return self.planned_s / self.pq if self.pq else 0.0

    @property
    def oee(self) -> float | None:
        """Overall equipment effectiveness."""
        return oee(self.apt_s, self.pbt_s, self.pri_s, self.pq, self.gq)

    @property
    def losses_s(self) -> dict[str, float]:
        """Where the planned time went, adding up to PBT [s].

        ``good``: planned time of good items; ``quality``: of the others; ``speed``: production beyond the planned time
        (negative where it was faster); ``setup``; ``idle``; ``delay_radio`` and ``delay_other``: ADET.
        """
        good = self.planned_s * (self.gq / self.pq if self.pq else 0.0)
        return {
            "good": good,
            "quality": self.planned_s - good,
            "speed": self.apt_s - self.planned_s,
            "setup": self.aust_s,
            "idle": self.idle_s,
            "delay_radio": self.radio_adet_s,
            "delay_other": self.adet_s - self.radio_adet_s,
        }

    def figures(self) -> dict[str, float | dict[str, float] | None]:
        """All ratios, times [s] and quantities, and the radio's share.

        ``radio_share_of_delay``: of ADET. ``radio_share_of_loss``: of the planned time that made no good item; None where none
        was lost. ``reason`` says why ``oee`` is None.
        """
        lost_s = self.pbt_s - self.losses_s["good"]
        return {
            "oee": self.oee,
            "nee": nee(self.aupt_s, self.pbt_s, self.pri_s, self.pq, self.apt_s, self.gq),
            "availability": availability(self.apt_s, self.pbt_s),
            "effectiveness": effectiveness(self.pri_s, self.pq, self.apt_s),
            "quality_ratio": quality_ratio(self.gq, self.pq),
            "allocation_efficiency": allocation_efficiency(self.aubt_s, self.pbt_s),
            "allocation_ratio": allocation_ratio(self.aubt_s, self.aoet_s),
            "utilization_efficiency": utilization_efficiency(self.apt_s, self.aubt_s),
            "technical_efficiency": technical_efficiency(self.apt_s, self.adet_s),
            "throughput_per_hour": None if (rate := throughput_rate(self.pq, self.aoet_s)) is None else 3600 * rate,
            "process_ratio": process_ratio(self.apt_s, self.aoet_s),
            "setup_ratio": setup_ratio(self.aust_s, self.aupt_s),
            "scrap_ratio": scrap_ratio(self.pq - self.gq, self.pq),
            "pbt_s": self.pbt_s,
            "apt_s": self.apt_s,
            "aust_s": self.aust_s,
            "aupt_s": self.aupt_s,
            "adet_s": self.adet_s,
            "aubt_s": self.aubt_s,
            "aoet_s": self.aoet_s,
            "idle_s": self.idle_s,
            "pri_s": self.pri_s,
            "pq": self.pq,
            "gq": self.gq,
            "losses_s": self.losses_s,
            "radio_s": self.radio_s,
            "radio_share_of_delay": _ratio(self.radio_adet_s, self.adet_s),
            "radio_share_of_loss": _ratio(self.radio_s, lost_s),
        }


def together(units: Iterable[WorkUnit]) -> WorkUnit:
    """Sum up several work units."""
    total = WorkUnit()
    for unit in units:
        total = WorkUnit(**{f.name: getattr(total, f.name) + getattr(unit, f.name) for f in fields(WorkUnit)})
    return total
