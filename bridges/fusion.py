"""Several location systems see one person at the same instant: one place out of theirs, weighted by accuracy.

Places at different instants need no fusing here: the filter behind (``humans.tracking``) weighs each by its accuracy. What it
cannot do is to notice that two systems contradict each other at one instant; it would believe whichever comes first. So where
places contradict each other (chi-square of the distances to their mean, 99.9 %), the one that fits least is left out while three
or more are there; of two the more exact one is believed where it is twice as exact, and else their mean, with the distance
between them as what is not known.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt

from bridges.tags import TagObservations

__all__ = ["Fusion"]

_GATE = (0.0, 13.815510557964274, 18.466826952903151, 22.457744484825323)
"""Chi-square, 99.9 %, with 2, 4 and 6 degrees of freedom: two, three and four places."""
_MORE_EXACT = 2.0
_MEMORY = 200
_PAIRS = 100  # of systems whose agreement is kept; they name themselves

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Fusion:
    """Fuses places of one person at the same instant.

    Parameters
    ----------
    same_instant_s : places that lie nearer in time are of one instant [s].

    Attributes
    ----------
    counts : ``fused`` places that went into another, ``conflict`` instants at which systems contradicted each other,
        ``left_out``.
    agreement : per pair of systems, the mean squared distance at the same instant over what their accuracies say; 2 where both
        are true, more where they promise too much. Which of two is wrong cannot be told from it. Of 100 pairs at most.
    """

    def __init__(self, same_instant_s: float) -> None:
        self._same_s = same_instant_s
        self.counts: Counter[str] = Counter()
        self.agreement: dict[str, float] = {}

    def fuse(self, places: TagObservations) -> TagObservations:
        """Return places with at most one per person and instant, by time; those of one person alone are untouched."""
        n = len(places.tag)
        if n < 2 or len(np.unique(places.tag)) == n:
            return places
        order = np.lexsort((places.measured_s, places.tag))
        tag, at_s = places.tag[order], places.measured_s[order]
        begins = np.ones(n, np.bool_)
        begins[1:] = (np.diff(tag) != 0) | (np.diff(at_s) > self._same_s)
        if begins.all():
            return places
        first = np.flatnonzero(begins)
        rows: list[tuple[int, float, float, float, float, str]] = []
        for a, b in zip(first.tolist(), [*first[1:].tolist(), n], strict=True):
            rows.append(self._one(places, order[a:b]))
        rows.sort(key=lambda row: row[1])
        table = np.array([row[1:5] for row in rows], np.float64)
        return TagObservations(
            np.array([row[0] for row in rows], np.int64), table[:, 0], table[:, 1:3], table[:, 3], tuple(row[5] for row in rows),
            places.epoch,
        )  # fmt: skip

    def _one(self, places: TagObservations, rows: IntArray) -> tuple[int, float, float, float, float, str]:
        sigma_m, place_m = places.accuracy_m[rows], places.position_m[rows]
        names = [places.provider[r] for r in rows.tolist()]
        if len(rows) > 1:
            self._compare(names, place_m, sigma_m)
            self.counts["fused"] += len(rows) - 1
        kept = np.arange(len(rows))
        wide = 0.0
        while True:
            weight = sigma_m[kept] ** -2
            mean = (weight[:, None] * place_m[kept]).sum(axis=0) / weight.sum()
            off = weight * ((place_m[kept] - mean) ** 2).sum(axis=1)
            if off.sum() <= _gate(len(kept)):
                break
            self.counts["conflict"] += 1
            if len(kept) > 2:
                kept = np.delete(kept, off.argmax())
                self.counts["left_out"] += 1
                continue
            exact, vague = kept[np.argsort(sigma_m[kept])]
            if sigma_m[vague] >= _MORE_EXACT * sigma_m[exact]:
                kept = np.array([exact])
                self.counts["left_out"] += 1
                continue
            wide = 0.5 * math.hypot(*(place_m[exact] - place_m[vague]))
            break
        spread = max(float(weight.sum()) ** -0.5, wide)
        at_s = float((weight * places.measured_s[rows][kept]).sum() / weight.sum())
        name = "+".join(dict.fromkeys(names[k] for k in kept.tolist()))
        return int(places.tag[rows[0]]), at_s, float(mean[0]), float(mean[1]), spread, name

    def _compare(self, names: list[str], place_m: FloatArray, sigma_m: FloatArray) -> None:
        for i in range(len(names)):
            for j in range(i):
                off = float(((place_m[i] - place_m[j]) ** 2).sum() / (sigma_m[i] ** 2 + sigma_m[j] ** 2))
                pair = " ".join(sorted((names[i], names[j])))
                mean = self.agreement.get(pair)
                if mean is None and len(self.agreement) >= _PAIRS:
                    continue
                self.agreement[pair] = off if mean is None else mean + (off - mean) / _MEMORY


def _gate(n: int) -> float:
    # beyond the table by Wilson and Hilferty's approximation
    if n <= len(_GATE):
        return _GATE[n - 1] if n > 1 else math.inf
    f = 2.0 * (n - 1)
    return float(f * (1.0 - 2.0 / (9.0 * f) + 3.090232306167813 * math.sqrt(2.0 / (9.0 * f))) ** 3)
