"""Block error and survival time beside their references."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.optimize import brentq

from factory.validate.rows import Row
from radio.config import LinkAdaptationConfig
from radio.figures.kpi import KpiAccumulator
from radio.messages import nr
from radio.messages.delivery import Delivered
from radio.messages.reliability import (
    iid_mtbf_s,
    iid_unavailability,
    markov_unavailability,
    required_sinr_db,
    service_down,
    survival_messages,
)
from radio.messages.traffic import DOWNLINK, Traffic
from radio.types import BoolArray

_NORMAL_32_B = {  # MCS: dB at 1e-5 and 1e-6
    0: (-12.02, -11.81),
    3: (-8.63, -8.42),
    5: (-6.64, -6.43),
    8: (-3.47, -3.26),
    10: (-1.08, -0.88),
    12: (1.01, 1.21),
    14: (2.80, 3.01),
    16: (4.34, 4.55),
    20: (8.28, 8.51),
}
_NORMAL_50_B = {14: 2.47, 8: -3.79, 5: -6.97}
_RAN4 = (  # case, resource elements, bits, antennas, requirement, normal approximation [dB]
    ("38.101-4 5.2.2.1.5, PDSCH MCS 14, 1x2", 6864, 8088, 2, 3.2, -1.64),
    ("38.101-4 5.2.2.1.5, PDSCH MCS 14, 1x4", 6864, 8088, 4, 0.7, -4.65),
    ("38.104 8.2.6, PUSCH A3A-1, 1x2", 3600, 720, 2, -5.1, -10.16),
    ("38.104 8.2.6, PUSCH A3A-2, 1x2", 7488, 1496, 2, -5.9, -10.50),
    ("38.104 8.2.6, PUSCH A3A-3, 1x2", 3456, 688, 2, -5.4, -10.16),
    ("38.104 8.2.6, PUSCH A3A-4, 1x2", 15264, 2992, 2, -6.2, -10.82),
)
_YEAR_S = 365.25 * 86400.0
_ALLOWED = (  # case, survival time, transfer interval [us], mean time between failures [s], loss of a message
    ("500 us, survival 500 us, 10 years", 500, 500, 10 * _YEAR_S, 1.3e-6),
    ("1 ms, survival 1 ms, 10 years", 1_000, 1_000, 10 * _YEAR_S, 1.8e-6),
    ("10 ms, survival 10 ms, 10 years", 10_000, 10_000, 10 * _YEAR_S, 5.6e-6),
    ("50 ms, survival 50 ms, 10 years", 50_000, 50_000, 10 * _YEAR_S, 1.3e-5),
    ("panel: 8 ms, survival 8 ms, 1 month", 8_000, 8_000, _YEAR_S / 12, 5.5e-5),
    ("e-stop: 8 ms, survival 16 ms, 1 day", 16_000, 8_000, 86_400.0, 4.5e-3),
    ("process: 10 ms, survival 0, 1 year", 0, 10_000, _YEAR_S, 3.2e-10),
)
_MESSAGES = 1_000_000


def block_error_rows() -> Iterator[Row]:
    """SINR that a block needs, by the normal approximation and with the default receiver's losses."""
    table, source = "Normal approximation", "Polyanskiy 2010, second implementation"
    for mcs, at in _NORMAL_32_B.items():
        for target, db in zip((1e-5, 1e-6), at, strict=True):
            yield Row(
                table, f"32 B, MCS {mcs} of table 5.1.3.1-3, BLER {target:g}", _needed(mcs, 32, target), db, "dB", 0.05, source
            )
    for mcs, db in _NORMAL_50_B.items():
        yield Row(table, f"50 B, MCS {mcs} of table 5.1.3.1-3, BLER 1e-05", _needed(mcs, 50, 1e-5), db, "dB", 0.05, source)
    receiver = LinkAdaptationConfig()
    gap_db = receiver.implementation_gap_db + receiver.channel_estimation_loss_db
    for case, n_re, bits, antennas, requirement_db, approximation_db in _RAN4:
        bare = float(required_sinr_db(n_re, bits, 1e-5)) - 10 * math.log10(antennas)
        yield Row("RAN4 requirements at BLER 1e-5", f"{case}, approximation", bare, approximation_db, "dB", 0.05, source)
        yield Row(
            "RAN4 requirements at BLER 1e-5",
            f"{case}, with {gap_db:g} dB of receiver losses",
            bare + gap_db,
            requirement_db,
            "dB",
            0.0,
            f"TS {case.split(',')[0]}",
            "at most",
        )


def survival_rows() -> Iterator[Row]:
    """Survival-time formulas of TS 22.104 C.3 against counting and against the accumulator of key figures."""
    table, source = "Survival time", "counted over 1e6 drawn messages"
    rng = np.random.default_rng(22_104)
    loss, interval_us = 0.05, 10_000
    lost = rng.random(_MESSAGES) < loss
    for m in (1, 2, 3):
        down = service_down(~lost, m)
        share = float(down.mean())
        entries = int(np.count_nonzero(down[1:] & ~down[:-1]))
        formula = iid_unavailability(loss, m)
        # Down spells come in clusters of 1 / (1 - p) messages; five standard deviations of the count.
        spread = 5 * math.sqrt(formula * (1 + loss) / (1 - loss) / _MESSAGES)
        yield Row(
            table, f"independent losses of 5 %, m = {m}: unavailability p^m", formula, share, "1", _round_up(spread), source
        )
        mtbf = iid_mtbf_s(loss, m, interval_us)
        counted = _MESSAGES * interval_us * 1e-6 / entries
        tolerance = _round_up(5 * counted / math.sqrt(entries))
        yield Row(table, f"independent losses of 5 %, m = {m}: mean time between failures", mtbf, counted, "s", tolerance, source)
    bad = _gilbert(0.01, 0.2, rng)
    for m, published in ((1, 0.0476), (2, 0.0381), (3, 0.0305)):
        ours = markov_unavailability(0.01 / 0.21, 0.8, m)
        yield Row(
            table, f"Gilbert channel 0.01 / 0.2, m = {m}: P(bad) q^(m-1)", ours, published, "1", 5e-5, "second implementation"
        )
        share = float(service_down(~bad, m).mean())
        yield Row(table, f"Gilbert channel 0.01 / 0.2, m = {m}: P(bad) q^(m-1)", ours, share, "1", 0.002, source)
    yield from _key_figures(loss, interval_us, ~lost[:200_000])
    for case, survival_us, transfer_us, mtbf_s, published in _ALLOWED:
        m = survival_messages(survival_us, transfer_us)
        ours = _allowed_loss(m, transfer_us, mtbf_s)
        yield Row(
            "Loss that a mean time between failures allows",
            case,
            ours,
            published,
            "1",
            _round_up(0.05 * published),
            "T / (p^m (1 - p)), two digits",
        )


def _key_figures(loss: float, interval_us: int, ok: BoolArray) -> Iterator[Row]:
    """Feed one stream of known loss to the accumulator that every run uses."""
    n, one, none = len(ok), np.ones(1, np.int64), np.zeros(0, np.int64)
    for m in (1, 2, 3):
        traffic = Traffic(
            ue=0 * one,
            service=0 * one,
            direction=DOWNLINK * one,
            interval_us=interval_us * one,
            offset_us=0 * one,
            deadline_us=interval_us * one,
            survival=m * one,
            bits=256 * one,
            video=np.zeros(1, np.bool_),
            service_name=("control",),
            profile=("mobile-robot",),
            availability_target=np.array([0.999999]),
            mtbf_target_s=np.array([_YEAR_S]),
        )
        row = np.zeros(n, np.int64)
        accumulator = KpiAccumulator(traffic, 1)
        accumulator.add(
            Delivered(
                stream=row,
                message=np.arange(n),
                time_us=np.arange(n) * interval_us,
                ok=ok,
                loss_probability=np.full(n, loss),
                latency_us=np.where(ok, 500, -1),
                cause=np.where(ok, 0, 1),
                owner=row - 1,
                part=row - 1,
                sinr_db=np.zeros(n),
                plan_sinr_db=np.zeros(n),
                trp=row,
                beam=row,
                mcs=row,
                spent_dl=none,
                spent_ul=none,
                available_dl=none,
                available_ul=none,
            )
        )
        figures = accumulator.result(n * interval_us * 1e-6, 50)["services"][0]
        source, table = "p^m by the rule of TS 22.104 C.3", "Key figures of a run"
        case = f"losses of 5 %, m = {m}"
        formula, mtbf = loss**m, interval_us * 1e-6 / (loss**m * (1 - loss))
        down = figures["unavailability"]["value"]
        yield Row(table, f"{case}: conditional unavailability", down, formula, "1", _round_up(1e-4 * formula), source)
        # The first messages have no history of losses, hence m parts in n.
        yield Row(
            table, f"{case}: mean time between failures", figures["mtbf_s"]["value"], mtbf, "s", _round_up(1e-4 * mtbf), source
        )
        counted = 1 - figures["counted"]["availability"]
        spread = _round_up(5 * math.sqrt(formula * (1 + loss) / (1 - loss) / n))
        yield Row(table, f"{case}: counted unavailability", counted, formula, "1", spread, source)


def _needed(mcs: int, payload_bytes: int, target: float) -> float:
    bits = 8 * payload_bytes + nr.crc_bits(8 * payload_bytes)
    return float(required_sinr_db(bits / nr.SPECTRAL_EFFICIENCY[mcs], bits, target))


def _allowed_loss(m: int, transfer_us: int, mtbf_s: float) -> float:
    """Loss of a message at which failures are this far apart on average."""

    def excess(log10_loss: float) -> float:
        return math.log(iid_mtbf_s(10.0**log10_loss, m, transfer_us) / mtbf_s)

    exponent: float = brentq(excess, -14.0, -0.5)
    return float(10.0**exponent)


def _gilbert(into: float, out: float, rng: np.random.Generator) -> BoolArray:
    """Draw a two-state channel: spells of good and bad messages in turn, each of geometric length."""
    spells = 2 * int(_MESSAGES * into * out / (into + out))
    lengths = np.stack((rng.geometric(into, spells), rng.geometric(out, spells)), axis=1).ravel()
    return np.repeat(np.arange(2 * spells) % 2 == 1, lengths)[:_MESSAGES]


def _round_up(value: float) -> float:
    """Round up to one significant digit, so that a tolerance reads as one."""
    unit: float = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.1g}")
