"""The PyBullet scene: the hall, AGVs and people as bodies, KUKA arms on real joint dynamics; contacts, ray tests, pictures.

Poses of AGVs and people come from their rooms; Bullet moves the arms' joints, confirms contacts and answers rays. There are two
Bullet clients. The one that is stepped holds only the arms, so that a step costs what the arms cost. The other holds everything
(people as kinematic bodies, made of the same capsules that the radio sees) and is brought up to date by
:meth:`World.sync_people` ten times a second and whenever somebody asks for contacts at another time, rays or a picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pybullet_data

from factory import world_picture as look
from factory.bullet import pybullet
from humans.body import PART_NAMES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HIT_NONE, HIT_BOX, HIT_PERSON, HIT_AGV, HIT_COBOT, HIT_HALL = range(6)
LINK_RADIUS_M = (0.085, 0.085, 0.08, 0.08, 0.075, 0.07, 0.06, 0.05)
"""Radii of the iiwa's link capsules from the base to the tool, from the meshes of the arm [m]."""

_TOOL_M = 0.17  # flange and gripper beyond the last joint
_UNDER_FLOOR_M = -50.0
_STILL_M = 1e-5
_RAYS_AT_ONCE = 16_000


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """What stands in the scene.

    Attributes
    ----------
    hall_size_m : (3,) [m].
    box_center_m, box_half_m : (N, 3) [m]. box_yaw_rad : (N,) [rad]. box_kind : N kinds, for the pictures.
    agv_half_extent_m : (n, 2) half length and width [m]. agv_body_height_m : height without load [m].
    cobot_position_m : (m, 3) bases [m]. cobot_yaw_rad : (m,) [rad].
    person_radius_m : (k, C) capsule radii [m].
    trp_position_m : (T, 3) markers [m].
    physics_hz : steps per second.
    """

    hall_size_m: Floats
    box_center_m: Floats
    box_half_m: Floats
    box_yaw_rad: Floats
    box_kind: tuple[str, ...]
    agv_half_extent_m: Floats
    agv_body_height_m: float
    cobot_position_m: Floats
    cobot_yaw_rad: Floats
    person_radius_m: Floats
    trp_position_m: Floats
    physics_hz: int = 50


def _yaw_quaternion(yaw_rad: float) -> tuple[float, float, float, float]:
    return 0.0, 0.0, math.sin(yaw_rad / 2), math.cos(yaw_rad / 2)


def _axis_quaternions(axis: Floats) -> Floats:
    """Quaternions (k, 4) that turn +z into each unit vector (k, 3)."""
    x, y, z = axis.T
    quaternion = np.stack((-y, x, np.zeros_like(x), 1.0 + z), axis=1)
    down = z < -1.0 + 1e-9
    quaternion[down] = (1.0, 0.0, 0.0, 0.0)
    return np.asarray(quaternion / np.linalg.norm(quaternion, axis=1, keepdims=True), dtype=np.float64)


def _require_finite(what: str, value: Floats) -> None:
    # One sum is far cheaper than a mask, and not finite where any term is not.
    if not math.isfinite(value.sum()) and not np.isfinite(value).all():
        where = tuple(np.argwhere(~np.isfinite(value))[0])
        raise ValueError(f"{what} {where[0]} is {value[where]}, not a finite number; what moves it has gone wrong")


class World:
    """A Bullet world of its own; several may live in one process.

    Parameters
    ----------
    spec : what stands in it.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self._spec = spec
        self._client: int = pybullet.connect(pybullet.DIRECT)
        client = self._client
        self._motion: int = pybullet.connect(pybullet.DIRECT)
        # Same inputs, same results: pairs in a fixed order, nothing falls asleep.
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / spec.physics_hz, deterministicOverlappingPairs=1, physicsClientId=self._motion
        )
        pybullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1, physicsClientId=client)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=self._motion)
        for c in (client, self._motion):
            pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=c)
        self._kind: dict[int, tuple[int, int]] = {}
        self._dressed = False
        self._trim: list[list[int]] = []
        # Bullet draws a body without a visual shape in its collision shape; this one is too small to be seen.
        self._unseen: int = pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=[1e-6] * 3, visualFramePosition=[0.0, 0.0, -1000.0], physicsClientId=client
        )
        self._make_hall()
        self._make_boxes()
        self._agvs = [self._make_agv(i) for i in range(len(spec.agv_half_extent_m))]
        self._loads: list[int] = [-1] * len(self._agvs)
        self._load_height_m: Floats = np.zeros(len(self._agvs))
        self._wanted_load_m: Floats = np.zeros(len(self._agvs))
        self._pedestals()
        self._arms = [self._make_arm(j, client) for j in range(len(spec.cobot_position_m))]
        self._kind.update({arm: (HIT_COBOT, j) for j, arm in enumerate(self._arms)})
        self._moving_arms = [self._make_arm(j, self._motion) for j in range(len(spec.cobot_position_m))]
        self._agv_pose = np.zeros((len(self._agvs), 3))
        self._people: list[list[int]] = [[] for _ in range(len(spec.person_radius_m))]
        self._present: Bools = np.zeros(len(spec.person_radius_m), np.bool_)
        self._capsule_a: Floats = np.full((*spec.person_radius_m.shape, 3), np.inf)
        self._capsule_b: Floats = np.full((*spec.person_radius_m.shape, 3), np.inf)
        self._link_frames = np.zeros((len(self._arms), 9, 3))
        self._read_links()

    # ------------------------------------------------------------------ building
    def _body(
        self,
        kind: int,
        index: int,
        collision: int,
        visual: int,
        position: Floats,
        quaternion: tuple[float, ...],
        mass: float = 0.0,
    ) -> int:
        body: int = pybullet.createMultiBody(
            mass, collision, visual, list(position), list(quaternion), physicsClientId=self._client
        )
        self._kind[body] = (kind, index)
        return body

    def _box(self, half: Floats, colour: look.Colour | None = None) -> tuple[int, int]:
        sides = half.tolist()
        shape = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=sides, physicsClientId=self._client)
        if colour is None:
            return shape, self._unseen
        seen = pybullet.createVisualShape(
            pybullet.GEOM_BOX, halfExtents=sides, rgbaColor=(*colour, 1.0), physicsClientId=self._client
        )
        return shape, seen

    def _make_hall(self) -> None:
        length, width, height = self._spec.hall_size_m
        thick, upright = 0.1, _yaw_quaternion(0.0)
        faces = (
            ((length / 2, width / 2, -thick), (length / 2, width / 2, thick)),
            ((-thick, width / 2, height / 2), (thick, width / 2, height / 2)),
            ((length + thick, width / 2, height / 2), (thick, width / 2, height / 2)),
            ((length / 2, -thick, height / 2), (length / 2, thick, height / 2)),
            ((length / 2, width + thick, height / 2), (length / 2, thick, height / 2)),
        )
        for i, (centre, half) in enumerate(faces):
            self._body(HIT_HALL, i, self._box(np.array(half))[0], self._unseen, np.array(centre), upright)

    def _make_boxes(self) -> None:
        spec = self._spec
        for i in range(len(spec.box_kind)):
            shape = self._box(spec.box_half_m[i])[0]
            turn = _yaw_quaternion(float(spec.box_yaw_rad[i]))
            self._body(HIT_BOX, i, shape, self._unseen, spec.box_center_m[i], turn)

    def _make_agv(self, i: int) -> int:
        half = np.array([*self._spec.agv_half_extent_m[i], self._spec.agv_body_height_m / 2])
        shape, seen = self._box(half, look.AGV_BLUE)
        body = self._body(HIT_AGV, i, shape, seen, np.array([0.0, 0.0, half[2]]), _yaw_quaternion(0.0))
        self._leave_solver(body)
        return body

    def _leave_solver(self, body: int) -> None:
        """Leave a body of the scene out of Bullet's pairs with other such bodies; rays (group 1) and closest points find it."""
        pybullet.setCollisionFilterGroupMask(body, -1, 2, 1, physicsClientId=self._client)

    def _make_load(self, i: int, height_m: float) -> int:
        half = np.array([*(self._spec.agv_half_extent_m[i] * 0.95), height_m / 2])
        shape, seen = self._box(half, look.LOAD_AMBER)
        body = self._body(HIT_AGV, i, shape, seen, np.array([0.0, 0.0, _UNDER_FLOOR_M]), _yaw_quaternion(0.0))
        self._leave_solver(body)
        return body

    def _pedestals(self) -> None:
        for base in self._spec.cobot_position_m:
            if base[2] > 0.05:
                half = np.array([0.2, 0.2, (base[2] - 0.01) / 2])
                shape, seen = self._box(half, (0.30, 0.32, 0.35))
                self._body(HIT_BOX, -1, shape, seen, np.array([base[0], base[1], half[2]]), _yaw_quaternion(0.0))

    def _make_arm(self, j: int, client: int) -> int:
        arm: int = pybullet.loadURDF(
            "kuka_iiwa/model.urdf",
            list(self._spec.cobot_position_m[j]),
            _yaw_quaternion(float(self._spec.cobot_yaw_rad[j])),
            useFixedBase=1,
            physicsClientId=client,
        )
        for joint in range(-1, 7):
            pybullet.changeDynamics(
                arm, joint, activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING, physicsClientId=client
            )
        return arm

    # ------------------------------------------------------------------ stepping
    def place_arms(self, joints_rad: Floats) -> None:
        """Set the arms' joints (m, 7) [rad] at once, as at the start of a run."""
        for arm, joints in zip(self._moving_arms, joints_rad, strict=True):
            for joint in range(7):
                pybullet.resetJointState(arm, joint, float(joints[joint]), physicsClientId=self._motion)
        self._read_links()

    def step(self, agv_xy: Floats, agv_yaw: Floats, agv_load_height_m: Floats, cobot_joint_target: Floats) -> None:
        """Advance by one physics step.

        Parameters
        ----------
        agv_xy : (n, 2) centres [m]. agv_yaw : (n,) [rad]. agv_load_height_m : (n,) height of the load, 0 for none [m].
        cobot_joint_target : (m, 7) targets of the joints [rad].

        Raises
        ------
        ValueError
            If a pose is not finite.
        """
        _require_finite("agv_xy of AGV", agv_xy)
        _require_finite("agv_yaw of AGV", agv_yaw)
        _require_finite("agv_load_height_m of AGV", agv_load_height_m)
        _require_finite("cobot_joint_target of cobot", cobot_joint_target)
        self._agv_pose[:, :2], self._agv_pose[:, 2] = agv_xy, agv_yaw
        self._wanted_load_m[:] = agv_load_height_m
        for arm, target in zip(self._moving_arms, cobot_joint_target, strict=True):
            pybullet.setJointMotorControlArray(
                arm,
                range(7),
                pybullet.POSITION_CONTROL,
                targetPositions=target,
                forces=(300.0,) * 7,
                positionGains=(0.3,) * 7,
                physicsClientId=self._motion,
            )
        pybullet.stepSimulation(physicsClientId=self._motion)
        self._read_links()

    def _sync_machines(self) -> None:
        """Bring AGVs, loads and arms of the scene to where they are now."""
        client, body_height = self._client, self._spec.agv_body_height_m
        for i, body in enumerate(self._agvs):
            x, y, yaw = self._agv_pose[i].tolist()
            quaternion = _yaw_quaternion(yaw)
            pybullet.resetBasePositionAndOrientation(body, (x, y, body_height / 2 + 0.002), quaternion, physicsClientId=client)
            height = float(self._wanted_load_m[i])
            if height != self._load_height_m[i]:
                self._change_load(i, height)
            if height > 0.0:
                pybullet.resetBasePositionAndOrientation(
                    self._loads[i], (x, y, body_height + height / 2), quaternion, physicsClientId=client
                )
        for arm, joints in zip(self._arms, self.cobot_joint_position().tolist(), strict=True):
            pybullet.resetJointStatesMultiDof(arm, list(range(7)), [[q] for q in joints], physicsClientId=client)
        pybullet.performCollisionDetection(physicsClientId=client)

    def _change_load(self, i: int, height_m: float) -> None:
        if self._loads[i] >= 0:
            del self._kind[self._loads[i]]
            pybullet.removeBody(self._loads[i], physicsClientId=self._client)
            self._loads[i] = -1
        if height_m > 0.0:
            self._loads[i] = self._make_load(i, height_m)
        self._load_height_m[i] = height_m

    def _read_links(self) -> None:
        for j, arm in enumerate(self._moving_arms):
            states = pybullet.getLinkStates(arm, range(7), physicsClientId=self._motion)
            frames = self._link_frames[j]
            frames[0] = self._spec.cobot_position_m[j]
            for k in range(7):
                frames[k + 1] = states[k][4]
            x, y, z, w = states[6][5]
            # The tool's axis is the last link's own z.
            frames[8] = frames[7] + _TOOL_M * np.array([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)])

    def cobot_link_capsules(self) -> tuple[Floats, Floats, Floats]:
        """Capsules of the arms' links.

        Returns
        -------
        start_m, end_m : (m, 8, 3) [m]. radius_m : (8,) [m].
        """
        return self._link_frames[:, :-1].copy(), self._link_frames[:, 1:].copy(), np.array(LINK_RADIUS_M)

    def cobot_joint_position(self) -> Floats:
        """Joint angles (m, 7) [rad]."""
        angles = np.zeros((len(self._arms), 7))
        for j, arm in enumerate(self._moving_arms):
            states = pybullet.getJointStates(arm, range(7), physicsClientId=self._motion)
            angles[j] = [s[0] for s in states]
        return angles

    # ------------------------------------------------------------------ people
    def sync_people(self, present: Bools, capsule_a: Floats, capsule_b: Floats) -> None:
        """Bring the scene up to date: people's bodies, AGVs with their loads, arms.

        Parameters
        ----------
        present : (k,) who is in the hall; the others are put under the floor.
        capsule_a, capsule_b : (k, C, 3) ends of the capsules [m]; a capsule's length is the one of its first call.

        Raises
        ------
        ValueError
            If a capsule of somebody present is not finite; nobody is moved then.
        """
        present = np.asarray(present, np.bool_)
        axis = capsule_b - capsule_a
        _require_finite("a capsule of person", np.where(present[:, None, None], axis, 0.0))
        length = np.linalg.norm(axis, axis=2)
        centre = (capsule_a + capsule_b) / 2
        unit = axis / np.maximum(length, 1e-12)[:, :, None]
        unit[length < 1e-9] = (0.0, 0.0, 1.0)
        quaternions = _axis_quaternions(unit.reshape(-1, 3)).reshape(*unit.shape[:2], 4)
        # Who stands still is where Bullet has him already; a hundredth of a millimetre is not worth a call.
        moved = present != self._present
        moved |= (np.abs(capsule_a - self._capsule_a).max(axis=(1, 2), initial=0.0) > _STILL_M) & present
        moved |= (np.abs(capsule_b - self._capsule_b).max(axis=(1, 2), initial=0.0) > _STILL_M) & present
        for i in np.flatnonzero(moved).tolist():
            if not self._people[i]:
                self._people[i] = [self._make_capsule(i, c, float(length[i, c])) for c in range(length.shape[1])]
            if present[i]:
                poses = zip(self._people[i], centre[i].tolist(), quaternions[i].tolist(), strict=True)
            else:
                away = len(self._people[i])
                poses = zip(self._people[i], [[0.0, 0.0, _UNDER_FLOOR_M]] * away, [[0.0, 0.0, 0.0, 1.0]] * away, strict=True)
            for body, place, quaternion in poses:
                pybullet.resetBasePositionAndOrientation(body, place, quaternion, physicsClientId=self._client)
            self._capsule_a[i], self._capsule_b[i] = capsule_a[i], capsule_b[i]
        self._present = present.copy()
        self._sync_machines()

    def _make_capsule(self, person: int, part: int, length_m: float) -> int:
        radius, client = float(self._spec.person_radius_m[person, part]), self._client
        if length_m < 1e-6:
            shape = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=radius, physicsClientId=client)
            seen = pybullet.createVisualShape(pybullet.GEOM_SPHERE, radius=radius, physicsClientId=client)
        else:
            shape = pybullet.createCollisionShape(pybullet.GEOM_CAPSULE, radius=radius, height=length_m, physicsClientId=client)
            seen = pybullet.createVisualShape(pybullet.GEOM_CAPSULE, radius=radius, length=length_m, physicsClientId=client)
        body = self._body(HIT_PERSON, person, shape, seen, np.array([0.0, 0.0, _UNDER_FLOOR_M]), _yaw_quaternion(0.0))
        self._leave_solver(body)
        return body

    # ------------------------------------------------------------------ questions
    def contacts(self) -> tuple[tuple[int, str, int], ...]:
        """People who touch machines or what these carry, by Bullet's collision detection at the synchronised poses.

        Returns
        -------
        (person, "agv" or "cobot", index of the machine), each once, in order.
        """
        found = set()
        client = self._client
        machines = [
            *(("agv", i, body) for i, body in enumerate(self._agvs)),
            *(("agv", i, body) for i, body in enumerate(self._loads) if body >= 0),
            *(("cobot", j, arm) for j, arm in enumerate(self._arms)),
        ]
        for name, index, body in machines:
            low, high = pybullet.getAABB(body, -1, physicsClientId=client) if name == "agv" else self._arm_box(index)
            for other, _ in pybullet.getOverlappingObjects(low, high, physicsClientId=client) or ():
                kind, person = self._kind.get(other, (HIT_NONE, -1))
                if kind == HIT_PERSON and (person, name, index) not in found:
                    if pybullet.getClosestPoints(body, other, 0.0, physicsClientId=client):
                        found.add((person, name, index))
        return tuple(sorted(found))

    def _arm_box(self, j: int) -> tuple[list[float], list[float]]:
        reach = max(LINK_RADIUS_M)
        low = self._link_frames[j].min(axis=0) - reach
        high = self._link_frames[j].max(axis=0) + reach
        return low.tolist(), high.tolist()

    def ray_test(self, start: Floats, end: Floats) -> tuple[Ints, Ints]:
        """Find what each ray hits first, at the poses of the last :meth:`sync_people`.

        Parameters
        ----------
        start, end : (r, 3) [m].

        Returns
        -------
        kind, index : (r,) HIT_NONE, HIT_BOX, HIT_PERSON, HIT_AGV, HIT_COBOT or HIT_HALL, and which of them, -1 for none.
        """
        kind = np.zeros(len(start), np.int64)
        index = np.full(len(start), -1, np.int64)
        for first in range(0, len(start), _RAYS_AT_ONCE):
            part = slice(first, first + _RAYS_AT_ONCE)
            hits = pybullet.rayTestBatch(start[part].tolist(), end[part].tolist(), numThreads=1, physicsClientId=self._client)
            for r, hit in enumerate(hits):
                kind[first + r], index[first + r] = self._kind.get(hit[0], (HIT_NONE, -1))
        return kind, index

    def picture(
        self, width: int = 1200, height: int = 675, azimuth_deg: float = 237.0, elevation_deg: float = 40.0
    ) -> npt.NDArray[np.uint8]:
        """Picture of the scene from above one corner, (height, width, 3) RGB, at the poses of the last :meth:`sync_people`.

        Parameters
        ----------
        width, height : size [pixel].
        azimuth_deg : where the camera stands, seen from the middle of the hall, counter-clockwise from +x; the walls drawn in
            full are those at the far ends of x and y, so 180 to 270 looks into the hall.
        elevation_deg : how high it stands above the horizon.
        """
        if not self._dressed:
            self._dress()
        for i, trim in enumerate(self._trim):
            x, y, yaw = self._agv_pose[i].tolist()
            for body in trim:
                pybullet.resetBasePositionAndOrientation(body, (x, y, 0.0), _yaw_quaternion(yaw), physicsClientId=self._client)
        for bodies in self._people:
            if bodies:
                look.colour_person(self._client, bodies, PART_NAMES)
        return look.render(self._client, self._spec.hall_size_m, width, height, azimuth_deg, elevation_deg)

    def _dress(self) -> None:
        """Make what only pictures need."""
        client, spec = self._client, self._spec
        look.dress_hall(client, spec.hall_size_m, spec.trp_position_m)
        look.dress_boxes(client, spec.box_center_m, spec.box_half_m, spec.box_yaw_rad, spec.box_kind)
        for arm in self._arms:
            look.colour_arm(client, arm)
        self._trim = [look.agv_trim(client, half, spec.agv_body_height_m) for half in spec.agv_half_extent_m]
        self._dressed = True

    def close(self) -> None:
        """Let go of the engine; harmless a second time."""
        if self._client >= 0:
            pybullet.disconnect(self._client)
            pybullet.disconnect(self._motion)
            self._client = -1
