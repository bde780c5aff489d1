"""The table of the beam pairs in use: each is summed over its paths once a tick, whichever policies use it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radio.links_kernels import legs_kernel
from radio.types import Blockage, BoolArray, FloatArray, IntArray, Paths


class LegTable:
    """Sums over paths of the beam pairs that plans use, for one set of paths, bodies, devices and time.

    Policies mostly choose the same beams, so what one plan has needed serves the next. Emptying costs nothing: a row number below
    ``base``, or a serving set told with another ``base``, counts as absent.

    Parameters
    ----------
    n_ue, n_trp, n_beams, n_sectors : U, T, B and S; links L = U * T.
    n_tones : tones K of the carrier with most.
    n_plans : plans that must find room together.

    Attributes
    ----------
    base : number that this filling of the table begins with.
    used, capacity : rows in use, and M, the rows there are.
    row_of : (L, B * S) ``base`` plus the row of a beam pair, less than ``base`` where it has none.
    link, pair : (M,) link and beam pair of each row.
    tones : (M, 2, 2, K) field gains without and with bodies, real and imaginary.
    owner, part : (M,) blocker with the largest loss on the row's strongest path, -1 for none.
    bodies : (M,) whether bodies change any of the row's paths.
    dl_key, dl_sum : (U, T, S) serving set of a TRP as one number, and what the sector hears of that set's beams.
    ul_key, ul_sum : (T, B, T) serving set of the last TRP, and what the first one's beam hears of that set's devices.
    """

    def __init__(self, n_ue: int, n_trp: int, n_beams: int, n_sectors: int, n_tones: int, n_plans: int = 8) -> None:
        n_links, n_pairs = n_ue * n_trp, n_beams * n_sectors
        self.capacity = m = max(2 * n_plans * n_ue, 1)
        self.base = 0
        self.used = 0
        self.row_of: IntArray = np.full((n_links, n_pairs), -1)
        self.link: IntArray = np.empty(m, np.int64)
        self.pair: IntArray = np.empty(m, np.int64)
        self.tones: FloatArray = np.empty((m, 2, 2, n_tones))
        self.owner: IntArray = np.empty(m, np.int64)
        self.part: IntArray = np.empty(m, np.int64)
        self.bodies: BoolArray = np.empty(m, np.bool_)
        self.dl_key: npt.NDArray[np.uint64] = np.zeros((n_ue, n_trp, n_sectors), np.uint64)
        self.dl_sum: FloatArray = np.empty((n_ue, n_trp, n_sectors))
        self.ul_key: npt.NDArray[np.uint64] = np.zeros((n_trp, n_beams, n_trp), np.uint64)
        self.ul_sum: FloatArray = np.empty((n_trp, n_beams, n_trp))

    def empty(self) -> None:
        """Forget every row and power."""
        self.base += self.capacity
        self.used = 0

    def sum_paths(
        self,
        paths: Paths,
        blockage: Blockage,
        azimuth: FloatArray,
        elevation: FloatArray,
        sector_field: FloatArray,
        trp: IntArray,
        beam: IntArray,
        sector: IntArray,
        figures: FloatArray,
        counts: IntArray,
    ) -> int:
        """Add a row for every leg of some plans that has none yet.

        Parameters
        ----------
        paths, blockage : paths and what bodies put on them.
        azimuth, elevation, sector_field : field gains of the antennas along the paths.
        trp, beam, sector : (N, U, 2) the plans.
        figures, counts : (T, 5) and (T, 4) what ``links_kernels`` needs to know of the TRPs.

        Returns
        -------
        The first leg, counted through all plans, whose TRP, beam or sector does not exist, or -1.
        """
        self.used, wrong = legs_kernel(
            paths.offset, paths.n_trp, paths.length_m, paths.amplitude, blockage.field, azimuth, elevation, sector_field,
            blockage.worst_owner, blockage.worst_part, trp, beam, sector, figures, counts, self.base, self.used, self.row_of,
            self.tones, self.link, self.pair, self.owner, self.part, self.bodies,
        )  # fmt: skip
        return int(wrong)
