"""What a live twin knows of its plant: taken in at the start of a tick, and told as figures of every asset."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bridges.fusion import Fusion
from bridges.view import AdviceView, AssetView, CalibrationView, QosView
from factory.live_agvs import LiveAgvs
from factory.live_modes import Advisor
from factory.live_people import LivePeople
from factory.live_qos import LiveQos
from factory.live_radio import LiveRadio
from robots.state import AgvState

if TYPE_CHECKING:
    from factory.twin import Tick, Twin

__all__ = ["LiveTwin"]


class LiveTwin:
    """Connects a twin with what is observed of its plant and with what it may say and do there.

    Parameters
    ----------
    twin : it becomes the twin's ``live``. people, agvs : where they are observed; None where they are simulated.
    modes : what is said and done; None where nobody looks ahead.
    now : the plant's clock, seconds since 1970.
    radio : where radio measurements come in; None where none do. qos : where sessions are asked for; None where none are.
    """

    def __init__(
        self,
        twin: Twin,
        people: LivePeople | None = None,
        agvs: LiveAgvs | None = None,
        modes: Advisor | None = None,
        now: Callable[[], float] = time.time,
        radio: LiveRadio | None = None,
        qos: LiveQos | None = None,
    ) -> None:
        self._twin, self.now = twin, now
        self.people, self.agvs, self.modes, self.radio, self.qos = people, agvs, modes, radio, qos
        twin.live = self
        if people is not None or agvs is not None or radio is not None:
            twin.steering.keep_pace("people, AGVs or radio measurements are those of the plant, which goes at its own")

    def take_in(self, time_us: int) -> None:
        """Take in what came since the last tick, and look ahead where it is time to; called as a tick begins."""
        if self.people is not None or self.agvs is not None or self.radio is not None:
            now_s = self.now()
            if self.people is not None:
                self.people.take_in(time_us, now_s)
            if self.agvs is not None:
                self.agvs.take_in(time_us, now_s)
            if self.radio is not None:
                self.radio.take_in(time_us, now_s)
        if self.modes is not None:
            self.modes.look(time_us)
            if self.qos is not None:
                self.qos.step(time_us, self.modes.ahead)

    def watch(self, tick: Tick) -> None:
        """Remember what a tick looked like; called as it ends."""
        if self.radio is not None:
            self.radio.watch(tick)

    def agvs_at(self, state: AgvState, ahead_us: int) -> AgvState:
        """Return a fleet with the real AGVs where they are thought to be."""
        return state if self.agvs is None else self.agvs.put_into(state, ahead_us)

    def assets(self) -> tuple[AssetView, ...]:
        """Return figures of every observed AGV, and of all people together; no figure is a place."""
        views: list[AssetView] = []
        if self.agvs is not None:
            views += self._agv_views(self.agvs)
        if self.people is not None:
            f = self.people.figures()
            views.append(AssetView(
                "people", "people", f.known, f.known > 0, f.age_s, f.age_p95_s, f.offset_m, f.offset_p95_m, f.sigma_m, f.skill,
                f.innovation,
            ))  # fmt: skip
        return tuple(views)

    def _agv_views(self, agvs: LiveAgvs) -> list[AssetView]:
        twin, shadows = self._twin, agvs.shadows
        seen, skill = agvs.estimate(twin.time_us), shadows.skill
        age_s = np.where(seen.age_us >= 0, seen.age_us * 1e-6, np.nan)
        return [
            AssetView(
                twin.devices[row], "agv", 1, bool(agvs.online[i] and seen.known[i]), float(age_s[i]), float(age_s[i]),
                float(shadows.offset_m[i]), float(shadows.offset_m[i]), float(seen.sigma_m[i]), float(skill[i]),
                float(shadows.squared_innovation[i]) / 3.0,
            )
            for i, row in enumerate(agvs.row.tolist())
        ]  # fmt: skip

    def advice(self) -> tuple[AdviceView, ...] | None:
        """Return the advice that stands and may leave the twin, None where nobody looks ahead."""
        return None if self.modes is None else self.modes.published()

    def calibration(self) -> CalibrationView | None:
        """Return how measured RSRP agrees with the prediction, None where none is measured."""
        return None if self.radio is None else self.radio.view()

    def qos_figures(self) -> QosView | None:
        """Return which sessions are open, None where none are asked for."""
        return None if self.qos is None else self.qos.view()

    def agreement(self) -> dict[str, float]:
        """Return how location systems agree about people, see :class:`bridges.fusion.Fusion`."""
        fusion: Fusion | None = None if self.people is None else self.people.fusion
        return {} if fusion is None else dict(fusion.agreement)
