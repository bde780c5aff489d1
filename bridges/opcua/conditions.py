"""What is wrong in a view: which conditions are active, of what, and how severe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.common.events import Event

from bridges.view import ForecastView, TwinView
from bridges.view_parts import IMPAIRED_DB

__all__ = ["Condition", "Situation", "situations"]

_RELEASE = 0.8  # of the limit below which a risk or a shortfall is no longer high: noise must not ring twice


@dataclass(slots=True)
class Condition:
    """One condition and its state.

    Attributes
    ----------
    node : its node, which is the ConditionId. name, source, source_name, severity : what it is about.
    active, acked, confirmed : its states. message, comment, user : what was said of it last, and by whom.
    shelved : ``Unshelved``, ``TimedShelved`` or ``OneShotShelved``.
    until_s : monotonic time at which shelving ends [s].
    event, ids : the last event, and the identifiers of the last few.
    """

    node: ua.NodeId
    name: str
    source: ua.NodeId
    source_name: str
    severity: int
    active: bool = False
    acked: bool = True
    confirmed: bool = True
    message: str = ""
    comment: str = ""
    user: str = ""
    shelved: str = "Unshelved"
    until_s: float = 0.0
    event: Event | None = None
    ids: list[bytes] = field(default_factory=list)

    @property
    def retain(self) -> bool:
        """Whether it is still of interest (OPC 10000-9 clause 5.5.2)."""
        return self.active or not (self.acked and self.confirmed)


@dataclass(frozen=True, slots=True)
class Situation:
    """Whether something is wrong.

    Attributes
    ----------
    name : condition. folder, key : its source, ``<folder>/<key>``. severity : 1..1000.
    active : whether it is so now. message : what to say of it.
    """

    name: str
    folder: str
    key: str
    severity: int
    active: bool
    message: str


def situations(view: TwinView, risk_limit: float, is_active: Callable[[str, str], bool]) -> Iterator[Situation]:
    """Yield everything that could be wrong in a view.

    Parameters
    ----------
    view : the twin now.
    risk_limit : risk from which a link's condition becomes active; it becomes inactive below 0.8 of it.
    is_active : whether the condition of a name and a key was active before.
    """
    for service in view.services:
        yield Situation("ServiceDown", "Services", service.name, 900, not service.up, f"service {service.name} is down")
    for machine in view.machines:
        stopped = machine.mode in ("breakdown", "emergency_stop")
        yield Situation("MachineStopped", "Machines", machine.id, 700, stopped, f"{machine.id} stands: {machine.mode}")
        near = machine.mode in ("person_near", "protective_stop")
        yield Situation("PersonClose", "Machines", machine.id, 500, near, f"{machine.id} stands for a person")
    for trp in view.trps:
        rings = is_active("TrpDegraded", trp.name) and (trp.shortfall_db or 0.0) >= _RELEASE * IMPAIRED_DB
        wrong = "is out of service" if trp.state == "off" else f"is heard {trp.shortfall_db or 0.0:.0f} dB below expectation"
        yield Situation(
            "TrpDegraded", "Trps", trp.name, 600, rings or trp.state != "in service", f"transmission point {trp.name} {wrong}"
        )
    ahead = {forecast.device: forecast for forecast in view.forecasts}
    for link in view.links:
        risk, when = _worst(link.risk, ahead.get(link.device))
        least = risk_limit * (_RELEASE if is_active("RiskHigh", link.device) else 1.0)
        yield Situation("RiskHigh", "Links", link.device, 300, risk >= least, f"risk of {link.device} is {risk:.2f}{when}")


def _worst(risk: float, forecast: ForecastView | None) -> tuple[float, str]:
    """Return the largest risk of a link over the horizons, and at which it is."""
    told = [(r, h) for h, r in zip(forecast.horizon_s, forecast.risk, strict=True) if r is not None] if forecast else []
    if not told:
        return risk, ""
    worst, horizon_s = max(told, key=lambda pair: pair[0])
    return worst, f" in {horizon_s:g} s"
