"""The symbols of a carrier: which of them go down, which up, and when each begins (TS 38.211 4.3, TS 38.213 11.1).

Symbols are counted from the start of a radio frame. A slot has 14 of them, of equal length here: the longer cyclic prefix of the
first symbol of each half subframe (TS 38.211 5.3.1) is spread over all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radio.messages import nr
from radio.types import BoolArray

FRAME_US = 10_000
# dl-UL-TransmissionPeriodicity of TS 38.331, and the numerologies that each may have (TS 38.213 11.1) [us]. A period is a whole
# number of slots; 3 and 4 ms are the v1530 extension.
_PERIODS_US = {
    500: (1, 2, 3),
    625: (3,),
    1000: (0, 1, 2, 3),
    1250: (2, 3),
    2000: (0, 1, 2, 3),
    2500: (1, 2, 3),
    3000: (0, 1, 2, 3),
    4000: (0, 1, 2, 3),
    5000: (0, 1, 2, 3),
    10000: (0, 1, 2, 3),
}
_DUPLEX_CYCLE_US = 20_000  # P, or P + P2 of two patterns, divides this (TS 38.213 11.1)
Direction = Literal["downlink", "uplink"]


@dataclass(frozen=True, slots=True)
class SymbolGrid:
    """Symbols of one carrier over the period after which they repeat.

    Attributes
    ----------
    mu : numerology.
    downlink, uplink : (S,) which symbols of the period may carry that direction. In FDD every symbol carries both.
    slotted : False for a split by shares, where a transmission may run over the end of a slot.
    """

    mu: int
    downlink: BoolArray
    uplink: BoolArray
    slotted: bool = True

    @property
    def period(self) -> int:
        """Symbols of the period."""
        return len(self.downlink)

    @property
    def period_us(self) -> float:
        """Length of the period [us]."""
        return self.period * nr.symbol_us(self.mu)

    def carries(self, direction: Direction) -> BoolArray:
        """(S,) which symbols of the period may carry a direction."""
        return self.downlink if direction == "downlink" else self.uplink

    def start_us(self, symbol: int) -> float:
        """Start of a symbol, counted from the start of the frame [us]."""
        return symbol * nr.slot_us(self.mu) / nr.SYMBOLS_PER_SLOT

    def first_from(self, time_us: float) -> int:
        """First symbol that starts at or after a time."""
        # 1e-6 symbols: a time that is a symbol's start but for rounding is that symbol's
        return math.ceil(time_us / nr.symbol_us(self.mu) - 1e-6)

    def next_run(self, time_us: float, direction: Direction, length: int) -> int:
        """Return the first symbol from which ``length`` symbols of one direction follow one another, inside one slot.

        Parameters
        ----------
        time_us : earliest start [us].
        length : symbols, 1 to 14.

        Raises
        ------
        ValueError
            If the pattern has no such run at all.
        """
        if not 1 <= length <= nr.SYMBOLS_PER_SLOT:
            raise ValueError(f"length {length}: a transmission takes 1 to {nr.SYMBOLS_PER_SLOT} symbols of a slot")
        carries, first = self.carries(direction), self.first_from(time_us)
        for symbol in range(first, first + self.period + nr.SYMBOLS_PER_SLOT):
            inside = not self.slotted or symbol % nr.SYMBOLS_PER_SLOT + length <= nr.SYMBOLS_PER_SLOT
            if inside and all(carries[(symbol + j) % self.period] for j in range(length)):
                return symbol
        raise ValueError(f"length {length}: no slot of this pattern has that many {direction} symbols in a row")


def fdd_grid(mu: int) -> SymbolGrid:
    """Return the symbols of a paired carrier, where both directions are always on."""
    every = np.ones(nr.SYMBOLS_PER_SLOT, dtype=np.bool_)
    return SymbolGrid(mu, every, every)


def tdd_grid(mu: int, pattern: str, special_slot: str | None = None) -> SymbolGrid:
    """Read a TDD pattern, one letter per slot, as ``tdd-UL-DL-ConfigurationCommon`` can say it.

    Parameters
    ----------
    mu : numerology.
    pattern : slots as letters, D downlink, S special, U uplink: DDDSU. Two patterns one after the other: DDDSUU+DDDD.
    special_slot : symbols of the S slot, downlink:guard:uplink, 14 together: 6:4:4.

    Raises
    ------
    ValueError
        If the letters are in an order that the standard has no words for, the slots last no period of TS 38.213 11.1, or the
        special slot does not fill a slot.
    """
    parts = pattern.split("+")
    if len(parts) > 2:
        raise ValueError(f"tdd_pattern {pattern!r} has {len(parts)} patterns; TS 38.213 11.1 knows one or two")
    special = special_symbols(special_slot, any("S" in p for p in parts))
    downlink: list[bool] = []
    uplink: list[bool] = []
    cycle_us = 0
    for part in parts:
        cycle_us += _checked_period_us(mu, part, pattern)
        for letter in part:
            down, _, up = {"D": (nr.SYMBOLS_PER_SLOT, 0, 0), "U": (0, 0, nr.SYMBOLS_PER_SLOT), "S": special}[letter]
            downlink += [j < down for j in range(nr.SYMBOLS_PER_SLOT)]
            uplink += [j >= nr.SYMBOLS_PER_SLOT - up for j in range(nr.SYMBOLS_PER_SLOT)]
    if _DUPLEX_CYCLE_US % cycle_us:
        raise ValueError(
            f"tdd_pattern {pattern!r} repeats after {cycle_us / 1000:g} ms, which does not divide 20 ms (TS 38.213 11.1)"
        )
    grid = SymbolGrid(mu, np.array(downlink, dtype=np.bool_), np.array(uplink, dtype=np.bool_))
    for direction, carries in (("downlink", grid.downlink), ("uplink", grid.uplink)):
        if not carries.any():
            raise ValueError(f"tdd_pattern {pattern!r} has no {direction} symbol")
    return grid


def special_symbols(special_slot: str | None, wanted: bool) -> tuple[int, int, int]:
    """Return downlink, guard and uplink symbols of the special slot; of no meaning where the pattern has none."""
    if not wanted:
        if special_slot is not None:
            raise ValueError(f"special_slot {special_slot!r}: the TDD pattern has no S slot that it could describe")
        return (0, nr.SYMBOLS_PER_SLOT, 0)
    fields = (special_slot or "").split(":")
    if len(fields) != 3 or not all(f.isdecimal() for f in fields):
        raise ValueError(f"special_slot {special_slot!r}: give downlink:guard:uplink symbols, for example 6:4:4")
    down, guard, up = (int(f) for f in fields)
    if down + guard + up != nr.SYMBOLS_PER_SLOT or guard < 1:
        raise ValueError(
            f"special_slot {special_slot!r} has {down + guard + up} symbols, {guard} of them guard; "
            "a slot has 14, and turning around takes at least one, for example 6:4:4"
        )
    return down, guard, up


def _checked_period_us(mu: int, part: str, pattern: str) -> int:
    if not part or set(part) - set("DSU"):
        raise ValueError(f"tdd_pattern {pattern!r}: use the letters D, S and U, one per slot, for example DDDSU")
    shape = part.lstrip("D").removeprefix("S").lstrip("U")
    if shape:
        raise ValueError(
            f"tdd_pattern {pattern!r}: TS 38.213 11.1 has downlink slots first, at most one special slot, then uplink slots; "
            "a second pattern follows after a +, for example DDDSUU+DDDD"
        )
    period_us = len(part) * nr.slot_us(mu)
    if mu not in _PERIODS_US.get(period_us, ()):
        slots = [p // nr.slot_us(mu) for p, mus in _PERIODS_US.items() if mu in mus]
        raise ValueError(
            f"tdd_pattern {pattern!r}: {len(part)} slots at {15 << mu} kHz last {period_us / 1000:g} ms, no period of "
            f"TS 38.213 11.1; use {', '.join(str(s) for s in slots)} slots"
        )
    return period_us
