"""What it costs to record a day beside a plant: processor a tick, bytes a second.

Hall ``small``, no broker: 12 people and 2 real AGVs are seen at 5 Hz, every device reports RSRP of all TRPs once a second.

``python tests/bench_record.py [SECONDS]``
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bridges.radio_reports import RadioReadings
from bridges.tags import TagObservations
from bridges.vda5050.shadow import AgvObservations
from factory import live_record
from factory.live_agvs import LiveAgvs
from factory.live_people import LivePeople
from factory.live_radio import LiveRadio
from factory.live_record_rows import RadioRow
from factory.live_twin import LiveTwin
from factory.scenario import load_scenario
from factory.twin import Twin
from humans.tracked_crowd import TrackedCrowd

BEGAN_S, PEOPLE, WARM_TICKS = 1_767_225_600.0, 12, 300
REAL = "[{manufacturer: a, serial_number: s1, twin: agv-01}, {manufacturer: a, serial_number: s2, twin: agv-02}]"
SETTINGS = [
    "live.people_from=tags", f"live.max_people={PEOPLE}", "bridges.tags.enabled=true", "live.agvs_from=vda5050",
    f"bridges.vda5050.real={REAL}", "bridges.radio_reports.enabled=true", "bridges.mqtt.enabled=true",
    "live.recalibration.enabled=true",
]  # fmt: skip


class Plant:
    """What comes in of a plant, as the doors would hand it on."""

    def __init__(self, twin: Twin) -> None:
        self._twin, self._rng = twin, np.random.default_rng(1)
        self._tag = self._rng.integers(0, 2**62, PEOPLE)
        self._at_m = np.stack([np.linspace(2.0, 25.0, PEOPLE), np.full(PEOPLE, 4.0)], axis=1)
        assert isinstance(twin.crowd, TrackedCrowd)
        live, people = twin.scenario.live, LivePeople(twin.crowd, self._tags, 0.01)
        radio = LiveRadio(twin, live.recalibration, self._radio)
        LiveTwin(twin, people, LiveAgvs(self._agvs, (0, 1), live.shadows), now=self._now, radio=radio)

    def _now(self) -> float:
        return BEGAN_S + self._twin.time_us * 1e-6

    def _tags(self) -> TagObservations:
        who = np.flatnonzero((self._twin.time_us // 10_000 + np.arange(PEOPLE)) % 20 == 0)
        n, noise = len(who), self._rng.normal(0.0, 0.1, (len(who), 2))
        accuracy_m, measured_s = np.full(n, 0.1), np.full(n, self._now() - 0.1)
        return TagObservations(self._tag[who], measured_s, self._at_m[who] + noise, accuracy_m, ("uwb",) * n, 1)

    def _agvs(self, now_s: float) -> AgvObservations:
        at_s = float(np.floor((now_s - 0.1) * 5.0) / 5.0)
        one, x = np.ones(2), 2.0 + (at_s - BEGAN_S) % 20.0
        places = np.stack([x * one, 4.0 + 4.0 * np.arange(2)], axis=1) + self._rng.normal(0.0, 1e-3, (2, 2))
        return AgvObservations(
            ("s1", "s2"), one > 0, at_s * one, (now_s - at_s) * one, places, 0.0 * one, np.stack([one, 0.0 * one], axis=1),
            0.0 * one, one, one > 0, 0.0 * one, ("", ""), (0, 0), ("", ""), ((), ()),
        )  # fmt: skip

    def _radio(self) -> RadioReadings:
        if self._twin.time_us % 1_000_000:
            return RadioRow.empty()
        n, t = len(self._twin.devices), self._twin.channel.n_trp
        rsrp_dbm, sinr_db = self._rng.normal(-80.0, 2.0, n * t), self._rng.normal(20.0, 2.0, n * t)
        ue, trp = np.repeat(np.arange(n), t), np.tile(np.arange(t), n)
        return RadioReadings(ue, trp, np.full(n * t, self._now() - 0.05), rsrp_dbm, sinr_db)


def main(seconds: float) -> None:
    """Run, and print what was spent by whom."""
    spent_ns = {"rows": 0, "fingerprints": 0}

    def timed(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            begun = time.thread_time_ns()
            try:
                return call(*given)
            finally:
                spent_ns[what] += time.thread_time_ns() - begun

        return run

    live_record.LiveRecord._put = timed("rows", live_record.LiveRecord._put)  # type: ignore[method-assign]
    live_record.fingerprint = timed("fingerprints", live_record.fingerprint)
    twin = Twin(load_scenario("small", SETTINGS), beside_a_plant=True)
    Plant(twin)
    with tempfile.TemporaryDirectory() as folder:
        record = live_record.LiveRecord(Path(folder) / "day", twin)
        record.begin()
        begun_ns = 0
        for k in range(WARM_TICKS + round(100 * seconds)):
            if k == WARM_TICKS:
                spent_ns |= {"rows": 0, "fingerprints": 0}
                begun_ns = time.process_time_ns()
            twin.tick()
            twin.stops.take()
        total_ns, ticks = time.process_time_ns() - begun_ns, 100 * seconds
        record.close()
        size = (Path(folder) / "day" / live_record.INPUTS).stat().st_size / (twin.time_us / 1e6)
    twin.close()
    told = ", ".join(f"{what} {ns / ticks / 1e6:.4f} ms" for what, ns in spent_ns.items())
    print(f"a tick {total_ns / ticks / 1e6:.2f} ms of processor, of it {told}")
    print(f"{size:.0f} bytes a second, {size * 86_400 / 1e9:.2f} GB a day")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
