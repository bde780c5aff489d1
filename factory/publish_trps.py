"""What a view tells of the transmission points: place, load, whom they serve, and how they are heard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bridges.view import TrpView

if TYPE_CHECKING:
    from factory.twin import Twin

__all__ = ["TrpWatch", "shortfall_db"]

Floats = npt.NDArray[np.float64]

_LEAST_DEVICES = 3  # of fewer the median says more about a person in the way than about the TRP
_NO_GAIN = 1e-30


def shortfall_db(measured: Floats, expected: Floats) -> list[float | None]:
    """How far the gain of each TRP lies below what is expected of it [dB].

    Of each TRP the half of the devices that should hear it best is taken, three at least; the median over these is hardly moved
    by a person who stands before one of them.

    Parameters
    ----------
    measured, expected : (U, T) linear gain of the best beam pair, by the newest sweep and in the empty hall.

    Returns
    -------
    list of float or None
        One per TRP; None where it is not heard at all, or fewer than three devices should hear it.
    """
    n_ue, n_trp = expected.shape
    told: list[float | None] = []
    for t in range(n_trp):
        best = np.argsort(-expected[:, t], kind="stable")[: max(_LEAST_DEVICES, n_ue // 2)]
        best = best[expected[best, t] > _NO_GAIN]
        if len(best) < _LEAST_DEVICES or not (measured[best, t] > _NO_GAIN).any():
            told.append(None)
            continue
        fall_db = 10.0 * np.log10(expected[best, t] / np.maximum(measured[best, t], _NO_GAIN))
        told.append(float(np.median(fall_db)))
    return told


class TrpWatch:
    """Looks at the transmission points of a twin's acting network.

    Parameters
    ----------
    twin : what is looked at.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        radio = twin.scenario.radio
        self._carrier_hz = [radio.carrier_of(t).frequency_hz for t in radio.trps]
        self._off_before: npt.NDArray[np.bool_] = np.zeros(len(radio.trps), np.bool_)

    def views(self) -> tuple[TrpView, ...]:
        """Return the transmission points as they are after the last tick; none without radio."""
        twin = self._twin
        if not twin.networks:
            return ()
        network, radio = twin.networks[0], twin.scenario.radio
        n = len(radio.trps)
        # the last tick began one step ago
        off = twin.ether.out_of_service(max(twin.time_us - twin.dt_us, 0))
        off = np.zeros(n, np.bool_) if off is None else off
        newest, survey = twin.ether.newest, twin.ether.survey
        fall: list[float | None] = [None] * n
        if newest is not None and survey is not None:
            fall = shortfall_db(newest.gain.max(axis=(2, 3)), survey.gain.max(axis=(2, 3)))
        views = []
        for t, trp in enumerate(radio.trps):
            legs: list[tuple[tuple[str, ...], tuple[int, ...]]] = [((), ()), ((), ())]
            if network.plan is not None:
                for leg in (0, 1):
                    ues = np.flatnonzero(network.plan.trp[:, leg] == t)
                    legs[leg] = (tuple(twin.devices[u] for u in ues), tuple(int(network.plan.beam[u, leg]) for u in ues))
            x_m, y_m, z_m = trp.position_m
            views.append(
                TrpView(
                    name=trp.name,
                    x_m=x_m,
                    y_m=y_m,
                    z_m=z_m,
                    azimuth_rad=math.radians(trp.azimuth_deg),
                    downtilt_rad=math.radians(trp.downtilt_deg),
                    carrier_hz=self._carrier_hz[t],
                    beams=int(twin.channel.beams_of_trp[t]),
                    in_service=not off[t],
                    load_dl=float(network.load_dl[t]),
                    load_ul=float(network.load_ul[t]),
                    # a sweep from before it was switched off, or from before it came back, says nothing of now
                    shortfall_db=None if off[t] or self._off_before[t] else fall[t],
                    devices=legs[0][0],
                    serving_beams=legs[0][1],
                    second_devices=legs[1][0],
                    second_beams=legs[1][1],
                )
            )
        self._off_before = off
        return tuple(views)
