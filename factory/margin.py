"""How far a link is from failing its most demanding service."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radio.config import CarrierConfig, LinkAdaptationConfig, RadioConfig
from radio.messages import nr
from radio.messages.reliability import required_sinr_db
from radio.messages.traffic import Traffic
from radio.types import LinkState

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class LinkMargin:
    """SINR above what a device's services need.

    A control message needs the SINR at which it reaches the target block error in one slot over the whole carrier; video
    needs the spectral efficiency that carries its frame in half the symbols of its interval and direction.

    Parameters
    ----------
    config : the radio section.
    traffic : message streams.
    n_ue : number of UEs, of which the last may have no service.
    """

    def __init__(self, config: RadioConfig, traffic: Traffic, n_ue: int) -> None:
        used = config.used_carriers
        needs = [_needs_db(c, config.link_adaptation, traffic, n_ue) for c in used]
        # (2, T, U): what each UE needs of each TRP, by the TRP's carrier
        self._need_db: Floats = np.stack([needs[c] for c in config.trp_carrier], axis=1)

    @property
    def need_db(self) -> Floats:
        """SINR that every UE needs of every TRP, downlink and uplink, (2, T, U) [dB]; -inf where it has no service."""
        return self._need_db

    def of(self, state: LinkState, trp: Ints | None = None) -> Floats:
        """Margin of every UE on its best leg, (U,) [dB]; the smaller of the two directions.

        Parameters
        ----------
        state : SINRs of the legs.
        trp : (U, 2) TRPs of the legs, as in a plan. Without them every leg is held against the carrier that needs most, which
            makes no difference where the TRPs share one carrier.
        """
        if trp is None:
            need_dl, need_ul = self._need_db.max(axis=1)[:, :, None]
        else:
            need_db = self._need_db[:, trp, np.arange(len(trp))[:, None]]
            need_dl, need_ul = np.where(trp >= 0, need_db, np.nan)
        margin_dl, margin_ul = state.sinr_dl_db - need_dl, state.sinr_ul_db - need_ul
        best_dl, best_ul = np.fmax(margin_dl[:, 0], margin_dl[:, 1]), np.fmax(margin_ul[:, 0], margin_ul[:, 1])
        return np.asarray(np.minimum(best_dl, best_ul), dtype=np.float64)


def _needs_db(carrier: CarrierConfig, adaptation: LinkAdaptationConfig, traffic: Traffic, n_ue: int) -> Floats:
    """SINR that every UE needs on a carrier, downlink and uplink, (2, U) [dB]; -inf where it has no service."""
    penalty_db = adaptation.implementation_gap_db + adaptation.channel_estimation_loss_db
    re_per_symbol = float(nr.resource_elements(carrier.resource_blocks, 1))
    symbol_us = nr.symbol_us(nr.numerology(carrier.subcarrier_spacing_hz))
    tdd = nr.tdd_pattern(carrier)
    need: Floats = np.full((2, n_ue), -np.inf)
    for i in range(traffic.n_streams):
        bits = float(traffic.bits[i] + nr.crc_bits(int(traffic.bits[i])))
        if traffic.video[i]:
            share = float(tdd.usable[traffic.direction[i]]) / tdd.symbols
            n_re = 0.5 * share * float(traffic.interval_us[i]) / symbol_us * re_per_symbol
            target = adaptation.video_target_bler
        else:
            n_re, target = nr.SYMBOLS_PER_SLOT * re_per_symbol, adaptation.target_bler
        at = int(traffic.direction[i]), int(traffic.ue[i])
        need[at] = max(need[at], float(required_sinr_db(n_re, bits, target)) + penalty_db)
    return need
