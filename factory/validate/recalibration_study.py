"""Whether faults of TRPs and moved racks are found in time, and how often an alarm is false.

``python -m factory.validate.recalibration_study simulate --seed 11 --out FOLDER`` lets the default hall run for 79 minutes and
keeps what its devices would report once a second beside what the twin predicts. The plant differs from the twin: powers by
1.5 dB, azimuths by 3 degrees (standard deviations), another remainder, 2 dB of noise, whole dB, tags and AGVs 10 cm off. Three
metal racks of 4 m x 1.2 m x 4 m stand beside lanes. In the last four minutes the reports are kept once more for
each of six moves: each rack to anywhere, and by 2.5 to 5 m. Kept too is what the going of each box would change on each link.

``... judge --seeds 11,12 --out FOLDER`` lets the recalibrator read all that and keeps the figures in ``recalibration.json``. The
first 15 minutes are learning. A TRP's loss of 6 dB is put on the same reports, one TRP after the other.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta, chi2

from factory.config import BoxConfig
from factory.rooms import channel_seed, generator, radio_hall
from factory.scenario import LoadedScenario, load_scenario
from factory.twin import Twin
from radio.links import Channel
from radio.recalibration.base import Finding, RecalibrationConfig, Residuals
from radio.recalibration.recalibrator import Recalibrator
from radio.recalibration.removal import Removal
from radio.types import Blockers, FloatArray, Ues

KEPT = Path(__file__).parent / "recalibration.json"
LEARNING_S, END_S, EVENT_S, RACKS = 900, 4740, 240, 3
RACK_M = (4.0, 1.2, 4.0)
_NOISE_DB, _PLACE_SD_M, _POWER_SD_DB, _AZIMUTH_SD_DEG = 2.0, 0.1, 1.5, 3.0
_DROP_DB, _SOON_S, _NEAR_M = 6.0, 120.0, 5.0
_FLOOR_DBM, _NOTHING_DBM = -120.0, -250.0
_SEEN_DB, _SEEN_REPORTS, _SEEN_DEVICES = 5.0, 3, 2
_SUBCARRIERS_PER_BLOCK = 12
_MOVES = (False, True)  # of each rack: to anywhere, and near by


_Place = tuple[float, float]


def free_place(loaded: LoadedScenario, rng: np.random.Generator, others: Sequence[_Place], near: _Place | None = None) -> _Place:
    """Draw where a rack can stand: beside a lane (1 to 3 m from its nearest), clear of boxes, stations and ``others``.

    With ``near`` it is 2.5 to 5 m from there.
    """
    hall, robots, people = loaded.scenario.hall, loaded.scenario.robots, loaded.scenario.people
    node = {n.id: np.array(n.position_m[:2]) for n in robots.routes.nodes}
    ends = [(node[e.start], node[e.end]) for e in robots.routes.edges]
    share = np.linspace(0.0, 1.0, 40)[:, None]
    lanes = np.concatenate([a + share * (b - a) for a, b in ends])
    keep_clear = np.array([s.position_m[:2] for s in people.stations] + [t.position_m[:2] for t in loaded.scenario.radio.trps])
    half = np.array(RACK_M[:2]) / 2
    taken = [(np.array(b.center_m), np.array(b.size_m[:2]) / 2) for b in hall.boxes] + [(np.array(o), half) for o in others]
    for _ in range(20_000):
        place = half + 0.3 + rng.random(2) * (np.array(hall.size_m[:2]) - 2 * half - 0.6)
        gap = np.hypot(*np.maximum(np.abs(lanes - place) - half, 0.0).T).min()
        clear = np.hypot(*np.maximum(np.abs(keep_clear - place) - half, 0.0).T).min()
        free = all((np.abs(place - centre) > half + size + 0.3).any() for centre, size in taken)
        close = near is None or 2.5 <= np.hypot(*(place - near)) <= 5.0
        if 1.0 <= gap <= 3.0 and clear > 1.2 and free and close:
            return float(place[0]), float(place[1])
    raise ValueError("no place for a rack: the hall is full")


def _channel(loaded: LoadedScenario, racks: Sequence[_Place], plant: np.random.Generator | None) -> Channel:
    """Channel of the hall with the racks in it; with ``plant`` as it really is."""
    scenario = loaded.scenario
    boxes = [BoxConfig(name=f"study-{k}", kind="rack", center_m=place, size_m=RACK_M) for k, place in enumerate(racks)]
    hall = radio_hall(scenario.hall.model_copy(update={"boxes": (*scenario.hall.boxes, *boxes)}))
    if plant is None:
        return Channel(scenario.radio, hall, seed=channel_seed(scenario.seed))
    trps = tuple(
        t.model_copy(
            update={
                "tx_power_dbm": t.tx_power_dbm + _POWER_SD_DB * plant.standard_normal(),
                "azimuth_deg": t.azimuth_deg + _AZIMUTH_SD_DEG * plant.standard_normal(),
            }
        )
        for t in scenario.radio.trps
    )
    return Channel(scenario.radio.model_copy(update={"trps": trps}), hall, seed=channel_seed(scenario.seed) + 1)


def rsrp_dbm(channel: Channel, ues: Ues, blockers: Blockers | None, time_us: int) -> tuple[FloatArray, FloatArray]:
    """Return RSRP of the strongest beam (U, T) [dBm], and what bodies cost it (U, T) [dB]."""
    trps = channel.config.trps
    per_subcarrier = np.array(
        [t.tx_power_dbm - 10 * np.log10(_SUBCARRIERS_PER_BLOCK * channel.config.carrier_of(t).resource_blocks) for t in trps]
    )
    paths = channel.paths(ues)
    clear = channel.sweep(paths, ues, None, time_us).gain.max(axis=(2, 3))
    seen = clear
    if blockers is not None:
        loss = channel.blockage(paths, blockers, ues).loss_db
        seen = channel.sweep(paths, ues, loss, time_us).gain.max(axis=(2, 3))
    level: FloatArray = 10 * np.log10(np.maximum(seen, 1e-30))
    lost: FloatArray = 10 * np.log10(np.maximum(clear, 1e-30)) - level
    return per_subcarrier + level, lost


def _gone_db(model: Channel, removal: Removal, ues: Ues, time_us: int) -> FloatArray:
    """Return what the removal of each box would do to each link (U, T, N) [dB]."""
    all_ = np.ones(len(ues.owner) * model.n_trp, np.bool_)
    paths = model.paths(ues)
    clear = model.sweep(paths, ues, None, time_us).gain.max(axis=(2, 3))
    concerned = removal.concerned(paths, ues, all_)
    gone = np.zeros((*clear.shape, removal.n_boxes))
    for k in np.flatnonzero(concerned.any(axis=0)).tolist():
        gone[:, :, k] = removal.change_db(k, ues, concerned[:, k], clear, time_us)
    return gone


def simulate(seed: int, out: Path, end_s: int = END_S) -> Path:
    """Keep a seed's reports and predictions; returns the file."""
    loaded = load_scenario("default", [f"seed={seed}", "clock.tick_hz=50", "clock.physics_hz=25", "radio.enabled=false"])
    rng = generator(seed, "recalibration study")
    racks: list[_Place] = []
    for _ in range(RACKS):
        racks.append(free_place(loaded, rng, racks))
    moves = [(k, free_place(loaded, rng, racks, rack if near else None)) for k, rack in enumerate(racks) for near in _MOVES]
    drift = rng.bit_generator.state
    model = _channel(loaded, racks, None)
    plants = [_channel(loaded, racks, rng)]
    for k, place in moves:
        rng.bit_generator.state = drift  # the same powers and azimuths, one rack elsewhere
        plants.append(_channel(loaded, [*racks[:k], place, *racks[k + 1 :]], rng))
    removal = Removal(model, channel_seed(seed))
    twin = Twin(loaded)
    rows: list[tuple[Any, ...]] = []
    moved: list[FloatArray] = []
    for second in range(end_s):
        for _ in range(50):
            tick = twin.tick()
        ues, blockers = tick.scene.ues, tick.scene.blockers
        n_owner = int(blockers.owner.max()) + 1
        off = np.pad(rng.normal(0.0, _PLACE_SD_M, (n_owner, 2)), ((0, 0), (0, 1)))[blockers.owner]
        believed = replace(blockers, start_m=blockers.start_m + off, end_m=blockers.end_m + off)
        shift = np.pad(rng.normal(0.0, _PLACE_SD_M, (len(ues.owner), 2)), ((0, 0), (0, 1)))
        seen = replace(ues, position_m=ues.position_m + shift)
        predicted, loss = rsrp_dbm(model, seen, believed, tick.time_us)
        noise = rng.normal(0.0, _NOISE_DB, predicted.shape)
        late = second >= end_s - EVENT_S
        measured = [np.round(rsrp_dbm(p, ues, blockers, tick.time_us)[0] + noise) for p in plants[: None if late else 1]]
        gone = _gone_db(model, removal, seen, tick.time_us)
        rows.append((tick.time_us, seen.position_m, predicted, loss, measured[0], np.clip(np.round(gone), -99, 99)))
        if late:
            moved.append(np.array(measured[1:]))
    twin.close()
    out.mkdir(parents=True, exist_ok=True)
    names = ("time_us", "position_m", "predicted", "loss", "measured", "gone")
    kinds = (np.int64, np.float32, np.float32, np.float32, np.float32, np.int8)
    arrays: dict[str, Any] = {n: np.array([row[i] for row in rows], kinds[i]) for i, n in enumerate(names)}
    path = out / f"seed-{seed}.npz"
    old, new = np.array([racks[k] for k, _ in moves]), np.array([place for _, place in moves])
    np.savez_compressed(path, old=old, new=new, moved=np.array(moved, np.float32), **arrays)
    return path


def _residuals(kept: Any, second: int, measured: FloatArray) -> Residuals:
    n_ue, n_trp = measured.shape
    ue, trp = np.repeat(np.arange(n_ue), n_trp), np.tile(np.arange(n_trp), n_ue)
    predicted = kept["predicted"][second]  # below the floor: nothing predicted, which the live twin leaves out too
    heard = np.isfinite(measured.ravel()) & (measured.ravel() > _FLOOR_DBM) & (predicted.ravel() > _NOTHING_DBM)
    place = np.repeat(kept["position_m"][second].astype(np.float64), n_trp, axis=0)
    return Residuals(
        np.full(int(heard.sum()), kept["time_us"][second]), ue[heard], trp[heard], place[heard],
        (measured - predicted).ravel()[heard].astype(np.float64),
        kept["loss"][second].ravel()[heard].astype(np.float64),
        kept["gone"][second].reshape(n_ue * n_trp, -1)[heard].astype(np.float64),
    )  # fmt: skip


def _quiet(kept: Any, recalibrator: Recalibrator, end: int) -> list[Finding]:
    """Read what was measured while nothing happened; a finding is answered at once, as a person would in the end."""
    found: list[Finding] = []
    for second in range(end):
        fresh = recalibrator.add(_residuals(kept, second, kept["measured"][second]))
        for f in fresh:
            if f.kind == "trp":
                recalibrator.accept(f.trp)
            else:
                recalibrator.accept_places()
        found += fresh
    return found


def _event(kept: Any, recalibrator: Recalibrator, begin: int, drop: int = -1, move: int = -1) -> list[Finding]:
    """Read the last minutes with a TRP's loss or a rack's move in them; ``recalibrator`` is as it was before, and stays so."""
    own, found = copy.deepcopy(recalibrator), list[Finding]()
    for second in range(begin, len(kept["time_us"])):
        measured = (kept["measured"][second] if move < 0 else kept["moved"][second - begin, move]).copy()
        if drop >= 0:
            measured[:, drop] -= _DROP_DB
        found += own.add(_residuals(kept, second, measured))
    return found


def crossing(kept: Any, begin: int, move: int) -> dict[str, int]:
    """Return how many rays a move changed by 5 dB or more within two minutes: pairs of device and TRP, and devices."""
    two_min = slice(begin, begin + round(_SOON_S))
    change = kept["moved"][: round(_SOON_S), move] - kept["measured"][two_min]
    used = (kept["loss"][two_min] <= RecalibrationConfig().clear_loss_db) & (kept["measured"][two_min] > _FLOOR_DBM)
    out: dict[str, int] = {}
    for word, sign in (("weaker", -1), ("stronger", 1)):
        pairs = ((sign * change >= _SEEN_DB) & used).sum(axis=0) >= _SEEN_REPORTS
        out[f"pairs_{word}"], out[f"devices_{word}"] = int(pairs.sum()), int(pairs.any(axis=1).sum())
    return out


def share_of(hits: int, n: int) -> dict[str, float | int]:
    """Return a share with its exact (Clopper and Pearson) 95 % interval."""
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return {"hits": hits, "of": n, "low": low, "high": high}


def rate_of(count: int, hours: float) -> dict[str, float | int]:
    """Return a rate per hour with its exact 95 % interval, one-sided where nothing was counted (Garwood, 1936)."""
    low = float(chi2.ppf(0.025, 2 * count) / 2 / hours) if count else 0.0
    high = float(chi2.ppf(0.975 if count else 0.95, 2 * count + 2) / 2 / hours)
    return {"count": count, "per_h": count / hours, "low": low, "high": high}


def judge(seeds: list[int], out: Path) -> dict[str, Any]:
    """Let the recalibrator read what was kept, and return the figures."""
    scenario = load_scenario("default", []).scenario
    trp_m = np.array([t.position_m for t in scenario.radio.trps])
    size_m = (scenario.hall.size_m[0], scenario.hall.size_m[1])
    drops: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
    hours = 0.0
    for seed in seeds:
        with np.load(out / f"seed-{seed}.npz") as file:
            kept = {name: file[name] for name in file.files}
        begin = len(kept["time_us"]) - EVENT_S
        begun_us = int(kept["time_us"][begin])
        hours += (begin - LEARNING_S) / 3600
        boxes_m = np.array([*(list(b.center_m) for b in scenario.hall.boxes), *kept["old"][:: len(_MOVES)].tolist()])
        recalibrator = Recalibrator(RecalibrationConfig(learning_s=LEARNING_S), trp_m, size_m, boxes_m)
        for f in _quiet(kept, recalibrator, begin):
            false.append({"seed": seed, "kind": f.kind, "time_s": f.time_us / 1e6, "trp": f.trp, "at_m": f.position_m,
                          "box": f.box, "change_db": f.change_db, "devices": f.devices})  # fmt: skip
        for trp in range(len(trp_m)):
            found = _event(kept, recalibrator, begin, drop=trp)
            own = [f for f in found if f.kind == "trp" and f.trp == trp and f.change_db < 0]
            drops.append(
                {
                    "seed": seed, "trp": trp, "after_s": (own[0].time_us - begun_us) / 1e6 if own else None,
                    "change_db": own[0].change_db if own else None, "others": len(found) - len(own),
                }
            )  # fmt: skip
        for move in range(len(kept["new"])):
            found = _event(kept, recalibrator, begin, move=move)
            new, old = kept["new"][move], kept["old"][move]
            of_place = [f for f in found if f.kind == "place"]
            of_box = [f for f in found if f.kind == "box"]
            rack = len(scenario.hall.boxes) + move // len(_MOVES)
            errors = [float(np.hypot(*(np.array(f.position_m) - (new if f.change_db < 0 else old)))) for f in of_place]
            moves.append(
                {
                    "seed": seed, "from_m": old.tolist(), "to_m": new.tolist(),
                    "after_s": [(f.time_us - begun_us) / 1e6 for f in of_place], "errors_m": errors,
                    "box_after_s": [(f.time_us - begun_us) / 1e6 for f in of_box if f.box == rack],
                    "wrong_boxes": sum(f.box != rack for f in of_box),
                    "named_trp": sum(f.kind == "trp" for f in found), **crossing(kept, begin, move),
                }
            )  # fmt: skip
    soon = [d for d in drops if d["after_s"] is not None and d["after_s"] <= _SOON_S]
    by_place = [m for m in moves if any(t <= _SOON_S and e <= _NEAR_M for t, e in zip(m["after_s"], m["errors_m"], strict=True))]
    by_name = [m for m in moves if any(t <= _SOON_S for t in m["box_after_s"])]
    named = [m for m in moves if m in by_place or m in by_name]
    seen = [m for m in moves if max(m["devices_weaker"], m["devices_stronger"]) >= _SEEN_DEVICES]
    trps = sum(f["kind"] == "trp" for f in false)
    return {
        "seeds": seeds, "quiet_hours": hours, "false_alarms": false,
        "place_and_box_alarms_per_h": rate_of(len(false) - trps, hours), "trp_alarms_per_h": rate_of(trps, hours),
        "drops_named_in_2_min": share_of(len(soon), len(drops)), "drops": drops,
        "moves_named_in_2_min": share_of(len(named), len(moves)),
        "by_the_racks_name": share_of(len(by_name), len(moves)), "by_a_place": share_of(len(by_place), len(moves)),
        "of_those_that_two_devices_see": share_of(sum(m in named for m in seen), len(seen)), "moves": moves,
    }  # fmt: skip


def main() -> None:
    """Run a part of the study from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["simulate", "judge"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", default="11,12")
    parser.add_argument("--seconds", type=int, default=END_S, help="simulated length, learning included")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--keep", action="store_true", help="write recalibration.json")
    args = parser.parse_args()
    if args.part == "simulate":
        print(simulate(args.seed, args.out, args.seconds))
        return
    text = json.dumps(judge([int(s) for s in args.seeds.split(",")], args.out), indent=1)
    if args.keep:
        KEPT.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
