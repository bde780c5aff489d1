"""Instant actions: startPause, stopPause and cancelOrder (VDA 5050 3.0.0, 6.2.1, 6.2.3 and 6.1.3)."""

from __future__ import annotations

from robots.agv import ASIDE, IDLE, LOADING, ON_CHARGE, UNLOADING, WANT_DROP, WANT_PICK
from robots.books import Books
from robots.dispatch import Dispatch
from robots.orders import Action, ActionState, OrderError
from robots.outside import INSTANT_ACTIONS, OutsideOrders
from robots.ways import Ways


class InstantActions:
    """What each AGV was told to do at once.

    Parameters
    ----------
    books, ways, dispatch : the fleet's state, who gives ways, who gives orders. outside : orders from outside, None without.

    Attributes
    ----------
    states : per AGV, its instant actions and how far they are.
    """

    def __init__(self, books: Books, ways: Ways, dispatch: Dispatch, outside: OutsideOrders | None) -> None:
        self._books, self._ways, self._dispatch, self._outside = books, ways, dispatch, outside
        self.states: list[list[ActionState]] = [[] for _ in range(books.n)]
        self._cancelling: dict[int, ActionState] = {}
        self._pausing: dict[int, ActionState] = {}

    def receive(self, i: int, action: Action) -> OrderError | None:
        """Begin an instant action; why it was rejected, None if it was not."""
        state = ActionState(action, "RUNNING")
        self.states[i].append(state)
        if action.action_type not in INSTANT_ACTIONS:
            return self._fail(state, "INVALID_INSTANT_ACTION", f"{action.action_type!r}; AGVs do {', '.join(INSTANT_ACTIONS)}")
        if action.action_type == "cancelOrder":
            return self._cancel(i, state)
        pause = action.action_type == "startPause"
        self._books.traffic.paused[i] = pause
        self._books.traffic.version[0] += 1
        if self._outside is not None:
            self._outside.pause(i, pause)
        if pause:
            self._pausing[i] = state
        else:
            self._pausing.pop(i, None)
            state.status = "FINISHED"
        return None

    @staticmethod
    def _fail(state: ActionState, error_type: str, text: str) -> OrderError:
        state.status, state.result = "FAILED", text
        return OrderError(error_type, text, (("actionId", state.action.action_id),))

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
                del self._pausing[i]
        for i, state in list(self._cancelling.items()):
            over = not self._outside.active(i) if self._outside is not None else books.machines.stage[i] == IDLE
            if over or (self._outside is None and state.status == "FINISHED"):
                state.status = "FINISHED"
                self._cancelling.pop(i, None)
