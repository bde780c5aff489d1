"""Paths and bodies against Sionna RT on one core, and how our time grows: ``python -m tests.bench_sionna``.

One scene for both sides: the stored production hall of 60 x 40 x 8 m with 10 boxes, 4 TRPs and 20 UEs at 28 GHz, and 30 people
who walk. Times are those of the processor (``time.process_time``), every tick with people and UEs at new places; Sionna RT runs
on one thread. It takes people for boxes that end a path; our bodies are twelve capsules that diffract it.

Equal recall: Sionna RT finds paths by sending rays in all directions and so finds more of them the more it sends. It gets the
fewest rays with which it finds 99 %, and then 99.9 %, of the paths that we keep for the empty hall (12 per link, within 40 dB of
its strongest). How much it finds of those that matter most (within 30 dB), and how much we find of its own, stands beside it.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from factory.validate.sionna_live import (
    BOX_TRIANGLES,
    Sionna,
    box_corners,
    facet_numbers,
    hall_things,
    read_paths,
    unavailable,
    version,
)
from factory.validate.sionna_reference import Reference, read_reference
from factory.validate.sionna_rows import REFERENCES
from humans.body import capsule_radius_m, draw_statures, pose
from radio.bodies.blockage import Effort, blockage_db
from radio.propagation.geometry import Hall, PreparedHall, prepare_hall
from radio.propagation.paths import PathFinder
from radio.types import SHAPE_CAPSULE, Blockers, BoolArray, FloatArray, IntArray

TICK_S = 0.01
WALK_MPS = 1.4
DRIVE_MPS = 1.5
LIMITS: dict[str, Any] = {"max_paths": 12, "reach_db": 40.0, "max_order": 2}  # as in a run
ALL_PATHS: dict[str, Any] = LIMITS | {"max_paths": 1000}
RECALLS = (0.99, 0.999)  # of the paths that we keep, the share that Sionna RT must find
MATTERS_DB = 30.0  # a path that is weaker than its link's strongest by more than this hardly matters
RAYS = (1_000, 2_000, 3_000, 5_000, 7_000, 10_000, 15_000, 20_000, 30_000, 50_000, 70_000, 100_000, 200_000, 500_000)
BODY_HALF_M = np.array([0.15, 0.25, 0.875])  # a person as the box that Sionna RT moves
_BUFFER = 50_000  # candidates that Sionna RT keeps room for, more than twice what it finds here


@dataclass(frozen=True, slots=True)
class Scene:
    """A hall with antennas, and where UEs and people are in each of K ticks.

    Attributes
    ----------
    prepared, hall : the hall.
    trp_position_m : (T, 3) [m].
    ue_position_m : (K, U, 3) [m].
    person_m, heading_rad : (K, N, 2) and (N,) people on the floor [m, rad].
    bodies : K sets of twelve capsules per person.
    """

    prepared: PreparedHall
    hall: Hall
    trp_position_m: FloatArray
    ue_position_m: FloatArray
    person_m: FloatArray
    heading_rad: FloatArray
    bodies: tuple[Blockers, ...]


def straight_walks(
    hall: Hall, start_m: FloatArray, speed_mps: float, ticks: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Let things go straight on, each where nothing is in its way and at rest where there is no such way.

    Parameters
    ----------
    hall : boxes and walls to keep off.
    start_m : (N, 3) places at the first tick [m].
    speed_mps : speed [m/s].
    ticks : number of ticks K.
    rng : generator of directions.

    Returns
    -------
    place_m, heading_rad : (K, N, 3) and (N,).
    """
    along = np.arange(ticks)[:, None] * TICK_S * speed_mps
    place = np.repeat(start_m[None], ticks, axis=0)
    heading = rng.uniform(-np.pi, np.pi, len(start_m))
    for i, start in enumerate(start_m):
        for _ in range(50):
            way = start + along * [np.cos(heading[i]), np.sin(heading[i]), 0.0]
            if hall.contains(way).all() and not hall.inside_any_box(way).any():
                place[:, i] = way
                break
            heading[i] = rng.uniform(-np.pi, np.pi)
    return place, heading


def free_places(hall: Hall, n: int, low_m: float, high_m: float, rng: np.random.Generator) -> FloatArray:
    """Draw (n, 3) places in the hall and outside its boxes, at heights from ``low_m`` to ``high_m`` [m]."""
    found: list[FloatArray] = []
    while len(found) < n:
        point = rng.uniform([0.5, 0.5, low_m], [hall.size_m[0] - 0.5, hall.size_m[1] - 0.5, high_m])
        if not hall.inside_any_box(point).any():
            found.append(point)
    return np.array(found).reshape(n, 3)


def walkers(person_m: FloatArray, heading_rad: FloatArray, rng: np.random.Generator) -> tuple[Blockers, ...]:
    """Turn walks (K, N, 2) into K sets of twelve capsules per person, with swinging arms and legs."""
    n = person_m.shape[1]
    stature = draw_statures(1.55, 1.87, n, rng)
    half = np.repeat(capsule_radius_m(stature).reshape(-1, 1), 2, axis=1)
    phase = rng.uniform(0, 2 * np.pi, n)
    rows = np.zeros(12 * n)
    owner, part = np.repeat(np.arange(n), 12), np.tile(np.arange(12), n)
    shape = np.full(12 * n, SHAPE_CAPSULE)
    out = []
    for k, place in enumerate(person_m):
        swing = np.sin(phase + 2 * np.pi * k * TICK_S)[:, None]  # a stride takes about a second
        joints = np.zeros((n, 18))
        joints[:, :2] = 0.4 * swing * [1, -1]  # hips
        joints[:, [6, 10]] = 0.3 * swing * [-1, 1]  # shoulders
        joints[:, [8, 12]] = 0.3  # elbows
        a, b = pose(place, heading_rad, stature, joints)
        out.append(Blockers(a.reshape(-1, 3), b.reshape(-1, 3), half, rows, shape, owner, part))
    return tuple(out)


def make_scene(
    hall: Hall,
    frequency_hz: float,
    trp_position_m: FloatArray,
    ue_position_m: FloatArray,
    n_people: int,
    ticks: int,
    seed: int = 1,
) -> Scene:
    """Set UEs and people going in a hall."""
    rng = np.random.default_rng(seed)
    ue, _ = straight_walks(hall, ue_position_m, DRIVE_MPS, ticks, rng)
    person, heading = straight_walks(hall, free_places(hall, n_people, 0.9, 0.9, rng), WALK_MPS, ticks, rng)
    bodies = walkers(person[..., :2], heading, rng)
    return Scene(prepare_hall(hall, frequency_hz), hall, trp_position_m, ue, person[..., :2], heading, bodies)


def production_hall() -> Reference:
    """Read the hall that both sides compute."""
    return read_reference(REFERENCES / "sionna_production_hall.json")


def tick_seconds(work: Callable[[int], Any], ticks: int, warm_up: int = 1) -> float:
    """Median processor time of ``work(k)``, k = 0..ticks-1, after the first ``warm_up`` of them were done once already [s]."""
    for k in range(min(warm_up, ticks)):
        work(k)
    times = []
    for k in range(ticks):
        start = time.process_time()
        work(k)
        times.append(time.process_time() - start)
    return statistics.median(times)


def mean_seconds(work: Callable[[int], Any], ticks: int) -> float:
    """Mean processor time of ``work(k)``, for work too short for the clock's grain [s]."""
    work(0)
    start = time.process_time()
    for k in range(ticks):
        work(k)
    return (time.process_time() - start) / ticks


def our_seconds(
    scene: Scene, efforts: tuple[Effort, ...] = ("tick", "fine"), limits: dict[str, Any] = LIMITS
) -> dict[str, float]:
    """Processor time of our parts of a tick, mean over the scene's ticks [s].

    ``new ground``: the cells of the visibility cache that UEs enter are computed on the way, at each UE's first visit.
    ``tick`` and ``fine`` are the efforts of ``blockage_db``; the twin uses the first.
    """
    ticks = len(scene.bodies)
    owner = np.full(scene.ue_position_m.shape[1], -1, np.int64)
    PathFinder(scene.prepared, scene.trp_position_m, **limits).find(scene.ue_position_m[0])  # compiles

    def fresh() -> PathFinder:
        finder = PathFinder(scene.prepared, scene.trp_position_m, **limits)
        finder.find(scene.ue_position_m[0])
        return finder

    finder = fresh()
    start = time.process_time()
    found = [finder.find(ue) for ue in scene.ue_position_m[1:]]
    new_ground = (time.process_time() - start) / (ticks - 1)
    ours = {
        "paths, new ground": new_ground,
        "paths, known ground": mean_seconds(lambda k: finder.find(scene.ue_position_m[k]), ticks),
    }
    for effort in efforts:
        few = ticks if effort == "tick" else min(ticks, 50)

        def moved(k: int, effort: Effort = effort) -> Any:
            return blockage_db(found[min(k, ticks - 2)], scene.bodies[k], owner, effort=effort)

        def at_rest(k: int, effort: Effort = effort) -> Any:
            return blockage_db(found[0], scene.bodies[k], owner, effort=effort)

        ours[f"bodies, {effort}"] = mean_seconds(moved, few)
        ours[f"bodies, {effort}, UEs at rest"] = mean_seconds(at_rest, few)
    return ours


class SionnaTick:
    """The same scene in Sionna RT: a static hall and one box per person, moved by its vertices.

    Parameters
    ----------
    sionna : the loaded modules.
    scene : what moves where.
    one_mesh : True to keep all people in one mesh and write its vertices at once, False to set each person's position by
        ``SceneObject.position``.
    """

    def __init__(self, sionna: Sionna, scene: Scene, one_mesh: bool) -> None:
        self._sionna, self._scene, self._one_mesh = sionna, scene, one_mesh
        n = scene.person_m.shape[1]
        skin = sionna.rt.RadioMaterial("skin", relative_permittivity=16.5, conductivity=25.8, thickness=0.1)
        corner = [self._corners(0, i) for i in range(n)]
        triangle = BOX_TRIANGLES
        if one_mesh:
            joined = np.concatenate([triangle + 8 * i for i in range(n)])
            people = [sionna.thing("people", np.concatenate(corner), joined, skin)]
        else:
            people = [sionna.thing(f"person-{i}", corner[i], triangle, skin) for i in range(n)]
        self.scene = sionna.scene(float(scene.prepared.frequency_hz[0]), [*hall_things(sionna, scene.hall), *people], "V")
        sionna.devices(self.scene, scene.trp_position_m, scene.ue_position_m[0])
        self._solver = sionna.rt.PathSolver()

    def _corners(self, k: int, i: int) -> FloatArray:
        x, y = self._scene.person_m[k, i]
        return box_corners(np.array([x, y, BODY_HALF_M[2]]), BODY_HALF_M, float(self._scene.heading_rad[i]))

    def move(self, k: int) -> None:
        """Take people and UEs to where they are in tick k."""
        mi = self._sionna.mi
        n = self._scene.person_m.shape[1]
        if self._one_mesh:
            corner = np.concatenate([self._corners(k, i) for i in range(n)])
            self.scene.mi_scene_params["people.vertex_positions"] = mi.Float(corner.astype(np.float32).ravel())
            self.scene.mi_scene_params.update()
        else:
            for i, (x, y) in enumerate(self._scene.person_m[k]):
                self.scene.objects[f"person-{i}"].position = mi.Point3f(float(x), float(y), float(BODY_HALF_M[2]))
        for i, place in enumerate(self._scene.ue_position_m[k]):
            self.scene.receivers[f"ue-{i}"].position = mi.Point3f(*map(float, place))

    def solve(self, samples: int) -> Any:
        """Find the paths, and wait for them."""
        found = self._solver(self.scene, max_depth=2, samples_per_src=samples, refraction=False, max_num_paths_per_src=_BUFFER)
        self._sionna.dr.eval(found.a, found.tau)
        self._sionna.dr.sync_thread()
        return found


def recall(sionna: Sionna, scene: Scene, samples: int) -> dict[str, float]:
    """Compare the paths that both sides find in the hall without people, over UEs' places at five ticks.

    Parameters
    ----------
    sionna : the loaded modules.
    scene : the scene.
    samples : rays that Sionna RT sends from each TRP.

    Returns
    -------
    dict
        ``rays``; ``kept``: share of the paths that we keep which Sionna RT finds; ``matters``: the same of those within
        ``MATTERS_DB`` of the link's strongest; ``reverse``: share of its paths within ``MATTERS_DB`` which we keep;
        ``reverse_power``: the same by power; ``reverse_all``: the same by number if we keep more than 12 per link.
    """
    finder = PathFinder(scene.prepared, scene.trp_position_m, **LIMITS)
    empty = sionna.scene(float(scene.prepared.frequency_hz[0]), hall_things(sionna, scene.hall), "V")
    places = np.concatenate(scene.ue_position_m[:: max(1, len(scene.ue_position_m) // 5)])
    ours = finder.find(places)
    sionna.devices(empty, scene.trp_position_m, places)
    found = sionna.rt.PathSolver()(
        empty, max_depth=2, samples_per_src=samples, refraction=False, max_num_paths_per_src=10 * _BUFFER
    )
    them = read_paths(empty, found, facet_numbers(scene.hall))
    n_link = ours.n_ue * ours.n_trp
    our_link = np.repeat(np.arange(n_link), np.diff(ours.offset))
    their_link = them.ue * ours.n_trp + them.trp
    our_keys, their_keys = _keys(our_link, ours.facet), _keys(their_link, them.facet)
    mine, theirs = set(our_keys), set(their_keys)
    more = PathFinder(scene.prepared, scene.trp_position_m, **ALL_PATHS).find(places)
    everything = set(_keys(np.repeat(np.arange(n_link), np.diff(more.offset)), more.facet))
    hit = np.array([key in theirs for key in our_keys])
    amplitude = np.abs(them.transfer[:, 0, 0])
    matters = _matters(n_link, their_link, amplitude)
    back = np.array([key in mine for key in their_keys])[matters]
    power = amplitude[matters] ** 2
    return {
        "rays": float(samples),
        "kept": float(hit.mean()),
        "matters": float(hit[_matters(n_link, our_link, np.abs(ours.amplitude))].mean()),
        "reverse": float(back.mean()),
        "reverse_power": float(power[back].sum() / power.sum()),
        "reverse_all": float(np.array([key in everything for key in their_keys])[matters].mean()),
    }


def _keys(link: IntArray, facet: IntArray) -> list[tuple[int, int, int]]:
    return list(zip(link.tolist(), facet[:, 0].tolist(), facet[:, 1].tolist(), strict=True))


def _matters(n_link: int, link: IntArray, amplitude: FloatArray) -> BoolArray:
    strongest = np.zeros(n_link)
    np.maximum.at(strongest, link, amplitude)
    out: BoolArray = amplitude >= strongest[link] * 10.0 ** (-MATTERS_DB / 20.0)
    return out


def sionna_ratios(ticks: int = 12, people: int = 30, say: Callable[[str], None] = lambda _: None) -> dict[str, Any] | str:
    """Measure one tick of both sides on one core.

    Parameters
    ----------
    ticks : ticks that Sionna RT computes; ours are 200.
    people : number of people.
    say : is told what is being done.

    Returns
    -------
    dict or str
        Why Sionna RT cannot run here, or what was measured: its ``version``; ``people``; ``recall``, a list of what
        :func:`recall` returns; ``ours_s``, processor times of a tick [s]; ``levels``, one per entry of ``RECALLS``, each with
        the rays and shares of ``recall``, ``seconds`` of a tick of Sionna RT by how its people are moved, and ``ratios``.
    """
    reason = unavailable()
    if reason is not None:
        return reason
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    sionna = Sionna.load(threads=1)
    r = production_hall()
    scene = make_scene(r.hall, r.frequency_hz, r.trp_position_m, r.ue_position_m, people, 200)
    found: list[dict[str, float]] = []
    for n in RAYS:
        say(f"Sionna RT: share of our paths found with {n:,} rays per TRP")
        found.append(recall(sionna, scene, n))
        if found[-1]["kept"] >= max(RECALLS):
            break
    say("our paths and bodies in the same scene")
    ours = our_seconds(scene)
    more = our_seconds(scene, ("tick",), ALL_PATHS)
    ours |= {f"{what}, all paths": more[what] for what in ("paths, new ground", "bodies, tick")}
    levels = []
    for level in RECALLS:
        enough = next((f for f in found if f["kept"] >= level), found[-1])
        theirs = _sionna_seconds(sionna, scene, int(enough["rays"]), ticks, say)
        best = min(theirs.values())
        levels.append(
            {
                "recall": level,
                **enough,
                "seconds": theirs,
                "ratios": {
                    "paths and bodies of a tick": best / (ours["paths, new ground"] + ours["bodies, tick"]),
                    "paths and bodies of a tick, fine": best / (ours["paths, new ground"] + ours["bodies, fine"]),
                    "paths and bodies of a tick, all paths": best
                    / (ours["paths, new ground, all paths"] + ours["bodies, tick, all paths"]),
                    "only people moved": best / ours["bodies, tick, UEs at rest"],
                    "only people moved, fine": best / ours["bodies, fine, UEs at rest"],
                    "paths alone": best / ours["paths, new ground"],
                },
            }
        )
    return {"version": version(), "people": people, "recall": found, "ours_s": ours, "levels": levels}


def _sionna_seconds(sionna: Sionna, scene: Scene, samples: int, ticks: int, say: Callable[[str], None]) -> dict[str, float]:
    """Processor time of a tick in Sionna RT, by how its people are moved [s]."""
    result = {}
    for one_mesh, how in ((True, "people in one mesh"), (False, "people moved one by one")):
        say(f"Sionna RT: ticks with {samples:,} rays per TRP, {how}")
        theirs = SionnaTick(sionna, scene, one_mesh)

        def tick(k: int, theirs: SionnaTick = theirs) -> None:
            theirs.move(k)
            theirs.solve(samples)

        result[how] = tick_seconds(tick, ticks, warm_up=3)
    return result


GROWTH: dict[str, tuple[int, ...]] = {"people": (10, 30, 100, 400), "links": (20, 80, 320, 1000), "boxes": (0, 10, 25, 50)}
"""What is varied, and its values; the others stay at 30 people, 80 links and 10 boxes."""


def growth(ticks: int = 20, say: Callable[[str], None] = lambda _: None) -> list[dict[str, float | str]]:
    """Measure our processor time per tick against the numbers of people, links and boxes, each about the same scene.

    Parameters
    ----------
    ticks : ticks of each scene.
    say : is told what is being done.

    Returns
    -------
    list of dict
        ``grows`` (what is varied), ``people``, ``links``, ``boxes``, ``paths``, ``paths_us`` (on known ground),
        ``new_ground_us`` and ``bodies_us`` (effort ``tick``).
    """
    rows = []
    for grows, values in GROWTH.items():
        for value in values:
            say(f"growth: {value} {grows}")
            size = {"people": 30, "links": 80, "boxes": 10} | {grows: value}
            rows.append(_growth_row(grows, size["people"], size["links"], size["boxes"], ticks))
    return rows


def _growth_row(grows: str, people: int, links: int, boxes: int, ticks: int) -> dict[str, float | str]:
    r = production_hall()
    hall = _with_boxes(r.hall, r.trp_position_m, boxes)
    rng = np.random.default_rng(2)
    ue = free_places(hall, links // len(r.trp_position_m), 0.3, 2.2, rng)
    scene = make_scene(hall, r.frequency_hz, r.trp_position_m, ue, people, ticks)
    ours = our_seconds(scene, efforts=("tick",))
    return {
        "grows": grows,
        "people": people,
        "links": links,
        "boxes": boxes,
        "paths": len(PathFinder(scene.prepared, scene.trp_position_m, **LIMITS).find(ue).order),
        "paths_us": 1e6 * ours["paths, known ground"],
        "new_ground_us": 1e6 * ours["paths, new ground"],
        "bodies_us": 1e6 * ours["bodies, tick"],
    }


def _with_boxes(hall: Hall, trp_position_m: FloatArray, n: int) -> Hall:
    """Return the hall with its first boxes, and random ones beyond those, none around a TRP."""
    rng = np.random.default_rng(3)
    center, half, yaw = list(hall.box_center_m[:n]), list(hall.box_half_m[:n]), list(hall.box_yaw_rad[:n])
    while len(center) < n:
        size = rng.uniform([0.4, 0.4, 0.5], [1.5, 1.5, 1.5])
        place = np.array([*rng.uniform([3.0, 3.0], hall.size_m[:2] - 3.0), size[2]])
        if np.linalg.norm(trp_position_m[:, :2] - place[:2], axis=1).min() > 3.0:
            center.append(place)
            half.append(size)
            yaw.append(rng.uniform(-1.5, 1.5))
    material = (*hall.box_material[:n], *["metal"] * (n - len(hall.box_material)))
    return Hall(
        hall.size_m, np.array(center).reshape(n, 3), np.array(half).reshape(n, 3), np.array(yaw), material,
        hall.wall_material, hall.floor_material, hall.ceiling_material,
    )  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({"sionna": sionna_ratios(), "growth": growth()}, indent=1))
