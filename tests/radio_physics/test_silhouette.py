"""Silhouettes against knife edges, brute force, and what a body in a link must look like."""

import math

import numpy as np
import pytest
from body_scenes import FOREARM_RIGHT, HEAD, WALKER, bent, random_agv, random_cobot, random_walker, walker
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from radio_scenes import blockers, join, line_of_sight, person

from radio.bodies.blockage import blockage_db
from radio.bodies.fresnel import screen_field, silhouette_loss_db
from radio.bodies.silhouette_oracle import leg_field, reference_field, union_integral
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE, Blockage, Blockers, Paths

NOBODY = np.array([-1])
LAMBDA = 0.299792458 / 28


def field(paths: Paths, bodies: Blockers) -> complex:
    return complex(blockage_db(paths, bodies, np.full(paths.n_ue, -1)).field[0])


def loss(paths: Paths, bodies: Blockers) -> float:
    return float(blockage_db(paths, bodies, np.full(paths.n_ue, -1)).loss_db[0])


def screen(x: float, y: float, width: float, low: float, high: float) -> Blockers:
    """Make a thin upright box across the x axis."""
    return blockers([[x, y, low]], [[x, y, high]], [[1e-3, width / 2]], [0.0], [SHAPE_RECTANGLE], [0], [0])


# Double knife edge w = 0.28 and 0.47 m at z = 1 m, centred; computed independently from the Fresnel integrals.
@pytest.mark.parametrize(
    ("near", "far", "expected"),
    [
        (2.5, 2.5, {3.5: (5.04, 7.95), 28: (11.80, 16.13), 60: (14.96, 19.42), 73: (15.80, 20.26)}),
        (0.5, 4.5, {3.5: (7.90, 11.71), 28: (16.07, 20.54), 60: (19.35, 23.85), 73: (20.20, 24.70)}),
        (5.0, 5.0, {3.5: (3.63, 5.89), 28: (9.15, 13.20), 60: (12.08, 16.43), 73: (12.88, 17.27)}),
        (1.0, 14.0, {3.5: (5.75, 8.94), 28: (12.99, 17.38), 60: (16.21, 20.68), 73: (17.05, 21.53)}),
    ],
)
def test_a_tall_screen_is_a_double_knife_edge(near, far, expected):
    for frequency_ghz, row in expected.items():
        paths = line_of_sight((0, 0, 1), (near + far, 0, 1), 0.299792458 / frequency_ghz)
        for width, value in zip((0.28, 0.47), row, strict=True):
            assert loss(paths, screen(near, 0, width, -60, 62)) == pytest.approx(value, abs=0.2), (frequency_ghz, width)


def test_against_lateral_offset():
    """28 GHz, 10 m link at 1.2 m, body mid-way: double knife edge w = 0.5, and Sionna RT 2.2's thin screen of 0.5 x 1.74 m."""
    paths = line_of_sight((0, 0, 1.2), (10, 0, 1.2))
    rows = zip((0, 0.1, 0.2, 0.3, 0.4, 1.0), (13.7, 12.9, 9.1, 2.2, -1.6, -0.1), (14.2, 11.2, 10.8, 2.2, -1.6, -0.4), strict=True)
    for y, edges, sionna in rows:
        assert loss(paths, screen(5, y, 0.5, -60, 62)) == pytest.approx(edges, abs=0.3)
        assert loss(paths, screen(5, y, 0.5, 0, 1.74)) == pytest.approx(sionna, abs=2.0)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.floats(0.2, 9.8), st.floats(-0.8, 0.8), st.floats(0.05, 1.0), st.floats(0.2, 2.5), st.sampled_from([3.5, 28, 60]))
def test_a_rectangle_is_the_product_of_two_views(near, y, width, high, frequency_ghz):
    lam = 0.299792458 / frequency_ghz
    expected = complex(screen_field(near, 10 - near, width / 2, high / 2, y, 1 - high / 2, lam))
    got = field(line_of_sight((0, 0, 1), (10, 0, 1), lam), screen(near, y, width, 0, high))
    assert abs(got - expected) < 0.065  # half of that is the taper of far screens


def test_the_oracle_knows_a_rectangle_and_counts_an_overlap_once():
    one = np.array([[-0.7, -1.0], [0.4, -1.0], [0.4, 1.5], [-0.7, 1.5]])
    other = np.array([[0.1, -1.0], [1.2, -1.0], [1.2, 1.5], [0.1, 1.5]])
    # lambda and distances that make a Fresnel unit a metre
    expected = screen_field(2.0, 2.0, 0.95, 1.25, -0.25, -0.25, 2.0)
    assert 1 - 0.5j * union_integral([one, other]) == pytest.approx(complex(expected), abs=1e-6)


def test_the_oracle_knows_a_tilted_union_by_counting_cells():
    one = np.array([[-1.0, -0.8], [0.6, -0.3], [0.2, 1.1]])
    other = np.array([[0.0, -1.2], [1.0, 0.2], [-0.4, 0.9]])
    cells = np.arange(-1.5, 1.5, 0.003) + 0.0015
    u, v = np.meshgrid(cells, cells)
    inside = np.zeros(u.shape, bool)
    for polygon in (one, other):
        within = np.ones(u.shape, bool)
        for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            within &= (b[0] - a[0]) * (v - a[1]) - (b[1] - a[1]) * (u - a[0]) > 0
        inside |= within
    expected = np.exp(-0.5j * np.pi * (u**2 + v**2))[inside].sum() * 0.003**2
    assert union_integral([one, other], row=0.002) == pytest.approx(expected, abs=2e-3)


def random_case(rng: np.random.Generator, kind: str, frequency_ghz: float) -> tuple[Paths, Blockers]:
    """Draw a link, and a body beside or in it."""
    lam = 0.299792458 / frequency_ghz
    while True:
        length, turn, share = rng.uniform(4, 30), rng.uniform(-np.pi, np.pi), rng.uniform(0.03, 0.97)
        trp = np.array([30.0, 20.0, rng.uniform(0.8, 7.5)])
        ue = np.array([30 + length * math.cos(turn), 20 + length * math.sin(turn), rng.uniform(0.3, 2.0)])
        at = trp + share * (ue - trp)
        if at[2] < 2.2:
            break
    unit = math.sqrt(lam * float(np.linalg.norm(ue - trp)) * share * (1 - share) / 2)
    reach = (1.0 if kind == "agv" else 0.35) + 3 * unit
    x, y = at[:2] + rng.uniform(-1, 1) * reach * np.array([-math.sin(turn), math.cos(turn)])
    make = {"person": random_walker, "agv": random_agv, "cobot": random_cobot}[kind]
    return line_of_sight(tuple(trp), tuple(ue), lam), make(rng, float(x), float(y))


@pytest.mark.parametrize("frequency_ghz", [3.5, 28, 60])
@pytest.mark.parametrize("seed", [17, 101])
def test_random_bodies_agree_with_brute_force(seed, frequency_ghz):
    rng = np.random.default_rng(seed)
    errors = []
    for kind, n in (("person", 90), ("agv", 45), ("cobot", 45)):
        for _ in range(n):
            paths, bodies = random_case(rng, kind, frequency_ghz)
            expected = -20 * math.log10(abs(reference_field(paths, bodies, 0, 0)))
            if expected < 20:
                errors.append(abs(loss(paths, bodies) - expected))
    assert len(errors) > 150
    assert np.median(errors) < 0.12
    assert np.quantile(errors, 0.99) < 0.5
    assert max(errors) < 1.5


@pytest.mark.parametrize("frequency_ghz", [3.5, 28, 60])
def test_the_effort_of_a_tick_stays_near_the_fine_one(frequency_ghz):
    rng = np.random.default_rng(17)
    errors = []
    for kind, n in (("person", 150), ("agv", 75), ("cobot", 75)):
        for _ in range(n):
            paths, bodies = random_case(rng, kind, frequency_ghz)
            fine, tick = (float(blockage_db(paths, bodies, NOBODY, effort=e).loss_db[0]) for e in ("fine", "tick"))
            if fine < 20:
                errors.append(abs(tick - fine))
    assert np.median(errors) < 0.2
    assert np.quantile(errors, 0.9) < 0.8
    assert np.quantile(errors, 0.99) < 2.0


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(-3.2, 3.2), st.floats(0.3, 9.7), st.floats(-0.5, 0.5), st.floats(-3.2, 3.2))
def test_turning_the_whole_scene_changes_nothing(turn, along, across, heading):
    assume(abs(across) > 1e-6)  # with a ray through the head's middle, rounding says which edge is nearest

    def scene(angle: float) -> complex:
        c, s = math.cos(angle), math.sin(angle)
        ends = [(20 + x * c, 20 + x * s, z) for x, z in ((0.0, 2.0), (10.0, 1.0))]
        x, y = 20 + along * c - across * s, 20 + along * s + across * c
        return field(line_of_sight(*ends), walker(x, y, heading + angle))

    assert abs(scene(turn) - scene(0.0)) < 1e-6


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.floats(0.3, 9.7), st.floats(-0.5, 0.5), st.floats(-3.2, 3.2))
def test_a_link_is_the_same_both_ways(along, across, heading):
    body = walker(along, across, heading)
    there = field(line_of_sight((0, 0, 2.5), (10, 0, 1)), body)
    back = field(line_of_sight((10, 0, 1), (0, 0, 2.5)), body)
    assert abs(there - back) < 0.03


def test_overlapping_parts_count_once_and_owners_multiply():
    paths = line_of_sight((0, 0, 1.2), (12, 0, 1.2))
    body = walker(6, 0)
    each = [field(paths, Blockers(*(getattr(body, f)[[i]] for f in Blockers.__slots__))) for i in range(12)]
    whole = field(paths, body)
    # Adding the capsules' terms counts their overlaps twice.
    assert abs(whole - (1 + sum(e - 1 for e in each))) > 0.4
    twice = join(body, walker(6, 0))
    assert field(paths, twice) == pytest.approx(whole, abs=1e-3)
    other = walker(3, 0.1, owner=1)
    assert field(paths, join(body, other)) == pytest.approx(whole * field(paths, other), abs=1e-12)


def test_parts_of_one_owner_may_stand_anywhere_in_the_arrays():
    paths = line_of_sight((0, 0, 1.2), (12, 0, 1.2))
    both = join(walker(6, 0, owner=4), walker(3, 0.1, owner=1))
    mixed = np.random.default_rng(2).permutation(24)
    shuffled = Blockers(*(getattr(both, f)[mixed] for f in Blockers.__slots__))
    a, b = blockage_db(paths, both, NOBODY), blockage_db(paths, shuffled, NOBODY)
    np.testing.assert_allclose(a.field, b.field, atol=2e-3)
    assert (a.worst_owner[0], a.worst_part[0]) == (b.worst_owner[0], b.worst_part[0])


def test_a_body_across_two_legs_counts_on_each():
    corners = [(0.0, 4.0, 1.0), (5.0, 0.0, 1.0), (10.0, 4.0, 1.0)]
    body = walker(5.0, 0.45)
    both = field(bent(corners), body)
    legs = [
        leg_field(body, 0, np.array(corners[k]), np.array(corners[k + 1]), k * math.hypot(5, 4), 2 * math.hypot(5, 4), LAMBDA)
        for k in range(2)
    ]
    assert abs(both - legs[0] * legs[1]) < 0.05
    assert min(abs(1 - legs[0]), abs(1 - legs[1])) > 0.1


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.floats(0.3, 5.5), st.floats(-0.4, 0.4), st.floats(-3.2, 3.2))
def test_a_reflected_path_is_the_straight_one_to_the_image(behind, across, heading):
    """Reflection at the wall y = 0: a body on the second leg is the body's image on the straight path to the UE's image."""
    first, second = np.array([5.0, -4.0, 0.0]), np.array([5.0, 4.0, 0.0])
    unit = second / np.linalg.norm(second)
    x, y = np.array([5.0, 0.0]) + behind * unit[:2] + across * np.array([-unit[1], unit[0]])
    body = walker(x, y, heading)
    image = Blockers(*(getattr(body, f) * ([1, -1, 1] if f in ("start_m", "end_m") else 1) for f in Blockers.__slots__))
    folded = [(0.0, 4.0, 1.3), (5.0, 0.0, 1.2), (10.0, 4.0, 1.1)]
    straight = [(0.0, 4.0, 1.3), (5.0, 0.0, 1.2), (10.0, -4.0, 1.1)]
    assert float(np.linalg.norm(first)) == pytest.approx(float(np.linalg.norm(second)))
    # On the straight path the image must not also stand beside the first leg; far enough from the wall it does not.
    if behind > 1.0:
        assert abs(field(bent(folded), body) - field(bent([straight[0], straight[2]]), image)) < 0.03


def test_the_carrier_of_the_antenna_does_not_block_it():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    body = walker(9.6, 0, owner=5)
    assert blockage_db(paths, body, np.array([5])).loss_db[0] == 0.0
    assert blockage_db(paths, body, np.array([4])).loss_db[0] > 8.0


def test_a_body_behind_either_end_costs_nothing():
    paths = line_of_sight((5, 0, 1), (15, 0, 1))
    for x in (4.3, 15.7):
        assert loss(paths, walker(x, 0)) == 0.0
    assert loss(paths, random_agv(np.random.default_rng(1), 3.9, 0.0)) == 0.0


def test_what_passes_an_antenna_comes_in_gradually():
    """A body that walks off the link over the antenna leaves no step larger than its walk explains."""
    paths = line_of_sight((5, 0, 1), (15, 0, 1))
    for body in (lambda x: walker(x, 0.35), lambda x: random_agv(np.random.default_rng(1), x, 0.9)):
        x = np.arange(3.5, 6.5, 0.002)
        f = np.array([field(paths, body(at)) for at in x])
        assert np.abs(f - 1).max() > 0.05
        assert np.abs(np.diff(f)).max() < 0.08


def test_the_part_that_stands_deepest_is_named():
    paths = line_of_sight((0, 0, 1.4), (10, 0, 1.4))
    waving = WALKER.copy()
    waving[5, 3:6] = (0.1, -0.45, 1.40)
    waving[7, :6] = (0.1, -0.45, 1.40, 0.1, -0.85, 1.42)
    wave = blockage_db(paths, walker(1.0, 0.75, parts=waving), NOBODY)
    assert wave.loss_db[0] > 1.0
    assert (wave.worst_owner[0], wave.worst_part[0]) == (0, FOREARM_RIGHT)
    over = blockage_db(line_of_sight((0, 0, 1.6), (10, 0, 1.6)), walker(5, 0), NOBODY)
    assert over.worst_part[0] == HEAD
    assert over.worst_db[0] == pytest.approx(over.loss_db[0])


def test_the_owner_with_the_largest_loss_is_named():
    paths = line_of_sight((0, 0, 1.2), (12, 0, 1.2))
    both = blockage_db(paths, join(walker(6, 0.22, owner=2), walker(3, 0.0, owner=7)), NOBODY)
    alone = [loss(paths, walker(6, 0.22)), loss(paths, walker(3, 0.0))]
    assert alone[1] > alone[0] > 0.5
    assert both.worst_owner[0] == 7
    assert both.worst_db[0] == pytest.approx(alone[1], abs=1e-9)
    far = blockage_db(paths, walker(6, 3.0), NOBODY)
    assert (far.worst_owner[0], far.worst_part[0], far.worst_db[0], far.loss_db[0]) == (-1, -1, 0.0, 0.0)


def test_an_antenna_inside_a_body_is_finite_and_touches_no_other_link():
    inside = line_of_sight((0, 0, 1.1), (10, 0, 1.1))
    for x in (10.0, 9.95, 9.99):
        lost = loss(inside, walker(x, 0))
        assert 10.0 < lost <= 60.0 + 1e-9
    other = line_of_sight((0, 20, 1.1), (10, 20, 1.1))
    assert loss(other, walker(10, 0)) == 0.0


def test_a_wall_of_a_body_costs_at_most_60_db():
    wall = blockers([[5, 0, -30]], [[5, 0, 30]], [[0.1, 60]], [0.0], [SHAPE_RECTANGLE], [0], [0])
    for f in (3.5, 28, 60):
        result = blockage_db(line_of_sight((0, 0, 1), (10, 0, 1), 0.299792458 / f), wall, NOBODY)
        assert 30.0 < result.loss_db[0] <= 60.0 + 1e-9


def test_walking_by_is_smooth_and_fades_to_nothing():
    """A person at 1.4 m/s across the middle of a 10 m link: no jump between ticks of 1 ms, no effect from afar."""
    paths = line_of_sight((0, 0, 1.2), (10, 0, 1.2))
    y = np.arange(-1.5, 1.5, 0.0014)
    f = np.array([field(paths, walker(5, at, 1.3)) for at in y])
    assert f[0] == 1.0
    assert f[-1] == 1.0
    assert np.abs(f - 1).max() > 0.6
    assert np.abs(np.diff(f)).max() < 0.05
    assert (np.abs(f) > 1.05).any()  # the fringes beside the shadow
    jumps = np.abs(f[2:] - 2 * f[1:-1] + f[:-2])
    assert jumps.max() < 0.04


@pytest.mark.parametrize("shape", [SHAPE_ELLIPSE, SHAPE_RECTANGLE])
def test_a_footprint_is_seen_across_the_ray(shape):
    yaw, a, b = 0.6, 0.1, 0.25
    width = {
        SHAPE_ELLIPSE: math.hypot(a * math.sin(yaw), b * math.cos(yaw)),
        SHAPE_RECTANGLE: a * math.sin(yaw) + b * math.cos(yaw),
    }[shape]
    column = blockers([[5, 0.1, -50]], [[5, 0.1, 50]], [(a, b)], [yaw], [shape], [0], [0])
    expected = silhouette_loss_db(5, 5, width, 50, 0.1, 1, LAMBDA)
    assert loss(line_of_sight((0, 0, 1), (10, 0, 1)), column) == pytest.approx(float(expected), abs=0.1)


def test_seen_from_straight_above_a_person_is_a_footprint():
    paths = line_of_sight((5, 5, 7), (5, 5, 0.1))
    result: Blockage = blockage_db(paths, walker(5, 5), NOBODY)
    assert result.loss_db[0] == pytest.approx(-20 * math.log10(abs(reference_field(paths, walker(5, 5), 0, 0))), abs=0.5)
    assert np.isfinite(result.field).all()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from([SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE]), st.sampled_from([3.5, 28, 60]))
def test_one_part_anywhere_agrees_with_brute_force(seed, shape, frequency_ghz):
    rng = np.random.default_rng(seed)
    start = np.array([rng.uniform(0.0, 10.0), rng.uniform(-0.3, 0.3), rng.uniform(0.2, 1.5)])
    lean = rng.uniform(-1, 1, 3) if shape == SHAPE_CAPSULE else np.array([0, 0, rng.uniform(0.1, 1.5)])
    body = blockers([start], [start + lean], [rng.uniform(0.03, 0.4, 2)], [rng.uniform(-3, 3)], [shape], [0], [0])
    paths = line_of_sight((0, 0, 2.0), (10, 0, 0.8), 0.299792458 / frequency_ghz)
    assert abs(field(paths, body) - reference_field(paths, body, 0, 0)) < 0.06


def test_bad_bodies_are_refused_by_number():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    with pytest.raises(ValueError, match="blocker 12 has owner -1"):
        loss(paths, join(walker(3, 0), person(4, 0, owner=-1)))
    with pytest.raises(ValueError, match=r"blocker 1 runs from \[nan, 0.0, 0.0\]"):
        loss(paths, join(person(3, 0), person(math.nan, 0)))
    with pytest.raises(ValueError, match=r"blocker 0 has shape 7, wanted one of"):
        loss(paths, blockers([[5, 0, 0]], [[5, 0, 1]], [[0.1, 0.1]], [0.0], [7], [0], [0]))
    with pytest.raises(ValueError, match=r"ue_owner has shape \(2,\), wanted \(1,\)"):
        blockage_db(paths, person(3, 0), np.array([-1, -1]))


def test_no_bodies_and_no_length_cost_nothing():
    empty = blockers([], [], [], [], [], [], [])
    assert loss(line_of_sight((0, 0, 1), (10, 0, 1)), empty) == 0.0
    folded = bent([(0.0, 0.0, 1.0), (0.0, 0.0, 1.0), (10.0, 0.0, 1.0)])
    assert field(folded, walker(5, 0.1)) == pytest.approx(field(line_of_sight((0, 0, 1), (10, 0, 1)), walker(5, 0.1)), abs=1e-12)
