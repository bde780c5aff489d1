"""The frozen arrays that pass through the radio room in a tick.

Index conventions, kept everywhere: U user equipments (UEs), T transmission points (TRPs), B beams of a TRP's codebook,
S receive sectors of a UE, P paths, link ``l = u * T + t``. Gains and powers are linear unless the name says ``_db`` or ``_dbm``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
ComplexArray: TypeAlias = npt.NDArray[np.complex128]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

SPEED_OF_LIGHT_MPS = 299_792_458.0

SHAPE_ELLIPSE = 0
SHAPE_RECTANGLE = 1
SHAPE_CAPSULE = 2


@dataclass(frozen=True, slots=True)
class Ues:
    """User equipments at one instant.

    Attributes
    ----------
    position_m : (U, 3) antenna positions [m].
    heading_rad : (U,) yaw of the device's sector 0 [rad].
    owner : (U,) blocker owner that carries the antenna and does not block it, -1 for none.
    """

    position_m: FloatArray
    heading_rad: FloatArray
    owner: IntArray


@dataclass(frozen=True, slots=True)
class Blockers:
    """Moving bodies as screens that always turn their face to the ray (TR 38.901 7.6.4.2).

    Attributes
    ----------
    start_m, end_m : (N, 3) ends of the screen's long axis [m].
    half_width_m : (N, 2) half extents of the cross-section along and across ``yaw_rad`` [m]; a capsule uses the first.
    yaw_rad : (N,) orientation of the cross-section [rad].
    shape : (N,) SHAPE_ELLIPSE, SHAPE_RECTANGLE (flat ends) or SHAPE_CAPSULE (half_width_m[:, 0] is the radius, ends rounded
        and therefore extended by it).
    owner : (N,) index of the person or machine the screen belongs to; screens of one owner overlap, so of one owner only the
        largest loss counts, owners add in dB.
    part : (N,) body part or link index within the owner.
    """

    start_m: FloatArray
    end_m: FloatArray
    half_width_m: FloatArray
    yaw_rad: FloatArray
    shape: IntArray
    owner: IntArray
    part: IntArray


@dataclass(frozen=True, slots=True)
class Paths:
    """Propagation paths of every link, stored link after link.

    Attributes
    ----------
    n_ue, n_trp : number of UEs and TRPs.
    wavelength_m : (T,) wavelength of each TRP's carrier [m].
    offset : (U*T + 1,) paths of link ``l`` are ``offset[l]:offset[l + 1]``, strongest first.
    order : (P,) reflections, 0 for line of sight.
    vertex_m : (P, 4, 3) TRP, reflection points in order, UE; what is left over repeats the UE [m].
    length_m : (P,) unfolded length [m].
    transfer : (P, 2, 2) complex field gain without antennas, received (theta, phi) by sent (theta, phi) component:
        ``lambda / (4 pi d) exp(-j 2 pi d / lambda)`` times the reflections.
    amplitude : (P,) complex field gain between the polarisations of the two antennas, without their patterns.
    departure, arrival : (P, 3) unit vectors, from the TRP along the path, and from the UE back along the path.
    facet : (P, 2) reflecting facets in order, -1 where there is none.
    """

    n_ue: int
    n_trp: int
    wavelength_m: FloatArray
    offset: IntArray
    order: IntArray
    vertex_m: FloatArray
    length_m: FloatArray
    transfer: ComplexArray
    amplitude: ComplexArray
    departure: FloatArray
    arrival: FloatArray
    facet: IntArray

    @property
    def delay_s(self) -> FloatArray:
        """(P,) propagation delay [s]."""
        return self.length_m / SPEED_OF_LIGHT_MPS


@dataclass(frozen=True, slots=True)
class Blockage:
    """What bodies cost each path.

    Attributes
    ----------
    field : (P,) complex factor that bodies put on the path's field: the product over owners and legs, 1 with nobody near.
    loss_db : (P,) the same as a loss, ``-20 lg |field|`` [dB]; below 0 where edges of a shadow add up.
    worst_owner : (P,) owner with the largest loss, -1 where no owner costs 0.5 dB or more.
    worst_part : (P,) that owner's part which stands deepest in the path, -1 likewise.
    worst_db : (P,) that owner's loss [dB].
    """

    field: ComplexArray
    loss_db: FloatArray
    worst_owner: IntArray
    worst_part: IntArray
    worst_db: FloatArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy orders for the coming tick. Second legs are -1 where none is used.

    Attributes
    ----------
    trp, beam, sector : (U, 2) primary and secondary TRP, its beam, the UE's sector.
    usable : (U, 2) False while that leg cannot carry data (recovery or handover interruption, TCI not yet active).
    repetitions : (U,) mini-slot repetitions per message on each leg (1, 2, 4, 8).
    sinr_dl_db, sinr_ul_db : (U,) SINR that link adaptation reckons with, margin already taken off [dB].
    margin_db : (2, U) the margin that was taken off, downlink and uplink, which video does without [dB]; None where it is
        ``link_adaptation.margin_db`` for all.
    frames_db : (2, U) SINR at which the MCS of video frames is chosen, downlink and uplink [dB]; None where it is what the above
        add up to.
    """

    trp: IntArray
    beam: IntArray
    sector: IntArray
    usable: BoolArray
    repetitions: IntArray
    sinr_dl_db: FloatArray
    sinr_ul_db: FloatArray
    margin_db: FloatArray | None = None
    frames_db: FloatArray | None = None

    def frames_margin_db(self, fixed_db: float) -> FloatArray:
        """Return what is added to the SINR of link adaptation for video frames (2, U) [dB].

        ``fixed_db`` is the margin of `link_adaptation`, where the plan names none.
        """
        if self.frames_db is not None:
            return np.stack((self.frames_db[0] - self.sinr_dl_db, self.frames_db[1] - self.sinr_ul_db))
        return np.full((2, len(self.trp)), fixed_db) if self.margin_db is None else self.margin_db


@dataclass(frozen=True, slots=True)
class LinkState:
    """True radio state of the legs that a plan uses, at one instant. Columns: primary, secondary leg (NaN/-1 if unused).

    Attributes
    ----------
    sinr_dl_db, sinr_ul_db : (U, 2) effective wideband SINR [dB], -inf-like (<= -100) where there is no path.
    clear_dl_db, clear_ul_db : (U, 2) the same with no body in the hall (body loss 0, same beams, same interference power).
    quiet_dl_db, quiet_ul_db : (U, 2) the same as sinr_* with no interference.
    shadow_dl_db, shadow_ul_db : (U, 2) SNR of the best beam and TRP of the empty hall without interference: what the place
        itself allows [dB].
    body_loss_db : (U, 2) body loss of the leg: power ratio clear / actual on the serving beam pair [dB].
    owner, part : (U, 2) blocker with the largest loss on the strongest (unblocked) path of the leg, -1 if none.
    """

    sinr_dl_db: FloatArray
    sinr_ul_db: FloatArray
    clear_dl_db: FloatArray
    clear_ul_db: FloatArray
    quiet_dl_db: FloatArray
    quiet_ul_db: FloatArray
    shadow_dl_db: FloatArray
    shadow_ul_db: FloatArray
    body_loss_db: FloatArray
    owner: IntArray
    part: IntArray


class LinkStates(Sequence[LinkState]):
    """The link states of K plans, side by side.

    Parameters
    ----------
    levels : (K, 9, U, 2) the levels of :class:`LinkState` [dB], in its order.
    whom : (K, 2, U, 2) owner and part.
    """

    __slots__ = ("levels", "whom")

    def __init__(self, levels: FloatArray, whom: IntArray) -> None:
        self.levels, self.whom = levels, whom

    @classmethod
    def of(cls, states: Sequence[LinkState]) -> LinkStates:
        """Put states side by side; what is so already stays."""
        if isinstance(states, cls):
            return states
        levels = [
            (
                s.sinr_dl_db, s.sinr_ul_db, s.clear_dl_db, s.clear_ul_db, s.quiet_dl_db, s.quiet_ul_db, s.shadow_dl_db,
                s.shadow_ul_db, s.body_loss_db,
            )
            for s in states
        ]  # fmt: skip
        return cls(np.array(levels, dtype=np.float64), np.array([(s.owner, s.part) for s in states], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.levels)

    @overload
    def __getitem__(self, index: int) -> LinkState: ...
    @overload
    def __getitem__(self, index: slice) -> LinkStates: ...
    def __getitem__(self, index: int | slice) -> LinkState | LinkStates:
        if isinstance(index, slice):
            return LinkStates(self.levels[index], self.whom[index])
        return LinkState(*self.levels[index], *self.whom[index])


@dataclass(frozen=True, slots=True)
class Sweep:
    """Beam sweep: power gain of every beam pair (SSB/CSI-RS measurement without noise).

    Attributes
    ----------
    time_us : instant of the measurement [us].
    gain : (U, T, B, S) linear power gain including both antennas, paths added in power.
    """

    time_us: int
    gain: FloatArray
