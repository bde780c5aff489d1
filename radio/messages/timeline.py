"""What happened when to one packet: from its arrival at the sender to its delivery, symbol by symbol.

Pure functions, used to check scenarios and to explain; `delivery_kernel` does the same for many messages at once. The
device takes the times of TS 38.214; for the gNB and the ends of a packet's way, which the standard leaves open, a sender prepares
in half of T_proc,2 and a receiver decodes in half of T_proc,1, as TR 37.910 5.7.1.1 assumes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from radio.messages.timeline_grid import Direction, SymbolGrid
from radio.messages.timeline_harq import Processing, RvSequence, first_occasions

Access = Literal["configured_grant", "dynamic", "semi_persistent"]
_JUST_MISSED_US = 1e-3
_MOST_OCCASIONS = 64


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """How one direction of one service is sent.

    Attributes
    ----------
    grid : symbols of the carrier.
    processing : times of the device.
    length : symbols of one transmission, 1 to 14, inside a slot.
    access : uplink: ``configured_grant`` (type 1) or ``dynamic`` (scheduling request, then a grant); downlink:
        ``semi_persistent`` or ``dynamic``.
    periodicity_us : time between two occasions of a configured grant or of semi-persistent PDSCH [us]; None: in any symbol.
    sr_period_us : time between two occasions for a scheduling request [us]; None: in any uplink symbol.
    repetitions : K of a configured grant; for the others how often each transmission is repeated.
    rv_sequence : repK-RV, which says at which repetitions a packet may begin.
    core_delay_us : one-way delay between gNB and application [us].
    """

    grid: SymbolGrid
    processing: Processing
    length: int = 2
    access: Access = "configured_grant"
    periodicity_us: int | None = None
    sr_period_us: int | None = None
    repetitions: int = 1
    rv_sequence: RvSequence = "0231"
    core_delay_us: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something that took time: what it was, from when to when [us], and its first symbol where it went over the air."""

    what: str
    start_us: float
    end_us: float
    symbol: int | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps of one packet in order of time; between two of them it waited. ``str`` makes a table of it.

    Attributes
    ----------
    steps : from the arrival on.
    latency_us : from the arrival to the delivery [us].
    """

    steps: tuple[Step, ...]
    latency_us: float

    def __str__(self) -> str:
        """Return one line per step: start and end in us after the arrival, symbol of the frame, what it was."""
        zero = self.steps[0].start_us
        lines = [
            f"{s.start_us - zero:9.1f} {s.end_us - zero:9.1f}  {'' if s.symbol is None else s.symbol:>6}  {s.what}"
            for s in self.steps
        ]
        return "\n".join(["    from        to  symbol", *lines])


class _Trace:
    """Steps so far, and the time that they have reached."""

    def __init__(self, timing: LinkTiming, arrival_us: float) -> None:
        self.timing, self.arrival_us, self.now_us = timing, arrival_us, arrival_us
        self.steps: list[Step] = []

    def take(self, what: str, duration_us: float) -> None:
        if duration_us > 0.0:
            self.steps.append(Step(what, self.now_us, self.now_us + duration_us))
            self.now_us += duration_us

    def send(self, what: str, direction: Direction, length: int, symbol: int | None = None) -> None:
        grid = self.timing.grid
        first = grid.next_run(self.now_us, direction, length) if symbol is None else symbol
        self.now_us = grid.start_us(first + length)
        self.steps.append(Step(what, grid.start_us(first), self.now_us, first))

    def done(self) -> Timeline:
        return Timeline(tuple(self.steps), self.now_us - self.arrival_us)


def _occasion(timing: LinkTiming, n: int, direction: Direction) -> list[int]:
    """First symbols of the repetitions in period ``n`` of a configured grant or of semi-persistent PDSCH."""
    assert timing.periodicity_us is not None
    symbols: list[int] = []
    time_us = float(n * timing.periodicity_us)
    for _ in range(timing.repetitions):
        symbols.append(timing.grid.next_run(time_us, direction, timing.length))
        time_us = timing.grid.start_us(symbols[-1] + timing.length)
    return symbols


def _send_at_occasion(trace: _Trace, what: str, direction: Direction) -> None:
    timing = trace.timing
    if timing.periodicity_us is None:
        for r in range(timing.repetitions):
            trace.send(_numbered(what, r, timing.repetitions), direction, timing.length)
        return
    starts = first_occasions(timing.rv_sequence, timing.repetitions) if direction == "uplink" else (0,)
    n = max(math.floor(trace.now_us / timing.periodicity_us) - 1, 0)
    ready = timing.grid.first_from(trace.now_us)
    while True:
        symbols = _occasion(timing, n, direction)
        begin = next((k for k in starts if symbols[k] >= ready), None)
        if begin is not None:
            for k in range(begin, timing.repetitions):
                trace.send(_numbered(what, k, timing.repetitions), direction, timing.length, symbols[k])
            return
        n += 1


def _numbered(what: str, k: int, of: int) -> str:
    return what if of == 1 else f"{what}, repetition {k + 1} of {of}"


def _scheduling_request(trace: _Trace) -> None:
    timing, processing = trace.timing, trace.timing.processing
    if timing.sr_period_us is None:
        trace.send("scheduling request", "uplink", 1)
    else:
        n = max(math.floor(trace.now_us / timing.sr_period_us) - 1, 0)
        ready = timing.grid.first_from(trace.now_us)
        while (symbol := timing.grid.next_run(n * timing.sr_period_us, "uplink", 1)) < ready:
            n += 1
        trace.send("scheduling request", "uplink", 1, symbol)
    trace.take("gNB schedules", 0.5 * (processing.pdsch_us + processing.pusch_us))
    trace.send("grant (PDCCH)", "downlink", 1)


def uplink_latency(timing: LinkTiming, arrival_us: float, transmissions: int = 1) -> Timeline:
    """Follow one packet from a device to its application.

    Parameters
    ----------
    timing : how it is sent.
    arrival_us : when it arrives at the device, from the start of a frame [us], not below 0.
    transmissions : the one that is decoded; each further one is asked for by the gNB with a grant (TS 38.214 6.4).

    Returns
    -------
    The steps, and the latency with the core.
    """
    processing, trace = timing.processing, _Trace(timing, arrival_us)
    trace.take("device prepares", 0.5 * processing.pusch_us)
    if timing.access == "dynamic":
        _scheduling_request(trace)
        trace.take("device prepares PUSCH (N2)", processing.pusch_us)
        for r in range(timing.repetitions):
            trace.send(_numbered("PUSCH", r, timing.repetitions), "uplink", timing.length)
    else:
        _send_at_occasion(trace, "PUSCH", "uplink")
    for _ in range(transmissions - 1):
        trace.take("gNB decodes, schedules again", 0.5 * (processing.pdsch_us + processing.pusch_us))
        trace.send("grant (PDCCH)", "downlink", 1)
        trace.take("device prepares PUSCH (N2)", processing.pusch_us)
        for r in range(timing.repetitions):
            trace.send(_numbered("PUSCH again", r, timing.repetitions), "uplink", timing.length)
    trace.take("gNB decodes", 0.5 * processing.pdsch_us)
    trace.take("core", timing.core_delay_us)
    return trace.done()


def downlink_latency(timing: LinkTiming, arrival_us: float, transmissions: int = 1) -> Timeline:
    """Follow one packet from its application to a device; parameters as `uplink_latency`, the arrival is at the application."""
    processing, trace = timing.processing, _Trace(timing, arrival_us)
    trace.take("core", timing.core_delay_us)
    trace.take("gNB prepares", 0.5 * processing.pusch_us)
    if timing.access == "semi_persistent":
        _send_at_occasion(trace, "PDSCH", "downlink")
    else:
        for r in range(timing.repetitions):
            trace.send(_numbered("PDSCH", r, timing.repetitions), "downlink", timing.length)
    for _ in range(transmissions - 1):
        trace.take("device decodes (N1)", processing.pdsch_us)
        trace.send("HARQ-ACK (PUCCH)", "uplink", 1)
        trace.take("gNB decodes, schedules again", 0.5 * (processing.pdsch_us + processing.pusch_us))
        for r in range(timing.repetitions):
            trace.send(_numbered("PDSCH again", r, timing.repetitions), "downlink", timing.length)
    trace.take("device decodes", 0.5 * processing.pdsch_us)
    return trace.done()


def latency(timing: LinkTiming, direction: Direction, arrival_us: float, transmissions: int = 1) -> Timeline:
    """Follow one packet in a direction, see `uplink_latency` and `downlink_latency`."""
    follow = uplink_latency if direction == "uplink" else downlink_latency
    return follow(timing, arrival_us, transmissions)


def _best_arrivals(timing: LinkTiming, direction: Direction) -> Iterator[float]:
    """Yield arrivals that wait for nothing before their first symbol: every latency lies between these and just after them."""
    grid = timing.grid
    before_us = 0.5 * timing.processing.pusch_us + (timing.core_delay_us if direction == "downlink" else 0.0)
    request = direction == "uplink" and timing.access == "dynamic"
    length = 1 if request else timing.length
    spacing_us = timing.sr_period_us if request else timing.periodicity_us
    if timing.access == "dynamic" and not request:
        spacing_us = None
    lead = math.ceil(before_us / grid.period_us) + 1  # periods ahead, so that no arrival is before the frame
    if spacing_us is None:
        carries = grid.carries(direction)
        for symbol in range(lead * grid.period, (lead + 1) * grid.period):
            if carries[symbol % grid.period] and grid.next_run(grid.start_us(symbol), direction, length) == symbol:
                yield grid.start_us(symbol) - before_us
        return
    cycle = math.lcm(spacing_us, round(grid.period_us)) // spacing_us
    ahead = math.ceil(before_us / spacing_us) + 1
    for n in range(ahead, ahead + min(cycle, _MOST_OCCASIONS)):
        for symbol in [grid.next_run(n * spacing_us, direction, 1)] if request else _occasion(timing, n, direction):
            yield grid.start_us(symbol) - before_us


def smallest_latency_us(timing: LinkTiming, direction: Direction, transmissions: int = 1) -> float:
    """Return the latency of the packet that arrives at the best instant [us]."""
    return min(latency(timing, direction, t, transmissions).latency_us for t in _best_arrivals(timing, direction))


def largest_latency_us(timing: LinkTiming, direction: Direction, transmissions: int = 1) -> float:
    """Return the latency of the packet that has just missed its symbol, over all such instants, on an empty carrier [us]."""
    arrivals = _best_arrivals(timing, direction)
    return max(latency(timing, direction, t + _JUST_MISSED_US, transmissions).latency_us for t in arrivals)


def check_deadline(timing: LinkTiming, direction: Direction, max_latency_us: float, further_us: float = 0.0) -> None:
    """Refuse a deadline that no packet can ever meet.

    Parameters
    ----------
    timing, direction : how the packet is sent.
    max_latency_us : allowed latency [us].
    further_us : least time that it takes from there on, such as a second hop [us].

    Raises
    ------
    ValueError
        If even the packet that arrives at the best instant is late; the message names the smallest latency.
    """
    least_us = math.ceil(smallest_latency_us(timing, direction) + further_us - 1e-6)
    if max_latency_us < least_us:
        wait_us = 0.5 * (timing.processing.pdsch_us + timing.processing.pusch_us)
        second = f", {further_us:.0f} us in the second hop" if further_us else ""
        raise ValueError(
            f"max_latency_us {max_latency_us:g} is impossible: {direction} by {timing.access} at {15 << timing.grid.mu} kHz "
            f"takes at least {least_us} us ({timing.core_delay_us:g} us of it in the core, {wait_us:.0f} us in preparing and "
            f"decoding{second}); allow at least {least_us} us"
        )
