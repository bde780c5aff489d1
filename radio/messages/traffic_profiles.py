"""The profiles of TS 22.104 by name: tables 5.2-1 (periodic), 5.3-1 and 5.4-1 (aperiodic, non-deterministic)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

YEAR_S = 365.25 * 86400.0
MONTH_S = YEAR_S / 12.0


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
    aperiodic : True for events at random, of which the transfer interval is the mean distance.
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
    aperiodic: bool = False


_T52, _T53 = "TS 22.104 Table 5.2-1", "TS 22.104 Tables 5.3-1 and 5.4-1"
_DAY_S, _WEEK_S = 86400.0, 7 * 86400.0
PROFILES: dict[str, Profile] = {
    p.name: p
    for p in (
        # 40-250 byte, 1-50 ms, survival = interval, > 99.9999 %, ~10 years
        Profile("mobile-robot", f"{_T52}, mobile robots, precise", "downlink", 64, 10_000, None, None, 0.999999, 10 * YEAR_S),
        # 1 kbyte, <= 10 ms, 10 ms, 99.9999-99.999999 %, ~10 years
        Profile("control-to-control", f"{_T52}, (a)", "downlink", 1000, 10_000, 10_000, None, 0.999999, 10 * YEAR_S),
        # 40-250 byte, 8 ms, 16 ms, 99.999999 %, 1 day; latency < 8 ms
        Profile("mobile-panel-estop", f"{_T52}, emergency stop", "uplink", 64, 8_000, 16_000, None, 0.99999999, _DAY_S),
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
        # 50 byte, 500 us, 500 us, 99.999-99.99999 %, ~10 years
        Profile("motion-control-a", f"{_T52}, motion control A", "downlink", 50, 500, 500, None, 0.99999, 10 * YEAR_S),
        # 40 byte, 1 ms, 1 ms, 99.9999-99.999999 %, ~10 years
        Profile("motion-control-b", f"{_T52}, motion control B", "downlink", 40, 1_000, 1_000, None, 0.999999, 10 * YEAR_S),
        Profile("motion-control-c", f"{_T52}, motion control C", "downlink", 20, 2_000, 2_000, None, 0.999999, 10 * YEAR_S),
        # 1 kbyte, <= 50 ms, 50 ms, 99.9999-99.999999 %, ~10 years
        Profile("control-to-control-b", f"{_T52}, (b)", "downlink", 1000, 50_000, 50_000, None, 0.999999, 10 * YEAR_S),
        # <= 1 ms, 3 x T, 99.9999-99.999999 %, ~10 years; 50 and 250 Mbit/s are 6250 and 31250 byte a ms
        Profile(
            "wired-to-wireless-100m", f"{_T52}, 100 Mbit/s link replacement", "downlink", 6250, 1_000, 3_000, None, 0.999999,
            10 * YEAR_S,
        ),
        Profile(
            "wired-to-wireless-1g", f"{_T52}, 1 Gbit/s link replacement", "downlink", 31_250, 1_000, 3_000, None, 0.999999,
            10 * YEAR_S,
        ),
        # 40-250 byte, 40-500 ms, survival = interval, > 99.9999 %, ~1 year
        Profile(
            "mobile-robot-standard", f"{_T52}, mobile robots, standard", "downlink", 64, 40_000, None, None, 0.999999, YEAR_S,
        ),
        # 40-250 byte, < 12 ms, 12 ms, 99.9999-99.999999 %, ~1 year
        Profile("mobile-panel-crane", f"{_T52}, panels for cranes", "uplink", 64, 12_000, 12_000, None, 0.999999, YEAR_S),
        # < 1024 byte, 10 ms, ~10 ms, 99.99999 % (not certain), 1 day
        Profile(
            "operation-panel-safety", f"{_T52}, panels, safety data stream", "uplink", 1000, 10_000, 10_000,
            None, 0.9999999, _DAY_S,
        ),
        # 10-100 byte, 1 ms, ~1 ms, 99.999999 %, 1 day
        Profile(
            "operation-panel-motion", f"{_T52}, panels, motion control", "uplink", 50, 1_000, 1_000, None, 0.99999999, _DAY_S,
        ),
        # 50 byte, 2 ms, ~2 ms, 99.999999 %, 1 day
        Profile(
            "operation-panel-haptic", f"{_T52}, panels, haptic feedback", "downlink", 50, 2_000, 2_000, None, 0.99999999, _DAY_S,
        ),
        # 20-255 byte, 100 ms-60 s, 3 x T, 99.99 %, >= 1 week
        Profile(
            "process-monitoring", f"{_T52}, process monitoring", "uplink", 64, 1_000_000, 3_000_000, 1_000_000, 0.9999, _WEEK_S,
        ),
        # 40-250 byte, < 8 ms, 16 ms, 99.999999 %, 1 day; how often somebody presses the button is no number of the standard
        Profile(
            "emergency-stop-event", f"{_T53}, emergency-stop events; a mean of 1 s between events assumed",
            "uplink", 64, 1_000_000,
            16_000, 8_000, 0.99999999, _DAY_S, aperiodic=True,
        ),
        # < 1 ms, 99.9999-99.999999 %, ~10 years; 25 and 500 Mbit/s are 3125 and 62500 byte a ms
        Profile(
            "wired-to-wireless-100m-event", f"{_T53}, 100 Mbit/s link replacement; a mean of 1 ms between messages assumed",
            "downlink", 3125, 1_000, 0, 1_000, 0.999999, 10 * YEAR_S, aperiodic=True,
        ),
        Profile(
            "wired-to-wireless-1g-event", f"{_T53}, 1 Gbit/s link replacement; a mean of 1 ms between messages assumed",
            "downlink", 62_500, 1_000, 0, 1_000, 0.999999, 10 * YEAR_S, aperiodic=True,
        ),
        # uplink > 10 Mbit/s, < 10 ms, > 99.9999 %, ~1 week
        Profile(
            "video-streaming", f"{_T53}, mobile robots, video streaming; 30 frames a second assumed", "uplink", 41_667, 33_333, 0,
            10_000, 0.999999, _WEEK_S, video=True,
        ),
        # > 5 Mbit/s, < 30 ms, 99.9999-99.999999 %, ~1 month
        Profile(
            "panel-parallel-data", f"{_T53}, control panels, parallel data; a block every 30 ms assumed",
            "uplink", 18_750, 30_000,
            0, 30_000, 0.999999, MONTH_S, video=True,
        ),
        # no bit rate given, < 10 ms, > 99.9 %, ~1 month
        Profile(
            "augmented-reality", f"{_T53}, augmented reality; 10 Mbit/s and 30 frames a second assumed",
            "downlink", 41_667, 33_333,
            0, 10_000, 0.999, MONTH_S, video=True,
        ),
    )
}  # fmt: skip


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
