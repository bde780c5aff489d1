"""Between the tick's thread and the viewers: the latest view as messages, the last minutes of them, outages and alarms.

All of it runs on the server's event loop. A view becomes a text once, however many watch; who cannot keep up gets the latest and
misses those between, so nothing piles up.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from bisect import bisect_left
from collections import deque

from bridges.page import messages
from bridges.page.heat import Heat
from bridges.page.scene import ActingView, PeopleView, SceneView
from bridges.page.watch import Watch
from bridges.view import TwinView

__all__ = ["History", "Hub"]

_FRAMES_MAX = 36_000


class History:
    """The last minutes of tick messages, packed; they hold what a viewer may see and nothing finer.

    Parameters
    ----------
    minutes : twin time kept.
    """

    def __init__(self, minutes: float) -> None:
        self._span_us = round(60e6 * minutes)
        self._frames: deque[tuple[int, bytes]] = deque(maxlen=_FRAMES_MAX)

    def add(self, time_us: int, text: str) -> None:
        """Keep a message; a time that was there already is left, a time before the last begins anew."""
        frames = self._frames
        if frames and time_us <= frames[-1][0]:
            if time_us == frames[-1][0]:
                return
            frames.clear()
        frames.append((time_us, zlib.compress(text.encode(), 1)))
        while frames[0][0] < time_us - self._span_us:
            frames.popleft()

    @property
    def span_us(self) -> tuple[int, int] | None:
        """First and last time kept [us], None where nothing is."""
        return (self._frames[0][0], self._frames[-1][0]) if self._frames else None

    def frames(self, start_us: int, count: int) -> list[str]:
        """Return up to ``count`` messages from the first that is not before ``start_us``; the last one where all are before."""
        times = [time_us for time_us, _ in self._frames]
        first = min(bisect_left(times, start_us), len(times) - 1) if times else 0
        return [zlib.decompress(self._frames[i][1]).decode() for i in range(first, min(first + count, len(times)))]


class Hub:
    """What viewers are sent.

    Parameters
    ----------
    scene : the hall.
    history_minutes : twin time that can be looked back at.

    Attributes
    ----------
    view : the latest view. tick : its message. advice : what stands, for who may steer; None where nobody looks ahead.
    people : message for the safety role, None where none was handed in.
    names_version : grows when a new hello is due. runs : finished runs that the page shows, 0 for a live twin.
    """

    def __init__(self, scene: SceneView, history_minutes: float) -> None:
        self.scene = scene
        self.history = History(history_minutes)
        self.watch = Watch()
        self.heat = Heat(scene)
        self.view: TwinView | None = None
        self.tick: str | None = None
        self.advice: str | None = None
        self.people: str | None = None
        self.names_version = 0
        self.viewers = 0
        self.runs = 0
        self._names: messages.Names = ((), (), (), ())
        self._trp_index = {trp[0]: i for i, trp in enumerate(scene.trps)}
        self._changed = asyncio.Event()
        self._watch_text = (-1, "")

    def show(self, view: TwinView, people: PeopleView | None, acting: ActingView | None = None) -> None:
        """Turn a view into messages and wake the viewers."""
        names = messages.names_of(view)
        if names != self._names:
            self._names = names
            self.names_version += 1
        self.view = view
        self.tick = messages.tick(view, self._trp_index, acting)
        self.people = None if people is None else messages.people(people)
        advice = messages.advice(view)
        if advice != self.advice:  # the same text stays the same object, which viewers know it by
            self.advice = advice
        self.history.add(view.time_us, self.tick)
        self.watch.add(view)
        self.heat.add(view)
        self.wake()

    def wake(self) -> None:
        """Let every viewer look for what is new."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something is new, at most so long."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def hello(self, user: str, role: str) -> str:
        """Return the first message of a socket."""
        return messages.hello(self.view.name if self.view else "", self.scene, self._names, user, role, self.runs)

    def watch_text(self) -> str:
        """Return outages and alarms as a message, made once per change."""
        if self._watch_text[0] != self.watch.version:
            content = {"type": "watch", **self.watch.to_json_dict()}
            self._watch_text = (self.watch.version, json.dumps(content, separators=(",", ":"), allow_nan=False))
        return self._watch_text[1]
