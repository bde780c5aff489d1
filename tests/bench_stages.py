"""Where a tick's time goes: a stopwatch around the calls that a tick consists of."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import factory.twin
from factory.outages import DownTracker
from factory.twin import Twin
from factory.world import World
from humans.crowd import Crowd
from radio.foresight import Foresight
from radio.links import Channel
from radio.messages.packets import Packets
from radio.network import Ether, Network
from robots.cobot import Cobots
from robots.fleet import Fleet

ELSE = "all else"
FORECASTS = ("forecasts: scenes", "forecasts: paths, bodies, sweeps")

# Stage, what holds its function, and the function's name. A stage within another is taken out of it, but not within FORECASTS.
STAGES: tuple[tuple[str, Any, str], ...] = (
    ("AGVs and fleet", Fleet, "step"),
    ("AGVs and fleet", Fleet, "state"),
    ("cobots' programs", Cobots, "step"),
    ("cobots' programs", Cobots, "state"),
    ("people", Crowd, "step"),
    ("people", Crowd, "state"),
    ("Bullet: arms", World, "step"),
    ("Bullet: arms", World, "cobot_link_capsules"),
    ("Bullet: people and contacts, 10 Hz", World, "sync_people"),
    ("Bullet: people and contacts, 10 Hz", World, "contacts"),
    ("separation of people and arms", factory.twin, "nearest_person"),
    ("scene for the radio", Twin, "scene"),
    (FORECASTS[0], Twin, "_expected"),
    (FORECASTS[1], Ether, "take_forecast"),
    (FORECASTS[1], Foresight, "cover"),
    ("paths", Channel, "paths"),
    ("bodies on paths", Channel, "blockage"),
    ("beam sweeps", Channel, "sweep"),
    ("networks: reports", Ether, "begin"),
    ("networks: reports", Ether, "finish"),
    ("networks: plans", Network, "decide"),
    ("networks: state of the links", Channel, "states"),
    ("networks: packets and key figures", Packets, "deliver"),
    ("networks: packets and key figures", DownTracker, "add"),
)


class Stopwatch:
    """Sums processor time by stage, each moment counted for the innermost stage alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys([ELSE, *(stage for stage, _, _ in STAGES)], 0.0)
        self._running = [ELSE]
        self._since = time.process_time()

    def begin(self) -> None:
        """Start counting anew."""
        self._since = time.process_time()

    def count(self) -> None:
        """Count the time since the last event for the stage that runs."""
        now = time.process_time()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted for the stage."""

        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if self._running[-1] in FORECASTS:
                return function(*arguments, **named)
            self.count()
            self._running.append(stage)
            try:
                return function(*arguments, **named)
            finally:
                self.count()
                self._running.pop()

        return timed


@contextlib.contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Put the stopwatch around every stage's functions, and take it away again."""
    originals = [(holder, name, getattr(holder, name)) for _, holder, name in STAGES]
    try:
        for (stage, holder, name), (_, _, function) in zip(STAGES, originals, strict=True):
            setattr(holder, name, watch.around(stage, function))
        yield
    finally:
        for holder, name, function in originals:
            setattr(holder, name, function)


def stage_shares(twin: Twin, ticks: int) -> dict[str, float]:
    """Measure the share of each stage in the processor time of a tick.

    Parameters
    ----------
    twin : the twin, some ticks under way.
    ticks : ticks to measure.

    Returns
    -------
    dict
        Stage to share, largest first, together 1; :data:`ELSE` is what no stage names, the stopwatch itself included.
    """
    watch = Stopwatch()
    with watched(watch):
        watch.begin()
        for _ in range(ticks):
            twin.tick()
        watch.count()
    whole = sum(watch.seconds.values())
    shares = {stage: spent / whole for stage, spent in watch.seconds.items()}
    return dict(sorted(shares.items(), key=lambda item: (item[0] == ELSE, -item[1])))
