"""What a real AGV says about itself, checked, as observations for its twin.

Invariant: the measuring time of an AGV's observations never goes back, and a message that came too late, twice or out of order
changes nothing but a counter.

Measuring times come from the AGV's clock. Its offset to ours is the smallest difference between arrival and timestamp of late
(the fastest message has hardly any delay); an offset of up to ``CLOCK_S`` is taken for honest delay, a larger one (a clock an
hour wrong, a zone mistaken) is taken off. When a clock is set, the messages look late or early, all by the same; after
``RESET_AFTER`` of these the offset is learnt anew. Likewise an AGV that begins to count anew with a clock that is behind is
believed after ``RESET_AFTER`` messages whose numbers rise.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridges.vda5050 import v2, v3
from bridges.vda5050.base import Part, Velocity, time_of

__all__ = ["CLOCK_S", "RESET_AFTER", "AgvObservations", "RealAgv", "observe"]

CLOCK_S = 1.0  # assumed: clocks kept by NTP differ by less
RESET_AFTER = 5
_WINDOW = 50
_FAR_M, _FAST = 10_000.0, 100.0  # no hall is so large, and nothing drives [m/s] or turns [rad/s] so fast
_TWO_SENDERS, _TWO_SENDERS_S = 4, 10.0  # so many new beginnings in so much time: two vehicles share a serial number

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AgvObservations:
    """Real AGVs at one instant; what was never said is NaN, "" or empty.

    Attributes
    ----------
    serial : names of the n AGVs.
    online : (n,) the broker says that it is connected, and one vehicle alone speaks under this serial number.
    measured_s : (n,) when the pose was measured, seconds since 1970 by our clock [s]. age_s : (n,) since then [s].
    position_m : (n, 2) in the map's frame [m]. heading_rad : (n,) [rad].
    velocity_mps : (n, 2) in the map's frame [m/s]. turn_radps : (n,) [rad/s].
    battery : (n,) charge 0..1. driving : (n,) as it says itself.
    clock_offset_s : (n,) our clock minus the AGV's, 0 where they agree [s].
    order_id, order_update_id, last_node : per AGV. errors : per AGV, (errorType, errorLevel) of each.
    """

    serial: tuple[str, ...]
    online: BoolArray
    measured_s: FloatArray
    age_s: FloatArray
    position_m: FloatArray
    heading_rad: FloatArray
    velocity_mps: FloatArray
    turn_radps: FloatArray
    battery: FloatArray
    driving: BoolArray
    clock_offset_s: FloatArray
    order_id: tuple[str, ...]
    order_update_id: tuple[int, ...]
    last_node: tuple[str, ...]
    errors: tuple[tuple[tuple[str, str], ...], ...]


class RealAgv:
    """One real AGV as its messages tell.

    Parameters
    ----------
    serial : its serial number. max_age_s : a message older than this when it comes is refused [s].

    Attributes
    ----------
    counts : messages taken (``state``, ``visualization``) and refused (``duplicate``, ``out_of_order``, ``late``, ``early``,
        ``impossible``: too far away or too fast),
        and what was noticed: ``lost`` (gaps in the header ids), ``restarted``, ``clock_set``, ``two_senders``.
    """

    def __init__(self, serial: str, max_age_s: float) -> None:
        self.serial, self._max_age_s = serial, max_age_s
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._header: dict[str, tuple[int, float]] = {}
        self._behind: dict[str, list[int]] = {}
        self._delays: deque[float] = deque(maxlen=_WINDOW)
        self._strange: list[float] = []
        self._began_s: deque[float] = deque(maxlen=_TWO_SENDERS)
        self._connected = False
        self._measured_s = -math.inf
        self._pose = (math.nan, math.nan, math.nan)
        self._velocity = (math.nan, math.nan, math.nan)
        self._state: v2.State | v3.State | None = None
        self._state_s = -math.inf

    def connected(self, state: str) -> None:
        """Take note of a connectionState."""
        with self._lock:
            self._connected = state in ("ONLINE", "HIBERNATING")

    @property
    def clock_offset_s(self) -> float:
        """Our clock minus the AGV's where they differ by more than an honest delay, else 0 [s]."""
        if not self._delays:
            return 0.0
        least = min(self._delays)
        return least if abs(least) > CLOCK_S else 0.0

    @property
    def paused(self) -> bool:
        """Whether its last state says that it is paused, by whomever."""
        state = self._state
        return state is not None and bool(state.paused)

    def take(self, topic: str, message: Part, arrived_s: float) -> str:
        """Take a state or visualization message.

        Parameters
        ----------
        topic : ``state`` or ``visualization``; each counts its own header ids. message : already read.
        arrived_s : seconds since 1970 by our clock [s].

        Returns
        -------
        str
            "" where it was taken, else the reason under which it was counted.
        """
        header_id, text = getattr(message, "header_id", None), getattr(message, "timestamp", None)
        if header_id is None or text is None:  # 2.1.0 lets a visualization come without; nothing can be checked then
            self.counts["no_header"] += 1
            return "no_header"
        stamp_s = time_of(text)
        with self._lock:
            reason = self._header_fault(topic, int(header_id), stamp_s, arrived_s) or self._clock_fault(arrived_s - stamp_s)
            reason = reason or ("" if _possible(message) else "impossible")
            self.counts[reason or topic] += 1
            if not reason:
                self._keep(message, stamp_s + self.clock_offset_s)
        return reason

    def _header_fault(self, topic: str, header_id: int, stamp_s: float, arrived_s: float) -> str:
        last = self._header.get(topic)
        if last is None or header_id > last[0]:
            if last is not None and header_id - last[0] < 2**31:
                self.counts["lost"] += header_id - last[0] - 1
            self._header[topic] = (header_id, stamp_s)
            self._behind.pop(topic, None)
            return ""
        last_id, last_s = last
        if stamp_s <= last_s and not self._counts_anew(topic, header_id):
            return "duplicate" if header_id == last_id else "out_of_order"
        # a smaller number but a later time: the vehicle began to count anew, or its counter ran over, or there are two of them
        if last_id - header_id < 2**31:
            self.counts["restarted"] += 1
            self._began_s.append(arrived_s)
            if self._two_senders(arrived_s):
                self.counts["two_senders"] += 1
        self._header[topic] = (header_id, stamp_s)
        return ""

    def _counts_anew(self, topic: str, header_id: int) -> bool:
        """Whether the last messages, all behind by number and time, rise among themselves."""
        behind = self._behind.setdefault(topic, [])
        if behind and header_id <= behind[-1]:
            behind.clear()
        behind.append(header_id)
        if len(behind) < RESET_AFTER:
            return False
        behind.clear()
        return True

    def _two_senders(self, now_s: float) -> bool:
        return len(self._began_s) == _TWO_SENDERS and now_s - self._began_s[0] < _TWO_SENDERS_S

    def _clock_fault(self, delay_s: float) -> str:
        if not self._delays:
            self._delays.append(delay_s)
            return ""
        beyond_s = delay_s - self.clock_offset_s
        if -CLOCK_S <= beyond_s <= self._max_age_s:
            self._strange.clear()
            self._delays.append(delay_s)
            return ""
        self._strange.append(delay_s)
        if len(self._strange) >= RESET_AFTER:
            recent = self._strange[-RESET_AFTER:]
            if max(recent) - min(recent) < CLOCK_S:  # all by the same: the clock was set
                self._delays.clear()
                self._delays.extend(recent)
                self._strange.clear()
                self._measured_s = self._state_s = -math.inf
                self.counts["clock_set"] += 1
                return ""
            self._strange = recent
        return "late" if beyond_s > 0 else "early"

    def _keep(self, message: Part, measured_s: float) -> None:
        if isinstance(message, v2.State | v3.State) and measured_s >= self._state_s:
            self._state, self._state_s = message, measured_s
        if measured_s < self._measured_s:  # a visualization was newer
            return
        position = getattr(message, "agv_position", None) or getattr(message, "mobile_robot_position", None)
        if position is None:
            return
        self._measured_s, self._pose = measured_s, (position.x, position.y, position.theta)
        velocity: Velocity | None = getattr(message, "velocity", None)
        if velocity is not None:
            forward, left, turn = velocity.vx or 0.0, velocity.vy or 0.0, velocity.omega or 0.0
            c, s = math.cos(position.theta), math.sin(position.theta)
            self._velocity = (c * forward - s * left, s * forward + c * left, turn)
        else:
            self._velocity = (math.nan, math.nan, math.nan)

    def row(self, now_s: float) -> tuple[list[float], str, int, str, tuple[tuple[str, str], ...]]:
        """Give numbers, order, node and errors for :func:`observe`; ``now_s`` since 1970 [s]."""
        with self._lock:
            state = self._state
            battery, driving = math.nan, 0.0
            order_id, update, node = "", 0, ""
            errors: tuple[tuple[str, str], ...] = ()
            if state is not None:
                driving, order_id, update, node = float(state.driving), state.order_id, state.order_update_id, state.last_node_id
                charge = state.battery_state.battery_charge if isinstance(state, v2.State) else state.power_supply.state_of_charge
                battery = charge / 100.0
                errors = tuple((e.error_type, e.error_level) for e in state.errors)
            alone = not self._two_senders(now_s)
            measured_s = self._measured_s if math.isfinite(self._measured_s) else math.nan
            numbers = [
                float(self._connected and alone), measured_s, now_s - measured_s, *self._pose, *self._velocity, battery, driving,
                self.clock_offset_s,
            ]  # fmt: skip
        return numbers, order_id, update, node, errors


def _possible(message: Part) -> bool:
    """Whether a vehicle could be where the message says, and so fast."""
    position = getattr(message, "agv_position", None) or getattr(message, "mobile_robot_position", None)
    velocity: Velocity | None = getattr(message, "velocity", None)
    at = () if position is None else (position.x, position.y)
    pace = () if velocity is None else (velocity.vx or 0.0, velocity.vy or 0.0, velocity.omega or 0.0)
    return all(abs(v) <= _FAR_M for v in at) and all(abs(v) <= _FAST for v in pace)


def observe(agvs: Sequence[RealAgv], now_s: float) -> AgvObservations:
    """Return what is known of real AGVs.

    Parameters
    ----------
    agvs : the n AGVs. now_s : seconds since 1970 by our clock [s].
    """
    rows = [agv.row(now_s) for agv in agvs]
    table = np.array([r[0] for r in rows], np.float64).reshape(len(rows), 12)
    return AgvObservations(
        serial=tuple(agv.serial for agv in agvs),
        online=table[:, 0] > 0,
        measured_s=table[:, 1],
        age_s=table[:, 2],
        position_m=table[:, 3:5],
        heading_rad=table[:, 5],
        velocity_mps=table[:, 6:8],
        turn_radps=table[:, 8],
        battery=table[:, 9],
        driving=table[:, 10] > 0,
        clock_offset_s=table[:, 11],
        order_id=tuple(r[1] for r in rows),
        order_update_id=tuple(r[2] for r in rows),
        last_node=tuple(r[3] for r in rows),
        errors=tuple(r[4] for r in rows),
    )
