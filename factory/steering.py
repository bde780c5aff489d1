"""What people and plant systems may ask of a running twin: carried out between two ticks, and answered.

Bridges put commands into the twin's inbox from their own threads. The twin takes them at the start of a tick, on its own thread,
so nothing changes in the middle of a step. While it is paused no tick comes; the live loop takes them then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bridges.inbox import Command
from radio.policies import policy_class
from robots.orders import Action

if TYPE_CHECKING:
    from factory.twin import Twin

SPEED_RANGE = (0.1, 20.0)
"""Twin time over wall time that may be asked for. What the machine cannot keep up with is lost, and live mode tells."""


class _RefusedError(Exception):
    """A command that cannot be carried out; its text says why and what would be right."""


class Steering:
    """Carries commands out.

    Parameters
    ----------
    twin : the twin that is steered.

    Attributes
    ----------
    paused : whether twin time stands still; live mode keeps to it, a batch run has nobody who asks.
    speed : twin time over wall time that live mode keeps to.
    commands : words of all commands.
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self.paused = False
        self.speed = 1.0
        self._does: dict[str, Callable[[Command], str]] = {
            "pause": self._pause,
            "resume": self._resume,
            "set_speed": self._set_speed,
            "set_policy": self._set_policy,
            "stop_agv": self._stop_agv,
            "release_agv": self._release_agv,
        }
        self._actions = 0
        self._others: list[Callable[[Command], bool]] = []

    def also(self, carry_out: Callable[[Command], bool]) -> None:
        """Ask somebody else about every command that is not one of these; the answer is whether it was theirs."""
        self._others.append(carry_out)

    @property
    def commands(self) -> tuple[str, ...]:
        """Words of all commands."""
        return tuple(self._does)

    def apply(self, commands: Iterable[Command]) -> None:
        """Carry commands out in the order they came, and answer each; call it between ticks, on the tick's thread."""
        for command in commands:
            if command.name not in self._does and any(other(command) for other in self._others):
                continue
            try:
                message = self._of(command.name)(command)
            except _RefusedError as error:
                command.answer(False, str(error))
            else:
                command.answer(True, message)

    def _of(self, name: str) -> Callable[[Command], str]:
        if name not in self._does:
            raise _RefusedError(f"command {name!r} is unknown; known: {', '.join(self._does)}")
        return self._does[name]

    def _pause(self, command: Command) -> str:
        self.paused = True
        return f"paused at {self._twin.time_us / 1e6:.2f} s"

    def _resume(self, command: Command) -> str:
        self.paused = False
        return f"goes on from {self._twin.time_us / 1e6:.2f} s"

    def _set_speed(self, command: Command) -> str:
        factor, (least, most) = command.argument("factor"), SPEED_RANGE
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not least <= factor <= most:
            raise _RefusedError(f"speed {factor!r} is not possible; give twin time over wall time, {least:g} to {most:g}")
        self.speed = float(factor)
        return f"twin time runs at {factor:g} x"

    def _set_policy(self, command: Command) -> str:
        twin, name = self._twin, command.argument("policy")
        if not twin.networks:
            raise _RefusedError("the scenario has no radio (radio.enabled: false), so there is no policy to set")
        try:
            bound = getattr(policy_class(str(name)), "sees_truth", False)
            if bound:
                raise _RefusedError(f"policy {name!r} is a bound that knows the true channel; no network can be run by it")
            twin.networks[0].change_policy(str(name))
        except ValueError as error:
            raise _RefusedError(str(error)) from error
        twin.ether.serve([network.policy for network in twin.networks])
        return f"the acting policy is {name}"

    def _stop_agv(self, command: Command) -> str:
        return self._instant(command, "startPause", "is paused")

    def _release_agv(self, command: Command) -> str:
        return self._instant(command, "stopPause", "goes on")

    def _instant(self, command: Command, action: str, done: str) -> str:
        """Let an AGV do an instant action of VDA 5050 3.0.0, 6.2."""
        twin = self._twin
        names = twin.devices[: twin.fleet.n]
        if command.target not in names:
            near = get_close_matches(command.target, names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            known = f"{names[0]} to {names[-1]}" if names else "none, the scenario has no AGVs"
            raise _RefusedError(f"AGV {command.target!r} is unknown; {hint}known: {known}")
        self._actions += 1
        error = twin.fleet.instant_action(names.index(command.target), Action(f"steering-{self._actions}", action))
        if error is not None:
            raise _RefusedError(f"{command.target}: {error.description}")
        return f"{command.target} {done}"
