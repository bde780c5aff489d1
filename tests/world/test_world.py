"""The Bullet world: repeatable, apart from other worlds, and right about who touches and hides whom."""

from dataclasses import replace

import numpy as np
import pytest
from world_scenes import HALL_M, READY_RAD, people, spec

from factory.bullet import pybullet
from factory.world import HIT_AGV, HIT_BOX, HIT_COBOT, HIT_HALL, HIT_NONE, HIT_PERSON, LINK_RADIUS_M, World

AGV_AT = np.array([[8.0, 3.0]])
FLAT = np.zeros(1)


@pytest.fixture
def crowd():
    return people(np.array([[4.0, 4.0], [12.0, 4.0]]))


@pytest.fixture
def world(crowd):
    made = World(spec(crowd))
    made.place_arms(READY_RAD[None])
    yield made
    made.close()


def put(world, crowd, agv_xy=AGV_AT, agv_yaw=FLAT, load_m=FLAT, target=READY_RAD[None]):
    """Step once and bring the scene up to date."""
    world.step(agv_xy, agv_yaw, load_m, target)
    world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)


def hit(world, start, end):
    kind, index = world.ray_test(np.array([start], dtype=float), np.array([end], dtype=float))
    return int(kind[0]), int(index[0])


def swing(k: int, arms: int) -> np.ndarray:
    """Return joint targets that move every joint, each arm differently."""
    return READY_RAD + 0.6 * np.sin(0.11 * k + np.arange(arms)[:, None] + 0.5 * np.arange(7))


def drive(world: World, crowd, steps: int) -> list[np.ndarray]:
    """Return everything that the world says while arms swing, an AGV with a changing load drives, and people come and go."""
    said = []
    for k in range(steps):
        agv = np.array([[11.0 + 0.03 * k, 3.5]])
        world.step(agv, np.array([0.02 * k]), np.array([0.5 if k % 20 < 10 else 0.0]), swing(k, 2))
        if k % 5 == 0:
            present = np.array([k % 10 == 0, True])
            world.sync_people(present, crowd.capsule_a, crowd.capsule_b)
            fan = np.linspace(0, np.pi, 60)
            end = np.stack((10 + 9 * np.cos(fan), 6 - 5 * np.sin(fan), np.full(60, 0.6)), axis=1)
            said += list(world.ray_test(np.tile((10.0, 7.0, 1.5), (60, 1)), end))
            said.append(np.array(world.contacts(), dtype=object))
        said += [*world.cobot_link_capsules()[:2], world.cobot_joint_position()]
    return said


def test_same_inputs_give_bit_identical_worlds(crowd):
    said = []
    for _ in range(2):
        world = World(spec(crowd, cobots=2))
        world.place_arms(swing(0, 2))
        said.append(drive(world, crowd, 60))
        world.close()
    assert len(said[0]) == len(said[1])
    for one, other in zip(*said, strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    links = [a for a in said[0] if a.shape == (2, 8, 3)]
    assert np.ptp(links[1::2], axis=0).max() > 0.05  # the comparison above is of arms that do move [m]
    assert sum(len(a) > 0 for a in said[0] if a.dtype == object) > 0  # and of contacts


def test_worlds_in_one_process_do_not_disturb_each_other(crowd):
    alone = World(spec(crowd, cobots=2))
    alone.place_arms(swing(0, 2))
    wanted = drive(alone, crowd, 30)
    alone.close()

    first, second = World(spec(crowd, cobots=2)), World(spec(crowd, agvs=0, cobots=1, boxes=False))
    first.place_arms(swing(0, 2))
    second.place_arms(READY_RAD[None] + 1.0)
    interrupted = []
    plain_step = first.step

    def step_both(*pose):
        second.step(np.zeros((0, 2)), np.zeros(0), np.zeros(0), -READY_RAD[None])
        interrupted.append(1)
        plain_step(*pose)

    first.step = step_both
    got = drive(first, crowd, 30)
    assert len(interrupted) == 30
    assert all(np.array_equal(a, b) for a, b in zip(wanted, got, strict=True))

    second.close()
    assert hit(first, (1, 10.0, 1), (19, 10.0, 1)) == (HIT_BOX, 0)  # closing one leaves the other's scene
    first.close()


def test_an_arm_follows_its_target_to_less_than_a_degree(world):
    target = READY_RAD + np.array([0.8, -0.3, 0.5, 0.4, -0.6, 0.3, 1.0])
    for _ in range(150):
        world.step(AGV_AT, FLAT, FLAT, target[None])
    error_deg = np.degrees(np.abs(world.cobot_joint_position()[0] - target))
    assert error_deg.max() < 1.0


def test_an_arm_needs_time_to_follow(world):
    target = READY_RAD + 0.8
    world.step(AGV_AT, FLAT, FLAT, target[None])
    after_one_step = np.abs(world.cobot_joint_position()[0] - target)
    assert after_one_step.max() > np.radians(10)  # joint dynamics, not a jump


def work(n_arm: int, steps: int, iterate: bool) -> np.ndarray:
    """Return the joints (steps, m, 7) of arms that work, by elimination as the world does or by Bullet's iterations."""
    far = spec(people(np.array([[4.0, 4.0]])), cobots=n_arm)
    made = World(replace(far, cobot_position_m=far.cobot_position_m * np.array([1.5, 1.0, 1.0])))
    if iterate:
        pybullet.setPhysicsEngineParameter(
            constraintSolverType=pybullet.CONSTRAINT_SOLVER_LCP_SI, numSolverIterations=400, physicsClientId=made._motion
        )
    made.place_arms(swing(0, n_arm))
    joints = []
    for k in range(steps):
        made.step(AGV_AT, FLAT, FLAT, swing(k, n_arm))
        joints.append(made.cobot_joint_position())
    made.close()
    return np.array(joints)


def test_elimination_moves_the_arms_as_iteration_does():
    eliminated, iterated = work(2, 400, False), work(2, 400, True)
    assert not np.array_equal(eliminated, iterated)
    assert np.abs(eliminated - iterated).max() < 1e-4


def test_link_capsules_form_a_chain_from_the_base(world):
    start, end, radius = world.cobot_link_capsules()
    assert start.shape == end.shape == (1, 8, 3)
    assert tuple(radius) == LINK_RADIUS_M
    assert np.array_equal(start[0, 1:], end[0, :-1])
    assert np.array_equal(start[0, 0], (3.0, 9.0, 0.8))
    # upright, the iiwa's flange is 1.266 m above its base (0.36 + 0.42 + 0.4 + 0.081, KUKA data sheet, to the last joint's frame)
    world.place_arms(np.zeros((1, 7)))
    start, end, _ = world.cobot_link_capsules()
    assert end[0, 6] == pytest.approx((3.0, 9.0, 0.8 + 0.36 + 0.42 + 0.4 + 0.081), abs=0.03)
    assert np.linalg.norm(end[0, 7] - start[0, 7]) == pytest.approx(0.17)


def test_a_picture_of_the_arm_is_where_its_capsules_are(world, crowd):
    put(world, crowd)
    start, end, _ = world.cobot_link_capsules()
    for k in range(2, 7):
        middle = (start[0, k] + end[0, k]) / 2
        side = np.array([0.0, 0.0, 0.6]) if k < 6 else np.array([0.0, 0.6, 0.0])
        assert hit(world, middle + side, middle) == (HIT_COBOT, 0)


@pytest.mark.parametrize("load_m", [0.0, 0.6])
def test_contact_with_an_agv(world, load_m):
    near = people(np.array([[8.0, 3.0 + 0.4 + 0.05], [15.0, 8.0]]))
    put(world, near, load_m=np.array([load_m]))
    assert world.contacts() == ((0, "agv", 0),)
    away = people(np.array([[8.0, 4.2], [15.0, 8.0]]))
    put(world, away, load_m=np.array([load_m]))
    assert world.contacts() == ()


def test_contact_with_a_load_alone(world):
    # the arm of somebody beside the AGV reaches over the body and touches only the load on top
    state = people(np.array([[8.0, 3.8], [15.0, 8.0]]), heading_rad=np.array([-np.pi / 2, 0.0]))
    a, b = state.capsule_a.copy(), state.capsule_b.copy()
    forearm = 6
    length = np.linalg.norm(b[0, forearm] - a[0, forearm])
    a[0, forearm], b[0, forearm] = (8.0, 3.65, 1.0), (8.0, 3.65 - length, 1.0)
    for load, expected in ((0.0, ()), (1.0, ((0, "agv", 0),))):
        world.step(AGV_AT, FLAT, np.array([load]), READY_RAD[None])
        world.sync_people(state.present, a, b)
        assert world.contacts() == expected


def test_contact_with_an_arm_goes_away_with_the_person(world):
    tip = None
    for _ in range(50):
        world.step(AGV_AT, FLAT, FLAT, READY_RAD[None])
        tip = world.cobot_link_capsules()[1][0, 6]
    assert tip is not None
    near = people(np.array([[tip[0], tip[1]], [15.0, 3.0]]))
    put(world, near)
    assert world.contacts() == ((0, "cobot", 0),)
    gone = people(near.position_m, present=np.array([False, True]))
    put(world, gone)
    assert world.contacts() == ()
    put(world, near)
    assert world.contacts() == ((0, "cobot", 0),)


def test_rays_name_what_they_hit(world, crowd):
    put(world, crowd)
    length, width, height = HALL_M
    assert hit(world, (10, 6, 1.2), (10, 14, 1.2)) == (HIT_BOX, 0)
    assert hit(world, (14, 3, 0.7), (18, 3, 0.7)) == (HIT_BOX, 1)
    assert hit(world, (1, 4, 1.2), (9, 4, 1.2)) == (HIT_PERSON, 0)
    assert hit(world, (13.5, 4, 1.2), (9, 4, 1.2)) == (HIT_PERSON, 1)
    assert hit(world, (8, 5, 0.2), (8, 1, 0.2)) == (HIT_AGV, 0)
    assert hit(world, (2, 9, 0.9), (3.2, 9, 0.9)) == (HIT_COBOT, 0)
    assert hit(world, (5, 6, 1), (-5, 6, 1)) == (HIT_HALL, 1)
    assert hit(world, (5, 6, 1), (length + 5, 6, 1)) == (HIT_HALL, 2)
    assert hit(world, (6, 6, 1), (6, -5, 1)) == (HIT_HALL, 3)
    assert hit(world, (1, 6, 1), (1, width + 5, 1)) == (HIT_HALL, 4)
    assert hit(world, (6, 6, height), (6, 6, -1)) == (HIT_HALL, 0)
    assert hit(world, (5, 6, 1), (6, 6, 1)) == (HIT_NONE, -1)
    assert hit(world, (5, 6, 1), (5, 6, height + 3)) == (HIT_NONE, -1)  # no ceiling


def test_the_first_of_two_people_is_hit(world):
    row = people(np.array([[6.0, 6.0], [9.0, 6.0]]))
    put(world, row)
    assert hit(world, (1, 6, 1.2), (19, 6, 1.2)) == (HIT_PERSON, 0)
    assert hit(world, (19, 6, 1.2), (1, 6, 1.2)) == (HIT_PERSON, 1)
    put(world, people(row.position_m, present=np.array([True, False])))
    assert hit(world, (19, 6, 1.2), (1, 6, 1.2)) == (HIT_PERSON, 0)


def test_a_load_changes_what_a_ray_hits(world, crowd):
    over = ((8.0, 5.0, 0.8), (8.0, 1.0, 0.8))
    put(world, crowd)
    assert hit(world, *over) == (HIT_NONE, -1)
    put(world, crowd, load_m=np.array([0.9]))
    assert hit(world, *over) == (HIT_AGV, 0)
    put(world, crowd, load_m=np.array([0.3]))
    assert hit(world, *over) == (HIT_NONE, -1)
    put(world, crowd, load_m=np.array([0.9]), agv_xy=np.array([[11.0, 3.0]]))
    assert hit(world, *over) == (HIT_NONE, -1)  # the load drives along
    assert hit(world, (11.0, 5.0, 0.8), (11.0, 1.0, 0.8)) == (HIT_AGV, 0)
    put(world, crowd)
    assert hit(world, *over) == (HIT_NONE, -1)


def test_an_agv_turns(world, crowd):
    beside = ((8.0, 3.5, 0.15), (8.0, 3.45, 0.15))
    put(world, crowd)
    assert hit(world, *beside)[0] == HIT_NONE
    put(world, crowd, agv_yaw=np.array([np.pi / 2]))
    assert hit(world, (8.0, 4.0, 0.15), (8.0, 3.5, 0.15)) == (HIT_AGV, 0)


def test_many_rays_are_cast_in_batches(world, crowd):
    put(world, crowd)
    n = 16_001  # Bullet takes at most 16384 at once
    start, end = np.tile((1.0, 4.0, 1.2), (n, 1)), np.tile((9.0, 4.0, 1.2), (n, 1))
    end[-1] = (1.0, 5.0, 1.2)
    kind, index = world.ray_test(start, end)
    assert (kind[:-1] == HIT_PERSON).all()
    assert kind[-1] == HIT_NONE
    assert index[-1] == -1
    assert world.ray_test(np.zeros((0, 3)), np.zeros((0, 3)))[0].shape == (0,)


@pytest.mark.parametrize("wrong", ["agv_xy", "agv_yaw", "load_m", "target"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pose_that_is_no_number_is_refused(world, crowd, wrong, value):
    pose = {"agv_xy": AGV_AT.copy(), "agv_yaw": FLAT.copy(), "load_m": FLAT.copy(), "target": READY_RAD[None].copy()}
    pose[wrong].flat[0] = value
    with pytest.raises(ValueError, match="not a finite number"):
        world.step(pose["agv_xy"], pose["agv_yaw"], pose["load_m"], pose["target"])
    put(world, crowd)  # and the world goes on
    assert np.isfinite(world.cobot_joint_position()).all()


def test_a_capsule_that_is_no_number_is_refused(world, crowd):
    broken = crowd.capsule_a.copy()
    broken[1, 3, 2] = np.nan
    with pytest.raises(ValueError, match="person 1"):
        world.sync_people(crowd.present, broken, crowd.capsule_b)
    world.sync_people(np.array([True, False]), broken, crowd.capsule_b)  # whoever is away may have no pose


def test_a_step_keeps_no_hold_of_its_arguments(world, crowd):
    load = np.array([0.9])
    world.step(AGV_AT, FLAT, load, READY_RAD[None])
    load[0] = 0.0
    world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)
    assert hit(world, (8.0, 5.0, 0.8), (8.0, 1.0, 0.8)) == (HIT_AGV, 0)


def test_picture_shows_the_hall(world, crowd):
    put(world, crowd)
    image = world.picture(320, 180)
    assert image.shape == (180, 320, 3)
    assert image.dtype == np.uint8
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
    put(world, crowd, load_m=np.array([0.9]))
    assert (world.picture(320, 180) != image).any()  # the load is seen


def test_close_can_be_called_twice(crowd):
    world = World(spec(crowd, agvs=0, cobots=0, boxes=False))
    world.close()
    world.close()
