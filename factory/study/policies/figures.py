"""Figures of a policy over the seeds of a hall: sums of points in, figures with 95 % intervals out.

The independent unit is the seed, a whole run; never a message, a device or a block of time. Unavailability and failures are what
the loss probabilities of messages add up to through the survival-time rule (TS 22.104 C.3), the conditional expectation of
``radio.figures.tails``; the interval over seeds is its gamma interval of a weighted sum (Fay and Feuer 1997), which has an upper
end even where nothing was met: an episode of 0.2 s that no seed holds (assumed there).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from factory.errors import UserError
from factory.study.policies.point import POINT_FORMAT
from factory.study.policies.settings import POLICIES
from radio.figures.kpi_kernels import BINS_PER_E, LATENCY_BINS, LATENCY_LOW_US
from radio.figures.tails import EPISODE_S, share_interval
from radio.messages.reliability import SMALLEST_RATE, mtbf_figure

Json = dict[str, Any]
Floats = npt.NDArray[np.float64]

CONTROL, EVERYTHING = "all control", "all services"
"""Names under which control services, or all, are put together: device seconds down of device seconds."""
GROUPS = (CONTROL, EVERYTHING)
_REPLICATES = 400
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval; None where it is not told, ``reason`` says why."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""

    def as_json(self) -> Json:
        """Return it as plain JSON data."""
        return {"value": self.value, "low": self.low, "high": self.high} | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True, slots=True)
class Pool:
    """Points of one variant over its seeds.

    Attributes
    ----------
    points : one ``kpi.json`` of ``factory.study.policies.point`` per seed.
    """

    points: tuple[Json, ...]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Pool:
        """Read points.

        Raises
        ------
        UserError
            Where a file is no point of this study.
        """
        points = []
        for file in files:
            try:
                point = json.loads(file.read_text(encoding="utf-8"))
                found = point.get("format")
            except (OSError, ValueError, AttributeError) as error:
                raise UserError(
                    f"{file}: not readable as a point of the study ({error}); remove its folder and run again"
                ) from None
            if found != POINT_FORMAT:
                raise UserError(f"{file}: format {found!r}, wanted {POINT_FORMAT}; remove its folder and run again")
            points.append(point)
        if not points:
            raise UserError("no point of the study is there; run the same command again")
        return cls(tuple(points))

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies, the usual order first."""
        names = self.points[0]["policies"]
        return tuple([p for p in POLICIES if p in names] + [p for p in names if p not in POLICIES])

    @property
    def services(self) -> list[Json]:
        """What the points say of every service that has devices."""
        return [s for s in self.points[0]["services"] if s["interval_s"] > 0.0]

    @property
    def simulated_s(self) -> Floats:
        """(S,) simulated time of every seed [s]."""
        return np.array([p["simulated_s"] for p in self.points])

    def _of(self, policy: str, service: str) -> list[Json]:
        out = []
        for point in self.points:
            index = [s["name"] for s in point["services"]].index(service)
            out.append(point["policies"][policy]["services"][index])
        return out

    def _names(self, service: str) -> list[Json]:
        if service == EVERYTHING:
            return self.services
        if service == CONTROL:
            return [s for s in self.services if not s["video"]]
        return [s for s in self.services if s["name"] == service]

    def sums(self, policy: str, service: str, what: str) -> Floats:
        """(S,) a sum of ``point.SUMMED`` over the devices of a service, of control services all together; in messages."""
        out = np.zeros(len(self.points))
        for s in self._names(service):
            out += _above_floor(
                np.array([[float(np.sum(of[w])) for w in (what, "messages")] for of in self._of(policy, s["name"])])
            )
        return out

    def seconds(self, policy: str, service: str, what: str) -> Floats:
        """(S,) the same in device seconds: messages times their transfer interval."""
        out = np.zeros(len(self.points))
        for s in self._names(service):
            sums = np.array([[float(np.sum(of[w])) for w in (what, "messages")] for of in self._of(policy, s["name"])])
            out += s["interval_s"] * _above_floor(sums)
        return out

    def risk(self, policy: str, service: str) -> Floats:
        """(S,) unavailability of every seed; below 1e-12 it counts as 0, as in ``factory-twin compare``."""
        risk = self.seconds(policy, service, "down") / np.maximum(self.seconds(policy, service, "messages"), 1e-300)
        return np.where(risk < SMALLEST_RATE, 0.0, risk)

    def devices(self, policy: str, service: str) -> tuple[Floats, Floats]:
        """(S, N) unavailability and failures per second of every device of a service in every seed."""
        (about,) = self._names(service)
        of = self._of(policy, service)
        messages = np.maximum(np.array([o["messages"] for o in of]), 1.0)
        down, entries = (np.array([o[what] for o in of]) for what in ("down", "entries"))
        return down / messages, entries / messages / about["interval_s"]

    def unavailability(self, policy: str, service: str) -> Figure:
        """Share of device seconds in which a service is down, by the messages' loss probabilities."""
        weight, all_s = self.seconds(policy, service, "down"), self.seconds(policy, service, "messages")
        if not all_s.sum() > 0.0:
            return Figure(None, None, None, "no message was finished")
        finest_s = min(s["interval_s"] for s in self._names(service))
        value, low, high = share_interval(weight, all_s, max(EPISODE_S, finest_s))
        return Figure(value if value >= SMALLEST_RATE else 0.0, low, high)

    def mtbf_s(self, policy: str, service: str) -> Figure:
        """Mean time between failures of a device [s]; told where as many failures are expected as ``mtbf_figure`` asks for."""
        entries, messages = self.sums(policy, service, "entries"), self.sums(policy, service, "messages")
        if not messages.sum() > 0.0:
            return Figure(None, None, None, "no message was finished")
        interval_s = float(self.seconds(policy, service, "messages").sum() / messages.sum())
        value, low, high = share_interval(entries, messages)
        found = mtbf_figure(interval_s, float(messages.sum()), value, low, high)
        reason = "" if found["value"] is not None else "fewer than 0.1 failures are expected in the observed time"
        return Figure(found["value"], found["low"], found["high"], reason)

    def latency_ms(self, policy: str, service: str, share: float = 0.999) -> Figure:
        """Latency that a share of the messages that arrived did not exceed [ms], by resampling seeds."""
        counts = np.zeros((len(self.points), LATENCY_BINS))
        for s in self._names(service):
            for k, of in enumerate(self._of(policy, s["name"])):
                bins, found = of["latency"]
                counts[k, bins] += found
        if not counts.any():
            return Figure(None, None, None, "no message arrived")
        drawn = _resampled(len(self.points)) @ counts
        low, high = np.quantile(_quantile_ms(drawn[drawn.any(axis=1)], share), _TAILS)
        value = float(_quantile_ms(counts.sum(axis=0)[None], share)[0])
        return Figure(value, float(min(low, value)), float(max(high, value)))

    def symbols(self, policy: str, service: str, what: str = "symbols") -> Floats:
        """(S,) symbols of a service, or of all control; ``needed_symbols`` and ``redundant`` (spent beyond these) as well."""
        out = np.zeros(len(self.points))
        for s in self._names(service):
            of = self._of(policy, s["name"])
            spent, needed = (np.array([o[name] for o in of], dtype=np.float64) for name in ("symbols", "needed_symbols"))
            out += spent - needed if what == "redundant" else needed if what == "needed_symbols" else spent
        return out

    def whole(self, policy: str, what: str) -> Floats:
        """(S,) a figure of a policy as a whole: ``beam_switches``, ``trp_switches``, ``energy``, ``second_leg_share``."""
        return np.array([float(p["policies"][policy][what]) for p in self.points])

    def of_run(self, what: str) -> Floats:
        """(S,) a figure of the run under its acting policy: ``stops``, ``radio_min``, ``orders``, ``parts``."""
        return np.array([float(p[what]) for p in self.points])

    def stops(self, policy: str) -> tuple[Floats, Floats]:
        """(S,) protective stops and machine minutes that a policy's outages cause.

        Every expected outage of a stream that a machine waits for is a stop; it lasts as long as the outage and the restart.
        """
        stops, minutes = np.zeros(len(self.points)), np.zeros(len(self.points))
        for s in self.services:
            if s["restart_s"] is None:
                continue
            entries, down_s = self.sums(policy, s["name"], "entries"), self.seconds(policy, s["name"], "down")
            stops += entries / s["copies"]
            minutes += (down_s + entries * s["restart_s"]) / s["copies"] / 60.0
        return stops, minutes


def _above_floor(sums: Floats) -> Floats:
    """Return the first column of (S, 2) sums and messages; 0 where it is below 1e-12 of a message, of which nothing is known."""
    return np.where(sums[:, 0] < SMALLEST_RATE * sums[:, 1], 0.0, sums[:, 0])


def mean_figure(values: npt.ArrayLike) -> Figure:
    """Mean over seeds with Student's t; not below 0 where no value is."""
    held = np.asarray(values, dtype=np.float64)
    value, n = float(held.mean()), len(held)
    if n < 3:
        return Figure(value, None, None, f"too few seeds: {n}, at least 3 are needed")
    reach = float(stats.t.ppf(_TAILS[1], n - 1)) * float(held.std(ddof=1)) / math.sqrt(n)
    low = value - reach
    return Figure(value, max(low, 0.0) if held.min() >= 0.0 else low, value + reach)


def _resampled(n: int) -> Floats:
    """Weights of seeds drawn with replacement, (replicates, n); the same for every figure."""
    rng = np.random.default_rng([22104, n])
    return rng.multinomial(n, np.full(n, 1.0 / n), size=_REPLICATES).astype(np.float64)


def _quantile_ms(counts: Floats, share: float) -> Floats:
    cumulative = np.cumsum(counts, axis=1)
    wanted = share * cumulative[:, -1:]
    index = (cumulative < wanted).sum(axis=1)
    rows = np.arange(len(counts))
    inside = counts[rows, index]
    fraction = (wanted[:, 0] - (cumulative[rows, index] - inside)) / np.maximum(inside, 1e-300)
    return np.asarray(LATENCY_LOW_US * np.exp((index + fraction) / BINS_PER_E) / 1e3, dtype=np.float64)
