"""One row of a validation table: our number beside theirs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Rule = Literal["within", "at most", "at least", "reported"]
HEADINGS = ("case", "ours", "reference", "unit", "tolerance", "source", "ok")


@dataclass(frozen=True, slots=True)
class Row:
    """Our number beside a published or independently computed one.

    Attributes
    ----------
    table, case : where the row belongs and what it is about.
    ours, reference : the two numbers [unit].
    unit : unit of both and of the tolerance, "1" for a pure number.
    tolerance : largest difference that is still agreement.
    source : where the reference comes from.
    rule : ``within`` the tolerance of the reference, or ``at most`` or ``at least`` the reference, give or take the tolerance;
        ``reported`` rows stand for information and cannot disagree, their tolerance says how many digits are worth printing.
    """

    table: str
    case: str
    ours: float
    reference: float
    unit: str
    tolerance: float
    source: str
    rule: Rule = "within"

    @property
    def ok(self) -> bool:
        """Whether our number agrees; one that is not finite does not."""
        if not math.isfinite(self.ours):
            return False
        if self.rule == "reported":
            return True
        difference = self.ours - self.reference
        if self.rule == "at most":
            return difference <= self.tolerance
        if self.rule == "at least":
            return difference >= -self.tolerance
        return abs(difference) <= self.tolerance

    @property
    def _verdict(self) -> str:
        if not self.ok:
            return "NO"
        return "reported" if self.rule == "reported" else "yes"

    def cells(self) -> tuple[str, str, str, str, str, str, str]:
        """Case, ours, reference, unit, tolerance, source and ok as a reader sees them."""
        bound = {"at most": "≤ ", "at least": "≥ "}.get(self.rule, "")
        margin = {"within": f"± {self.tolerance:g}", "reported": "–"}.get(self.rule, f"{self.tolerance:g}")
        unit = "" if self.unit == "1" else self.unit
        ours, reference = number(self.ours, self.tolerance), number(self.reference, self.tolerance)
        return self.case, ours, bound + reference, unit, margin, self.source, self._verdict


def number(value: float, tolerance: float) -> str:
    """Write a number with as many decimals as its tolerance is worth, and one more.

    Parameters
    ----------
    value, tolerance : in the same unit; a tolerance of 0 gives two decimals.
    """
    if tolerance <= 0.0:
        return f"{value:.2f}"
    if not math.isfinite(value) or (value != 0.0 and not 1e-2 <= abs(value) < 1e6):
        return f"{value:.3g}"
    decimals = max(0, 1 - math.floor(math.log10(tolerance) + 1e-9))
    return f"{value:.{min(decimals, 6)}f}"
