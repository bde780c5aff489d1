"""Actions of one AGV and what their blocking types mean (VDA 5050 3.0.0, 6.2.2 and figure 11).

Invariant: an action that is SINGLE or HARD runs with no other; while an action that is SOFT or HARD waits or runs, the AGV does
not drive; actions begin in the order in which they were met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from robots.orders import RUNS_ALONE, STOPS_DRIVING, Action, ActionState

_OVER = ("FINISHED", "FAILED")


class ActionQueue:
    """Actions that an AGV has met and has not finished.

    Parameters
    ----------
    duration_us : how long an action takes [us], None for one that goes on until it is ended from outside.
    """

    def __init__(self, duration_us: Callable[[Action], int | None]) -> None:
        self._duration_us = duration_us
        self._queue: list[ActionState] = []
        self._left_us: dict[str, int | None] = {}
        self._paused = False

    @property
    def may_drive(self) -> bool:
        """Whether no action keeps the AGV from driving."""
        return not any(state.action.blocking_type in STOPS_DRIVING for state in self._queue)

    @property
    def empty(self) -> bool:
        """Whether nothing is left to do."""
        return not self._queue

    def meet(self, states: Sequence[ActionState]) -> None:
        """Enqueue the actions of a node or an edge in their order."""
        self._queue.extend(states)

    def pause(self, paused: bool) -> None:
        """Stop or resume the time of actions that can be paused: all but those that load or unload."""
        self._paused = paused
        for state in self._queue:
            if state.status == ("RUNNING" if paused else "PAUSED") and not _cannot_stop(state.action):
                state.status = "PAUSED" if paused else "RUNNING"

    def advance(self, dt_us: int) -> tuple[list[ActionState], list[ActionState]]:
        """Let time pass; who began and who ended in this step [us]."""
        began, ended = [], []
        for state in self._queue:
            left = self._left_us.get(state.action.action_id)
            if state.status == "RUNNING" and left is not None:
                self._left_us[state.action.action_id] = left - dt_us
                if left - dt_us <= 0:
                    state.status = "FINISHED"
                    ended.append(state)
        self._forget()
        while (state_or_none := self._next()) is not None:
            state_or_none.status = "RUNNING"
            duration = self._duration_us(state_or_none.action)
            self._left_us[state_or_none.action.action_id] = duration
            began.append(state_or_none)
            if duration == 0:
                state_or_none.status = "FINISHED"
                ended.append(state_or_none)
                self._forget()
        return began, ended

    def _next(self) -> ActionState | None:
        """First action that waits and may begin now."""
        for k, state in enumerate(self._queue):
            if state.status != "WAITING":
                if state.action.blocking_type in RUNS_ALONE:
                    return None
                continue
            if self._paused and not _cannot_stop(state.action):
                return None
            return None if state.action.blocking_type in RUNS_ALONE and k > 0 else state
        return None

    def end(self, action: Action, status: str, result: str = "") -> None:
        """End an action that goes on until it is ended, or that belongs to an edge that is left."""
        for state in self._queue:
            if state.action.action_id == action.action_id and state.status not in _OVER:
                state.status, state.result = ("FINISHED" if status == "FINISHED" else "FAILED"), result
        self._forget()

    def cancel(self) -> bool:
        """Fail all that waits and all that can be stopped; whether something runs on that cannot (a load half taken)."""
        for state in self._queue:
            if state.status == "WAITING" or not _cannot_stop(state.action):
                state.status, state.result = "FAILED", "order cancelled"
        self._forget()
        return bool(self._queue)

    def _forget(self) -> None:
        self._queue = [state for state in self._queue if state.status not in _OVER]
        left = self._left_us
        self._left_us = {k: left[k] for k in (state.action.action_id for state in self._queue) if k in left}

    def remember(self) -> list[tuple[str, int | None]]:
        """Give the actions in the queue and the time that each has left [us], None where it has not begun or has no end."""
        return [(s.action.action_id, self._left_us.get(s.action.action_id)) for s in self._queue]

    def recall(self, queue: Sequence[tuple[str, int | None]], states: Mapping[str, ActionState], paused: bool) -> None:
        """Take the actions up where :meth:`remember` left them; KeyError where one is not among the states."""
        self._paused = paused
        self._queue = [states[action_id] for action_id, _ in queue]
        self._left_us = {a: left for (a, left), s in zip(queue, self._queue, strict=True) if s.status != "WAITING"}


def _cannot_stop(action: Action) -> bool:
    return action.action_type in ("pick", "drop")
