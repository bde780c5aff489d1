"""Feeds a sequential test from the folder of a study: seed by seed, in order, as soon as all variants of a seed are there."""

from __future__ import annotations

import difflib
import math
from pathlib import Path

from factory.errors import UserError
from factory.run_folder import write_json
from factory.study.measures import Measure, measures
from factory.study.sequential import ALPHA, MIN_PAIRS, Look, Scale, SequentialTest
from factory.study.study_folder import BASE, StudyFolder

FILE = "early-stop.json"


class EarlyStop:
    """A sequential test on one KPI of a study.

    Parameters
    ----------
    folder : the study.
    kpi : key of the measure (docs/what-if.md).
    margin : difference that would not matter, on the scale of the test; None: only a difference stops.
    """

    def __init__(self, folder: StudyFolder, kpi: str, margin: float | None) -> None:
        self._folder, self.kpi, self._margin = folder, kpi, margin
        self.scale: Scale = "decades" if kpi.endswith(".unavailability") else "difference"
        self._others = tuple(v for v in folder.variants if v != BASE)
        self._test = SequentialTest(self._others, len(folder.seeds), margin=margin, scale=self.scale)
        self._next = 0
        self._used: list[int] = []
        self._unit = ""
        self._certain = False
        self._checked = False

    @classmethod
    def of(cls, text: str, folder: StudyFolder) -> EarlyStop:
        """Read ``KPI`` or ``KPI:MARGIN``.

        Raises
        ------
        UserError
            Where the margin is no number, or the study has too few seeds.
        """
        kpi, sign, rest = text.strip().partition(":")
        margin = None
        if sign:
            try:
                margin = float(rest)
            except ValueError:
                margin = math.nan
            if not (margin > 0 and math.isfinite(margin)):
                raise UserError(
                    f"--stop-early {text}: after the colon comes the difference that would not matter, such as {kpi}:0.1"
                )
        if not kpi:
            raise UserError(f"--stop-early {text}: name a KPI, such as production.orders")
        if len(folder.seeds) <= MIN_PAIRS:
            raise UserError(
                f"--stop-early: {len(folder.seeds)} seeds are too few; the first look is after {MIN_PAIRS}, give more"
            )
        return cls(folder, kpi, margin)

    def certain(self) -> bool:
        """Take in the seeds that have become complete, and say whether the study can stop.

        Raises
        ------
        UserError
            Where the runs have no such KPI.
        """
        seeds = self._folder.seeds
        while self._next < len(seeds) and not self._certain:
            seed = seeds[self._next]
            if not all(self._folder.done(v, seed) for v in self._folder.variants):
                if any(self._folder.failure(v, seed) for v in self._folder.variants):
                    self._next += 1  # a seed with a failed point makes no pair
                    continue
                break
            values = {v: self._value(v, seed) for v in self._folder.variants}
            self._test.add(values[BASE], values)
            self._used.append(seed)
            self._next += 1
            self._certain = self._test.certain
        return self._certain

    def check(self, variant: str, seed: int) -> None:
        """Look at the first point that is there, so that a KPI of no run is told before many are run.

        Raises
        ------
        UserError
            Where the run has no such KPI.
        """
        if not self._checked:
            self._value(variant, seed)
            self._checked = True

    def _value(self, variant: str, seed: int) -> float:
        known: dict[str, Measure] = measures(self._folder.kpi(variant, seed))
        if self.kpi not in known:
            near = difflib.get_close_matches(self.kpi, list(known), 3, 0.3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"factory-twin compare {self._folder.path} lists them"
            raise UserError(f"--stop-early {self.kpi}: variant {variant!r}, seed {seed} has no such KPI; {hint}")
        self._unit = known[self.kpi].unit
        return known[self.kpi].value

    def in_words(self) -> str:
        """Say what is known of the first variant, shortly."""
        look = self._test.looks()[0]
        if not math.isfinite(look.low):
            return f"{look.variant}: {look.pairs} pairs"
        return f"{look.variant}: {self._interval(look)}"

    def verdicts(self) -> list[str]:
        """Say what is known of every variant, one line each."""
        words = {"differs": "differs from the base", "alike": "makes no difference that matters", "open": "not certain yet"}
        return [
            f"{look.variant}: {self.kpi} {words[look.verdict]} after {look.pairs} pairs"
            + (f", {self._interval(look)}" if math.isfinite(look.low) else "")
            for look in self._test.looks()
        ]

    def _interval(self, look: Look) -> str:
        unit = "decades" if self.scale == "decades" else self._unit
        return f"{look.mean:+.3g} ({look.low:+.3g} to {look.high:+.3g}) {unit}".rstrip()

    def write(self) -> Path:
        """Write what the test came to into the study's folder."""
        path = self._folder.path / FILE
        looks = [
            {
                "variant": look.variant,
                "pairs": look.pairs,
                "mean": look.mean,
                "low": look.low,
                "high": look.high,
                "verdict": look.verdict,
            }
            for look in self._test.looks()
        ]
        write_json(
            path,
            {
                "kpi": self.kpi,
                "scale": self.scale,
                "unit": self._unit,
                "margin": self._margin,
                "alpha": ALPHA,
                "stopped": self._certain and len(self._used) < len(self._folder.seeds),
                "seeds": self._used,
                "variants": looks,
            },
        )
        return path
