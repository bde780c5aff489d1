"""Blockage of radio links over recorded scenes: drawn futures of whole bodies through the radio's own kernel, and what came true.

Round each recorded scene stands an empty hall. A TRP hangs in the middle of each wall, devices at 1.2 m stand over the
floor, 28 GHz, the direct path alone: a link is blocked while bodies cost it ``BLOCKED_DB`` or more. The same kernel says what
the bodies of the recorded people cost at that time. Recordings are places only: bodies face the way they went, walk with the gait
of their speed, and the drawn ones do not know at which step the recorded ones are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.blockage_forecast import forecast_blockage
from factory.snapshot import Scene, person_blockers
from factory.validate.forecast_data import Track
from factory.validate.forecast_score import HISTORY_S, brier_skill, calibration_error, frames_of
from humans.body import JOINTS, PARTS, capsule_radius_m, draw_statures, pose_one
from humans.forecast import forecast_spread_m
from humans.forecast_bodies import bodies_of_samples
from humans.forecast_kernels import STANDING_MPS
from humans.forecast_numbers import KNOTS_S, Numbers
from humans.forecast_online import Forecaster
from humans.forecast_types import ForecastConfig, PeopleSamples
from humans.gait import REFERENCE_STEP, WALK_RATIO, gait_joints, step_length_m
from humans.types import STAND, WALK, PeopleState
from radio.config import PathConfig, RadioConfig, RemainderConfig, TrpConfig, UeConfig
from radio.links import Channel
from radio.propagation.geometry import Hall
from radio.types import Ues

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

HORIZONS_S = (0.2, 0.4, 0.8, 1.2, 2.0)
BLOCKED_DB = 6.0
DEVICES = 15
DEVICE_HEIGHT_M, HALL_HEIGHT_M = 1.2, 5.0
TRP_HEIGHTS_M = (3.0, 1.2)
"""As under a low ceiling, and from machine to machine [m]."""
STATURE_M = (1.535, 1.86)
"""5th percentile of women, 95th of men (DIN 33402-2)."""
_AROUND_M = 2.0
_WALKING_MPS = 2.0 * STANDING_MPS  # as humans.forecast_bodies
_MAX_SCALE = 1.35
_OPEN_DB = 1.0
_BINS = 10
_LEVELS = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Walkers:
    """Recorded people with what their bodies need; T frames, n slots.

    Attributes
    ----------
    times_s : (T,) frames [s].
    place_m : (T, n, 2) places, not finite where nobody is [m].
    heading_rad, speed_mps, phase : (T, n) which way they go, how fast, and gait cycles walked since they came, all from half a
        second about each frame: for what came true, never for what is forecast.
    end_s, start_s : (T, n) when the track that holds the slot ends and began [s].
    person : (T, n) whose track it is, -1 for nobody's.
    stature_m : (n,) drawn [m].
    """

    times_s: Floats
    place_m: Floats
    heading_rad: Floats
    speed_mps: Floats
    phase: Floats
    end_s: Floats
    start_s: Floats
    person: npt.NDArray[np.int64]
    stature_m: Floats


def walkers_of(tracks: list[Track], rng: np.random.Generator) -> Walkers:
    """Return the people of one run; ``rng`` draws statures and the step that each begins with."""
    times, place, slot_of = frames_of(tracks)
    shape = place.shape[:2]
    heading, speed, phase = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    end, start, person = np.full(shape, -np.inf), np.full(shape, np.inf), np.full(shape, -1)
    for track, s in zip(tracks, slot_of, strict=True):
        at = np.searchsorted(times, np.round(track.t_s, 3))
        t, xy = track.t_s, track.xy_m
        late, early = np.minimum(t + 0.25, t[-1]), np.maximum(t - 0.25, t[0])
        way = np.stack([np.interp(late, t, xy[:, c]) - np.interp(early, t, xy[:, c]) for c in range(2)], axis=-1)
        velocity = way / np.maximum(late - early, 1e-6)[:, None]
        pace = np.hypot(*velocity.T)
        toward = np.arctan2(velocity[:, 1], velocity[:, 0])
        # Who stands faces the way of the last steps; before the first ones, of the first.
        moving = np.flatnonzero(pace >= _WALKING_MPS)
        held = moving[np.clip(np.searchsorted(moving, np.arange(len(t)), side="right") - 1, 0, None)] if len(moving) else 0
        heading[at, s] = np.unwrap(toward[held] if len(moving) else np.zeros(len(t)))
        speed[at, s] = pace
        cycles = pace[1:] * np.diff(t) / (2.0 * np.maximum(step_length_m(pace[1:]), 0.3))
        phase[at, s] = rng.random() + np.concatenate([[0.0], np.cumsum(cycles)])
        end[at, s], start[at, s], person[at, s] = t[-1], t[0], track.person
    stature = draw_statures(*STATURE_M, shape[1], rng)
    return Walkers(times, place, heading, speed, phase, end, start, person, stature)


@njit(cache=True)
def _pose(who, position, facing, speed, phase, stature, a, b) -> None:  # type: ignore[no-untyped-def]
    """Write capsule ends (n, parts, 3) of upright bodies, in mid-stride where they walk."""
    joints = np.zeros(JOINTS)
    for i in range(position.shape[0]):
        joints[:] = 0.0
        if who[i]:
            if speed[i] >= _WALKING_MPS:
                scale = min(np.sqrt(60.0 * WALK_RATIO * speed[i]) / stature[i] / REFERENCE_STEP, _MAX_SCALE)
                gait_joints(phase[i] % 1.0, scale, stature[i], 1.0, joints)
            pose_one(position[i, 0], position[i, 1], facing[i], stature[i], joints, a[i], b[i])


def people_state(
    time_us: int, who: Bools, place_m: Floats, heading: Floats, speed: Floats, phase: Floats, stature: Floats
) -> PeopleState:
    """Return bodies of ``who`` (n,) at places (n, 2) [m], facing (n,) [rad], walking at (n,) speeds [m/s]."""
    n = len(who)
    position = np.where(who[:, None], place_m, 0.0)
    a, b = np.zeros((n, PARTS, 3)), np.zeros((n, PARTS, 3))
    _pose(who, position, heading, speed, phase, stature, a, b)
    velocity = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return PeopleState(
        time_us=time_us,
        present=who,
        position_m=position,
        velocity_mps=velocity,
        tracked_velocity_mps=velocity,
        heading_rad=heading,
        stature_m=stature,
        capsule_a=a,
        capsule_b=b,
        capsule_radius_m=capsule_radius_m(stature),
        activity=np.where(speed > STANDING_MPS, WALK, STAND).astype(np.int64),
        role=np.zeros(n, np.int64),
        pseudonym=("recorded",) * n,
        panel_holder=np.zeros(0, np.int64),
        panel_position_m=np.zeros((0, 3)),
        goal_m=position,
    )


def channel_round(place_m: Floats, trp_height_m: float, rng: np.random.Generator) -> tuple[Channel, Ues, Floats]:
    """Return the channel of an empty hall round a scene, devices over its floor, and the hall's origin (2,) [m]."""
    seen = place_m[np.isfinite(place_m[..., 0])]
    low, high = seen.min(axis=0) - _AROUND_M, seen.max(axis=0) + _AROUND_M
    length, width = (high - low).tolist()
    empty = np.zeros((0, 3))
    hall = Hall(np.array([length, width, HALL_HEIGHT_M]), empty, empty, np.zeros(0), ())
    edges = [(0.1, width / 2), (length - 0.1, width / 2), (length / 2, 0.1), (length / 2, width - 0.1)]
    config = RadioConfig(
        trps=tuple(
            TrpConfig.model_validate({"name": f"trp-{k}", "position_m": (x, y, trp_height_m), "panel": {"rows": 1, "columns": 1}})
            for k, (x, y) in enumerate(edges)
        ),
        ue=UeConfig(antenna="isotropic"),
        paths=PathConfig(max_order=0, tones=1),
        remainder=RemainderConfig(enabled=False),
    )
    inner = np.percentile(seen, [1, 99], axis=0) - low
    devices = np.column_stack([rng.uniform(inner[0], inner[1], (DEVICES, 2)), np.full(DEVICES, DEVICE_HEIGHT_M)])
    return Channel(config, hall), Ues(devices, np.zeros(DEVICES), np.full(DEVICES, -1, np.int64)), low


@dataclass(frozen=True, slots=True)
class LinkReplay:
    """What was scored; k links of single forecasts, H horizons.

    Attributes
    ----------
    probability, blocked : (k, H) forecast probability of ``BLOCKED_DB`` or more, and whether it came true.
    rank : (k, H) share of the drawn losses below the true one, ties and the share between two futures broken at random: even
        over 0 to 1 if the forecast distribution of the loss is right.
    open : (k, H) whether the forecast left it open: the middle 98 % of the drawn losses are at least 1 dB apart.
    block : (k,) which ten seconds the forecast falls in.
    """

    probability: Floats
    blocked: Floats
    rank: Floats
    open: Floats
    block: Floats


def replay_links(
    tracks: list[Track],
    numbers: Numbers,
    *,
    seed: int,
    every_s: float,
    futures: int,
    trp_height_m: float = TRP_HEIGHTS_M[0],
    constant_velocity: bool = False,
    scored: frozenset[int] | None = None,
    config: ForecastConfig | None = None,
) -> LinkReplay:
    """Watch one run from nothing and score the loss of every link, every ``every_s`` seconds.

    Parameters
    ----------
    tracks : of one run. numbers : fitted without the scored persons.
    seed : of links, bodies and draws. every_s : time between forecasts that are scored [s]. futures : drawn for each.
    trp_height_m : where the TRPs hang [m].
    constant_velocity : draw futures about constant velocity with its spread per speed bin, to be measured against.
    scored : persons who have bodies, all when absent: everybody in view with two seconds of recording ahead.
    config : of the forecaster.
    """
    link_rng, body_rng, draw, tie = (np.random.default_rng([seed, k]) for k in range(4))
    walkers = walkers_of(tracks, body_rng)
    channel, ues, origin = channel_round(walkers.place_m, trp_height_m, link_rng)
    times, place = walkers.times_s, walkers.place_m - origin
    n = place.shape[1]
    one = Forecaster(n, config or ForecastConfig(), None, draw, numbers)
    horizon_us = np.round(np.array(HORIZONS_S) * 1e6).astype(np.int64)
    out: dict[str, list[Floats]] = {name: [] for name in LinkReplay.__slots__}
    last = -np.inf
    for f, now in enumerate(times):
        now_us = round(now * 1e6)
        one.observe(now_us, place[f], np.isfinite(place[f, :, 0]))
        ok = np.isfinite(place[f, :, 0]) & (now - walkers.start_s[f] >= HISTORY_S - 1e-6)
        ok &= walkers.end_s[f] - now >= KNOTS_S[-1] - 1e-6
        if scored is not None:
            ok &= np.isin(walkers.person[f], list(scored))
        if now - last < every_s - 1e-6 or not ok.any():
            continue
        last = now
        # The present body is known from the past alone.
        before = _between(times, place, now - 0.4)
        way = np.where(np.isfinite(before), (place[f] - before) / 0.4, 0.0)
        state = people_state(
            now_us, ok, place[f], np.arctan2(way[:, 1], way[:, 0]), np.hypot(*way.T), np.zeros(n), walkers.stature_m
        )
        samples = _straight(state, futures, draw) if constant_velocity else one.samples(state, horizon_us, futures)
        ahead = [
            [
                Scene(now_us + int(us), person_blockers(bodies_of_samples(state, samples, s, h)), ues)
                for h, us in enumerate(horizon_us)
            ]
            for s in range(futures)
        ]
        said = forecast_blockage(channel, now_us, ahead)
        true = [[_truth(walkers, place, ok, now + h, ues) for h in HORIZONS_S]]
        met = forecast_blockage(channel, now_us, true).loss_db[0].reshape(len(HORIZONS_S), -1).T
        drawn = said.loss_db.reshape(futures, len(HORIZONS_S), -1).transpose(2, 1, 0)
        below, same = (drawn < met[..., None] - 1e-9).sum(axis=2), (np.abs(drawn - met[..., None]) <= 1e-9).sum(axis=2)
        low, high = np.quantile(drawn, [0.01, 0.99], axis=2)
        out["probability"].append(said.probability(BLOCKED_DB).reshape(len(HORIZONS_S), -1).T)
        out["blocked"].append((met >= BLOCKED_DB).astype(np.float64))
        out["rank"].append((below + tie.random(met.shape) * (same + 1)) / (futures + 1))
        out["open"].append((high - low >= _OPEN_DB).astype(np.float64))
        out["block"].append(np.full(len(met), now // 10.0))
    if not out["block"]:
        none = np.zeros((0, len(HORIZONS_S)))
        return LinkReplay(none, none, none, none, np.zeros(0))
    return LinkReplay(*(np.concatenate(v) for v in out.values()))


def _straight(state: PeopleState, futures: int, rng: np.random.Generator) -> PeopleSamples:
    """Draw futures about constant velocity, off by the same share of its spread at every horizon."""
    ahead = np.array(HORIZONS_S)
    n = len(state.present)
    speed = np.hypot(*state.velocity_mps.T)
    velocity = np.where((speed >= STANDING_MPS)[:, None], state.velocity_mps, 0.0)
    spread = np.stack([forecast_spread_m(state, float(h)) for h in ahead], axis=1)
    off = rng.standard_normal((futures, n, 1, 2)) * spread[..., None]
    position = state.position_m[:, None] + velocity[:, None] * ahead[:, None] + off
    shape = position.shape[:3]
    facing, pace = (np.broadcast_to(v[:, None], shape) for v in (state.heading_rad, speed))
    return PeopleSamples(
        state.time_us, np.round(ahead * 1e6).astype(np.int64), state.present, position, facing, pace, rng.random(shape)
    )


def _between(times: Floats, values: Floats, at: float) -> Floats:
    """Read (T, ...) values at an instant, straight between frames, not a number outside the recording."""
    j = int(np.searchsorted(times, at - 1e-6))
    if j >= len(times) or (j == 0 and at < times[0] - 1e-6):
        return np.full(values.shape[1:], np.nan)
    if abs(times[j] - at) < 1e-5 or j == 0:
        return np.asarray(values[j])
    share = (at - times[j - 1]) / (times[j] - times[j - 1])
    return np.asarray(values[j - 1] + share * (values[j] - values[j - 1]))


def _truth(walkers: Walkers, place: Floats, who: Bools, at: float, ues: Ues) -> Scene:
    """Return the recorded people's bodies at an instant."""
    t = walkers.times_s
    where = _between(t, place, at)
    heading, speed, phase = (_between(t, v, at) for v in (walkers.heading_rad, walkers.speed_mps, walkers.phase))
    there = who & np.isfinite(where[:, 0])
    at_us = round(at * 1e6)
    state = people_state(at_us, there, where, heading, speed, phase, walkers.stature_m)
    return Scene(at_us, person_blockers(state), ues)


def summary(replay: LinkReplay, rng: np.random.Generator) -> dict[str, Any]:
    """Return what is kept: skill, calibration error, base rate and coverage of loss, with 90 % intervals over blocks of 10 s."""
    blocks = np.unique(replay.block)
    members = [np.flatnonzero(replay.block == b) for b in blocks]
    values = _figures(replay, np.arange(len(replay.block)))
    drawn = [
        _figures(replay, np.concatenate([members[k] for k in rng.integers(0, len(blocks), len(blocks))])) for _ in range(300)
    ]
    kept: dict[str, Any] = {"links": len(replay.block), "blocks": len(blocks)}
    for name, value in values.items():
        kept[name] = np.round(value, 4).tolist()
        kept[f"{name}_interval"] = np.round(np.nanquantile([d[name] for d in drawn], [0.05, 0.95], axis=0).T, 4).tolist()
    return kept


def _figures(replay: LinkReplay, rows: npt.NDArray[np.int64]) -> dict[str, Floats]:
    p, b = replay.probability[rows], replay.blocked[rows]
    rank, left = replay.rank[rows], replay.open[rows] > 0.5
    with np.errstate(invalid="ignore", divide="ignore"):
        out = {"base_rate": b.mean(axis=0), "brier_skill": brier_skill(p, b), "calibration_error": calibration_error(p, b, _BINS)}
        out["open_share"] = left.mean(axis=0)
        for level in _LEVELS:
            out[f"cover{round(100 * level)}"] = (rank <= level).mean(axis=0)
            out[f"open_cover{round(100 * level)}"] = ((rank <= level) & left).sum(axis=0) / np.maximum(left.sum(axis=0), 1)
    return out
