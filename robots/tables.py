"""The fleet's arrays in a few tables.

A kernel takes a dozen of them and not sixty arrays, which take longer to hand over than the AGVs to step. The NamedTuples
of :mod:`robots.rightofway` and :mod:`robots.agv` are views of these tables, in Python and in kernels alike: what one writes the
other reads.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from robots.agv import Drive, Machines
from robots.rightofway import Lanes, Traffic
from robots.routes import BoolArray, FloatArray, IntArray
from robots.state import MODES

WHOLE = (
    "path_len",
    "at_k",
    "head_k",
    "refused",
    "mode",
    "stage",
    "event",
    "busy_until_us",
    "waits_since_us",
    "since_us",
    "order_id",
)
"""Rows of ``FleetTables.whole``."""
REAL = ("along_m", "heading_rad", "speed_mps", "battery", "distance_m", "load_height_m")
"""Rows of ``FleetTables.real``."""
FLAG = ("freed", "loaded", "paused", "broken")
"""Rows of ``FleetTables.flag``."""


class FleetTables(NamedTuple):
    """State of n AGVs on a graph of N nodes and L lanes.

    ``whole``, ``real``, ``flag`` (rows, n), see ``WHOLE``, ``REAL``, ``FLAG``; ``position_m`` (n, 2); ``path`` (n, P);
    ``holder`` (N + L,) AGV that holds a node or a lane, -1 for none; ``version`` (1,); ``ledger`` (2, n, len(MODES)) time in each
    mode [us] and how often it was entered.
    """

    whole: IntArray
    real: FloatArray
    flag: BoolArray
    position_m: FloatArray
    path: IntArray
    holder: IntArray
    version: IntArray
    ledger: IntArray


class LaneTables(NamedTuple):
    """All arrays of :class:`robots.rightofway.Lanes` end to end by kind; ``at`` (19,) where each ends in its table.

    ``edge_two_way``, ``junction`` and ``edge_low`` lie in ``flag``; ``real`` begins with the nodes' places.
    """

    whole: IntArray
    real: FloatArray
    flag: BoolArray
    at: IntArray


def new_tables(n: int, path_length: int, n_nodes: int, n_lanes: int) -> FleetTables:
    """Give the tables of a fleet at rest that holds nothing: -1 for orders, holders, refusals and queues, 0 elsewhere."""
    whole = np.zeros((len(WHOLE), n), np.int64)
    whole[WHOLE.index("path_len")] = 1
    for name in ("refused", "waits_since_us", "order_id"):
        whole[WHOLE.index(name)] = -1
    return FleetTables(
        whole,
        np.zeros((len(REAL), n)),
        np.zeros((len(FLAG), n), np.bool_),
        np.zeros((n, 2)),
        np.zeros((n, path_length), np.int64),
        np.full(n_nodes + n_lanes, -1, np.int64),
        np.zeros(1, np.int64),
        np.zeros((2, n, len(MODES)), np.int64),
    )


@numba.njit(cache=True)
def traffic_of(
    n_nodes: int, whole: IntArray, real: FloatArray, flag: BoolArray, path: IntArray, holder: IntArray, version: IntArray
) -> Traffic:
    """View the tables as where AGVs are and what they hold."""
    return Traffic(
        path,
        whole[0],
        whole[1],
        real[0],
        whole[2],
        flag[0],
        real[1],
        real[2],
        holder[:n_nodes],
        holder[n_nodes:],
        version,
        whole[3],
        flag[2],
    )


@numba.njit(cache=True)
def machines_of(whole: IntArray, real: FloatArray, flag: BoolArray, position_m: FloatArray, ledger: IntArray) -> Machines:
    """View the tables as the AGVs' own state."""
    return Machines(
        position_m, whole[4], whole[5], whole[6], whole[7], real[3], ledger[0], ledger[1], real[4], whole[8], flag[1], flag[3]
    )  # fmt: skip


def pack_lanes(lanes: Lanes) -> LaneTables:
    """Put the arrays of a graph end to end."""
    kinds: dict[str, list[int]] = {"i": [], "f": [], "b": []}
    for k, array in enumerate(lanes):
        kinds[array.dtype.kind].append(k)
    at = np.zeros(len(lanes), np.int64)
    parts = {kind: [np.asarray(lanes[k]).ravel() for k in members] for kind, members in kinds.items()}
    for kind, members in kinds.items():
        at[members] = np.cumsum([part.size for part in parts[kind]])
    whole, real, flag = (np.concatenate(parts[kind]) for kind in "ifb")
    return LaneTables(whole.astype(np.int64), real.astype(np.float64), flag.astype(np.bool_), at)


@numba.njit(cache=True)
def lanes_in(whole: IntArray, real: FloatArray, flag: BoolArray, at: IntArray) -> Lanes:
    """View packed arrays as a graph; the reverse of :func:`pack_lanes`."""
    n = at[0] // 2
    return Lanes(
        real[: at[0]].reshape((n, 2)),
        whole[: at[1]].reshape((n, n)),
        whole[at[1] : at[2]],
        whole[at[2] : at[3]],
        flag[: at[4]],
        real[at[0] : at[5]],
        real[at[5] : at[6]],
        real[at[6] : at[7]],
        real[at[7] : at[8]],
        flag[at[4] : at[9]],
        whole[at[3] : at[10]],
        whole[at[10] : at[11]],
        whole[at[11] : at[12]],
        whole[at[12] : at[13]],
        whole[at[13] : at[14]],
        whole[at[14] : at[15]],
        whole[at[15] : at[16]],
        whole[at[16] : at[17]],
        flag[at[9] : at[18]],
    )


@numba.njit(cache=True)
def drive_in(numbers: FloatArray) -> Drive:
    """Take the vehicles' numbers, in the order of :class:`robots.agv.Drive`, out of an array."""
    return Drive(
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], numbers[7],
        numbers[8], numbers[9], numbers[10], numbers[11], numbers[12], numbers[13], numbers[14], numbers[15],
        numbers[16], numbers[17],
    )  # fmt: skip
