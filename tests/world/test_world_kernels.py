"""Links by own kinematics are Bullet's; no pair that touches is missed before Bullet is asked."""

import numpy as np
import pytest
from world_scenes import HALL_M, READY_RAD, people, spec

from factory import world_kernels as kernel
from factory.bullet import pybullet
from factory.world import World

FLAT = np.zeros(1)


def test_links_are_where_bullet_has_them():
    world = World(spec(people(np.array([[4.0, 4.0]])), cobots=2))
    rng = np.random.default_rng(3)
    world.place_arms(rng.uniform(-1.5, 1.5, (2, 7)))
    farthest = 0.0
    for _ in range(60):
        before = world.cobot_link_capsules()[1].copy()
        world.step(np.array([[8.0, 3.0]]), FLAT, FLAT, rng.uniform(-1.5, 1.5, (2, 7)))
        start, end, _ = world.cobot_link_capsules()
        farthest = max(farthest, float(np.abs(end - before).max()))
        for j, arm in enumerate(world._moving_arms):
            states = pybullet.getLinkStates(arm, range(7), computeForwardKinematics=1, physicsClientId=world._motion)
            joints = np.array([s[4] for s in states])
            assert np.abs(joints - start[j, 1:]).max() < 2e-6  # Bullet tells link frames in single precision
            axis = np.reshape(pybullet.getMatrixFromQuaternion(states[6][5]), (3, 3))[:, 2]
            assert np.abs(end[j, 7] - joints[6] - kernel.TOOL_M * axis).max() < 2e-6
    assert farthest > 0.1  # the arms did move
    world.close()


def test_no_link_reaches_farther_from_its_axis_than_stated():
    world = World(spec(people(np.array([[4.0, 4.0]]))))
    world.place_arms(READY_RAD[None])
    world.sync_people(np.array([False]), world._capsule_a, world._capsule_b)
    world.ray_test(np.zeros((1, 3)), np.ones((1, 3)))
    start, end, _ = world.cobot_link_capsules()
    arm, client = world._arms[0], world._client
    rng = np.random.default_rng(0)
    farthest = 0.0
    probe = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.001, physicsClientId=client)
    for link in range(8):
        axis = end[0, link] - start[0, link]
        for _ in range(40):
            away = rng.normal(size=3)
            point = start[0, link] + rng.random() * axis + 0.5 * away / np.linalg.norm(away)
            seen = pybullet.getClosestPoints(
                arm, -1, 5.0, linkIndexA=link - 1, collisionShapeB=probe, collisionShapePositionB=point.tolist(),
                physicsClientId=client,
            )  # fmt: skip
            surface = np.array(min(seen, key=lambda s: s[8])[5])
            share = np.clip((surface - start[0, link]) @ axis / (axis @ axis), 0.0, 1.0)
            farthest = max(farthest, float(np.linalg.norm(surface - start[0, link] - share * axis)))
    assert 0.12 < farthest < kernel.MESH_REACH_M - 0.04
    world.close()


def _by_bullet_alone(world: World) -> set[tuple[int, str, int]]:
    """Ask Bullet about every pair of a body part and a machine."""
    world.ray_test(np.zeros((1, 3)), np.ones((1, 3)))  # brings the whole scene up to date
    machines = [("agv", i, b) for i, b in enumerate(world._agvs)]
    machines += [("agv", i, b) for i, b in enumerate(world._loads) if b >= 0]
    machines += [("cobot", j, b) for j, b in enumerate(world._arms)]
    return {
        (i, name, index)
        for name, index, body in machines
        for i in np.flatnonzero(world._present)
        for part in world._people[i]
        if pybullet.getClosestPoints(body, part, 0.0, physicsClientId=world._client)
    }


@pytest.mark.parametrize("seed", range(3))
def test_contacts_are_those_that_bullet_finds_among_all_pairs(seed):
    rng = np.random.default_rng(seed)
    n = 10
    first = people(np.column_stack((rng.uniform(0.5, HALL_M[0] - 0.5, n), rng.uniform(0.5, HALL_M[1] - 0.5, n))))
    world = World(spec(first, agvs=3, cobots=2))
    world.place_arms(np.tile(READY_RAD, (2, 1)))
    found, apart = 0, 0
    for _ in range(12):
        agv = np.column_stack((rng.uniform(2, 18, 3), rng.uniform(2, 8, 3)))
        load_m = rng.choice((0.0, 0.6, 1.2), 3)
        world.step(agv, rng.uniform(-3, 3, 3), load_m, READY_RAD + rng.uniform(-0.5, 0.5, (2, 7)))
        # Half of them close to a machine, where contacts are, the others anywhere.
        tool = world.cobot_link_capsules()[1][:, 5, :2]
        near = np.concatenate((agv, tool))[rng.integers(0, 5, n)] + rng.normal(0, 0.5, (n, 2))
        place = np.where(rng.random((n, 1)) < 0.6, near, first.position_m)
        crowd = people(place, rng.uniform(-3, 3, n), phase=rng.random(n), scale=rng.random(n), present=rng.random(n) < 0.8)
        world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)
        contacts = set(world.contacts())
        assert contacts == _by_bullet_alone(world)
        found, apart = found + len(contacts), apart + n * 5 - len(contacts)
    assert found > 20
    assert apart > 200
    world.close()


def test_more_pairs_than_room_are_counted_and_asked_about():
    world = World(spec(people(np.tile((8.0, 3.0), (12, 1)) + 0.01 * np.arange(12)[:, None])))
    world.place_arms(READY_RAD[None])
    crowd = people(np.tile((8.0, 3.0), (12, 1)) + 0.01 * np.arange(12)[:, None])
    world.step(np.array([[8.0, 3.0]]), FLAT, np.array([1.5]), READY_RAD[None])
    world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)
    assert world.contacts() == tuple((i, "agv", 0) for i in range(12))
    assert len(world._pair) > 64  # a dozen bodies have more parts than the list had room for
    world.close()
