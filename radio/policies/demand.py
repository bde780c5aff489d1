"""What the services ask of the air, as a planner reckons with it: symbols and SINR of every rung of robustness, per device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.messages import nr
from radio.messages.delivery import MAX_SLOTS
from radio.messages.delivery_tables import FDM_A, FDM_B, PDCP, SCHEMES, TDM_A, TDM_SLOTS
from radio.messages.reliability import required_sinr_db
from radio.messages.traffic import DOWNLINK, UPLINK, Traffic
from radio.types import BoolArray, FloatArray, IntArray

N_MCS = len(nr.SPECTRAL_EFFICIENCY)
REPEATS = (2, 4, 8)
RUNGS = N_MCS + len(REPEATS)
"""Rungs of robustness: every MCS, the highest first, and the lowest one repeated."""
_ASSUMED_BITS, _ASSUMED_RATE_HZ = 512.0, 100.0  # where no traffic is known: 64 byte every 10 ms, as mobile-robot has it
_OF_DEADLINE = 0.4  # of the symbols before a deadline, what one message may take of them, since others wait too (assumed)
_FLOOR = 0.1  # of the risk that a message is left by noise alone, as a share of the target


@dataclass(frozen=True, slots=True)
class Demand:
    """Demand of U devices in both directions, downlink first; T TRPs on C carriers, R rungs.

    Attributes
    ----------
    rate_hz : (U, 2) control messages per second, 0 where there are none.
    level_db : (U, 2, R) SINR that link adaptation has to reckon with for a rung [dB].
    repeats : (R,) repetitions of each rung.
    symbols_hz : (U, 2, C, R) symbols per second on each leg of a carrier; infinite for rungs that are too long for a deadline.
    needed_db : (U, 2, C, R) SINR from which noise loses less than a tenth of the risk target [dB].
    target : (U,) risk that a control message may have.
    video : (U, 2) whether frames are sent.
    survival : (U,) messages that the least patient control service has, m of TS 22.104 C.3; 1 where there is none.
    group : (U,) devices that use the same services have the same number.
    available_hz : (2, T) data symbols per second over all RF chains.
    carrier : (T,) carrier of each TRP.
    pairs : (T, T) whether two TRPs can carry one message together.
    """

    rate_hz: FloatArray
    level_db: FloatArray
    repeats: IntArray
    symbols_hz: FloatArray
    needed_db: FloatArray
    target: FloatArray
    video: BoolArray
    survival: IntArray
    group: IntArray
    available_hz: FloatArray
    carrier: IntArray
    pairs: BoolArray


def demand_of(config: RadioConfig, traffic: Traffic | None, n_ue: int) -> Demand:
    """Work the demand of the devices out of their streams.

    Parameters
    ----------
    config : the radio section.
    traffic : the streams; None where they are not known: every device then has 64 byte every 10 ms both ways.
    n_ue : number of UEs U.

    Notes
    -----
    Symbols are those of `radio.messages.delivery`: the highest MCS that meets ``target_bler`` at a level, two symbols at least.
    The SINR that is needed is that of the resource elements which these symbols have, not of the MCS, since the code rate falls
    to fill them. Of several streams of one direction the largest message sets the levels; the others follow it.
    """
    streams = _streams(traffic, n_ue)
    adaptation = config.link_adaptation
    penalty_db = adaptation.implementation_gap_db + adaptation.channel_estimation_loss_db
    efficiency = nr.SPECTRAL_EFFICIENCY
    allowed = nr.reported_efficiency() if adaptation.feedback == "cqi" else efficiency
    elements = np.array([float(nr.resource_elements(c.resource_blocks, 1)) for c in config.used_carriers])
    repeats = np.array([1] * N_MCS + list(REPEATS), dtype=np.int64)
    mcs_of_rung = np.concatenate((np.arange(N_MCS)[::-1], np.zeros(len(REPEATS), np.int64)))
    rate, video = np.zeros((n_ue, 2)), np.zeros((n_ue, 2), np.bool_)
    level = np.full((n_ue, 2, RUNGS), -60.0)
    symbols, needed = np.zeros((n_ue, 2, len(elements), RUNGS)), np.full((n_ue, 2, len(elements), RUNGS), -60.0)
    survival = np.ones(n_ue, np.int64)
    target = np.full(n_ue, config.human_aware.risk_target)
    made: dict[float, tuple[FloatArray, IntArray, FloatArray]] = {}
    patterns = [nr.tdd_pattern(c) for c in config.used_carriers]

    def room(until_us: float, d: int) -> FloatArray:
        """Symbols that one message may take before its deadline (C,): a TDD period is waited for."""
        return np.array([_OF_DEADLINE * p.usable[d] * max(until_us - p.period_us, 0.0) / p.period_us for p in patterns])

    for u in range(n_ue):
        own = [s for s in streams if s[0] == u and not s[5]]
        if own:
            survival[u] = min(s[4] for s in own)
        for s in streams:
            if s[0] == u and s[5]:
                video[u, s[1]] = True
        for d in (DOWNLINK, UPLINK):
            here = sorted([s for s in own if s[1] == d], key=lambda s: -s[2])
            for i, (_, _, bits, hz, _, _, deadline_us) in enumerate(here):
                coded = bits + nr.crc_bits(int(bits))
                if coded not in made:
                    made[coded] = _ladder(coded, allowed, efficiency, elements, penalty_db, adaptation.target_bler, target[u])
                required_db, length, need_db = made[coded]
                if i == 0:
                    level[u, d] = required_db[mcs_of_rung] + 1e-6
                picked = np.maximum(np.searchsorted(required_db, level[u, d], side="right") - 1, 0)
                rate[u, d] += hz
                taken = length[:, picked] * repeats
                symbols[u, d] += hz * np.where(
                    taken <= np.maximum(room(deadline_us, d), taken.min(axis=1))[:, None], taken, np.inf
                )
                gain_db = 10.0 * np.log10(repeats.astype(np.float64))
                needed[u, d] = np.maximum(needed[u, d], need_db[:, picked] - gain_db)
    services: list[tuple[tuple[int, int, float, float], ...]] = [
        tuple(sorted((s[1], s[5], s[2], s[3]) for s in streams if s[0] == u)) for u in range(n_ue)
    ]
    kinds = sorted(set(services))
    group = np.array([kinds.index(s) for s in services], dtype=np.int64)
    tdd = [nr.tdd_pattern(config.carrier_of(t)) for t in config.trps]
    available = np.array(
        [[p.usable[d] * 1e6 / p.period_us * t.rf_chains for p, t in zip(tdd, config.trps, strict=True)] for d in (0, 1)]
    )
    carrier = np.array(config.trp_carrier, dtype=np.int64)
    pairs = _pairs(adaptation.redundancy, carrier)
    return Demand(rate, level, repeats, symbols, needed, target, video, survival, group, available, carrier, pairs)


def _streams(traffic: Traffic | None, n_ue: int) -> list[tuple[int, int, float, float, int, int, float]]:
    """Device, direction, bits, messages per second, survival, whether video, and deadline [us] of every stream and second hop."""
    if traffic is None:
        interval_us = 1e6 / _ASSUMED_RATE_HZ
        return [(u, d, _ASSUMED_BITS, _ASSUMED_RATE_HZ, 1, 0, interval_us) for u in range(n_ue) for d in (DOWNLINK, UPLINK)]
    rows: list[tuple[int, int, float, float, int, int, float]] = []
    peer = traffic.sent.peer
    for i in range(traffic.n_streams):
        hz, survival = 1e6 / float(traffic.interval_us[i]), int(traffic.survival[i])
        figures = (float(traffic.bits[i]), hz, survival, int(traffic.video[i]), float(traffic.deadline_us[i]))
        rows.append((int(traffic.ue[i]), int(traffic.direction[i]), *figures))
        if peer[i] >= 0:
            rows.append((int(peer[i]), DOWNLINK, *figures))
    return rows


def _ladder(
    coded: float, allowed: FloatArray, efficiency: FloatArray, elements: FloatArray, penalty_db: float, bler: float, risk: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Level (MCS,) [dB], symbols (C, MCS) and SINR needed (C, MCS) [dB] of a message of ``coded`` bits."""
    required_db = required_sinr_db(coded / allowed, coded, bler) + penalty_db
    length = np.ceil(coded / efficiency[None, :] / elements[:, None]).astype(np.int64)
    length = np.clip(length, nr.MINI_SLOT_SYMBOLS, MAX_SLOTS * nr.SYMBOLS_PER_SLOT)
    n_re = np.minimum(length * elements[:, None], coded / efficiency[0])
    need_db = required_sinr_db(n_re, coded, _FLOOR * risk) + penalty_db
    return required_db, length, need_db


def _pairs(redundancy: str, carrier: IntArray) -> BoolArray:
    """Whether two TRPs can carry one message together (T, T); see `radio.messages.delivery_control`."""
    same = carrier[:, None] == carrier[None, :]
    scheme = SCHEMES.index(redundancy)
    if scheme == PDCP:
        return np.asarray(~same)
    if scheme in (TDM_SLOTS, TDM_A):
        return np.asarray(same)
    if scheme in (FDM_A, FDM_B):
        return np.asarray(same & ~np.eye(len(carrier), dtype=np.bool_))
    return np.ones_like(same)
