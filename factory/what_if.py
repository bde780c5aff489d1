"""What a lost message would have met otherwise: columns of the run's events and ticks that `factory-twin explain` reads.

A loss names its cause; what would have saved it needs the same instant under other circumstances: the SINR that the network
reckoned with, what the message needed, the link without bodies and without interference, the best other transmission point.
All of it is worked out where a message was lost, and for every device when its state is recorded, never in between.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from radio.config import CarrierConfig, LinkAdaptationConfig
from radio.messages import nr
from radio.messages.delivery import MAX_SLOTS
from radio.messages.reliability import required_sinr_db
from radio.messages.traffic import DOWNLINK, Traffic
from radio.policies.base import evm_ceiling
from radio.policies.reports import Best, Report
from radio.types import LinkState, Plan

if TYPE_CHECKING:
    from factory.twin import Tick, Twin

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]

HEARD_DB = 1.0
"""Interference that costs less than this is not given a name [dB]."""


ROBUST_MCS = 14
"""MCS that a message longer than a slot is taken to need at least: the highest of QPSK in TS 38.214 table 5.1.3.1-3."""
LOOK_US = 200_000
"""Time between two looks at what else a device could have had, while it goes on losing messages [us]."""
COMPARED_LOOK_US = 1_000_000
"""The same under policies that are compared and do not act [us]."""
_NOTHING_DB = -200.0


class WhatIf:
    """Works out what losses and links would have been under other circumstances.

    Parameters
    ----------
    twin : the twin.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        config, traffic = twin.scenario.radio, twin.traffic
        used = config.used_carriers
        self._carrier: Ints = np.array(config.trp_carrier, dtype=np.int64)
        self._need_db: Floats = np.stack([stream_needs_db(c, config.link_adaptation, traffic) for c in used])[self._carrier]
        self._sent_db: Floats = np.stack([mcs_needs_db(c, config.link_adaptation, traffic) for c in used])[self._carrier]
        self._device_need_db: Floats = np.full((2, len(config.trps), len(twin.devices)), -np.inf)
        for s in range(traffic.n_streams):
            row = self._device_need_db[traffic.direction[s], :, traffic.ue[s]]
            np.maximum(row, self._need_db[:, s], out=row)
        self._evm = evm_ceiling(config)
        self._margin_db = config.link_adaptation.margin_db
        shape = len(twin.networks), traffic.n_streams
        self._looked_us: Ints = np.full(shape, -COMPARED_LOOK_US, np.int64)
        self._looked_cause: Ints = np.full(shape, -1, np.int64)
        self._load: Floats = np.zeros((len(twin.networks), 2, len(config.trps)))
        self._power_w: Floats = 10.0 ** ((np.array([t.tx_power_dbm for t in config.trps]) - 30.0) / 10.0)

    def end_tick(self) -> None:
        """Remember the loads of the tick that has been looked at: they are the interference of the next one."""
        for k, network in enumerate(self._twin.networks):
            self._load[k, 0], self._load[k, 1] = network.load_dl, network.load_ul

    def of_losses(self, k: int, tick: Tick, lost: Ints) -> Columns:
        """Return the columns of `LOSS_COLUMNS` for the messages ``lost`` (n,) that the k-th network lost in a tick.

        What other TRPs would have done, who interfered and what was forecast is worked out for the first loss of a stream, then
        every :data:`LOOK_US`, and when the cause changes; under policies that do not act every :data:`COMPARED_LOOK_US`. In
        between it is blank.

        Parameters
        ----------
        k : which of the twin's networks.
        tick : the tick, with its air.
        lost : (n,) rows among the messages that the network decided in this tick.
        """
        network, d, traffic = self._twin.networks[k], tick.delivered[k], self._twin.traffic
        plan, state = network.plan, network.state
        assert plan is not None  # a network that delivered has a plan and a state
        assert state is not None
        stream = d.stream[lost]
        values, codes = _loss_columns(
            lost, stream, d.trp, d.beam, d.mcs, d.plan_sinr_db, traffic.ue, traffic.direction, plan.trp, plan.beam, plan.usable,
            state.clear_dl_db, state.clear_ul_db, state.quiet_dl_db, state.quiet_ul_db, network.load_dl, network.load_ul,
            self._need_db, self._sent_db,
        )  # fmt: skip
        columns = dict(zip(("plan_sinr_db", "sent_need_db", "need_db", "clear_db", "quiet_db", "load"), values, strict=True))
        columns |= {"mcs": codes[0], "usable_legs": codes[1]}
        columns["plan_sinr_db"][traffic.video[stream]] += self._margin_db  # video does without the margin of control
        return columns | self._looked_around(k, tick, lost, stream, columns["quiet_db"] - d.sinr_db[lost], codes[2])

    def _looked_around(self, k: int, tick: Tick, lost: Ints, stream: Ints, heard_db: Floats, leg: Ints) -> Columns:
        """Return the columns that take a look at the rest of the hall."""
        n, traffic = len(lost), self._twin.traffic
        ue = traffic.ue[stream]
        numbers: Floats = np.full((3, n), np.nan)
        codes: Ints = np.full((2, n), -1, np.int64)
        cause = tick.delivered[k].cause[lost]
        if k == 0:
            again = (self._looked_us[k, stream] + LOOK_US <= tick.time_us) | (self._looked_cause[k, stream] != cause)
        else:
            again = self._looked_us[k, stream] + COMPARED_LOOK_US <= tick.time_us
        due = np.flatnonzero(again)
        if len(due):
            self._looked_us[k, stream[due]] = tick.time_us
            self._looked_cause[k, stream[due]] = cause[due]
            network = self._twin.networks[k]
            plan, d = network.plan, tick.delivered[k]
            assert plan is not None
            of, direction, trp = ue[due], traffic.direction[stream[due]], np.maximum(d.trp[lost[due]], 0)
            other, state = self._elsewhere(k, tick, plan, of)
            other = other[of]
            sinr_db = np.where(direction == DOWNLINK, state.sinr_dl_db[of, 1], state.sinr_ul_db[of, 1])
            load = np.where(direction == DOWNLINK, network.load_dl[other], network.load_ul[other])
            numbers[0, due] = np.where(other >= 0, sinr_db - self._need_db[other, stream[due]], np.nan)
            numbers[1, due] = np.where(other >= 0, load, np.nan)
            numbers[2, due] = self._forecast(k, tick, of, direction, trp)
            codes[0, due] = other
            if (heard_db[due] > HEARD_DB).any():
                codes[1, due] = _interferers(
                    of, direction, trp, leg[due], heard_db[due], plan.trp, plan.beam, plan.sector, self._newest(tick).gain,
                    self._carrier, self._power_w, *self._load[k],
                )  # fmt: skip
        names = ("other_margin_db", "other_load", "forecast_db", "other_trp", "interferer")
        return dict(zip(names, (*numbers, *codes), strict=True))

    def of_devices(self, tick: Tick) -> Columns:
        """Return the columns of `DEVICE_COLUMNS` for every device under the acting policy.

        The best other TRP is told by the newest sweep, without interference: for every device at 10 Hz its true state would
        cost as much as a tick's own states.
        """
        n = len(self._twin.devices)
        network = self._twin.networks[0] if self._twin.networks else None
        plan = network.plan if network is not None else None
        if plan is None or tick.air is None:
            none = np.full(n, np.nan)
            empty: Columns = dict.fromkeys(("plan_dl_db", "plan_ul_db", "need_dl_db", "need_ul_db", "other_margin_db"), none)
            return empty | {"other_trp": np.full(n, -1, np.int64), "usable_legs": np.zeros(n, np.int64)}
        best = self._newest(tick).best()
        needs, codes = _device_columns(plan.trp, plan.usable, best.dl_db, best.ul_db, self._device_need_db, self._evm)
        return {
            "plan_dl_db": plan.sinr_dl_db,
            "plan_ul_db": plan.sinr_ul_db,
            "need_dl_db": needs[0],
            "need_ul_db": needs[1],
            "usable_legs": codes[0],
            "other_trp": codes[1],
            "other_margin_db": needs[2],
        }

    def _elsewhere(self, k: int, tick: Tick, plan: Plan, ue: Ints) -> tuple[Ints, LinkState]:
        """Best other TRP of every device, (U,) -1 for none, and the state that a second leg there has for devices ``ue`` (n,).

        The beam pair is the best of the newest sweep, whether or not the network knows it yet; the SINR is that of this tick,
        with the cells as they are.
        """
        air = tick.air
        assert air is not None
        best = self._newest(tick).best()
        other: Ints = np.full(len(plan.trp), -1, np.int64)
        for u in ue:
            other[u] = _best_other(best.dl_db, plan.trp, u)
        legs = np.stack((plan.trp, plan.beam, plan.sector))
        legs[:, :, 1] = -1
        legs[:, ue, 1] = _pair(best, other)[:, ue]
        asked = Plan(legs[0], legs[1], legs[2], plan.usable, plan.repetitions, plan.sinr_dl_db, plan.sinr_ul_db)
        known = air.known
        load_dl, load_ul = self._load[k]
        state = self._twin.channel.state(
            air.paths, known.ues, air.blockage, asked, load_dl, load_ul, known.empty, time_us=known.time_us
        )
        return other, state

    def _newest(self, tick: Tick) -> Report:
        assert tick.air is not None
        return self._twin.ether.newest or tick.air.known.survey

    def _forecast(self, k: int, tick: Tick, ue: Ints, direction: Ints, trp: Ints) -> Floats:
        """SNR that the nearest forecast gave the best pair of the TRP, (n,) [dB]; NaN where nobody forecasts."""
        assert tick.air is not None
        out: Floats = np.full(len(ue), np.nan)
        coming = [f for f in tick.air.known.forecast or () if f.time_us >= tick.time_us]
        if not coming or not self._twin.networks[k].forecasting:
            return out
        nearest = min(coming, key=lambda f: f.time_us)
        best = nearest.best()
        covered = nearest.source is None or nearest.source.covered[ue * len(self._carrier) + trp]
        snr_db = np.where(direction == DOWNLINK, best.dl_db[ue, trp], best.ul_db[ue, trp])
        return np.where(covered, self._twin.channel.cap_sinr_db(np.maximum(snr_db, _NOTHING_DB)), np.nan)


@njit(cache=True)
def _loss_columns(  # type: ignore[no-untyped-def]
    lost, stream, trp, beam, mcs, reckoned_db, ue_of, direction_of, plan_trp, plan_beam, usable,
    clear_dl_db, clear_ul_db, quiet_dl_db, quiet_ul_db, load_dl, load_ul, need_db, sent_db,
):  # fmt: skip
    """Gather what is known of lost messages: numbers (6, n), and MCS, usable legs and leg (3, n)."""
    n = lost.size
    numbers, codes = np.full((6, n), np.nan), np.zeros((3, n), np.int64)
    for i in range(n):
        row, s = lost[i], stream[i]
        u, down = ue_of[s], direction_of[s] == 0
        leg = 0
        if (plan_trp[u, 0] != trp[row] or plan_beam[u, 0] != beam[row]) and plan_trp[u, 1] == trp[row]:
            leg = 1
        t = max(trp[row], 0)
        numbers[0, i] = reckoned_db[row]
        if mcs[row] >= 0:
            numbers[1, i] = sent_db[t, s, mcs[row]]
        numbers[2, i] = need_db[t, s]
        numbers[3, i] = clear_dl_db[u, leg] if down else clear_ul_db[u, leg]
        numbers[4, i] = quiet_dl_db[u, leg] if down else quiet_ul_db[u, leg]
        numbers[5, i] = load_dl[t] if down else load_ul[t]
        codes[0, i] = mcs[row]
        codes[1, i] = int(usable[u, 0]) + int(usable[u, 1])
        codes[2, i] = leg
    return numbers, codes


@njit(cache=True)
def _interferers(  # type: ignore[no-untyped-def]
    ue, direction, trp, leg, heard_db, plan_trp, plan_beam, plan_sector, gain, carrier, power_w, load_dl, load_ul
):
    """TRP whose cell is heard loudest in each lost message, (n,), -1 where interference cost little.

    In the uplink it is the TRP whose devices are heard most. Powers as in `radio.links.Channel.states`, by a sweep's gains.
    """
    out = np.full(ue.size, -1, np.int64)
    for i in range(ue.size):
        u, t, loudest = ue[i], trp[i], 0.0
        if not heard_db[i] > HEARD_DB:
            continue
        for o in range(carrier.size):
            if o == t or carrier[o] != carrier[t]:
                continue
            power, n = 0.0, 0
            for v in range(plan_trp.shape[0]):
                if plan_trp[v, 0] == o:
                    n += 1
                    if direction[i] == 0:
                        power += gain[u, o, plan_beam[v, 0], plan_sector[u, leg[i]]]
                    else:
                        power += gain[v, t, plan_beam[u, leg[i]], plan_sector[v, 0]]
            if n > 0:
                power *= (power_w[o] * load_dl[o] if direction[i] == 0 else load_ul[o]) / n
            if power > loudest:
                out[i], loudest = o, power
    return out


@njit(cache=True)
def _device_columns(plan_trp, usable, best_dl_db, best_ul_db, need_db, evm):  # type: ignore[no-untyped-def]
    """Needs of both directions and margin of the best other TRP (3, U) [dB], and usable legs and that TRP (2, U)."""
    n = plan_trp.shape[0]
    numbers, codes = np.full((3, n), np.nan), np.zeros((2, n), np.int64)
    for u in range(n):
        t, o = max(plan_trp[u, 0], 0), _best_other(best_dl_db, plan_trp, u)
        for d in range(2):
            if need_db[d, t, u] > -np.inf:
                numbers[d, u] = need_db[d, t, u]
        if o >= 0:
            margin_db = np.inf
            for d in range(2):
                snr_db = best_dl_db[u, o] if d == 0 else best_ul_db[u, o]
                sinr_db = -10.0 * math.log10(10.0 ** (-0.1 * max(snr_db, _NOTHING_DB)) + evm)
                margin_db = min(margin_db, sinr_db - need_db[d, o, u])
            if margin_db < np.inf:
                numbers[2, u] = margin_db
        codes[0, u] = int(usable[u, 0]) + int(usable[u, 1])
        codes[1, u] = o
    return numbers, codes


@njit(cache=True)
def _best_other(best_db, plan_trp, u):  # type: ignore[no-untyped-def]
    """TRP with the best pair among those that serve no leg of a device, -1 where there is no other."""
    other = -1
    for o in range(best_db.shape[1]):
        serves = o == plan_trp[u, 0] or o == plan_trp[u, 1]
        if not serves and (other < 0 or best_db[u, o] > best_db[u, other]):
            other = o
    return other


def _pair(best: Best, trp: Ints) -> Ints:
    """TRP, beam and sector (3, U) of the best pairs of chosen TRPs (U,), -1 for none."""
    u, at = np.arange(len(trp)), np.maximum(trp, 0)
    pair: Ints = np.where(trp >= 0, np.stack((at, best.beam[u, at], best.sector[u, at])), -1)
    return pair


def stream_needs_db(carrier: CarrierConfig, adaptation: LinkAdaptationConfig, traffic: Traffic) -> Floats:
    """SINR that a message of every stream needs on a carrier, (N,) [dB].

    A control message reaches the target block error in one slot over the whole carrier, or in the symbols of MCS
    `ROBUST_MCS` where those are more; a video frame needs the spectral efficiency that carries it in half the symbols of its
    interval and direction. `factory.margin.LinkMargin` says the same by device, always of one slot.
    """
    elements = float(nr.resource_elements(carrier.resource_blocks, 1))
    bits = _coded_bits(traffic)
    tdd = nr.tdd_pattern(carrier)
    half = 0.5 * tdd.usable[traffic.direction] / tdd.symbols * traffic.interval_us / tdd.symbol_us
    control = np.maximum(nr.SYMBOLS_PER_SLOT * elements, bits / nr.SPECTRAL_EFFICIENCY[ROBUST_MCS])
    n_re = np.where(traffic.video, half * elements, control)
    target = np.where(traffic.video, adaptation.video_target_bler, adaptation.target_bler)
    return required_sinr_db(n_re, bits, target) + _penalty_db(adaptation)


def mcs_needs_db(carrier: CarrierConfig, adaptation: LinkAdaptationConfig, traffic: Traffic) -> Floats:
    """SINR at which a message sent at every MCS reaches its target block error, (N, 29) [dB].

    A control message with the symbols that the MCS gives it, whose code rate then falls to fill them; a frame block by block.
    """
    efficiency, bits = nr.SPECTRAL_EFFICIENCY, _coded_bits(traffic)[:, None]
    elements = float(nr.resource_elements(carrier.resource_blocks, 1))
    symbols = np.clip(np.ceil(bits / efficiency / elements), nr.MINI_SLOT_SYMBOLS, MAX_SLOTS * nr.SYMBOLS_PER_SLOT)
    need_db = required_sinr_db(np.minimum(symbols * elements, bits / efficiency[0]), bits, adaptation.target_bler)
    block = float(nr.CODE_BLOCK_BITS)
    need_db[traffic.video] = required_sinr_db(block / efficiency, block, adaptation.video_target_bler)
    return need_db + _penalty_db(adaptation)


def _coded_bits(traffic: Traffic) -> Floats:
    return np.array([b + nr.crc_bits(int(b)) for b in traffic.bits], dtype=np.float64)


def _penalty_db(adaptation: LinkAdaptationConfig) -> float:
    return adaptation.implementation_gap_db + adaptation.channel_estimation_loss_db
