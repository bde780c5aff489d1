"""One row of a validation table: our number beside theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    ours, reference : the two numbers [unit]; a row that is only reported may have no reference, which is nan.
    unit : unit of both and of the tolerance, "1" for a pure number.
    tolerance : largest difference that is still agreement.
    source : where the reference comes from.
    rule : ``within`` the tolerance of the reference, or ``at most`` or ``at least`` the reference, give or take the tolerance;
        ``reported`` rows stand for information and cannot disagree, their tolerance says how many digits are worth printing.
    known : whether a bound that is not met is known and told as missed, and does not make the validation fail.
    """

    table: str
    case: str
    ours: float
    reference: float
    unit: str
    tolerance: float
    source: str
    rule: Rule = "within"
    known: bool = False

    @property
    def ok(self) -> bool:
        """Whether our number is as expected: it agrees, is only reported, or is known to miss; never one that is not finite."""
        return math.isfinite(self.ours) and (self.known or self.agrees)

    @property
    def missed(self) -> bool:
        """Whether a bound is missed and this is known."""
        return self.known and not self.agrees

    @property
    def agrees(self) -> bool:
        """Whether our number keeps the bound, if there is one; one that is not finite does not."""
        if not math.isfinite(self.ours):
            return False
        if self.rule == "reported":
            return True
        difference = self.ours - self.reference
        if self.rule == "at most":
            return bool(difference <= self.tolerance)
        if self.rule == "at least":
            return bool(difference >= -self.tolerance)
        return bool(abs(difference) <= self.tolerance)

    @property
    def _verdict(self) -> str:
        if not self.ok:
            return "NO"
        if self.missed:
            return "missed"
        return "reported" if self.rule == "reported" else "yes"

    def cells(self) -> tuple[str, str, str, str, str, str, str]:
        """Case, ours, reference, unit, tolerance, source and ok as a reader sees them."""
        bound = {"at most": "≤ ", "at least": "≥ "}.get(self.rule, "")
        margin = {"within": f"± {self.tolerance:.3g}", "reported": "–"}.get(self.rule, f"{self.tolerance:.3g}")
        unit = "" if self.unit == "1" else self.unit
        ours, reference = number(self.ours, self.tolerance), number(self.reference, self.tolerance)
        return self.case, ours, bound + reference, unit, margin, self.source, self._verdict


def tally(rows: Sequence[Row]) -> str:
    """Say how many rows agree, and how many have no bound or are known to miss theirs."""
    bound = [row for row in rows if row.rule != "reported"]
    missed = sum(row.missed for row in bound)
    agree = sum(row.agrees for row in bound)
    known = f", {missed} are known to miss their bound" if missed else ""
    return f"{agree} of {len(bound)} rows agree{known}; {len(rows) - len(bound)} more are reported."


def number(value: float, tolerance: float) -> str:
    """Write a number with as many decimals as its tolerance is worth, and one more.

    Parameters
    ----------
    value, tolerance : in the same unit; a tolerance of 0 gives two decimals, three below 1. No number is a dash.
    """
    if math.isnan(value):
        return "–"
    if tolerance <= 0.0:
        return f"{value:.2f}" if value == 0.0 or abs(value) >= 1.0 else f"{value:.3f}" if abs(value) >= 1e-3 else f"{value:.2g}"
    if not math.isfinite(value) or (value != 0.0 and not 1e-2 <= abs(value) < 1e6):
        return f"{value:.3g}"
    decimals = max(0, 1 - math.floor(math.log10(tolerance) + 1e-9))
    return f"{value:.{min(decimals, 6)}f}"
