"""What the page needs beside the views: the hall that stands still, and places of people for the safety role."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from bridges.page.config import PageConfig
from bridges.page.scene import ActingView, PeopleView, SceneView
from bridges.page.server import PageServer
from bridges.view import TwinView
from factory.page_record import LiveRecord
from factory.page_solid import solid_of
from factory.scenario import Scenario
from factory.twin import Tick, Twin
from radio.policies import policy_class
from radio.policy_names import BUILT_IN, registered

__all__ = ["Page", "acting_of", "knobs_of", "people_of", "scene_of"]


class Page(PageServer):
    """The page of a twin, as live mode asks of a bridge.

    Parameters
    ----------
    config : address, users and TLS. state_dir : folder that outlives a run. twin : what is shown and steered.

    Attributes
    ----------
    record : the last minutes, None where the configuration wants none or there is no radio.
    """

    def __init__(self, config: PageConfig, state_dir: Path, twin: Twin) -> None:
        scene = replace(scene_of(twin.scenario), knobs=knobs_of(twin.scenario), movable=True)
        super().__init__(config, state_dir, twin.inbox, scene)
        self._twin = twin
        self.solid = solid_of(twin.scenario)
        self.record: LiveRecord | None = None
        if config.stories and twin.networks:
            self.record = self.stories = LiveRecord(twin, state_dir / "page" / "last-minutes", config.history_minutes)

    def publish(self, view: TwinView, people: PeopleView | None = None, acting: ActingView | None = None) -> None:
        """Hand a view over and return at once; places of people, for the safety role alone, and what acts are the twin's."""
        twin = self._twin
        super().publish(view, people_of(twin) if people is None else people, acting_of(twin) if acting is None else acting)
        if self.record is not None:
            self.record.hand_over()

    def add(self, tick: Tick) -> None:
        """Take a tick, for the stories of outages."""
        if self.record is not None:
            self.record.add(tick)

    def stop(self) -> None:
        """Close all sockets, free the port, and remove what was recorded."""
        super().stop()
        if self.record is not None:
            self.record.close()


def scene_of(scenario: Scenario) -> SceneView:
    """Return the hall of a scenario as the page draws it."""
    hall, agvs = scenario.hall, scenario.robots.agvs
    radio = scenario.radio
    names = (*BUILT_IN, *registered()) if radio.enabled else ()
    return SceneView(
        size_m=hall.size_m,
        boxes=tuple((b.name, b.kind, *b.center_m, *b.size_m, math.radians(b.yaw_deg)) for b in hall.boxes),
        zones=tuple((z.name, *z.x_m, *z.y_m) for z in hall.zones),
        trps=tuple((t.name, *t.position_m, math.radians(t.azimuth_deg)) for t in radio.trps),
        agv_size_m=(agvs.length_m, agvs.width_m),
        policies=tuple(name for name in names if _may_run(name)),
    )


def knobs_of(scenario: Scenario) -> tuple[tuple[str, str, float, float, float, float], ...]:
    """Return the numbers that the page's what-if offers: key, words, present value, least, most, step."""
    people, agvs = scenario.people, scenario.robots.agvs
    knobs = [("robots.agvs.max_speed_mps", "AGV speed at most [m/s]", agvs.max_speed_mps, 0.2, 3.0, 0.1)]
    if people.shift is None and people.replay is None:
        knobs.insert(0, ("people.count", "People", float(people.count), 0.0, 200.0, 1.0))
    return tuple(knobs)


def _may_run(policy: str) -> bool:
    """Tell whether a policy can run the network: it loads, and is no bound that knows the true channel."""
    try:
        return not getattr(policy_class(policy), "sees_truth", False)
    except ValueError:  # registered by a package that is broken; the scenario does not use it
        return False


def acting_of(twin: Twin) -> ActingView:
    """Return the acting policy and the speed that was asked for."""
    return ActingView(twin.networks[0].policy if twin.networks else "", twin.steering.speed)


def people_of(twin: Twin) -> PeopleView:
    """Return where the people in the hall stand: for the safety role alone, without who they are."""
    return PeopleView(twin.people.position_m[twin.people.present][:, :2].copy())
