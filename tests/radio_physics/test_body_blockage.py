"""Blockage model B against published and computed vectors, its oracle, and what a walk through a link looks like."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from body_scenes import bent
from hypothesis import given, settings
from hypothesis import strategies as st
from radio_scenes import WAVELENGTH_28_GHZ_M, blockers, free_points, join, line_of_sight, person, random_blockers, random_hall

from radio.bodies.blockage import blockage_db, screen_loss_db
from radio.bodies.blockage_kernels import view, view_bound
from radio.bodies.blockage_oracle import reference_blockage
from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.paths import compute_paths
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE, Blockage, Blockers, Paths

NOBODY = np.array([-1])


def wavelength(frequency_ghz: float) -> float:
    return 0.299792458 / frequency_ghz


def model_b(paths: Paths, bodies: Blockers, ue_owner: np.ndarray) -> Blockage:
    return blockage_db(paths, bodies, ue_owner, model="model_b")


def loss(paths: Paths, bodies: Blockers) -> float:
    return float(model_b(paths, bodies, np.full(paths.n_ue, -1)).loss_db[0])


# Vectors computed from TR 38.901 equations 7.6-28 and 7.6-29 by a second implementation: screen 0.3 m, r1 + r2 = 10 m.
@pytest.mark.parametrize(
    ("frequency_ghz", "expected_db"),
    [
        (28.0, (16.34, 13.77, 11.51, 9.84)),
        (3.5, (8.30, 6.35, 4.86, 3.90)),
        (60.0, (19.56, 16.92, 14.55, 12.75)),
    ],
)
def test_endless_screen_centred(frequency_ghz, expected_db):
    for near, expected in zip((0.5, 1.0, 2.0, 5.0), expected_db, strict=True):
        got = screen_loss_db(near, 10 - near, 0.15, math.inf, 0.0, 0.0, wavelength(frequency_ghz))
        assert got == pytest.approx(expected, abs=0.02)


def test_finite_human_screen_centred():
    for near, expected in zip((0.5, 1.0, 2.0, 5.0), (14.89, 12.53, 10.38, 8.77), strict=True):
        assert screen_loss_db(near, 10 - near, 0.15, 0.85, 0.0, 0.0, wavelength(28)) == pytest.approx(expected, abs=0.02)


# Centre-blocked 0.3 x 1.7 m at z = 1 m, against frequency and place.
@pytest.mark.parametrize(
    ("near", "far", "expected_db"),
    [
        (2.5, 2.5, (4.54, 11.28, 14.30, 15.10)),
        (0.5, 4.5, (7.27, 15.10, 18.27, 19.09)),
        (5.0, 5.0, (3.07, 8.74, 11.56, 12.33)),
        (1.0, 14.0, (5.24, 12.35, 15.42, 16.23)),
    ],
)
def test_human_screen_at_antenna_height_one_metre(near, far, expected_db):
    for frequency_ghz, expected in zip((3.5, 28.0, 60.0, 73.0), expected_db, strict=True):
        got = screen_loss_db(near, far, 0.15, 0.85, 0.0, 0.15, wavelength(frequency_ghz))
        assert got == pytest.approx(expected, abs=0.02)
        paths = line_of_sight((0, 0, 1), (near + far, 0, 1), wavelength(frequency_ghz))
        assert loss(paths, person(near, 0)) == pytest.approx(expected, abs=0.02)


def test_against_lateral_offset():
    # Model B 0.5 x 1.74 m mid-way on a 10 m link with antennas at 1.2 m, 28 GHz, to the printed digit.
    for y, expected in ((0, 11.7), (0.1, 10.8), (0.2, 7.3), (0.3, 2.6), (0.4, 1.0), (1.0, 0.1)):
        assert screen_loss_db(5, 5, 0.25, 0.87, y, 1.2 - 0.87, wavelength(28)) == pytest.approx(expected, abs=0.05)
        body = person(5, y, half=(0.25, 0.25), height_m=1.74)
        assert loss(line_of_sight((0, 0, 1.2), (10, 0, 1.2)), body) == pytest.approx(expected, abs=0.06)


def test_screen_loss_refuses_impossible_lengths():
    with pytest.raises(ValueError, match=r"near_m is 0.0, wanted a length above 0 m"):
        screen_loss_db(0.0, 10.0, 0.15, 0.85, 0.0, 0.0, 0.01)
    with pytest.raises(ValueError, match=r"wavelength_m is -1"):
        screen_loss_db(1.0, 10.0, 0.15, 0.85, 0.0, 0.0, -1)


def assert_same(fast: Blockage, slow: Blockage) -> None:
    np.testing.assert_allclose(fast.loss_db, slow.loss_db, atol=1e-6, rtol=0)
    np.testing.assert_allclose(fast.worst_db, slow.worst_db, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(fast.worst_owner, slow.worst_owner)
    np.testing.assert_array_equal(fast.worst_part, slow.worst_part)


@settings(deadline=None, max_examples=9, derandomize=True)
@given(st.integers(0, 2**31), st.sampled_from([3.5e9, 28e9, 60e9]))
def test_kernel_equals_the_oracle_on_random_scenes(seed, frequency_hz):
    rng = np.random.default_rng(seed)
    hall = random_hall(rng, 4)
    trp, ue = free_points(rng, hall, 2), free_points(rng, hall, 3, 0.3, 1.8)
    paths = compute_paths(prepare_hall(hall, frequency_hz), trp, ue, 10, 60.0)
    bodies = random_blockers(rng, n_people=25, n_agvs=8, n_arms=2)
    # Put some bodies beside the legs, where the shadows are.
    bodies.start_m[:40, :2] += 0.5 * (ue[0, :2] - bodies.start_m[:40, :2])
    bodies.end_m[:40, :2] += 0.5 * (ue[0, :2] - bodies.end_m[:40, :2])
    ue_owner = np.array([-1, 3, 26])
    fast = model_b(paths, bodies, ue_owner)
    assert_same(fast, reference_blockage(paths, bodies, ue_owner))
    assert (fast.loss_db >= 0).all()
    assert (fast.worst_db <= fast.loss_db + 1e-9).all()


def test_kernel_equals_the_oracle_in_a_crowd_that_blocks_many_paths():
    rng = np.random.default_rng(5)
    hall = Hall.empty((60, 40, 8))
    trp, ue = np.array([[15.0, 20, 3], [45, 20, 7.5]]), free_points(rng, hall, 4, 0.8, 1.4)
    paths = compute_paths(prepare_hall(hall, 28e9), trp, ue, 8, 60.0)
    bodies = random_blockers(rng, n_people=400, n_agvs=40, n_arms=5, limbs=2)
    fast = model_b(paths, bodies, np.full(4, -1))
    assert_same(fast, reference_blockage(paths, bodies, np.full(4, -1)))
    assert (fast.loss_db > 3).mean() > 0.25
    assert len(np.unique(fast.worst_owner)) > 8
    assert (fast.worst_part > 0).any()


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.floats(-3.2, 3.2), st.floats(0.1, 9.9), st.floats(-0.6, 0.6), st.integers(0, 2))
def test_turning_the_whole_scene_changes_nothing(turn, along, across, shape):
    def scene(angle: float) -> float:
        c, s = math.cos(angle), math.sin(angle)

        def at(x: float, y: float, z: float) -> list[float]:
            return [20 + x * c - y * s, 20 + x * s + y * c, z]

        low, high = at(along, across, 0.2), at(along + 0.2, across + 0.1, 1.5)
        body = blockers([low], [high], [[0.3, 0.1]], [angle + 0.5], [shape], [0], [0])
        return loss(line_of_sight(tuple(at(0, 0, 3)), tuple(at(10, 0, 1))), body)

    assert scene(turn) == pytest.approx(scene(0.0), abs=1e-6)


def test_footprint_is_seen_across_the_ray():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))

    def of(shape: int, yaw: float, half: tuple[float, float]) -> float:
        return loss(paths, blockers([[5, 0, -50]], [[5, 0, 50]], [half], [yaw], [shape], [0], [0]))

    def screen(half_width: float) -> float:
        return screen_loss_db(5, 5, half_width, 50, 0, 1, WAVELENGTH_28_GHZ_M)

    yaw = 0.6
    assert of(SHAPE_ELLIPSE, yaw, (0.1, 0.25)) == pytest.approx(screen(math.hypot(0.1 * math.sin(yaw), 0.25 * math.cos(yaw))))
    assert of(SHAPE_RECTANGLE, yaw, (0.1, 0.25)) == pytest.approx(screen(0.1 * math.sin(yaw) + 0.25 * math.cos(yaw)))
    assert of(SHAPE_ELLIPSE, 0.0, (0.1, 0.25)) == pytest.approx(screen(0.25))
    assert of(SHAPE_ELLIPSE, math.pi / 2, (0.1, 0.25)) == pytest.approx(screen(0.1))


def test_a_capsule_is_longer_than_its_axis_by_its_radius_at_both_ends():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    arm = blockers([[4, 0, 0.5]], [[4, 0, 1.5]], [[0.06, 0.0]], [0.0], [SHAPE_CAPSULE], [0], [0])
    assert loss(paths, arm) == pytest.approx(screen_loss_db(4, 6, 0.06, 0.56, 0, 0, WAVELENGTH_28_GHZ_M), abs=1e-9)


def test_a_tilted_forearm_is_a_tilted_rectangle():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    along = np.array([0.0, math.sin(0.5), math.cos(0.5)])
    centre = np.array([4.0, 0.12, 1.05])
    arm = blockers([centre - 0.2 * along], [centre + 0.2 * along], [[0.05, 0]], [0.0], [SHAPE_CAPSULE], [0], [0])
    off = np.array([0.0, 0.12, 0.05])
    expected = screen_loss_db(4, 6, 0.05, 0.25, off @ [0, math.cos(0.5), -math.sin(0.5)], off @ along, WAVELENGTH_28_GHZ_M)
    assert loss(paths, arm) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.5


def test_a_body_seen_from_straight_above_is_its_footprint():
    paths = line_of_sight((5, 5, 7), (5, 5, 0.1))
    agv = blockers([[5, 5, 0.2]], [[5, 5, 0.8]], [[0.75, 0.45]], [0.0], [SHAPE_RECTANGLE], [0], [0])
    assert loss(paths, agv) == pytest.approx(screen_loss_db(6.5, 0.4, 0.75, 0.45, 0, 0, WAVELENGTH_28_GHZ_M), abs=1e-9)


def test_of_one_owner_the_largest_counts_and_owners_add():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    first, second = person(3, 0, owner=0), person(6, 0.05, owner=1)
    a, b = loss(paths, first), loss(paths, second)
    assert loss(paths, join(first, second)) == pytest.approx(a + b, abs=1e-9)
    twin = Blockers(second.start_m, second.end_m, second.half_width_m, second.yaw_rad, second.shape, np.array([0]), np.array([7]))
    assert loss(paths, join(first, twin)) == pytest.approx(max(a, b), abs=1e-9)
    worst = model_b(paths, join(first, twin), NOBODY)
    assert worst.worst_owner[0] == 0
    assert worst.worst_part[0] == (0 if a > b else 7)
    assert worst.worst_db[0] == pytest.approx(max(a, b))


def test_screens_of_one_owner_may_stand_anywhere_in_the_arrays():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    a, b, c = person(3, 0, owner=4), person(6, 0.05, owner=1), person(7, 0.1, owner=4)
    together, apart = loss(paths, join(a, c, b)), loss(paths, join(a, b, c))
    assert together == apart


def test_the_carrier_of_the_antenna_does_not_block_it():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    body = person(9.7, 0, owner=5)
    assert model_b(paths, body, np.array([5])).loss_db[0] == 0.0
    assert model_b(paths, body, np.array([4])).loss_db[0] > 10.0


def test_a_body_behind_either_end_costs_nothing():
    paths = line_of_sight((5, 0, 1), (15, 0, 1))
    assert loss(paths, person(4.5, 0)) == 0.0
    assert loss(paths, person(15.5, 0)) == 0.0
    assert loss(paths, person(10, 0)) > 8.0


def test_a_weak_shadow_names_nobody():
    result = model_b(line_of_sight((0, 0, 1), (10, 0, 1)), person(5, 0.6), NOBODY)
    assert 0.0 < result.loss_db[0] < 0.5
    assert (result.worst_owner[0], result.worst_part[0], result.worst_db[0]) == (-1, -1, 0.0)


def test_no_bodies_no_loss():
    empty = blockers([], [], [], [], [], [], [])
    result = model_b(line_of_sight((0, 0, 1), (10, 0, 1)), empty, NOBODY)
    assert result.loss_db[0] == 0.0
    assert result.worst_owner[0] == -1


def test_a_reflected_path_is_unfolded():
    """A body on the second leg is as far from the TRP as the folded path is long up to it."""
    prepared = prepare_hall(Hall.empty((60, 40, 8)), 28e9)
    paths = compute_paths(prepared, np.array([[20.0, 4, 1]]), np.array([[30.0, 4, 1]]), 64, 100.0)
    p = int(np.flatnonzero((paths.order == 1) & (np.abs(paths.vertex_m[:, 1, 1]) < 1e-9))[0])  # bounce at (25, 0, 1)
    w = np.array([5, 4, 0]) / math.hypot(5, 4)
    for leg, sign in ((0, -1), (1, 1)):
        body = person(25.0 + sign * 2 * w[0], 2 * w[1])
        near = math.hypot(5, 4) - 2
        expected = screen_loss_db(near, 2 * math.hypot(5, 4) - near, 0.15, 0.85, 0, 0.15, WAVELENGTH_28_GHZ_M)
        assert model_b(paths, body, NOBODY).loss_db[p] == pytest.approx(expected, abs=1e-9), leg


def test_every_leg_of_a_path_of_two_bounces_counts_its_distance_from_the_trp():
    corners = [(0.0, 0.0, 1.0), (4.0, 3.0, 1.0), (8.0, 3.0, 1.0), (8.0, 9.0, 1.0)]  # legs of 5, 4 and 6 m
    paths = bent(corners)
    for body, near, turn in (((2.4, 1.8), 3.0, math.atan2(3, 4)), ((6.0, 3.0), 7.0, 0.0), ((8.0, 5.0), 11.0, math.pi / 2)):
        screen = blockers([[*body, 0.0]], [[*body, 1.7]], [(0.02, 0.15)], [turn], [SHAPE_ELLIPSE], [0], [0])
        assert loss(paths, screen) == pytest.approx(
            screen_loss_db(near, 15 - near, 0.15, 0.85, 0, 0.15, WAVELENGTH_28_GHZ_M), abs=1e-9
        )


def test_each_trp_has_its_own_wavelength():
    both = [line_of_sight((0, 0, 1), (10, 0, 1), wavelength(f)) for f in (3.5, 28)]
    paths = replace(
        both[1],
        n_trp=2,
        offset=np.array([0, 1, 2]),
        **{
            f.name: np.concatenate([getattr(p, f.name) for p in both])
            for f in fields(Paths)
            if f.name not in ("n_ue", "n_trp", "offset")
        },
    )
    for model in ("model_b", "silhouette"):
        together = blockage_db(paths, person(5, 0.1), NOBODY, model=model).field
        alone = [blockage_db(p, person(5, 0.1), NOBODY, model=model).field[0] for p in both]
        np.testing.assert_array_equal(together, alone)
        assert abs(alone[0] - alone[1]) > 0.1


def test_taper_ends_the_shadow_smoothly():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    radius = math.sqrt(WAVELENGTH_28_GHZ_M * 2.5)
    y = 0.15 + radius * np.linspace(3.5, 6.5, 301)
    tail = np.array([loss(paths, person(5, v)) for v in y])
    pure = np.array([screen_loss_db(5, 5, 0.15, 0.85, v, 0.15, WAVELENGTH_28_GHZ_M) for v in y])
    inside = y < 0.15 + 4.0 * radius
    np.testing.assert_allclose(tail[inside], pure[inside], atol=1e-9)
    assert (tail[y > 0.15 + 6.0 * radius] == 0).all()
    assert np.abs(np.diff(tail)).max() < 0.004
    assert (pure - tail).max() < 0.07  # what the taper takes away, in dB


def test_a_person_walking_through_a_link_gives_a_smooth_dip():
    """0.3 x 1.7 m person at 1.4 m/s across the middle of a 10 m link at 0.85 m: 8.77 dB deep, about a quarter of a second."""
    paths = line_of_sight((0, 0, 0.85), (10, 0, 0.85))
    y = np.arange(-2.0, 2.0, 0.014)  # 10 ms steps
    dip = np.array([loss(paths, person(5, v)) for v in y])
    assert dip.max() == pytest.approx(8.77, abs=0.02)
    assert dip[0] == 0.0
    assert dip[-1] == 0.0
    assert np.abs(np.diff(dip)).max() < 0.8
    assert np.argmax(dip) == pytest.approx(np.argmin(np.abs(y)), abs=1)
    np.testing.assert_allclose(dip, np.interp(-y, y, dip), atol=0.4)
    above_3_db_ms = 10 * int((dip > 3.0).sum())
    above_1_db_ms = 10 * int((dip > 1.0).sum())
    # Geometric shadow of 0.3 m takes 214 ms; model B is near 3 dB at its edge and below 1 dB 0.12 m outside.
    assert 180 <= above_3_db_ms <= 260
    assert 300 <= above_1_db_ms <= 460


def test_a_person_at_the_antenna_costs_at_most_60_db():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    for x in (1e-9, 1e-4, 9.999999):
        value = loss(paths, person(x, 0.0, half=(5.0, 5.0), height_m=20.0))
        assert 20.0 < value <= 60.0 + 1e-9


def test_bad_screens_are_refused_by_number():
    paths = line_of_sight((0, 0, 1), (10, 0, 1))
    with pytest.raises(ValueError, match="blocker 1 has owner -1"):
        loss(paths, join(person(3, 0), person(4, 0, owner=-1)))
    with pytest.raises(ValueError, match=r"blocker 1 runs from \[nan, 0.0, 0.0\]"):
        loss(paths, join(person(3, 0), person(math.nan, 0)))
    with pytest.raises(ValueError, match="model is 'screens', wanted 'silhouette' or 'model_b'"):
        blockage_db(paths, person(3, 0), NOBODY, model="screens")
    with pytest.raises(ValueError, match=r"ue_owner has shape \(2,\), wanted \(1,\)"):
        model_b(paths, person(3, 0), np.array([-1, -1]))
    one = person(3, 0)
    short = Blockers(one.start_m, one.end_m, one.half_width_m, np.zeros(0), one.shape, one.owner, one.part)
    with pytest.raises(ValueError, match=r"yaw_rad.* wanted .* for 1 owners"):
        loss(paths, short)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.floats(0.01, 60), st.floats(0.01, 60), st.floats(0.0, 3.0), st.floats(0.005, 2.0))
def test_no_view_exceeds_the_bound_that_spares_it(near_m, far_m, offset_m, half_m):
    fresnel_m = math.sqrt(WAVELENGTH_28_GHZ_M * near_m * far_m / (near_m + far_m))
    bound = view_bound(max(offset_m - half_m, 0.0), half_m, fresnel_m, min(near_m, far_m))
    assert view(offset_m, half_m, near_m, far_m, math.pi / WAVELENGTH_28_GHZ_M) <= bound
