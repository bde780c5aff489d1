"""How far a link is from failing its most demanding service."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radio import nr
from radio.config import RadioConfig
from radio.reliability import required_sinr_db
from radio.traffic import DOWNLINK, Traffic
from radio.types import LinkState

Floats = npt.NDArray[np.float64]


class LinkMargin:
    """SINR above what a device's services need.

    A control message needs the SINR at which it reaches the target block error in one slot over the whole carrier; video
    needs the spectral efficiency that carries its frame in half the symbols of its interval and direction.

    Parameters
    ----------
    config : the radio section.
    traffic : message streams.
    """

    def __init__(self, config: RadioConfig, traffic: Traffic) -> None:
        carrier, adaptation = config.carrier, config.link_adaptation
        penalty_db = adaptation.implementation_gap_db + adaptation.channel_estimation_loss_db
        re_per_symbol = float(nr.resource_elements(carrier.resource_blocks, 1))
        symbol_us = nr.symbol_us(nr.numerology(carrier.subcarrier_spacing_hz))
        n_ue = int(traffic.ue.max()) + 1 if traffic.n_streams else 0
        self._need_dl: Floats = np.full(n_ue, -np.inf)
        self._need_ul: Floats = np.full(n_ue, -np.inf)
        for i in range(traffic.n_streams):
            downlink = traffic.direction[i] == DOWNLINK
            bits = float(traffic.bits[i] + nr.crc_bits(int(traffic.bits[i])))
            if traffic.video[i]:
                share = (carrier.downlink_share if downlink else 1.0 - carrier.downlink_share) * (1.0 - carrier.overhead_share)
                n_re = 0.5 * share * float(traffic.interval_us[i]) / symbol_us * re_per_symbol
                target = adaptation.video_target_bler
            else:
                n_re, target = nr.SYMBOLS_PER_SLOT * re_per_symbol, adaptation.target_bler
            need = float(required_sinr_db(n_re, bits, target)) + penalty_db
            table = self._need_dl if downlink else self._need_ul
            ue = int(traffic.ue[i])
            table[ue] = max(table[ue], need)

    def of(self, state: LinkState) -> Floats:
        """Margin of every UE on its best leg, (U,) [dB]; the smaller of the two directions."""
        sinr_dl = np.fmax(state.sinr_dl_db[:, 0], state.sinr_dl_db[:, 1])
        sinr_ul = np.fmax(state.sinr_ul_db[:, 0], state.sinr_ul_db[:, 1])
        return np.asarray(np.minimum(sinr_dl - self._need_dl, sinr_ul - self._need_ul), dtype=np.float64)
