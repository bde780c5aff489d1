"""Who sends what, when, and what the application survives: the profiles of TS 22.104 as streams of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from radio.config import RadioConfig, ServiceConfig
from radio.reliability import survival_messages
from radio.types import BoolArray, FloatArray, IntArray

DOWNLINK = 0
UPLINK = 1
DIRECTIONS = ("downlink", "uplink")

YEAR_S = 365.25 * 86400.0
MONTH_S = YEAR_S / 12.0
_MAX_SURVIVAL_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of TS 22.104 with one value chosen inside each of its ranges.

    Attributes
    ----------
    name, source : name in scenarios; table and row.
    direction : the usual one.
    message_bytes : message size [byte].
    transfer_interval_us : time between two messages [us].
    survival_time_us : time without messages that the application survives [us]; None where the row says "transfer interval".
    max_latency_us : allowed end-to-end latency [us]; None where the row says "below the transfer interval".
    availability : communication service availability.
    mtbf_s : communication service reliability, mean time between failures [s].
    video : True for frames that queue and are retransmitted (HARQ), False for control messages that get one chance.
    """

    name: str
    source: str
    direction: Literal["downlink", "uplink"]
    message_bytes: int
    transfer_interval_us: int
    survival_time_us: int | None
    max_latency_us: int | None
    availability: float
    mtbf_s: float
    video: bool = False


_T52 = "TS 22.104 Table 5.2-1"
PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        # 40-250 byte, 1-50 ms, survival = interval, > 99.9999 %, ~10 years
        Profile("mobile-robot", f"{_T52}, mobile robots, precise", "downlink", 64, 10_000, None, None, 0.999999, 10 * YEAR_S),
        # 1 kbyte, <= 10 ms, 10 ms, 99.9999-99.999999 %, ~10 years
        Profile("control-to-control", f"{_T52}, (a)", "downlink", 1000, 10_000, 10_000, None, 0.999999, 10 * YEAR_S),
        # 40-250 byte, 8 ms, 16 ms, 99.999999 %, 1 day; latency < 8 ms
        Profile("mobile-panel-estop", f"{_T52}, emergency stop", "uplink", 64, 8_000, 16_000, None, 0.99999999, 86400.0),
        # 15k-250k byte, 10-100 ms, survival = interval, > 99.9999 %, ~1 year
        Profile(
            "video", f"{_T52}, mobile robots, video-operated", "uplink", 100_000, 33_333, None, None, 0.999999, YEAR_S, video=True
        ),
        # 20 byte, 2 ms, 2 ms, 99.9999-99.999999 %, ~10 years
        Profile("motion-control", f"{_T52}, motion control C", "downlink", 20, 2_000, 2_000, None, 0.999999, 10 * YEAR_S),
        # 40-250 byte, 4-8 ms, survival = interval, 99.9999-99.999999 %, ~1 month
        Profile("mobile-panel", f"{_T52}, panels for robots and mills", "uplink", 64, 8_000, None, None, 0.999999, MONTH_S),
        # 20 byte, >= 10 ms, 0, 99.9999-99.999999 %, >= 1 year
        Profile("process-closed-loop", f"{_T52}, closed loop", "uplink", 20, 10_000, 0, None, 0.999999, YEAR_S),
    )
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """Message streams, one per device and service. N streams, V services.

    Message number j of stream i arrives at ``offset_us[i] + j * interval_us[i]``.

    Attributes
    ----------
    ue, service : (N,) indices of the device and its service.
    direction : (N,) DOWNLINK or UPLINK.
    interval_us, offset_us : (N,) transfer interval and arrival of the first message [us].
    deadline_us : (N,) allowed end-to-end latency [us].
    survival : (N,) m, consecutive bad messages that take the service down.
    bits : (N,) payload of a message [bit].
    video : (N,) frames that queue, rather than control messages.
    service_name, profile : (V,) names.
    availability_target, mtbf_target_s : (V,) what the service wants; mtbf in s.
    """

    ue: IntArray
    service: IntArray
    direction: IntArray
    interval_us: IntArray
    offset_us: IntArray
    deadline_us: IntArray
    survival: IntArray
    bits: IntArray
    video: BoolArray
    service_name: tuple[str, ...]
    profile: tuple[str, ...]
    availability_target: FloatArray
    mtbf_target_s: FloatArray

    @property
    def n_streams(self) -> int:
        """Number of streams N."""
        return len(self.ue)


def find_profile(name: str) -> Profile:
    """Return a profile by name.

    Raises
    ------
    ValueError
        If there is none of that name; the message begins with the field and lists the known ones.
    """
    if name not in PROFILES:
        raise ValueError(f"profile {name!r} is unknown; known: {', '.join(PROFILES)}")
    return PROFILES[name]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A service with its profile's values filled in: times in us, ``bits`` per message, targets as in :class:`Profile`."""

    direction: int
    interval_us: int
    survival_us: int
    deadline_us: int
    bits: int
    video: bool
    availability: float
    mtbf_s: float


def resolve(service: ServiceConfig) -> Resolved:
    """Fill in what a service leaves to its profile.

    Raises
    ------
    ValueError
        For an unknown profile, or a survival time of more messages than are kept.
    """
    profile = find_profile(service.profile)

    def first(*values: int | None) -> int:
        return next(v for v in values if v is not None)

    interval = first(service.transfer_interval_us, profile.transfer_interval_us)
    resolved = Resolved(
        direction=DIRECTIONS.index(service.direction or profile.direction),
        interval_us=interval,
        survival_us=first(service.survival_time_us, profile.survival_time_us, interval),
        deadline_us=first(service.max_latency_us, profile.max_latency_us, interval),
        bits=8 * first(service.message_bytes, profile.message_bytes),
        video=profile.video,
        availability=service.availability_target or profile.availability,
        mtbf_s=service.mtbf_target_s or profile.mtbf_s,
    )
    m = survival_messages(resolved.survival_us, interval)
    if m > _MAX_SURVIVAL_MESSAGES:
        raise ValueError(
            f"survival_time_us {resolved.survival_us} of service {service.name!r} spans {m} messages; "
            f"at most {_MAX_SURVIVAL_MESSAGES} are kept, so use at most {_MAX_SURVIVAL_MESSAGES * interval - 1} us"
        )
    return resolved


def build_traffic(config: RadioConfig, device_class: Sequence[str], rng: np.random.Generator) -> Traffic:
    """Lay out the streams of every service over the devices of its class.

    Of the devices of a class, the first ``round(share * count)`` (at least one) use the service. Offsets are drawn uniformly
    inside the transfer interval.

    Parameters
    ----------
    config : the radio section.
    device_class : (U,) class of each UE: ``agv``, ``cobot`` or ``panel``.
    rng : generator of the offsets.

    Raises
    ------
    ValueError
        For an unknown profile, or a survival time of more messages than are kept.
    """
    rows: list[tuple[int, int, int, int, int, int, int, int, bool]] = []
    resolved = [resolve(s) for s in config.services]
    for index, (service, r) in enumerate(zip(config.services, resolved, strict=True)):
        devices = [u for u, name in enumerate(device_class) if name == service.devices]
        count = max(1, round(service.share * len(devices)))
        for u in devices[:count]:
            offset = int(rng.integers(r.interval_us))
            m = survival_messages(r.survival_us, r.interval_us)
            rows.append((u, index, r.direction, r.interval_us, offset, r.deadline_us, m, r.bits, r.video))
    columns = [np.array([row[c] for row in rows], dtype=np.int64) for c in range(9)]
    return Traffic(
        ue=columns[0],
        service=columns[1],
        direction=columns[2],
        interval_us=columns[3],
        offset_us=columns[4],
        deadline_us=columns[5],
        survival=columns[6],
        bits=columns[7],
        video=columns[8].astype(np.bool_),
        service_name=tuple(s.name for s in config.services),
        profile=tuple(s.profile for s in config.services),
        availability_target=np.array([r.availability for r in resolved], dtype=np.float64),
        mtbf_target_s=np.array([r.mtbf_s for r in resolved], dtype=np.float64),
    )
