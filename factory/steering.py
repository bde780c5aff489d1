"""What people and plant systems may ask of a running twin: carried out between two ticks, and answered.

Bridges put commands into the twin's inbox from their own threads. The twin takes them at the start of a tick, on its own thread,
so nothing changes in the middle of a step. While it is paused no tick comes; the live loop takes them then.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bridges.inbox import Command, Value
from factory.errors import UserError
from factory.live_modes import ACT_SOURCE, Advisor
from radio.config import TrpOutageConfig
from radio.policies import policy_class
from robots.orders import Action

if TYPE_CHECKING:
    from factory.twin import Twin
    from factory.what_if_jobs import WhatIfJobs

SPEED_RANGE = (0.1, 20.0)
"""Twin time over wall time that may be asked for. What the machine cannot keep up with is lost, and live mode tells."""


JOB_WORDS = ("start_whatif", "read_whatif", "start_radio_map", "read_job", "cancel_job")
"""Commands for work in child processes; their answers are JSON."""


UNDO_MOST = 20
"""Actions that can be undone, the last one first."""


class _RefusedError(Exception):
    """A command that cannot be carried out; its text says why and what would be right."""


class Steering:
    """Carries commands out.

    Parameters
    ----------
    twin : the twin that is steered.

    Attributes
    ----------
    pace : why the speed may not be changed, "" where it may.
    paused : whether twin time stands still; live mode keeps to it, a batch run has nobody who asks.
    speed : twin time over wall time that live mode keeps to.
    commands : words of all commands.
    off : names of TRPs that were switched off, and since when [us].
    """

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self.paused = False
        self.pace = ""
        self.speed = 1.0
        self._does: dict[str, Callable[[Command], str]] = {
            "pause": self._pause,
            "resume": self._resume,
            "set_speed": self._set_speed,
            "set_policy": self._set_policy,
            "stop_agv": self._stop_agv,
            "release_agv": self._release_agv,
            "detour_agv": self._detour_agv,
            "switch_trp_off": self._switch_trp_off,
            "switch_trp_on": self._switch_trp_on,
            "accept_advice": self._accept_advice,
            "give_up_advice": self._give_up_advice,
            "undo": self._undo_last,
        }
        for word in JOB_WORDS:
            self._does[word] = functools.partial(self._job, word)
        self._desk: WhatIfJobs | None = None
        self.off: dict[str, int] = {}
        self._undo: deque[tuple[str, Command]] = deque(maxlen=UNDO_MOST)
        self._actions = 0
        self._others: list[Callable[[Command], bool]] = []

    def keep_pace(self, reason: str) -> None:
        """Keep twin time at the plant's: ``reason`` is told to whoever asks for another speed."""
        self.pace = reason

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

    def close(self) -> None:
        """Stop what was started for somebody outside."""
        if self._desk is not None:
            self._desk.close()

    def _job(self, word: str, command: Command) -> str:
        from factory.what_if_jobs import WhatIfJobs  # most runs are asked nothing

        if self._desk is None:
            self._desk = WhatIfJobs(self._twin)
        try:
            return self._desk.carry_out(word, command)
        except UserError as error:
            raise _RefusedError(str(error)) from error

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
        if self.pace and factor != 1.0:
            raise _RefusedError(f"speed {factor:g} is not possible: {self.pace}")
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
            before = twin.networks[0].policy
            twin.networks[0].change_policy(str(name))
        except ValueError as error:
            raise _RefusedError(str(error)) from error
        twin.ether.serve([network.policy for network in twin.networks])
        self._remember(f"policy {name}", command, "set_policy", "", (("policy", before),))
        return f"the acting policy is {name}"

    def _stop_agv(self, command: Command) -> str:
        done = self._instant(command, "startPause", "is paused")
        self._remember(f"stop of {command.target}", command, "release_agv", command.target)
        return done

    def _release_agv(self, command: Command) -> str:
        done = self._instant(command, "stopPause", "goes on")
        self._remember(f"release of {command.target}", command, "stop_agv", command.target)
        return done

    def _detour_agv(self, command: Command) -> str:
        """Send an AGV another way; undoing it would be another way again, so it is not remembered."""
        i = self._agv(command)
        avoided = self._twin.fleet.detour(i)
        if avoided is None:
            raise _RefusedError(f"{command.target} has no other way now that is safe for all, or none of its own to change")
        return f"{command.target} goes another way, not {avoided[0]} -> {avoided[1]}"

    def _accept_advice(self, command: Command) -> str:
        kind = str(command.argument("kind") or "")
        error = self._modes().accept(self._twin.time_us, kind, command.target, command.source)
        if error:
            raise _RefusedError(error)
        self._remember(f"acceptance of {kind} for {command.target}", command, "give_up_advice", command.target, (("kind", kind),))
        return f"{kind} for {command.target} is carried out while its reason stands"

    def _give_up_advice(self, command: Command) -> str:
        kind = str(command.argument("kind") or "")
        error = self._modes().give_up(self._twin.time_us, kind, command.target, command.source)
        if error:
            raise _RefusedError(error)
        return f"{kind} for {command.target} is no longer carried out"

    def _modes(self) -> Advisor:
        live = self._twin.live
        if live is None or live.modes is None:
            raise _RefusedError("nobody looks ahead here, so nothing is advised; live.mode: advise (or act) does")
        return live.modes

    def _switch_trp_off(self, command: Command) -> str:
        name = self._trp(command)
        if name in self.off:
            raise _RefusedError(f"TRP {name!r} is off already; switch_trp_on switches it on again")
        if len(self.off) + 1 == len(self._twin.scenario.radio.trps):
            raise _RefusedError(f"TRP {name!r} is the last one that is on; no machine would get a command")
        self.off[name] = self._twin.time_us
        self._take_outages()
        self._remember(f"switching {name} off", command, "switch_trp_on", name)
        return f"TRP {name} is off"

    def _switch_trp_on(self, command: Command) -> str:
        name = self._trp(command)
        if name not in self.off:
            raise _RefusedError(f"TRP {name!r} was not switched off; off: {', '.join(self.off) or 'none'}")
        del self.off[name]
        self._take_outages()
        self._remember(f"switching {name} on", command, "switch_trp_off", name)
        return f"TRP {name} is on"

    def outages(self) -> tuple[TrpOutageConfig, ...]:
        """Return the outages of the scenario, and those that were commanded and last."""
        commanded = (TrpOutageConfig(trp=name, from_s=since_us / 1e6) for name, since_us in self.off.items())
        return (*self._twin.scenario.radio.outages, *commanded)

    def _take_outages(self) -> None:
        radio = self._twin.scenario.radio
        self._twin.ether.take_outages(radio.model_copy(update={"outages": self.outages()}))

    def _trp(self, command: Command) -> str:
        names = [t.name for t in self._twin.scenario.radio.trps] if self._twin.networks else []
        if command.target not in names:
            near = get_close_matches(command.target, names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise _RefusedError(
                f"TRP {command.target!r} is unknown; {hint}known: {', '.join(names) or 'none, there is no radio'}"
            )
        return command.target

    def _remember(self, words: str, done: Command, name: str, target: str, arguments: tuple[tuple[str, Value], ...] = ()) -> None:
        """Remember what undoes a command of somebody; the twin takes back its own acts by itself."""
        if done.source != ACT_SOURCE:
            self._undo.append((words, Command(done.source, name, target, arguments)))

    def _undo_last(self, command: Command) -> str:
        if not self._undo:
            raise _RefusedError("there is nothing to undo")
        words, inverse = self._undo.pop()
        kept = len(self._undo)
        message = self._of(inverse.name)(inverse)
        while len(self._undo) > kept:  # the inverse is no action of its own: undoing twice goes two steps back
            self._undo.pop()
        return f"{words} is undone: {message}"

    def _instant(self, command: Command, action: str, done: str) -> str:
        """Let an AGV do an instant action of VDA 5050 3.0.0, 6.2."""
        i = self._agv(command)
        self._actions += 1
        error = self._twin.fleet.instant_action(i, Action(f"steering-{self._actions}", action))
        if error is not None:
            raise _RefusedError(f"{command.target}: {error.description}")
        return f"{command.target} {done}"

    def _agv(self, command: Command) -> int:
        names = self._twin.devices[: self._twin.fleet.n]
        if command.target not in names:
            near = get_close_matches(command.target, names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            known = f"{names[0]} to {names[-1]}" if names else "none, the scenario has no AGVs"
            raise _RefusedError(f"AGV {command.target!r} is unknown; {hint}known: {known}")
        return names.index(command.target)
