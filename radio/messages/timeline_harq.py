"""Repetitions, redundancy versions, HARQ process numbers, and the times a device may take (TS 38.214, TS 38.321).

Everything here is arithmetic on symbols and slots; ``radio.messages.timeline`` puts it in order of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radio.messages import nr

Capability = Literal[1, 2]
RvSequence = Literal["0231", "0303", "0000"]
REPETITIONS = (1, 2, 4, 8)  # repK of TS 38.331: n1, n2, n4, n8
# Above this many PRBs a device of capability 2 falls back to capability 1 at 30 kHz (TS 38.214 5.3).
CAPABILITY_2_BLOCKS = 136
_RV = {"0231": (0, 2, 3, 1), "0303": (0, 3, 0, 3), "0000": (0, 0, 0, 0)}


def pdsch_capability(mu: int, capability: Capability, resource_blocks: int, fr2: bool = False) -> Capability:
    """Return the processing capability that counts for PDSCH.

    Parameters
    ----------
    mu : numerology.
    capability : what the device has.
    resource_blocks : PRBs of the allocation; above 136 at 30 kHz capability 2 falls back to 1 (TS 38.214 5.3).
    fr2 : True above 24.25 GHz, where capability 2 has no value at 60 kHz.

    Raises
    ------
    ValueError
        If capability 2 has no value there.
    """
    if capability == 2 and mu == 2 and fr2:
        raise ValueError("processing_capability 2 at 60 kHz exists below 7.125 GHz only (TS 38.214 5.3); use 1")
    if capability == 2 and mu == 3:
        raise ValueError("processing_capability 2 does not exist at 120 kHz (TS 38.214 tables 5.3-2, 6.4-2); use 1")
    if capability == 2 and mu == 1 and resource_blocks > CAPABILITY_2_BLOCKS:
        return 1
    return capability


def pdsch_extra_symbols(capability: Capability, length: int, pdcch_overlap: int = 0, same_coreset_of_3: bool = False) -> int:
    """Return d_1,1 of type B PDSCH, the symbols added to N1 (TS 38.214 5.3).

    Parameters
    ----------
    capability : processing capability.
    length : symbols of the PDSCH, 2 to 13.
    pdcch_overlap : d, symbols in which PDSCH and its PDCCH overlap.
    same_coreset_of_3 : capability 2 and two symbols: the PDCCH is in a CORESET of 3 symbols that starts with the PDSCH.

    Raises
    ------
    ValueError
        If the length is none of type B.
    """
    if not 2 <= length <= 13:
        raise ValueError(f"length {length}: type B PDSCH has 2 to 13 symbols (TS 38.214 5.1.2.1)")
    if length >= 7:
        return 0
    if capability == 1:
        if length >= 4:
            return 7 - length
        return 3 + (min(pdcch_overlap, 1) if length == 3 else pdcch_overlap)
    return 3 if length == 2 and same_coreset_of_3 else pdcch_overlap


def pusch_extra_symbols(first_symbol_is_dmrs_only: bool) -> int:
    """Return d_2,1, the symbols added to N2 (TS 38.214 6.4): none where the first PUSCH symbol holds DM-RS alone."""
    return 0 if first_symbol_is_dmrs_only else 1


@dataclass(frozen=True, slots=True)
class Processing:
    """Times that a device takes.

    Attributes
    ----------
    pdsch_us : T_proc,1, from the end of PDSCH to its HARQ-ACK [us].
    pusch_us : T_proc,2, from the end of a grant to PUSCH [us].
    """

    pdsch_us: float
    pusch_us: float


def processing(
    mu: int, capability: Capability = 1, resource_blocks: int = 0, fr2: bool = False, d_11: int = 0, d_21: int = 0
) -> Processing:
    """Return the times (N1 + d_1,1) and (N2 + d_2,1) symbols long (TS 38.214 5.3, 6.4).

    Parameters
    ----------
    mu, capability, resource_blocks, fr2 : see `pdsch_capability`, which holds for N1 only.
    d_11, d_21 : see `pdsch_extra_symbols` and `pusch_extra_symbols`.

    Raises
    ------
    ValueError
        If the capability has no value at this numerology, such as capability 2 at 120 kHz.
    """
    symbol_us = nr.SYMBOL_WITH_PREFIX_US / (1 << mu)
    n1_us = nr.pdsch_processing_us(mu, pdsch_capability(mu, capability, resource_blocks, fr2))
    return Processing(n1_us + d_11 * symbol_us, nr.pusch_preparation_us(mu, capability) + d_21 * symbol_us)


def redundancy_versions(sequence: RvSequence, repetitions: int) -> tuple[int, ...]:
    """Return the RV of each transmission occasion of a configured grant: the (mod(n - 1, 4) + 1)th of the sequence.

    Raises
    ------
    ValueError
        If the number of repetitions is none of repK, or the sequence none of repK-RV.
    """
    if repetitions not in REPETITIONS:
        raise ValueError(f"repetitions {repetitions}: repK is one of {', '.join(map(str, REPETITIONS))} (TS 38.331)")
    if sequence not in _RV:
        raise ValueError(f"repK-RV {sequence!r}: use one of {', '.join(_RV)} (TS 38.214 6.1.2.3.1)")
    return tuple(_RV[sequence][n % 4] for n in range(repetitions))


def first_occasions(sequence: RvSequence, repetitions: int) -> tuple[int, ...]:
    """Return the occasions of a period, 0 first, at which a packet may begin (TS 38.214 6.1.2.3.1).

    With 0231 only the first one; with 0303 any of RV 0; with 0000 any, except the last of eight.
    """
    versions = redundancy_versions(sequence, repetitions)
    if sequence == "0231":
        return (0,)
    last = repetitions - 1 if sequence == "0000" and repetitions == 8 else repetitions
    return tuple(n for n in range(last) if versions[n] == 0)


def sps_harq_process(slot: int, slots_per_frame: int, periodicity_ms: float, processes: int) -> int:
    """Return the HARQ process of semi-persistent PDSCH (TS 38.321 5.3.1).

    floor(CURRENT_slot 10 / (slots per frame x periodicity)) mod nrofHARQ-Processes, the slot counted from frame 0.
    """
    return int(slot * 10 // (slots_per_frame * periodicity_ms)) % processes


def configured_grant_harq_process(symbol: int, periodicity_symbols: int, processes: int) -> int:
    """Return the HARQ process of a configured grant (TS 38.321 5.4.1): floor(CURRENT_symbol / periodicity) mod processes.

    The symbol is that of the first occasion of a bundle, counted from frame 0.
    """
    return symbol // periodicity_symbols % processes
