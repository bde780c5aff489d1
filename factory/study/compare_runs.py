"""What one run says of its own certainty: the intervals that its kpi.json gives beside the figures of its services."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from radio.messages.reliability import SMALLEST_RATE


def own_interval(kpi: Mapping[str, Any], key: str, policy: str | None = None) -> tuple[float, float] | None:
    """Return the 95 % interval of a measure within one run, None where the run gives none.

    Parameters
    ----------
    kpi : content of kpi.json.
    key : of the measure.
    policy : whose services; the acting policy when absent.

    Notes
    -----
    These intervals hold for the channel states that the run met, over devices and blocks of time; what another shift would meet
    is not in them.
    """
    if not key.startswith("service."):
        return None
    name, _, figure = key.removeprefix("service.").rpartition(".")
    of = policy if policy is not None else kpi.get("acting_policy")
    services = ((kpi.get("policies") or {}).get(of) or {}).get("services") or ()
    service: Mapping[str, Any] = next((s for s in services if s["name"] == name), {})
    if figure == "unavailability":
        return _ends(service.get("unavailability"))
    if figure == "lost_per_million":
        ends = _ends(service.get("packet_error_ratio"))
        return None if ends is None else (1e6 * ends[0], 1e6 * ends[1])
    if figure == "latency_p99_ms":
        return _ends((service.get("latency_ms") or {}).get("p99"))
    if figure == "nines":
        ends = _ends(service.get("unavailability"))
        return None if ends is None else (_nines(ends[1]), _nines(ends[0]))
    if figure == "failures_per_hour":
        between: Mapping[str, Any] = service.get("mtbf_s") or {}
        low, high = between.get("low"), between.get("high")
        return None if low is None else (3600 / high if high else 0.0, 3600 / low)
    return None


def _ends(figure: Any) -> tuple[float, float] | None:
    if not isinstance(figure, Mapping) or figure.get("low") is None or figure.get("high") is None:
        return None
    return _tellable(float(figure["low"])), _tellable(float(figure["high"]))


def _tellable(rate: float) -> float:
    return rate if rate >= SMALLEST_RATE else 0.0


def _nines(unavailability: float) -> float:
    return -math.log10(unavailability) if unavailability > 0 else math.inf
