"""Who sends what, when, and what the application survives: services as streams of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig, ServiceConfig
from radio.messages.reliability import survival_messages
from radio.messages.traffic_profiles import find_profile
from radio.types import BoolArray, FloatArray, IntArray

DOWNLINK = 0
UPLINK = 1
DIRECTIONS = ("downlink", "uplink")

_MAX_SURVIVAL_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Sending:
    """How the messages of N streams are sent, where that is not the plainest way.

    Attributes
    ----------
    peer : (N,) device at the end of a second hop, downlink; -1 where there is none.
    poisson : (N,) events at random instead of one every interval.
    jitter_us : (N,) periodic messages arrive within +- this of their instant [us].
    occasion_us : (N,) time between two occasions of a configured grant, of semi-persistent PDSCH, or for a scheduling request
    [us];
        0: any symbol.
    request : (N,) uplink by scheduling request and grant.
    repetitions : (N,) repetitions of a transmission at least.
    transmissions : (N,) transmissions of a message at most.
    copy : (N,) 0 for the device itself, from 1 for further ones that are served over its antenna.
    """

    peer: IntArray
    poisson: BoolArray
    jitter_us: IntArray
    occasion_us: IntArray
    request: BoolArray
    repetitions: IntArray
    transmissions: IntArray
    copy: IntArray

    @staticmethod
    def plain(n: int) -> Sending:
        """Return the plainest way for n streams: one transmission in any symbol, periodic, one hop."""
        none, once = np.zeros(n, dtype=np.int64), np.ones(n, dtype=np.int64)
        no = np.zeros(n, dtype=np.bool_)
        return Sending(-once, no, none, none, no, once, once, none)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Message streams, one per device and service. N streams, V services.

    Message number j of stream i arrives at ``offset_us[i] + j * interval_us[i]``, if ``sending`` says nothing else.

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
    sending : how the messages are sent; None for the plainest way.
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
    sending: Sending | None = None

    @property
    def sent(self) -> Sending:
        """How the messages are sent."""
        return self.sending or Sending.plain(self.n_streams)

    @property
    def n_streams(self) -> int:
        """Number of streams N."""
        return len(self.ue)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A service with its profile's values filled in: times in us, ``bits`` per message, targets as a profile has them.

    ``direction`` is that of the first hop; ``relayed`` says that there is a second, downlink. ``aperiodic``: events at random.
    ``requested``: uplink by scheduling request; ``occasion_us``: see :class:`Sending`.
    """

    direction: int
    interval_us: int
    survival_us: int
    deadline_us: int
    bits: int
    video: bool
    availability: float
    mtbf_s: float
    relayed: bool = False
    aperiodic: bool = False
    requested: bool = False
    occasion_us: int = 0

    @property
    def survival(self) -> int:
        """m, the consecutive bad messages that take the service down.

        1 for events: nothing is sent in their place. 1 as well where the survival time is shorter than the transfer interval: the
        first bad message outlasts it (TS 22.104 C.3; floor(T_survival / T_interval) + 1).
        """
        return 1 if self.aperiodic else survival_messages(self.survival_us, self.interval_us)


def resolve(service: ServiceConfig) -> Resolved:
    """Fill in what a service leaves to its profile.

    Raises
    ------
    ValueError
        For an unknown profile, a survival time of more messages than are kept, or ways of sending that do not go together; the
        message begins with the field.
    """
    profile = find_profile(service.profile)

    def first(*values: int | None) -> int:
        return next(v for v in values if v is not None)

    interval = first(service.transfer_interval_us, profile.transfer_interval_us)
    direction = service.direction or profile.direction
    relayed = direction == "uplink_downlink"
    resolved = Resolved(
        direction=UPLINK if relayed else DIRECTIONS.index(direction),
        interval_us=interval,
        survival_us=first(service.survival_time_us, profile.survival_time_us, interval),
        deadline_us=first(service.max_latency_us, profile.max_latency_us, interval),
        bits=8 * first(service.message_bytes, profile.message_bytes),
        video=profile.video,
        availability=service.availability_target or profile.availability,
        mtbf_s=service.mtbf_target_s or profile.mtbf_s,
        relayed=relayed,
        aperiodic=profile.aperiodic if service.arrival is None else service.arrival == "poisson",
        requested=service.access == "dynamic" and direction != "downlink",
        occasion_us=first(service.periodicity_us, service.sr_period_us, 0),
    )
    _check_sending(service, resolved)
    m = resolved.survival
    if m > _MAX_SURVIVAL_MESSAGES:
        raise ValueError(
            f"survival_time_us {resolved.survival_us} of service {service.name!r} spans {m} messages; "
            f"at most {_MAX_SURVIVAL_MESSAGES} are kept, so use at most {_MAX_SURVIVAL_MESSAGES * interval - 1} us"
        )
    return resolved


def _check_sending(service: ServiceConfig, r: Resolved) -> None:
    """Refuse ways of sending that do not go together."""
    name = f"of service {service.name!r}"
    downlink = r.direction == DOWNLINK
    if downlink and service.access == "configured_grant":
        raise ValueError(f"access configured_grant {name}: that is for the uplink; the downlink has semi_persistent or dynamic")
    if not downlink and service.access == "semi_persistent":
        raise ValueError(f"access semi_persistent {name}: that is for the downlink; the uplink has configured_grant or dynamic")
    if service.sr_period_us is not None and not r.requested:
        raise ValueError(f"sr_period_us {service.sr_period_us} {name}: only an uplink with access dynamic asks for a grant")
    if service.periodicity_us is not None and service.access not in ("configured_grant", "semi_persistent"):
        raise ValueError(
            f"periodicity_us {service.periodicity_us} {name}: occasions belong to access configured_grant or semi_persistent; "
            "set one of them"
        )
    if (service.peers is not None) != r.relayed:
        raise ValueError(
            f"peers {service.peers} {name}: direction uplink_downlink, and no other, needs the class of devices that receive"
        )
    if service.jitter_us and r.aperiodic:
        raise ValueError(f"jitter_us {service.jitter_us} {name}: events that arrive at random have no instant to jitter around")
    if 2 * service.jitter_us > r.interval_us:
        raise ValueError(
            f"jitter_us {service.jitter_us} {name}: messages of an interval of {r.interval_us} us would overtake one another; "
            f"use at most {r.interval_us // 2}"
        )
    plain = service.access is None and service.max_transmissions == 1 and service.repetitions == 1 and not r.relayed
    if r.video and not plain:
        raise ValueError(
            f"profile {service.profile} {name}: frames are queued, granted and retransmitted as they are; access, repetitions, "
            "max_transmissions and uplink_downlink are for control messages"
        )


def build_traffic(config: RadioConfig, device_class: Sequence[str], rng: np.random.Generator) -> Traffic:
    """Lay out the streams of every service over the devices of its class.

    Of the devices of a class, the first ``round(share * count)`` (at least one) use the service. Offsets are drawn uniformly
    inside the transfer interval; those of copies come after all others, so that the first ones' stay as they are. With
    ``uplink_downlink`` the i-th of them sends to the i-th device of the peers' class, beginning again where there are fewer;
    within one class to the next one.

    Parameters
    ----------
    config : the radio section.
    device_class : (U,) class of each UE: ``agv``, ``cobot`` or ``panel``.
    rng : generator of the offsets.

    Raises
    ------
    ValueError
        For an unknown profile, a survival time of more messages than are kept, or a service between devices of which there are
        none.
    """
    rows: list[tuple[int, ...]] = []
    resolved = [resolve(s) for s in config.services]
    most = max((s.copies for s in config.services), default=1)
    for copy, index in ((c, i) for c in range(most) for i in range(len(resolved))):
        service, r = config.services[index], resolved[index]
        if copy >= service.copies:
            continue
        devices = [u for u, name in enumerate(device_class) if name == service.devices]
        peers = [u for u, name in enumerate(device_class) if name == service.peers]
        count = max(1, round(service.share * len(devices)))
        for i, u in enumerate(devices[:count]):
            offset = int(rng.integers(r.interval_us))
            peer = -1
            if r.relayed:
                others = [p for p in peers if p != u]
                if not others:
                    raise ValueError(
                        f"peers {service.peers} of service {service.name!r}: the hall has no other device of that class"
                    )
                peer = others[i % len(others)] if service.peers != service.devices else peers[(i + 1) % len(peers)]
            rows.append(
                (
                    u, index, r.direction, r.interval_us, offset, r.deadline_us, r.survival, r.bits, r.video, peer, r.aperiodic,
                    service.jitter_us, r.occasion_us, r.requested, service.repetitions, service.max_transmissions, copy,
                )
            )  # fmt: skip
    columns = [np.array([row[c] for row in rows], dtype=np.int64) for c in range(17)]
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
        sending=Sending(
            peer=columns[9],
            poisson=columns[10].astype(np.bool_),
            jitter_us=columns[11],
            occasion_us=columns[12],
            request=columns[13].astype(np.bool_),
            repetitions=columns[14],
            transmissions=columns[15],
            copy=columns[16],
        ),
    )
