"""The one way into the twin.

Bridges put commands in from their own threads; the twin drains them at the start of a tick, so a command takes effect at an
instant of twin time and never in the middle of a step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Answer", "Command", "Inbox", "Value"]

Value: TypeAlias = float | str | bool
"""An argument of a command."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command.

    Attributes
    ----------
    done : whether it was carried out.
    message : what was done, or why it was not and what would be right.
    """

    done: bool
    message: str


@dataclass(frozen=True, slots=True)
class Command:
    """Something a person or a plant system asks of the twin.

    Attributes
    ----------
    source : bridge and user it came from, for example ``opcua:viewer``.
    name : word of the command, for example ``pause``.
    target : what it is about, for example ``agv-07``; "" for the twin as a whole.
    arguments : names and values beyond the target.
    reply : called with the answer on the tick's thread, so it must return at once; None where nobody waits.
    payload : a message from outside as checked JSON, for example a VDA 5050 order; None for commands without one.
    """

    source: str
    name: str
    target: str = ""
    arguments: tuple[tuple[str, Value], ...] = ()
    reply: Callable[[Answer], None] | None = field(default=None, compare=False, repr=False)
    payload: Mapping[str, Any] | None = field(default=None, compare=False)

    def argument(self, name: str) -> Value | None:
        """Return an argument by its name, None where it was not given."""
        return next((value for key, value in self.arguments if key == name), None)

    def answer(self, done: bool, message: str) -> None:
        """Tell whoever waits what became of the command."""
        if self.reply is not None:
            self.reply(Answer(done, message))


class Inbox:
    """Bounded, thread-safe queue of commands in the order they came.

    Parameters
    ----------
    capacity : commands kept between two ticks; a flood beyond it is refused, not buffered.
    """

    def __init__(self, capacity: int = 1024) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity} must be at least 1")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._commands: deque[Command] = deque()
        self._refused = 0

    @property
    def refused(self) -> int:
        """Commands refused since the start because the inbox was full."""
        return self._refused

    def put(self, command: Command) -> bool:
        """Hand a command in, from any thread.

        Returns
        -------
        bool
            False where the inbox is full; the sender must then answer that nothing was done.
        """
        with self._lock:
            if len(self._commands) >= self._capacity:
                self._refused += 1
                return False
            self._commands.append(command)
            return True

    def drain(self) -> tuple[Command, ...]:
        """Take all commands, oldest first. Called by the twin once a tick."""
        if not self._commands:
            return ()
        with self._lock:
            commands = tuple(self._commands)
            self._commands.clear()
        return commands
