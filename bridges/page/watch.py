"""What a shift leader must know of the views that go by: outages, and alarms that neither repeat nor flood.

An outage's entry tells the cause of the message that decided it, where the view has it; else what the view showed as it began:
the links that fell short of their need, and what stood in their way. The whole story takes the recording (``factory-twin
explain``).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bridges.view import TwinView

__all__ = ["Alarm", "Outage", "Watch"]

RISK_HIGH = 0.5
"""Risk of a link above which an alarm is raised; assumed, no standard names one."""
RISK_LONG_US = 500_000
"""A risk that stands shorter is no alarm: nobody could act on it. Assumed."""
RISK_CALM_US = 1_000_000
"""A risk that comes back within this time was never gone. Assumed."""
STOP_LONG_US = 5_000_000
"""An AGV that stands this long is worth a look; shorter stops are part of traffic. Assumed."""
AGAIN_US = 30_000_000
"""The same alarm within this time counts up instead of coming again. Assumed."""
STOPPED = frozenset({"communication", "person_near", "paused", "breakdown", "emergency_stop", "protective_stop"})
_KEPT = 500
_LINKS_NAMED = 3
_CAUSES = {
    "body": "a body in the path",
    "interference": "interference from other cells",
    "recovery": "beam recovery or handover under way",
    "no_resources": "no beam time or resource blocks left",
    "adaptation": "modulation chosen too high",
    "static_shadow": "shadow of the hall itself",
    "stale_beam": "beam lags behind the device",
    "decoding": "decoding error at a sufficient signal",
    "late": "arrived after its deadline",
    "trp_down": "TRP out of service",
}


@dataclass(slots=True)
class Outage:
    """A time in which a service was down on at least one device.

    Attributes
    ----------
    id : number since the start. service : its name. start_us, end_us : twin time [us], no end while it lasts.
    seen : why, in short: the cause where the view has it, else what it showed as the outage began.
    """

    id: int
    service: str
    start_us: int
    end_us: int | None
    seen: str

    def to_json_dict(self) -> dict[str, Any]:
        """Return the outage as JSON-safe values."""
        return {"id": self.id, "service": self.service, "start_us": self.start_us, "end_us": self.end_us, "seen": self.seen}


@dataclass(slots=True)
class Alarm:
    """Something that needs a look.

    Attributes
    ----------
    id : number since the start. kind : ``service_down``, ``risk_high``, ``agv_stopped``, ``radio_changed``.
    subject : what it is about.
    since_us, last_us : first and latest time [us]. count : how often it came. active : still so.
    text : for people. acknowledged_by : who has seen it, "" for nobody.
    """

    id: int
    kind: str
    subject: str
    since_us: int
    last_us: int
    text: str
    count: int = 1
    active: bool = True
    acknowledged_by: str = ""

    def to_json_dict(self) -> dict[str, Any]:
        """Return the alarm as JSON-safe values."""
        return {name: getattr(self, name) for name in _ALARM_FIELDS}


_ALARM_FIELDS = ("id", "kind", "subject", "since_us", "last_us", "text", "count", "active", "acknowledged_by")


@dataclass(slots=True)
class Watch:
    """Follows the views and keeps the last 500 outages and alarms.

    Attributes
    ----------
    version : grows whenever something changed that a viewer should hear of.
    """

    version: int = 0
    outages: deque[Outage] = field(default_factory=lambda: deque(maxlen=_KEPT))
    alarms: deque[Alarm] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _down: dict[str, Outage] = field(default_factory=dict)
    _latest: dict[tuple[str, str], Alarm] = field(default_factory=dict)
    _stopped_us: dict[str, int] = field(default_factory=dict)
    _risky_us: dict[str, tuple[int, int]] = field(default_factory=dict)  # first and latest time of a risk that stands
    _numbers: int = 0

    def add(self, view: TwinView) -> None:
        """Take a view, in order of time."""
        now = view.time_us
        active: dict[tuple[str, str], str] = {}
        for service in view.services:
            outage = self._down.get(service.name)
            if service.up:
                if outage is not None:
                    outage.end_us = now
                    del self._down[service.name]
                    self.version += 1
                continue
            if outage is None:
                since = now if service.down_since_us is None else service.down_since_us
                outage = Outage(self._number(), service.name, since, None, _cause(view, service.name) or _seen(view))
                self._down[service.name] = outage
                self.outages.append(outage)
                self.version += 1
            active["service_down", service.name] = f"{service.name} is down: {outage.seen}"
        for link in view.links:
            first, latest = self._risky_us.get(link.device, (now, now))
            if link.risk > RISK_HIGH:
                self._risky_us[link.device] = (first, now)
            elif now - latest > RISK_CALM_US:
                self._risky_us.pop(link.device, None)
                continue
            if latest - first >= RISK_LONG_US:
                active["risk_high", link.device] = f"{link.device} is likely to lose its link{_way(link.blocked_by)}"
        for machine in view.machines:
            if machine.kind != "agv" or machine.mode not in STOPPED:
                self._stopped_us.pop(machine.id, None)
            elif now - self._stopped_us.setdefault(machine.id, now) >= STOP_LONG_US:
                active["agv_stopped", machine.id] = f"{machine.id} stands still: {machine.mode.replace('_', ' ')}"
        if view.calibration is not None:
            for change in view.calibration.alarms:
                subject = change.box or change.trp or f"{change.x_m:.0f}, {change.y_m:.0f} m"
                active["radio_changed", subject] = change.words
        self._follow(active, now)

    def acknowledge(self, number: int, user: str) -> bool:
        """Note that a user has seen an alarm; False where there is none of this number."""
        alarm = next((a for a in self.alarms if a.id == number), None)
        if alarm is None:
            return False
        if not alarm.acknowledged_by:
            alarm.acknowledged_by = user
            self.version += 1
        return True

    def acknowledge_over(self, user: str) -> int:
        """Note that a user has seen every alarm that is over; returns how many nobody had seen."""
        unseen = [a for a in self.alarms if not a.active and not a.acknowledged_by]
        for alarm in unseen:
            alarm.acknowledged_by = user
        self.version += bool(unseen)
        return len(unseen)

    def to_json_dict(self) -> dict[str, Any]:
        """Return outages and alarms, newest first."""
        return {
            "outages": [o.to_json_dict() for o in reversed(self.outages)],
            "alarms": [a.to_json_dict() for a in reversed(self.alarms)],
        }

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _follow(self, active: dict[tuple[str, str], str], now: int) -> None:
        for key, alarm in self._latest.items():
            if alarm.active and key not in active:
                alarm.active, alarm.last_us = False, now
                self.version += 1
        for key, text in active.items():
            last = self._latest.get(key)
            if last is not None and last.active:
                continue
            if last is not None and now - last.last_us < AGAIN_US:
                last.active, last.text, last.last_us = True, text, now
                last.acknowledged_by = ""  # who has seen the last one has not seen this one
                last.count += 1
            else:
                alarm = Alarm(self._number(), key[0], key[1], now, now, text)
                self._latest[key] = alarm
                self.alarms.append(alarm)
            self.version += 1


def _way(blocked_by: str) -> str:
    return f"; {'a person' if blocked_by == 'person' else blocked_by} is in the way" if blocked_by else ""


def _cause(view: TwinView, service: str) -> str:
    """Words on the message that put a service down, "" where the view does not have it."""
    for last in view.service_outages:
        if last.service == service and last.since_us is not None and last.until_us is None:
            over = f" over {last.trp}" if last.trp else ""
            cause = _CAUSES.get(last.cause, last.cause.replace("_", " ") or "unknown cause")
            return f"{last.device} lost messages{over}: {cause}{_way(last.blocked_by)}"
    return ""


def _seen(view: TwinView) -> str:
    """Words on the links that fall short of their need, worst first."""
    # a link without any beam is worse than one with a negative margin
    short = [(k.margin_db if math.isfinite(k.margin_db) else -math.inf, k) for k in view.links]
    worst = sorted((pair for pair in short if pair[0] < 0), key=lambda pair: pair[0])
    if not worst:
        return "no link was short of margin in the view then"
    words = [
        f"{k.device} {'has no beam' if not math.isfinite(db) else f'{-db:.0f} dB short at {k.trp}'}{_way(k.blocked_by)}"
        for db, k in worst[:_LINKS_NAMED]
    ]
    more = len(worst) - _LINKS_NAMED
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")
