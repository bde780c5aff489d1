"""What became of every message of a tick: symbols, deadlines, block errors, and the cause of each loss.

Control messages ride once (with their repetitions and legs) in mini-slots, earliest deadline first; video frames queue for what
is left and are retransmitted. Both draw on the same symbols of the same RF chains, so nobody spends more than exists.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from radio.config import LinkAdaptationConfig, RadioConfig
from radio.messages import delivery_kernel, nr, user_plane
from radio.messages import delivery_tables as kernel
from radio.messages.reliability import required_sinr_db
from radio.messages.slices import Slices
from radio.messages.traffic import Traffic
from radio.types import BoolArray, FloatArray, IntArray, LinkState, LinkStates, Plan

# Coded bits per information bit before the circular buffer repeats: base graph 2 has rate 1/5 (TS 38.212 5.3.2, 5.4.2.1).
_CIRCULAR_RATE = 5.0
_ROOM_SIGMAS = 10.0  # events that a queue has room for beyond what is expected
MAX_SLOTS = 14  # a transport block is spread over at most this many slots
_BLOCK_BITS = float(nr.CODE_BLOCK_BITS)


class Cause(IntEnum):
    """Why a message was lost: the first rung of a counterfactual ladder that would have carried it.

    RECOVERY no leg could carry data (beam recovery, change of TRP); NO_RESOURCES no symbols were left before the deadline; BODY
    it arrives with no body in the hall; INTERFERENCE it arrives with no interference; ADAPTATION it arrives with an MCS for the
    true SINR; STALE_BEAM it arrives on the best beam of the empty hall; STATIC_SHADOW the place itself does not carry it;
    DECODING risk below 1e-3, plain bad luck; TRP_DOWN its TRP was out of service (``radio.figures.trp_outages`` says so).
    """

    NONE = 0
    BODY = 1
    INTERFERENCE = 2
    RECOVERY = 3
    NO_RESOURCES = 4
    ADAPTATION = 5
    STATIC_SHADOW = 6
    STALE_BEAM = 7
    DECODING = 8
    TRP_DOWN = 9


CAUSES: tuple[str, ...] = tuple(c.name.lower() for c in Cause)


class _IntRow:
    """A row of one of the integer arrays of `Delivered`."""

    def __init__(self, array: str, row: int) -> None:
        self._array, self._row = array, row

    def __get__(self, delivered: Delivered, owner: type | None = None) -> IntArray:
        row: IntArray = getattr(delivered, self._array)[self._row]
        return row


class _FloatRow:
    """A row of one of the float arrays of `Delivered`."""

    def __init__(self, array: str, row: int) -> None:
        self._array, self._row = array, row

    def __get__(self, delivered: Delivered, owner: type | None = None) -> FloatArray:
        row: FloatArray = getattr(delivered, self._array)[self._row]
        return row


class Delivered:
    """The messages that were decided in one tick. R of them; per stream they come in the order they were sent.

    Attributes
    ----------
    stream, message : (R,) stream of the Traffic and number of the message in it.
    time_us : (R,) arrival at the sender [us].
    ok : (R,) correct and in time, by its draw.
    loss_probability : (R,) probability of a loss given channel and resources; 1 where it could not be sent in time.
    latency_us : (R,) end-to-end latency [us], -1 if lost.
    cause : (R,) a Cause, NONE if it arrived.
    owner, part : (R,) body behind a loss by BODY, RECOVERY or (where it lowered the MCS) NO_RESOURCES, else -1.
    sinr_db : (R,) true SINR of the leg [dB]; NaN where it had none.
    plan_sinr_db : (R,) SINR that link adaptation reckoned with [dB].
    trp, beam : (R,) leg of the message: the one that sent first, or the one that a body cost most; -1 if none.
    mcs : (R,) index in TS 38.214 Table 5.1.3.1-3, -1 where nothing was sent.
    spent : (2, T) data symbols spent on each TRP over its RF chains, by direction; ``spent_dl`` and ``spent_ul`` are its rows.
    spent_symbols : (R,) data symbols that the message spent over all legs, transmissions and hops.
    waited_us : (R,) how long its first transmissions waited for free symbols or usable legs [us].
    transmissions : (R,) transmissions of a control message on its last hop; 0 for frames and for what was never sent.
    spent_by_service : (V, 2, T) symbols of the tick by service and direction, also for messages not yet decided; empty if
    unknown.
    spent_dl, spent_ul : (T,) data symbols spent on each TRP over its RF chains.
    available_dl, available_ul : (T,) data symbols that there were.

    Notes
    -----
    Kept as four arrays, of which the attributes are views: ``ints`` (RESULT_INTS, R) and ``floats`` (RESULT_FLOATS, R) with the
    rows of ``radio.messages.delivery_kernel``, ``spent`` and ``available`` (2, T) by direction. Nobody writes into them.
    """

    __slots__ = ("available", "floats", "ints", "ok", "spent", "spent_by_service")
    stream = _IntRow("ints", kernel.R_STREAM)
    message = _IntRow("ints", kernel.R_MESSAGE)
    time_us = _IntRow("ints", kernel.R_TIME)
    latency_us = _IntRow("ints", kernel.R_LATENCY)
    cause = _IntRow("ints", kernel.R_CAUSE)
    owner = _IntRow("ints", kernel.R_OWNER)
    part = _IntRow("ints", kernel.R_PART)
    trp = _IntRow("ints", kernel.R_TRP)
    beam = _IntRow("ints", kernel.R_BEAM)
    mcs = _IntRow("ints", kernel.R_MCS)
    spent_symbols = _IntRow("ints", kernel.R_SPENT)
    waited_us = _IntRow("ints", kernel.R_WAIT)
    transmissions = _IntRow("ints", kernel.R_TRIES)
    loss_probability = _FloatRow("floats", kernel.R_LOSS)
    sinr_db = _FloatRow("floats", kernel.R_SINR)
    plan_sinr_db = _FloatRow("floats", kernel.R_PLAN)
    spent_dl = _IntRow("spent", 0)
    spent_ul = _IntRow("spent", 1)
    available_dl = _IntRow("available", 0)
    available_ul = _IntRow("available", 1)

    def __init__(
        self,
        stream: IntArray,
        message: IntArray,
        time_us: IntArray,
        ok: BoolArray,
        loss_probability: FloatArray,
        latency_us: IntArray,
        cause: IntArray,
        owner: IntArray,
        part: IntArray,
        sinr_db: FloatArray,
        plan_sinr_db: FloatArray,
        trp: IntArray,
        beam: IntArray,
        mcs: IntArray,
        spent_dl: IntArray,
        spent_ul: IntArray,
        available_dl: IntArray,
        available_ul: IntArray,
    ) -> None:
        unknown = np.zeros(len(stream), dtype=np.int64)
        rows = [stream, message, time_us, latency_us, cause, owner, part, trp, beam, mcs, unknown, unknown, unknown]
        self.ints: IntArray = np.array(rows, dtype=np.int64)
        self.floats: FloatArray = np.array([loss_probability, sinr_db, plan_sinr_db], dtype=np.float64)
        self.ok: BoolArray = np.asarray(ok, dtype=np.bool_)
        self.spent: IntArray = np.array([spent_dl, spent_ul], dtype=np.int64)
        self.available: IntArray = np.array([available_dl, available_ul], dtype=np.int64)
        self.spent_by_service: IntArray = np.zeros((0, *self.spent.shape), dtype=np.int64)

    @classmethod
    def of_tick(
        cls,
        ints: IntArray,
        floats: FloatArray,
        ok: BoolArray,
        spent: IntArray,
        available: IntArray,
        by_service: IntArray | None = None,
    ) -> Delivered:
        """Return what the kernel wrote, without a copy; without symbols by service where they are not known."""
        delivered = object.__new__(cls)
        delivered.ints, delivered.floats, delivered.ok = ints, floats, ok
        delivered.spent, delivered.available = spent, available
        delivered.spent_by_service = np.zeros((0, *spent.shape), dtype=np.int64) if by_service is None else by_service
        return delivered

    @property
    def load_dl(self) -> FloatArray:
        """(T,) share of the downlink symbols spent, 0 to 1."""
        return np.asarray(self.spent[0] / self.available[0], dtype=np.float64)

    @property
    def load_ul(self) -> FloatArray:
        """(T,) share of the uplink symbols spent, 0 to 1."""
        return np.asarray(self.spent[1] / self.available[1], dtype=np.float64)


class Delivery:
    """Delivers the traffic of one policy, tick after tick; or holds the tables that do so for several, see `packets`.

    Parameters
    ----------
    config : the radio section.
    traffic : streams.
    draw_seed : seed of the messages' draws, ``0 <= draw_seed < 2**63``; policies that are compared share it, so that the same
        message meets the same luck under each of them.
    n : number of policies.

    Attributes
    ----------
    load : (n, 2, T) share of each TRP's symbols spent in the last tick, by direction.
    margin_db : margin that a plan has taken off where it names none [dB].

    Notes
    -----
    Latency is arrival, processing at the sender, wait for free symbols of the TDD pattern, the symbols themselves, processing at
    the receiver, and the core delay. As in TR 37.910 5.7.1.1 a sender prepares in N2 / 2 and a receiver decodes in N1 / 2.
    Requests, grants, occasions and retransmissions are on symbols as in `timeline`. An occasion that is not needed costs
    nothing, and neither do requests and grants: they ride in what ``overhead_share`` takes. A message that does not fit in its
    tick, or whose legs are interrupted, waits while its deadline allows. A stream's results come in the order in which its
    messages were sent, so a message that is decided may be told a tick later. Of the MCS table the highest entry that meets the
    target block error at ``plan.sinr_*`` gives the number of symbols (two at least); the code rate then falls to fill them, down
    to MCS 0. Video is reckoned without the control margin, which ``plan.sinr_*`` has taken off. Every TRP has the symbols,
    processing times and resource blocks of its own carrier; of a message with two legs each leg takes the symbols that its
    carrier needs for the same MCS.
    """

    def __init__(self, config: RadioConfig, traffic: Traffic, draw_seed: int, n: int = 1) -> None:
        adaptation = config.link_adaptation
        self.traffic, self.n = traffic, n
        self.load: FloatArray = np.zeros((n, 2, len(config.trps)))
        self._last_ue = int(traffic.ue.max()) if traffic.n_streams else -1
        self._seed = int(draw_seed)
        self._penalty_db = adaptation.implementation_gap_db + adaptation.channel_estimation_loss_db
        self._numbers: FloatArray = np.zeros(kernel.NUMBERS)
        self._numbers[kernel.BLOCK_BITS] = _BLOCK_BITS
        self._numbers[kernel.PENALTY] = self._penalty_db
        self.margin_db = self._numbers[kernel.VIDEO_MARGIN] = adaptation.margin_db
        self._numbers[kernel.SCHEME] = kernel.SCHEMES.index(adaptation.redundancy)
        self._numbers[kernel.REDUNDANCY_GROWS] = adaptation.soft_combining == "incremental_redundancy"
        self._numbers[kernel.SCHEDULER] = kernel.SCHEDULERS.index(config.scheduler)
        self._lay_grid(config)
        self._slices = Slices(config.slices, traffic.service_name)
        sending = traffic.sent
        self._streams: IntArray = np.zeros((n, kernel.STREAM_ROWS, traffic.n_streams), dtype=np.int64)
        for row, values in (
            (kernel.T_UE, traffic.ue),
            (kernel.T_DIRECTION, traffic.direction),
            (kernel.T_INTERVAL, traffic.interval_us),
            (kernel.T_OFFSET, traffic.offset_us),
            (kernel.T_DEADLINE, traffic.deadline_us),
            (kernel.T_BITS, traffic.bits),
            (kernel.T_VIDEO, traffic.video),
            (kernel.T_CODED, [b + nr.crc_bits(int(b)) for b in traffic.bits]),
            (kernel.T_JITTER, sending.jitter_us),
            (kernel.T_POISSON, sending.poisson),
            (kernel.T_PEER, sending.peer),
            (kernel.T_OCCASION, sending.occasion_us),
            (kernel.T_REQUEST, sending.request),
            (kernel.T_REPEAT, sending.repetitions),
            (kernel.T_TRIES, sending.transmissions),
            (kernel.T_SERVICE, traffic.service),
            (kernel.T_SLICE, self._slices.of_service[traffic.service]),
        ):
            self._streams[:, row] = values
        simple = (sending.peer < 0) & (sending.occasion_us == 0) & ~sending.request & (sending.transmissions == 1)
        self._streams[:, kernel.T_PLAIN] = simple & ~traffic.video
        self._tables(adaptation)
        self._queue_i: IntArray = np.zeros((n, 0, kernel.QUEUE_INTS), dtype=np.int64)
        self._queue_f: FloatArray = np.zeros((n, 0, kernel.QUEUE_FLOATS))
        self._n_queue: IntArray = np.zeros(n, dtype=np.int64)
        self._dt_us = 0

    def _lay_grid(self, config: RadioConfig) -> None:
        """Fill the tables of symbols and processing times, a row per TRP, by the TRP's carrier."""
        used, of_trp = config.used_carriers, config.trp_carrier
        self._tdd = tuple(nr.tdd_pattern(c) for c in used)
        self._elements_of_carrier = [float(nr.resource_elements(c.resource_blocks, 1)) for c in used]
        self._grid_i: IntArray = np.zeros((len(of_trp), kernel.GRID_INTS), dtype=np.int64)
        self._grid_f: FloatArray = np.zeros((len(of_trp), kernel.GRID_FLOATS))
        for t, (trp, c) in enumerate(zip(config.trps, of_trp, strict=True)):
            tdd, carrier = self._tdd[c], used[c]
            times = user_plane.carrier_processing(carrier)
            n1, n2 = times.pdsch_us, times.pusch_us
            # one retransmission of video: decode, prepare again, and the next turn of the TDD pattern
            harq_us = n1 + n2 + tdd.period_us
            self._grid_i[t] = (tdd.period_us, *tdd.first, *tdd.usable, c, trp.rf_chains, *tdd.longest, tdd.slotted)
            before_us = config.core_delay_us + 0.5 * n2, 0.5 * n2
            after_us = 0.5 * n1, 0.5 * n1 + config.core_delay_us
            gnb_us = 0.5 * (n1 + n2)
            self._grid_f[t] = (
                tdd.symbol_us, self._elements_of_carrier[c], *before_us, *after_us, harq_us, n1, gnb_us, gnb_us, n2,
            )  # fmt: skip

    def _tables(self, adaptation: LinkAdaptationConfig) -> None:
        efficiency = nr.SPECTRAL_EFFICIENCY
        # an MCS is allowed where the channel carries this much; the CQI says it in coarse steps
        allowed = nr.reported_efficiency() if adaptation.feedback == "cqi" else efficiency
        target_bler, video_target_bler = adaptation.target_bler, adaptation.video_target_bler
        k_bits = self._streams[0, kernel.T_CODED].astype(np.float64)[:, None]
        self._required_db = required_sinr_db(k_bits / allowed[None, :], k_bits, target_bler) + self._penalty_db
        symbols = [np.ceil(k_bits / efficiency[None, :] / elements).astype(np.int64) for elements in self._elements_of_carrier]
        self._circular = _CIRCULAR_RATE / nr.MODULATION_ORDER
        self._symbols = np.clip(np.stack(symbols), nr.MINI_SLOT_SYMBOLS, MAX_SLOTS * nr.SYMBOLS_PER_SLOT)
        self._video_required_db = required_sinr_db(_BLOCK_BITS / allowed, _BLOCK_BITS, video_target_bler) + self._penalty_db

    def _prepare(self, time_us: int, dt_us: int) -> None:
        """Size the queue and the scratch arrays for a tick length, and skip what arrived before the first tick."""
        for period in sorted({tdd.period_us for tdd in self._tdd}):
            if dt_us <= 0 or dt_us % period or time_us % period:
                raise ValueError(f"time_us {time_us}, dt_us {dt_us}: both must be whole multiples of the TDD period, {period} us")
        streams, n = self._streams, self.n
        interval, offset, deadline = streams[0, kernel.T_INTERVAL], streams[0, kernel.T_OFFSET], streams[0, kernel.T_DEADLINE]
        if self._dt_us == 0:
            poisson = streams[0, kernel.T_POISSON] > 0
            streams[:, kernel.T_NEXT] = np.where(poisson, 0, np.maximum(0, -((offset - time_us) // interval)))
            first = [delivery_kernel.next_arrival(self._seed, streams[0], s, time_us) for s in range(streams.shape[2])]
            streams[:, kernel.T_ARRIVAL] = first
        kept = int(self._n_queue.max())
        mean = (deadline + 2 * dt_us) / interval
        spread = np.where(streams[0, kernel.T_POISSON] > 0, _ROOM_SIGMAS * np.sqrt(mean) + _ROOM_SIGMAS, 0.0)
        jitters = streams[0, kernel.T_JITTER] > 0
        room = int(np.sum((deadline + 2 * dt_us) // interval + 2 + jitters) + np.ceil(spread).sum()) + kept
        queue_i = np.zeros((n, room, kernel.QUEUE_INTS), dtype=np.int64)
        queue_f = np.zeros((n, room, kernel.QUEUE_FLOATS))
        queue_i[:, :kept] = self._queue_i[:, :kept]
        queue_f[:, :kept] = self._queue_f[:, :kept]
        self._queue_i, self._queue_f = queue_i, queue_f
        periods = dt_us // self._grid_i[:, kernel.G_PERIOD]
        total = np.stack([self._grid_i[:, kernel.G_USABLE + d] * periods for d in range(2)])
        self._used = np.zeros((total.shape[1], 2, int(total.max())), dtype=np.int16)
        self._shared = np.zeros(int(total.max()), dtype=np.int16)
        self._available = total * self._grid_i[:, kernel.G_CHAINS]
        self._shares = self._slices.symbols(self._available)
        self._scratch = np.zeros((kernel.SCRATCH, max(room, int(total.max()))), dtype=np.int64)
        self._result_i = np.zeros((n, kernel.RESULT_INTS, room), dtype=np.int64)
        self._result_f = np.zeros((n, kernel.RESULT_FLOATS, room))
        self._result_ok = np.zeros((n, room), dtype=np.bool_)
        self._spent = np.zeros((n, 2, total.shape[1]), dtype=np.int64)
        self._by_service = np.zeros((n, len(self.traffic.service_name), 2, total.shape[1]), dtype=np.int64)
        self._by_slice = np.zeros((n, self._shares.shape[1], 2, total.shape[1]), dtype=np.int64)
        self._dt_us = dt_us

    def deliver(self, time_us: int, dt_us: int, plan: Plan, state: LinkState) -> Delivered:
        """Handle the messages that arrive in ``[time_us, time_us + dt_us)`` and those still queued, for the only policy.

        Parameters
        ----------
        time_us, dt_us : start and length of the tick [us], whole multiples of every carrier's TDD period (0.5 or 1 ms).
        plan : what the policy ordered.
        state : true state of the plan's legs, held over the tick.

        Raises
        ------
        ValueError
            If the tick does not fit a TDD period, or plan and state do not hold every UE of the traffic.
        """
        self.prepare(time_us, dt_us, len(plan.trp), state.sinr_dl_db.shape)
        states = LinkStates.of((state,))
        fixed = kernel.Fixed(
            self._seed, self._numbers, self._grid_i, self._grid_f, self._symbols, self._required_db, self._video_required_db,
            nr.SPECTRAL_EFFICIENCY, self._circular, self._available, self._shares,
        )  # fmt: skip
        sinr_db = np.array([plan.sinr_dl_db, plan.sinr_ul_db, *plan.frames_margin_db(self.margin_db)])
        orders = kernel.Orders(np.array([plan.trp, plan.beam]), plan.usable, plan.repetitions, sinr_db)
        books = kernel.Books(self._used, self._shared, self._spent[0], self._by_service[0], self._by_slice[0])
        self._n_queue[0], finished = delivery_kernel.run_tick(
            time_us, dt_us, fixed, self._streams[0], orders, states.levels[0], states.whom[0], books, self._queue_i[0],
            self._queue_f[0], self._n_queue[0], self._scratch, self._result_i[0], self._result_f[0], self._result_ok[0],
            self.load[0],
        )  # fmt: skip
        return self.finished(0, finished)

    def reseed(self, draw_seed: int) -> None:
        """Draw the messages that are not decided yet by another seed, ``0 <= draw_seed < 2**63``."""
        self._seed = int(draw_seed)

    def prepare(self, time_us: int, dt_us: int, n_ue: int, state_shape: tuple[int, ...]) -> None:
        """Get ready for a tick under plans of ``n_ue`` UEs, the state of whose legs has a shape (U, 2); raises as ``deliver``."""
        if dt_us != self._dt_us:
            self._prepare(time_us, dt_us)
        if state_shape != (n_ue, 2) or n_ue <= self._last_ue:
            raise ValueError(f"plan holds {n_ue} UEs and state {state_shape[0]}; the traffic needs both to hold the same UEs")

    def finished(self, row: int, n: int) -> Delivered:
        """Return the ``n`` messages of the last tick of a policy, theirs to keep."""
        return Delivered.of_tick(
            self._result_i[row, :, :n].copy(), self._result_f[row, :, :n].copy(), self._result_ok[row, :n].copy(),
            self._spent[row].copy(), self._available, self._by_service[row].copy(),
        )  # fmt: skip

    def tables(self) -> tuple[Any, ...]:
        """Return what the kernel is given of all policies, once ``prepare`` has sized it: constants first, then what changes."""
        constants = (
            self._seed, self._numbers, self._grid_i, self._grid_f, self._symbols, self._required_db, self._video_required_db,
            nr.SPECTRAL_EFFICIENCY, self._circular, self._available, self._shares,
        )  # fmt: skip
        changing = (
            self._streams, self._used, self._shared, self._queue_i, self._queue_f, self._n_queue, self._scratch, self._result_i,
            self._result_f, self._result_ok, self._spent, self._by_service, self._by_slice, self.load,
        )  # fmt: skip
        return constants + changing
