"""Network slices: services that share out the symbols of every TRP by the ratios of TS 28.541 4.3.36 (RRMPolicyRatio).

What is dedicated to a slice nobody else gets, used or not. What is guaranteed to it, the dedicated part included, is given out
first; what it leaves of that, others may use. It never gets more than its maximum. Services in no slice share what is left. The
shares hold for every TRP, direction and tick, in data symbols over all RF chains: with a beam per symbol, time is what is shared
out, and a share of a carrier's PRBs comes to the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radio.config import SliceConfig
from radio.messages.delivery_tables import DEDICATED, GUARANTEED, MAXIMUM, SHARES
from radio.types import IntArray


class Slices:
    """The slices of a configuration.

    Parameters
    ----------
    slices : S of them.
    service_name : (V,) names of the services.

    Attributes
    ----------
    of_service : (V,) index of each service's slice, -1 for none.
    """

    def __init__(self, slices: Sequence[SliceConfig], service_name: Sequence[str]) -> None:
        self._slices = tuple(slices)
        names = [i for name in service_name for i in [self._index(name)]]
        self.of_service: IntArray = np.array(names, dtype=np.int64)

    def _index(self, service: str) -> int:
        return next((i for i, s in enumerate(self._slices) if service in s.services), -1)

    def symbols(self, available: IntArray) -> IntArray:
        """Return how many of the symbols of a tick the slices have.

        Parameters
        ----------
        available : (2, T) symbols of each direction and TRP.

        Returns
        -------
        (SHARES, S, 2, T) whole symbols, rounded down: dedicated, guaranteed, at most.
        """
        out: IntArray = np.zeros((SHARES, len(self._slices), *available.shape), dtype=np.int64)
        for i, s in enumerate(self._slices):
            for row, share in ((DEDICATED, s.dedicated_share), (GUARANTEED, s.guaranteed), (MAXIMUM, s.maximum_share)):
                out[row, i] = np.floor(share * available + 1e-9)  # 1e-9: 0.3 of 480 is 144, not 143.99
        return out
