"""What a live twin says and does: it warns of gaps in machines' radio, advises, and acts where it may.

Modes: *observe* works everything out and keeps it; *advise* publishes it; *act* also does what ``live.may`` lists. An act begins
with a warning and ends with it; a pause ends after ``longest_act_s`` at the latest. It begins again on the same target after
``rest_s``, and no more than ``acts_per_min`` begin in a minute. Every beginning, end and failure is a line in the audit log. What
began and has not ended is kept in a file, so that a twin that was killed ends it when it is back.

A person may accept advice that stands: its act begins at once, whatever the mode may do by itself, and ends as any other.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bridges.opcua.audit import AuditLog
from bridges.view import AdviceView
from factory.live_config import LiveConfig
from factory.live_lookahead import Outlooks

__all__ = ["ACT_OF", "ACT_SOURCE", "Act", "Advisor", "Machines", "Modes", "has_open_acts"]

ACT_OF = {"agv_slow": "agv_pause", "agv_detour": "agv_detour", "risk": "radio_policy"}
"""What carries advice out, by its kind; the other kinds are for the plant's own systems."""

ACT_SOURCE = "live"
"""Source of the commands that the twin gives itself."""
_MINUTE_US = 60_000_000
_SELF = "factory-twin"  # who acts, in the audit log, where nobody else said so
_OPEN_ACTS = "open-acts.json"


def has_open_acts(folder: Path) -> bool:
    """Tell whether a twin before this one began acts in ``folder`` that it did not end."""
    return bool(_open_acts(folder / _OPEN_ACTS))


def _open_acts(file: Path) -> list[tuple[str, str]]:
    try:
        return [(str(name), str(target)) for name, target in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


class Act(Protocol):
    """Something that is done while a reason stands."""

    def begin(self, target: str) -> str:
        """Begin it on a target, at once; returns why it could not be done, "" where it was."""

    def end(self, target: str) -> str:
        """Take it back; as :meth:`begin`. Taking back what is not there does nothing."""


class Advisor(Protocol):
    """What a live twin asks of who looks ahead for it."""

    ahead: Outlooks | None

    def look(self, time_us: int) -> None:
        """Look ahead and act where it is time to; called as a tick begins."""

    def published(self) -> tuple[AdviceView, ...]:
        """Return the advice that may leave the twin."""

    def accept(self, now: int, kind: str, target: str, user: str) -> str:
        """Do what is advised, because a person says so; returns why it was not done, "" where it was."""

    def give_up(self, now: int, kind: str, target: str, user: str) -> str:
        """End what was accepted before its reason ends; as :meth:`accept`."""

    def stop(self, time_us: int) -> None:
        """Take back what was done, as the twin stops."""


@dataclass(frozen=True, slots=True)
class Machines:
    """What rules need to know of m machines at one instant.

    Attributes
    ----------
    name : m names, AGVs first. n_agv : how many are AGVs. speed_mps : m ground speeds, 0 for arms [m/s].
    lane : n_agv names of the lanes that they are on, "" for none.
    """

    name: Sequence[str]
    n_agv: int
    speed_mps: Sequence[float]
    lane: Sequence[str]


class Modes:
    """Raises and withdraws advice, and acts.

    Parameters
    ----------
    config : the live section. look : looks ahead from an instant [us]. machines : tells of the machines now.
    trps : names of the TRPs. acts : what can be done, by its name in ``live.may``.
    folder : where the audit log and the file of open acts are; None where nothing is done.

    Attributes
    ----------
    ahead : the newest look, None before the first.
    counts : advice ``raised`` and ``withdrawn``; acts ``begun``, ``ended``, ``failed`` and ``held_back`` by the limits.
    """

    def __init__(
        self,
        config: LiveConfig,
        look: Callable[[int], Outlooks],
        machines: Callable[[], Machines],
        trps: Sequence[str],
        acts: Mapping[str, Act],
        folder: Path | None = None,
    ) -> None:
        self._config, self._look, self._machines, self._trps = config, look, machines, tuple(trps)
        self._every: dict[str, Act] = dict(acts)  # what an earlier twin began is ended, whatever may be done now
        self._may = {name for name in acts if config.mode == "act" and name in config.may}
        self.counts: Counter[str] = Counter()
        self._standing: dict[tuple[str, str], AdviceView] = {}
        self._high: Counter[str] = Counter()
        self._low_since: dict[str, int] = {}
        self._open: dict[tuple[str, str], int] = {}
        self._accepted: set[tuple[str, str]] = set()
        self._rests_until: dict[tuple[str, str], int] = {}
        self._begun_us: deque[int] = deque()
        self._next_us = 0
        self.ahead: Outlooks | None = None
        self._file = None if folder is None else folder / _OPEN_ACTS
        self._end_what_was_left()
        self._folder = folder
        self._audit = AuditLog(folder) if folder is not None and (self._may or self._open) else None

    # ------------------------------------------------------------------ advice
    def look(self, time_us: int) -> None:
        """Look ahead where it is time to, raise and withdraw advice, begin and end acts; called as a tick begins."""
        if time_us < self._next_us:
            return
        self._next_us = time_us + 1000 * self._config.advice.look_ms
        self.ahead = ahead = self._look(time_us)
        machines = self._machines()
        for k, name in enumerate(machines.name):
            self._judge(time_us, k, name, ahead, machines)
        self._act(time_us)

    def _judge(self, now: int, k: int, name: str, ahead: Outlooks, machines: Machines) -> None:
        rules, risk = self._config.advice, float(ahead.risk[k])
        warned = ("risk", name) in self._standing
        if risk >= rules.raise_at:
            self._high[name] += 1
            self._low_since.pop(name, None)
        else:
            self._high[name] = 0
            if risk < rules.clear_at:
                self._low_since.setdefault(name, now)
            else:
                self._low_since.pop(name, None)
        if not warned and self._high[name] < rules.looks:
            return
        if warned and name in self._low_since and now - self._low_since[name] >= rules.hold_s * 1e6:
            for kind in ("risk", "agv_slow", "agv_detour", "serve_from"):
                self._withdraw(kind, name)
            return
        horizon_s, margin = ahead.ahead_us[k] * 1e-6, float(ahead.margin_db[k])
        reason = f"{margin:.1f} dB of margin expected in {horizon_s:.1f} s"
        since = self._raise(now, "risk", name, risk, reason, "")
        moves = k < machines.n_agv and machines.speed_mps[k] > 0.1
        if moves:
            self._raise(now, "agv_slow", name, risk, reason, f"{0.5 * machines.speed_mps[k]:.2f} m/s")
        else:
            self._withdraw("agv_slow", name)
        if k < machines.n_agv and machines.lane[k] and now - since >= rules.detour_after_s * 1e6:
            lasting = f"at risk for {(now - since) * 1e-6:.0f} s on {machines.lane[k]}"
            self._raise(now, "agv_detour", name, risk, lasting, f"avoid {machines.lane[k]}")
        if ahead.other_trp[k] >= 0:
            self._raise(now, "serve_from", name, risk, reason, self._trps[ahead.other_trp[k]])
        else:
            self._withdraw("serve_from", name)

    def _raise(self, now: int, kind: str, target: str, risk: float, reason: str, value: str) -> int:
        """Raise advice, or bring what stands up to date; returns since when it stands [us]."""
        standing = self._standing.get((kind, target))
        if standing is None:
            self.counts["raised"] += 1
            standing = AdviceView(kind, target, value, reason, risk, now, "")
        self._standing[kind, target] = replace(standing, value=value, reason=reason, risk=risk)
        return standing.since_us

    def _withdraw(self, kind: str, target: str) -> None:
        if self._standing.pop((kind, target), None) is not None:
            self.counts["withdrawn"] += 1

    def published(self) -> tuple[AdviceView, ...]:
        """Return what stands, in a stable order, with what was done about it; nothing in mode observe."""
        if self._config.mode == "observe":
            return ()
        done = {(target, act) for act, target in self._open}
        views = []
        for (kind, target), advice in sorted(self._standing.items()):
            act = ACT_OF.get(kind, "")
            acted = act if (("network" if act == "radio_policy" else target), act) in done else ""
            views.append(replace(advice, act=acted))
        return tuple(views)

    @property
    def standing(self) -> tuple[AdviceView, ...]:
        """What stands, whether it may leave or not."""
        return tuple(self._standing[key] for key in sorted(self._standing))

    # ------------------------------------------------------------------ acts
    def _wanted(self) -> dict[tuple[str, str], str]:
        """Give acts (name, target) that there is a reason for, with it."""
        wanted = {("agv_pause", t): a.reason for (kind, t), a in self._standing.items() if kind == "agv_slow"}
        wanted |= {("agv_detour", t): a.reason for (kind, t), a in self._standing.items() if kind == "agv_detour"}
        risks = sorted(t for kind, t in self._standing if kind == "risk")
        if risks:
            wanted["radio_policy", "network"] = f"at risk: {', '.join(risks[:5])}"
        # A paused AGV stands, so that slowing it down is no advice any more; its warning is reason enough to go on.
        wanted |= {
            ("agv_pause", t): "its link is still at risk"
            for a, t in self._open
            if a == "agv_pause" and ("risk", t) in self._standing
        }
        return {key: why for key, why in wanted.items() if key[0] in self._may or key in self._accepted}

    def accept(self, now: int, kind: str, target: str, user: str) -> str:
        """Do what is advised, because a person says so.

        Parameters
        ----------
        now : instant [us]. kind, target : of the advice. user : who says so, for the audit log.

        Returns
        -------
        str
            Why it was not done, "" where it was.
        """
        standing = self._standing.get((kind, target)) if self._config.mode != "observe" else None
        if standing is None:
            stands = ", ".join(f"{a.kind} {a.target}" for a in self.published()) or "nothing"
            return f"{kind} of {target} is not advised, or was withdrawn; advised now: {stands}"
        name = ACT_OF.get(kind, "")
        if name not in self._every:
            return f"the twin cannot carry out {kind}; hand {standing.value or 'it'} to the system that can"
        key = name, "network" if name == "radio_policy" else target
        if key in self._open:
            return f"{kind} of {target} is being carried out already"
        if self._audit is None and self._folder is not None:
            self._audit = AuditLog(self._folder)
        error = self._begin(now, key, standing.reason, user)
        if not error:
            self._accepted.add(key)
        return error

    def give_up(self, now: int, kind: str, target: str, user: str) -> str:
        """End what was accepted before its reason ends; as :meth:`accept`."""
        name = ACT_OF.get(kind, "")
        key = name, "network" if name == "radio_policy" else target
        if key not in self._accepted:
            return f"{kind} of {target} is not being carried out because somebody accepted it"
        self._end(now, *key, "it was undone", user)
        return "" if key not in self._open else f"{kind} of {target} could not be ended; it is tried again"

    def _act(self, now: int) -> None:
        rules, wanted = self._config.advice, self._wanted()
        for key, begun in list(self._open.items()):
            too_long = now - begun >= rules.longest_act_s * 1e6 and key[0] != "radio_policy"
            if key not in wanted or too_long:
                self._end(now, *key, "it lasted long enough" if key in wanted else "its reason has ended")
        for (name, target), why in wanted.items():
            if (name, target) in self._open or now < self._rests_until.get((name, target), 0):
                continue
            while self._begun_us and now - self._begun_us[0] >= _MINUTE_US:
                self._begun_us.popleft()
            if len(self._begun_us) >= rules.acts_per_min:
                self.counts["held_back"] += 1
                continue
            self._begun_us.append(now)  # an attempt that fails counts too, so that nothing is tried without end
            self._begin(now, (name, target), why)

    def _begin(self, now: int, key: tuple[str, str], why: str, user: str = _SELF) -> str:
        name, target = key
        # Kept before it is done: what a killed twin may have done is taken back in any case.
        self._open[key] = now
        self._keep()
        error = self._every[name].begin(target)
        self._note("begin", name, target, why, error, user)
        if error:
            del self._open[key]
            self._rests_until[key] = now + round(self._config.advice.rest_s * 1e6)
            self._keep()
        return error

    def _end(self, now: int, name: str, target: str, why: str, user: str = _SELF) -> None:
        error = self._every[name].end(target)
        self._note("end", name, target, why, error, user)
        if not error:  # else it is tried again at the next look
            del self._open[name, target]
            self._accepted.discard((name, target))
            self._rests_until[name, target] = now + round(self._config.advice.rest_s * 1e6)
            self._keep()

    def _note(self, what: str, name: str, target: str, why: str, error: str, user: str = _SELF) -> None:
        self.counts["failed" if error else "begun" if what == "begin" else "ended"] += 1
        if self._audit is not None:
            self._audit.write(what, user, "act" if user == _SELF else "accepted", "", f"{name} {target}", [why], error or "done")

    def _keep(self) -> None:
        if self._file is not None:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(sorted(self._open)), encoding="utf-8")
            fresh.replace(self._file)

    def _end_what_was_left(self) -> None:
        """Take up what a twin before this one began; the first look ends it, for nothing stands yet."""
        if self._file is not None:
            self._open = {key: 0 for key in _open_acts(self._file) if key[0] in self._every}

    def stop(self, time_us: int) -> None:
        """End every act, as the twin stops; what fails then stays in the file of open acts."""
        self._standing.clear()
        for key in list(self._open):
            self._end(time_us, *key, "the twin stops")
        if self._audit is not None:
            self._audit.close()
