"""People in Bullet and people as the radio's screens: the same links asked of both, and every disagreement explained.

Bullet sees twelve capsules. The radio sees a trunk screen (an ellipse's prism from the floor to the top of the head) and one
screen per limb, each the bounding rectangle of its silhouette. The screens are therefore larger in known places, and a person
behind a hand or a shank costs less than one behind a trunk.
"""

import math
from dataclasses import dataclass

import numpy as np
from world_scenes import HALL_M, people, spec

from factory.snapshot import SCREEN_PARTS, person_blockers
from factory.world import HIT_NONE, HIT_PERSON, World
from humans.types import PeopleState
from radio.bodies.blockage import blockage_db
from radio.bodies.blockage_oracle import footprint_half_extent
from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.paths import compute_paths
from radio.types import Blockers
from robots.safety import segment_distance_m

FREQUENCY_HZ = 28e9
WAVELENGTH_M = 299_792_458.0 / FREQUENCY_HZ
LINKS = (6, 10)
"""TRPs and UEs of a scene."""
BULGE_M = 0.08
"""How far shoulders, hips and the head reach beyond the trunk's ellipse where no limb screen covers them."""


@dataclass(frozen=True)
class Link:
    """A direct ray and what both sides say about it.

    Attributes
    ----------
    scene, start, end : which scene, and the ray [m].
    hit : Bullet's ray test finds a person on it. person : who, -1 for nobody.
    clearance_fresnel : smallest distance of any capsule's surface from the ray, in first Fresnel radii there; below 0 inside.
    loss_db : loss of the direct path by blockage model B.
    worst_owner, worst_part : who and what costs most, -1 for nobody.
    """

    scene: int
    start: np.ndarray
    end: np.ndarray
    hit: bool
    person: int
    clearance_fresnel: float
    loss_db: float
    worst_owner: int
    worst_part: int


def random_people(rng: np.random.Generator) -> PeopleState:
    """People apart from each other, anywhere in the hall, standing or in mid-stride."""
    spots = np.stack(np.meshgrid(np.arange(3.0, 18.0, 2.0), np.arange(2.0, 11.0, 2.0)), axis=-1).reshape(-1, 2)
    n = 8
    chosen = rng.choice(len(spots), n, replace=False)
    return people(
        spots[chosen] + rng.uniform(-0.5, 0.5, (n, 2)),
        rng.uniform(-np.pi, np.pi, n),
        rng.uniform(1.55, 1.95, n),
        rng.random(n),
        rng.choice([0.0, 0.7, 1.0, 1.2], n),
    )


def links_of_scene(scene: int, seed: int) -> tuple[PeopleState, Blockers, list[Link]]:
    """Return a random scene's people, their screens, and its links as both sides see them."""
    rng = np.random.default_rng([seed, scene])
    crowd = random_people(rng)
    trp = rng.uniform((0.5, 0.5, 0.8), (HALL_M[0] - 0.5, HALL_M[1] - 0.5, 5.5), (LINKS[0], 3))
    ue = rng.uniform((0.5, 0.5, 0.3), (HALL_M[0] - 0.5, HALL_M[1] - 0.5, 1.8), (LINKS[1], 3))
    # Half of the UEs stand so that their first TRP's ray runs through somebody's body, anywhere from shank to head.
    for k in range(0, LINKS[1], 2):
        who = rng.integers(len(crowd.position_m))
        through = np.array([*crowd.position_m[who], rng.uniform(0.3, crowd.stature_m[who])])
        through[:2] += rng.uniform(-0.3, 0.3, 2)
        beyond = through + (through - trp[0]) * rng.uniform(0.2, 1.0)
        if (beyond > 0.3).all() and (beyond < np.array(HALL_M) - 0.3).all():
            ue[k] = beyond

    hall = prepare_hall(Hall.empty(HALL_M), FREQUENCY_HZ)
    paths = compute_paths(hall, trp, ue, 12, 60.0)
    blockers = person_blockers(crowd, "model_b")
    blockage = blockage_db(paths, blockers, np.full(len(ue), -1), "model_b")
    direct = np.flatnonzero(paths.order == 0)
    assert len(direct) == len(trp) * len(ue)  # an empty hall hides nobody from anybody

    world = World(spec(crowd, agvs=0, cobots=0, boxes=False))
    world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)
    kind, person = world.ray_test(paths.vertex_m[direct, 0], paths.vertex_m[direct, 3])
    world.close()
    assert np.isin(kind, (HIT_NONE, HIT_PERSON)).all()
    links = [
        Link(
            scene=scene,
            start=paths.vertex_m[p, 0],
            end=paths.vertex_m[p, 3],
            hit=bool(kind[i] == HIT_PERSON),
            person=int(person[i]),
            clearance_fresnel=clearance_fresnel(crowd, paths.vertex_m[p, 0], paths.vertex_m[p, 3], float(paths.wavelength_m[0])),
            loss_db=float(blockage.loss_db[p]),
            worst_owner=int(blockage.worst_owner[p]),
            worst_part=int(blockage.worst_part[p]),
        )
        for i, p in enumerate(direct)
    ]
    return crowd, blockers, links


def clearance_fresnel(crowd: PeopleState, start: np.ndarray, end: np.ndarray, wavelength_m: float) -> float:
    """Smallest distance of any capsule from the ray, in first Fresnel radii at the place beside it."""
    length = float(np.linalg.norm(end - start))
    along = (end - start) / length
    least = math.inf
    for a, b, radius in zip(
        crowd.capsule_a.reshape(-1, 3), crowd.capsule_b.reshape(-1, 3), crowd.capsule_radius_m.ravel(), strict=True
    ):
        gap = segment_distance_m(*start, *end, *a, *b) - radius
        near = min(max(float(((a + b) / 2 - start) @ along), 0.05), length - 0.05)
        least = min(least, gap / math.sqrt(wavelength_m * near * (length - near) / length))
    return least


def pierces(blockers: Blockers, i: int, link: Link, grow_m: float = 0.0) -> bool:
    """Tell whether the ray pierces screen i's rectangle, grown by ``grow_m`` on every side."""
    off, half, near = screen_frame(blockers, i, link)
    length = float(np.linalg.norm(link.end - link.start))
    return 0 < near < length and bool((np.abs(off) < half + grow_m).all())


def screen_frame(blockers: Blockers, i: int, link: Link) -> tuple[np.ndarray, np.ndarray, float]:
    """Where the ray pierces screen i's plane (along, across), the screen's half sizes, and the distance from the ray's start."""
    toward = (link.end - link.start) / np.linalg.norm(link.end - link.start)
    centre = (blockers.start_m[i] + blockers.end_m[i]) / 2
    near = float((centre - link.start) @ toward)
    axis = blockers.end_m[i] - blockers.start_m[i]
    axis = axis - (axis @ toward) * toward
    extent = float(np.linalg.norm(axis))
    along = axis / extent if extent > 1e-9 else np.array([-toward[1], toward[0], 0.0]) / np.hypot(*toward[:2])
    across = np.cross(toward, along)
    half = np.array(
        [
            (extent if extent > 1e-9 else 0.0) / 2 + footprint_half_extent(blockers, i, along),
            footprint_half_extent(blockers, i, across),
        ]
    )
    pierce = link.start + near * toward - centre
    return np.array([pierce @ along, pierce @ across]), half, near


def fresnel_radius_m(link: Link, near: float) -> float:
    """First Fresnel radius of the link at a distance from its start [m]."""
    length = float(np.linalg.norm(link.end - link.start))
    return math.sqrt(WAVELENGTH_M * near * (length - near) / length)


def too_narrow(off: np.ndarray, half: np.ndarray, radius: float) -> bool:
    """Tell whether a pierced screen may cost less than 6 dB.

    For edges h on both sides of the ray a view is F1 + F2 = 2 atan(1.97 h / r) / pi (TR 38.901 equation 7.6-29, r the first
    Fresnel radius). 6 dB need a product of 1/2: h = 0.51 r in one view if the other is endless, 1.0 r if both are alike.
    """
    inside = (half - np.abs(off)) / radius
    return bool(inside.min() < 0.6 or inside.max() < 1.05)


def explain_small_loss(blockers: Blockers, link: Link) -> str:
    """Say why a link that Bullet finds blocked costs less than 6 dB, "" where nothing about the screens explains it."""
    length = float(np.linalg.norm(link.end - link.start))
    rows = np.flatnonzero(blockers.owner == link.person)
    trunk = int(rows[blockers.part[rows] == 0][0])
    pierced = [int(i) for i in rows if pierces(blockers, i, link)]
    for i in pierced:
        off, half, near = screen_frame(blockers, i, link)
        if not too_narrow(off, half, fresnel_radius_m(link, near)):
            return ""
    if trunk in pierced:
        return "near the trunk screen's edge"
    if pierced:
        return f"a limb alone, {SCREEN_PARTS[blockers.part[pierced[0]]].rsplit('_', 1)[0]}"
    off, half, near = screen_frame(blockers, trunk, link)
    if not 0 < near < length:
        return "the antenna is at the body: the trunk's middle lies beyond the ray's end"
    if (np.abs(off) < half + BULGE_M).all():
        return "a capsule that bulges out of the trunk's ellipse"
    return ""


def explain_large_loss(blockers: Blockers, link: Link) -> str:
    """Say why a link with a clear first Fresnel zone costs 1 dB or more, "" where nothing about the screens explains it."""
    if link.worst_owner < 0:
        return "several people, each below 0.5 dB"
    row = int(np.flatnonzero((blockers.owner == link.worst_owner) & (blockers.part == link.worst_part))[0])
    off, half, near = screen_frame(blockers, row, link)
    gap = np.maximum(np.abs(off) - half, 0.0)
    name = "trunk" if link.worst_part == 0 else "limb"
    if (gap == 0).all():
        return f"through an empty corner of the {name}'s rectangle"
    # The rectangle reaches into the first Fresnel zone that the capsules leave clear.
    if np.hypot(*gap) < fresnel_radius_m(link, near):
        return f"beside the {name}'s rectangle, which is larger than the capsules in it"
    return ""
