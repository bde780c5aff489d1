"""What a link would hear were one box of the hall not there.

The hall less a box is a hall of its own, with a channel of its own. That is asked only for links that the box may matter to: it
reflects much of what they hear, or it cuts a way that would carry much in a hall without boxes, alone or with one other box.
That leaves out ways past three boxes, and those off one box past another: in the hall ``default`` one pair of link and box in
eleven is asked for, and these are two thirds of those that change by 5 dB or more (``tests/recalibration/test_removal.py``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from radio.links import SMALLEST_GAIN, Channel
from radio.propagation.geometry import Hall
from radio.types import BoolArray, FloatArray, IntArray, Paths, Ues

__all__ = ["Removal", "boxes_cut"]

_REFLECTED, _CUT = 0.3, 0.3  # of what a link hears now, from which on a box matters to it
_MOST_CUT = 2  # boxes that one way may meet
_MOST_KEPT = 32  # halls less a box; the one that was asked longest ago goes first
_AWAY_M = 1e-6  # a leg begins on the face that it left


def boxes_cut(hall: Hall, start_m: FloatArray, end_m: FloatArray) -> BoolArray:
    """Tell which boxes straight ways pass through (slab method: Kay and Kajiya, SIGGRAPH 1986, in each box's own axes).

    Parameters
    ----------
    hall : the hall. start_m, end_m : (n, 3) ends of the ways [m].

    Returns
    -------
    (n, N) True where way i passes through box k.
    """
    cos, sin = np.cos(hall.box_yaw_rad), np.sin(hall.box_yaw_rad)

    def own(point: FloatArray) -> FloatArray:
        d = point[:, None, :] - hall.box_center_m
        turned: FloatArray = np.stack((d[..., 0] * cos + d[..., 1] * sin, d[..., 1] * cos - d[..., 0] * sin, d[..., 2]), axis=2)
        return turned

    a, b = own(start_m), own(end_m)
    way = np.where(np.abs(b - a) < 1e-12, 1e-12, b - a)
    one, other = (-hall.box_half_m - a) / way, (hall.box_half_m - a) / way
    enters, leaves = np.minimum(one, other).max(axis=2), np.maximum(one, other).min(axis=2)
    cut: BoolArray = np.maximum(enters, 0.0) < np.minimum(leaves, 1.0)
    return cut


class Removal:
    """Works out what the removal of each box would do to links.

    Parameters
    ----------
    channel : of the hall with all its boxes. seed : that ``channel`` was made with.

    Attributes
    ----------
    n_boxes : N boxes; 0 with the statistical channel, which knows of none.
    """

    def __init__(self, channel: Channel, seed: int) -> None:
        self._channel, self._seed, hall = channel, seed, channel.hall
        self.n_boxes = 0 if channel.config.channel == "statistical_inf" else len(hall.box_material)
        self._less: dict[int, Channel] = {}
        self._bare = _less(channel, seed, np.zeros(len(hall.box_material), np.bool_)) if self.n_boxes else channel

    def concerned(self, paths: Paths, ues: Ues, needed: BoolArray) -> BoolArray:
        """Tell to which links a box may matter.

        Parameters
        ----------
        paths, ues : of the hall as it is. needed : (U * T,) links to look at.

        Returns
        -------
        (U * T, N) True where the removal of box n has to be worked out.
        """
        concerned: BoolArray = np.zeros((len(needed), self.n_boxes), np.bool_)
        if not self.n_boxes or not needed.any():
            return concerned
        power, link = _power(paths)
        heard = np.bincount(link, weights=power, minlength=len(needed))
        box = np.where(paths.facet >= 0, self._channel.prepared.facet_box[paths.facet], -1)
        share = np.zeros(concerned.shape)
        for bounce in range(box.shape[1]):  # a path that meets a box twice counts once
            new = (box[:, bounce] >= 0) & ((bounce == 0) | (box[:, bounce] != box[:, 0]))
            np.add.at(share, (link[new], box[new, bounce]), power[new])
        concerned |= share >= _REFLECTED * np.maximum(heard, SMALLEST_GAIN)[:, None]
        bare = self._bare.paths(ues, needed, remember=False)
        power, link = _power(bare)
        strong = power >= _CUT * heard[link]
        vertex, link = bare.vertex_m[strong], link[strong]
        cut = np.zeros((len(vertex), self.n_boxes), np.bool_)
        for leg in range(vertex.shape[1] - 1):
            way = vertex[:, leg + 1] - vertex[:, leg]
            cut |= boxes_cut(self._channel.hall, vertex[:, leg] + _AWAY_M * way, vertex[:, leg + 1])
        cut[cut.sum(axis=1) > _MOST_CUT] = False
        np.logical_or.at(concerned, link, cut)
        concerned[~needed | (heard <= SMALLEST_GAIN)] = False
        return concerned

    def change_db(self, box: int, ues: Ues, links: BoolArray, clear_gain: FloatArray, time_us: int) -> FloatArray:
        """Return by how much the strongest beam would change were a box not there, bodies left out.

        Parameters
        ----------
        box : which. ues : at one instant. links : (U * T,) those that it may matter to. clear_gain : (U, T) of the strongest beam
        as it is, bodies left out. time_us : instant [us].

        Returns
        -------
        (U, T) change of the RSRP [dB]; 0 for other links and where nothing is heard now.
        """
        less = self._less.pop(box, None) or _less(self._channel, self._seed, np.arange(self.n_boxes) != box)
        self._less[box] = less  # the last in the dictionary is the last that was asked
        if len(self._less) > _MOST_KEPT:
            del self._less[next(iter(self._less))]
        paths = less.paths(ues, links, remember=False)
        gain = less.sweep(paths, ues, None, time_us, links).gain.max(axis=(2, 3))
        change: FloatArray = 10.0 * np.log10(np.maximum(gain, SMALLEST_GAIN) / np.maximum(clear_gain, SMALLEST_GAIN))
        change[(clear_gain <= SMALLEST_GAIN) | ~links.reshape(clear_gain.shape)] = 0.0
        return change


def _power(paths: Paths) -> tuple[FloatArray, IntArray]:
    """Power of each path, antennas left out, and its link."""
    n_links = len(paths.offset) - 1
    return np.abs(paths.amplitude) ** 2, np.repeat(np.arange(n_links), np.diff(paths.offset))


def _less(channel: Channel, seed: int, kept: BoolArray) -> Channel:
    """Channel of the hall with some of its boxes."""
    hall = channel.hall
    thickness = hall.box_thickness_m
    less = replace(
        hall,
        box_center_m=hall.box_center_m[kept],
        box_half_m=hall.box_half_m[kept],
        box_yaw_rad=hall.box_yaw_rad[kept],
        box_material=tuple(m for m, k in zip(hall.box_material, kept, strict=True) if k),
        box_thickness_m=None if thickness is None else thickness[kept],
    )
    return Channel(channel.config, less, seed)
