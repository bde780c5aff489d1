"""Rows and columns of the arrays that `radio.messages.delivery` keeps and its kernels work on.

Times are microseconds; in the kernels they count from the start of the tick.
"""

from __future__ import annotations

from typing import NamedTuple

from radio.messages.delivery_symbols import BusyArray
from radio.types import BoolArray, FloatArray, IntArray

# Causes, see radio.messages.delivery.Cause.
NONE, BODY, INTERFERENCE, RECOVERY, NO_RESOURCES, ADAPTATION, STATIC_SHADOW, STALE_BEAM, DECODING = range(9)

# Columns of the queue: integers, then floats.
# Every message: HOP 0, or 1 on the second hop of a message between two devices; SPENT data symbols so far; WAIT us that it waited
# for symbols or legs.
# Control messages: MCS of the transport block, TRIES transmissions sent, COUNT_A and COUNT_B receptions combined from each leg;
# READY when the next transmission or hop may begin [us from the start of the run], ERROR of what was sent, SUM_A and SUM_B linear
# SNR summed over receptions, FIRST_LOSS loss probability of the first hop.
# Video frames: LEFT bits that it still lacks, and what the symbols offered to it would have carried (MISSED: while its legs were
# interrupted; ALL: had it got every symbol of the TRP).
# Messages that are decided (OUTCOME 1), but may wait for an earlier one of their stream: CAUSE, TRP, BEAM, BLAMED; ERROR is the
# loss probability then, LATENCY [us] (-1: lost), RECKONED and MET the SINRs of link adaptation and of the leg [dB].
(STREAM, MESSAGE, ARRIVAL, BLOCKED, OWNER, PART, HOP, SPENT, WAIT, MCS, TRIES, COUNT_A, COUNT_B, OUTCOME, CAUSE, TRP, BEAM,
 BLAMED, QUEUE_INTS) = range(19)  # fmt: skip
(LEFT, CLEAR, QUIET, TRUE, SHADOW, MISSED, ALL, ALL_SHADOW, ALL_TOP, BODY_DB, READY, ERROR, SUM_A, SUM_B, FIRST_LOSS, LATENCY,
 RECKONED, MET, QUEUE_FLOATS) = range(19)  # fmt: skip

# Rows of the results.
(R_STREAM, R_MESSAGE, R_TIME, R_LATENCY, R_CAUSE, R_OWNER, R_PART, R_TRP, R_BEAM, R_MCS, R_SPENT, R_WAIT, R_TRIES,
 RESULT_INTS) = range(14)  # fmt: skip
R_LOSS, R_SINR, R_PLAN, RESULT_FLOATS = range(4)

# Rows of the stream table. T_NEXT is the number of the message that comes next, T_ARRIVAL when; T_PEER the device at the end of
# the second hop or -1; T_OCCASION us between the occasions of a configured grant or semi-persistent PDSCH, or of scheduling
# requests (0: any symbol); T_REQUEST 1 for uplink by request and grant; T_REPEAT repetitions at least; T_TRIES transmissions at
# most; T_PLAIN 1 for control messages that the short way of `radio.messages.delivery_plain` is enough for.
(T_UE, T_DIRECTION, T_INTERVAL, T_OFFSET, T_DEADLINE, T_BITS, T_VIDEO, T_CODED, T_NEXT, T_ARRIVAL, T_JITTER, T_POISSON, T_PEER,
 T_OCCASION, T_REQUEST, T_REPEAT, T_TRIES, T_SERVICE, T_SLICE, T_PLAIN, STREAM_ROWS) = range(21)  # fmt: skip

# Columns of the tables of TRPs (T, ...). Integers: the carrier's TDD period [us], first data symbol and data symbols of each
# direction in it, which carrier it is, RF chains, the longest run of symbols that follow one another, 1 if a run ends with its
# slot. Floats: symbol duration [us], resource elements of a symbol, processing before and after the symbols of each direction
# [us], a HARQ round trip of video [us]; and of a retransmission, what is between its predecessor's end and the symbol of the
# other direction that asks for it, and between that and the retransmission [us].
(G_PERIOD, G_FIRST, _FIRST_UL, G_USABLE, _USABLE_UL, G_CARRIER, G_CHAINS, G_RUN, _RUN_UL, G_SLOTTED, GRID_INTS) = range(11)
(G_SYMBOL, G_ELEMENTS, G_BEFORE, _BEFORE_UL, G_AFTER, _AFTER_UL, G_HARQ, G_ASK, _ASK_UL, G_AGAIN, _AGAIN_UL,
 GRID_FLOATS) = range(12)  # fmt: skip

# Rows of the true levels of the legs (LEVELS, U, 2), in the order of `radio.types.LinkState`: SINRs, the uplink's behind the
# downlink's, then what bodies cost; and of the bodies behind that (WHOM, U, 2).
SINR, NO_BODY, NO_INTERFERENCE, PLACE, BODY_LOSS, LEVELS = 0, 2, 4, 6, 8, 9
BY_OWNER, BY_PART, WHOM = range(3)

# Fixed numbers: bits of a code block, what a real receiver loses [dB], margin that video does without [dB]; and as numbers of the
# lists below how two legs share a message, and who is served first; whether soft combining is by incremental redundancy.
BLOCK_BITS, PENALTY, VIDEO_MARGIN, SCHEME, SCHEDULER, REDUNDANCY_GROWS, NUMBERS = range(7)
SCHEDULERS = ("control_first", "earliest_deadline", "first_come")
CONTROL_FIRST, EARLIEST_DEADLINE, FIRST_COME = range(3)
SCHEMES = ("independent_repetition", "pdcp_duplication", "tdm_repetition", "tdm_a", "fdm_a", "fdm_b")
INDEPENDENT, PDCP, TDM_SLOTS, TDM_A, FDM_A, FDM_B = range(6)

# Rows of the scratch table: the queue's order, which of it is finished, symbols of a message on each leg, streams that wait for
# an earlier message.
ORDER, DONE, POSITIONS, POSITIONS_B, WAITING, SCRATCH = range(6)

# Rows of the slices' symbols in a tick (SHARES, S, 2, T).
DEDICATED, GUARANTEED, MAXIMUM, SHARES = range(4)
NO_LIMIT = 2**62

# What a kernel says of one message: it stays queued, or it is decided.
KEPT, DECIDED = 0, 1
# Rows of what it says then: integers and floats.
O_CAUSE, O_LEG, O_MCS, O_GUILTY, O_UE, O_DIRECTION, OUT_INTS = range(7)
O_LOSS, O_LATENCY, O_PLAN, OUT_FLOATS = range(4)

# Streams of numbered draws beside those of the messages: offsets of the stream's number.
SECOND_HOP, JITTER, GAP = 2**40, 2**41, 2**42


class Fixed(NamedTuple):
    """What does not change from tick to tick.

    Attributes
    ----------
    seed : of the numbered draws.
    numbers : (NUMBERS,) see above.
    grid_i, grid_f : (T, GRID_INTS), (T, GRID_FLOATS) symbols and processing times of each TRP.
    mcs_symbols : (C, N, MCS) symbols of a message on each carrier.
    required_db, video_required_db : (N, MCS), (MCS,) SINR that an MCS needs [dB].
    efficiency : (MCS,) bits per resource element. circular : (MCS,) resource elements of the whole circular buffer, per bit.
    available : (2, T) symbols of a tick. shares : (SHARES, S, 2, T) those of the slices.
    """

    seed: int
    numbers: FloatArray
    grid_i: IntArray
    grid_f: FloatArray
    mcs_symbols: IntArray
    required_db: FloatArray
    video_required_db: FloatArray
    efficiency: FloatArray
    circular: FloatArray
    available: IntArray
    shares: IntArray


class Orders(NamedTuple):
    """A plan: TRP and beam (2, U, 2), usable (U, 2), repetitions (U,), SINR and the margin in it (4, U) [dB]; see `Plan`."""

    legs: IntArray
    usable: BoolArray
    repetitions: IntArray
    sinr_db: FloatArray


class Books(NamedTuple):
    """Symbols of a tick: busy RF chains (T, 2, symbols), and those spent (2, T), by service (V, 2, T), by slice (S, 2, T).

    ``shared`` (symbols,) is scratch for symbols that are free on two TRPs.
    """

    used: BusyArray
    shared: BusyArray
    spent: IntArray
    by_service: IntArray
    by_slice: IntArray
