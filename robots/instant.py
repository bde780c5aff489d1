"""Instant actions: startPause, stopPause and cancelOrder (VDA 5050 3.0.0, 6.2.1, 6.2.3 and 6.1.3), and initPosition.

These AGVs know where they are. An initPosition that agrees with it is finished, one that does not is failed; none moves an AGV.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from robots.agv import ASIDE, IDLE, LOADING, ON_CHARGE, UNLOADING, WANT_DROP, WANT_PICK
from robots.books import Books
from robots.dispatch import Dispatch
from robots.order_messages import read_action_state, write_action_memory
from robots.orders import Action, ActionState, OrderError
from robots.outside import INSTANT_ACTIONS, OutsideOrders
from robots.ways import Ways

_KEPT = 50  # finished ones that are still told; the fleet manager of a flood sees the last ones
_KEPT_IDS = 300
_NEAR_M, _NEAR_RAD = 0.5, 0.35  # assumed: what an initPosition may be off


class InstantActions:
    """What each AGV was told to do at once.

    Parameters
    ----------
    books, ways, dispatch : the fleet's state, who gives ways, who gives orders. outside : orders from outside, None without.

    Attributes
    ----------
    states : per AGV, its last instant actions and how far they are; those that run are never forgotten.
    ids : per AGV, the last 300 actionIds. changes : counts what changed in any of them.
    """

    def __init__(self, books: Books, ways: Ways, dispatch: Dispatch, outside: OutsideOrders | None) -> None:
        self._books, self._ways, self._dispatch, self._outside = books, ways, dispatch, outside
        self.states: list[list[ActionState]] = [[] for _ in range(books.n)]
        self.ids: list[deque[str]] = [deque(maxlen=_KEPT_IDS) for _ in range(books.n)]
        self.changes = 0
        self._cancelling: dict[int, ActionState] = {}
        self._pausing: dict[int, ActionState] = {}

    def receive(self, i: int, action: Action) -> OrderError | None:
        """Begin an instant action; why it was rejected, None if it was not."""
        state = ActionState(action, "RUNNING")
        self.changes += 1
        self.ids[i].append(action.action_id)
        states = self.states[i]
        states.append(state)
        over = [s for s in states if s.status in ("FINISHED", "FAILED")]
        if len(over) > _KEPT:
            states.remove(over[0])
        if action.action_type not in INSTANT_ACTIONS:
            return self._fail(state, "INVALID_INSTANT_ACTION", f"{action.action_type!r}; AGVs do {', '.join(INSTANT_ACTIONS)}")
        if action.action_type == "cancelOrder":
            return self._cancel(i, state)
        if action.action_type == "initPosition":
            return self._init_position(i, state)
        pause = action.action_type == "startPause"
        self._books.traffic.paused[i] = pause
        self._books.traffic.version[0] += 1
        if self._outside is not None:
            self._outside.pause(i, pause)
        earlier = self._pausing.pop(i, None)
        if earlier is not None:  # a second startPause waits in its place; a stopPause came before the AGV stood
            earlier.status, earlier.result = ("FAILED", "stopPause came first") if not pause else ("FINISHED", "paused again")
        if pause:
            self._pausing[i] = state
        else:
            state.status = "FINISHED"
        return None

    @staticmethod
    def _fail(state: ActionState, error_type: str, text: str) -> OrderError:
        state.status, state.result = "FAILED", text
        return OrderError(error_type, text, (("actionId", state.action.action_id),))

    def _init_position(self, i: int, state: ActionState) -> OrderError | None:
        given = state.action.parameters
        numbers = [given.get(name) for name in ("x", "y", "theta")]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and np.isfinite(n) for n in numbers):
            return self._fail(state, "INVALID_INSTANT_ACTION", "initPosition needs the numbers x [m], y [m] and theta [rad]")
        x_m, y_m, theta_rad = (float(n) for n in numbers if n is not None)
        here_m, yaw_rad = self._books.machines.position_m[i], float(self._books.traffic.heading_rad[i])
        away_m = float(np.hypot(x_m - here_m[0], y_m - here_m[1]))
        turned_rad = abs((theta_rad - yaw_rad + np.pi) % (2 * np.pi) - np.pi)
        if away_m > _NEAR_M or turned_rad > _NEAR_RAD:
            text = (
                f"initPosition: {away_m:.2f} m and {turned_rad:.2f} rad from where the AGV knows it is, "
                f"({here_m[0]:.2f}, {here_m[1]:.2f}) m and {yaw_rad:.2f} rad; it takes up to {_NEAR_M} m and {_NEAR_RAD} rad"
            )
            return self._fail(state, "INVALID_INSTANT_ACTION", text)
        state.status = "FINISHED"
        return None

    def _cancel(self, i: int, state: ActionState) -> OrderError | None:
        stage = self._books.machines.stage[i]
        busy = self._outside.active(i) if self._outside is not None else stage not in (IDLE, ON_CHARGE)
        if not busy or i in self._cancelling:
            return self._fail(state, "NO_ORDER_TO_CANCEL", "the AGV has no order, or is cancelling it already")
        named = state.action.parameters.get("orderId")
        active = self._outside.order(i).order_id if self._outside is not None else self._order_id(i)
        if named is not None and named != active:
            return self._fail(state, "NO_ORDER_TO_CANCEL", f"the active order is {active!r}, not {named!r}")
        self._cancelling[i] = state
        if self._outside is not None:
            self._outside.cancel(i)
        elif stage in (WANT_PICK, WANT_DROP) and self._books.ended()[i] and not self._moving(i):
            self._over(i)
        elif stage not in (LOADING, UNLOADING):
            self._books.machines.stage[i] = ASIDE
            self._ways.cut(i)
        return None

    def _order_id(self, i: int) -> str:
        return f"{self._books.errand_kind[i]}-{self._books.errand[i]}"

    def _moving(self, i: int) -> bool:
        traffic = self._books.traffic
        return bool(traffic.at_k[i] < traffic.head_k[i])

    def _over(self, i: int) -> None:
        self._dispatch.drop_order(i)
        self._cancelling.pop(i).status = "FINISHED"

    def on_event(self, i: int) -> bool:
        """Take care of an event of an AGV of the twin's own fleet control whose order is being cancelled."""
        if i not in self._cancelling or self._outside is not None:
            return False
        stage = self._books.machines.stage[i]
        if stage == UNLOADING:
            return False  # what is being given is delivered; the order is over then
        if stage == LOADING:
            self._dispatch.loaded(i)
        self._over(i)
        return True

    def advance(self) -> None:
        """See which pauses have begun and which orders are over."""
        books = self._books
        for i, state in list(self._pausing.items()):
            if books.traffic.speed_mps[i] == 0.0:
                state.status = "FINISHED"
                self.changes += 1
                del self._pausing[i]
        for i, state in list(self._cancelling.items()):
            over = not self._outside.active(i) if self._outside is not None else books.machines.stage[i] == IDLE
            if over or (self._outside is None and state.status == "FINISHED"):
                state.status = "FINISHED"
                self.changes += 1
                self._cancelling.pop(i, None)

    def remember(self, i: int) -> dict[str, Any]:
        """Give AGV ``i``'s instant actions as JSON, for :meth:`recall`."""
        return {"states": [write_action_memory(state) for state in self.states[i]], "ids": list(self.ids[i])}

    def recall(self, i: int, memory: dict[str, Any]) -> None:
        """Take AGV ``i``'s instant actions up where :meth:`remember` left them; ValueError or KeyError where it holds others."""
        self.states[i] = [read_action_state(entry) for entry in memory["states"]]
        self._cancelling.pop(i, None)
        self._pausing.pop(i, None)
        self.ids[i].clear()
        self.ids[i].extend(str(action_id) for action_id in memory["ids"])
        for state in self.states[i]:
            if state.status == "RUNNING" and state.action.action_type == "cancelOrder":
                self._cancelling[i] = state
            elif state.status == "RUNNING" and state.action.action_type == "startPause":
                self._pausing[i] = state
