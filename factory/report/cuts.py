"""What the report says about TRPs that were switched off: the failure, who went where and when, the stops and the minutes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from factory.explain import clock
from factory.report.words import count, duration, number

_REACTION_US = 5_000_000  # a switch later than this after the failure has other reasons
_DEVICES_MAX = 20


def cuts(
    events: pd.DataFrame, stops: pd.DataFrame, ticks: pd.DataFrame, acting: str, policies: Sequence[str], end_us: int
) -> list[dict[str, Any]]:
    """Tell every outage of a TRP.

    Parameters
    ----------
    events, stops : of the run. ticks : (time_us, device, trp), the instant before each failure at least.
    acting : policy that moved the machines. policies : all. end_us : end of the run [us].

    Returns
    -------
    For each: ``title``, ``words`` (sentences), ``rows`` (device, to, waited, lost, down) of the devices that the TRP served.
    """
    told = []
    for _, row in events[events["kind"] == "trp_down"].iterrows():
        start, trp = int(row["time_us"]), str(row["trp"])
        back = events[(events["kind"] == "trp_up") & (events["trp"] == trp) & (events["time_us"] > start)]["time_us"]
        end = int(back.min()) if len(back) else end_us
        told.append(_cut(trp, start, end, len(back) > 0, events, stops, ticks, acting, policies))
    return told


def _cut(
    trp: str,
    start: int,
    end: int,
    comes_back: bool,
    events: pd.DataFrame,
    stops: pd.DataFrame,
    ticks: pd.DataFrame,
    acting: str,
    policies: Sequence[str],
) -> dict[str, Any]:
    inside = events[events["time_us"].between(start, end)]
    before = ticks[ticks["time_us"] < start]
    last = before[before["time_us"] == before["time_us"].max()] if len(before) else before
    served = sorted(str(d) for d in last[last["trp"] == trp]["device"])
    switches = inside[(inside["kind"] == "beam_switch") & (inside["policy"] == acting) & (inside["trp"] != trp)]
    lost = inside[(inside["kind"] == "packet_lost") & (inside["trp"] == trp)]
    rows, waited = [], []
    for device in served:
        mine = switches[(switches["device"] == device) & (switches["time_us"] <= start + _REACTION_US)]
        first = mine.iloc[0] if len(mine) else None
        if first is not None:
            waited.append((int(first["time_us"]) - start) / 1e3)
        own = lost[(lost["device"] == device) & (lost["policy"] == acting)]
        rows.append(
            {
                "device": device,
                "to": str(first["trp"]) if first is not None else "nowhere",
                "waited": f"{number(waited[-1], 3)} ms" if first is not None else "never",
                "lost": number(len(own)),
            }
        )
    halted = stops[(stops["cause"] == "communication") & stops["start_us"].between(start, end)]
    minutes = float((np.minimum(halted["end_us"], end) - halted["start_us"]).sum()) / 6e7 if len(halted) else 0.0
    queued = stops[(stops["cause"] == "queue") & (stops["root"] == "communication") & stops["start_us"].between(start, end)]
    words = [
        f"At {clock(start)} {trp} went out of service"
        + (f" for {duration((end - start) / 1e6)}." if comes_back else ", to the end of the run.")
        + f" It served {count(len(served), 'device')} under {acting}."
    ]
    if served:
        moved = len(waited)
        words.append(
            f"{number(moved)} of them went to another TRP"
            + (
                f", after {number(float(np.median(waited)), 3)} ms at the median and {number(max(waited), 3)} ms at most"
                if moved
                else ""
            )
            + (f"; {number(len(served) - moved)} did not within {_REACTION_US // 1_000_000} s." if moved < len(served) else ".")
        )
    by_policy = {p: int((lost["policy"] == p).sum()) for p in policies}
    words.append("Messages lost on it meanwhile: " + ", ".join(f"{p} {number(n)}" for p, n in by_policy.items()) + ".")
    words.append(
        f"Meanwhile {count(len(halted), 'stop')} for want of commands began, {number(minutes, 3)} machine minutes"
        + (f"; {count(len(queued), 'wait')} in queues behind them." if len(queued) else ".")
    )
    return {"title": f"{trp} out of service", "words": words, "rows": rows[:_DEVICES_MAX]}
