"""How many beam pairs have to be measured to find a good one, and what that costs on the air.

Three searches for one device, over all TRPs at once: every pair; wide beams first, then the narrow ones under the best; and the
first k of a list that somebody who knows the hall has ranked beforehand. A pair is numbered ``(trp * B + beam) * S + sector``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radio.messages import nr
from radio.types import FloatArray, IntArray


def wide_fields(field: FloatArray) -> FloatArray:
    """Return the field factors (P, n // 2) of wide beams along one axis of a panel, of the narrow ones' (P, n), n even.

    Wide beam j is the sum of the narrow beams 2 j and 2 j + 1 of the DFT codebook, which are orthonormal, over the square root of
    two, so that it radiates the same total power: 3 dB below each of them at its peak and 0.9 dB below the codebook's peak
    midway. Its elements' amplitudes are a cosine taper, which is taken as possible (assumed).
    """
    return (field[:, 0::2] + field[:, 1::2]) / math.sqrt(2.0)


def narrow_beams(wide: int, columns: int) -> IntArray:
    """Return the four narrow beams of a wide one, of a panel with ``columns`` elements a row; numbers as the codebook's."""
    row, column = divmod(wide, columns // 2)
    return np.array([(2 * row + r) * columns + 2 * column + c for r in range(2) for c in range(2)], dtype=np.int64)


def search_two_level(wide: FloatArray, narrow: FloatArray, columns: int, kept: int = 1) -> tuple[int, int]:
    """Choose a pair by wide beams first.

    Parameters
    ----------
    wide, narrow : (T, B / 4, S), (T, B, S) measured gains of wide and of narrow beams.
    columns : elements in a row of every TRP's panel.
    kept : wide pairs whose narrow beams are measured, each with the sector that its wide beam was best with.

    Returns
    -------
    The chosen pair, and the pairs that were measured.
    """
    n_beam, n_sector = narrow.shape[1:]
    best, best_gain = 0, -np.inf
    for at in np.argsort(-wide, axis=None, kind="stable")[:kept].tolist():
        trp, below = divmod(at, wide.shape[1] * n_sector)
        wide_beam, sector = divmod(below, n_sector)
        for beam in narrow_beams(wide_beam, columns).tolist():
            if narrow[trp, beam, sector] > best_gain:
                best, best_gain = (trp * n_beam + beam) * n_sector + sector, float(narrow[trp, beam, sector])
    return best, wide.size + 4 * kept


def search_ranked(measured: FloatArray, expected: FloatArray, budgets: IntArray) -> IntArray:
    """Choose the best measured pair among the first k of a ranked list.

    Parameters
    ----------
    measured : (N,) measured gains of every pair.
    expected : (N,) gains that were expected; the largest come first, of equal ones the lowest number.
    budgets : (K,) how many pairs are measured, 1 to N.

    Returns
    -------
    The chosen pairs (K,).
    """
    order = np.argsort(-expected, kind="stable")[: int(budgets.max())]
    best_until = np.zeros(len(order), np.int64)
    best = 0
    for i, pair in enumerate(order):
        best = i if measured[pair] > measured[order[best]] else best
        best_until[i] = best
    return np.asarray(order[best_until[budgets - 1]], dtype=np.int64)


def loss_db(true: FloatArray, chosen: IntArray | int) -> FloatArray:
    """Return how far chosen pairs are below the best one by true gains (N,) [dB]."""
    return np.asarray(10.0 * np.log10(true.max() / np.maximum(true[chosen], 1e-30)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SearchCost:
    """What one selection takes.

    Attributes
    ----------
    pairs : measured beam pairs. symbols : OFDM symbols that the TRPs send for it. latency_ms : from the wish to the answer.
    """

    pairs: int
    symbols: int
    latency_ms: float


@dataclass(frozen=True, slots=True)
class SearchTiming:
    """How measurements come over the air.

    Attributes
    ----------
    subcarrier_spacing_hz : of the carrier. ssb_period_ms : between two bursts of a TRP. n_trp : TRPs.

    Notes
    -----
    An SSB is four symbols (TS 38.211 7.4.3.1), up to 64 of them come in half a frame of 5 ms (TS 38.213 4.1), a device listens
    to one of its sectors in a burst, so that S sectors take S periods; the first burst is waited for half a period on average.
    The bursts of the TRPs lie side by side in time, up to the period. An aperiodic CSI-RS for beam management takes one symbol
    per pair (TS 38.214 5.2.2.3); assumed are twelve of them in a slot, and ``TRIGGER_MS`` from the wish to the first one and
    from the last one to the report, each.
    """

    subcarrier_spacing_hz: int
    ssb_period_ms: float
    n_trp: int

    def exhaustive(self, beams: int, sectors: int) -> SearchCost:
        """Every narrow beam as an SSB, in every sector."""
        pairs = self.n_trp * beams * sectors
        return SearchCost(pairs, SSB_SYMBOLS * pairs, (sectors - 0.5) * self.ssb_period_ms + BURST_MS + TRIGGER_MS)

    def two_level(self, beams: int, sectors: int, kept: int = 1) -> SearchCost:
        """Wide beams as SSBs in every sector, then four narrow ones per wide pair kept as CSI-RS."""
        first = self.exhaustive(beams // 4, sectors)
        then = self.ranked(4 * kept)
        return SearchCost(first.pairs + then.pairs, first.symbols + then.symbols, first.latency_ms + then.latency_ms)

    def ranked(self, pairs: int) -> SearchCost:
        """Pairs of a list as CSI-RS."""
        slots = -(-pairs // CSI_RS_PER_SLOT)
        return SearchCost(pairs, pairs, 2.0 * TRIGGER_MS + slots * nr.slot_us(nr.numerology(self.subcarrier_spacing_hz)) * 1e-3)


SSB_SYMBOLS, BURST_MS, CSI_RS_PER_SLOT, TRIGGER_MS = 4, 5.0, 12, 1.0
