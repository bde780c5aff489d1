"""Outer-loop link adaptation: a margin per device and direction that follows what became of its messages.

The offset of Pedersen et al., "Frequency domain scheduling for OFDMA with limited and noisy channel feedback", IEEE VTC
2007-Fall, goes up by a step with every NACK and down by ``step * target / (1 - target)`` with every ACK, so that it rests where
the share of NACKs is the target. At 1e-5 there are no NACKs to steer by. Therefore a measurement counts as well: a serving SINR
at or above what link adaptation had reckoned with is an ACK, one below it a NACK that raises the margin in proportion to what
was missing (a rule of ours; without the proportion it is the stochastic approximation of a quantile).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numba import njit

from radio.config import RadioConfig
from radio.messages import nr, user_plane
from radio.messages.delivery import Delivered
from radio.messages.traffic import Traffic
from radio.policy_config import OuterLoopConfig
from radio.types import FloatArray, IntArray

STEP, DOWN, GAIN, LEAST, MOST, LEVELS = range(6)


@dataclass(frozen=True, slots=True)
class LinkFeedback:
    """Transmissions that a network learnt the fate of since the last tick.

    Attributes
    ----------
    acknowledged, lost : (2, U) transmissions of control messages, downlink and uplink.
    """

    acknowledged: IntArray
    lost: IntArray


class HarqFeedback:
    """HARQ-ACKs on their way: what was sent in a tick is known once it was decoded and the other direction had its turn.

    Parameters
    ----------
    config : the radio section, for processing times and TDD patterns.
    traffic : message streams.
    n_ue : number of UEs U.

    Notes
    -----
    Video is left out, for its HARQ has a target of its own; so are messages between two devices, whose last hop is another
    device's link. What was never sent is neither acknowledged nor lost. A message over two legs counts once.
    """

    def __init__(self, config: RadioConfig, traffic: Traffic, n_ue: int) -> None:
        self._n_ue = n_ue
        self._row: IntArray = traffic.direction * n_ue + traffic.ue
        self._counts = ~traffic.video & (traffic.sent.peer < 0)
        turns_us = [user_plane.carrier_processing(c).pdsch_us + nr.tdd_pattern(c).period_us for c in config.used_carriers]
        self._delay_us = max(turns_us)
        self._coming: deque[tuple[float, IntArray, IntArray]] = deque()

    def add(self, time_us: int, dt_us: int, delivered: Delivered) -> None:
        """Take what was decided in the tick that begins at ``time_us``."""
        tries = np.where(self._counts[delivered.stream], delivered.transmissions, 0)
        rows, ok, size = self._row[delivered.stream], delivered.ok & (tries > 0), 2 * self._n_ue
        good = np.bincount(rows[ok], minlength=size)
        sent = np.bincount(rows, weights=tries, minlength=size).astype(np.int64)
        self._coming.append((time_us + dt_us + self._delay_us, good, sent - good))

    def latest(self, time_us: int) -> LinkFeedback:
        """Return what is known by ``time_us`` and was not returned before."""
        good, bad = np.zeros((2, self._n_ue), np.int64), np.zeros((2, self._n_ue), np.int64)
        while self._coming and self._coming[0][0] <= time_us:
            _, more, lost = self._coming.popleft()
            good += more.reshape(good.shape)
            bad += lost.reshape(bad.shape)
        return LinkFeedback(good, bad)


class OuterLoop:
    """Margins of one policy.

    Parameters
    ----------
    config : the section of the outer loop.
    start_db : margin that every device begins with [dB].
    n_ue : number of UEs U.

    Attributes
    ----------
    margin_db : (2, U) margin in force, downlink and uplink [dB].
    """

    def __init__(self, config: OuterLoopConfig, start_db: float, n_ue: int) -> None:
        self._levels: FloatArray = np.zeros(LEVELS)
        self._levels[STEP], self._levels[GAIN] = config.step_db, config.shortfall_gain
        self._levels[DOWN] = config.step_db * config.target / (1.0 - config.target)
        self._levels[LEAST], self._levels[MOST] = config.minimum_db, config.maximum_db
        self.margin_db: FloatArray = np.full((2, n_ue), np.clip(start_db, config.minimum_db, config.maximum_db))

    def follow(self, feedback: LinkFeedback | None, reckoned_db: FloatArray | None, measured_db: FloatArray | None) -> None:
        """Take a tick's feedback, and a measurement beside what was reckoned with.

        Parameters
        ----------
        feedback : transmissions acknowledged and lost, None where nobody tells.
        reckoned_db : (2, U) SINR that the plan then in force reckoned with, margin taken off [dB]; None without a measurement.
        measured_db : (2, U) SINR of the serving legs [dB], not finite where a leg was not measured.
        """
        if feedback is not None:
            count_messages(self.margin_db, feedback.acknowledged, feedback.lost, self._levels)
        if reckoned_db is not None and measured_db is not None:
            compare_measured(self.margin_db, reckoned_db, measured_db, self._levels)


@njit(cache=True, fastmath=False)
def count_messages(margin_db: FloatArray, acknowledged: IntArray, lost: IntArray, levels: FloatArray) -> None:
    """Move margins (2, U), in place, by transmissions (2, U) acknowledged and lost."""
    for d in range(2):
        for u in range(margin_db.shape[1]):
            moved = margin_db[d, u] + lost[d, u] * levels[STEP] - acknowledged[d, u] * levels[DOWN]
            margin_db[d, u] = min(max(moved, levels[LEAST]), levels[MOST])


@njit(cache=True, fastmath=False)
def compare_measured(margin_db: FloatArray, reckoned_db: FloatArray, measured_db: FloatArray, levels: FloatArray) -> None:
    """Move margins (2, U), in place, by what was measured (2, U) beside what was reckoned with (2, U) [dB]."""
    for d in range(2):
        for u in range(margin_db.shape[1]):
            if not np.isfinite(measured_db[d, u]):
                continue
            missing_db = reckoned_db[d, u] - measured_db[d, u]
            moved = margin_db[d, u] + (levels[GAIN] * missing_db if missing_db > 0.0 else -levels[DOWN])
            margin_db[d, u] = min(max(moved, levels[LEAST]), levels[MOST])


def follow_plain(
    margin_db: FloatArray, feedback: LinkFeedback, reckoned_db: FloatArray, measured_db: FloatArray, config: OuterLoopConfig
) -> FloatArray:
    """Return what ``OuterLoop.follow`` makes of margins (2, U), in plain NumPy: the reference for its kernels."""
    down_db = config.step_db * config.target / (1.0 - config.target)
    counted = margin_db + config.step_db * feedback.lost - down_db * feedback.acknowledged
    counted = np.clip(counted, config.minimum_db, config.maximum_db)
    known = np.isfinite(measured_db)
    missing = np.where(known, reckoned_db - np.where(known, measured_db, 0.0), 0.0)
    compared = counted + np.where(missing > 0.0, config.shortfall_gain * missing, -down_db)
    followed: FloatArray = np.where(known, np.clip(compared, config.minimum_db, config.maximum_db), counted)
    return followed
