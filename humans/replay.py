"""People from recorded tracks: a CSV with t, id, x, y becomes walking bodies in the hall."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

from humans.animation import Animation, VelocityTracker
from humans.body import capsule_radius_m, draw_statures
from humans.config import PeopleConfig
from humans.floor import box_distance_m
from humans.gestures import GestureRates
from humans.panels import hold_clear
from humans.pseudonyms import Pseudonyms
from humans.recording import ReplayError, Track, read_tracks
from humans.types import STAND, WALK, BoolArray, FloatArray, IntArray, Occupancy, PeopleState, WalkSpace

_RATE_HZ = 25.0
_SMOOTHING_S = 0.35  # about a step: removes the head's sway from markers worn on it
_SEARCH_STEP_M = 1.0
_TURN_S = 0.2


def _smooth(xy_m: FloatArray) -> FloatArray:
    """Average positions (k, 2) over about a step with a triangular window; ends keep their places."""
    half = round(_SMOOTHING_S * _RATE_HZ)
    if len(xy_m) < 2 * half + 1:
        return xy_m
    window = np.bartlett(2 * half + 3)[1:-1]
    out = xy_m.copy()
    for axis in range(2):
        out[half:-half, axis] = np.convolve(xy_m[:, axis], window / window.sum(), mode="valid")
    return out


class ReplayCrowd:
    """Recorded people, each in a slot while the recording shows them.

    Tracks are resampled to 25 Hz by monotone cubics, smoothed over a step, and turned and moved into the hall: to the offset
    and yaw of the configuration, else to where fewest of them meet boxes. Whoever stands in a box or outside the hall is not
    present meanwhile (``dropped_fraction``). Recorded people do not see the machines; the machines see them.

    Parameters
    ----------
    config, space, rng : as for simulated people; statures and pseudonyms are drawn.
    base_dir : folder that a relative path starts from, the working folder when absent.

    Raises
    ------
    ReplayError
        If the recording cannot be used.
    """

    role_names = ("recorded",)

    def __init__(self, config: PeopleConfig, space: WalkSpace, rng: np.random.Generator, base_dir: Path | None) -> None:
        if config.replay is None:
            raise ReplayError("replay: no file is named")
        path = Path(config.replay)
        if base_dir is not None and not path.is_absolute():
            path = base_dir / path
        tracks = read_tracks(path, config.replay_scale)
        self._length_s = max(float(t.time_s[-1]) for t in tracks)
        self._loop = config.replay_loop
        tracks = self._place(tracks, space, config)
        self._slots(tracks, space)
        n = int(self._xy.shape[1])
        self._space = space
        self._stature = draw_statures(config.stature_p5_m, config.stature_p95_m, n, rng)
        self._radius = capsule_radius_m(self._stature)
        seconds = self._there.sum(axis=0)
        # Panels go to those who are in the hall longest.
        self.holders = np.sort(np.argsort(-seconds, kind="stable")[: min(config.panels, n)]).astype(np.int64)
        self._animation = Animation.create(self._stature, rng.random(n), self.holders, sway=False)
        self._tracker = VelocityTracker(n)
        self._names = Pseudonyms(n, config.pseudonym_rotation_s, rng)
        self._heading: FloatArray = np.zeros(n)
        self._since_us: IntArray = np.zeros(n, dtype=np.int64)
        self._owner: IntArray = np.full(n, -1, dtype=np.int64)
        self._velocity: FloatArray = np.zeros((n, 2))
        self._time_us, self._at_s = 0, 0.0
        self._look(0)

    @property
    def n(self) -> int:
        """Number of slots: the most people that are in the recording at once."""
        return int(self._xy.shape[1])

    # ------------------------------------------------------------------ preparation
    def _place(self, tracks: list[Track], space: WalkSpace, config: PeopleConfig) -> list[Track]:
        points = np.concatenate([t.xy_m for t in tracks])
        yaws = [config.replay_yaw_deg] if config.replay_yaw_deg is not None else [0.0, 90.0]
        best: tuple[float, FloatArray, FloatArray] | None = None
        for yaw_deg in yaws:
            c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
            turn = np.array([[c, s], [-s, c]])
            turned = points @ turn
            if config.replay_offset_m is not None:
                offsets = [np.array(config.replay_offset_m, dtype=np.float64)]
            else:
                low, high = turned.min(axis=0), turned.max(axis=0)
                room = space.size_m - (high - low)
                grid = [np.arange(0.5, r - 0.5 + 1e-9, _SEARCH_STEP_M) if r > 1.0 else np.array([r / 2]) for r in room]
                offsets = [np.array([x, y]) - low for x in grid[0] for y in grid[1]]
                # The middle of the hall wins a tie.
                offsets.sort(key=lambda o: float(np.hypot(*(o + (low + high) / 2 - space.size_m / 2))))
            sample = turned[:: max(1, len(turned) // 400)]
            for offset in offsets:
                cost = float(1.0 - _free(space, sample + offset).mean())
                if best is None or cost < best[0] - 1e-12:
                    best = (cost, turn, offset)
        assert best is not None  # there is at least one yaw and one offset
        _, turn, offset = best
        self.offset_m: FloatArray = offset
        self.yaw_rad = math.atan2(turn[0, 1], turn[0, 0])
        return [Track(t.time_s, t.xy_m @ turn + offset) for t in tracks]

    def _slots(self, tracks: list[Track], space: WalkSpace) -> None:
        """Resample every track and give it a slot that is free while it lasts."""
        frames = math.ceil(self._length_s * _RATE_HZ) + 1
        until: list[int] = []
        placed = []
        for track in tracks:
            first, last = math.ceil(track.time_s[0] * _RATE_HZ - 1e-9), math.floor(track.time_s[-1] * _RATE_HZ + 1e-9)
            if last <= first:
                continue
            slot = next((k for k, busy in enumerate(until) if busy < first), len(until))
            if slot == len(until):
                until.append(0)
            until[slot] = last
            grid = np.arange(first, last + 1) / _RATE_HZ
            curve = PchipInterpolator(track.time_s, track.xy_m, axis=0)
            placed.append((slot, first, last, _smooth(np.asarray(curve(np.clip(grid, track.time_s[0], track.time_s[-1]))))))
        self._xy: FloatArray = np.zeros((frames, len(until), 2))
        self._there = np.zeros((frames, len(until)), np.bool_)
        self._track: IntArray = np.full((frames, len(until)), -1, dtype=np.int64)
        seen = free = 0
        for number, (slot, first, last, xy) in enumerate(placed):
            part = slice(first, last + 1)
            inside = _free(space, xy)
            seen, free = seen + len(xy), free + int(inside.sum())
            self._xy[part, slot] = xy
            self._there[part, slot] = inside
            self._track[part, slot] = number
        self.dropped_fraction = 1.0 - free / max(seen, 1)

    # ------------------------------------------------------------------ time
    def _look(self, time_us: int) -> None:
        at = time_us * 1e-6
        if self._loop:
            at %= self._length_s
        frame = at * _RATE_HZ
        k = min(int(frame), len(self._xy) - 1)
        j = min(k + 1, len(self._xy) - 1)
        f = frame - k
        same = self._track[k] == self._track[j]
        f_slot = np.where(same, f, 0.0)[:, None]
        ended = at > self._length_s
        self._present = self._there[k] & (self._there[j] | ~same) & (not ended)
        # When the recording begins again, everybody is somebody new.
        new = (self._track[k] != self._owner) | (at < self._at_s)
        self._at_s = at
        position = self._xy[k] * (1.0 - f_slot) + self._xy[j] * f_slot
        self._position = np.where((self._track[k] >= 0)[:, None], position, getattr(self, "_position", position))
        self._velocity = np.where(same[:, None], (self._xy[j] - self._xy[k]) * _RATE_HZ, 0.0) * self._present[:, None]
        self._since_us[new] = time_us
        self._owner = self._track[k].copy()
        toward = np.arctan2(self._velocity[:, 1], self._velocity[:, 0])
        self._heading[new] = toward[new]

    def step(self, time_us: int, dt_us: int, occupancy: Occupancy) -> None:
        """Move everybody to where the recording has them at ``time_us``."""
        self._time_us = time_us
        self._look(time_us)
        speed = np.hypot(self._velocity[:, 0], self._velocity[:, 1])
        toward = np.arctan2(self._velocity[:, 1], self._velocity[:, 0])
        delta = (toward - self._heading + np.pi) % (2 * np.pi) - np.pi
        self._heading += np.where(speed > 0.15, delta * (1.0 - math.exp(-dt_us * 1e-6 / _TURN_S)), 0.0)
        self._animation.advance(dt_us, speed)
        self._tracker.observe(time_us, self._position, self._since_us)

    def gesture_rates(self) -> GestureRates:
        """Return no rates: a recording does not tell what people do at their places."""
        return GestureRates.nothing_known(self.n)

    def state(self) -> PeopleState:
        """Return everybody at the time of the last step, in fresh arrays."""
        a, b, panel = self._animation.bodies(self._time_us, self._position, self._heading, self.holders)
        speed = np.hypot(self._velocity[:, 0], self._velocity[:, 1])
        return PeopleState(
            time_us=self._time_us,
            present=self._present.copy(),
            position_m=self._position.copy(),
            velocity_mps=self._velocity.copy(),
            tracked_velocity_mps=self._tracker.velocity_mps * self._present[:, None],
            heading_rad=self._heading.copy(),
            stature_m=self._stature,
            capsule_a=a,
            capsule_b=b,
            capsule_radius_m=self._radius,
            activity=np.where(speed > 0.15, WALK, STAND).astype(np.int64),
            role=np.zeros(self.n, dtype=np.int64),
            pseudonym=self._names.at(self._time_us),
            panel_holder=self.holders,
            panel_position_m=hold_clear(panel, self._position, self.holders, self._space),
            goal_m=self._position.copy(),
        )


def _free(space: WalkSpace, xy_m: FloatArray) -> BoolArray:
    """Tell which points (k, 2) lie in the hall and outside every box, (k,)."""
    inside = ((xy_m > 0.1) & (xy_m < space.size_m - 0.1)).all(axis=1)
    if len(space.box_name):
        inside &= box_distance_m(space, xy_m).min(axis=1) > 0.05
    return np.asarray(inside, dtype=np.bool_)
