"""What the page needs beside the views: the hall that stands still, and places of people for the safety role."""

from __future__ import annotations

import math
from pathlib import Path

from bridges.page.config import PageConfig
from bridges.page.scene import PeopleView, SceneView
from bridges.page.server import PageServer
from bridges.view import TwinView
from factory.scenario import Scenario
from factory.twin import Twin
from radio.policies import policy_class
from radio.policy_names import BUILT_IN, registered

__all__ = ["Page", "people_of", "scene_of"]


class Page(PageServer):
    """The page of a twin, as live mode asks of a bridge.

    Parameters
    ----------
    config : address, users and TLS. state_dir : folder that outlives a run. twin : what is shown and steered.
    """

    def __init__(self, config: PageConfig, state_dir: Path, twin: Twin) -> None:
        super().__init__(config, state_dir, twin.inbox, scene_of(twin.scenario))
        self._twin = twin

    def publish(self, view: TwinView, people: PeopleView | None = None) -> None:
        """Hand a view over and return at once; places of people, for the safety role alone, are the twin's."""
        super().publish(view, people_of(self._twin) if people is None else people)


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


def _may_run(policy: str) -> bool:
    """Tell whether a policy can run the network: it loads, and is no bound that knows the true channel."""
    try:
        return not getattr(policy_class(policy), "sees_truth", False)
    except ValueError:  # registered by a package that is broken; the scenario does not use it
        return False


def people_of(twin: Twin) -> PeopleView:
    """Return where the people in the hall stand: for the safety role alone, without who they are."""
    return PeopleView(twin.people.position_m[twin.people.present][:, :2].copy())
