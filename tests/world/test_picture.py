"""Pictures: the whole hall is in the frame, things are seen where they stand, and nothing that is drawn gets in anybody's way."""

from dataclasses import replace

import numpy as np
import pytest
from world_scenes import HALL_M, READY_RAD, people, spec

from factory import world_picture as look
from factory.world import World

SIZE = (480, 270)
AGV_AT, FLAT = np.array([[5.0, 3.0]]), np.zeros(1)


@pytest.fixture
def crowd():
    return people(np.array([[4.0, 5.0], [12.0, 6.0]]))


@pytest.fixture
def world(crowd):
    made = World(spec(crowd))
    made.place_arms(READY_RAD[None])
    yield made
    made.close()


def put(world, crowd, agv_xy=AGV_AT):
    world.step(agv_xy, FLAT, FLAT, READY_RAD[None])
    world.sync_people(crowd.present, crowd.capsule_a, crowd.capsule_b)


def pixel_of(point_m):
    """Column and row where the default camera sees a point."""
    view, lens = look._camera(np.array(HALL_M), SIZE[0] / SIZE[1], 237.0, 40.0)
    x, y, _, w = np.array([*point_m, 1.0]) @ np.reshape(view, (4, 4)) @ np.reshape(lens, (4, 4))
    return SIZE[0] * (x / w + 1) / 2, SIZE[1] * (1 - y / w) / 2


@pytest.mark.parametrize("size_m", [HALL_M, (60.0, 40.0, 8.0), (12.0, 90.0, 6.0), (5.0, 5.0, 20.0)])
@pytest.mark.parametrize("aspect", [16 / 9, 0.6])
@pytest.mark.parametrize("azimuth_deg", [190.0, 237.0, 260.0])
def test_every_corner_of_the_hall_is_in_the_frame(size_m, aspect, azimuth_deg):
    view, lens = look._camera(np.array(size_m), aspect, azimuth_deg, 40.0)
    corners = np.array([(x, y, z, 1.0) for x in (0, size_m[0]) for y in (0, size_m[1]) for z in (0, size_m[2])])
    clip = corners @ np.reshape(view, (4, 4)) @ np.reshape(lens, (4, 4))
    seen = clip[:, :2] / clip[:, 3:]
    assert np.abs(seen).max() <= 1.0
    assert np.abs(seen).max() > 0.9  # and fills it


def test_machines_and_people_are_seen_where_they_stand(world, crowd):
    put(world, crowd, np.array([[17.0, 10.0]]))
    elsewhere = world.picture(*SIZE).astype(int)
    put(world, crowd)
    column, row = (round(v) for v in pixel_of((5.0, 3.0, 0.3)))
    changed = world.picture(*SIZE).astype(int)[row, column] - elsewhere[row, column]
    assert np.abs(changed).max() > 40  # the AGV has come
    assert changed[0] < changed[2]  # and it is blue

    column, row = (round(v) for v in pixel_of((4.0, 5.0, 1.25)))
    with_them = world.picture(*SIZE).astype(int)[row - 1 : row + 2, column - 1 : column + 2]
    put(world, people(crowd.position_m, present=np.array([False, True])))
    without = world.picture(*SIZE).astype(int)[row - 1 : row + 2, column - 1 : column + 2]
    assert np.abs(with_them - without).max() > 40


def test_a_picture_leaves_rays_and_contacts_as_they_are(world, crowd):
    put(world, crowd)
    rng = np.random.default_rng(3)
    start, end = (rng.uniform((0.1, 0.1, 0.05), np.array(HALL_M) - 0.1, (400, 3)) for _ in range(2))
    before = (*world.ray_test(start, end), world.contacts())
    world.picture(64, 36)
    after = (*world.ray_test(start, end), world.contacts())
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2]


def test_the_same_scene_gives_the_same_picture(crowd):
    pictures = []
    for _ in range(2):
        world = World(spec(crowd))
        world.place_arms(READY_RAD[None])
        put(world, crowd)
        pictures.append(world.picture(*SIZE))
        world.close()
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("kind", ["rack", "cell", "machine", "wall", "office"])
@pytest.mark.parametrize("half_m", [(3.0, 0.5, 2.0), (0.4, 2.5, 1.5), (0.4, 0.5, 0.4)])
def test_what_is_drawn_of_a_box_stays_in_its_box(monkeypatch, kind, half_m):
    drawn = []
    monkeypatch.setattr(look.Meshes, "build", lambda self, client: drawn.append(self.boxes) or [])
    monkeypatch.setattr(look, "_mesh_body", lambda *_: 0)
    center, half = np.array([[8.0, 5.0, half_m[2]]]), np.array([half_m])
    look.dress_boxes(-1, center, half, np.array([0.0]), (kind,))
    corners = np.concatenate([look._box_faces(boxes)[0].reshape(-1, 3) for boxes in drawn[-1].values()])
    beyond = np.abs(corners - center) - half
    assert beyond[:, :2].max() < 0.08  # a door handle or a panel may stand out
    assert beyond[:, 2].max() < 0.65  # so may a signal tower
    assert (np.ptp(corners, axis=0) > 1.7 * np.array(half_m)).all()  # and it fills the box


def test_faces_look_outwards():
    corners, normals = look._box_faces([(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.0]), 0.7)])
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1])
    assert across / np.linalg.norm(across, axis=1, keepdims=True) == pytest.approx(normals)
    assert (((corners.mean(axis=1) - (1.0, 2.0, 3.0)) * normals).sum(axis=1) > 0).all()


def test_a_shadow_is_the_footprint_moved_by_the_height():
    quads = look._shadow(np.array([5.0, 6.0, 1.0]), np.array([1.0, 0.5, 1.0]), 0.0)
    moved = quads[0, :, :2]
    foot = np.array([(4.0, 5.5), (6.0, 5.5), (6.0, 6.5), (4.0, 6.5)]) + 2.0 * np.array(look._SUN)
    assert sorted(map(tuple, moved.round(9))) == sorted(map(tuple, foot.round(9)))
    edge = quads[:, 1:3, :2] - quads[:, 0:1, :2]
    assert (edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0] >= 0).all()  # faces up


def test_a_hall_full_of_racks_is_drawn(crowd):
    n = 60
    base = spec(crowd, agvs=0, cobots=0)
    center = np.stack((np.linspace(1, 19, n), np.linspace(1, 11, n), np.full(n, 2.5)), axis=1)
    many = replace(
        base,
        box_center_m=center,
        box_half_m=np.tile((9.0, 0.5, 2.5), (n, 1)),
        box_yaw_rad=np.linspace(0, 3, n),
        box_kind=("rack",) * n,
    )
    world = World(many)
    image = world.picture(*SIZE)
    world.close()
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
