"""From a drawn future to whole bodies: who walks swings arms and legs, who stands keeps the present pose and gesture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit

from humans.body import JOINTS, pose_one
from humans.forecast_kernels import STANDING_MPS
from humans.forecast_types import PeopleSamples
from humans.gait import REFERENCE_STEP, WALK_RATIO, gait_joints
from humans.types import PeopleState

_MAX_SCALE = 1.35


@njit(cache=True)
def _place(position, facing, speed, phase, now, heading, stature, rigid, a, b, held, holder, out_a, out_b, out_held) -> None:  # type: ignore[no-untyped-def]
    """Write capsules (n, parts, 3) twice and what is held (k, 3), of one future at one horizon."""
    joints = np.zeros(JOINTS)
    for i in range(position.shape[0]):
        if speed[i] >= 2.0 * STANDING_MPS and not rigid[i]:
            step = np.sqrt(60.0 * WALK_RATIO * speed[i])
            joints[:] = 0.0
            gait_joints(phase[i], min(step / stature[i] / REFERENCE_STEP, _MAX_SCALE), stature[i], 1.0, joints)
            pose_one(position[i, 0], position[i, 1], facing[i], stature[i], joints, out_a[i], out_b[i])
            continue
        c, s = np.cos(facing[i] - heading[i]), np.sin(facing[i] - heading[i])
        for p in range(a.shape[1]):
            for end in range(2):
                source = a if end == 0 else b
                out = out_a if end == 0 else out_b
                x, y = source[i, p, 0] - now[i, 0], source[i, p, 1] - now[i, 1]
                out[i, p, 0] = position[i, 0] + c * x - s * y
                out[i, p, 1] = position[i, 1] + s * x + c * y
                out[i, p, 2] = source[i, p, 2]
    for k in range(holder.shape[0]):
        i = holder[k]
        c, s = np.cos(facing[i] - heading[i]), np.sin(facing[i] - heading[i])
        x, y = held[k, 0] - now[i, 0], held[k, 1] - now[i, 1]
        out_held[k, 0] = position[i, 0] + c * x - s * y
        out_held[k, 1] = position[i, 1] + s * x + c * y
        out_held[k, 2] = held[k, 2]


def bodies_of_samples(state: PeopleState, samples: PeopleSamples, sample: int, horizon: int) -> PeopleState:
    """Return everybody's body in one drawn future at one horizon.

    Parameters
    ----------
    state : people now: statures, poses of those who stand, panels and boxes.
    samples : from ``Forecaster.samples``; its people are those of ``state``.
    sample, horizon : which future, and which of its horizons.

    Returns
    -------
    PeopleState
        Who walks is in mid-stride at the drawn phase, except for holders of panels and boxes, whose arms are bound: they and
        those who stand keep pose and gesture, moved and turned. Who is not known to the forecaster stays as in ``state``.

    Raises
    ------
    ValueError
        If the samples are of another number of people.
    """
    n = len(state.position_m)
    if samples.position_m.shape[1] != n:
        raise ValueError(
            f"the samples are of {samples.position_m.shape[1]} people, the state of {n}; they must be the same people"
        )
    position = np.where(samples.known[:, None], samples.position_m[sample, :, horizon], state.position_m)
    facing = np.where(samples.known, samples.heading_rad[sample, :, horizon], state.heading_rad)
    speed = np.where(samples.known, samples.speed_mps[sample, :, horizon], 0.0)
    rigid = np.zeros(n, np.bool_)
    holder = np.concatenate([state.panel_holder, state.load_holder])
    held = np.concatenate([state.panel_position_m, state.load_center_m])
    rigid[holder] = True
    capsule_a, capsule_b = np.empty_like(state.capsule_a), np.empty_like(state.capsule_b)
    moved = np.empty_like(held)
    _place(
        position, facing, speed, np.ascontiguousarray(samples.phase[sample, :, horizon]), state.position_m, state.heading_rad,
        state.stature_m, rigid, state.capsule_a, state.capsule_b, held, holder, capsule_a, capsule_b, moved,
    )  # fmt: skip
    return replace(
        state,
        time_us=samples.time_us + int(samples.horizon_us[horizon]),
        position_m=position,
        velocity_mps=speed[:, None] * np.stack([np.cos(facing), np.sin(facing)], axis=1),
        heading_rad=facing,
        capsule_a=capsule_a,
        capsule_b=capsule_b,
        panel_position_m=moved[: len(state.panel_holder)],
        load_center_m=moved[len(state.panel_holder) :],
    )
