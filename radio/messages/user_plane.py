"""What the user plane of a scenario can and cannot do: latencies of its services on its carriers, before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from radio.carrier_config import FR1_END_HZ
from radio.config import CarrierConfig, RadioConfig, ServiceConfig
from radio.messages import nr
from radio.messages.timeline import Access, LinkTiming, check_deadline, latency, smallest_latency_us
from radio.messages.timeline_grid import Direction, SymbolGrid
from radio.messages.timeline_harq import Processing, processing
from radio.messages.traffic import DOWNLINK, Resolved, resolve


def carrier_processing(carrier: CarrierConfig) -> Processing:
    """Return the processing times of the devices on a carrier; d_1,1 and d_2,1 are 0, as the messages of a run have it."""
    mu = nr.numerology(carrier.subcarrier_spacing_hz)
    return processing(mu, carrier.processing_capability, carrier.resource_blocks, carrier.frequency_hz > FR1_END_HZ)


def carrier_grid(carrier: CarrierConfig) -> SymbolGrid:
    """Return the data symbols of a carrier, as messages get them: without what SSB, PDCCH and reference signals take."""
    tdd = nr.tdd_pattern(carrier)
    index = np.arange(tdd.symbols)
    down, up = ((index >= tdd.first[d]) & (index < tdd.first[d] + tdd.usable[d]) for d in range(2))
    return SymbolGrid(nr.numerology(carrier.subcarrier_spacing_hz), down, up, tdd.slotted)


def link_timing(config: RadioConfig, service: ServiceConfig, carrier: CarrierConfig, length: int | None = None) -> LinkTiming:
    """Return how the first hop of a service is sent on a carrier.

    Parameters
    ----------
    length : symbols of a transmission; the shortest that the service can have on the carrier when None.
    """
    r = resolve(service)
    downlink = r.direction == DOWNLINK
    access: Access = service.access or ("dynamic" if downlink else "configured_grant")
    return LinkTiming(
        grid=carrier_grid(carrier),
        processing=carrier_processing(carrier),
        length=shortest_transmission(r, carrier) if length is None else length,
        access=access,
        periodicity_us=service.periodicity_us,
        sr_period_us=service.sr_period_us,
        repetitions=service.repetitions,
        core_delay_us=float(config.core_delay_us),
    )


def shortest_transmission(r: Resolved, carrier: CarrierConfig) -> int:
    """Return the symbols of a message at the highest MCS, 2 at least and at most what follows one another on the carrier."""
    bits = r.bits + nr.crc_bits(r.bits)
    per_symbol = nr.resource_elements(carrier.resource_blocks, 1) * float(nr.SPECTRAL_EFFICIENCY[-1])
    longest = nr.tdd_pattern(carrier).longest
    most = int(longest.min()) if r.relayed else int(longest[r.direction])
    return min(max(int(np.ceil(bits / per_symbol)), nr.MINI_SLOT_SYMBOLS), most)


def least_latency_us(config: RadioConfig, service: ServiceConfig, carrier: CarrierConfig) -> float:
    """Return the smallest latency that a control message of a service can have on a carrier, over all its hops [us]."""
    direction: Direction = "downlink" if resolve(service).direction == DOWNLINK else "uplink"
    return smallest_latency_us(_fastest(config, service, carrier), direction) + _second_hop_us(config, service, carrier)


def _fastest(config: RadioConfig, service: ServiceConfig, carrier: CarrierConfig) -> LinkTiming:
    """Return the timing without repetitions, of which the last may come too late."""
    return dataclasses.replace(link_timing(config, service, carrier), repetitions=1)


def _second_hop_us(config: RadioConfig, service: ServiceConfig, carrier: CarrierConfig) -> float:
    """Return the least time of a second hop: the core, preparing, the symbols and decoding; 0 where there is none [us]."""
    r = resolve(service)
    if not r.relayed:
        return 0.0
    times, symbol_us = carrier_processing(carrier), nr.symbol_us(nr.numerology(carrier.subcarrier_spacing_hz))
    return config.core_delay_us + 0.5 * (times.pusch_us + times.pdsch_us) + shortest_transmission(r, carrier) * symbol_us


def faults(config: RadioConfig) -> Iterator[tuple[str, str]]:
    """Yield every service that cannot work as the key that holds it, from ``radio`` on, and what is wrong.

    Carriers first; then a control service is checked against the fastest carrier in use: a latency that no transmission can ever
    meet is refused, with the smallest possible one.
    """
    unfit = list(_carrier_faults(config))
    yield from unfit
    for i, service in enumerate(config.services if not unfit else ()):
        try:
            r = resolve(service)
        except ValueError as error:
            field = str(error).split(" ", 1)[0]
            yield f"services[{i}].{field if field in ServiceConfig.model_fields else 'profile'}", str(error)
            continue
        if r.video:
            continue
        carriers = config.used_carriers
        best = carriers[int(np.argmin([least_latency_us(config, service, c) for c in carriers]))]
        direction: Direction = "downlink" if r.direction == DOWNLINK else "uplink"
        try:
            further_us = _second_hop_us(config, service, best)
            check_deadline(_fastest(config, service, best), direction, r.deadline_us, further_us)
        except ValueError as error:
            yield f"services[{i}].{'max_latency_us' if service.max_latency_us is not None else 'profile'}", str(error)


def _carrier_faults(config: RadioConfig) -> Iterator[tuple[str, str]]:
    """Yield every carrier in use that leaves a direction without symbols, as `faults` does."""
    for carrier in config.used_carriers:
        key = "carrier" if carrier is config.carrier else f"carriers[{[c is carrier for c in config.carriers].index(True)}]"
        try:
            nr.tdd_pattern(carrier)
        except ValueError as error:
            yield f"{key}.{'downlink_share' if carrier.tdd_pattern is None else 'tdd_pattern'}", str(error)


def story(config: RadioConfig, service: ServiceConfig, carrier: CarrierConfig, arrival_us: float) -> str:
    """Return the timeline of one message of a service on an empty carrier as a table, see `radio.messages.timeline`."""
    direction: Direction = "downlink" if resolve(service).direction == DOWNLINK else "uplink"
    return str(latency(link_timing(config, service, carrier), direction, arrival_us))
