"""The compact messages of the page's socket: one text per tick for all viewers of a role.

A *hello* names everything once; a *tick* then refers to it by place. Lengths travel in cm, angles in mrad, dB in tenths, so that
500 links fit in some 15 kB. The keys are read by ``static/model.js``, which is the only other place that knows them.
"""

from __future__ import annotations

import json
import math
from typing import Any

from bridges.page.scene import ActingView, PeopleView, SceneView
from bridges.view import TwinView
from bridges.view_parts import ForecastView

__all__ = ["Names", "advice", "hello", "names_of", "people", "tick"]

Names = tuple[tuple[tuple[str, str], ...], tuple[str, ...], tuple[tuple[str, str], ...], tuple[str, ...]]
"""Ids and kinds of machines, devices of links, names and profiles of services, names of zones."""


def names_of(view: TwinView) -> Names:
    """Return what a hello must name for the ticks of a view to be understood."""
    return (
        tuple([(m.id, m.kind) for m in view.machines]),
        tuple([k.device for k in view.links]),
        tuple([(s.name, s.profile) for s in view.services]),
        tuple([z.name for z in view.zones]),
    )


def _dump(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def hello(name: str, scene: SceneView, names: Names, user: str, role: str, runs: int = 0) -> str:
    """Return the first message of a socket, and of one whose hall has changed.

    ``runs`` is the number of finished runs that the page shows, 0 for a live twin.
    """
    machines, links, services, zones = names
    return _dump(
        {
            "type": "hello",
            "name": name,
            "user": user,
            "role": role,
            "runs": runs,
            "scene": scene.to_json_dict(),
            "machines": machines,
            "links": links,
            "services": services,
            "zones": zones,
        }
    )


def _tenths(value_db: float) -> int | None:
    return round(10.0 * value_db) if math.isfinite(value_db) else None


def _ahead(forecast: ForecastView | None) -> tuple[int | None, ...]:
    """Return the risk in 0.5, 1 and 2 s in thousandths; nothing where nobody forecasts it."""
    if forecast is None:
        return ()
    risks = (forecast.in_500_ms, forecast.in_1_s, forecast.in_2_s)
    return tuple(None if risk is None else round(1000.0 * risk) for risk in risks)


def tick(view: TwinView, trp_index: dict[str, int], acting: ActingView | None = None) -> str:
    """Return a view as the message of one tick.

    Parameters
    ----------
    view : the view.
    trp_index : place of every TRP in the scene; a link without one gets -1.
    acting : what runs the twin, None where it is not known.
    """
    factor = view.real_time_factor
    ahead = {f.device: f for f in view.forecasts}
    return _dump(
        {
            "type": "tick",
            "t": view.time_us,
            "run": view.running,
            "f": round(factor, 3) if math.isfinite(factor) else None,
            "m": [
                [
                    round(100.0 * m.x_m),
                    round(100.0 * m.y_m),
                    round(1000.0 * m.heading_rad),
                    round(100.0 * m.speed_mps),
                    m.mode,
                    int(m.loaded),
                    None if m.battery is None else round(100.0 * m.battery),
                    m.order,
                ]
                for m in view.machines
            ],
            "l": [
                [
                    trp_index.get(k.trp, -1),
                    k.beam,
                    _tenths(k.margin_db),
                    k.blocked_by,
                    _tenths(k.body_loss_db),
                    round(1000.0 * k.risk) if math.isfinite(k.risk) else None,
                    _tenths(k.sinr_dl_db),
                    _tenths(k.sinr_ul_db),
                    *_ahead(ahead.get(k.device)),
                ]
                for k in view.links
            ],
            "s": [
                [s["availability"], s["mtbf_s"], s["packet_error_ratio"], int(s["up"]), s["down_since_us"]]
                for s in [service.to_json_dict() for service in view.services]
            ],
            "z": [z.people for z in view.zones],
            "j": [[round(1000.0 * q) for q in m.joints_rad] for m in view.machines if m.joints_rad],
            **({} if acting is None else {"p": acting.policy, "v": acting.speed}),
        }
    )


def people(view: PeopleView) -> str:
    """Return where people are, for the safety role: centimetres, in an order that says nothing."""
    return _dump({"type": "people", "p": [[round(100.0 * float(x)), round(100.0 * float(y))] for x, y in view.position_m]})


def advice(view: TwinView) -> str | None:
    """Return what is advised, None where nobody looks ahead; it names machines' next steps, so it is for who may steer."""
    if view.advice is None:
        return None
    return _dump({"type": "advice", "a": [a.to_json_dict() for a in view.advice]})
