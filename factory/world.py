"""The PyBullet scene: the hall, AGVs and people as bodies, KUKA arms on real joint dynamics; contacts, ray tests, pictures.

Poses of AGVs and people come from their rooms; Bullet moves the arms' joints, confirms contacts and answers rays. There are two
Bullet clients. The one that is stepped holds only the arms, so that a step costs what the arms cost. The other holds everything
(people as kinematic bodies, made of the same capsules that the radio sees) at the poses of the last :meth:`World.sync_people`;
bodies are put there as far as a question is about them: contacts about those near a machine, rays and pictures about all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pybullet_data

from factory import world_kernels as kernel
from factory import world_picture as look
from factory.bullet import pybullet, quiet
from humans.body import PART_NAMES

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HIT_NONE, HIT_BOX, HIT_PERSON, HIT_AGV, HIT_COBOT, HIT_HALL = range(6)
LINK_RADIUS_M = (0.085, 0.085, 0.08, 0.08, 0.075, 0.07, 0.06, 0.05)
"""Radii of the iiwa's link capsules from the base to the tool, from the meshes of the arm [m]."""

_UNDER_FLOOR_M = -50.0
_STILL_M = 1e-5
_RAYS_AT_ONCE = 16_000
_REACH_APART_M = 3.0  # arms whose bases are farther apart never meet: the iiwa reaches 1.27 m with its tool
_JOINTS = list(range(kernel.JOINTS))
_FORCE_NM, _GAIN = [300.0] * kernel.JOINTS, [0.3] * kernel.JOINTS


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


def _axis_quaternion(axis: Floats) -> tuple[float, float, float, float]:
    """Quaternion that turns +z into a unit vector (3,)."""
    x, y, z = axis.tolist()
    if z < -1.0 + 1e-9:
        return 1.0, 0.0, 0.0, 0.0
    norm = math.sqrt(x * x + y * y + (1.0 + z) ** 2)
    return -y / norm, x / norm, 0.0, (1.0 + z) / norm


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
        pybullet.setPhysicsEngineParameter(fixedTimeStep=1.0 / spec.physics_hz, physicsClientId=self._motion)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=self._motion)
        for c in (client, self._motion):
            pybullet.setPhysicsEngineParameter(deterministicOverlappingPairs=1, physicsClientId=c)
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
        self._pedestals()
        n_arm = len(spec.cobot_position_m)
        self._arms = [self._make_arm(j, client) for j in range(n_arm)]
        self._kind.update({arm: (HIT_COBOT, j) for j, arm in enumerate(self._arms)})
        self._moving_arms = [self._make_arm(j, self._motion) for j in range(n_arm)]
        self._leave_each_other()
        self._frame = self._arm_frames()
        # As told last, as of the last call of sync_people, and where Bullet's scene has the bodies.
        self._pose, self._target = np.zeros((len(self._agvs), 4)), np.full((n_arm, kernel.JOINTS), np.nan)
        self._scene_pose, self._shown_pose = self._pose.copy(), np.full((len(self._agvs), 4), np.nan)
        self._angle = np.zeros((n_arm, kernel.JOINTS))
        self._scene_angle, self._shown_angle = self._angle.copy(), np.full((n_arm, kernel.JOINTS), np.nan)
        capsules = (*spec.person_radius_m.shape, 3)
        self._people: list[list[int]] = [[] for _ in range(len(spec.person_radius_m))]
        self._present: Bools = np.zeros(len(spec.person_radius_m), np.bool_)
        self._capsule_a, self._capsule_b = np.zeros(capsules), np.zeros(capsules)
        self._shown_a, self._shown_b = np.full(capsules, np.inf), np.full(capsules, np.inf)
        self._pair: Ints = np.zeros((64, 4), np.int64)
        self._radius_m = np.array(LINK_RADIUS_M)
        self._read_links()
        self._scene_links = self._links

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

    def _leave_each_other(self) -> None:
        """Take the shapes of arms that never meet out of collision detection; their motion does not change by that."""
        base, motion, n_apart = self._spec.cobot_position_m, self._motion, 0
        for j, arm in enumerate(self._moving_arms):
            if (np.linalg.norm(np.delete(base, j, axis=0) - base[j], axis=1) > _REACH_APART_M).all():
                n_apart += 1
                for link in range(-1, kernel.JOINTS):
                    pybullet.setCollisionFilterGroupMask(arm, link, 0, 0, physicsClientId=motion)
        if n_apart == len(base):
            # Seven motors on a chain and no contacts: elimination is quicker than iteration, and exact. Bullet prints the change.
            with quiet(1):
                solver = pybullet.CONSTRAINT_SOLVER_LCP_DANTZIG
                pybullet.setPhysicsEngineParameter(constraintSolverType=solver, physicsClientId=motion)

    def _arm_frames(self) -> Floats:
        if not self._moving_arms:
            return np.zeros((kernel.JOINTS, 3, 4))
        arm, motion = self._moving_arms[0], self._motion
        joints = [pybullet.getJointInfo(arm, k, physicsClientId=motion) for k in _JOINTS]
        parents = [pybullet.getDynamicsInfo(arm, k - 1, physicsClientId=motion) for k in _JOINTS]
        return kernel.joint_frames(
            np.array([joint[14] for joint in joints]),
            np.array([joint[15] for joint in joints]),
            np.array([p[3] for p in parents]),
        )

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
        if not kernel.take_poses(agv_xy, agv_yaw, agv_load_height_m, cobot_joint_target, self._pose, self._target):
            _require_finite("agv_xy of AGV", agv_xy)
            _require_finite("agv_yaw of AGV", agv_yaw)
            _require_finite("agv_load_height_m of AGV", agv_load_height_m)
            _require_finite("cobot_joint_target of cobot", cobot_joint_target)
        motion = self._motion
        for arm, target in zip(self._moving_arms, self._target.tolist(), strict=True):
            pybullet.setJointMotorControlArray(
                arm,
                _JOINTS,
                pybullet.POSITION_CONTROL,
                targetPositions=target,
                forces=_FORCE_NM,
                positionGains=_GAIN,
                physicsClientId=motion,
            )
        pybullet.stepSimulation(physicsClientId=motion)
        self._read_links()

    def _read_links(self) -> None:
        """Read the joints from Bullet; the links follow from them."""
        motion, spec = self._motion, self._spec
        for j, arm in enumerate(self._moving_arms):
            self._angle[j] = [state[0] for state in pybullet.getJointStates(arm, _JOINTS, physicsClientId=motion)]
        axes = np.empty((2, len(self._moving_arms), kernel.JOINTS + 1, 3))
        self._links = axes[0], axes[1]
        kernel.arm_links(self._angle, spec.cobot_position_m, spec.cobot_yaw_rad, self._frame, *self._links)

    def cobot_link_capsules(self) -> tuple[Floats, Floats, Floats]:
        """Capsules of the arms' links.

        Returns
        -------
        start_m, end_m : (m, 8, 3) [m]. radius_m : (8,) [m]. Later steps leave them alone.
        """
        return *self._links, self._radius_m

    def cobot_joint_position(self) -> Floats:
        """Joint angles (m, 7) [rad]."""
        return self._angle.copy()

    # ------------------------------------------------------------------ scene
    def sync_people(self, present: Bools, capsule_a: Floats, capsule_b: Floats) -> None:
        """Set the instant that questions are about: people's bodies as given, AGVs with their loads and arms as they are now.

        Parameters
        ----------
        present : (k,) who is in the hall.
        capsule_a, capsule_b : (k, C, 3) ends of the capsules [m]; a capsule's length is the one of its first question.

        Raises
        ------
        ValueError
            If a capsule of somebody present is not finite; nobody is moved then.
        """
        wrong = kernel.take_people(present, capsule_a, capsule_b, self._present, self._capsule_a, self._capsule_b)
        if wrong >= 0:
            for end in (capsule_a, capsule_b):
                _require_finite("a capsule of person", np.where(present[:, None, None], end, 0.0))
        self._scene_pose[:], self._scene_angle[:], self._scene_links = self._pose, self._angle, self._links

    def _show_agv(self, i: int) -> None:
        x, y, yaw, load_m = pose = self._scene_pose[i].tolist()
        if pose == self._shown_pose[i].tolist():
            return
        client, body_height = self._client, self._spec.agv_body_height_m
        quaternion = _yaw_quaternion(yaw)
        place = (x, y, body_height / 2 + 0.002)
        pybullet.resetBasePositionAndOrientation(self._agvs[i], place, quaternion, physicsClientId=client)
        if load_m != self._shown_pose[i, 3]:
            self._change_load(i, load_m)
        if load_m > 0.0:
            place = (x, y, body_height + load_m / 2)
            pybullet.resetBasePositionAndOrientation(self._loads[i], place, quaternion, physicsClientId=client)
        self._shown_pose[i] = pose

    def _change_load(self, i: int, height_m: float) -> None:
        if self._loads[i] >= 0:
            del self._kind[self._loads[i]]
            pybullet.removeBody(self._loads[i], physicsClientId=self._client)
            self._loads[i] = -1
        if height_m > 0.0:
            self._loads[i] = self._make_load(i, height_m)

    def _show_arm(self, j: int) -> None:
        angle = self._scene_angle[j].tolist()
        if angle != self._shown_angle[j].tolist():
            pybullet.resetJointStatesMultiDof(self._arms[j], _JOINTS, [[q] for q in angle], physicsClientId=self._client)
            self._shown_angle[j] = angle

    def _show_capsule(self, i: int, c: int) -> None:
        a, b = self._capsule_a[i, c], self._capsule_b[i, c]
        # Who stands still is where Bullet has him already; a hundredth of a millimetre is not worth a call.
        if max(np.abs(a - self._shown_a[i, c]).max(), np.abs(b - self._shown_b[i, c]).max()) <= _STILL_M:
            return
        if not self._people[i]:
            length = np.linalg.norm(self._capsule_b[i] - self._capsule_a[i], axis=1).tolist()
            self._people[i] = [self._make_capsule(i, k, length[k]) for k in range(len(length))]
        axis = b - a
        length_m = float(np.linalg.norm(axis))
        quaternion = _axis_quaternion(axis / length_m) if length_m > 1e-9 else (0.0, 0.0, 0.0, 1.0)
        pybullet.resetBasePositionAndOrientation(
            self._people[i][c], ((a + b) / 2).tolist(), quaternion, physicsClientId=self._client
        )
        self._shown_a[i, c], self._shown_b[i, c] = a, b

    def _hide_person(self, i: int) -> None:
        if self._people[i] and np.isfinite(self._shown_a[i]).any():
            for body in self._people[i]:
                place, upright = (0.0, 0.0, _UNDER_FLOOR_M), (0.0, 0.0, 0.0, 1.0)
                pybullet.resetBasePositionAndOrientation(body, place, upright, physicsClientId=self._client)
            self._shown_a[i], self._shown_b[i] = np.inf, np.inf

    def _show_all(self) -> None:
        """Bring the whole scene up to date, as rays and pictures need it."""
        for i in range(len(self._agvs)):
            self._show_agv(i)
        for j in range(len(self._arms)):
            self._show_arm(j)
        for i, here in enumerate(self._present.tolist()):
            if not here:
                self._hide_person(i)
                continue
            for c in range(self._capsule_a.shape[1]):
                self._show_capsule(i, c)
        pybullet.performCollisionDetection(physicsClientId=self._client)

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
        spec, found = self._spec, set()
        scene = (self._present, self._capsule_a, self._capsule_b, spec.person_radius_m, self._scene_pose, spec.agv_half_extent_m)
        while (n := kernel.near_pairs(*scene, spec.agv_body_height_m, *self._scene_links, self._pair)) > len(self._pair):
            self._pair = np.zeros((2 * n, 4), np.int64)
        for kind, index, person, part in self._pair[:n].tolist():
            name = "cobot" if kind == kernel.KIND_COBOT else "agv"
            if (person, name, index) in found:
                continue
            self._show_capsule(person, part)
            if kind == kernel.KIND_COBOT:
                self._show_arm(index)
                body = self._arms[index]
            else:
                self._show_agv(index)
                body = self._agvs[index] if kind == kernel.KIND_AGV else self._loads[index]
            other = self._people[person][part]
            if pybullet.getClosestPoints(body, other, 0.0, physicsClientId=self._client):
                found.add((person, name, index))
        return tuple(sorted(found))

    def ray_test(self, start: Floats, end: Floats) -> tuple[Ints, Ints]:
        """Find what each ray hits first, at the poses of the last :meth:`sync_people`.

        Parameters
        ----------
        start, end : (r, 3) [m].

        Returns
        -------
        kind, index : (r,) HIT_NONE, HIT_BOX, HIT_PERSON, HIT_AGV, HIT_COBOT or HIT_HALL, and which of them, -1 for none.
        """
        self._show_all()
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
        self._show_all()
        if not self._dressed:
            self._dress()
        for i, trim in enumerate(self._trim):
            x, y, yaw, _ = self._scene_pose[i].tolist()
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
