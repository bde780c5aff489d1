"""Planned busy time: when the shift plan has anybody at work, and what the machines did then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from humans.shift_plan import PAUSE, ShiftPlan

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """What M machines, AGVs first, did in some time.

    Attributes
    ----------
    spent_us : (M, modes) time in each mode [us]. made : (M,) orders or parts.
    order_s : (M,) execution time of finished orders [s].
    radio_s : what the radio cost (M,) [s], by the way it did.
    """

    spent_us: Ints
    made: Ints
    order_s: Floats
    radio_s: dict[str, Floats]

    def since(self, before: Sums) -> Sums:
        """Give what was added since an earlier instant."""
        radio_s = {name: values - before.radio_s[name] for name, values in self.radio_s.items()}
        return Sums(self.spent_us - before.spent_us, self.made - before.made, self.order_s - before.order_s, radio_s)

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        radio_s = {name: values + other.radio_s[name] for name, values in self.radio_s.items()}
        return Sums(self.spent_us + other.spent_us, self.made + other.made, self.order_s + other.order_s, radio_s)

    def nothing(self) -> Sums:
        """Nothing at all, of as many machines."""
        return self.since(self)


def busy_spans_us(plan: ShiftPlan, end_us: int) -> Ints:
    """Give the spans (k, 2) [us] up to ``end_us`` in which a plan has anybody at work: without breaks, in order, apart."""
    works = plan.kind != PAUSE
    start, end = np.clip(plan.start_us[works], 0, end_us), np.clip(plan.end_us[works], 0, end_us)
    order = np.argsort(start, kind="stable")
    spans: list[list[int]] = []
    for a, b in zip(start[order].tolist(), end[order].tolist(), strict=True):
        if b <= a:
            continue
        if spans and a <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], b)
        else:
            spans.append([a, b])
    return np.array(spans, dtype=np.int64).reshape(-1, 2)
