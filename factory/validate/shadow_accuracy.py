"""How well a live twin knows people who wear tags: one simulated plant is real, a second twin sees its tags alone.

The real plant is a twin without radio. Its people wear tags of 10 cm (standard deviation along each axis), 5 Hz, 100 ms mean
delay, silent for 5 % of the time (``humans.tags``); what arrives goes through ``TrackedCrowd`` as in live mode. Beside it stands
the same crowd with perfect tags: 50 Hz, 1 mm, no delay. Both are asked for everybody's place now and half a second ahead, and for
the probability that people's bodies will cost a link 3 dB or more: the share of ten futures, drawn round the expected one by its
spread and by what no tag tells of a pose, with the machines where they really are. What the true bodies, gestures and all, cost
the link then says who was right. Links: every AGV and cobot to the four TRPs that serve it best in the hall without people.
Independent units are seeds; intervals are Student's t over them, and
jackknife over seeds for Brier skills, which are of all cases together.

    python -m factory.validate.shadow_accuracy --scenario small --seeds 8 --first 501 --seconds 70
    python -m factory.validate.shadow_accuracy --tune
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student_t

from factory.rooms import generator, walk_space
from factory.scenario import load_scenario
from factory.snapshot import Scene
from factory.twin import Twin
from humans.forecast import forecast_constant_velocity, forecast_spread_m
from humans.tags import TagStream, WatchConfig
from humans.tracked_crowd import TrackedCrowd
from humans.tracking import TrackingConfig
from humans.types import Occupancy, PeopleState
from radio.links import Channel

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TAGS = WatchConfig(tag_sigma_m=0.1, tag_rate_hz=5.0, tag_delay_ms=100.0, tag_gap_share=0.05)
AHEAD_US = 500_000
EVERY_US = 500_000
LINKS_EVERY_US = 1_000_000
BLOCKED_DB = 3.0
NEAREST = 4
TUNED_ON = (1,)
FUTURES = 10
POSE_SD_M = 0.1
"""How far parts of a body are from where an upright one has them, which no tag tells; assumed [m]."""
WALKING_MPS = 0.3
SETTLE_S = 10.0
RESULT = Path(__file__).with_name("shadow_accuracy.json")
ARMS = ("tags", "perfect")


@dataclass
class _Arm:
    """One second twin: its crowd, and the forecasts that wait to be judged."""

    crowd: TrackedCrowd
    ahead: list[PeopleState]
    point: Floats
    steady: Floats
    known: Bools


def run(
    seed: int, seconds: float, scenario: str, *, links: bool = True, tracking: TrackingConfig | None = None
) -> dict[str, Any]:
    """Return the errors and scores of one seed.

    Parameters
    ----------
    seed : of the plant. seconds : simulated time. scenario : name or file. links : whether blockage is judged.
    tracking : of the second twin; default: the shipped one.
    """
    loaded = load_scenario(scenario, ["radio.enabled=false", f"seed={seed}"])
    plant = Twin(loaded)
    config, n = loaded.scenario, len(plant.people.present)
    floor = walk_space(config.hall, config.robots.cobots)
    stream = TagStream(n, TAGS, generator(seed, "tags"))
    names = np.arange(n, dtype=np.int64)
    arms = {
        name: _Arm(TrackedCrowd(n, config.people, tracking or TrackingConfig(), floor, generator(seed, name)), [], *_nothing(n))
        for name in ARMS
    }
    rng = generator(seed, "futures")
    rows: dict[str, list[Floats]] = {f"{a} {w}": [] for a in ARMS for w in ("now", "ahead", "steady")}
    moving: dict[str, list[Bools]] = {f"{a} {w}": [] for a in ARMS for w in ("now", "ahead", "steady")}
    seen, there = dict.fromkeys(ARMS, 0), 0
    chance: dict[str, list[Floats]] = {f"{a} {w}": [] for a in ARMS for w in ("now", "ahead")}
    blocked: list[Bools] = []
    try:
        while plant.time_us < seconds * 1e6:
            tick = plant.tick()
            now, people = tick.time_us, tick.people
            if now % 20_000 == 0:
                _feed(arms["perfect"], names[people.present], now, people.position_m[people.present], 0.001)
                for report in stream.read(now, people.position_m, people.present):
                    at = report.heard
                    _feed(arms["tags"], names[at], report.time_us, report.position_m[at], TAGS.tag_sigma_m)
            for arm in arms.values():
                arm.crowd.step(now, plant.dt_us, Occupancy.empty())
            if now % EVERY_US or now < SETTLE_S * 1e6:
                continue
            walks = np.hypot(*people.velocity_mps.T) > WALKING_MPS
            there += int(people.present.sum())
            drawn: dict[str, list[PeopleState]] = {}
            for name, arm in arms.items():
                order = np.array([arm.crowd.tracker.slot_of(k) for k in range(n)])
                state, known = arm.crowd.state(), arm.crowd.estimate.known
                here = (order >= 0) & known[order] & people.present
                seen[name] += int(here.sum())
                _judge(rows, moving, f"{name} now", state.position_m[order], people, here, walks)
                if len(arm.ahead):
                    both = arm.known & people.present
                    _judge(rows, moving, f"{name} ahead", arm.point, people, both, walks)
                    _judge(rows, moving, f"{name} steady", arm.steady, people, both, walks)
                drawn[f"{name} now"] = _futures(arm, state, 0, rng)
                drawn[f"{name} ahead"] = arm.ahead
            if links and now % LINKS_EVERY_US == 0 and all(drawn.values()):
                needed, gain = _clear(plant, tick.scene, people)
                blocked.append(_loss(plant, tick.scene, people, needed, gain) >= BLOCKED_DB)
                for key, futures in drawn.items():
                    cut = np.array([_loss(plant, tick.scene, f, needed, gain) >= BLOCKED_DB for f in futures])
                    chance[key].append(cut.mean(axis=0))
            for arm in arms.values():
                order = np.array([arm.crowd.tracker.slot_of(k) for k in range(n)])
                state = arm.crowd.state()
                ahead = arm.crowd.tracker.estimate(now + AHEAD_US)
                arm.point = ahead.position_m[order]
                arm.steady = forecast_constant_velocity(state, AHEAD_US / 1e6).position_m[order]
                arm.known = (order >= 0) & arm.crowd.estimate.known[order]
                arm.ahead = _futures(arm, state, AHEAD_US, rng)
    finally:
        plant.close()
    tracker = arms["tags"].crowd.tracker
    out: dict[str, Any] = {
        "seed": seed,
        "people": n,
        "known_share": {name: seen[name] / max(there, 1) for name in ARMS},
        "innovation": 0.5 * tracker.squared_innovation,
        "counts": dict(tracker.counts),
        "error_m": {key: _quantiles(np.concatenate(rows[key]), np.concatenate(moving[key])) for key in rows},
    }
    if links:
        truth = np.concatenate(blocked).astype(np.float64)
        base = float(truth.mean())
        brier = {key: float(((np.concatenate(p) - truth) ** 2).mean()) for key, p in chance.items()}
        out |= {
            "blocked_share": base,
            "cases": len(truth),
            "brier": brier,
        }
    return out


def _nothing(n: int) -> tuple[Floats, Floats, Bools]:
    return np.zeros((n, 2)), np.zeros((n, 2)), np.zeros(n, np.bool_)


def _feed(arm: _Arm, key: npt.NDArray[np.int64], time_us: int, place_m: Floats, sigma_m: float) -> None:
    arm.crowd.tracker.take(key, np.full(len(key), time_us, np.int64), place_m, np.full(len(key), sigma_m))


def _judge(
    rows: dict[str, list[Floats]], moving: dict[str, list[Bools]], key: str, place_m: Floats, people: PeopleState, who: Bools,
    walks: Bools,
) -> None:  # fmt: skip
    rows[key].append(np.hypot(*(place_m - people.position_m)[who].T))
    moving[key].append(walks[who])


def _quantiles(error_m: Floats, walks: Bools) -> dict[str, Any]:
    parts = {"all": error_m, "walking": error_m[walks], "standing": error_m[~walks]}
    return {
        name: {"n": len(e), "median": float(np.median(e)), "p95": float(np.quantile(e, 0.95)), "rms": float((e**2).mean() ** 0.5)}
        if len(e) else {"n": 0}
        for name, e in parts.items()
    }  # fmt: skip


def _futures(arm: _Arm, state: PeopleState, ahead_us: int, rng: np.random.Generator) -> list[PeopleState]:
    """Draw futures of a second twin's people: constant velocity, and its spread beside what is not known of the present."""
    expected = forecast_constant_velocity(state, ahead_us / 1e6)
    known = np.hypot(POSE_SD_M, np.where(state.present, arm.crowd.estimate.sigma_m, 0.0))
    spread = np.hypot(forecast_spread_m(state, ahead_us / 1e6), known)
    out = []
    for _ in range(FUTURES):
        shift = np.zeros((len(spread), 3))
        shift[:, :2] = spread[:, None] * rng.standard_normal((len(spread), 2))
        out.append(replace(
            expected, position_m=expected.position_m + shift[:, :2], capsule_a=expected.capsule_a + shift[:, None],
            capsule_b=expected.capsule_b + shift[:, None],
        ))  # fmt: skip
    return out


def _with(plant: Twin, scene: Scene, people: PeopleState) -> Scene:
    """Return the scene of these people and the plant's machines; the devices are the plant's."""
    return replace(plant.scene(scene.time_us, people, plant.agvs), ues=scene.ues)


def _gain(channel: Channel, scene: Scene, needed: Bools) -> Floats:
    paths = channel.paths(scene.ues, needed.ravel(), remember=False)
    loss_db = channel.blockage(paths, scene.blockers, scene.ues, needed.ravel()).loss_db
    return np.asarray(channel.sweep(paths, scene.ues, loss_db, scene.time_us, needed.ravel()).gain)


def _clear(plant: Twin, scene: Scene, people: PeopleState) -> tuple[Bools, Floats]:
    """Return which links are judged, (U, T), and the gains (U, T, B, S) without people but with the machines."""
    channel, m = plant.channel, plant.n_machines
    needed = np.zeros((len(scene.ues.position_m), channel.n_trp), np.bool_)
    needed[:m] = True
    nobody = replace(people, present=np.zeros_like(people.present), load_holder=np.zeros(0, np.int64),
                     load_center_m=np.zeros((0, 3)), load_half_m=np.zeros((0, 3)))  # fmt: skip
    gain = _gain(channel, _with(plant, scene, nobody), needed)
    best = np.argsort(-gain[:m].max(axis=(2, 3)), axis=1)[:, :NEAREST]
    needed[:m] = False
    needed[np.arange(m)[:, None], best] = True
    return needed, gain


def _loss(plant: Twin, scene: Scene, people: PeopleState, needed: Bools, clear: Floats) -> Floats:
    """Return what people cost the best pair of every judged link, (links,) [dB]."""
    gain = _gain(plant.channel, _with(plant, scene, people), needed)[needed]
    before = clear[needed]
    pair = before.reshape(len(before), -1).argmax(axis=1)[:, None]
    a = np.take_along_axis(before.reshape(len(before), -1), pair, 1)[:, 0]
    b = np.take_along_axis(gain.reshape(len(before), -1), pair, 1)[:, 0]
    loss: Floats = 10.0 * np.log10(np.maximum(a, 1e-30) / np.maximum(b, 1e-30))
    return loss


def summary(points: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean and 95 % interval over seeds of every figure, and of the paired differences between the two twins' skills."""
    out: dict[str, Any] = {"seeds": len(points), "error_m": {}}
    for key in points[0]["error_m"]:
        out["error_m"][key] = {
            part: {q: _interval([p["error_m"][key][part][q] for p in points]) for q in ("median", "p95")}
            for part in ("all", "walking", "standing")
            if all(p["error_m"][key][part]["n"] for p in points)
        }
    out["known_share"] = {name: _interval([p["known_share"][name] for p in points]) for name in ARMS}
    out["innovation"] = _interval([p["innovation"] for p in points])
    if "brier" in points[0]:
        out["cases"] = sum(p["cases"] for p in points)
        out["blocked"] = round(sum(p["cases"] * p["blocked_share"] for p in points))
        keys = list(points[0]["brier"])
        out["skill"] = {key: _jackknife(points, lambda ps, k=key: _skill(ps, k)) for key in keys}  # type: ignore[misc]
        out["skill lost by tags"] = {
            when: _jackknife(points, lambda ps, w=when: _skill(ps, f"perfect {w}") - _skill(ps, f"tags {w}"))  # type: ignore[misc]
            for when in ("now", "ahead")
        }
    return out


def _skill(points: Sequence[dict[str, Any]], key: str) -> float:
    """Brier skill over all cases of some seeds against their common share of blocked links; NaN where none was blocked."""
    cases = np.array([p["cases"] for p in points], np.float64)
    base = float((cases * [p["blocked_share"] for p in points]).sum() / cases.sum())
    brier = float((cases * [p["brier"][key] for p in points]).sum() / cases.sum())
    return 1.0 - brier / (base * (1.0 - base)) if 0.0 < base < 1.0 else float("nan")


def _jackknife(points: Sequence[dict[str, Any]], figure: Callable[[Sequence[dict[str, Any]]], float]) -> dict[str, float]:
    """Return a figure over all seeds and the half width of its 95 % interval, by leaving out one seed after the other."""
    n, whole = len(points), figure(points)
    if n < 2:
        return {"mean": round(whole, 4), "half": float("nan")}
    parts = np.array([figure([*points[:k], *points[k + 1 :]]) for k in range(n)])
    error = float(np.sqrt((n - 1) / n * ((parts - parts.mean()) ** 2).sum()))
    return {"mean": round(whole, 4), "half": round(float(student_t.ppf(0.975, n - 1)) * error, 4)}


def _interval(values: Sequence[float]) -> dict[str, float]:
    x = np.array(values, np.float64)
    half = float(student_t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")
    return {"mean": round(float(x.mean()), 4), "half": round(half, 4)}


def tune(scenario: str, seconds: float) -> None:
    """Print the root mean square errors for a grid of the filter's numbers, on seeds that the study does not use."""
    grid = [{}, {"standing_sd_mps": 0.15}, {"stands_s": 3.0, "walks_s": 3.0}, {"walking_time_s": 0.8}]
    for change in grid:
        config = TrackingConfig.model_validate(change)
        points = [run(seed, min(seconds, 60.0), scenario, links=False, tracking=config) for seed in TUNED_ON]
        parts = []
        for key in ("tags now", "tags ahead", "tags steady"):
            parts.append(
                " ".join(f"{np.mean([p['error_m'][key]['all'][q] for p in points]):.3f}" for q in ("median", "p95", "rms"))
            )
        gated = sum(p["counts"].get("gated", 0) for p in points)
        print(change, " | ".join(parts), f"innovation {np.mean([p['innovation'] for p in points]):.2f} gated {gated}", flush=True)


def main() -> None:
    """Run the study, or look for the filter's numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default="small")
    parser.add_argument("--seconds", type=float, default=70.0)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=501)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--tune", action="store_true")
    options = parser.parse_args()
    if options.tune:
        tune(options.scenario, options.seconds)
        return
    points = []
    for seed in range(options.first, options.first + options.seeds):
        points.append(run(seed, options.seconds, options.scenario))
        about = {
            "scenario": options.scenario, "seconds": options.seconds, "first_seed": options.first, "ahead_s": AHEAD_US / 1e6,
            "blocked_db": BLOCKED_DB, "futures": FUTURES, "tags": TAGS.model_dump(include={
                "tag_sigma_m", "tag_rate_hz", "tag_gap_share", "tag_delay_ms"}),
        }  # fmt: skip
        done: dict[str, Any] = {"about": about, "summary": summary(points), "points": points}
        options.out.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
        print(f"seed {seed}: {json.dumps(done['summary'].get('skill'))}", flush=True)


if __name__ == "__main__":
    main()
