"""Which reflections a TRP can reach, and which of them a UE can see from where it stands.

A path that bounces on facet f, then on facet g, is a straight line from the TRP's image (mirrored at f, then at g) to the UE.
Where it pierces a facet is a projective map of the UE's place x: with h(x) the height of x over the last facet and H that of
the image before it, the place on the facet times ``h(x) + H`` is affine in x. The same holds of the place on the first
facet, with another divisor. So a few affine functions per sequence decide whether it hits, with one comparison each.

The hall is cut in cells. Where the divisors are positive at the eight corners of a cell, the following holds for all of it:

* A projective map takes the cell into the hull of its corners' images. A sequence whose hull misses a facet is not seen.
* What a convex box hides from an image, ``{image + s (b - image), b in box, s >= 1}``, is convex, and so it is with every leg
  when the boxes are mirrored along. A box that stands in a leg to all eight corners hides the sequence from the whole cell.
* A leg to anywhere in the cell lies in the hull of the legs to the corners, so a box beside that hull needs no test.
* The least cosine of incidence is found at a corner, and so is the bound of the reflection; the length is at least the
  image's distance from the cell. Their product bounds the gain.

The same is asked first of a block of cells, so that a cell looks at few sequences: what is not seen from the block is not seen
from its cells. What is dropped could not have given a path, so a result does not depend on what has been visited before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from radio.propagation.geometry import PreparedHall
from radio.propagation.visibility_kernels import cell_kernel, sequences_kernel
from radio.types import FloatArray, IntArray

# Size of a cell along x, y and z [m]: devices drive far and hardly change their height.
CELL_M = (1.0, 1.0, 0.5)
# Cells along x, y and z of a block: what cannot be seen from anywhere in a block is not looked for in its cells.
BLOCK_CELLS = np.array([4, 4, 1])
# A cell's bounds are widened by this, so that rounding puts no UE outside its cell [m].
WIDEN_M = 1e-9
# Sequences kept over all cells before the cache is emptied (about 60 bytes each).
MOST_KEPT = 4_000_000


@dataclass(frozen=True, slots=True)
class Sequences:
    """Facet sequences of all TRPs.

    Attributes
    ----------
    first : (T + 1,) sequences of TRP t are ``first[t]:first[t + 1]``; its line of sight comes first.
    facet : (S, 2) facets in order, -1 where there is none.
    affine : (S, 6, 4) affine functions of the UE's place: height over the last facet; u and v there times the divisor
        ``height + height_m[:, 1]``; and for two bounces height over the first facet times that divisor, and u and v there
        times the second divisor, that height plus ``height_m[:, 0]`` times the first divisor.
    image_m : (S, 2, 3) image of the TRP after the first bounce, and after the last [m].
    height_m : (S, 2) height of the TRP over the first facet, and of its image over the last [m].
    """

    first: IntArray
    facet: IntArray
    affine: FloatArray
    image_m: FloatArray
    height_m: FloatArray


def all_sequences(prepared: PreparedHall, trp_position_m: FloatArray, max_order: int) -> Sequences:
    """List the sequences of up to ``max_order`` bounces (0..2) whose facets face one another, for TRPs (T, 3) [m]."""
    made: list[Any] = [
        sequences_kernel(trp, max_order, prepared.center_m, prepared.normal, prepared.axis_u, prepared.axis_v, prepared.half_m)
        for trp in trp_position_m
    ]
    first = np.concatenate(([0], np.cumsum([len(m[0]) for m in made], dtype=np.int64)))
    if not made:
        return Sequences(first, np.zeros((0, 2), np.int64), np.zeros((0, 6, 4)), np.zeros((0, 2, 3)), np.zeros((0, 2)))
    return Sequences(first, *(np.concatenate([m[i] for m in made]) for i in range(4)))


class Visibility:
    """What the TRPs' sequences come to in each cell of the hall, found out when a UE first enters the cell.

    Parameters
    ----------
    prepared : the hall.
    trp_position_m : (T, 3) TRPs [m].
    trp_carrier : (T,) index of each TRP's carrier.
    direct_share : (T,) a sequence weaker than this share of a line of sight that is clear in the whole cell is dropped.
    max_order : largest number of bounces.

    Attributes
    ----------
    sequences : the TRPs' sequences.
    cell_m : (3,) size of a cell [m].
    slot : (nx, ny, nz) number of a cell in the order of entering, -1 where none has entered.
    start : candidates of TRP t in cell c are ``start[c * T + t]:start[c * T + t + 1]``.
    sequence, bound : candidates' sequences, and what their gains do not exceed, strongest bound first.
    place : (., 4) their legs' boxes are ``boxes[place[i, leg]:place[i, leg + 1]]``.
    """

    def __init__(
        self,
        prepared: PreparedHall,
        trp_position_m: FloatArray,
        trp_carrier: IntArray,
        direct_share: FloatArray,
        max_order: int,
    ) -> None:
        self._prepared = prepared
        self._trp = trp_position_m
        self._carrier = trp_carrier
        self._share = direct_share
        self.sequences = all_sequences(prepared, trp_position_m, max_order)
        self.cell_m = np.array(CELL_M)
        self._shape = tuple(int(n) for n in np.maximum(np.ceil(prepared.size_m / self.cell_m), 1.0))
        self.forget()

    def forget(self) -> None:
        """Empty the cache."""
        self.slot = np.full(self._shape, -1, dtype=np.int64)
        self.most_candidates = 0
        self._block: dict[tuple[int, ...], list[IntArray]] = {}
        self._n_cells = self._n_kept = self._n_boxes = 0
        self.start = np.zeros(1 + 64 * len(self._trp), np.int64)
        self.sequence = np.zeros(1024, np.int64)
        self.bound = np.zeros(1024)
        self.place = np.zeros((1024, 4), np.int64)
        self.boxes = np.zeros(1024, np.int64)

    def is_full(self) -> bool:
        """Tell whether so much is kept that the cache should be emptied before more cells are entered."""
        return self._n_kept > MOST_KEPT

    def enter(self, cell: IntArray) -> None:
        """Add the cells of these numbers, as ``np.ravel_multi_index`` counts them; those known already are left alone."""
        for c in cell:
            index = np.unravel_index(int(c), self._shape)
            if self.slot[index] < 0:
                self._add(index)

    def _add(self, index: tuple[Any, ...]) -> None:
        n_trp = len(self._trp)
        self.start = _room(self.start, (self._n_cells + 1) * n_trp + 1)
        of_block = self._of_block(np.array(index) // BLOCK_CELLS)
        for t in range(n_trp):
            sequence, bound, place, boxes = self._seen(np.array(index), 1, t, of_block[t])
            first, last = self._n_kept, self._n_kept + len(sequence)
            self.sequence, self.bound, self.place = (_room(a, last) for a in (self.sequence, self.bound, self.place))
            self.sequence[first:last], self.bound[first:last] = sequence, bound
            self.place[first:last] = place + self._n_boxes
            self.boxes = _room(self.boxes, self._n_boxes + len(boxes))
            self.boxes[self._n_boxes : self._n_boxes + len(boxes)] = boxes
            self._n_kept, self._n_boxes = last, self._n_boxes + len(boxes)
            self.start[self._n_cells * n_trp + t + 1] = last
            self.most_candidates = max(self.most_candidates, len(sequence))
        self.slot[index] = self._n_cells
        self._n_cells += 1

    def _of_block(self, block: IntArray) -> list[IntArray]:
        """Return each TRP's sequences, in order, that may be seen from somewhere in a block of cells."""
        key = tuple(int(i) for i in block)
        if key not in self._block:
            first = self.sequences.first
            self._block[key] = [
                np.sort(self._seen(block * BLOCK_CELLS, BLOCK_CELLS, t, np.arange(first[t], first[t + 1]))[0])
                for t in range(len(self._trp))
            ]
        return self._block[key]

    def _seen(self, corner: IntArray, cells: IntArray | int, t: int, listed: IntArray) -> Any:
        """Return what ``cell_kernel`` makes of TRP t's listed sequences in so many cells from the cell ``corner`` on."""
        p, q, c = self._prepared, self.sequences, self._carrier[t]
        low = corner * self.cell_m
        high = np.minimum(low + cells * self.cell_m, p.size_m) + WIDEN_M
        return cell_kernel(
            low - WIDEN_M, high, listed, q.facet, q.affine, q.image_m, q.height_m, self._trp[t],
            p.wavelength_m[c], p.permittivity[c], p.thickness_m / p.wavelength_m[c],
            p.center_m, p.axis_u, p.axis_v, p.half_m, p.facet_box,
            p.box_center_m, p.box_half_m, p.box_axis, p.box_low_m, p.box_high_m, self._share[t],
        )  # fmt: skip


def _room(array: Any, n: int) -> Any:
    """Return the array with room for n rows, at least doubled when it grows."""
    if n <= len(array):
        return array
    grown = np.zeros((max(n, 2 * len(array)), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
