"""What the robots room hands out: frozen structs of arrays."""

from __future__ import annotations

from dataclasses import dataclass

from robots.routes import BoolArray, FloatArray, IntArray

MODES = (
    "driving",
    "working",
    "communication",
    "person_near",
    "queue",
    "no_order",
    "charging",
    "handover",
    "paused",
    "breakdown",
    "emergency_stop",
)
"""What a machine does, or why it stands; index = mode code of AGVs and cobots and of the production ledger."""
(
    DRIVING, WORKING, COMMUNICATION, PERSON_NEAR, QUEUE, NO_ORDER, CHARGING, HANDOVER, PAUSED, BREAKDOWN, EMERGENCY_STOP,
) = range(len(MODES))  # fmt: skip


@dataclass(frozen=True, slots=True)
class AgvState:
    """The fleet at one instant.

    Attributes
    ----------
    time_us : instant [us].
    position_m : (n, 2) centres [m]. heading_rad : (n,) [rad]. speed_mps : (n,) [m/s]. velocity_mps : (n, 2) along the heading.
    loaded : (n,) whether it carries a load. load_height_m : (n,) height of the load above the vehicle, 0 when empty [m].
    mode : (n,) index into ``MODES``.
    battery : (n,) charge 0..1.
    node : (n,) index of the node passed last.
    order_id : (n,) transport order, -1 for none.
    antenna_m : (n, 3) antennas [m].
    half_extent_m : (n, 2) half length and half width [m]. radius_m : (n,) of the circle that a vehicle turns in [m].
    body_height_m : height of a vehicle without load [m].
    """

    time_us: int
    position_m: FloatArray
    heading_rad: FloatArray
    speed_mps: FloatArray
    velocity_mps: FloatArray
    loaded: BoolArray
    load_height_m: FloatArray
    mode: IntArray
    battery: FloatArray
    node: IntArray
    order_id: IntArray
    antenna_m: FloatArray
    half_extent_m: FloatArray
    radius_m: FloatArray
    body_height_m: float


@dataclass(frozen=True, slots=True)
class CobotState:
    """All cobots at one instant.

    Attributes
    ----------
    time_us : instant [us].
    joint_target_rad : (m, 7) targets of the iiwa's joints [rad].
    speed_scale : (m,) share of full speed 0..1.
    mode : (m,) index into ``MODES``.
    separation_m : (m,) distance to the nearest person, inf where none is known [m].
    permitted_scale : (m,) share of full speed that the separation permits.
    parts : (m,) finished cycles.
    carrying : (m,) whether the tool holds a part.
    antenna_m : (m, 3) antennas [m]. yaw_rad : (m,) direction of the arm's front [rad].
    """

    time_us: int
    joint_target_rad: FloatArray
    speed_scale: FloatArray
    mode: IntArray
    separation_m: FloatArray
    permitted_scale: FloatArray
    parts: IntArray
    carrying: BoolArray
    antenna_m: FloatArray
    yaw_rad: FloatArray


@dataclass(frozen=True, slots=True)
class FinishedOrder:
    """One transport: who carried it, when it was taken and when it was delivered [us]."""

    order_id: int
    agv: int
    taken_us: int
    finished_us: int
