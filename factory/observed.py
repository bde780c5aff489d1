"""The twin's machines follow what the plant tells of them, by a mapping; called on the tick's thread.

Observations lie over the simulation, they do not steer it: an AGV that is followed is where it was seen, carried on by its speed
over the age of the observation; below, the simulated one goes on along its order, so that there is something to go back to. What
people, radio, physics and bridges see is the observed one. An asset whose values are stale goes back to simulation or stands, as
the mapping says.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bridges.mapping_file import BoundMapping
from bridges.mapping_values import UNCERTAIN, CameIn, MappedObservations, MappedValues
from robots.state import BREAKDOWN, DRIVING, NO_ORDER, AgvState, CobotState

__all__ = ["SIMULATED", "STANDS", "STATES", "Observed"]

_log = logging.getLogger(__name__)

STATES = ("simulated", "followed", "stands")
"""How an asset of a mapping is; index = code."""
SIMULATED, FOLLOWED, STANDS = range(3)
_MOVES_MPS = 0.02
_FASTEST_MPS = 5.0  # of a speed that is worked out from two places; a jump is none
_LONGEST_STEP_S = 2.0
_JOINTS = tuple(f"joint_{k}" for k in range(1, 8))

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class _Asset:
    """One asset of the mapping: its rows, how it is, and what came of it so far."""

    name: str
    kind: str  # agv, cobot, or machine: whether it runs is all that is known
    index: int
    rows: dict[str, int]
    when_stale: str
    pose_rows: tuple[int, ...] = ()
    state: int = SIMULATED
    running: bool = True
    uncertain: bool = False
    seen: bool = False
    last: tuple[float, float, float] | None = None  # measured [s], x [m], y [m]
    at: tuple[float, float] = (0.0, 0.0)
    velocity: tuple[float, float] = (0.0, 0.0)
    heading_rad: float = 0.0
    age_s: float = math.inf
    offset_m: float = math.nan
    spent_us: list[int] | None = None
    changes: int = 0


class Observed:
    """Overlays observations on a fleet and its cobots.

    Parameters
    ----------
    bound : the mapping. values : where its values come in.
    agvs, cobots : their names, in the order of the twin's arrays. antenna_at_m : an AGV's antenna ahead, left and up [m].
    clock : seconds since 1970 [s].

    Attributes
    ----------
    now : what was taken in the last tick; None before the first.
    take : gives the clock [s] and what came since the last call; who records puts something of their own before it.
    """

    def __init__(
        self,
        bound: BoundMapping,
        values: MappedValues,
        agvs: Sequence[str],
        cobots: Sequence[str],
        antenna_at_m: tuple[float, float, float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bound, self._values, self._antenna_at_m = bound, values, antenna_at_m
        self.take: Callable[[], tuple[float, CameIn]] = lambda: (clock(), values.drain())
        self.now: MappedObservations | None = None
        places = {name: ("agv", i) for i, name in enumerate(agvs)} | {name: ("cobot", j) for j, name in enumerate(cobots)}
        self._assets: dict[str, _Asset] = {}
        for entry in bound.entries:
            if entry.entry.write_back is not None:
                continue
            name = entry.variable.asset
            kind, index = places.get(name, ("machine", -1))
            asset = self._assets.setdefault(name, _Asset(name, kind, index, {}, bound.mapping.when_stale_of(name)))
            asset.rows[entry.variable.quantity] = entry.row
        for asset in self._assets.values():
            wanted = ("x", "y") if asset.kind == "agv" else _JOINTS if asset.kind == "cobot" else ("running",)
            asset.pose_rows = tuple(asset.rows[w] for w in wanted if w in asset.rows)
            if asset.kind == "agv" and len(asset.pose_rows) < 2:
                asset.pose_rows = ()
            asset.spent_us = [0, 0, 0]
        self._joints = [a for a in self._assets.values() if a.kind == "cobot" and a.pose_rows]
        self._places = [a for a in self._assets.values() if a.kind == "agv" and a.pose_rows]

    def begin(self, dt_us: int, halt: Ints | None, broken: npt.NDArray[np.bool_], n_cobot: int) -> Ints | None:
        """Take what came, and let machines stand that do not run.

        Parameters
        ----------
        dt_us : length of the tick [us]. halt : (m,) mode codes of what stops cobots, -1 for nothing; None for none at all.
        broken : (n,) AGVs out of order, changed in place. n_cobot : m.

        Returns
        -------
        ``halt`` with the cobots that do not run.
        """
        self.now = now = self._values.known(*self.take())
        for asset in self._assets.values():
            self._judge(asset, now, dt_us)
            if asset.running or asset.kind == "machine":
                continue
            if asset.kind == "agv":
                broken[asset.index] = True
            else:
                halt = np.full(n_cobot, -1, np.int64) if halt is None else halt
                halt[asset.index] = BREAKDOWN
        return halt

    def _judge(self, asset: _Asset, now: MappedObservations, dt_us: int) -> None:
        """Find out whether an asset is followed, and keep its books."""
        rows = list(asset.pose_rows) or list(asset.rows.values())
        stale = bool(now.stale[rows].any())
        asset.age_s = float(now.age_s[rows].max())
        asset.uncertain = bool((now.quality[rows] >= UNCERTAIN).any()) or stale
        asset.seen |= not stale
        state = FOLLOWED if not stale else STANDS if asset.seen and asset.when_stale == "stand" else SIMULATED
        if state != asset.state:
            asset.changes += 1
            words = {
                FOLLOWED: "follows the plant",
                SIMULATED: f"goes back to simulation, its values are stale ({asset.age_s:.1f} s)",
                STANDS: f"stands where it was, its values are stale ({asset.age_s:.1f} s)",
            }
            _log.warning("%s %s", asset.name, words[state])
            asset.state = state
        assert asset.spent_us is not None
        asset.spent_us[state] += dt_us
        row = asset.rows.get("running")
        if row is None or (now.stale[row] and asset.when_stale == "simulate"):
            asset.running = True
        elif not now.stale[row]:
            asset.running = bool(now.value[row] >= 0.5)

    def follow(self, agvs: AgvState, cobots: CobotState) -> tuple[AgvState, CobotState]:
        """Return the machines as they were observed; the very structs where none is followed."""
        now = self.now
        if now is None:
            return agvs, cobots
        follows = [a for a in self._places if a.state != SIMULATED]
        for asset in follows:
            asset.at = self._seen_at(asset, now, float(agvs.heading_rad[asset.index]))
            x, y = agvs.position_m[asset.index].tolist()
            asset.offset_m = math.hypot(asset.at[0] - x, asset.at[1] - y)
        if follows:
            agvs = self._overlay(agvs, follows, now, 0.0)
        joints = [a for a in self._joints if a.state != SIMULATED]
        if joints:
            cobots = self._cobots(cobots, joints, now)
        return agvs, cobots

    def ahead(self, expected: AgvState, horizon_s: float) -> AgvState:
        """Return the fleet as it will be, followed AGVs at their present velocity.

        Parameters
        ----------
        expected : the simulated fleet then. horizon_s : how far ahead [s].
        """
        follows = [a for a in self._places if a.state != SIMULATED]
        return expected if not follows or self.now is None else self._overlay(expected, follows, self.now, horizon_s)

    def _overlay(self, agvs: AgvState, assets: list[_Asset], now: MappedObservations, horizon_s: float) -> AgvState:
        position, heading, speed = agvs.position_m.copy(), agvs.heading_rad.copy(), agvs.speed_mps.copy()
        velocity, mode, battery = agvs.velocity_mps.copy(), agvs.mode.copy(), agvs.battery.copy()
        antenna = agvs.antenna_m.copy()
        for asset in assets:
            i = asset.index
            position[i] = np.array(asset.at) + horizon_s * np.array(asset.velocity)
            heading[i], velocity[i], speed[i] = asset.heading_rad, asset.velocity, math.hypot(*asset.velocity)
            if not asset.running:
                mode[i] = BREAKDOWN
            elif speed[i] > _MOVES_MPS:
                mode[i] = DRIVING
            elif mode[i] == DRIVING:
                mode[i] = NO_ORDER
            row = asset.rows.get("battery")
            if row is not None and not now.stale[row]:
                battery[i] = now.value[row]
            antenna[i] = self._antenna(position[i, 0], position[i, 1], asset.heading_rad)
        return replace(
            agvs, position_m=position, heading_rad=heading, speed_mps=speed, velocity_mps=velocity, mode=mode, battery=battery,
            antenna_m=antenna,
        )  # fmt: skip

    def _antenna(self, x: float, y: float, heading_rad: float) -> tuple[float, float, float]:
        ahead, left, up = self._antenna_at_m
        c, s = math.cos(heading_rad), math.sin(heading_rad)
        return x + c * ahead - s * left, y + s * ahead + c * left, up

    def _seen_at(self, asset: _Asset, now: MappedObservations, simulated_rad: float) -> tuple[float, float]:
        """Place of an AGV now [m]: where it was measured, carried on by its speed over the age; who stands does not drift."""
        row_x, row_y = asset.pose_rows
        x, y = float(now.value[row_x]), float(now.value[row_y])
        if asset.state == STANDS:
            asset.velocity = (0.0, 0.0)
            return x, y
        measured_s = float(min(now.measured_s[row_x], now.measured_s[row_y]))
        turn, pace = asset.rows.get("heading"), asset.rows.get("speed")
        if turn is not None and not now.stale[turn]:
            asset.heading_rad = float(now.value[turn])
        elif asset.last is None:
            asset.heading_rad = simulated_rad
        if pace is not None and not now.stale[pace]:
            v = float(now.value[pace])
            asset.velocity = (v * math.cos(asset.heading_rad), v * math.sin(asset.heading_rad))
        elif asset.last is not None and measured_s > asset.last[0]:
            asset.velocity = _velocity(asset.last, (measured_s, x, y))
            if turn is None and math.hypot(*asset.velocity) > _MOVES_MPS:
                asset.heading_rad = math.atan2(asset.velocity[1], asset.velocity[0])
        if asset.last is None or measured_s > asset.last[0]:
            asset.last = (measured_s, x, y)
        age_s = min(max(asset.age_s, 0.0), _LONGEST_STEP_S)
        return x + asset.velocity[0] * age_s, y + asset.velocity[1] * age_s

    def _cobots(self, cobots: CobotState, assets: list[_Asset], now: MappedObservations) -> CobotState:
        target, mode = cobots.joint_target_rad.copy(), cobots.mode.copy()
        for asset in assets:
            for quantity in _JOINTS:  # a joint that is not mapped stays with the simulation
                row = asset.rows.get(quantity)
                if row is not None and not math.isnan(now.value[row]):
                    target[asset.index, int(quantity[-1]) - 1] = now.value[row]
            seen = target[asset.index].copy()
            asset.offset_m = float(np.abs(seen - cobots.joint_target_rad[asset.index]).max())  # rad for an arm
            if not asset.running:
                mode[asset.index] = BREAKDOWN
        return replace(cobots, joint_target_rad=target, mode=mode)

    def uncertain(self, asset: str) -> bool:
        """Whether the twin's own state of an asset rests on values that are uncertain or stale."""
        known = self._assets.get(asset)
        return known is not None and known.uncertain

    @property
    def any_uncertain(self) -> bool:
        """Whether that is so for any asset."""
        return any(asset.uncertain for asset in self._assets.values())

    def figures(self) -> dict[str, Any]:
        """Return for every asset how it is now, and the time that it was followed, simulated and stood, as JSON values.

        ``age_s`` is the age of information, ``offset`` how far the observed asset is from the simulated one: metres for an AGV,
        the largest joint in rad for a cobot; both null where there is none.
        """
        out: dict[str, Any] = {}
        for asset in self._assets.values():
            assert asset.spent_us is not None
            total_us = sum(asset.spent_us)
            out[asset.name] = {
                "kind": asset.kind,
                "state": STATES[asset.state],
                "running": asset.running,
                "uncertain": asset.uncertain,
                "age_s": round(asset.age_s, 3) if math.isfinite(asset.age_s) else None,
                "offset": round(asset.offset_m, 4) if asset.state != SIMULATED and math.isfinite(asset.offset_m) else None,
                "changes": asset.changes,
                "followed_share": asset.spent_us[FOLLOWED] / total_us if total_us else None,
                **{f"{name}_s": us / 1e6 for name, us in zip(STATES, asset.spent_us, strict=True)},
            }
        return out


def _velocity(before: tuple[float, float, float], after: tuple[float, float, float]) -> tuple[float, float]:
    step_s = after[0] - before[0]
    vx, vy = (after[1] - before[1]) / step_s, (after[2] - before[2]) / step_s
    return (vx, vy) if step_s <= _LONGEST_STEP_S and math.hypot(vx, vy) <= _FASTEST_MPS else (0.0, 0.0)
