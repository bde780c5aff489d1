"""When sessions are opened, extended and closed: hysteresis, budget, retries; never on the tick's thread."""

from __future__ import annotations

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridges.qos.port import QosConfig, QosError, QosPort, Session

__all__ = ["QosKeeper"]


@dataclass(slots=True)
class _Held:
    """What is wanted for a device, and how far it is."""

    wanted: bool = False
    session: Session | None = None
    until_s: float = 0.0
    busy: bool = False
    calm_since_s: float | None = None
    wait_s: float = 0.0
    not_before_s: float = 0.0
    doubt: bool = False  # a request to open was not answered, and what it may have made has no end


class QosKeeper:
    """Keeps sessions for devices at risk.

    Parameters
    ----------
    config : thresholds and limits. port : the network.
    threaded : whether requests run on a thread of their own; without one they run inside :meth:`step`, for tests and tools.

    Attributes
    ----------
    counts : ``opened``, ``extended``, ``closed``, ``expired``, ``lost`` (ended by the network), ``failed`` (requests, to be
        repeated), ``refused`` (not to be repeated before ``retry_max_s``), ``over_budget``, ``no_address``.
    last_error : text of the last failure.
    """

    def __init__(self, config: QosConfig, port: QosPort, threaded: bool = True) -> None:
        self._config, self._port = config, port
        self._held: dict[str, _Held] = {}
        self._asked: deque[tuple[float, float]] = deque()
        self.counts: Counter[str] = Counter()
        self.last_error = ""
        self._answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._now_s = 0.0
        if threaded:
            self._thread = threading.Thread(target=self._run, name="qos", daemon=True)
            self._thread.start()

    @property
    def sessions(self) -> dict[str, Session]:
        """Sessions that are open, by device."""
        return {name: held.session for name, held in self._held.items() if held.session is not None}

    def step(self, now_s: float, risk: Mapping[str, float]) -> None:
        """Decide for every device; call it about once a second, it returns at once.

        Parameters
        ----------
        now_s : any clock that runs on [s]. risk : largest forecast risk of a message of each device, 0..1.
        """
        self._now_s = now_s
        while not self._answers.empty():
            self._answers.get()()
        for name in set(risk) | set(self._held):
            self._decide(name, risk.get(name, 0.0), now_s)
        open_now = sum(h.session is not None or (h.busy and h.wanted) for h in self._held.values())
        for name in sorted(self._held, key=lambda n: (-risk.get(n, 0.0), n)):
            held = self._held[name]
            if held.busy or now_s < held.not_before_s:
                continue
            if (held.wanted or held.doubt) and held.session is None:
                if open_now < self._config.most_sessions and self._affordable(now_s):
                    open_now += 1
                    self._open(name, held)
            elif held.session is not None and not held.wanted:
                self._close(held, held.session)
            elif held.session is not None and held.until_s - now_s <= self._config.renew_s and self._affordable(now_s):
                self._extend(held, held.session)
        if self._thread is None:
            while not self._answers.empty():
                self._answers.get()()

    def stop(self, patience_s: float = 5.0) -> int:
        """Close what is open; returns how many sessions were left to expire because the network did not answer in time."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(patience_s)
        while not self._answers.empty():
            self._answers.get()()
        left = 0
        for held in self._held.values():
            if held.session is not None:
                try:
                    self._port.close(held.session)
                    held.session = None
                    self.counts["closed"] += 1
                except QosError as error:
                    self.last_error, left = str(error), left + 1
        return left

    def _decide(self, name: str, risk: float, now_s: float) -> None:
        config = self._config
        if name not in config.device_ip:
            if risk >= config.open_risk:
                self.counts["no_address"] += 1
            return
        held = self._held.setdefault(name, _Held())
        over = held.session is not None and now_s >= held.until_s and not held.busy
        if over and not self._port.endless:
            held.session = None
            self.counts["expired"] += 1
        if risk >= config.open_risk:
            held.wanted, held.calm_since_s = True, None
        elif risk >= config.close_risk:
            held.calm_since_s = None  # between the two nothing changes
        elif held.wanted:
            held.calm_since_s = now_s if held.calm_since_s is None else held.calm_since_s
            held.wanted = now_s - held.calm_since_s < config.calm_s
        if over and self._port.endless:
            held.wanted = False  # no longer paid for, and it would not end by itself

    def _affordable(self, now_s: float) -> bool:
        while self._asked and self._asked[0][0] <= now_s - 3600.0:
            self._asked.popleft()
        if sum(s for _, s in self._asked) + self._config.duration_s > self._config.budget_s_per_h:
            self.counts["over_budget"] += 1
            return False
        return True

    def _open(self, name: str, held: _Held) -> None:
        config, address = self._config, self._config.device_ip[name]
        self._asked.append((self._now_s, config.duration_s))
        self._call(held, "opened", lambda: self._port.open(address, config.duration_s))

    def _extend(self, held: _Held, session: Session) -> None:
        self._asked.append((self._now_s, self._config.duration_s))
        self._call(held, "extended", lambda: self._port.extend(session, self._config.duration_s))

    def _close(self, held: _Held, session: Session) -> None:
        self._call(held, "closed", lambda: self._port.close(session))

    def _call(self, held: _Held, word: str, request: Callable[[], Any]) -> None:
        held.busy = True
        begun_s = self._now_s

        def work() -> None:
            try:
                result = request()
            except QosError as error:
                failure = error
                self._answers.put(lambda: self._failed(held, word, failure))
            except Exception as error:  # an adapter's own fault must not end the thread, or nothing is ever closed
                fault = QosError(f"{type(error).__name__}: {error}", again=True)
                self._answers.put(lambda: self._failed(held, word, fault))
            else:
                self._answers.put(lambda: self._done(held, word, begun_s, result))

        if self._thread is None:
            work()
        else:
            self._work.put(work)

    def _done(self, held: _Held, word: str, begun_s: float, session: Session | None) -> None:
        held.busy, held.wait_s, held.doubt = False, 0.0, False
        if session is not None and session.state == "unavailable":
            held.session = None
            self.counts["lost"] += 1
            held.not_before_s = self._now_s + self._config.retry_max_s
            return
        self.counts[word] += 1
        if session is None:
            held.session = None
        elif session.duration_s is None:
            held.session, held.until_s = session, begun_s + self._config.duration_s
        elif word == "extended":  # the network tells the whole duration since the start, capped as it likes
            grown = session.duration_s - ((held.session and held.session.duration_s) or 0)
            held.session, held.until_s = session, held.until_s + max(0, grown)
        else:
            held.session, held.until_s = session, begun_s + session.duration_s

    def _failed(self, held: _Held, word: str, error: QosError) -> None:
        config = self._config
        held.busy, self.last_error = False, str(error)
        if error.gone and held.session is not None:
            held.session = None
            self.counts["lost"] += 1
            return
        held.doubt |= word == "opened" and error.again and self._port.endless
        self.counts["failed" if error.again else "refused"] += 1
        held.wait_s = min(max(2 * held.wait_s, config.retry_min_s), config.retry_max_s) if error.again else config.retry_max_s
        held.not_before_s = self._now_s + held.wait_s

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
