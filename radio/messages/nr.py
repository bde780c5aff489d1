"""5G NR as the packets see it: symbol times, the robust MCS table, processing times and the TDD pattern.

The tables are data with their clause. Times are microseconds, counted in OFDM symbols of the carrier's numerology.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from radio.types import FloatArray, IntArray

if TYPE_CHECKING:  # the configuration checks TDD patterns with the symbols of this module
    from radio.config import CarrierConfig

SYMBOLS_PER_SLOT = 14
SUBCARRIERS_PER_PRB = 12
MINI_SLOT_SYMBOLS = 2  # shortest type B allocation, TS 38.214 5.1.2.1
CODE_BLOCK_BITS = 8448  # largest LDPC code block, base graph 1, TS 38.212 5.2.2

# TS 38.214 Table 5.1.3.1-3 (qam64LowSE): modulation order, code rate x 1024, spectral efficiency [bit/RE].
_MCS_TABLE_3 = (
    (2, 30, 0.0586),
    (2, 40, 0.0781),
    (2, 50, 0.0977),
    (2, 64, 0.1250),
    (2, 78, 0.1523),
    (2, 99, 0.1934),
    (2, 120, 0.2344),
    (2, 157, 0.3066),
    (2, 193, 0.3770),
    (2, 251, 0.4902),
    (2, 308, 0.6016),
    (2, 379, 0.7402),
    (2, 449, 0.8770),
    (2, 526, 1.0273),
    (2, 602, 1.1758),
    (4, 340, 1.3281),
    (4, 378, 1.4766),
    (4, 434, 1.6953),
    (4, 490, 1.9141),
    (4, 553, 2.1602),
    (4, 616, 2.4063),
    (6, 438, 2.5664),
    (6, 466, 2.7305),
    (6, 517, 3.0293),
    (6, 567, 3.3223),
    (6, 616, 3.6094),
    (6, 666, 3.9023),
    (6, 719, 4.2129),
    (6, 772, 4.5234),
)
MODULATION_ORDER: IntArray = np.array([row[0] for row in _MCS_TABLE_3], dtype=np.int64)
CODE_RATE_X1024: IntArray = np.array([row[1] for row in _MCS_TABLE_3], dtype=np.int64)
SPECTRAL_EFFICIENCY: FloatArray = np.array([row[2] for row in _MCS_TABLE_3], dtype=np.float64)
# TS 38.214 Table 5.2.2.1-4 (CQI table 3, for a block error of 1e-5): modulation order, code rate x 1024, efficiency of CQI 1 to
# 15.
_CQI_TABLE_3 = (
    (2, 30, 0.0586),
    (2, 50, 0.0977),
    (2, 78, 0.1523),
    (2, 120, 0.2344),
    (2, 193, 0.3770),
    (2, 308, 0.6016),
    (2, 449, 0.8770),
    (2, 602, 1.1758),
    (4, 378, 1.4766),
    (4, 490, 1.9141),
    (4, 616, 2.4063),
    (6, 466, 2.7305),
    (6, 567, 3.3223),
    (6, 666, 3.9023),
    (6, 772, 4.5234),
)
CQI_MODULATION_ORDER: IntArray = np.array([row[0] for row in _CQI_TABLE_3], dtype=np.int64)
CQI_CODE_RATE_X1024: IntArray = np.array([row[1] for row in _CQI_TABLE_3], dtype=np.int64)
CQI_EFFICIENCY: FloatArray = np.array([row[2] for row in _CQI_TABLE_3], dtype=np.float64)
for _table in (
    MODULATION_ORDER,
    CODE_RATE_X1024,
    SPECTRAL_EFFICIENCY,
    CQI_MODULATION_ORDER,
    CQI_CODE_RATE_X1024,
    CQI_EFFICIENCY,
):
    _table.setflags(write=False)

# TS 38.214 Table 5.3-1/5.3-2 (PDSCH decoding, DM-RS position pos0) and Table 6.4-1/6.4-2 (PUSCH preparation), in symbols.
# Capability 2 at 60 kHz holds in FR1 only.
_N1 = {1: {0: 8.0, 1: 10.0, 2: 17.0, 3: 20.0}, 2: {0: 3.0, 1: 4.5, 2: 9.0}}
_N2 = {1: {0: 10.0, 1: 12.0, 2: 23.0, 3: 36.0}, 2: {0: 5.0, 1: 5.5, 2: 11.0}}
SYMBOL_WITH_PREFIX_US = (2048 + 144) / 30.72  # at 15 kHz; kappa Tc = 1 / 30.72 us, TS 38.211 4.1

# TDD period in us per numerology, from the list of TS 38.213 11.1, each a whole number of slots.
_TDD_PERIOD_US = {0: 1000, 1: 1000, 2: 500, 3: 500}


def reported_efficiency() -> FloatArray:
    """Return the spectral efficiency of the lowest CQI that allows each MCS, (MCS,) [bit/RE].

    Who knows the channel by its CQI only may take an MCS of at most the CQI's efficiency.
    """
    return np.asarray(CQI_EFFICIENCY[np.searchsorted(CQI_EFFICIENCY, SPECTRAL_EFFICIENCY)], dtype=np.float64)


def numerology(subcarrier_spacing_hz: int) -> int:
    """Return mu of TS 38.211 Table 4.2-1.

    Parameters
    ----------
    subcarrier_spacing_hz : 15000, 30000, 60000 or 120000 [Hz].

    Raises
    ------
    ValueError
        For any other spacing.
    """
    known = {15_000: 0, 30_000: 1, 60_000: 2, 120_000: 3}
    if subcarrier_spacing_hz not in known:
        raise ValueError(f"subcarrier_spacing_hz {subcarrier_spacing_hz} is no NR data numerology; use one of {sorted(known)}")
    return known[subcarrier_spacing_hz]


def slot_us(mu: int) -> int:
    """Return the slot duration [us]: 1000, 500, 250, 125 (TS 38.211 4.3.2)."""
    return 1000 >> mu


def symbol_us(mu: int) -> float:
    """Return the mean duration of a symbol with its cyclic prefix [us], a fourteenth of a slot."""
    return slot_us(mu) / SYMBOLS_PER_SLOT


def mini_slot_us(mu: int, symbols: int) -> float:
    """Return the duration of a mini-slot [us].

    Parameters
    ----------
    mu : numerology.
    symbols : 1 to 14; type B PUSCH is 1..14 symbols long, type B PDSCH 2..13 (TS 38.214 5.1.2.1, 6.1.2.1).
    """
    if not 1 <= symbols <= SYMBOLS_PER_SLOT:
        raise ValueError(f"symbols {symbols} is no mini-slot; a slot holds 1 to {SYMBOLS_PER_SLOT}")
    return symbols * symbol_us(mu)


def resource_elements(resource_blocks: int, symbols: int) -> int:
    """Return the resource elements of an allocation, 12 per PRB and symbol (TS 38.211 4.4.4)."""
    return SUBCARRIERS_PER_PRB * resource_blocks * symbols


def crc_bits(payload_bits: int) -> int:
    """Return the transport block CRC length: 24 above 3824 bits, else 16 (TS 38.212 7.2.1)."""
    return 24 if payload_bits > 3824 else 16


def _processing_us(table: dict[int, dict[int, float]], name: str, mu: int, capability: int) -> float:
    if capability not in table:
        raise ValueError(f"capability {capability} is unknown; TS 38.214 has capabilities 1 and 2")
    if mu not in table[capability]:
        raise ValueError(
            f"{name}: capability {capability} has no processing time at mu {mu} ({15 << mu} kHz); use capability 1 there"
            if mu in table[1]
            else f"{name}: mu {mu} is outside the table; use 0 to 3"
        )
    return table[capability][mu] * SYMBOL_WITH_PREFIX_US / (1 << mu)


def pdsch_processing_us(mu: int, capability: int = 1) -> float:
    """Return N1, from the end of PDSCH to its HARQ-ACK, pos0 DM-RS, d11 = 0 [us] (TS 38.214 5.3).

    Raises
    ------
    ValueError
        If the capability has no value at this numerology, such as capability 2 at 120 kHz.
    """
    return _processing_us(_N1, "N1", mu, capability)


def pusch_preparation_us(mu: int, capability: int = 1) -> float:
    """Return N2, from the end of the grant to PUSCH, d21 = 0 [us] (TS 38.214 6.4).

    Raises
    ------
    ValueError
        If the capability has no value at this numerology, such as capability 2 at 120 kHz.
    """
    return _processing_us(_N2, "N2", mu, capability)


@dataclass(frozen=True, slots=True)
class TddPattern:
    """Which symbols of the repeating TDD period carry data, downlink first. Index 0 is downlink, 1 uplink.

    SSB, PDCCH, reference signals and the guard take the first symbols of each direction (``overhead_share``).

    Attributes
    ----------
    period_us : length of the period [us].
    symbols : symbols in the period.
    symbol_us : duration of one symbol [us].
    first : (2,) first data symbol of each direction in the period.
    usable : (2,) data symbols of each direction in the period; they follow one another.
    slotted : True where a transmission ends with its slot, as in an explicit pattern; a split by shares is not bound to slots.
    """

    period_us: int
    symbols: int
    symbol_us: float
    first: IntArray
    usable: IntArray
    slotted: bool = False

    @property
    def longest(self) -> IntArray:
        """(2,) most symbols that follow one another in a transmission of each direction, 14 at most."""
        if not self.slotted:
            return np.minimum(self.usable, SYMBOLS_PER_SLOT)
        most = []
        for first, usable in zip(self.first.tolist(), self.usable.tolist(), strict=True):
            slots = np.arange(first, first + usable) // SYMBOLS_PER_SLOT
            most.append(int(np.bincount(slots).max()))
        return np.array(most, dtype=np.int64)

    def symbols_in(self, duration_us: int, direction: Literal[0, 1]) -> int:
        """Return the data symbols of a direction in a duration that is a whole number of periods."""
        return int(self.usable[direction]) * (duration_us // self.period_us)

    def start_us(self, ordinal: int, direction: Literal[0, 1]) -> float:
        """Return when the direction's data symbol number ``ordinal`` (0 from the start of a period) begins [us]."""
        period, inside = divmod(ordinal, int(self.usable[direction]))
        return period * self.period_us + (int(self.first[direction]) + inside) * self.symbol_us


def tdd_pattern(carrier: CarrierConfig) -> TddPattern:
    """Build the TDD pattern of a carrier.

    Raises
    ------
    ValueError
        If the shares leave a direction without room for one mini-slot in a period.
    """
    mu = numerology(carrier.subcarrier_spacing_hz)
    period_us = _TDD_PERIOD_US[mu]
    symbols = SYMBOLS_PER_SLOT * period_us // slot_us(mu)
    pattern = carrier.tdd_pattern
    given = f"downlink_share {carrier.downlink_share}" if pattern is None else f"tdd_pattern {pattern!r}"
    if carrier.duplex == "fdd":
        given = "duplex fdd"
        size, end = np.array([symbols, symbols], dtype=np.int64), np.array([symbols, symbols], dtype=np.int64)
    elif pattern is not None:
        special = [int(n) for n in (carrier.special_slot or "0:0:0").split(":")]
        symbols, period_us = SYMBOLS_PER_SLOT * len(pattern), slot_us(mu) * len(pattern)
        size = SYMBOLS_PER_SLOT * np.array([pattern.count("D"), pattern.count("U")], dtype=np.int64)
        size += np.array([special[0], special[2]], dtype=np.int64)
        end = np.array([size[0], symbols], dtype=np.int64)
    else:
        downlink = round(carrier.downlink_share * symbols)
        size = np.array([downlink, symbols - downlink], dtype=np.int64)
        end = np.array([downlink, symbols], dtype=np.int64)
    # 1e-9: 0.86 of 50 is 43, not 42.99
    usable = np.floor(size * (1.0 - carrier.overhead_share) + 1e-9).astype(np.int64)
    for name, left in zip(("downlink", "uplink"), usable, strict=True):
        if left < MINI_SLOT_SYMBOLS:
            raise ValueError(
                f"{given} with overhead_share {carrier.overhead_share} leaves the {name} "
                f"{left} of {symbols} symbols; at least {MINI_SLOT_SYMBOLS} are needed"
            )
    return TddPattern(
        period_us=period_us,
        symbols=symbols,
        symbol_us=symbol_us(mu),
        first=end - usable,
        usable=usable,
        slotted=pattern is not None or carrier.duplex == "fdd",
    )
