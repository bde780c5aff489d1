"""Applies the survival-time rule while the twin runs: which stream is down now, and since when (TS 22.104 annex C.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from radio.messages.delivery import Delivered
from radio.messages.traffic import Traffic

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Changes:
    """Streams that went down or came up in a tick.

    Attributes
    ----------
    stream : (n,) streams.
    time_us : (n,) arrival of the message that decided it [us].
    down : (n,) True where the service went down, False where it came back.
    row : (n,) row of the deciding message among the tick's messages.
    """

    stream: Ints
    time_us: Ints
    down: npt.NDArray[np.bool_]
    row: Ints


@njit(cache=True)
def _follow(  # type: ignore[no-untyped-def]
    stream, time_us, ok, loss, ue, interval_us, survival, bad_run, down_since, last_ok_us, down_s, risk, change
):
    n = 0
    for row in range(stream.shape[0]):
        s = stream[row]
        u = ue[s]
        risk[u] = max(risk[u], loss[row])
        if ok[row]:
            if bad_run[s] >= survival[s]:
                change[n, 0], change[n, 1], change[n, 2], change[n, 3] = s, time_us[row], 0, row
                n += 1
                down_since[s] = -1
            bad_run[s] = 0
            last_ok_us[s] = time_us[row]
        else:
            bad_run[s] += 1
            if bad_run[s] == survival[s]:
                change[n, 0], change[n, 1], change[n, 2], change[n, 3] = s, time_us[row], 1, row
                n += 1
                down_since[s] = time_us[row]
            if bad_run[s] >= survival[s]:
                down_s[u] += interval_us[s] * 1e-6
    return n


_NONE = np.zeros(0, np.int64)
_NO_CHANGES = Changes(_NONE, _NONE, np.zeros(0, np.bool_), _NONE)


@njit(cache=True)
def _overdue(time_us, last_ok_us, allowed_us, stream, machine, out) -> None:  # type: ignore[no-untyped-def]
    for k in range(stream.shape[0]):
        late_us = time_us - last_ok_us[stream[k]] - allowed_us[stream[k]]
        out[machine[k]] = max(out[machine[k]], late_us)


class DownTracker:
    """Follows the streams of the acting network.

    Parameters
    ----------
    traffic : the streams.
    n_ue : number of UEs.

    Attributes
    ----------
    last_ok_us : (N,) when the last good message of each stream was sent [us]; 0 at the start.
    down_since_us : (N,) since when each stream is down [us], -1 while it is up.
    """

    def __init__(self, traffic: Traffic, n_ue: int) -> None:
        self._traffic = traffic
        n = traffic.n_streams
        self.last_ok_us: Ints = np.zeros(n, np.int64)
        self.down_since_us: Ints = np.full(n, -1, np.int64)
        self._bad_run: Ints = np.zeros(n, np.int64)
        self._down_s: Floats = np.zeros(n_ue)
        self._risk: Floats = np.zeros(n_ue)
        self._change: Ints = np.empty((1, 4), np.int64)
        self._allowed_us: Ints = traffic.interval_us + traffic.deadline_us + 2 * traffic.sent.jitter_us

    def add(self, delivered: Delivered) -> Changes:
        """Take the messages of a tick, in the order they were sent per stream."""
        traffic, stream, change = self._traffic, delivered.stream, self._change
        if len(change) < len(stream):
            change = self._change = np.empty((2 * len(stream), 4), np.int64)
        n = _follow(
            stream, delivered.time_us, delivered.ok, delivered.loss_probability,
            traffic.ue, traffic.interval_us, traffic.survival,
            self._bad_run, self.down_since_us, self.last_ok_us, self._down_s, self._risk, change,
        )  # fmt: skip
        if n == 0:
            return _NO_CHANGES
        change = change[:n].copy()
        return Changes(change[:n, 0], change[:n, 1], change[:n, 2] == 1, change[:n, 3])

    @property
    def risk(self) -> Floats:
        """(U,) largest loss probability of a message of each UE since the last :meth:`take`."""
        return self._risk

    def overdue_us(self, time_us: int) -> Ints:
        """How long each stream has been without the message it should have had by ``time_us``, (N,) [us].

        A good message is followed by the next one a transfer interval later, which may take its full latency; from then on
        the survival time runs.
        """
        return np.asarray(np.maximum(time_us - self.last_ok_us - self._allowed_us, 0), dtype=np.int64)

    def longest_overdue_us(self, time_us: int, stream: Ints, machine: Ints, n: int) -> Ints:
        """How long n machines have been without a command, (n,) [us].

        ``machine`` (k,) obeys ``stream`` (k,); of several streams the one that is overdue longest counts.
        """
        out: Ints = np.zeros(n, np.int64)
        _overdue(time_us, self.last_ok_us, self._allowed_us, stream, machine, out)
        return out

    def take(self) -> tuple[Floats, Floats]:
        """Time down [s] and largest loss probability of every UE since the last call, (U,) each."""
        taken = self._down_s.copy(), self._risk.copy()
        self._down_s[:] = 0.0
        self._risk[:] = 0.0
        return taken
